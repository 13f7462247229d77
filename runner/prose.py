"""Numbers in a finished page's prose: each has its expression, or is of a kind that is checked."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from runner import notebook, quotations

NUMBER = re.compile(r"[-+−]?\d[\d.,⁰¹²³⁴⁵⁶⁷⁸⁹⁻]*|[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
UNSEEN = re.compile(r"<!--.*?-->|(?<=\])\([^)\s]*\)|<?https?://[^\s>]*", re.DOTALL)
LINK = re.compile(r"\[(\d+) · [^\]]*\]\((?:[^)]*/)?([^)/]*)\)")
FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$]+\$", re.DOTALL)
INDEXED = re.compile(r"((?:\\?[a-zA-Z]+|[)}\]]|(?<=\d))\s*[_^]\s*)(\{[^{}]*\}|\d)")
HEADING = re.compile(r"^#{1,6} (?:[A-Z][a-z]+ )?(\d+(?:\.\d+)?)(?=\.? )", re.MULTILINE)
LAST = re.compile(r"^#{1,6} [^\n]*\D(\d+)$", re.MULTILINE)
ITEM = re.compile(r"^(\d+)\. ", re.MULTILINE)
FIRST = re.compile(r"(?:\A|\n\n)\Z")
PART = r"([Pp]roblem|[Nn]otebook|[Ss]ection|[Ii]tem|[Ee]xercise)s? "
REFERENCE = re.compile(rf"(?:([Pp]roblem|[Nn]otebook) (\d), )?{PART}((?:\d+(?:, | and | to )?)+)")
CITATION = re.compile(r"((?:[A-Z][\w’'-]+(?: et al\.)?(?: & | and |, | ))+)\(?(\d{4})\b")
NAME = re.compile(r"(?<![\w.])(?=[\w.-]*\d)[A-Za-z][\w-]*\b")
TITLE = re.compile(r"\A# [^\n]*\n+\*\*[^\n]*?\*\*")


class Page:
    """The prose of a notebook or page, with what is checked blanked out, bit by bit."""

    def __init__(self, nb: NotebookNode, path: Path, root: Path, answers: dict):
        self.path, self.root, self.said = path, root, []
        self.cells = [cell for cell in nb.cells if cell.cell_type == "markdown"]
        self.texts = [cell.source for cell in self.cells]
        self.whole = "\n\n".join(self.texts)
        self.symbols = set()  # of the formulas that an expression yields whole
        for placed in quotations.plan(nb):
            self._quoted(placed, answers.get(placed.key, {}).get("value"))

    def _quoted(self, placed: quotations.Placed, value: object) -> None:
        try:
            spans, _ = quotations.fitted(placed.quotation.before, value)
        except ValueError:
            return
        number = next(i for i, cell in enumerate(self.cells) if cell is placed.cell)
        for start, end in spans:
            at = placed.quotation.start
            if isinstance(value, str):
                formula = self.texts[number][at + start : at + end]
                self.symbols |= {"".join(m.groups()) for m in INDEXED.finditer(formula)}
            self._blank(number, at + start, at + end)

    def _blank(self, number: int, start: int, end: int) -> None:
        text = self.texts[number]
        blank = re.sub(r"[^\n]", " ", text[start:end])
        self.texts[number] = text[:start] + blank + text[end:]

    def take(self, pattern: re.Pattern, groups: tuple[int, ...] = (0,)) -> Iterator[re.Match]:
        """Each match in the texts, whose groups are blanked out: whoever asks checks them."""
        for number in range(len(self.texts)):
            for match in list(pattern.finditer(self.texts[number])):
                for group in groups:
                    self._blank(number, *match.span(group))
                yield match

    def expect(self, good: bool, what: str) -> None:
        self.said += [] if good else [f"{notebook.called(self.path)}: {what}."]


def unquoted(nb: NotebookNode, path: Path, root: Path, answers: dict) -> list[str]:
    """A sentence for each number in the prose that nothing checks, or that is not what it says."""
    page = Page(nb, path, root, answers)
    _links(page)
    for _ in [*page.take(quotations.CODE), *page.take(UNSEEN)]:
        pass
    for kind in (
        _title,
        _headings,
        _last_in_headings,
        _items,
        _citations,
        _references,
        _indices,
        _names,
    ):
        kind(page)
    for text in page.texts:
        for number in NUMBER.finditer(text):
            words = " ".join(text[max(0, number.start() - 50) : number.end() + 20].split())
            page.expect(False, f"“…{words}…” has {number[0]}, and no expression says what it is")
    return page.said


def _links(page: Page) -> None:
    """The number that begins a link's text is that of the notebook it leads to."""
    for match in page.take(LINK, (1,)):
        good = match[2].partition("-")[0].lstrip("0") == match[1]
        page.expect(good, f"the link “{match[0]}” has another number than its notebook")


def _title(page: Page) -> None:
    """A notebook's title has the numbers that the front page's row of it has."""
    front = page.root / "README.md"
    if page.path.suffix == ".md" or not front.is_file():
        return
    rows = front.read_text(encoding="utf-8").splitlines()
    row = next((r for r in rows if r.startswith("|") and page.path.name in r), "")
    seen = {int(n) for n in re.findall(r"\d+", UNSEEN.sub("", row))}
    for match in list(TITLE.finditer(page.texts[0])):
        for number in re.findall(r"\d+", match[0]):
            page.expect(int(number) in seen, f"its title has {number}, and README.md's row has not")
        page._blank(0, *match.span())


def _headings(page: Page) -> None:
    """They count up."""
    before = None
    for match in page.take(HEADING, (1,)):
        parts = [int(part) for part in match[1].split(".")]
        follows = before is None or parts[-1] == before[-1] + 1 and parts[:-1] == before[:-1]
        page.expect(follows, f"the heading “{match[0]}” does not follow the one before")
        before = parts


def _last_in_headings(page: Page) -> None:
    """The numbers that headings end with, such as those of solutions, count up from 1."""
    for place, match in enumerate(page.take(LAST, (1,)), start=1):
        good = int(match[1]) == place
        page.expect(good, f"the heading “{match[0]}” is number {place} of those that end with one")


def _items(page: Page) -> None:
    """The items of a list count up."""
    before = 0
    for match in page.take(ITEM, (1,)):
        number = int(match[1])
        begins = FIRST.search(match.string[: match.start()])
        follows = number == (1 if begins else before + 1)
        page.expect(follows, f"the item {number} of a list comes after {before}")
        before = number


def _citations(page: Page) -> None:
    """A year behind an author's name: the list of references has both."""
    file = page.root / "docs" / "references.md"
    known = file.read_text(encoding="utf-8") if file.is_file() else ""
    for match in page.take(CITATION, (2,)):
        names = re.findall(r"[A-Z][\w’'-]+", match[1])
        there = any(
            match[2] in line and all(name in line for name in names) for line in known.splitlines()
        )
        page.expect(there, f"{match[0].strip()}) is not in docs/references.md")


def _references(page: Page) -> None:
    """A problem, section, item or exercise that is named is there."""
    for match in page.take(REFERENCE):
        whole, kind = page.whole, match[3].lower()
        if match[2]:
            whole = _prose_of(page.root, match[2])
        for number in re.findall(r"\d+", match[4]):
            if kind in ("problem", "notebook"):
                there = bool(list((page.root / "notebooks").glob(f"0{number}-*.ipynb")))
            elif kind == "exercise":
                there = f"\n{number}. " in whole.partition("## Going further")[2]
            else:
                there = number in HEADING.findall(whole)
            page.expect(there, f"there is no {kind} {number} (“{match[0].strip()}”)")


@functools.cache
def _prose_of(root: Path, number: str) -> str:
    paths = (root / "notebooks").glob(f"0{number}-*.ipynb")
    cells = [cell for path in paths for cell in notebook.load(path).cells]
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def _indices(page: Page) -> None:
    """An index or exponent: a formula that has its expression has the same symbol."""
    for number in range(len(page.texts)):
        for formula in list(FORMULA.finditer(page.texts[number])):
            for match in INDEXED.finditer(formula[0]):
                if re.search(r"\d", match[2]):
                    symbol = "".join(match.groups())
                    known = symbol in page.symbols
                    page.expect(known, f"{symbol} is in no formula that an expression yields")
                    at = formula.start()
                    page._blank(number, at + match.start(2), at + match.end(2))


def _names(page: Page) -> None:
    """A name with a digit, such as float64: the project's code or another page has it."""
    for match in page.take(NAME):
        page.expect(match[0] in _words(page.root), f"{match[0]} is no name of the project's code")


@functools.cache
def _words(root: Path) -> set[str]:
    """The words of the project's code."""
    folders = [root / "helpers", root / "runner"]
    found = [p.read_text(encoding="utf-8") for f in folders for p in sorted(f.glob("*.py"))]
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        found += [cell.source for cell in notebook.code_cells(notebook.read(path))]
    return {word for text in found for word in re.findall(r"[\w-]+", text)}
