"""Compare a cell's outputs with the committed ones: numbers within a tolerance, text exactly."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from math import inf, isfinite
from pathlib import Path

from nbformat import NotebookNode

from runner import notebook
from runner.compare import pictures
from runner.notebook import UsageError

# A number that stands by itself: not part of a word, of a colour such as #0072B2, or of 1.2.3.
# The point of "in 2025." ends a sentence.
NUMBER = re.compile(
    r"(?<![\w.#])[-+−]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?(?!\w)(?!\.[0-9])"
)
DIGITS = 4  # significant ones that a number may show though the computed ones show fewer

IGNORED = {"NBVAL_IGNORE_OUTPUT", "NBVAL_SKIP", "PYTEST_VALIDATE_IGNORE_OUTPUT"}  # nbval's marks
TOLERANCE = {"rtol": 5e-5, "atol": 0, "counts": 0, "rms": 0.05}
MOST = {"rtol": 0.5, "rms": 0.5}  # more than that would let almost anything


@dataclass(frozen=True)
class Difference:
    """What has changed in an output.

    `share` is how much of its tolerance that takes: up to 1 it is allowed, and inf is for what has
    none. `away` is its size: relative for a number, RMS for a picture, inf for anything else.
    """

    share: float
    away: float
    sentence: str


def tolerance(root: Path, cell: NotebookNode) -> dict[str, float]:
    """TOLERANCE, with what [tool.runner] in `root`'s pyproject.toml, or a tag "rtol=0.05", sets.

    |got − expected| <= atol + rtol · |expected| for numbers with a decimal point or exponent, and
    <= counts for two integers. `rms` is for pictures: the root mean square of the differences of
    their pixels, from 0 (the same) to 1 (black for white), in the tile of 8 × 8 where it is the
    largest. Raises UsageError for what is no number, or would let almost anything.
    """
    own = TOLERANCE | notebook.settings(root)
    own |= dict(tag.split("=", 1) for tag in cell.metadata.get("tags", []) if "=" in tag)
    try:
        found = {name: float(own[name]) for name in TOLERANCE}
        for name, most in found.items():
            if not 0 <= most <= MOST.get(name, sys.float_info.max):
                raise ValueError(f"{name}={own[name]} is no number from 0 to {MOST.get(name)}")
    except (TypeError, ValueError) as error:
        raise UsageError(f"A tolerance of cell {cell.get('id')!r}: {error}.") from None
    return found


def differences(
    expected: Sequence[dict], got: Sequence[dict], tolerance: Mapping[str, float], files: Path
) -> list[Difference]:
    """What differs between two lists of a cell's outputs (nbformat), within the tolerance or not.

    Pictures that differ by more are left to look at: `files` is how their files' names begin.
    """
    want, have = flat(expected), flat(got)
    kinds, now = (", ".join(kind for kind, _ in of) or "no output" for of in (want, have))
    if kinds != now:
        said = [f"; {k}: {text.strip()[:200]}" for k, text in have if k in ("stderr", "error")]
        said = f"committed is {kinds}, and now there is {now}{''.join(said)}"
        return [Difference(inf, inf, said)]
    changed = []
    for number, ((kind, old), (_, new)) in enumerate(zip(want, have, strict=True)):
        if kind == "image/png":
            found = pictures.compared(old, new, tolerance["rms"], f"{files}-{number}")
            parts = [Difference(*each) for each in found]
        elif kind.endswith("json"):
            parts = _structures(json.loads(old), json.loads(new), tolerance)
        else:
            parts = _texts(old, new, tolerance)
        changed += [replace(part, sentence=f"{kind}: {part.sentence}") for part in parts]
    return changed


def refused(found: Sequence[Difference]) -> list[str]:
    """The sentences of those that no tolerance allows."""
    return [each.sentence for each in found if each.share > 1]


def flat(outputs: Sequence[dict]) -> list[tuple[str, str]]:
    """Outputs as a list of (kind, content)."""
    flat = []
    for output in notebook.joined(outputs):
        if output.output_type == "stream":
            flat.append((_kind(output.name, "std(out|err)"), output.text))
        elif output.output_type == "error":
            flat.append(("error", f"{output.ename}: {output.evalue}"))
        elif notebook.WIDGET not in output.data:
            for mime, content in sorted(output.data.items()):
                flat.append((_kind(mime, r"[\w.+-]+/[\w.+-]+"), _text(content)))
            if about := output.get("metadata"):  # alt text, width
                flat.append(("metadata", _text(about)))
    return flat


def _kind(name: str, known: str) -> str:
    """The name of a stream or a MIME type; one that no reader shows is told apart."""
    return name if re.fullmatch(known, name) else f"unknown {name!r}"


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)


def _structures(
    old: object, new: object, tolerance: Mapping[str, float], where: str = ""
) -> Iterator[Difference]:
    """How two JSON structures differ, part by part."""
    if isinstance(old, list) and isinstance(new, list):
        old, new = ({str(n): each for n, each in enumerate(of, start=1)} for of in (old, new))
    if isinstance(old, dict) and isinstance(new, dict):
        for name in old | new:
            inside = f"{where}, {name}".removeprefix(", ")
            if name in old and name in new:
                yield from _structures(old[name], new[name], tolerance, inside)
            else:
                yield Difference(inf, inf, f"{inside} is {'new' if name in new else 'gone'}")
    elif old != new or type(old) is not type(new):
        was, now = (each if isinstance(each, str) else json.dumps(each) for each in (old, new))
        for part in _texts(was, now, tolerance):
            yield replace(part, sentence=f"{where}: {part.sentence}")


def _texts(old: str, new: str, tolerance: Mapping[str, float]) -> Iterator[Difference]:
    """How two texts differ, line by line."""
    lines = zip_longest(old.splitlines(True), new.splitlines(True), fillvalue="")
    for number, (was, now) in enumerate(lines, start=1):
        where = f"line {number} was {was[:200]!r} and is {now[:200]!r}"
        if NUMBER.split(was) != NUMBER.split(now):
            yield Difference(inf, inf, where)
            continue
        pairs = [*zip(NUMBER.findall(was), NUMBER.findall(now), strict=True)]
        most = max([DIGITS, *(_significant(b) for _, b in pairs)])
        for place, (a, b) in enumerate(pairs, start=1):
            if a != b:
                share, away = _numbers(a, b, tolerance)
                share = inf if _significant(a) > most else share  # more than was computed
                outside = f": {b} is not {a} within the tolerance" if share > 1 else ""
                if len(was) > 80:  # of a long line, the place of the number says more
                    yield Difference(share, away, f"line {number}, number {place}: {b} was {a}")
                else:
                    yield Difference(share, away, where + outside)


def _significant(number: str) -> int:
    """How many significant digits a number shows."""
    return len(re.sub(r"[eE].*|\D", "", number).lstrip("0"))


def _numbers(old: str, new: str, tolerance: Mapping[str, float]) -> tuple[float, float]:
    """(share, away) of two numbers that are written differently."""
    wanted, got = (float(text.replace("−", "-")) for text in (old, new))
    if not (isfinite(wanted) and isfinite(got)):
        return inf, inf
    away, most = abs(got - wanted), tolerance["atol"] + tolerance["rtol"] * abs(wanted)
    if not re.search(r"[.eE]", old + new):
        most = tolerance["counts"]
    return away / most if most else inf, away / abs(wanted) if wanted else inf


def side_by_side(
    committed: NotebookNode, executed: NotebookNode, path: Path
) -> Iterator[tuple[NotebookNode, NotebookNode, list[Difference]]]:
    """Each committed cell, the executed one, and how they differ; nothing where that is ignored.

    `path` is the executed notebook's file: pictures go beside it. Raises UsageError where the two
    are not of the same source.
    """
    same_source(committed, executed)
    pairs = zip(notebook.code_cells(committed), notebook.code_cells(executed), strict=True)
    for cell, ran in pairs:
        how = tolerance(Path.cwd(), cell), path.parent / "pictures" / f"{path.stem}-{ran.id}"
        yield cell, ran, [] if ignored(cell) else differences(cell.outputs, ran.outputs, *how)


def ignored(cell: NotebookNode) -> bool:
    """Whether nbval is told by a comment or a tag not to compare this cell's output."""
    tags = [tag.replace("-", "_").upper() for tag in cell.metadata.get("tags", [])]
    marks = (
        re.findall(
            r"^\s*#+\s*(NBVAL_\w+|PYTEST_VALIDATE_IGNORE_OUTPUT)\s*$", cell.source, re.MULTILINE
        )
        + tags
    )
    return bool(IGNORED & set(marks))


def same_source(committed: NotebookNode, executed: NotebookNode) -> None:
    """Raise UsageError where `executed` is not `committed`, run from top to bottom as it stands."""
    if any(map(notebook.injected, committed.cells)):
        raise UsageError("only what papermill adds may be tagged injected-parameters: untag it")
    if any(map(notebook.injected, executed.cells)):
        raise UsageError("it was executed with other parameters; run make run-all without them")
    old, new = notebook.code_cells(committed), notebook.code_cells(executed)
    if [cell.source for cell in old] != [cell.source for cell in new]:
        raise UsageError("it was executed from another source; run make run-all again")
    for number, cell in enumerate(new, start=1):
        if cell.execution_count != number:
            raise UsageError(f"cell {cell.id!r} was not executed in its turn; run make run-all")
    for key, name in (("kernelspec", "kernel"), ("language_info", "language")):
        was, now = (nb.metadata.get(key, {}).get("name") for nb in (committed, executed))
        if was and was != now:
            raise UsageError(f"its {name} was {now!r}, and is {was!r} in the committed notebook")
