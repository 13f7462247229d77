"""A claim, the value that was computed for it, the value that it must have; and verdicts."""

import html
import numbers
import re

import numpy as np
from IPython import get_ipython
from IPython.display import Markdown, display

_checked = {}  # {claim: whether it held} of those that have been checked in this run
_run = {"own values": False, "aside": None}


class ClaimError(AssertionError):
    """A claim that did not hold."""


class ParameterError(ValueError):
    """A parameter that a notebook cannot take; the message is one sentence for its reader."""

    def _render_traceback_(self):
        # IPython shows this in the place of the traceback.
        return [f"ParameterError: {self}"]


def start(**parameters):
    """Forget what was checked before, and look at the notebook's parameters.

    {name: (value, the course's value, least, most)}, or (value, None) for a file. ParameterError
    names the first value that is of another kind or out of bounds. The claims of a notebook are
    about the course's values: a reader who changes one is told which claims no longer hold, and the
    notebook goes on.
    """
    _checked.clear()
    for name, (value, own, *ends) in parameters.items():
        kinds = (int, np.integer) if isinstance(own, int) else (int, float, np.number)
        fits = isinstance(value, kinds) and not isinstance(value, bool) if ends else True
        if not (fits and (not ends or ends[0] <= value <= ends[1])):
            kind = "a whole number" if isinstance(own, int) else "a number"
            raise ParameterError(
                f"{name} = {value!r} is not {kind} from {ends[0]:,} to {ends[1]:,}. Write one in "
                "the first code cell, and run the notebook again."
            )
    _run["own values"] = any(value != own for value, own, *_ in parameters.values())


def aside():
    """Put what the running cell checks behind a fold of its own; what misses is always in sight.

    For a cell of bookkeeping: JupyterLab unfolds outputs when it runs their cell.
    """
    if (shell := get_ipython()) is None:
        return

    def show(*_):
        shell.events.unregister("post_run_cell", show)
        lines, _run["aside"] = _run["aside"], None
        if lines:
            said = f"✓ {len(lines)} check{'s' * (len(lines) > 1)}"
            text = "\n".join(lines)
            folded = f"<details><summary>{said}</summary><pre>{html.escape(text)}</pre></details>"
            display({"text/plain": text, "text/html": folded}, raw=True)

    _run["aside"] = []
    shell.events.register("post_run_cell", show)


def _say(line):
    if _run["aside"] is None:
        print(line)
    else:
        _run["aside"].append(line)


def check(claim, got, expected, tol=1e-9):
    """Print `✓ claim: got`, or raise ClaimError that names claim, got, expected and tolerance.

    Numbers and arrays of numbers: the same shape, not empty, and |got - expected| <= tol in every
    entry; nan never passes, an infinity only against the same infinity. Booleans must be booleans.
    Everything else (text, tuples, symbolic expressions) must be equal.
    """
    if not _demand(claim, got, expected, tol):
        return
    if got is True or got is np.True_:
        _say(f"✓ {claim}")
    elif np.ndim(got) == 0 and np.asarray(got).dtype.kind == "f" and abs(got) <= tol:
        # What is 0 within the tolerance has no digit that holds on every machine.
        _say(f"✓ {claim}: below {tol:g}")
    else:
        _say(f"✓ {claim}: {_text(_without_noise(got, tol), 4)}")


def check_each(claim, found, expected, tol=1e-9):
    """`check` every value of `found` {name: value}, in one line that names them all.

    `expected` is {name: value} with the same names, or one value for all of them. The claims that
    `held` knows afterwards are `claim`, and `claim: name` for each name.
    """
    if not found:
        _miss(claim, "there is nothing to check")
        return
    wanted = expected if isinstance(expected, dict) else dict.fromkeys(found, expected)
    if wanted.keys() != found.keys():
        raise ValueError(f"{claim}: found {list(found)}, but expected {list(wanted)}")
    each = [_demand(f"{claim}: {name}", got, wanted[name], tol) for name, got in found.items()]
    _checked[claim] = all(each)  # of a list: every miss is said
    if not _checked[claim]:
        return
    exact = not any(
        _is_number(value) and np.asarray(value).dtype.kind in "fc" for value in found.values()
    )
    _say(f"✓ {claim}{'' if exact else f' (each to {tol:g})'}: {', '.join(map(str, found))}")


def below(claim, got, bound, unit=""):
    """Print `✓ claim: got (below bound)`, or raise ClaimError; `got` and `bound` are numbers."""
    _compare(claim, got, bound, unit, "below", np.less)


def above(claim, got, bound, unit=""):
    """Print `✓ claim: got (above bound)`, or raise ClaimError; `got` and `bound` are numbers."""
    _compare(claim, got, bound, unit, "above", np.greater)


def _demand(claim, got, expected, tol):
    """Whether a claim holds, without a word where it does."""
    if not (isinstance(tol, numbers.Real) and 0 <= tol < np.inf):
        raise ValueError(f"tol must be a finite number >= 0, not {tol!r}")
    if not (holds := _holds(got, expected, tol)):
        _miss(claim, f"got {_text(got, 10)}, expected {_text(expected, 10)}, tolerance {tol:g}")
    _checked[claim] = holds
    return holds


def _miss(claim, said):
    """Stop, or with values of the reader's own say that the claim does not hold."""
    if not _run["own values"]:
        raise ClaimError(f"✗ {claim}: {said}")
    _checked[claim] = False
    print(f"✗ with your values, no: {claim}: {said}")


def _compare(claim, got, bound, unit, word, compare):
    pair = [np.asarray(value) for value in (got, bound)]
    numbers_only = all(part.ndim == 0 and part.dtype.kind in "iuf" for part in pair)
    if not (numbers_only and bool(compare(got, bound))):
        _miss(claim, f"got {_text(got, 10)}{unit}, not {word} {_text(bound, 10)}{unit}")
        return
    _checked[claim] = True
    _say(f"✓ {claim}: {_text(got, 4)}{unit} ({word} {_text(bound, 4)}{unit})")


def held(*claims):
    """Whether each of these claims held: True, or None where one missed with a reader's values.

    ClaimError names a claim that was never checked.
    """
    for claim in claims:
        if claim not in _checked:
            raise ClaimError(f"✗ the claim {claim!r} has not been checked")
    return True if all(_checked[claim] for claim in claims) else None


def refuted(*claims):
    """The part of a verdict on what these claims contradict: False, or None as for `held`."""
    return None if held(*claims) is None else False


def stands(*parts, words=("yes", "no", "half")):
    """The word for what is true in all of its `parts`, in none, or in some of them.

    Parts are booleans; with None among them, for what these parameters do not decide, "open".
    """
    if None in parts:
        return "open"
    if not parts or not all(isinstance(part, (bool, np.bool_)) for part in parts):
        raise TypeError(f"the parts of a verdict are True, False or None, not {parts!r}")
    return words[0] if all(parts) else words[2] if any(parts) else words[1]


def truth(*parts):
    """`stands` for a statement: "true", "false" or "half true"."""
    return stands(*parts, words=("true", "false", "half true"))


def right(*parts):
    """`stands` for a reason: "right", "wrong" or "half right"."""
    return stands(*parts, words=("right", "wrong", "half right"))


def side(ends):
    """Where an interval (estimate, low, high) lies: "above" zero, "below" it, or "open"."""
    _, low, high = ends
    return "above" if low > 0 else "below" if high < 0 else "open"


def say(which, **sentences):
    """Show the one of `sentences` that is called `which`, as Markdown.

    For a conclusion that other data or another seed may turn around: each way that it can come out
    is written in full, and is true where it is shown. The output keeps the others, unseen, so
    that `tests/test_branches.py` can print them for reading.
    """
    if which not in sentences:
        raise KeyError(f"nothing is written for {which!r}, only for {', '.join(sentences)}")
    typeset = {name: re.sub(r"(?<![\w.)])-(?=\d)", "−", text) for name, text in sentences.items()}
    display(Markdown(typeset[which]), metadata={"branches": typeset})


def show_table(header, rows):
    """Show a table, with `header` (n,) and `rows` of n texts each, as Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    if any(len(row) != len(header) for row in rows):
        raise ValueError(f"each row has to have {len(header)} cells, as the header does")
    display(Markdown("\n".join(f"| {' | '.join(row)} |" for row in lines)))


def _holds(got, expected, tol):
    if _is_number(got) and _is_number(expected):
        got, expected = np.asarray(got), np.asarray(expected)
        if got.shape != expected.shape or got.size == 0:
            return False
        with np.errstate(invalid="ignore"):
            return bool(np.all((got == expected) | (np.abs(got - expected) <= tol)))
    if _is_number(got) or _is_number(expected):
        return False
    if isinstance(got, np.ndarray) or isinstance(expected, np.ndarray):
        same = np.asarray(got), np.asarray(expected)
        return same[0].size > 0 and same[0].dtype == same[1].dtype and np.array_equal(*same)
    if isinstance(expected, (bool, np.bool_)) != isinstance(got, (bool, np.bool_)):
        return False
    return bool(got == expected)


def _without_noise(value, tol):
    return np.where(np.abs(value) <= tol, 0, value)[()] if _is_number(value) else value


def _is_number(value):
    """Whether `value` is a number or a (nested) sequence of numbers; a boolean is neither."""
    if isinstance(value, str) or not isinstance(value, (np.ndarray, list, tuple, numbers.Number)):
        return hasattr(value, "__array__") and np.asarray(value).dtype.kind in "iufc"
    try:
        return np.asarray(value).dtype.kind in "iufc"
    except ValueError:
        return False


def _text(value, digits):
    if not _is_number(value):
        return str(value)
    array = np.asarray(value)
    if array.ndim == 0:
        return f"{array[()]}" if array.dtype.kind in "iu" else f"{array[()]:.{digits}g}"
    if array.size > 16:
        low, high = _text(array.min(), digits), _text(array.max(), digits)
        return f"{array.shape} values from {low} to {high}"
    return "[" + ", ".join(_text(entry, digits) for entry in array) + "]"
