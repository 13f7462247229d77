"""*Try it* in an assignment: one worked example of an answer, or one sentence if it does not hold.

The sentence says where to look, and never how to get there. Points do not come from here.
"""

import ast
import linecache
import numbers
import traceback

import numpy as np
from IPython import get_ipython


class NotYet(Exception):
    """An answer that does not pass its example; `state` is not answered, missing or wrong."""

    def __init__(self, state, sentence):
        super().__init__(sentence)
        self.state = state

    def _render_traceback_(self):
        # IPython shows this in the place of the traceback.
        return [str(self)]


def example(question, call, expected, hint="", tol=1e-6, claim=""):
    """Evaluate `call` in the notebook, and print `✓ question: call is value`, or `claim`.

    `expected` is a number, an array, a boolean, a text, a tuple of these, or a type alone. Raises
    NotYet, one sentence, where the answer is missing, stops, is of another type or shape, or is
    more than `tol` away; `hint` says then what to look at.
    """
    names = get_ipython().user_ns
    if name := _still_none(call, names):
        raise NotYet("not answered", f"{question} is not answered yet: {name} is None.")
    try:
        got = eval(call, names)
    except NotImplementedError as error:
        *_, (_, _, name) = [("", 0, call), *_frames(error, names)]
        open_ = f"{question} is not answered yet: {name} raises NotImplementedError."
        raise NotYet("not answered", open_) from None
    except Exception as error:
        missing = isinstance(error, NameError) and not _frames(error, names)
        state = "missing" if missing else "wrong"
        raise NotYet(state, f"{question}: {call} stops with {said(error, names)}") from None
    if got is None:
        raise NotYet("wrong", f"{question}: {call} gives None. Is a return missing?")
    if fault := mismatch(got, expected, tol):
        fault = f"it should be that {claim}" if claim else f"{call} {fault}"
        about = hint if ", and should be " in fault or claim else ""  # and not a matter of its type
        raise NotYet("wrong", f"{question}: {fault}. {about}".strip())
    judged = expected is bool or expected is set  # what is in it is for the grader to judge
    shown = _a(expected) if judged else text(got)
    print(f"✓ {question}: {claim or f'{call} is {shown}'}")


def _still_none(call, names):
    """The first name in the call whose value is still None, or ""."""
    nodes = ast.walk(ast.parse(call, mode="eval"))
    used = [node.id for node in nodes if isinstance(node, ast.Name)]
    return next((name for name in used if names.get(name, "") is None), "")


def said(error, names):
    """An error in one line, with the line of the notebook that it comes from."""
    what = f"{type(error).__name__}: {error}".rstrip(":. ").splitlines()[0][:200]
    frames = _frames(error, names)
    if isinstance(error, SyntaxError) and not frames:
        line = (error.text or "").strip()
        return f"{type(error).__name__}: {error.msg}, in its line {error.lineno}: {line}"
    if not frames and isinstance(error, NameError):
        return f"{what}: its cell was not run, has stopped, or uses another name."
    lost = ". Is a return missing?" if "NoneType" in what else ""
    for file, number, _ in reversed(frames):
        lines = linecache.getlines(file)
        if number <= len(lines):
            begins = next(line.strip() for line in lines if line.strip())
            line = lines[number - 1].strip()
            return f"{what}, in line {number} of the cell that begins with “{begins}”: {line}{lost}"
    return f"{what}{lost or '.'}"


def _frames(error, names):
    """[(file, line, function)] of the frames in the notebook's own cells, outermost first."""
    walked = traceback.walk_tb(error.__traceback__)
    own = [(f.f_code.co_filename, n, f.f_code.co_name) for f, n in walked if f.f_globals is names]
    return [frame for frame in own if frame[0] != "<string>"]


def mismatch(got, expected, tol):
    """What is wrong with a value, as the rest of a sentence; "" where it is what is expected."""
    if isinstance(expected, type):
        allowed = (bool, np.bool_) if expected is bool else expected
        return "" if isinstance(got, allowed) else f"is {kind(got)}, not {_a(expected)}"
    if isinstance(expected, (bool, np.bool_, str)):
        allowed = (str,) if isinstance(expected, str) else (bool, np.bool_)
        if not isinstance(got, allowed):
            return f"is {kind(got)}, not {kind(expected)}"
        return "" if got == expected else f"is {text(got)}, and should be {text(expected)}"
    if isinstance(expected, tuple):
        got = list(got) if isinstance(got, np.ndarray) and got.ndim else got
        if not isinstance(got, (tuple, list)) or len(got) != len(expected):
            return f"is {kind(got)}, not {len(expected)} values"
        faults = [mismatch(*pair, tol) for pair in zip(got, expected, strict=True)]
        if not any(faults) or all(map(_is_number, [*got, *expected])):
            return any(faults) * f"is {text(tuple(got))}, and should be {text(expected)}"
        return next(f"{fault} (value {n})" for n, fault in enumerate(faults, 1) if fault)
    expected = np.asarray(expected, dtype=float)
    values = _numbers(got)
    if values is None or values.shape != expected.shape:
        return f"is {kind(got if values is None else values)}, not {kind(expected)}"
    with np.errstate(invalid="ignore"):
        close = (values == expected) | (np.abs(values - expected) <= tol)
    return "" if np.all(close) else f"is {text(values)}, and should be {text(expected)}"


def _numbers(value):
    """The array that a value can be read as, or None; a boolean or a text is no number."""
    try:
        unlike = isinstance(value, (bool, np.bool_, str, bytes))
        return None if unlike else np.asarray(value, dtype=float)
    except (TypeError, ValueError, RuntimeError):
        return None


def _is_number(value):
    array = _numbers(value)
    return array is not None and array.ndim == 0


def kind(value):
    """A value's type and shape, in words."""
    if isinstance(value, (bool, np.bool_)):
        return _a(bool)
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of shape {value.shape}"
    if isinstance(value, numbers.Number) or (isinstance(value, np.ndarray) and not value.ndim):
        return "one number"
    many = f" of {len(value)}" if isinstance(value, (list, tuple, set, dict)) else ""
    return _a(type(value)) + many


def _a(each):
    names = {bool: "True or False", str: "a text", np.ndarray: "an array"}
    article = "an" if each.__name__[0].lower() in "aeiou" else "a"
    return names.get(each, f"{article} {each.__name__}")


def text(value):
    """A value to read: at most four digits of each number, and of a large array its shape."""
    if isinstance(value, (bool, np.bool_, str)):
        return str(value)
    if isinstance(value, set):
        return f"{{{', '.join(sorted(map(text, value)))}}}"
    if isinstance(value, tuple):
        return f"({', '.join(map(text, value))}{',' * (len(value) == 1)})"
    array = _numbers(value)
    if array is None:
        return kind(value)
    if array.size > 16:
        return kind(array)
    if array.ndim:
        return f"[{', '.join(map(text, array))}]"
    whole = np.isfinite(array) and array == np.round(array) and abs(array) < 1e9
    return f"{int(array)}" if whole else f"{array:.4g}"
