"""The numbers that each class gets for itself, from its seed; those of seed 0 are the homework's.

`of(problem, seed)` is {name: value}, and `cell` writes them as the notebook's first code cell.
Whoever copies an answer from another class, or from the lesson, copies other numbers.
"""

import numpy as np
import pandas as pd

from helpers.screening.asd import DATA, ITEMS, TARGET

CLASSES = 10**6  # seeds
CLEAN = [
    "Fit a stack on out-of-fold predictions of training rows, and score the test rows once.",
    "Choose the number of trees by cross-validation on training rows; score the test rows.",
    "Choose the threshold on out-of-fold predictions of training rows; apply it to test rows.",
    "Scale all rows, also the test rows, with the mean and deviation of the training rows.",
    "Average three experts that were fitted on the training rows, and score the test rows.",
]
LEAKY = [
    "Fit the net once more on the test rows, with their labels, before it predicts them.",
    "Fit the net from ten seeds, and report the one that scores best on the test rows.",
    "Choose the five best items by their correlation with the label in all rows, then split.",
    "Split the rows at random, although some people filled in the questionnaire twice.",
    "Stop training the net at the epoch with the lowest loss on the test rows.",
]


def of(problem, seed):
    """{name: value} of the class's numbers in a problem, 1 to 5; the seed is from 0 to 999,999."""
    found = {}
    for name, value, _ in _ROWS[problem](_generator(problem, seed)):
        many = ", " in name  # such as "a, b"
        found.update(zip(name.split(", "), value, strict=True) if many else [(name, value)])
    return found


def cell(problem, seed):
    """The same as the code of a cell: each number, under a comment."""
    rows = _ROWS[problem](_generator(problem, seed))
    return "\n".join(_line(*row) for row in rows)


def _line(name, value, comment):
    code = repr(value)
    if isinstance(value, dict):
        code = "{\n" + "".join(f'    "{key}": "{text}",\n' for key, text in value.items()) + "}"
    elif "," in name:
        code = code.strip("()")
    return f"# {comment}\n{name} = {code}"


def three_steps(a, b, start, step_size):
    """The table of 3.3: rows (θ₁, θ₂, C), the start and what each of three steps leads to."""
    (x, y), rows = start, []
    for _ in range(4):
        rows.append([x, y, a * x * x + b * x * y])
        x, y = x - step_size * (2 * a * x + b * y), y - step_size * b * x
    return np.array(rows, dtype=float)


def table(seed):
    """The class's screening table, rows and columns: the items and the label of simulated people.

    Class 0 has all 800 rows; every other class has 600 of them, in an order of its own.
    """
    whole = pd.read_csv(DATA / "asd_train.csv")[[*ITEMS, TARGET]]
    rng = _generator(5, seed)
    return whole if rng is None else whole.iloc[rng.permutation(len(whole))[:600]]


def _generator(problem, seed):
    if not 0 <= seed < CLASSES:
        raise ValueError(f"a class's seed is a whole number from 0 to {CLASSES - 1:,}, not {seed}")
    return np.random.default_rng([seed, problem]) if seed else None


def _problem_1(rng):
    steepest, begin = 3, (1, 1)
    if rng is not None:
        steepest, size = int(rng.integers(4, 13)), int(rng.integers(1, 6))
        begin = tuple((size * rng.choice([-1, 1], 2)).tolist())
    return [
        ("STEEPEST", steepest, "1.2: the largest curvature that both valleys have"),
        ("BEGIN", begin, "1.2: where both descents begin"),
    ]


def _problem_2(rng):
    widths = (20, 128, 128, 128, 1)
    if rng is not None:
        inner = rng.integers(8, 65, size=rng.integers(2, 4)).tolist()
        widths = (int(rng.integers(6, 20)), *inner, 1)
    return [("WIDTHS", widths, "The inputs, the units of each hidden layer, and one output")]


def _problem_3(rng):
    a, b, start, step_size, p, q = 2, 3, (2, 9), 0.1, 2, 1
    while rng is not None:
        a, b, p, q = (int(n) for n in rng.integers([2, 2, 3, 1], [7, 8, 6, 4]))
        start, step_size = tuple(_signed(rng, 2, 9)), float(rng.choice([0.04, 0.06, 0.08]))
        costs = three_steps(a, b, start, step_size)[:, 2]
        # The question says that each step lowers the cost, and it gets below the origin's.
        if costs[0] > 5 and np.all(np.diff(costs) < -1) and costs[-1] < -5:
            break
    return [
        ("A, B", (a, b), "The cost is C(θ₁, θ₂) = A θ₁² + B θ₁ θ₂"),
        ("START", start, "3.3: where the descent begins"),
        ("STEP_SIZE", step_size, "3.3: its step size α"),
        ("P, Q", (p, q), "3.5: the map is u = x² − y², w = P x y + exp(Q x)"),
    ]


def _problem_4(rng):
    counts, num_outcomes, least = _scores(), 2, 0.5
    if rng is not None:
        share = rng.beta(2, 3, size=300)
        counts = np.bincount(rng.binomial(10, share), minlength=11).tolist()
        num_outcomes, least = int(rng.integers(3, 6)), float(rng.integers(6, 13) / 10)
    return [
        ("COUNTS", counts, "How many people have a score of 0, 1, …, 10"),
        ("NUM_OUTCOMES", num_outcomes, "4.6: how many outcomes the distributions have"),
        ("LEAST", least, "4.6: how far apart, in nats, the two directions of KL have to be"),
    ]


def _problem_5(rng):
    threshold, clean, leaky = 6, CLEAN[:3], LEAKY[:3]
    if rng is None:
        order = [leaky[0], clean[0], leaky[2], clean[1], clean[2], leaky[1]]
    else:
        threshold = int(rng.choice([4, 5, 7]))
        num_leaky = int(rng.integers(2, 5))
        chosen = [*rng.permutation(LEAKY)[:num_leaky], *rng.permutation(CLEAN)[: 6 - num_leaky]]
        order = [str(each) for each in rng.permutation(chosen)]
    return [
        ("THRESHOLD", threshold, "The rule says yes from this score on"),
        (
            "PROTOCOLS",
            dict(zip("ABCDEF", order, strict=True)),
            "5.7: six ways to get a score on test rows",
        ),
    ]


_ROWS = {1: _problem_1, 2: _problem_2, 3: _problem_3, 4: _problem_4, 5: _problem_5}


def _signed(rng, size, most):
    """Whole numbers from 1 to `most`, each with a sign."""
    return (rng.integers(1, most + 1, size) * rng.choice([-1, 1], size)).tolist()


def _scores():
    whole = pd.read_csv(DATA / "asd_train.csv")
    return np.bincount(whole[ITEMS].sum(axis=1), minlength=11).tolist()
