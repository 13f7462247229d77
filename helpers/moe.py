"""Mixtures of experts as classifiers: a gate over given experts, and experts trained with it."""

import numpy as np
from scipy.linalg import block_diag
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from helpers.gate import Gate
from helpers.gradient import finite_difference
from helpers.mixture_likelihood import climb, mixture_objective, mixture_step, with_one
from helpers.stacking import fit_all, held_out


class _Mixture(ClassifierMixin):
    def predict(self, X):
        """The most probable class of each row: (n,)."""
        p = self.predict_proba(X)
        return self.classes_[np.argmax(p, axis=1)]


class MixtureOfExperts(_Mixture, _BaseComposition):
    """Given classifiers, and a gate that learns from the inputs whom to believe where.

    p(y | x) = Σ_k g_k(x) p_k(y | x) (Jacobs & Jordan 1991; Jacobs, Jordan, Nowlan & Hinton 1991).
    The gate maximises the likelihood of the experts' out-of-fold predictions, so an expert cannot
    buy trust by memorising; the experts are then fitted on all rows.

    Parameters
    ----------
    experts : list of (name, classifier with predict_proba); None: logistic regression and a tree.
    gate_input : transformer of X for the gate; None: StandardScaler().
    C : variance of the Gaussian prior on the gate's parameters, > 0; small: trust all alike.
    solver, tol, max_iter : "lbfgs" or "em", and where to stop, as in `fit_gate`.
    n_splits : stratified folds for the out-of-fold predictions; at most the smallest class's size.
    random_state : of the folds.

    Attributes: `experts_` {name: fitted classifier}, `gate_` (a fitted `helpers.gate.Gate`),
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

    def fit(self, X, y):
        """Fit gate and experts on X (n, d), finite, and labels y (n,) of two or more classes."""
        X, y, encoded = _checked(self, X, y)
        experts = dict(self.experts or [("logistic", LogisticRegression()), ("tree", _tree())])
        for name, expert in experts.items():
            if not hasattr(expert, "predict_proba"):
                raise ValueError(f"expert {name!r} has no predict_proba; the mixture needs it")
        smallest = np.bincount(encoded).min()
        if smallest < 2:
            raise ValueError("a class has a single member; out-of-fold predictions need two")
        splitter = StratifiedKFold(
            min(self.n_splits, smallest), shuffle=True, random_state=self.random_state
        )
        folds = list(splitter.split(X, y))
        predicted = [held_out(expert, X, y, folds) for expert in experts.values()]
        P = np.column_stack([p[np.arange(len(y)), encoded] for p in predicted])
        gate = Gate(self.gate_input, self.C, self.solver, self.tol, self.max_iter)
        self.gate_ = gate.fit(X, P)
        self.log_likelihood_ = gate.path_
        self.n_iter_ = len(gate.path_) - 1
        self.experts_ = fit_all(experts, X, y)
        return self

    def gate(self, X):
        """How far each expert is believed at X (n, d): (n, K), rows that sum to 1."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        return self.gate_.weights(X)

    def predict_proba(self, X):
        """Σ_k g_k(x) p_k(class | x): (n, classes)."""
        weights = self.gate(X)
        return sum(
            weight[:, None] * expert.predict_proba(X)
            for weight, expert in zip(weights.T, self.experts_.values(), strict=True)
        )


class LogisticMixture(_Mixture, BaseEstimator):
    """K logistic experts and their gate, trained together (Jordan & Jacobs 1994).

    EM with Newton steps, from `n_starts` random starts; the best is kept. `C` is the variance of
    the Gaussian prior on all parameters. Inputs are used as they are: bring them to one scale.

    Attributes: `gate_weights_` V (d + 1, K), `expert_weights_` W (K, d + 1, classes),
    `log_likelihood_` (the penalised one, at the start and after each of `n_iter_` iterations).
    """

    def __init__(
        self, n_experts=2, C=10.0, n_starts=3, tol=1e-4, max_iter=5_000, random_state=None
    ):
        self.n_experts = n_experts
        self.C = C
        self.n_starts = n_starts
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X, y):
        """Fit on X (n, d), finite, and labels y (n,) of two or more classes."""
        X, y, encoded = _checked(self, X, y)
        Z, Y = with_one(X), np.eye(len(self.classes_))[encoded]
        rng = check_random_state(self.random_state)
        found = [self._from_a_start(Z, Y, rng) for _ in range(self.n_starts)]
        best, self.log_likelihood_ = max(found, key=lambda f: f[1][-1])
        self.gate_weights_, self.expert_weights_ = best
        self.n_iter_ = len(self.log_likelihood_) - 1
        return self

    def _from_a_start(self, Z, Y, rng):
        V = np.zeros((Z.shape[1], self.n_experts))
        W = rng.normal(size=(self.n_experts, Z.shape[1], Y.shape[1]))
        return climb(
            (V, W),
            lambda state: mixture_step(*state, Z, Y, self.C),
            lambda state: mixture_objective(*state, Z, Y, self.C)[0],
            self.tol,
            self.max_iter,
        )

    def contrasts(self, X, y):
        """(estimate, standard error) of what the likelihood identifies, each (p,).

        A softmax knows differences of columns only: the gate's to expert 0, (d + 1)(K − 1) of
        them, then each expert's to class 0. Errors are from the observed information at X and y;
        raises ArithmeticError where the fit is not at a maximum.
        """
        check_is_fitted(self)
        X, y = validate_data(self, X, y, reset=False)
        Z, Y = with_one(X), np.eye(len(self.classes_))[np.searchsorted(self.classes_, y)]
        V, W = self.gate_weights_, self.expert_weights_

        def slope(flat):
            V_, W_ = flat[: V.size].reshape(V.shape), flat[V.size :].reshape(W.shape)
            return mixture_objective(V_, W_, Z, Y, self.C)[1]

        theta = np.concatenate([V.ravel(), W.ravel()])
        information = -finite_difference(slope, theta, h=1e-5)
        information = (information + information.T) / 2
        if np.linalg.eigvalsh(information)[0] <= 0:
            raise ArithmeticError(
                "the likelihood does not curve down here in every direction, so there are no "
                "standard errors: fit with a smaller tol, or fewer experts"
            )
        A = block_diag(*(np.kron(np.eye(len(M)), _to_first(M.shape[1])) for M in [V, *W]))
        covariance = A @ np.linalg.solve(information, A.T)
        return A @ theta, np.sqrt(np.diag(covariance))

    def gate(self, X):
        """How far each expert is believed at X (n, d): (n, K), rows that sum to 1."""
        check_is_fitted(self)
        return softmax(with_one(validate_data(self, X, reset=False)) @ self.gate_weights_, axis=1)

    def predict_proba(self, X):
        """Σ_k g_k(x) p_k(class | x): (n, classes)."""
        weights = self.gate(X)
        p = softmax(with_one(validate_data(self, X, reset=False)) @ self.expert_weights_, axis=2)
        return np.einsum("nk,knc->nc", weights, p)


def _checked(model, X, y):
    """X, y as arrays and y as 0, 1, …; sets `model.classes_`."""
    X, y = validate_data(model, X, y)
    check_classification_targets(y)
    model.classes_, encoded = np.unique(y, return_inverse=True)
    if len(model.classes_) < 2:
        raise ValueError(f"a classifier needs two classes or more; y has one class, {y[0]}")
    return X, y, encoded


def _tree():
    return DecisionTreeClassifier(max_depth=3, random_state=0)


def _to_first(columns):
    """The matrix (columns − 1, columns) of differences to the first column."""
    return np.eye(columns)[1:] - np.eye(columns)[0]
