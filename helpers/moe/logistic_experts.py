"""A mixture of logistic experts as a classifier, trained together with its gate."""

import warnings

import numpy as np
from scipy.linalg import block_diag
from scipy.special import softmax
from sklearn.base import BaseEstimator, clone
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, validate_data

from helpers.gradient import finite_difference
from helpers.moe._checks import Mixture, checked, refuse_parameters, weights_of
from helpers.moe.likelihood import climb, lbfgs, mixture_objective, mixture_step, with_one
from helpers.moe.stacking import held_out, stratified_folds


class LogisticMixture(Mixture, BaseEstimator):
    """K logistic experts and their gate, trained together (Jordan & Jacobs 1994).

    From `n_starts` random starts, by L-BFGS on the penalised likelihood or by EM with Newton steps;
    the best end is kept. Columns are brought to one scale inside, so their units change nothing;
    `C` is the variance of the Gaussian prior on every slope there (intercepts are all but free).
    Experts that share the rows need a narrower prior the more of them there are, so with C=None
    it is chosen from `PRIORS` by cross-validated log loss, over `n_jobs` processes (0.1 where a
    class has a single row); a warning says where none does better than the classes' shares.
    `solver`, `tol` (EM's, in nats) and `max_iter` are as in `helpers.moe.likelihood.fit_gate`.

    Attributes, in the units of X: `gate_weights_` V (d + 1, K), `expert_weights_`
    W (K, d + 1, classes); `C_`; `log_likelihood_` (the penalised one, at the start and after each
    of `n_iter_` iterations).
    """

    PRIORS = (0.01, 0.1, 1.0, 10.0)

    def __init__(
        self,
        n_experts=2,
        C=None,
        n_starts=3,
        solver="lbfgs",
        tol=1e-4,
        max_iter=5_000,
        random_state=None,
        n_jobs=None,
    ):
        self.n_experts = n_experts
        self.C = C
        self.n_starts = n_starts
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X, y, sample_weight=None, groups=None):
        """Fit on X (n, d), finite, and labels y (n,) of two or more classes.

        `sample_weight` (n,) >= 0 counts rows. Where C is chosen, rows of one of the `groups` (n,)
        are never on both sides of a fold.
        """
        refuse_parameters(self)
        X, y, encoded = checked(self, X, y)
        weight = weights_of(sample_weight, X, y)
        self.C_ = self._best_prior(X, encoded, weight, groups) if self.C is None else self.C
        self.scaler_ = StandardScaler().fit(X, sample_weight=weight)
        # Equal rows are counted: a questionnaire has far fewer patterns than rows.
        rows = np.column_stack([X, encoded])
        _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        weight = np.bincount(which, weights=weight)
        Z, Y = self._z(X[first]), np.eye(len(self.classes_))[encoded[first]]
        rng = check_random_state(self.random_state)
        found = [self._from_a_start(Z, Y, weight, rng) for _ in range(self.n_starts)]
        best, self.log_likelihood_ = max(found, key=lambda f: f[1][-1])
        self.scaled_gate_weights_, self.scaled_expert_weights_ = best
        self.gate_weights_, self.expert_weights_ = (self._to_units() @ part for part in best)
        self.n_iter_ = len(self.log_likelihood_) - 1
        return self

    def _best_prior(self, X, y, weight, groups):
        """The C of `PRIORS` with the smallest log loss on four folds; 0.1 where there are none."""
        if np.bincount(y).min() < 2:
            return 0.1
        folds = stratified_folds(y, 4, self.random_state, groups)
        tried = [clone(self).set_params(C=C, n_starts=1) for C in self.PRIORS]
        given = Parallel(self.n_jobs)(delayed(held_out)(m, X, y, folds, weight) for m in tried)
        surprises = [-np.log(np.maximum(p[np.arange(len(y)), y], 1e-12)) for p in given]
        losses = [
            np.mean([np.average(lost[test], weights=weight[test]) for _, test in folds])
            for lost in surprises
        ]
        shares = np.bincount(y, weights=weight) / weight.sum()
        if min(losses) >= -np.sum(shares * np.log(shares)):
            warnings.warn(
                "on rows that were held out, no C does better than giving every row the classes' "
                "shares: fewer experts, or more rows, may help",
                UserWarning,
                stacklevel=3,
            )
        return self.PRIORS[int(np.argmin(losses))]

    def _from_a_start(self, Z, Y, weight, rng):
        V = np.zeros((Z.shape[1], self.n_experts))
        W = rng.normal(size=(self.n_experts, Z.shape[1], Y.shape[1]))
        split = _splitter(V, W)

        def objective(V, W):
            return mixture_objective(V, W, Z, Y, self.C_, weight)

        if self.solver == "em":
            return climb(
                (V, W),
                lambda state: mixture_step(*state, Z, Y, self.C_, weight),
                lambda state: objective(*state)[0],
                self.tol,
                self.max_iter,
            )
        start = np.concatenate([V.ravel(), W.ravel()])
        flat, path = lbfgs(lambda flat: objective(*split(flat)), start, self.max_iter)
        return split(flat), path

    def contrasts(self, X, y, sample_weight=None):
        """(estimate, standard error) of what the likelihood identifies, each (p,), in X's units.

        A softmax knows differences of columns only: the gate's to expert 0, (d + 1)(K − 1) of
        them, then each expert's to class 0. Errors are from the observed information at X and y;
        raises ArithmeticError where the fit is not at a maximum.
        """
        check_is_fitted(self)
        X, y = validate_data(self, X, y, reset=False)
        if not np.all(np.isin(y, self.classes_)):
            raise ValueError("y holds a label that was not there when the model was fitted")
        weight = weights_of(sample_weight, X, y)
        Z, Y = self._z(X), np.eye(len(self.classes_))[np.searchsorted(self.classes_, y)]
        V, W = self.scaled_gate_weights_, self.scaled_expert_weights_
        split = _splitter(V, W)
        theta = np.concatenate([V.ravel(), W.ravel()])

        def slope(flat):
            return mixture_objective(*split(flat), Z, Y, self.C_, weight)[1]

        information = -finite_difference(slope, theta, h=1e-5)
        information = (information + information.T) / 2
        curved, g = np.linalg.eigvalsh(information)[0] > 0, slope(theta)
        # What one more Newton step would gain, in nats.
        to_gain = g @ np.linalg.solve(information, g) / 2 if curved else np.inf
        if to_gain > 0.05:
            raise ArithmeticError(
                "this is no maximum of the likelihood at X and y, or one without curvature, so "
                "there are no standard errors: fit with a smaller tol or C, or fewer experts"
            )
        units = self._to_units()
        A = block_diag(*(np.kron(units, _to_first(M.shape[1])) for M in [V, *W]))
        covariance = A @ np.linalg.solve(information, A.T)
        return A @ theta, np.sqrt(np.diag(covariance))

    def gate(self, X):
        """How far each expert is believed at X (n, d): (n, K), rows that sum to 1."""
        return softmax(self._z_taken(X) @ self.scaled_gate_weights_, axis=1)

    def predict_proba(self, X):
        """Σ_k g_k(x) p_k(class | x): (n, classes)."""
        Z = self._z_taken(X)
        weights = softmax(Z @ self.scaled_gate_weights_, axis=1)
        p = softmax(Z @ self.scaled_expert_weights_, axis=2)
        return np.einsum("nk,knc->nc", weights, p)

    def _z_taken(self, X):
        check_is_fitted(self)
        return self._z(validate_data(self, X, reset=False))

    def _z(self, X):
        return with_one(self.scaler_.transform(X))

    def _to_units(self):
        """The matrix (d + 1, d + 1) that takes weights of scaled columns to weights of X's."""
        slopes = np.diag(1 / self.scaler_.scale_)
        return np.block(
            [
                [np.ones((1, 1)), -(self.scaler_.mean_ @ slopes)[None]],
                [np.zeros((len(slopes), 1)), slopes],
            ]
        )


def _splitter(V, W):
    """The function that takes a flat vector apart into the shapes of V and W."""
    return lambda flat: (flat[: V.size].reshape(V.shape), flat[V.size :].reshape(W.shape))


def _to_first(columns):
    """The matrix (columns − 1, columns) of differences to the first column."""
    return np.eye(columns)[1:] - np.eye(columns)[0]
