"""Compare a cell's outputs with the committed ones: numbers within a tolerance, text exactly."""

import json
import re
import tomllib
from base64 import b64decode
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from PIL import Image

from course import notebook
from course.notebook import UsageError

# A number that stands by itself: not part of a word, of a colour such as #0072B2, or of 1.2.3.
NUMBER = re.compile(r"(?<![\w.#])[-+−]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w])(?!\.\d)")


TOLERANCE = {"rtol": 5e-4, "atol": 1e-9, "rms": 0.01}


def tolerance(root: Path, cell: NotebookNode) -> dict[str, float]:
    """TOLERANCE, with what [tool.course] in `root`'s pyproject.toml, or a tag "rtol=0.05", sets.

    |got − expected| <= atol + rtol · |expected| for numbers with a decimal point or exponent; two
    integers must be equal. `rms` is for pictures: the root mean square of the differences of their
    pixels, from 0 (the same) to 1 (black for white). Raises UsageError for what is no number.
    """
    file = root / "pyproject.toml"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    own = TOLERANCE | tomllib.loads(text).get("tool", {}).get("course", {})
    own |= dict(tag.split("=", 1) for tag in cell.metadata.get("tags", []) if "=" in tag)
    try:
        return {name: float(own[name]) for name in TOLERANCE}
    except (TypeError, ValueError) as error:
        raise UsageError(f"A tolerance of cell {cell.get('id')!r}: {error}.") from None


def differences(
    expected: Sequence[dict], got: Sequence[dict], tolerance: Mapping[str, float], pictures: Path
) -> tuple[list[str], float]:
    """What differs between two lists of a cell's outputs (nbformat): ([sentence], deviation).

    `deviation` is the largest |got − expected| of a number that is within its tolerance. Pictures
    that differ are left to look at: `pictures` is how their files' names begin.
    """
    want, have = _flat(expected), _flat(got)
    kinds, found = (", ".join(kind for kind, _ in of) or "no output" for of in (want, have))
    if kinds != found:
        said = [f"; {k}: {text.strip()[:200]}" for k, text in have if k in ("stderr", "error")]
        return [f"committed is {kinds}, and now there is {found}{''.join(said)}"], 0.0
    sentences, deviation = [], 0.0
    for number, ((kind, old), (_, new)) in enumerate(zip(want, have, strict=True)):
        if kind == "image/png":
            sentence = _pictures(old, new, tolerance["rms"], f"{pictures}-{number}")
        else:
            sentence, away = _texts(old, new, tolerance)
            deviation = max(deviation, away)
        sentences += [f"{kind}: {sentence}"] if sentence else []
    return sentences, deviation


def _flat(outputs: Sequence[dict]) -> list[tuple[str, str]]:
    """Outputs as a list of (kind, content)."""
    flat = []
    for output in notebook.joined(outputs):
        if output.output_type == "stream":
            flat.append((output.name, output.text))
        elif output.output_type == "error":
            flat.append(("error", f"{output.ename}: {output.evalue}"))
        elif notebook.WIDGET not in output.data:
            for mime, content in sorted(output.data.items()):
                if not isinstance(content, str):
                    content = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
                flat.append((mime, content))
    return flat


def _texts(old: str, new: str, tolerance: Mapping[str, float]) -> tuple[str, float]:
    """("", largest deviation) if two texts agree; otherwise (a sentence, 0)."""
    deviation = 0.0
    lines = zip_longest(old.splitlines(True), new.splitlines(True), fillvalue="")
    for number, (was, now) in enumerate(lines, start=1):
        where = f"line {number} was {was[:200]!r} and is {now[:200]!r}"
        if NUMBER.split(was) != NUMBER.split(now):
            return where, 0.0
        for a, b in zip(NUMBER.findall(was), NUMBER.findall(now), strict=True):
            wanted, got = (float(text.replace("−", "-")) for text in (a, b))
            away, most = abs(got - wanted), tolerance["atol"] + tolerance["rtol"] * abs(wanted)
            if a != b and (away > most or not re.search(r"[.eE]", a + b)):
                return f"{where}: {b} is not {a} within the tolerance", 0.0
            deviation = max(deviation, away)
    return "", deviation


def _pictures(old: str, new: str, limit: float, stem: str) -> str:
    """What differs between two pictures (base64), in a sentence, or ""."""
    if old == new:
        return ""
    from matplotlib.testing.compare import compare_images

    files = [Path(f"{stem}-{name}.png") for name in ("expected", "actual")]
    files[0].parent.mkdir(parents=True, exist_ok=True)
    for file, text in zip(files, (old, new), strict=True):
        file.write_bytes(b64decode(text))
    try:
        blank = all(low == high for low, high in Image.open(files[1]).convert("RGB").getextrema())
        found = compare_images(*map(str, files), tol=limit * 255, in_decorator=True)
    except Exception as error:  # of Pillow, which has many, or two sizes
        return f"{files[0]} and {files[1]} cannot be compared ({error})"
    if found and not blank:
        away = found["rms"] / 255
        said = f"differ by {away:.3f} (RMS; {limit:g} is let), as {found['diff']} shows"
        return f"{files[0]} and {files[1]} {said}"
    for file in files:
        file.unlink()
    return "a picture is blank" if blank else ""


def accept(executed: Path, committed: Path, show: bool = False) -> None:
    """Take the outputs of the file `executed` over into `committed`, which keeps its prose.

    Where all agree within the tolerance, and the file is in its clean form, not a byte changes.
    `show` prints the differences, cell by cell. Raises UsageError, one sentence, where the two are
    not of the same source.
    """
    before = committed.read_text(encoding="utf-8")
    old, new = (nbformat.read(path, as_version=4) for path in (committed, executed))
    same_source(old, new)
    other = notebook.clean(old) != before
    for cell, ran in zip(notebook.code_cells(old), notebook.code_cells(new), strict=True):
        how = (
            tolerance(Path.cwd(), cell),
            executed.parent / "pictures" / f"{committed.stem}-{ran.id}",
        )
        found = [] if _ignored(cell) else differences(cell.outputs, ran.outputs, *how)[0]
        for sentence in found if show else []:
            print(f"{committed.name}, cell {ran.id}: {sentence}")
        other |= bool(found) or cell.execution_count != ran.execution_count
        cell.execution_count, cell.outputs = ran.execution_count, ran.outputs
    if other:
        old.metadata.setdefault("language_info", new.metadata.get("language_info", {}))
        notebook.write(notebook.clean(old), committed)
    elif show:
        print(f"{committed.name}: nothing differs beyond the tolerance")


def _ignored(cell: NotebookNode) -> bool:
    """Whether nbval is told by a comment or a tag not to compare this cell's output."""
    tags = [tag.replace("-", "_").upper() for tag in cell.metadata.get("tags", [])]
    marks = re.findall(r"^\s*#+\s*(NBVAL_\w+)\s*$", cell.source, re.MULTILINE) + tags
    return bool({"NBVAL_IGNORE_OUTPUT", "NBVAL_SKIP"} & set(marks))


def same_source(committed: NotebookNode, executed: NotebookNode) -> None:
    """Raise UsageError where `executed` is not `committed`, run from top to bottom as it stands."""
    if any("injected-parameters" in cell.metadata.get("tags", []) for cell in executed.cells):
        raise UsageError("it was executed with other parameters; run make run-all without them")
    old, new = notebook.code_cells(committed), notebook.code_cells(executed)
    if [cell.source for cell in old] != [cell.source for cell in new]:
        raise UsageError("it was executed from another source; run make run-all again")
    for number, cell in enumerate(new, start=1):
        if cell.execution_count != number:
            raise UsageError(f"cell {cell.id!r} was not executed in its turn; run make run-all")
