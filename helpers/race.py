"""Plain gradient descent against Adam in a valley, each at the best of many step sizes."""

import numpy as np

ENOUGH = 1e-4  # of its first cost: where a descent counts as arrived
MOST = 1_000  # steps that we wait for
SIZES = np.logspace(-3, 0.5, 36)  # times 1/λ of plain descent, and the way to go of Adam


def race(H, begin):
    """(plain, adam): the fewest steps that each needs from `begin` (n,) in the valley θᵀHθ / 2.

    H (n, n) is symmetric with positive eigenvalues. Both may choose their step size. "Arrived" is a
    ten-thousandth of the first cost, for good; where that takes more, the number is 1,000.
    """
    H, begin = np.asarray(H, dtype=float), np.asarray(begin, dtype=float)
    if not np.allclose(H, H.T):
        raise ValueError("the matrix of a valley is symmetric, and this one is not")
    curvatures, Q = np.linalg.eigh(H)
    if curvatures[0] <= 0:
        raise ValueError(f"this is no valley: a curvature is {curvatures[0]:.3g}, and not above 0")
    # Along an eigenvector each step of plain descent multiplies by 1 − αλ.
    factors = 1 - np.minimum(SIZES, 2)[:, None] * curvatures / curvatures[-1]
    shares = curvatures * (Q.T @ begin) ** 2
    plain = factors ** (2 * np.arange(MOST + 1)[:, None, None]) @ shares
    return _steps(plain), _steps(_adam_costs(H, begin))


def _adam_costs(H, begin):
    theta = np.tile(begin, (len(SIZES), 1))
    m, v, costs = 0.0, 0.0, [np.sum(theta * (theta @ H), axis=1)]
    sizes = SIZES[:, None] * np.linalg.norm(begin)
    for t in range(1, MOST + 1):
        g = theta @ H
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        theta = theta - sizes * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        costs.append(np.sum(theta * (theta @ H), axis=1))
    return np.array(costs)


def _steps(costs):
    """The fewest steps of costs (steps, sizes) after which all costs are low."""
    late = ~(costs <= ENOUGH * costs[0])
    last = len(costs) - np.argmax(late[::-1], axis=0)
    return int(np.min(np.where(late.any(axis=0), last, 0)).clip(0, MOST))
