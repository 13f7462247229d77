"""The audit: change one thing that a reader sees, and count how often the comparison says so.

`make audit` changes every digit, sign and verdict word of the outputs, of the results that prose
quotes and of the figures' data, one at a time, against the artefacts in build/, and every letter
and digit that each kind of figure draws; it prints how many were caught, and misses with their
places. test_audit.py does a sample.
"""

import argparse
import base64
import copy
import io
import json
import random
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import nbformat
from test_plots import CALLS

from helpers.figures import _style
from runner import notebook
from runner.compare import outputs
from runner.quote import sentences

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FIGURE = "application/vnd.course.figure+json"
SIGN = re.compile(r"(?<![\w)\]}])[-+−](?=[\d.])")
OPPOSITES = {"yes": "no", "true": "false", "right": "wrong", "stands": "fails", "stand": "fall"}
OPPOSITES |= {"diverges": "converges", "falls": "rises", "saddle": "minimum", "half": "yes"}
OPPOSITES |= {"nothing": "something", "recovered": "lost", "rejected": "kept", "none": "all"}
OPPOSITES |= {other: one for one, other in OPPOSITES.items()} | {"half right": "right"}
WORD = re.compile(rf"\b(?:{'|'.join(sorted(OPPOSITES, key=len, reverse=True))})\b")
TABLE, LINES, RESULTS = "words in verdict tables", "words in verdict lines", "digits of results"


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

    def caught(self, kind: str) -> tuple[int, int]:
        """(caught, made) over all notebooks."""
        made = sum(n for (_, each), n in self.made.items() if each == kind)
        return made - sum(miss.kind == kind for miss in self.misses), made


def changes(text: str, tally: Tally) -> Iterator[tuple[str, int, int, str]]:
    """(kind, start, end, new) of each digit, sign and verdict word of a text."""
    for match in re.finditer(r"\d", text):
        yield "digits", *match.span(), tally.rng.choice("0123456789".replace(match[0], ""))
    for match in SIGN.finditer(text):
        yield "signs", *match.span(), "" if match[0] in "-−" else "−"
    for match in WORD.finditer(text):
        yield "words", *match.span(), OPPOSITES[match[0]]


def change_outputs(name: str, committed, executed, tally: Tally) -> None:
    """Change the committed outputs of a notebook."""
    cells = zip(notebook.code_cells(committed), notebook.code_cells(executed), strict=True)
    for cell, ran in ((cell, ran) for cell, ran in cells if not outputs.ignored(cell)):
        tolerance = outputs.tolerance(ROOT, cell)
        for number, output in enumerate(cell.outputs):
            for mime, text in _texts(output):
                for kind, start, end, new in changes(text, tally):
                    if tally.skip(kind) or (kind == "words" and mime != "text/markdown"):
                        continue
                    other = copy.deepcopy(list(cell.outputs))
                    _put(other[number], mime, text[:start] + new + text[end:])
                    found = outputs.differences(other, ran.outputs, tolerance, Path("build/audit"))
                    of = "figure data" if mime == FIGURE else "outputs"
                    kind = TABLE if kind == "words" else f"{kind} in {of}"
                    around = text[max(0, start - 30) : end + 15].replace("\n", " ")
                    tally.count(name, kind, bool(outputs.refused(found)), around, cell.id)


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
    else:
        output.data[mime] = json.loads(text) if mime == FIGURE else text


def change_prose(name: str, committed, executed, tally: Tally) -> None:
    """Change the results that prose quotes, and the words of its verdict lines."""
    found, results = sentences.values(executed), {}
    for located in sentences.plan(committed):
        spans, _ = sentences.fitted(located.quotation.before, found[located.key]["value"])
        at = located.quotation.start
        results.setdefault(id(located.cell), []).extend(range(at + a, at + b) for a, b in spans)
    for cell in (cell for cell in committed.cells if cell.cell_type == "markdown"):
        whole = cell.source
        for kind, start, end, new in changes(whole, tally):
            quoted = any(start in result for result in results.get(id(cell), ()))
            line = whole[whole.rfind("\n", 0, start) + 1 : start]
            verdict = "**Submitted:**" in line and whole[start - 2 : start] == "**"
            if not (verdict if kind == "words" else quoted):  # few enough to try them all
                continue
            kind = {"digits": RESULTS, "words": LINES}.get(kind, "signs of results")
            cell.source = whole[:start] + new + whole[end:]
            caught = any(said for _, said in sentences.faults(committed, executed))
            around = " ".join(whole[max(0, start - 30) : end + 15].split())
            tally.count(name, kind, caught, around, cell.id)
        cell.source = whole


def all_texts(tally: Tally) -> None:
    """Change what is committed, against the artefacts in build/."""
    for path in NOTEBOOKS:
        both = path, ROOT / "build" / path.name
        committed, executed = (nbformat.read(each, as_version=4) for each in both)
        assert not any(said for _, said in sentences.faults(committed, executed))
        change_outputs(path.stem, committed, executed, tally)
        change_prose(path.stem, committed, executed, tally)


def drawn(call: Callable):
    """The figure that one of test_plots' calls draws."""
    kept = []
    keep = patch.object(_style, "described", lambda figure: kept.append(figure) or {})
    with keep, _style.caught():
        call(alt="what it shows")
    return kept[0]


def glyphs(name: str, drawing, tally: Tally) -> None:
    """Draw a figure with one letter or digit replaced by another of the same kind."""
    _png(drawing)  # only now are its ticks labelled
    drawing.set_layout_engine("none")
    texts = [*_texts_of(drawing), *_labels_of(drawing)]
    plain, stem = _png(drawing), ROOT / "build" / "audit"
    for whole, put in texts:
        for match in re.finditer(r"[A-Za-z0-9]", re.sub(r"\\[a-z]+", "\\\\", whole)):
            if tally.skip():
                continue
            same = "0123456789" if match[0].isdigit() else "aceosuxz" * match[0].islower()
            other = tally.rng.choice([c for c in same or "ABEKPRSX" if c != match[0]])
            at = match.start() + len(whole) - len(match.string)
            put(whole[:at] + other + whole[at + 1 :])
            both = ([_shown(png)] for png in (plain, _png(drawing)))
            found = outputs.refused(outputs.differences(*both, outputs.TOLERANCE, stem))
            said = f"{match[0]} in {whole!r}"
            tally.count("figures", "glyphs in figures", bool(found), said, name)
        put(whole)


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

    for axis in (axis for axes in drawing.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [(t.get_loc(), t.label1) for t in axis.get_major_ticks()]
        seen = [(at, label.get_text()) for at, label in ticks if label.get_visible()]
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
    options = parser.parse_args(arguments)
    tally = Tally(options.share)
    all_texts(tally)
    for name, call in CALLS.items():
        glyphs(name, drawn(call), tally)
    print(*report(tally, options.misses), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
