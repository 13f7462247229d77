"""Values that prose quotes: in `16 %<!--= growth_percent -->` the comment says what 16 is.

What stands in front of the comment is the quotation: a number with its percent sign, a word, or
what is in `$…$`, `**…**`, backticks or quotation marks. A number that the expression yields
has to be the last one of the quotation, in the form in which that is shown; a list, as many of the
last ones; a text, all of it. Expressions are evaluated at the end of their section, in the kernel.
"""

import ast
import builtins
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

from nbformat import NotebookNode

from runner import notebook
from runner.quote.numbers import NUMBER, agrees, written

COMMENT = re.compile(r"<!--=(.*?)(?:-->|\Z)", re.DOTALL)  # or one that nobody has closed
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^(#{1,6}) ", re.MULTILINE)
ELEMENT = re.compile(  # what a comment's quotation is, at the end of what stands in front of it
    r"(?:\$(?P<formula>[^$]+)\$\$?|\*\*(?P<strong>[^*]+)\*\*|`(?P<code>[^`]+)`|“(?P<quoted>[^”]+)”"
    rf"|(?P<number>{NUMBER.pattern}[ \u00a0\u202f]?[%°‰])|(?P<word>[^\s|(\[]+))\Z"
)
LONGEST = 40  # characters of an expression
OPERATIONS = (ast.BinOp, ast.BoolOp, ast.Call, ast.Compare)
BEYOND = (ast.IfExp, ast.JoinedStr, ast.Lambda, ast.NamedExpr, ast.comprehension)
# Twice, for what draws random numbers or uses an iterator up yields another value then.
EVALUATE = (
    "__import__('json').dumps([v.tolist() if hasattr(v, 'tolist') else v "
    "for v in (lambda quoted: (quoted(), quoted()))(lambda: ({}))], default=float)"
)


@dataclass(frozen=True)
class Quotation:
    """A comment with an expression in a Markdown text.

    `before` is the text in front of it, from `start` on: back to the comment before, or to where
    the paragraph or the table's cell begins. `words` are the sentence that a reader sees.
    """

    expression: str
    start: int
    before: str
    words: str
    in_table: bool = False

    @property
    def end(self) -> int:
        return self.start + len(self.before)


@dataclass(frozen=True)
class Located:
    """A quotation in the Markdown cell `cell`; evaluated after the notebook's `after`th code."""

    quotation: Quotation
    cell: NotebookNode
    after: int

    @property
    def key(self) -> tuple[int, str]:
        return self.after, self.quotation.expression


def find(source: str) -> list[Quotation]:
    """The quotations of a Markdown text, in order; in code there are none."""
    masked = CODE.sub(lambda m: re.sub(r"[<>]", " ", m[0]), source)
    found, last = [], 0
    for comment in COMMENT.finditer(masked):
        line = masked.rfind("\n", 0, comment.start()) + 1
        table = masked.startswith("|", line)
        paragraph = masked.rfind("\n\n", 0, comment.start()) + 1
        cell = masked.rfind("|", line, comment.start()) + 1 if table else 0
        start, last = max(last, paragraph, cell), comment.end()
        before = source[start : comment.start()].lstrip("\n")
        start = comment.start() - len(before)
        words = _words(source[: comment.start()], source[comment.end() :])
        found.append(Quotation(comment[1].strip(), start, before, words, table))
    return found


def _words(before: str, after: str) -> str:
    """The sentence around a comment, less comments and marks, at most 90 characters."""
    begin = re.split(r"(?<=[.:?!])\s|\n\n|\|", COMMENT.sub("", before))[-1]
    end = re.split(r"(?<=[.?!])(?:\s|\Z)|\n\n|\|", COMMENT.sub("", after))[0]
    words = " ".join(f"{begin}{end}".replace("**", "").split()).lstrip("# ")
    return words if len(words) <= 90 else f"{words[:90].strip()}…"


def plan(nb: NotebookNode) -> list[Located]:
    """The quotations of a notebook, each with its place: after the last code of its section.

    A section ends where a heading of its own level, or of a higher one, begins: what the first
    cell quotes is evaluated at the notebook's end. Place 0 is before any code.
    """
    code = [cell for cell in notebook.code_cells(nb) if not notebook.injected(cell)]
    ran, places, level = {id(cell): n for n, cell in enumerate(code, start=1)}, [], 7
    executed = [ran.get(id(cell), 0) for cell in nb.cells]
    levels = [_level(cell) for cell in nb.cells]
    for number, cell in enumerate(nb.cells):
        level = levels[number] or level
        if cell.cell_type != "markdown":
            continue
        later = (i for i in range(number + 1, len(levels)) if 0 < levels[i] <= level)
        after = max(executed[: next(later, len(levels))], default=0)
        places += [Located(quotation, cell, after) for quotation in find(cell.source)]
    return places


def _level(cell: NotebookNode) -> int:
    """The level of the first heading in a cell; 0 without one."""
    heading = HEADING.search(cell.source) if cell.cell_type == "markdown" else None
    return len(heading[1]) if heading else 0


def unfit(quotation: Quotation) -> str:
    """Why an expression is not evaluated: the end of a sentence, or ""."""
    try:
        nodes = list(ast.walk(notebook.parse(quotation.expression, "eval")))
    except (SyntaxError, ValueError) as error:
        return f"cannot be read ({error.args[0]})"
    operations = sum(isinstance(node, OPERATIONS) for node in nodes)
    beyond = any(isinstance(node, BEYOND) for node in nodes)
    if operations > 1 or beyond or len(quotation.expression) > LONGEST:
        return (
            f"is more than a name, an index or one operation of at most {LONGEST} characters: "
            "compute it in a code cell, and quote its name"
        )
    if not {node.id for node in nodes if isinstance(node, ast.Name)} - {*dir(builtins)}:
        return "names nothing that was computed"
    if "$" in quotation.expression or (quotation.in_table and "|" in quotation.expression):
        return "has a $, or a | in a table, which a Markdown reader takes for its own"
    if not quotation.before or quotation.before[-1].isspace():
        return "does not stand directly behind what it is about"
    return ""


def request(expression: str) -> str:
    """What the kernel evaluates: the two values of an expression, as JSON."""
    return EVALUATE.format(expression)


def answer(reply: dict) -> dict:
    """{"value": …} or {"error": a sentence} of the kernel's reply to a `request`."""
    if not reply:
        return {"error": "its kernel evaluates no expressions"}
    if reply["status"] != "ok":
        return {"error": f"raises {reply['ename']}: {reply['evalue']}"[:300]}
    first, second = json.loads(ast.literal_eval(reply["data"]["text/plain"]))
    if json.dumps(first) != json.dumps(second):
        return {"error": f"yields {first}, and then {second}: it changes what it reads"}
    return {"value": first}


def keep(nb: NotebookNode, answers: dict[tuple[int, str], dict], given: dict) -> NotebookNode:
    """The executed notebook with the answers to what its prose quotes, and its own values in it.

    With parameters `given` it says so below its first text, and shows which words no longer hold.
    """
    located, changed = plan(nb), 0
    for cell in {id(each.cell): each.cell for each in located}.values():
        own = [answers.get(each.key) for each in located if each.cell is cell]
        cell.source, faults = rewritten(cell.source, own, both=bool(given))
        changed += len(faults)
    if located:
        nb.metadata["quoted"] = [
            {"after": after, "expression": expression} | found
            for (after, expression), found in answers.items()
        ]
    if located and given:
        values = ", ".join(f"{name} = {value!r}" for name, value in given.items())
        first = next(cell for cell in nb.cells if cell.cell_type == "markdown")
        first.source += (
            f"\n\n> **Executed with {values}.** The text quotes this run's values: {changed} "
            "of them are others than in the committed notebook."
        )
    return nb


def values(executed: NotebookNode) -> dict[tuple[int, str], dict]:
    """{key of a located quotation: its answer} that an artefact keeps."""
    kept = executed.metadata.get("quoted", [])
    return {(each["after"], each["expression"]): each for each in kept}


def fitted(before: str, value: object) -> tuple[list[tuple[int, int]], list[str]]:
    """Where in `before` the quotation stands, and what has to stand there, piece by piece.

    A piece that agrees with the value is what has to stand there. Raises ValueError, the end of a
    sentence, where there is no place for the value.
    """
    kind, start, end = _element(before)
    if isinstance(value, bool) or value is None:
        raise ValueError(f"yields {value}: write out the words in a code cell and quote those")
    if isinstance(value, str):
        old = before[start:end]
        return [(start, end)], [old if old.split() == value.split() else value]
    wanted = list(_flat(value))
    if not all(isinstance(n, (int, float)) and isfinite(n) for n in wanted):
        raise ValueError(f"yields {value}, which is no number")
    found = [m for m in NUMBER.finditer(before) if start <= m.start() and m.end() <= end]
    if len(found) < len(wanted):
        found = list(NUMBER.finditer(before))
    if len(found) < len(wanted) or not wanted:
        raise ValueError(f"yields {value}, and there is no such number in front of it")
    found = found[-len(wanted) :]
    pieces = [
        m[0] if agrees(m, n) else written(n, m, formula=kind == "formula")
        for m, n in zip(found, wanted, strict=True)
    ]
    return [m.span() for m in found], pieces


def _element(before: str) -> tuple[str, int, int]:
    match = ELEMENT.search(before)
    if not match:
        raise ValueError("has nothing in front of it")
    kind = next(name for name, text in match.groupdict().items() if text)
    return kind, *match.span(kind)


def _flat(value: object) -> Iterator[object]:
    for each in value if isinstance(value, list) else [value]:
        yield from _flat(each) if isinstance(each, list) else [each]


def fault(quotation: Quotation, found: dict | None) -> str:
    """What is wrong with a quotation, given the answer of its expression: a sentence, or ""."""
    said, code = f"“{quotation.words}”", f"<!--= {quotation.expression} -->"
    if why := unfit(quotation) or (found or {}).get("error", ""):
        return f"{said}: {code} {why}."
    if found is None:
        return f"{said}: {code} was not evaluated: no code is executed before its section ends."
    try:
        spans, pieces = fitted(quotation.before, found["value"])
    except ValueError as error:
        return f"{said}: {code} {error}."
    old = [quotation.before[start:end] for start, end in spans]
    if old == pieces:
        return ""
    return f"{said} says {', '.join(old)} and should say {', '.join(pieces)} ({code})."


def rewritten(
    source: str, answers: Sequence[dict | None], both: bool = False
) -> tuple[str, list[str]]:
    """(text, faults): a Markdown text with its quotations' own values; one without any stays.

    With `both`, a word that no longer holds is shown behind the one that does.
    """
    faults = []
    for quotation, found in reversed(list(zip(find(source), answers, strict=True))):
        if not (said := fault(quotation, found)):
            continue
        faults.insert(0, said)
        try:
            spans, pieces = fitted(quotation.before, (found or {})["value"])
        except (ValueError, KeyError):
            spans, pieces = [(len(quotation.before),) * 2] * both, [" (does not hold here)"]
        for (start, end), piece in reversed([*zip(spans, pieces, strict=False)]):
            start, end = start + quotation.start, end + quotation.start
            old = source[start:end]
            if both and old and old != piece and not NUMBER.fullmatch(old):
                piece = f"{piece} (not {old})"
            source = source[:start] + piece + source[end:]
    return source, faults


def faults(committed: NotebookNode, executed: NotebookNode) -> Iterator[tuple[Located, str]]:
    """Each quotation of a committed notebook, and what is wrong with it by its artefact, or ""."""
    found = values(executed)
    for located in plan(committed):
        yield located, fault(located.quotation, found.get(located.key))
