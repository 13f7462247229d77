"""A claim, the value that was computed for it, and the value that it must have."""

import numbers

import numpy as np


class ClaimError(AssertionError):
    """A claim that did not hold."""


def check(claim, got, expected, tol=1e-9):
    """Print `✓ claim: got`, or raise ClaimError that names claim, got, expected and tolerance.

    Numbers and arrays of numbers: the same shape, not empty, and |got - expected| <= tol in every
    entry; nan never passes, an infinity only against the same infinity. Booleans must be booleans.
    Everything else (text, tuples, symbolic expressions) must be equal.
    """
    if not (isinstance(tol, numbers.Real) and 0 <= tol < np.inf):
        raise ValueError(f"tol must be a finite number >= 0, not {tol!r}")
    if not _holds(got, expected, tol):
        raise ClaimError(
            f"✗ {claim}: got {_text(got, 10)}, expected {_text(expected, 10)}, tolerance {tol:g}"
        )
    if got is True or got is np.True_:
        print(f"✓ {claim}")
    elif np.ndim(got) == 0 and np.asarray(got).dtype.kind == "f" and abs(got) <= tol:
        print(f"✓ {claim}: 0 within {tol:g}")
    else:
        # What is 0 within the tolerance is shown as 0: its digits are noise.
        print(f"✓ {claim}: {_text(_without_noise(got, tol), 4)}")


def _holds(got, expected, tol):
    if _is_number(got) and _is_number(expected):
        got, expected = np.asarray(got), np.asarray(expected)
        if got.shape != expected.shape or got.size == 0:
            return False
        with np.errstate(invalid="ignore"):
            return bool(np.all((got == expected) | (np.abs(got - expected) <= tol)))
    if _is_number(got) or _is_number(expected):
        return False
    if isinstance(got, np.ndarray) or isinstance(expected, np.ndarray):
        same = np.asarray(got), np.asarray(expected)
        return same[0].size > 0 and same[0].dtype == same[1].dtype and np.array_equal(*same)
    if isinstance(expected, (bool, np.bool_)) != isinstance(got, (bool, np.bool_)):
        return False
    return bool(got == expected)


def _without_noise(value, tol):
    return np.where(np.abs(value) <= tol, 0, value)[()] if _is_number(value) else value


def _is_number(value):
    """Whether `value` is a number or a (nested) sequence of numbers; a boolean is neither."""
    if isinstance(value, str) or not isinstance(value, (np.ndarray, list, tuple, numbers.Number)):
        return hasattr(value, "__array__") and np.asarray(value).dtype.kind in "iufc"
    try:
        return np.asarray(value).dtype.kind in "iufc"
    except ValueError:
        return False


def _text(value, digits):
    if not _is_number(value):
        return str(value)
    array = np.asarray(value)
    if array.ndim == 0:
        return f"{array[()]}" if array.dtype.kind in "iu" else f"{array[()]:.{digits}g}"
    if array.size > 16:
        low, high = _text(array.min(), digits), _text(array.max(), digits)
        return f"{array.shape} values from {low} to {high}"
    return "[" + ", ".join(_text(entry, digits) for entry in array) + "]"
