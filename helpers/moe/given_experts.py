"""A mixture of given experts as a classifier: out-of-fold predictions, a gate, refitted experts."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from helpers.moe._checks import Mixture, as_taken, checked, refuse_parameters, weights_of
from helpers.moe.gate import Gate, _one_scale
from helpers.moe.stacking import fit_all, held_out


class MixtureOfExperts(Mixture, _BaseComposition):
    """Given classifiers, and a gate that learns from the inputs whom to believe where.

    p(y | x) = Σ_k g_k(x) p_k(y | x) (Jacobs & Jordan 1991; Jacobs, Jordan, Nowlan & Hinton 1991).
    The gate maximises the likelihood of the experts' out-of-fold predictions, so an expert cannot
    buy trust by memorising; the experts are then fitted on all rows.

    The mixture is an average: it is never surer than its surest expert, and corrects none of them.
    Stacking on log-odds adds them up and corrects them; it is the better choice where all experts
    are about as good everywhere. Take the mixture where who is right depends on x, or where you
    want to see whom it believes.

    Parameters
    ----------
    experts : list of (name, classifier with predict_proba); None: logistic regression and a tree.
        A DataFrame reaches them as it is, so they may select columns by name; so do missing values
        and sparse matrices, where all of them take such.
    gate_input : transformer of X for the gate; None: all columns on one scale, as in `Gate`.
    C : variance of the Gaussian prior on the gate's parameters, > 0; small: trust all alike.
    solver, tol, max_iter : "lbfgs" or "em", and where to stop, as in `fit_gate`.
    n_splits : stratified folds for the out-of-fold predictions; at most the smallest class's size.
    random_state : of the folds.

    Attributes: `experts_` {name: fitted classifier}, `gate_` (a fitted `helpers.moe.Gate`),
    `log_likelihood_` (the penalised one, at the start and after each of `n_iter_` iterations).
    """

    def __init__(
        self,
        experts=None,
        gate_input=None,
        C=0.1,
        solver="lbfgs",
        tol=1e-10,
        max_iter=20_000,
        n_splits=5,
        random_state=None,
    ):
        self.experts = experts
        self.gate_input = gate_input
        self.C = C
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.n_splits = n_splits
        self.random_state = random_state

    def get_params(self, deep=True):
        """Parameters, those of the named experts included."""
        return self._get_params("experts", deep=deep)

    def set_params(self, **params):
        """Set parameters, `name__parameter` for those of an expert."""
        return self._set_params("experts", **params)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        taken = [get_tags(expert).input_tags for expert in _named(self._all()).values()]
        tags.input_tags.allow_nan = all(tag.allow_nan for tag in taken)
        tags.input_tags.sparse = all(tag.sparse for tag in taken)
        return tags

    def _all(self):
        tree = DecisionTreeClassifier(max_depth=3, random_state=0)
        default = [("logistic", LogisticRegression()), ("tree", tree)]
        return default if self.experts is None else self.experts

    def fit(self, X, y, sample_weight=None):
        """Fit gate and experts on X (n, d) and labels y (n,) of two or more classes.

        `sample_weight` (n,) >= 0 goes to the gate's likelihood and to every expert's `fit`.
        """
        refuse_parameters(self)
        experts = _named(self._all())
        self._validate_names(list(experts))
        _refuse_experts(experts, weighted=sample_weight is not None)
        X, y, encoded = checked(self, X, y)
        weight = None if sample_weight is None else weights_of(sample_weight, X)
        if self.gate_input is None:
            _one_scale(X)  # says before the folds what the gate cannot take
        smallest = np.bincount(encoded).min()
        if smallest < 2:
            raise ValueError("a class has a single member; out-of-fold predictions need two")
        splitter = StratifiedKFold(
            min(self.n_splits, smallest), shuffle=True, random_state=self.random_state
        )
        folds = list(splitter.split(encoded, encoded))
        predicted = [held_out(expert, X, y, folds, weight) for expert in experts.values()]
        P = np.column_stack([p[np.arange(len(y)), encoded] for p in predicted])
        gate = Gate(self.gate_input, self.C, self.solver, self.tol, self.max_iter)
        self.gate_ = gate.fit(X, P, 1.0 if weight is None else weight)
        self.log_likelihood_ = gate.path_
        self.n_iter_ = len(gate.path_) - 1
        self.experts_ = fit_all(experts, X, y, weight)
        return self

    def gate(self, X):
        """How far each expert is believed at X (n, d): (n, K), rows that sum to 1."""
        check_is_fitted(self)
        return self.gate_.weights(as_taken(self, X, reset=False))

    def predict_proba(self, X):
        """Σ_k g_k(x) p_k(class | x): (n, classes)."""
        check_is_fitted(self)
        X = as_taken(self, X, reset=False)
        return sum(
            weight[:, None] * expert.predict_proba(X)
            for weight, expert in zip(self.gate_.weights(X).T, self.experts_.values(), strict=True)
        )


def _named(experts):
    """{name: expert} of a list of pairs; raises ValueError, one sentence, where it is none."""
    pairs = isinstance(experts, (list, tuple)) and all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in experts
    )
    if not pairs or not experts:
        raise ValueError("experts is a list of (name, classifier), one or more")
    names = [name for name, _ in experts]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two experts are called {name!r}; give each a name of its own")
    return dict(experts)


def _refuse_experts(experts, weighted):
    """Raise ValueError, one sentence, for one that cannot be an expert."""
    for name, expert in experts.items():
        if not hasattr(expert, "predict_proba"):
            raise ValueError(f"expert {name!r} has no predict_proba; the mixture needs it")
        if weighted and not has_fit_parameter(expert, "sample_weight"):
            raise ValueError(f"expert {name!r} takes no sample_weight; fit without, or replace it")
