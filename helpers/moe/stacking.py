"""Stacking: what classifiers predict, in sample or out of fold, as features of a second stage."""

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, column_or_1d
from sklearn.utils.validation import check_consistent_length, has_fit_parameter


def fit_all(models, X, y, weight=None):
    """Fitted clones {name: classifier} of `models`, on X (n, d), y (n,) and weights (n,)."""
    return {name: fit_one(model, X, y, weight) for name, model in models.items()}


def fit_one(model, X, y, weight=None):
    """A clone of `model`, fitted on X (n, d), y (n,) and weights (n,)."""
    given = {} if weight is None else dict.fromkeys(weighted_steps(model), weight)
    return clone(model).fit(X, y, **given)


def takes_weights(model):
    """Whether `fit` of a model, or of a pipeline's last step, takes weights of the rows."""
    last = model.steps[-1][1] if isinstance(model, Pipeline) else model
    return takes_weights(last) if isinstance(last, Pipeline) else _weighs(last)


def weighted_steps(model):
    """What `fit` calls the weights: one name, or one for each step of a pipeline that takes any."""
    if not isinstance(model, Pipeline):
        return ["sample_weight"] if _weighs(model) else []
    return [f"{name}__{each}" for name, step in model.steps for each in weighted_steps(step)]


def _weighs(model):
    return has_fit_parameter(model, "sample_weight")


def _rounded(p):
    """Probabilities to 12 decimals: rows with the same inputs are ties then.

    A product of matrices may add them up in another order, and a ranking must not hang on what that
    does to the last digit.
    """
    return np.round(p, 12)


def positive(p):
    """The second column of probabilities p (n, 2), to 12 decimals: (n,)."""
    return _rounded(p[:, 1])


def of_label(meta, y):
    """What each classifier gives to the label that was observed: (n, k), of meta (n, k), y (n,)."""
    return np.where(y[:, None] == 1, meta, 1 - meta)


def meta_features(fitted, X):
    """What each fitted classifier makes of X (n, d): its probability of class 1, (n, k)."""
    return np.column_stack([positive(model.predict_proba(X)) for model in fitted.values()])


def stratified_folds(y, n_splits, seed, groups=None):
    """[(train, test)] of row numbers, each fold with its share of every class of y (n,).

    Rows of one of the `groups` (n,), such as the copies of one person, stay on one side. There are
    at most as many folds as the rarest class has rows, or groups; it needs two.
    """
    if groups is None:
        groups = np.arange(len(y))
    groups = column_or_1d(groups)
    check_consistent_length(y, groups)
    if pd.isna(groups).any():
        raise ValueError("groups has a missing value; say of every row whose it is")
    one_each = len(np.unique(groups)) == len(y)
    fewest = min(len(np.unique(groups[y == label])) for label in np.unique(y))
    if fewest < 2:
        where = "has a single member" if one_each else "is in a single group"
        raise ValueError(f"a class {where}; out-of-fold predictions need two")
    kind = StratifiedKFold if one_each else StratifiedGroupKFold
    splitter = kind(min(n_splits, fewest), shuffle=True, random_state=seed)
    folds = list(splitter.split(y, y, None if one_each else groups))
    if any(len(np.unique(y[train])) < len(np.unique(y)) for train, _ in folds):
        raise ValueError("a class is in too few groups to be in every fold's training rows")
    return folds


def out_of_fold(models, X, y, folds):
    """Meta-features (n, k) in which no row was predicted by a model that had seen it.

    Each of `folds` [(train, test)] is predicted by models fitted on the others (Wolpert 1992).
    """
    return np.column_stack([held_out(model, X, y, folds)[:, 1] for model in models.values()])


def held_out(model, X, y, folds, weight=None, method="predict_proba"):
    """What `method` gives for each row, from a model fitted on the other `folds`: (n, …).

    scikit-learn's cross_val_predict would do, but that it renames the labels 0, 1, … first, and a
    model may know them by name (class_weight).
    """
    parts, rows = [], []
    for train, test in folds:
        given = None if weight is None else weight[train]
        fitted = fit_one(model, _safe_indexing(X, train), _safe_indexing(y, train), given)
        parts.append(getattr(fitted, method)(_safe_indexing(X, test)))
        rows.append(test)
    return np.concatenate(parts)[np.argsort(np.concatenate(rows))]
