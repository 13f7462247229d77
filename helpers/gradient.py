"""Gradients and Jacobians by independent methods, and the descent that uses them.

Every method takes a function `f` of a vector x (n,), written with operations that its numbers
understand, and a point. It returns the derivative in float64: the gradient (n,) where f returns
one number, the Jacobian (m, n) with J[i, j] = ∂f_i/∂x_j where f returns m of them.
"""

import numpy as np

ENOUGH = 1e-4  # Armijo's share of the promised fall


def sgd(g, t, m, v):
    """Plain gradient descent: the direction is the gradient g; m and v stay as they are."""
    return g, m, v


def momentum(g, t, m, v, decay=0.9):
    """Heavy ball (Polyak 1964): past gradients fade by `decay` a step."""
    m = decay * m + g
    return m, m, v


def adam(g, t, m, v, decays=(0.9, 0.999)):
    """Adam (Kingma & Ba 2015) with its two decay rates; t counts steps from 1."""
    b1, b2 = decays
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
    return (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + 1e-8), m, v


def descend(gradient, start, step_size, num_steps, rule=sgd):
    """The path of gradient descent (Cauchy 1847): (num_steps + 1, n), its first row `start` (n,).

    `gradient` maps a point (n,) to the gradient there (n,). `rule` turns gradients into the
    direction that each step goes against, `step_size` times. Any leading axes of `start` are
    separate descents, and `step_size` may differ between them, by broadcasting.
    """
    path = [np.asarray(start, dtype=float)]
    m = v = np.zeros_like(path[0])
    for t in range(1, num_steps + 1):
        direction, m, v = rule(np.asarray(gradient(path[-1])), t, m, v)
        path.append(path[-1] - step_size * direction)
    return np.array(path)


def backtracking(cost, gradient, start, first_size, num_steps):
    """(path (num_steps + 1, n), sizes (num_steps,)): descent that looks for each step's size.

    From `first_size` it is halved until the cost falls by `ENOUGH` of what the gradient promises
    (Armijo 1966). Where rounding leaves nothing to gain the size is 0, and it stays. Raises
    ArithmeticError where cost or gradient is not finite.
    """
    path, sizes = [np.asarray(start, dtype=float)], []
    for _ in range(num_steps):
        here, g, size = path[-1], np.asarray(gradient(path[-1]), dtype=float), first_size
        before = cost(here)
        if not (np.isfinite(before) and np.all(np.isfinite(g))):
            raise ArithmeticError(f"cost or gradient is not a finite number at {here}")
        while size and not cost(here - size * g) <= before - ENOUGH * size * (g @ g):
            size = size / 2 if size > 1e-16 * first_size else 0.0
        path.append(here - size * g)
        sizes.append(size)
    return np.array(path), np.array(sizes)


def steps_until(done, gradient, start, step_size, max_steps, rule=sgd):
    """How many steps each of many descents takes until `done` for good, at most `max_steps`.

    For good: at every later step up to `max_steps` as well, so that flying through does not count.
    `start` is (..., n) and `done` maps points (..., n) to booleans (...); integers (...) come back,
    `max_steps` where it is not done in the end. A descent that overflows is never done.
    """
    point = np.broadcast_to(start, np.broadcast_shapes(np.shape(start), np.shape(step_size)))
    m = v = np.zeros(point.shape)
    steps = np.where(done(point), 0, 1)
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(1, max_steps + 1):
            direction, m, v = rule(np.asarray(gradient(point)), t, m, v)
            point = point - step_size * direction
            here = done(point) & np.all(np.isfinite(point), axis=-1)
            steps = np.where(here, steps, t + 1)
    return np.minimum(steps, max_steps)


def quadratic_path(hessian, start, step_size, num_steps):
    """The same path for C(θ) = θᵀHθ / 2, in closed form: θ_t = Q (I − αΛ)ᵗ Qᵀ θ_0.

    `hessian` is H (n, n), symmetric, with eigenvalues Λ and eigenvectors Q; raises ValueError
    where it is not symmetric.
    """
    hessian = np.asarray(hessian, dtype=float)
    if not np.allclose(hessian, hessian.T):
        raise ValueError("the Hessian of a quadratic is symmetric; this matrix is not")
    eigenvalues, Q = np.linalg.eigh(hessian)
    powers = (1 - step_size * eigenvalues) ** np.arange(num_steps + 1)[:, None]
    return powers * (Q.T @ np.asarray(start, dtype=float)) @ Q.T


def finite_difference(f, x, h=1e-6):
    """Central differences, (f(x + h e_j) − f(x − h e_j)) / 2h: error of order h² plus eps/h."""
    x = np.asarray(x, dtype=float)
    columns = [(np.asarray(f(x + e)) - np.asarray(f(x - e))) / (2 * h) for e in h * np.eye(len(x))]
    return np.stack(columns, axis=-1)


def complex_step(f, x, h=1e-20):
    """Im f(x + ih e_j) / h (Squire & Trapp 1998): no subtraction, so no cancellation.

    `f` must be analytic and written for complex numbers (no abs, no comparison).
    """
    x = np.asarray(x, dtype=float)
    return np.stack([np.imag(f(x + 1j * e)) / h for e in h * np.eye(len(x))], axis=-1)


def torch_jacobian(f, x, mode="reverse"):
    """PyTorch's automatic differentiation; `mode` is "reverse" (by rows) or "forward" (columns)."""
    import torch

    transform = {"reverse": torch.func.jacrev, "forward": torch.func.jacfwd}[mode]
    point = torch.tensor(np.asarray(x, dtype=float))
    return transform(lambda v: _stacked(f(v), torch.stack))(point).numpy()


def tensorflow_jacobian(f, x):
    """TensorFlow's automatic differentiation: reverse mode over the operations on a tape."""
    from helpers.frameworks import tf

    point = tf.Variable(np.asarray(x, dtype=float))
    with tf.GradientTape() as tape:
        value = _stacked(f(point), tf.stack)
    return tape.jacobian(value, point, unconnected_gradients="zero").numpy()


def symbolic_jacobian(f, x):
    """Sympy's derivative of `f`, evaluated at `x`, for an `f` that sympy's symbols can pass."""
    import sympy

    symbols = sympy.symbols(f"x:{len(x)}")
    value = f(symbols)
    rows = sympy.Matrix([value] if not isinstance(value, (list, tuple)) else list(value))
    at_x = rows.jacobian(symbols).subs(dict(zip(symbols, x, strict=True)))
    jacobian = np.array(at_x.evalf(17), dtype=float)
    return jacobian if isinstance(value, (list, tuple)) else jacobian[0]


def _stacked(value, stack):
    return stack(value) if isinstance(value, (list, tuple)) else value
