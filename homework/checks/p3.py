"""Problem 3: a gradient, a walk, and where walks lead."""

import numpy as np
from scipy.stats import ortho_group

from classroom.makers import linear, well_gradient
from homework.checks import Made, Points, Refused, close, demand, near, number, shape, worth
from homework.checks.p1 import bowl
from homework.class_numbers import three_steps


def q3_1(ask, numbers):
    """Eight fresh points, two in each quadrant."""

    def part(ask, numbers):
        signs = [[1, 1], [1, -1], [-1, 1], [-1, -1]] * 2
        for x, y in numbers.rng.uniform(0.5, 9, size=(8, 2)) * signs:
            wanted = [2 * numbers.a * x + numbers.b * y, numbers.b * x]
            got, which = ask("grad_cost", np.array([x, y])), "each slope"
            if isinstance(got, list) and len(got) == 2 and all(map(number, got)):
                wrong = [not close(*pair) for pair in zip(got, wanted, strict=True)]
                which = {(True, False): "the first slope", (False, True): "the second slope"}.get(
                    tuple(wrong), which
                )
            said = f"grad_cost is wrong at a point of ours: derive {which} once more."
            demand(close(got, wanted), said)

    return worth(1, part, ask, numbers)


def q3_2(ask, numbers):
    """Linear maps in two to five dimensions and a cubic one; no step, one, and many."""

    def part(ask, numbers):
        for n, steps in ((2, 1), (5, 0), (3, 17)):
            H, shift = bowl(numbers.rng, n), numbers.rng.normal(size=n)
            _walks(ask, numbers, Made("linear", H, shift), linear(H, shift), n, steps)
        scale = float(numbers.rng.uniform(0.001, 0.002))
        _walks(ask, numbers, Made("well_gradient", scale), well_gradient(scale), 1, 9)

    return worth(1, part, ask, numbers)


def _walks(ask, numbers, made, gradient, n, steps):
    start = numbers.rng.integers(1, 9, size=n)  # whole numbers: the path must not be of them
    size, path = float(numbers.rng.uniform(0.05, 0.3)), [start.astype(float)]
    for _ in range(steps):
        path.append(path[-1] - size * gradient(path[-1]))
    got = ask("descend", made, start, size, steps)
    rows = len(got) if isinstance(got, list) else 0
    how_many = f"descend gives {rows} points for num_steps = {steps}, and not {steps + 1}."
    demand(rows == steps + 1 or shape(got) != (rows, n), how_many)
    said = f"descend gives another path than ours for num_steps = {steps}, from another start."
    demand(close(got, np.array(path)), said)


def q3_3(ask, numbers):
    """½ for the points, ½ for the costs."""
    wanted = three_steps(numbers.a, numbers.b, numbers.start, numbers.step_size)

    def columns(which, what):
        def part(ask, numbers):
            got = ask.value("table")
            shaped = shape(got) == (4, 3)
            demand(shaped, "table needs four rows (θ₁, θ₂, C): the start, and each of three steps.")
            chosen = [[row[column] for column in which] for row in got]
            fits = close(chosen, wanted[:, which], 1e-4)
            said = f"table: {what} are not those of your class's start, cost and step size."
            demand(fits, said + near(chosen, wanted[:, which]))

        return part

    points = worth(0.5, columns([0, 1], "the points"), ask, numbers)
    return points + worth(0.5, columns([2], "the costs"), ask, numbers)


def q3_4(ask, numbers):
    """24 pairs, half of them convergent: 12 and 6 in bowls, 6 on saddles and hills."""
    rng, cases = numbers.rng, []
    for _ in range(18):
        H = bowl(rng, int(rng.integers(2, 5)))
        inside = len(cases) < 12
        factor = float(rng.uniform(0.3, 0.97) if inside else rng.uniform(1.03, 2.5))
        cases.append((H, factor * 2 / np.linalg.eigvalsh(H)[-1], inside, True))
    for negative, positive in ((1, 2), (1, 1), (1, 2), (2, 1), (2, 2), (2, 0)):
        values = rng.uniform(3, 4, size=negative + positive)
        values[:negative] = -rng.uniform(0.5, 1, size=negative)
        Q = ortho_group.rvs(len(values), random_state=rng)
        cases.append((Q @ np.diag(values) @ Q.T, float(rng.uniform(0.05, 0.4)), False, False))
    right = {True: [], False: []}
    try:
        for place in rng.permutation(24):
            H, size, wanted, is_bowl = cases[place]
            got = ask("converges", H, size)
            demand(isinstance(got, bool), "converges has to return True or False.")
            right[is_bowl].append(got is wanted)
    except Refused as refused:
        return Points(0.0, (str(refused),))
    if all(right[True]) and all(right[False]):
        return Points(1.0)
    if all(right[True]) and sum(right[False]) >= 3:
        return Points(0.5, ("converges is right for bowls. What about saddles and hills?",))
    return Points(0.0, ("converges: which eigenvalues and step sizes let every start arrive?",))


def jacobian(numbers, x, y):
    p, q = numbers.p, numbers.q
    return np.array([[2 * x, -2 * y], [p * y + q * np.exp(q * x), p * x]])


def q3_5(ask, numbers):
    """½ for the Jacobian at four points; ½ for twelve points, half of them on the curve."""

    def values(ask, numbers):
        for x, y in numbers.rng.uniform(-1, 1, size=(4, 2)):
            fits = close(ask("jacobian", np.array([x, y])), jacobian(numbers, x, y))
            demand(fits, "jacobian is wrong at a point of ours: check rows, columns and signs.")

    def curve(ask, numbers):
        curve = on_the_curve(numbers, 9)
        points = [(v, True) for v in curve[:6]]
        points += [(v + [0, float(numbers.rng.uniform(1e-5, 1e-3))], False) for v in curve[6:]]
        for inside in (True, False, False):
            v = numbers.rng.uniform(-1, 1, size=2)
            while (np.linalg.det(jacobian(numbers, *v)) > 0) == inside or _flat(numbers, v) < 0.02:
                v = numbers.rng.uniform(-1, 1, size=2)
            points.append((v, False))
        for place in numbers.rng.permutation(12):
            v, wanted = points[place]
            got = ask("singular", v)
            demand(isinstance(got, bool), "singular has to return True or False.")
            says = "yes at a point away from" if got else "no at a point on"
            demand(got is wanted, f"singular says {says} the curve.")

    return worth(0.5, values, ask, numbers) + worth(0.5, curve, ask, numbers)


def _flat(numbers, v):
    return abs(np.linalg.det(jacobian(numbers, *v)))


def on_the_curve(numbers, how_many):
    """Points where the determinant 2p x² + 2p y² + 2q y exp(qx) is 0: a quadratic in y."""
    p, q, found = numbers.p, numbers.q, []
    while len(found) < how_many:
        x = float(numbers.rng.uniform(-0.3, 0.3))
        half = q * np.exp(q * x) / (2 * p)
        if half**2 > x**2 + 1e-3:
            root = np.sqrt(half**2 - x**2) * (1 if len(found) % 2 else -1)
            if abs(-half + root) < 1:
                found.append(np.array([x, -half + root]))
    return found
