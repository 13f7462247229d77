"""What the mixtures of experts share: how they predict, what they take, and what they refuse."""

import numbers

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, validate_data


class Mixture(ClassifierMixin):
    """A classifier that predicts the class with the highest `predict_proba`."""

    def predict(self, X):
        """The most probable class of each row: (n,)."""
        p = self.predict_proba(X)
        return self.classes_[np.argmax(p, axis=1)]

    def predict_log_proba(self, X):
        """The logarithms of `predict_proba`: (n, classes)."""
        return np.log(self.predict_proba(X))


def checked(model, X, y):
    """X as the model takes it, y, and y as 0, 1, …; sets `model.classes_`."""
    X, y = as_taken(model, X, y)
    if not len(y):
        raise ValueError("there are no rows to fit on")
    check_classification_targets(y)
    model.classes_, encoded = np.unique(y, return_inverse=True)
    if len(model.classes_) < 2:
        raise ValueError(f"a classifier needs two classes or more; y has one class, {y[0]}")
    return X, y, encoded


def checked_numbers(model, X, y):
    """X as the model takes it, and y as finite numbers."""
    X, y = as_taken(model, X, y)
    if len(y) < 2:
        raise ValueError(
            f"out-of-fold predictions need 2 rows or more, and there is {len(y)} sample"
        )
    return X, check_array(y, ensure_2d=False, dtype=float, input_name="y")


def as_taken(model, X, *y, reset=True):
    """X checked, and y where it is given; a DataFrame stays one for a model of other models."""
    mixed = hasattr(model, "experts")  # its experts say themselves what they do not take
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


def weights_of(sample_weight, X, y=None):
    """Weights (n,) of the rows of X; ones where `sample_weight` is None.

    Refuses negative ones, and a class of labels `y` all of whose rows weigh 0.
    """
    weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
    for label in [] if y is None else np.unique(y):
        if not weight[y == label].any():
            raise ValueError(f"every row of class {label!s} has a sample_weight of 0; leave it out")
    return weight


_FEWEST = {"n_experts": 1, "n_starts": 1, "max_iter": 1, "n_splits": 2}


def refuse_parameters(model):
    """Raise ValueError, one sentence, for a C, solver, tol or number that cannot be."""
    if model.solver not in ("em", "lbfgs"):
        raise ValueError(f"solver must be 'em' or 'lbfgs', not {model.solver!r}")
    chosen = model.C is None and hasattr(model, "PRIORS")  # by cross-validation
    if not (chosen or (isinstance(model.C, numbers.Real) and 0 < model.C < np.inf)):
        raise ValueError(f"C is a variance: a finite number above 0, not {model.C!r}")
    if not (isinstance(model.tol, numbers.Real) and model.tol >= 0):
        raise ValueError(f"tol must be a number, 0 or more, not {model.tol!r}")
    for name in _FEWEST.keys() & model.get_params(deep=False).keys():
        value, fewest = getattr(model, name), _FEWEST[name]
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        if not (whole and value >= fewest):
            raise ValueError(f"{name} must be a whole number, {fewest} or more, not {value!r}")
