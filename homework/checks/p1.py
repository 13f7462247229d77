"""Problem 1: a verdict counts only together with its witness."""

import numpy as np
from scipy.stats import ortho_group

from helpers.race import race
from homework.checks import Made, close, demand, number, shape, worth


def _verdict(ask, item, true):
    said = ask.value(f"verdict_{item}")
    demand(isinstance(said, bool), f"verdict_{item} has to be True or False.")
    demand(said is true, "The verdict and its witness do not go together. Which one is wrong?")


def q1_1(ask, numbers):
    """Six costs whose curvatures are a million times apart and more."""

    def part(ask, numbers):
        costs = [_valley(numbers.rng, scale) for scale in (1e-9, 1e-2, 1e1, 1e9)]
        costs += [_well(float(numbers.rng.uniform(1, 9) * scale)) for scale in (1e-4, 1e4)]
        for cost, gradient, given, value in costs:
            point = numbers.rng.uniform(1, 2, size=len(given) if cost == "bowl" else 3)
            made = [Made(cost, given), Made(gradient, given, *([0.0] if cost == "bowl" else []))]
            slope = given @ point if cost == "bowl" else 4 * given * point**3
            before = value(point)
            down = ask("falling_step", *made, point)
            up = ask("rising_step", *made, point)
            for name, size in (("falling_step", down), ("rising_step", up)):
                demand(number(size) and size > 0, f"{name} has to give one number above 0.")
            fell = value(point - down * slope) < before
            demand(fell, "falling_step gives a size at which one of the costs does not fall.")
            rose = before < value(point - up * slope) <= 100 * before
            demand(rose, "rising_step gives a size at which a cost falls, or rises too far.")
        _verdict(ask, 1, True)

    return worth(0.5, part, ask, numbers)


def _valley(rng, scale):
    H = bowl(rng, int(rng.integers(2, 5))) * scale
    return "bowl", "linear", H, lambda x: float(x @ H @ x) / 2


def _well(scale):
    return "well", "well_gradient", scale, lambda x: scale * np.sum(x**4)


def bowl(rng, n, least=0.5, most=4.0):
    """A symmetric matrix (n, n) with eigenvalues between `least` and `most`."""
    Q = ortho_group.rvs(n, random_state=rng)
    return Q @ np.diag(rng.uniform(least, most, size=n)) @ Q.T


def q1_2(ask, numbers):
    """The grader walks: in one valley plain descent is ahead, in the other Adam."""

    def part(ask, numbers):
        for name, ahead in (("plain_wins", 0), ("adam_wins", 1)):
            H = ask.value(name)
            fits = shape(H) == (2, 2) and all(number(each) for row in H for each in row)
            demand(fits, f"{name} has to be a matrix of 2×2 numbers.")
            H = np.array(H, dtype=float)
            valley = np.allclose(H, H.T) and np.linalg.eigvalsh(H)[0] > 0
            demand(valley, f"{name} has to be symmetric, with two positive eigenvalues.")
            narrow = np.linalg.eigvalsh(H)[0] <= 0.500001 * np.linalg.eigvalsh(H)[1]
            demand(narrow, f"The smaller curvature of {name} is more than half of the larger one.")
            steep = close(float(np.linalg.eigvalsh(H)[1]), numbers.steepest, 0.01)
            demand(steep, f"The largest curvature of {name} is not your class's `steepest`.")
            steps = race(H, np.array(numbers.begin, dtype=float))
            demand(
                steps[ahead] <= steps[1 - ahead] * 2 / 3,
                f"In {name} plain descent and Adam need {steps[0]} and {steps[1]} steps.",
            )
        _verdict(ask, 2, False)

    return worth(0.5, part, ask, numbers)


def q1_3(ask, numbers):
    """Four pairs of different sizes, the first or the second of them larger."""

    def part(ask, numbers):
        for turned in (False, True, True, False):
            pair = sorted(numbers.rng.choice(np.arange(2, 30), 2, replace=False).tolist())
            n, m = pair[::-1] if turned else pair
            fits = ask("jacobian_shape", n, m) == [m, n]
            demand(fits, "jacobian_shape: multiply the Jacobian by a step. Which side fits it?")
        _verdict(ask, 3, False)

    return worth(0.5, part, ask, numbers)


def q1_4(ask, numbers):
    """Batches that divide the rows, do not, nearly do, and are larger than the table."""

    def part(ask, numbers):
        for extra, whole, more in (
            (0, 4, 0),
            (1, 2, 200),
            (2, 5, 0),
            (3, 6, 0),
            (5, 0, 9),
            (1, 7, 0),
        ):
            batch, epochs = (int(k) for k in numbers.rng.integers([6, 2], [40, 9]))
            batch += more
            rows, wanted = batch * whole + extra, (whole + (extra > 0)) * epochs
            fits = close(ask("updates", rows, batch, epochs), wanted)
            demand(fits, "updates: what becomes of the rows that are left at the end of an epoch?")
        _verdict(ask, 4, False)

    return worth(0.5, part, ask, numbers)


def q1_5(ask, numbers):
    """Six random programs, in which values are used more than once."""

    def part(ask, numbers):
        for length in (1, 3, 4, 6, 8, 10):
            n = int(numbers.rng.integers(1, 4))
            program, x = _program(numbers.rng, n, length), numbers.rng.uniform(-1, 1, size=n)
            fits = close(ask("tape_gradient", program, x), _gradient(program, x), 1e-4)
            demand(fits, "tape_gradient: is each use of a value counted, and each operation right?")
        _verdict(ask, 5, False)

    return worth(0.5, part, ask, numbers)


def _program(rng, n, length):
    """Operations on `n` inputs; the last value is always used, so each of them matters."""
    program = []
    for place in range(n, n + length):
        operation = str(rng.choice(["add", "mul", "mul", "sin", "exp"]))
        first = place - 1
        last = int(rng.integers(0, place))
        both = operation in ("add", "mul")
        if operation == "exp":  # of a sine, so that no value runs away
            program.append(("sin", first))
        else:
            program.append((operation, first, last) if both else (operation, first))
    return [*program, ("sin", n + length - 1), ("exp", n + length)]


def _gradient(program, x):
    """By complex steps, which know nothing of tapes."""
    operations = {"add": np.add, "mul": np.multiply, "sin": np.sin, "exp": np.exp}

    def output(x):
        values = list(x)
        for operation, *places in program:
            values.append(operations[operation](*(values[place] for place in places)))
        return values[-1]

    return [float(np.imag(output(x + 1e-30j * e)) / 1e-30) for e in np.eye(len(x))]


def q1_6(ask, numbers):
    """Nets of two to four layers."""

    def part(ask, numbers):
        for layers in (2, 3, 4):
            widths = [int(k) for k in numbers.rng.integers(2, 30, size=layers + 1)]
            weights = sum((n + 1) * m for n, m in zip(widths, widths[1:], strict=False))
            fits = ask("entries", widths) == [weights, weights**2]
            demand(fits, "entries: count a derivative for each weight and each bias, then pairs.")
        _verdict(ask, 6, False)

    return worth(0.5, part, ask, numbers)


def q1_7(ask, numbers):
    """Matrices that do not commute, square and not."""

    def part(ask, numbers):
        for sizes in ((2, 2, 2), (3, 3, 3), (2, 4, 3)):
            outer, inner = (numbers.rng.normal(size=s) for s in (sizes[:2], sizes[1:]))
            fits = close(ask("jacobian_of_composition", outer, inner), outer @ inner)
            demand(fits, "jacobian_of_composition: which of the two maps does a step meet first?")
        _verdict(ask, 7, True)

    return worth(0.5, part, ask, numbers)


def q1_8(ask, numbers):
    """Bowls in two to four dimensions."""

    def part(ask, numbers):
        for n in (2, 3, 4, 2, 3, 4, 5):
            H = bowl(numbers.rng, n)
            fits = close(ask("largest_stable_step", H), 2 / np.linalg.eigvalsh(H)[-1])
            demand(fits, "largest_stable_step: which of the curvatures gives way first?")
        _verdict(ask, 8, True)

    return worth(0.5, part, ask, numbers)
