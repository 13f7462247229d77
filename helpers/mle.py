"""Likelihood, entropy, cross-entropy, Kullback-Leibler divergence; fitting by descent.

Every quantity is in nats. Distributions on a finite set are vectors of probabilities (k,).
"""

import numpy as np
from scipy.optimize import linprog
from scipy.special import rel_entr, xlog1py, xlogy


def entropy(p):
    """H(p) = −Σ p log p, of probabilities p (k,); 0 log 0 = 0 (Shannon 1948)."""
    return cross_entropy(p, p)


def cross_entropy(p, q):
    """H(p, q) = −Σ p log q, of two (k,); infinite where q is 0 and p is not."""
    p, q = _probabilities(p), _probabilities(q)
    _same_length(p, q)
    return float(-np.sum(xlogy(p, q)))


def kl_divergence(p, q):
    """KL(p ‖ q) = Σ p log(p/q), of two (k,); infinite where q is 0 and p is not (K. & L. 1951)."""
    p, q = _probabilities(p), _probabilities(q)
    _same_length(p, q)
    return float(np.sum(rel_entr(p, q)))


def _gaussian_entropy(sd):
    """H of a Gaussian with standard deviation `sd`: log(sd √(2πe))."""
    return float(np.log(_positive(sd) * np.sqrt(2 * np.pi * np.e)))


def _gaussian_cross_entropy(mean_p, sd_p, mean_q, sd_q):
    """H(p, q) = −E_p[log q] of two Gaussians."""
    distance = _positive(sd_p) ** 2 + (mean_p - mean_q) ** 2
    return float(np.log(_positive(sd_q) * np.sqrt(2 * np.pi)) + distance / (2 * sd_q**2))


def gaussian_kl(mean_p, sd_p, mean_q, sd_q):
    """KL(p ‖ q) of two Gaussians: log(sd_q/sd_p) + (sd_p² + (mean_p − mean_q)²) / 2sd_q² − 1/2."""
    return _gaussian_cross_entropy(mean_p, sd_p, mean_q, sd_q) - _gaussian_entropy(sd_p)


def categorical_log_likelihood(counts, p):
    """Σ counts log p: of N independent draws, seen `counts` (k,) times each, under p (k,)."""
    p = _probabilities(p)
    _same_length(counts, p)
    return float(np.sum(xlogy(counts, p)))


def bernoulli_log_likelihood(y, p):
    """Σ y log p + (1 − y) log(1 − p), of outcomes y (n,) in {0, 1} under p, (n,) or one number."""
    return float(np.sum(xlogy(y, p) + xlog1py(1 - np.asarray(y), -np.asarray(p))))


def gaussian_log_likelihood(x, mean, sd):
    """Σ log N(x_i; mean, sd²), of observations x (n,)."""
    z = (np.asarray(x, dtype=float) - mean) / _positive(sd)
    return float(-np.sum(z**2 / 2 + np.log(sd * np.sqrt(2 * np.pi))))


def fit_by_descent(gradient, start, step_size, num_steps, tol=1e-8):
    """The minimiser (n,) that descent on a negative log-likelihood reaches.

    `gradient` is that of the negative log-likelihood; it stops where the gradient's largest entry
    is `tol` or less. Raises ArithmeticError where `num_steps` steps do not get there: it diverged,
    or has not converged yet, or there is no minimum (`separation`).
    """
    end = np.asarray(start, dtype=float)
    with np.errstate(over="ignore", invalid="ignore"):
        g = np.asarray(gradient(end))
        for _ in range(num_steps):
            end = end - step_size * g
            g = np.asarray(gradient(end))
            slope = np.max(np.abs(g))
            if slope <= tol:
                return end
    raise ArithmeticError(
        f"descent did not converge: the gradient is {slope:.3g} after {num_steps} steps of "
        f"size {step_size:g} (tolerance {tol:g}); change the step size or take more steps, and "
        "see whether there is a minimum at all"
    )


def separation(X, y):
    """ "completely", "but for ties", or "" where rows X (n, d) of both labels y (n,) overlap.

    Linear programs ask for a direction w with y_i zᵢᵀw >= 0 everywhere (labels as −1 and 1, z with
    a 1 in front) and more than 0 somewhere, or everywhere (Albert & Anderson 1984; Konis 2007).
    """
    X, (labels, y) = np.asarray(X, dtype=float), np.unique(y, return_inverse=True)
    if len(labels) != 2:
        raise ValueError(f"separation is about two labels, and there are {len(labels)}")
    span = np.ptp(X, axis=0)
    X = (X - X.min(axis=0)) / np.where(span > 0, span, 1)
    rows = np.unique(np.column_stack([np.ones(len(y)), X, y]), axis=0)
    towards = np.where(rows[:, -1:] == 1, 1, -1) * rows[:, :-1]
    limits = [(-1, 1)] * towards.shape[1]
    some = linprog(-towards.sum(axis=0), A_ub=-towards, b_ub=np.zeros(len(rows)), bounds=limits)
    if -some.fun < 1e-6:
        return ""
    margin = np.column_stack([-towards, np.ones(len(rows))])
    goal = np.append(np.zeros(towards.shape[1]), -1)
    every = linprog(goal, A_ub=margin, b_ub=np.zeros(len(rows)), bounds=[*limits, (None, None)])
    return "completely" if -every.fun > 1e-6 else "but for ties"


def _probabilities(p):
    given = np.asarray(p)
    p = given.astype(float)
    # What a framework makes in float32 sums to 1 only to about seven digits.
    coarse = np.finfo(given.dtype).eps if given.dtype.kind == "f" else 0
    if p.ndim != 1 or not np.all(p >= 0) or not abs(p.sum() - 1) <= max(1e-9, p.size * coarse):
        raise ValueError(
            f"not a probability vector (entries >= 0 that sum to 1): {p}, in sum {p.sum():.10g}"
        )
    return p


def _same_length(p, q):
    if np.shape(p) != np.shape(q):
        raise ValueError(f"two vectors over one set have one length, not {len(p)} and {len(q)}")


def _positive(sd):
    if not sd > 0:
        raise ValueError(f"a standard deviation is > 0, not {sd}")
    return sd
