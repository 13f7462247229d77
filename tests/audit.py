"""The audit: change one thing that a reader sees, and count how often the comparison says so.

`make audit` changes every digit, sign and verdict word of the outputs, the prose and the figures'
data, one at a time, against the artefacts in build/, and every letter and digit that a figure
draws; it prints how many were caught, and misses with their places. test_audit.py does a sample.
"""

import argparse
import base64
import copy
import io
import json
import pickle
import random
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat

from runner import compare, notebook, prose, quotations
from runner.execute import execute
from runner.job import Job

ROOT = Path(__file__).resolve().parents[1]
FIGURE = "application/vnd.course.figure+json"
SIGN = re.compile(r"(?<![\w)\]}])[-+−](?=[\d.])")
FORMULA_SIGN = re.compile(r"(?<=[\w})\s])[-+](?=[\s\w\\(])")
OPPOSITES = dict(
    pair
    for one, other in [
        ("yes", "no"), ("true", "false"), ("right", "wrong"), ("stands", "fails"),
        ("stand", "fail"), ("diverges", "converges"), ("larger", "smaller"), ("more", "less"),
        ("better", "worse"), ("falls", "rises"), ("half right", "right"), ("saddle", "minimum"),
        ("nothing", "something"), ("out of date", "up to date"), ("half", "yes"),
    ]
    for pair in ((one, other), (other, one))
)  # fmt: skip
WORD = re.compile(rf"\b(?:{'|'.join(sorted(OPPOSITES, key=len, reverse=True))})\b")
TABLE, LINES, OTHER = "words in verdict tables", "words in verdict lines", "words in other prose"


@dataclass
class Miss:
    """A change that was not caught."""

    where: str
    kind: str
    was: str


class Tally:
    """How many changes of each kind were made, and which of them were not caught."""

    def __init__(self, share: float = 1, seed: int = 0):
        self.share, self.rng = share, random.Random(seed)
        self.made, self.misses = {}, []

    def skip(self, kind: str = "") -> bool:
        return kind != "words" and self.rng.random() >= self.share  # there are few words

    def count(self, name: str, kind: str, caught: bool, was: str, where: str) -> None:
        self.made[name, kind] = self.made.get((name, kind), 0) + 1
        if not caught:
            self.misses.append(Miss(f"{name}, {where}", kind, was))

    def caught(self, *kinds: str) -> tuple[int, int]:
        """(caught, made) over all notebooks and pages."""
        made = sum(n for (_, kind), n in self.made.items() if kind in kinds)
        return made - sum(miss.kind in kinds for miss in self.misses), made


def changes(text: str, tally: Tally) -> Iterator[tuple[str, int, int, str]]:
    """(kind, start, end, new) of each digit, sign and verdict word of a text."""
    for match in re.finditer(r"\d", text):
        other = tally.rng.choice([d for d in "0123456789" if d != match[0]])
        yield "digits", *match.span(), other
    for match in SIGN.finditer(text):
        yield "signs", *match.span(), "" if match[0] in "-−" else "−"
    for match in WORD.finditer(text):
        yield "words", *match.span(), OPPOSITES[match[0]]


def outputs(name: str, committed: notebook.NotebookNode, executed, tally: Tally) -> None:
    """Change the committed outputs of a notebook."""
    cells = zip(notebook.code_cells(committed), notebook.code_cells(executed), strict=True)
    for cell, ran in cells:
        if compare.ignored(cell):
            continue
        tolerance = compare.tolerance(ROOT, cell)
        for place, output in enumerate(cell.outputs):
            for mime, text in _texts(output):
                for kind, start, end, new in changes(text, tally):
                    if tally.skip(kind) or (kind == "words" and mime != "text/markdown"):
                        continue
                    other = copy.deepcopy(list(cell.outputs))
                    _put(other[place], mime, text[:start] + new + text[end:])
                    found = compare.differences(other, ran.outputs, tolerance, Path("build/audit"))
                    of = "figure data" if mime == FIGURE else "outputs"
                    kind = TABLE if kind == "words" else f"{kind} in {of}"
                    around = text[max(0, start - 30) : end + 15].replace("\n", " ")
                    tally.count(name, kind, bool(compare.refused(found)), around, cell.id)


def _texts(output) -> Iterator[tuple[str, str]]:
    if output.output_type == "stream":
        yield "", output.text
    for mime, content in output.get("data", {}).items():
        if mime == FIGURE:
            yield mime, json.dumps(content, ensure_ascii=False)
        elif mime.startswith("text/"):
            yield mime, content


def _put(output, mime: str, text: str) -> None:
    if not mime:
        output.text = text
    elif mime != FIGURE:
        output.data[mime] = text
    else:
        try:
            output.data[mime] = json.loads(text)
        except ValueError:  # a digit of no number, such as of \u00e9
            output.data[mime] = text


def sentences(name: str, path: Path, committed, executed, tally: Tally) -> None:
    """Change the prose of a notebook or page."""
    answers = quotations.values(executed)
    finished = path in notebook.pages(ROOT, "finished")

    def caught() -> bool:
        if any(said for _, said in quotations.faults(committed, executed)):
            return True
        return finished and bool(prose.unquoted(committed, path, ROOT, answers))

    assert not caught()
    for cell in committed.cells:
        if cell.cell_type != "markdown":
            continue
        whole = cell.source
        unseen = [m.span() for p in (quotations.CODE, prose.UNSEEN) for m in p.finditer(whole)]
        formulas = [m.span() for m in prose.FORMULA.finditer(whole)]
        found = list(changes(whole, tally))
        found += [
            ("signs", *m.span(), "+" if m[0] == "-" else "-")
            for m in FORMULA_SIGN.finditer(whole)
            if any(a <= m.start() < b for a, b in formulas)
        ]
        for kind, start, end, new in found:
            if tally.skip(kind) or any(a <= start < b for a, b in unseen):
                continue
            cell.source = whole[:start] + new + whole[end:]
            if kind == "words":
                line = whole[whole.rfind("\n", 0, start) + 1 : start]
                kind = (
                    LINES
                    if "**Submitted:**" in line and whole[start - 2 : start] == "**"
                    else OTHER
                )
            else:
                kind = f"{kind} in prose"
            around = " ".join(whole[max(0, start - 30) : end + 15].split())
            tally.count(name, kind, caught(), around, cell.get("id"))
        cell.source = whole


def paths() -> list[Path]:
    return [*sorted((ROOT / "notebooks").glob("*.ipynb")), *notebook.pages(ROOT)]


def finished() -> list[Path]:
    return notebook.pages(ROOT, "finished")


def all_texts(tally: Tally, only: list[Path] | None = None) -> None:
    """Change what is committed (`only` these files' prose), against the artefacts in build/."""
    build = ROOT / "build"
    for path in only or paths():
        artefact = notebook.artefact(path, build, ROOT)
        if not artefact.exists():
            continue
        committed, executed = notebook.load(path), nbformat.read(artefact, as_version=4)
        name = path.stem if path.suffix != ".md" else str(path.relative_to(ROOT))
        if path.suffix != ".md" and only is None:
            outputs(name, committed, executed, tally)
        sentences(name, path, committed, executed, tally)


KEEP = """
def _keep_figures():
    import pickle
    from pathlib import Path

    from matplotlib.figure import Figure

    save, kept = Figure.savefig, []

    def savefig(self, *given, **options):
        save(self, *given, **options)
        kept.append(self)
        file = Path.home() / f"figure-{len(kept):03}.pickle"
        file.write_bytes(pickle.dumps(self))

    Figure.savefig = savefig


_keep_figures()
"""


def figures(path: Path, home: Path) -> list[tuple[str, str, Path]]:
    """[(cell, committed PNG, pickled figure)] of a notebook, executed for it."""
    startup = home / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    (startup / "00-keep.py").write_text(KEEP, encoding="utf-8")
    for old in home.glob("figure-*.pickle"):
        old.unlink()
    done = execute(Job(path, home / path.name, root=ROOT, home=home))
    assert done.state == "ok", done.failure
    shown = [
        (cell.id, output.data["image/png"])
        for cell in notebook.code_cells(notebook.load(path))
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    kept = sorted(home.glob("figure-*.pickle"))
    return [(*pair, file) for pair, file in zip(shown, kept, strict=True)]


def glyphs(name: str, shown: list[tuple[str, str, Path]], tally: Tally) -> None:
    """Draw each figure with one letter or digit replaced by another of the same kind."""
    for cell, _, file in shown:
        drawing = pickle.loads(file.read_bytes())
        _png(drawing)  # only now are its ticks labelled
        drawing.set_layout_engine("none")
        texts = [*_texts_of(drawing), *_labels_of(drawing)]
        plain = _png(drawing)
        for whole, put in texts:
            for match in re.finditer(r"[A-Za-z0-9]", re.sub(r"\\[a-z]+", "\\\\", whole)):
                if tally.skip():
                    continue
                same = "0123456789" if match[0].isdigit() else "aceosuxz" * match[0].islower()
                other = tally.rng.choice([c for c in same or "ABEKPRSX" if c != match[0]])
                place = match.start() + len(whole) - len(match.string)
                put(whole[:place] + other + whole[place + 1 :])
                found = _differ(plain, _png(drawing))
                tally.count(name, "glyphs in figures", found, f"{match[0]} in {whole!r}", cell)
            put(whole)


def rows_moved(name: str, shown: list[tuple[str, str, Path]], tally: Tally) -> None:
    """Move one row between two neighbouring counts of each confusion matrix."""
    for cell, _, file in shown:
        if cell != "confusion-figure":
            continue
        drawing = pickle.loads(file.read_bytes())
        before = _png(drawing)
        for panel, axes in enumerate(drawing.axes, start=1):
            counts = axes.texts
            for a, b in ((0, 1), (1, 0), (2, 3), (3, 2)):
                was = [text.get_text() for text in counts]
                if was[a] == "0":
                    continue
                counts[a].set_text(str(int(was[a]) - 1))
                counts[b].set_text(str(int(was[b]) + 1))
                found = _differ(before, _png(drawing))
                said = f"panel {panel}: {was[a]} → {counts[a].get_text()}"
                tally.count(name, "rows moved", found, said, cell)
                for text, old in zip(counts, was, strict=True):
                    text.set_text(old)


def _texts_of(drawing) -> Iterator[tuple[str, Callable[[str], object]]]:
    """(text, what sets it) of each text that is seen, but for the labels of ticks."""
    from matplotlib.text import Text

    ticks = {
        id(label)
        for axes in drawing.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks() + axis.get_minor_ticks()
        for label in (tick.label1, tick.label2)
    }
    for text in drawing.findobj(Text):
        inside = (
            text.axes is None
            or not text.get_clip_on()
            or text.axes.patch.contains_point(text.get_transform().transform(text.get_position()))
        )
        if text.get_visible() and text.get_text().strip() and id(text) not in ticks and inside:
            yield text.get_text(), text.set_text


def _labels_of(drawing) -> Iterator[tuple[str, Callable[[str], object]]]:
    """The same for the labels of major ticks, which a formatter writes."""
    from matplotlib.ticker import FixedFormatter, FixedLocator

    for axes in drawing.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            seen = [(t.get_loc(), t.label1) for t in axis.get_major_ticks()]
            seen = [(at, label.get_text()) for at, label in seen if label.get_visible()]
            seen = [(at, label) for at, label in seen if low <= at <= high and label]
            labels = [label for _, label in seen]
            axis.set_major_locator(FixedLocator([at for at, _ in seen]))
            axis.set_major_formatter(FixedFormatter(labels))
            for number, label in enumerate(labels):

                def put(text, axis=axis, number=number, labels=labels):
                    changed = [*labels[:number], text, *labels[number + 1 :]]
                    axis.set_major_formatter(FixedFormatter(changed))

                yield label, put


def _png(drawing) -> str:
    data = io.BytesIO()
    drawing.savefig(data, format="png", dpi=144, metadata={"Software": None})
    return base64.b64encode(data.getvalue()).decode()


def _differ(old: str, new: str) -> bool:
    both, stem = ([_shown(png)] for png in (old, new)), ROOT / "build" / "audit"
    return bool(compare.refused(compare.differences(*both, compare.TOLERANCE, stem)))


def _shown(png: str):
    return nbformat.v4.new_output("display_data", data={"image/png": png})


def report(tally: Tally, misses: int) -> Iterator[str]:
    """A line for each notebook and kind, the totals, and some of the misses."""
    for name, kind in sorted(tally.made):
        made = tally.made[name, kind]
        missed = sum(m.kind == kind and m.where.startswith(f"{name},") for m in tally.misses)
        yield f"{name:<24} {kind:<26} {made - missed:>6} of {made:<6} {1 - missed / made:.1%}"
    for kind in sorted({kind for _, kind in tally.made}):
        caught, made = tally.caught(kind)
        yield f"{'all':<24} {kind:<26} {caught:>6} of {made:<6} {caught / made:.1%}"
    for miss in tally.rng.sample(tally.misses, min(misses, len(tally.misses))):
        yield f"missed: {miss.kind}, {miss.where}: {miss.was}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1, help="of the changes that are tried")
    parser.add_argument("--misses", type=int, default=20, help="that are listed")
    parser.add_argument("--no-figures", action="store_true", help="draws nothing again")
    options = parser.parse_args(arguments)
    tally = Tally(options.share)
    all_texts(tally)
    if not options.no_figures:
        home = ROOT / "build" / "audit"
        notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
        with ThreadPoolExecutor(2) as threads:
            drawn = [threads.submit(figures, path, home / path.stem) for path in notebooks]
        for path, kept in zip(notebooks, drawn, strict=True):
            glyphs(path.stem, kept.result(), tally)
            rows_moved(path.stem, kept.result(), tally)
    print(*report(tally, options.misses), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
