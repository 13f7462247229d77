"""The questions' checks: each asks the student's answer for values, and gives points.

`ask(name, *arguments)` calls the student's function `name` with fresh arguments and returns what
came back as plain lists, numbers, booleans and texts; `ask.value(name)` reads a variable. Nothing
of the student's is ever here. `numbers` holds the class's numbers and `rng`, which draws the
arguments. A check `q3_2(ask, numbers)` returns Points.
"""

import math
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace

import numpy as np

from homework import class_numbers


class Refused(Exception):
    """Why an answer gets nothing: a sentence for the student, which never gives the answer away."""


class Unanswered(Refused):
    """Nobody has answered."""


@dataclass(frozen=True)
class Made:
    """An argument that is made where the student's code is: a maker's name and its numbers."""

    name: str
    arguments: tuple

    def __init__(self, name, *arguments):
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "arguments", arguments)


@dataclass(frozen=True)
class Points:
    """How many points an answer gets, and a sentence for each part that gets none."""

    points: float
    said: tuple[str, ...] = ()

    def __add__(self, other):
        return Points(self.points + other.points, self.said + other.said)

    def __float__(self):
        return float(self.points)


def worth(points, part, ask, numbers):
    """All of `points` if a part of a check raises nothing, otherwise none and its sentence."""
    try:
        part(ask, numbers)
    except Refused as refused:
        return Points(0.0, (str(refused),))
    except (ValueError, TypeError, IndexError, OverflowError):  # lists of odd lengths, for example
        return Points(0.0, ("The answer's values are not of the kind that was asked for.",))
    return Points(points)


def demand(holds, sentence):
    """Refuse an answer with a sentence, unless it holds."""
    if not holds:
        raise Refused(sentence)


def close(got, wanted, tol=1e-6):
    """Whether |got − wanted| <= tol · max(1, |wanted|) for each number, in the wanted shape.

    `got` is what came through the line: a boolean, a text or a list of another length is no number,
    and an infinity equals the same infinity only.
    """
    if isinstance(wanted, np.ndarray):
        wanted = wanted.tolist()
    if isinstance(wanted, (list, tuple)):
        fits = isinstance(got, list) and len(got) == len(wanted)
        return fits and all(close(*pair, tol) for pair in zip(got, wanted, strict=True))
    if not number(got):
        return False
    if math.isinf(wanted) or math.isinf(got):
        return got == wanted
    return abs(got - wanted) <= tol * max(1.0, abs(wanted))


def near(got, wanted):
    """What else may help somebody whose numbers are not close: a sentence, or ""."""
    if shape(got) != np.shape(wanted):
        return ""
    pairs = list(zip(np.ravel(got).tolist(), np.ravel(wanted).tolist(), strict=True))
    if any(isinstance(each, float) and math.isnan(each) for each, _ in pairs):
        return " It gives nan for numbers of ours: where does a 0 come in?"
    if all(number(each) and abs(each - of) <= 2e-3 * abs(of) for each, of in pairs):
        return " It is right to a few digits: did you round, or stop too early?"
    return ""


def number(value):
    """Whether a value that came through the line is a number, and not nan."""
    if type(value) is int:
        return abs(value) < 2**63
    return type(value) is float and not math.isnan(value)


def shape(value):
    """The shape of nested lists, or None where their lengths differ."""
    try:
        return np.shape(value)
    except ValueError:
        return None


def check_of(question):
    """The check of a question such as "3.2"."""
    problem = import_module(f"homework.checks.p{question[0]}")
    return getattr(problem, f"q{question.replace('.', '_')}")


def numbers_of(problem, seed, rng):
    """What a check gets as `numbers`: those of the class, and `rng`, a numpy Generator."""
    own = {name.lower(): value for name, value in class_numbers.of(problem, seed).items()}
    return SimpleNamespace(**own, rng=rng)
