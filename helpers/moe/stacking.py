"""Stacking: what classifiers predict, in sample or out of fold, as features of a second stage."""

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import _safe_indexing


def fit_all(models, X, y, weight=None):
    """Fitted clones {name: classifier} of `models`, on X (n, d), y (n,) and weights (n,)."""
    given = {} if weight is None else {"sample_weight": weight}
    return {name: clone(model).fit(X, y, **given) for name, model in models.items()}


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


def out_of_fold(models, X, y, n_splits, seed):
    """Meta-features (n, k) in which no row was predicted by a model that had seen it.

    Stratified folds: each is predicted by models fitted on the others (Wolpert 1992).
    """
    folds = list(StratifiedKFold(n_splits, shuffle=True, random_state=seed).split(X, y))
    return np.column_stack([held_out(model, X, y, folds)[:, 1] for model in models.values()])


def held_out(model, X, y, folds, weight=None):
    """Probabilities (n, classes) of each row from a model fitted on the other `folds`.

    scikit-learn's cross_val_predict would do, but that it renames the labels 0, 1, … first, and a
    model may know them by name (class_weight).
    """
    p = np.full((len(y), len(np.unique(y))), np.nan)
    for train, test in folds:
        given = {} if weight is None else {"sample_weight": weight[train]}
        fitted = clone(model).fit(_safe_indexing(X, train), _safe_indexing(y, train), **given)
        p[test] = fitted.predict_proba(_safe_indexing(X, test))
    return p
