"""The math of p(y | x) = Σ_k g_k(x) p_k(y | x): a softmax gate g, experts p_k, and EM.

The gate is g(x) = softmax(zᵀV), of its input with a 1 in front, z (d + 1,), and V (d + 1, K).
log_P (n, K) holds the logarithms of what each expert gives to the label that was observed. All
sums are taken in logarithms, so nothing underflows and every gradient is its objective's own. A
Gaussian prior keeps the maximum finite: its variance is C for slopes, and `INTERCEPT` (or C, where
that is larger) for intercepts. How far an expert is trusted on average is thus left to the data;
only how trust changes with x is held back. `weight` (n,) >= 0 counts rows: 2 is the same as having
a row twice.
"""

import numpy as np
from scipy import sparse
from scipy.linalg import solve
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax

INTERCEPT = 100.0  # variance of the prior on intercepts: so wide that it decides nothing
_NO_CHANCE = 1e-9  # what a given probability of 0 counts as: its logarithm must be finite


def with_one(features):
    """z of every row: a column of ones, then `features` (n, d), dense or sparse."""
    if sparse.issparse(features):
        # As an array: the `*` of a sparse matrix is the product of matrices.
        return sparse.csr_array(sparse.hstack([np.ones((features.shape[0], 1)), features]))
    return np.column_stack([np.ones(len(features)), features])


def precision(d, C):
    """1 / variance of the prior on each row of V or W, (d + 1, 1): the intercept's comes first."""
    return 1 / np.array([max(C, INTERCEPT)] + d * [C])[:, None]


def log_chances(P):
    """log P, with probabilities below `_NO_CHANCE` taken to it."""
    return np.log(np.maximum(np.asarray(P, dtype=float), _NO_CHANCE))


def responsibilities(log_gate, log_P):
    """How likely each expert is to have made each label: g_k P_k / Σ_j g_j P_j (Bayes), (n, K).

    A constant that is added to a row of `log_gate` cancels: the gate's scores Z V will do.
    """
    return softmax(log_gate + log_P, axis=1)


def gate_objective(V, Z, log_P, C, weight=1.0):
    """(value, gradient) of Σ_i log Σ_k g_k(x_i) P_ik − Σ ΛV²/2, for V (d + 1, K), Z (n, d + 1).

    The gradient is Zᵀ(R − G) − ΛV: responsibilities minus gate, the softmax's own form; Λ is the
    `precision` of the prior.
    """
    log_gate, prior = log_softmax(Z @ V, axis=1), precision(len(V) - 1, C)
    value = np.sum(weight * logsumexp(log_gate + log_P, axis=1)) - np.sum(prior * V**2) / 2
    surprise = responsibilities(log_gate, log_P) - np.exp(log_gate)
    return value, Z.T @ (np.reshape(weight, (-1, 1)) * surprise) - prior * V


def newton_step(V, Z, T, C):
    """V (d + 1, m) after one Newton step up Σ_i Σ_m T_im log softmax(Z_i V)_m − Σ ΛV²/2.

    T (n, m) >= 0 are soft labels, whose row sums are the rows' weights. The objective is concave;
    the step is halved until it does not go down.
    """
    scores, weight = Z @ V, T.sum(axis=1, keepdims=True)
    G, prior = softmax(scores, axis=1), precision(len(V) - 1, C)
    gradient = Z.T @ (T - weight * G) - prior * V
    m = V.shape[1]
    curvature = np.diag(np.repeat(prior, m)).reshape(len(V), m, len(V), m)
    for a in range(m):
        for b in range(m):
            spread = weight[:, 0] * G[:, a] * ((a == b) - G[:, b])
            curvature[:, a, :, b] += Z.T @ (spread[:, None] * Z)
    curvature = curvature.reshape(V.size, V.size)
    # The same on every column of V changes no softmax: with a wide prior that is nearly singular.
    curvature += 1e-12 * np.max(np.diag(curvature)) * np.eye(V.size)
    step = solve(curvature, gradient.ravel(), assume_a="pos").reshape(V.shape)
    along = Z @ step

    def objective(t):
        likelihood = np.sum(T * log_softmax(scores + t * along, axis=1))
        return likelihood - np.sum(prior * (V + t * step) ** 2) / 2

    before, t = objective(0.0), 1.0
    while objective(t) < before:
        t = t / 2 if t > 1e-15 else 0.0
    return V + t * step


def fit_gate(Z, P, C=0.1, solver="lbfgs", tol=1e-10, max_iter=20_000, weight=1.0):
    """(V, path): the gate (d + 1, K) of fixed experts P (n, K), and the objective along the way.

    `solver` is "em" (Jordan & Jacobs 1994: responsibilities, then a Newton step on them; see
    `climb`) or "lbfgs", on the same objective and its gradient. Both start at V = 0. With a large
    C a mixture may have several maxima, and the two may climb to different ones. Raises
    ArithmeticError where `max_iter` iterations are not enough, ValueError where Z or P are not
    finite numbers.
    """
    P = np.asarray(P, dtype=float)
    if solver not in ("em", "lbfgs"):
        raise ValueError(f"solver must be 'em' or 'lbfgs', not {solver!r}")
    if P.ndim != 2 or len(P) != Z.shape[0]:
        raise ValueError(f"P has one row for each of the {Z.shape[0]} inputs, not shape {P.shape}")
    if np.any(P < 0) or np.any(np.asarray(weight) < 0) or not C > 0:
        raise ValueError("P and weights are 0 or more, and C is above 0")
    start, log_P = np.zeros((Z.shape[1], P.shape[1])), log_chances(P)
    inputs = Z.data if sparse.issparse(Z) else Z
    if not (np.all(np.isfinite(inputs)) and np.all(np.isfinite(log_P))):
        raise ValueError("the gate's input, or what an expert predicts, is not a finite number")

    def objective(V):
        return gate_objective(V, Z, log_P, C, weight)

    def em_step(V):
        R = responsibilities(Z @ V, log_P)
        return newton_step(V, Z, np.reshape(weight, (-1, 1)) * R, C)

    if solver == "em":
        return climb(start, em_step, lambda V: objective(V)[0], tol, max_iter)
    flat, path = lbfgs(lambda v: objective(v.reshape(start.shape)), start.ravel(), max_iter)
    return flat.reshape(start.shape), path


def lbfgs(objective, start, max_iter):
    """(maximiser (p,), path) of `objective`, which gives (value, gradient), by L-BFGS.

    Raises ArithmeticError where the gradient that is left, of a sum over rows, is not small.
    """

    def descent(flat):
        value, gradient = objective(flat)
        return -value, -gradient.ravel()

    path = [objective(start)[0]]
    found = minimize(
        descent,
        start,
        jac=True,
        method="L-BFGS-B",
        callback=lambda intermediate_result: path.append(-intermediate_result.fun),
        options={
            "gtol": 1e-6,
            "ftol": 0,
            "maxcor": 100,  # a longer memory than the usual 10 takes a fifth of the iterations
            "maxiter": max_iter,
            "maxfun": 10 * max_iter,
        },
    )
    if not np.max(np.abs(found.jac)) <= 1e-3 * max(1, abs(found.fun) / 1e3):  # nan is not
        advice = "allow more iterations" if found.status == 1 else "bring the inputs to one scale"
        raise ArithmeticError(f"L-BFGS did not converge: {found.message}; {advice}")
    return found.x, path


def climb(state, step, objective, tol, max_iter):
    """EM: (state, path) once an iteration of `step` gains `tol` nats or less.

    `path` holds `objective` at the start and after each iteration. Raises ArithmeticError where it
    goes down, which EM cannot (Dempster, Laird & Rubin 1977), or gains more for `max_iter` steps.
    """
    path = [objective(state)]
    for _ in range(max_iter):
        state = step(state)
        path.append(objective(state))
        gain = path[-1] - path[-2]
        if gain < -1e-9 * abs(path[-2]):
            raise ArithmeticError(f"EM went down, by {-gain:.3g}: a step or a formula is wrong")
        if gain <= tol:
            return state, path
    raise ArithmeticError(
        f"EM still gains {gain:.3g} nats after {max_iter} iterations; allow more, or a larger tol"
    )


def mixture_objective(V, W, Z, Y, C, weight=1.0):
    """(value, gradient): the same with trainable experts, p_k = softmax(zᵀW_k), W (K, d + 1, m).

    Y (n, m) holds the labels as rows of one 1. The gradient is flat: V's entries, then W's.
    """
    log_p = log_softmax(Z @ W, axis=2)
    log_P = np.sum(log_p * Y, axis=2).T
    value, slope = gate_objective(V, Z, log_P, C, weight)
    R = np.reshape(weight, (-1, 1)) * responsibilities(Z @ V, log_P)
    prior = precision(len(V) - 1, C)
    slopes = Z.T @ (R.T[:, :, None] * (Y - np.exp(log_p))) - prior * W
    return value - np.sum(prior * W**2) / 2, np.concatenate([slope.ravel(), slopes.ravel()])


def mixture_step(V, W, Z, Y, C, weight=1.0):
    """(V, W) after one EM iteration: responsibilities, then a Newton step for gate and experts."""
    log_P = np.sum(log_softmax(Z @ W, axis=2) * Y, axis=2).T
    R = np.reshape(weight, (-1, 1)) * responsibilities(Z @ V, log_P)
    experts = [newton_step(W_k, Z, r[:, None] * Y, C) for W_k, r in zip(W, R.T, strict=True)]
    return newton_step(V, Z, R, C), np.array(experts)
