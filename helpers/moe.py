"""Mixtures of experts as classifiers: a gate over given experts, and experts trained with it."""

import numbers

import numpy as np
from scipy.linalg import block_diag
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import check_random_state, column_or_1d, get_tags
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from helpers.gate import Gate, one_scale
from helpers.gradient import finite_difference
from helpers.mixture_likelihood import (
    checked_solver,
    climb,
    lbfgs,
    mixture_objective,
    mixture_step,
    with_one,
)
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

    The mixture is an average: it is never surer than its surest expert, and corrects none of them.
    Stacking on log-odds (as in `helpers.evidence`) adds them up and corrects them; it is the better
    choice where all experts are about as good everywhere. Take the mixture where who is right
    depends on x, or where you want to see whom it believes.

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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        taken = [get_tags(expert).input_tags for expert in _named(self._all()).values()]
        tags.input_tags.allow_nan = all(tag.allow_nan for tag in taken)
        tags.input_tags.sparse = all(tag.sparse for tag in taken)
        return tags

    def _all(self):
        default = [("logistic", LogisticRegression()), ("tree", _tree())]
        return default if self.experts is None else self.experts

    def fit(self, X, y, sample_weight=None):
        """Fit gate and experts on X (n, d) and labels y (n,) of two or more classes.

        `sample_weight` (n,) >= 0 goes to the gate's likelihood and to every expert's `fit`.
        """
        _refuse_parameters(self)
        experts = _named(self._all())
        self._validate_names(list(experts))
        _refuse_experts(experts, weighted=sample_weight is not None)
        X, y, encoded = _checked(self, X, y)
        weight = None if sample_weight is None else _weights(sample_weight, X)
        if self.gate_input is None:
            one_scale(X)  # says before the folds what the gate cannot take
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
        return self.gate_.weights(_as_taken(self, X, reset=False))

    def predict_proba(self, X):
        """Σ_k g_k(x) p_k(class | x): (n, classes)."""
        check_is_fitted(self)
        X = _as_taken(self, X, reset=False)
        return sum(
            weight[:, None] * expert.predict_proba(X)
            for weight, expert in zip(self.gate_.weights(X).T, self.experts_.values(), strict=True)
        )


class LogisticMixture(_Mixture, BaseEstimator):
    """K logistic experts and their gate, trained together (Jordan & Jacobs 1994).

    From `n_starts` random starts, by L-BFGS on the penalised likelihood or by EM with Newton steps;
    the best end is kept. Columns are brought to one scale inside, so their units change nothing;
    `C` is the variance of the Gaussian prior on every parameter there. `solver`, `tol` (EM's, in
    nats) and `max_iter` are as in `helpers.mixture_likelihood.fit_gate`.

    Attributes, in the units of X: `gate_weights_` V (d + 1, K), `expert_weights_`
    W (K, d + 1, classes); `log_likelihood_` (the penalised one, at the start and after each of
    `n_iter_` iterations).
    """

    def __init__(
        self,
        n_experts=2,
        C=1.0,
        n_starts=3,
        solver="lbfgs",
        tol=1e-4,
        max_iter=5_000,
        random_state=None,
    ):
        self.n_experts = n_experts
        self.C = C
        self.n_starts = n_starts
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        """Fit on X (n, d), finite, and labels y (n,) of two or more classes."""
        _refuse_parameters(self)
        X, y, encoded = _checked(self, X, y)
        weight = _weights(sample_weight, X)
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

    def _from_a_start(self, Z, Y, weight, rng):
        V = np.zeros((Z.shape[1], self.n_experts))
        W = rng.normal(size=(self.n_experts, Z.shape[1], Y.shape[1]))
        split = _splitter(V, W)

        def objective(V, W):
            return mixture_objective(V, W, Z, Y, self.C, weight)

        if self.solver == "em":
            return climb(
                (V, W),
                lambda state: mixture_step(*state, Z, Y, self.C, weight),
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
        weight = _weights(sample_weight, X)
        Z, Y = self._z(X), np.eye(len(self.classes_))[np.searchsorted(self.classes_, y)]
        V, W = self.scaled_gate_weights_, self.scaled_expert_weights_
        split = _splitter(V, W)
        theta = np.concatenate([V.ravel(), W.ravel()])

        def slope(flat):
            return mixture_objective(*split(flat), Z, Y, self.C, weight)[1]

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
        check_is_fitted(self)
        Z = self._z(validate_data(self, X, reset=False))
        return softmax(Z @ self.scaled_gate_weights_, axis=1)

    def predict_proba(self, X):
        """Σ_k g_k(x) p_k(class | x): (n, classes)."""
        weights = self.gate(X)
        Z = self._z(validate_data(self, X, reset=False))
        p = softmax(Z @ self.scaled_expert_weights_, axis=2)
        return np.einsum("nk,knc->nc", weights, p)

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


def _checked(model, X, y):
    """X as the model takes it, y, and y as 0, 1, …; sets `model.classes_`."""
    X, y = _as_taken(model, X, y)
    if not len(y):
        raise ValueError("there are no rows to fit on")
    check_classification_targets(y)
    model.classes_, encoded = np.unique(y, return_inverse=True)
    if len(model.classes_) < 2:
        raise ValueError(f"a classifier needs two classes or more; y has one class, {y[0]}")
    return X, y, encoded


def _as_taken(model, X, *y, reset=True):
    """X checked, and y where it is given; a DataFrame stays one for a model of other models."""
    mixed = isinstance(model, MixtureOfExperts)  # its experts say themselves what they do not take
    if hasattr(X, "columns") and mixed:
        validate_data(model, X, skip_check_array=True, reset=reset)
        check_consistent_length(X, *y)
        return (X, column_or_1d(*y, warn=True)) if y else X
    return validate_data(
        model,
        X,
        *y,
        reset=reset,
        accept_sparse="csr" if mixed else False,
        ensure_all_finite="allow-nan" if mixed else True,
    )


def _weights(sample_weight, X):
    return _check_sample_weight(sample_weight, X, ensure_non_negative=True)


FEWEST = {"n_experts": 1, "n_starts": 1, "max_iter": 1, "n_splits": 2}


def _refuse_parameters(model):
    """Raise ValueError, one sentence, for a C, solver, tol or number that cannot be."""
    checked_solver(model.solver)
    if not (isinstance(model.C, numbers.Real) and 0 < model.C < np.inf):
        raise ValueError(f"C is a variance: a finite number above 0, not {model.C!r}")
    if not (isinstance(model.tol, numbers.Real) and model.tol >= 0):
        raise ValueError(f"tol must be a number, 0 or more, not {model.tol!r}")
    for name in FEWEST.keys() & model.get_params(deep=False).keys():
        value, fewest = getattr(model, name), FEWEST[name]
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        if not (whole and value >= fewest):
            raise ValueError(f"{name} must be a whole number, {fewest} or more, not {value!r}")


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


def _splitter(V, W):
    """The function that takes a flat vector apart into the shapes of V and W."""
    return lambda flat: (flat[: V.size].reshape(V.shape), flat[V.size :].reshape(W.shape))


def _tree():
    return DecisionTreeClassifier(max_depth=3, random_state=0)


def _to_first(columns):
    """The matrix (columns − 1, columns) of differences to the first column."""
    return np.eye(columns)[1:] - np.eye(columns)[0]
