"""The math of p(y | x) = Σ_k g_k(x) p_k(y | x): a softmax gate g, experts p_k, and EM.

The gate is g(x) = softmax(zᵀV), of its input with a 1 in front, z (d + 1,), and V (d + 1, K).
P (n, K) holds what each expert gives to the label that was observed. A Gaussian prior with
variance C on every parameter keeps the maximum finite; without evidence all experts count alike.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax

NO_CHANCE = 1e-9  # what a probability of 0 counts as: its logarithm must be finite


def with_one(features):
    """z of every row: a column of ones, then `features` (n, d)."""
    return np.column_stack([np.ones(len(features)), features])


def responsibilities(gate, P):
    """How likely each expert is to have made each label: g_k P_k / Σ_j g_j P_j (Bayes), (n, K)."""
    joint = gate * np.maximum(P, NO_CHANCE)
    return joint / joint.sum(axis=1, keepdims=True)


def gate_objective(V, Z, P, C):
    """(value, gradient) of Σ_i log Σ_k g_k(x_i) P_ik − ‖V‖²/2C, for V (d + 1, K), Z (n, d + 1).

    The gradient is Zᵀ(R − G) − V/C: responsibilities minus gate, the softmax's own form.
    """
    log_gate = log_softmax(Z @ V, axis=1)
    value = logsumexp(log_gate + np.log(np.maximum(P, NO_CHANCE)), axis=1).sum()
    G = np.exp(log_gate)
    return value - np.sum(V**2) / (2 * C), Z.T @ (responsibilities(G, P) - G) - V / C


def newton_step(V, Z, T, C):
    """V (d + 1, m) after one Newton step up Σ_i Σ_m T_im log softmax(Z_i V)_m − ‖V‖²/2C.

    T (n, m) >= 0 are soft labels, whose row sums are the rows' weights. The objective is concave;
    the step is halved until it does not go down.
    """

    def objective(V):
        return np.sum(T * log_softmax(Z @ V, axis=1)) - np.sum(V**2) / (2 * C)

    G, weight = softmax(Z @ V, axis=1), T.sum(axis=1, keepdims=True)
    gradient = Z.T @ (T - weight * G) - V / C
    spread = (weight * G)[:, :, None] * (np.eye(V.shape[1]) - G[:, None, :])
    # Σ_n spread_nab z_ni z_nj as one matrix product.
    curvature = np.tensordot(Z, spread[..., None] * Z[:, None, None, :], axes=(0, 0))
    curvature = curvature.transpose(0, 1, 3, 2).reshape(V.size, V.size) + np.eye(V.size) / C
    step = np.linalg.solve(curvature, gradient.ravel()).reshape(V.shape)
    before = objective(V)
    for _ in range(50):
        if objective(V + step) >= before:
            return V + step
        step = step / 2
    return V


def fit_gate(Z, P, C=0.1, solver="lbfgs", tol=1e-10, max_iter=20_000):
    """(V, path): the gate (d + 1, K) of fixed experts, and the objective along the way.

    `solver` is "em" (Jordan & Jacobs 1994: responsibilities, then a Newton step on them; see
    `climb`) or "lbfgs", on the same objective and its gradient. Both start at V = 0. With a large
    C a mixture may have several maxima, and the two may climb to different ones. Raises
    ArithmeticError where `max_iter` iterations are not enough.
    """
    V = np.zeros((Z.shape[1], P.shape[1]))

    def em_step(V):
        return newton_step(V, Z, responsibilities(softmax(Z @ V, axis=1), P), C)

    def objective(V):
        return gate_objective(V, Z, P, C)[0]

    if solver == "em":
        return climb(V, em_step, objective, tol, max_iter)
    if solver != "lbfgs":
        raise ValueError(f"solver must be 'em' or 'lbfgs', not {solver!r}")

    def descent(flat):
        value, gradient = gate_objective(flat.reshape(V.shape), Z, P, C)
        return -value, -gradient.ravel()

    path = [objective(V)]
    found = minimize(
        descent,
        V.ravel(),
        jac=True,
        method="L-BFGS-B",
        callback=lambda intermediate_result: path.append(-intermediate_result.fun),
        options={"gtol": 1e-6, "ftol": 0, "maxiter": max_iter, "maxfun": 10 * max_iter},
    )
    if np.max(np.abs(found.jac)) > 1e-3:
        raise ArithmeticError(f"L-BFGS did not converge: {found.message}; allow more iterations")
    return found.x.reshape(V.shape), path


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


def mixture_objective(V, W, Z, Y, C):
    """(value, gradient): the same with trainable experts, p_k = softmax(zᵀW_k), W (K, d + 1, m).

    Y (n, m) holds the labels as rows of one 1. The gradient is flat: V's entries, then W's.
    """
    p = softmax(Z @ W, axis=2)
    P = np.sum(p * Y, axis=2).T
    value, slope = gate_objective(V, Z, P, C)
    R = responsibilities(softmax(Z @ V, axis=1), P)
    slopes = Z.T @ (R.T[:, :, None] * (Y - p)) - W / C
    return value - np.sum(W**2) / (2 * C), np.concatenate([slope.ravel(), slopes.ravel()])


def mixture_step(V, W, Z, Y, C):
    """(V, W) after one EM iteration: responsibilities, then a Newton step for gate and experts."""
    P = np.sum(softmax(Z @ W, axis=2) * Y, axis=2).T
    R = responsibilities(softmax(Z @ V, axis=1), P)
    experts = [newton_step(W_k, Z, r[:, None] * Y, C) for W_k, r in zip(W, R.T, strict=True)]
    return newton_step(V, Z, R, C), np.array(experts)
