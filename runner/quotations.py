"""Values that prose quotes: in `16 %<!--= 100 * (growth - 1) -->` the comment says what 16 is.

What stands in front of the comment is the quotation: a number with its percent sign, a word, or
what is in `$…$`, `**…**`, `*…*`, backticks or quotation marks. A number that the expression yields
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
from runner.shown import NUMBER, WORDS, agrees, in_words, written

COMMENT = re.compile(r"<!--=(.*?)(?:-->|\Z)", re.DOTALL)  # or one that nobody has closed
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^(#{1,6}) ", re.MULTILINE)
ELEMENT = re.compile(  # what a comment's quotation is, at the end of what stands in front of it
    r"(?:\$\$(?P<display>[^$]+)\$\$|\$(?P<formula>[^$]+)\$|\*\*(?P<strong>[^*]+)\*\*|\*(?P<em>[^*]+)\*"
    r"|`(?P<code>[^`]+)`|“(?P<quoted>[^”]+)”|\"(?P<straight>[^\"]+)\"|\[(?P<link>[^\]]+)\]\([^)]*\)"
    rf"|(?P<number>{NUMBER.pattern}[ \u00a0\u202f]?[%°‰])|(?P<word>[^\s|(\[]+))\Z"
)
FORMULAS = ("display", "formula")
CHANGES = re.compile(  # what may change the notebook's namespace, or what is in it
    "globals|locals|vars|exec|eval|[sd]e[tl]attr|open|input|__import__|get_ipython|append|extend|"
    "insert|pop|popitem|remove|clear|update|setdefault|sort|reverse|add|discard|fill|put|resize"
)
# Twice, for what draws random numbers or uses an iterator up yields another value then.
EVALUATE = (
    "__import__('json').dumps([v.tolist() if hasattr(v, 'tolist') else v "
    "for v in (lambda quoted: (quoted(), quoted()))(lambda: ({}))], default=float)"
)


@dataclass(frozen=True)
class Quotation:
    """A comment with an expression in a Markdown text.

    `before` is the text in front of it, from `start` on: back to the comment before, or to where
    the paragraph, the item or the table's cell begins. `words` are the sentence that a reader sees.
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
class Placed:
    """A quotation in the Markdown cell `cell` of a notebook; evaluated after its `after`th code."""

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
        begins = [last]
        if (gap := masked.rfind("\n\n", 0, comment.start())) >= 0:
            begins.append(gap + 2)
        if table:
            begins.append(masked.rfind("|", line, comment.start()) + 1)
        if item := re.match(r"\s*([-*]|\d+\.)\s+", masked[line:]):
            begins.append(line + item.end())
        start, last = min(max(begins), comment.start()), comment.end()
        before = source[start : comment.start()]
        words = _words(source, comment.start(), comment.end())
        found.append(Quotation(comment[1].strip(), start, before, words, table))
    return found


def _words(source: str, start: int, end: int) -> str:
    """The sentence around a comment, less comments and marks, at most 90 characters."""
    before = re.split(r"(?<=[.:?!])\s|\n\n|\|", COMMENT.sub("", source[:start]))[-1]
    after = re.split(r"(?<=[.?!])(?:\s|\Z)|\n\n|\|", COMMENT.sub("", source[end:]))[0]
    words = " ".join(f"{before}{after}".replace("**", "").replace("::", ":").split()).lstrip("# ")
    if len(words) <= 90:
        return words
    begin = max(0, min(len(before) - 60, len(words) - 90))
    return "…" * (begin > 0) + words[begin : begin + 90].strip() + "…" * (begin + 90 < len(words))


def plan(nb: NotebookNode) -> list[Placed]:
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
        places += [Placed(quotation, cell, after) for quotation in find(cell.source)]
    return places


def _level(cell: NotebookNode) -> int:
    """The level of the first heading in a cell; 0 without one."""
    heading = HEADING.search(cell.source) if cell.cell_type == "markdown" else None
    return len(heading[1]) if heading else 0


def unfit(quotation: Quotation) -> str:
    """Why an expression is not evaluated: a sentence, or ""."""
    try:
        tree = ast.parse(quotation.expression, mode="eval")
    except (SyntaxError, ValueError) as error:
        return f"cannot be read ({error.args[0]})"
    kinds = [type(node).__name__ for node in ast.walk(tree)]
    names = {n.id: type(n.ctx) for n in ast.walk(tree) if isinstance(n, ast.Name)}
    own = {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    computed = {n for n, use in names.items() if use is ast.Load} - own - {*dir(builtins)}
    called = {*names} | {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    if {"NamedExpr", "Await", "Yield", "YieldFrom"} & {*kinds} or any(
        map(CHANGES.fullmatch, called)
    ):
        return "may change what the cells below find"
    if not computed:
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

    With parameters `given`, it says so below its first text, and shows what no longer holds.
    """
    placed, changed = plan(nb), 0
    for cell in {id(each.cell): each.cell for each in placed}.values():
        own = [answers.get(each.key) for each in placed if each.cell is cell]
        cell.source, faults = rewritten(cell.source, own, struck=bool(given))
        changed += len(faults)
    if placed:
        nb.metadata["quoted"] = [
            {"after": after, "expression": expression} | found
            for (after, expression), found in answers.items()
        ]
    if placed and given:
        values = ", ".join(f"{name} = {value!r}" for name, value in given.items())
        first = next(cell for cell in nb.cells if cell.cell_type == "markdown")
        first.source += (
            f"\n\n> **Executed with {values}.** The text quotes this run's values: {changed} "
            "of them are others than in the committed notebook, and words that no longer hold are "
            "struck through."
        )
    return nb


def values(executed: NotebookNode) -> dict[tuple[int, str], dict]:
    """{key of a placed quotation: its answer} that an artefact keeps."""
    kept = executed.metadata.get("quoted", [])
    return {(each["after"], each["expression"]): each for each in kept}


def fitted(before: str, value: object) -> tuple[list[tuple[int, int]], list[str]]:
    """Where in `before` the quotation stands, and what has to stand there, piece by piece.

    A piece that agrees with the value is what has to stand there. Raises ValueError, the end of a
    sentence, where there is no place for the value.
    """
    kind, start, end = _element(before)
    if isinstance(value, bool) or value is None:
        raise ValueError(f"yields {value}: write out the words, 'more' if … else 'less'")
    if isinstance(value, str):
        old = before[start:end]
        same = _bare(old, kind) == _bare(value, kind)
        return [(start, end)], [old if same else value]
    wanted = list(_flat(value))
    if not all(isinstance(n, (int, float)) and isfinite(n) for n in wanted):
        raise ValueError(f"yields {value}, which is no number")
    word = before[start:end].lower()
    if len(wanted) == 1 and kind == "word" and word in WORDS:
        return [(start, end)], [in_words(wanted[0], before[start:end])]
    found = [m for m in NUMBER.finditer(before) if start <= m.start() and m.end() <= end]
    if len(found) < len(wanted):
        found = list(NUMBER.finditer(before))
    if len(found) < len(wanted) or not wanted:
        raise ValueError(f"yields {value}, and there is no such number in front of it")
    found = found[-len(wanted) :]
    pieces = [
        m[0] if agrees(m, n) else written(n, m, formula=kind in FORMULAS)
        for m, n in zip(found, wanted, strict=True)
    ]
    return [m.span() for m in found], pieces


def _element(before: str) -> tuple[str, int, int]:
    match = ELEMENT.search(before)
    if not match:
        raise ValueError("has nothing in front of it")
    kind = next(name for name, text in match.groupdict().items() if text)
    return kind, *match.span(kind)


def _bare(text: str, kind: str) -> str:
    """A text with what makes no difference to its reader left out."""
    if kind not in FORMULAS:
        return " ".join(text.split())
    spaces = r"\\(?:left|right|q?quad)(?![a-zA-Z])|(?<!\\)\\[,;:! ]"
    text = re.sub(spaces, "", text)
    text = re.sub(r"\\[td]frac(?![a-z])", r"\\frac", text)
    text = re.sub(r"([_^])\{(\w)\}", r"\1\2", text)
    return re.sub(r"\s+", "", text)


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
    source: str, answers: Sequence[dict | None], struck: bool = False
) -> tuple[str, list[str]]:
    """(text, faults): a Markdown text with its quotations' own values; what has none stays.

    With `struck`, words that have changed, and what has no value, stay to be read, struck through.
    """
    faults = []
    for quotation, found in reversed(list(zip(find(source), answers, strict=True))):
        if not (said := fault(quotation, found)):
            continue
        faults.insert(0, said)
        try:
            spans, pieces = fitted(quotation.before, (found or {})["value"])
        except (ValueError, KeyError):
            spans, pieces = [], []
        if struck:
            source = _struck(source, quotation, spans, pieces)
            continue
        for (start, end), piece in reversed([*zip(spans, pieces, strict=True)]):
            source = source[: quotation.start + start] + piece + source[quotation.start + end :]
    return source, faults


def _struck(source: str, quotation: Quotation, spans: list, pieces: list[str]) -> str:
    """The text with numbers replaced, and with words that no longer hold struck through."""
    for (start, end), piece in reversed([*zip(spans, pieces, strict=True)]):
        old, at = quotation.before[start:end], quotation.start
        if old == piece:
            continue
        if not NUMBER.fullmatch(old) and "$" not in quotation.before[end : end + 2]:
            start, end, piece = _with_marks(quotation.before, start, end, piece)
        source = source[: at + start] + piece + source[at + end :]
    if spans:
        return source
    return f"{source[: quotation.end]} **(does not hold here)**{source[quotation.end :]}"


def _with_marks(before: str, start: int, end: int, piece: str) -> tuple[int, int, str]:
    """The place and text of a replacement that shows the old words, `**` and the like included."""
    while start and end < len(before) and before[start - 1] == before[end] and before[end] in "*`":
        start, end = start - 1, end + 1
    return start, end, f"~~{before[start:end].strip('*')}~~ **{piece}**"


def faults(committed: NotebookNode, executed: NotebookNode) -> Iterator[tuple[Placed, str]]:
    """Each quotation of a committed notebook, and what is wrong with it by its artefact, or ""."""
    found = values(executed)
    for placed in plan(committed):
        yield placed, fault(placed.quotation, found.get(placed.key))
