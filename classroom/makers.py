"""What a question needs that is no number: functions and models, made where the student's code is.

The grader sends a name and numbers. What is made from them inside is made here, and the checks make
the same outside, to know what has to come out.
"""

import numpy as np


def linear(H, shift):
    """The gradient of θᵀHθ / 2 + shift·θ, of a matrix H (n, n) and a vector shift (n,)."""
    return lambda theta: np.asarray(H) @ theta + shift


def bowl(H):
    """The cost θᵀHθ / 2."""
    return lambda theta: float(theta @ np.asarray(H) @ theta) / 2


def well(scale):
    """The cost scale · Σ θ⁴, which is flat at its bottom."""
    return lambda theta: float(scale * np.sum(np.asarray(theta) ** 4))


def well_gradient(scale):
    return lambda theta: 4 * scale * np.asarray(theta) ** 3


def fit_mean(scale):
    """A model that predicts `scale` times the mean label of its rows, for everybody."""
    return lambda X, y: lambda X_new: np.full(len(X_new), scale * np.mean(y))


def fit_nearest(weights):
    """A model that knows its rows by heart: the label of the row that is nearest to a new one."""

    def fit(X, y):
        def predict(X_new):
            gaps = np.abs(np.asarray(X_new)[:, None] - np.asarray(X)) @ np.asarray(weights)
            return np.asarray(y, dtype=float)[np.argmin(gaps, axis=1)]

        return predict

    return fit


MAKERS = {
    each.__name__: each for each in (linear, bowl, well, well_gradient, fit_mean, fit_nearest)
}
