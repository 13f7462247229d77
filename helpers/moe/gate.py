"""A gate over given experts: where in the inputs each one is to be believed."""

import numpy as np
from pandas.api.types import is_numeric_dtype
from scipy import sparse
from scipy.special import softmax
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from helpers.moe.likelihood import fit_gate, with_one
from helpers.moe.stacking import fit_one


class Gate:
    """g(x) = softmax(zᵀV), of x brought to one scale with a 1 in front, z (d + 1,).

    V (d + 1, K) maximises Σ_i log Σ_k g_k(x_i) P_ik − ‖slopes‖²/2C, for what K experts give to the
    labels that were observed, P (n, K): take it from predictions out of fold, or an expert buys
    trust by memorising (Jacobs, Jordan, Nowlan & Hinton 1991); below 1e-9 it counts as that. The
    intercepts are all but free, so
    a small C makes it `fixed_weights`, and not an equal vote.

    `inputs` is a transformer of x. None: standardised, a missing value at the mean; a sparse x is
    divided by each column's largest entry instead, and stays sparse. The others are those of
    `helpers.moe.likelihood.fit_gate`. Attributes: `V_`, `inputs_` (fitted), `path_` (the
    penalised log-likelihood at the start and after each iteration).
    """

    def __init__(self, inputs=None, C=0.1, solver="lbfgs", tol=1e-10, max_iter=20_000):
        self.inputs, self.options = inputs, (C, solver, tol, max_iter)

    def fit(self, X, P, weight=1.0):
        """Fit on X (n, d) and P (n, K); `weight` (n,) counts rows in the likelihood."""
        inputs = _one_scale(X) if self.inputs is None else self.inputs
        self.dense_ = not sparse.issparse(X)
        self.inputs_ = fit_one(inputs, X, None, None if np.ndim(weight) == 0 else weight)
        self.V_, self.path_ = fit_gate(self._z(X), P, *self.options, weight)
        return self

    def weights(self, X):
        """How far each expert is believed at X (n, d): (n, K), rows that sum to 1."""
        return softmax(self._z(X) @ self.V_, axis=1)

    def _z(self, X):
        if self.dense_ and sparse.issparse(X):
            X = X.toarray()
        return with_one(self.inputs_.transform(X))


def fixed_weights(P):
    """The weights (K,) of the largest likelihood that do not depend on x, for P (n, K).

    A gate without inputs, and its plainest opponent: weights that depend on x have to do better.
    """
    V, _ = fit_gate(np.ones((len(P), 1)), P)
    return softmax(V[0])


def _one_scale(X):
    """What brings the columns of X to one scale, unfitted; missing values are filled."""
    text = [name for name in getattr(X, "columns", []) if not is_numeric_dtype(X[name])]
    if text:
        raise ValueError(
            f"the gate needs numbers, and column {text[0]!r} is not numeric: give gate_input, a "
            "transformer that chooses columns or encodes them"
        )
    fill = SimpleImputer(strategy="constant", fill_value=0, keep_empty_features=True)
    return make_pipeline(MaxAbsScaler() if sparse.issparse(X) else StandardScaler(), fill)
