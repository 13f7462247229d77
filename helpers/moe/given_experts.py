"""A mixture of given experts as a scikit-learn model: predictions out of fold, a gate, a refit."""

import numpy as np
import pandas as pd
from sklearn.base import RegressorMixin
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from helpers.moe._checks import (
    Mixture,
    as_taken,
    checked,
    checked_numbers,
    refuse_parameters,
    weights_of,
)
from helpers.moe.gate import Gate, _one_scale
from helpers.moe.likelihood import log_chances, responsibilities
from helpers.moe.stacking import fit_one, held_out, stratified_folds, takes_weights


class _Experts(_BaseComposition):
    """What the classifier and the regression share: their parameters, the gate, and its weights."""

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
        n_jobs=None,
    ):
        self.experts = experts
        self.gate_input = gate_input
        self.C = C
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.n_splits = n_splits
        self.random_state = random_state
        self.n_jobs = n_jobs

    def get_params(self, deep=True):
        """Parameters, those of the named experts included."""
        return self._get_params("experts", deep=deep)

    def set_params(self, **params):
        """Set parameters, `name__parameter` for those of an expert; 'drop' for an expert."""
        return self._set_params("experts", **params)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        default = self.experts is None
        experts = _named(self._default(None) if default else self.experts).values()
        taken = [get_tags(each).input_tags for each in experts if not _dropped(each)]
        tags.input_tags.allow_nan = default or all(tag.allow_nan for tag in taken)
        tags.input_tags.sparse = default or all(tag.sparse for tag in taken)
        return tags

    def gate(self, X):
        """How far each expert is believed at X (n, d): (n, K), rows that sum to 1."""
        check_is_fitted(self)
        return self.gate_.weights(as_taken(self, X, reset=False))

    def gate_weights(self, X):
        """`gate` as a DataFrame: one column per expert, with its name; the rows of X."""
        rows = X.index if hasattr(X, "columns") else None
        return pd.DataFrame(self.gate(X), rows, list(self.experts_))

    def _kept(self, X=None):
        """{name: expert}, less those that are 'drop'."""
        experts = self._default(X) if self.experts is None else self.experts
        kept = {name: e for name, e in _named(experts).items() if not _dropped(e)}
        if not kept:
            raise ValueError("every expert is 'drop'; keep one or more")
        return kept

    def _fitted_gate(self, X, P, weight):
        gate = Gate(self.gate_input, self.C, self.solver, self.tol, self.max_iter)
        return gate.fit(X, P, 1.0 if weight is None else weight)

    def _trained(self, X, y, gate, experts, weight):
        """Keep the fitted gate, and fit the experts on all rows."""
        self.gate_, self.log_likelihood_ = gate, gate.path_
        self.n_iter_ = len(gate.path_) - 1
        fitted = self._each(fit_one, experts, X, y, weight)
        self.experts_ = dict(zip(experts, fitted, strict=True))
        return self

    def _ready(self, X, weighted):
        """The experts, if the parameters can be used; raises ValueError, one sentence."""
        refuse_parameters(self)
        experts = self._kept(X)
        self._validate_names(list(experts))
        _refuse_experts(experts, self._needed, weighted)
        return experts

    def _each(self, function, experts, *given):
        return Parallel(self.n_jobs)(delayed(function)(e, *given) for e in experts.values())

    def _mean(self, X, predicted):
        """Σ_k g_k(x) times what `predicted`(expert, X) gives."""
        check_is_fitted(self)
        X = as_taken(self, X, reset=False)
        parts = zip(self.gate_.weights(X).T, self.experts_.values(), strict=True)
        return sum((weight * np.transpose(predicted(e, X))).T for weight, e in parts)


class MixtureOfExperts(Mixture, _Experts):
    """Given classifiers, and a gate that learns from the inputs whom to believe where.

    p(y | x) = Σ_k g_k(x) p_k(y | x) (Jacobs & Jordan 1991; Jacobs, Jordan, Nowlan & Hinton 1991).
    The gate maximises the likelihood of the experts' out-of-fold predictions, so an expert cannot
    buy trust by memorising; the experts are then fitted on all rows.

    The mixture is an average: it is never surer than its surest expert, and corrects none of them.
    Stacking on log-odds adds them up and corrects them; it is the better choice where all experts
    are about as good everywhere. Take the mixture where who is right depends on x, or where you
    want to see whom it believes; `helpers.moe.fixed_weights` tell whether the gate pays.

    Parameters
    ----------
    experts : list of (name, classifier with predict_proba); None: logistic regression and a tree,
        both on scaled columns. An expert that is 'drop' is left out.
        A DataFrame reaches them as it is, so they may select columns by name; so do missing values
        and sparse matrices, where all of them take such.
    gate_input : transformer of X for the gate; None: all columns on one scale, as in `Gate`.
    C : variance of the Gaussian prior on the gate's slopes, > 0; small: the same trust everywhere.
    solver, tol, max_iter : "lbfgs" or "em", and where to stop, as in `fit_gate`.
    n_splits : stratified folds for the out-of-fold predictions; at most as many as the smallest
        class has rows, or groups.
    random_state : of the folds.
    n_jobs : how many experts are fitted at once, as in scikit-learn.

    Attributes: `experts_` {name: fitted classifier}, `gate_` (a fitted `helpers.moe.Gate`),
    `log_likelihood_` (the penalised one, at the start and after each of `n_iter_` iterations).
    """

    _needed = "predict_proba"

    def _default(self, X):
        tree = DecisionTreeClassifier(max_depth=3, random_state=0)
        return _on_one_scale(X, logistic=LogisticRegression(), tree=tree)

    def fit(self, X, y, sample_weight=None, groups=None):
        """Fit gate and experts on X (n, d) and labels y (n,) of two or more classes.

        `sample_weight` (n,) >= 0, counts of rows, goes to the gate and to every expert's `fit` (in
        a pipeline, to all steps that take it). Rows of one of the `groups` (n,), such as one
        person's repeated measures, are never on both sides of a fold; an expert that makes folds of
        its own does not see them.
        """
        experts = self._ready(X, weighted=sample_weight is not None)
        X, y, encoded = checked(self, X, y)
        weight = None if sample_weight is None else weights_of(sample_weight, X, y)
        if self.gate_input is None:
            _one_scale(X)  # says before the folds what the gate cannot take
        folds = stratified_folds(encoded, self.n_splits, self.random_state, groups)
        predicted = self._each(held_out, experts, X, y, folds, weight)
        P = np.column_stack([p[np.arange(len(y)), encoded] for p in predicted])
        return self._trained(X, y, self._fitted_gate(X, P, weight), experts, weight)

    def predict_proba(self, X):
        """Σ_k g_k(x) p_k(class | x): (n, classes)."""
        return self._mean(X, lambda expert, rows: expert.predict_proba(rows))


class MixtureOfRegressions(RegressorMixin, _Experts):
    """The same for numbers: p(y | x) = Σ_k g_k(x) N(y; f_k(x), σ_k²), predicted by its mean.

    f_k are given regressions. The gate and σ_k, the error that expert k makes where it is
    responsible, maximise the likelihood by turns (Jacobs, Jordan, Nowlan & Hinton 1991, with a
    variance for each expert). Parameters and attributes are those of `MixtureOfExperts`, and
    `sigma_` (K,), in the units of y; densities in `log_likelihood_` are in units of 1/max σ. The
    default experts are a linear regression and a tree. With `groups`, folds are not shuffled.
    """

    _needed = "predict"

    def _default(self, X):
        tree = DecisionTreeRegressor(max_depth=3, random_state=0)
        return _on_one_scale(X, linear=LinearRegression(), tree=tree)

    def fit(self, X, y, sample_weight=None, groups=None):
        """Fit gate and experts on X (n, d) and numbers y (n,); the rest as in `MixtureOfExperts`"""
        experts = self._ready(X, weighted=sample_weight is not None)
        X, y = checked_numbers(self, X, y)
        weight = None if sample_weight is None else weights_of(sample_weight, X)
        if groups is None:
            kind = KFold(min(self.n_splits, len(y)), shuffle=True, random_state=self.random_state)
        else:
            kind = GroupKFold(min(self.n_splits, len(np.unique(groups))))
        folds = list(kind.split(y, y, groups))
        predicted = self._each(held_out, experts, X, y, folds, weight, "predict")
        squares = (y[:, None] - np.column_stack([np.ravel(p) for p in predicted])) ** 2
        least = np.finfo(float).eps * max(np.max(np.abs(y)), np.finfo(float).tiny)
        gate = self._by_turns(X, squares, weight, least)
        return self._trained(X, y, gate, experts, weight)

    def _by_turns(self, X, squares, weight, least, rounds=30):
        """The gate, fitted by turns with σ_k, which it leaves in `sigma_`."""
        counts = np.ones(len(squares)) if weight is None else weight
        # From where each expert is the best one: errors elsewhere would hide that it is good there.
        R = np.eye(squares.shape[1])[np.argmin(squares, axis=1)] + 1e-3
        for _ in range(rounds):
            share = R * counts[:, None]
            sigma = np.sqrt(np.sum(share * squares, axis=0) / np.sum(share, axis=0)) + least
            P = np.exp(-squares / sigma**2 / 2) * sigma.min() / sigma
            gate = self._fitted_gate(X, P, weight)
            before, R = R, responsibilities(log_chances(gate.weights(X)), log_chances(P))
            if np.max(np.abs(R - before)) < 1e-3:
                break
        self.sigma_ = sigma
        return gate

    def predict(self, X):
        """Σ_k g_k(x) f_k(x): (n,)."""
        return self._mean(X, lambda expert, rows: np.ravel(expert.predict(rows)))


def _on_one_scale(X, **experts):
    """[(name, expert behind a scaler)]: units of the columns then change nothing."""
    return [(name, make_pipeline(_one_scale(X), expert)) for name, expert in experts.items()]


def _dropped(expert):
    return isinstance(expert, str) and expert == "drop"


def _named(experts):
    """{name: expert} of a list of pairs; raises ValueError, one sentence, where it is none."""
    pairs = isinstance(experts, (list, tuple)) and all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in experts
    )
    if not pairs or not experts:
        raise ValueError("experts is a list of (name, model), one or more")
    names = [name for name, _ in experts]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two experts are called {name!r}; give each a name of its own")
    return dict(experts)


def _refuse_experts(experts, needed, weighted):
    """Raise ValueError, one sentence, for one that cannot be an expert."""
    for name, expert in experts.items():
        if not hasattr(expert, needed):
            raise ValueError(f"expert {name!r} has no {needed}; the mixture needs it")
        if weighted and not takes_weights(expert):
            raise ValueError(f"expert {name!r} takes no sample_weight; fit without, or replace it")
