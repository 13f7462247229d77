"""Compare a cell's outputs with the committed ones: numbers within a tolerance, text exactly."""

import io
import json
import math
import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from PIL import Image, ImageChops, ImageOps, ImageStat

from course import notebook

# A number that stands by itself: not part of a word, of a colour such as #0072B2, or of 1.2.3.
NUMBER = re.compile(r"(?<![\w.#])[-+−]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w])(?!\.\d)")


@dataclass(frozen=True)
class Tolerance:
    """|got − expected| <= atol + rtol · |expected| for numbers with a decimal point or exponent.

    Integers must be equal. `rms` is for pictures: the root mean square of the differences of their
    pixels, from 0 (the same) to 1 (black for white).
    """

    rtol: float = 5e-4
    atol: float = 1e-9
    rms: float = 0.01

    def tagged(self, tags: Sequence[str]) -> "Tolerance":
        """This tolerance with what a cell's tags say: "rtol=0.05", "atol=0.1" or "rms=0.02"."""
        own = dict(tag.split("=", 1) for tag in tags if re.match(r"(rtol|atol|rms)=", tag))
        return Tolerance(**{**vars(self), **{name: float(text) for name, text in own.items()}})


@dataclass
class Difference:
    """A sentence on what differs, and for pictures the two files' bytes."""

    sentence: str
    pictures: tuple[bytes, ...] = ()


def differences(
    expected: Sequence[dict], got: Sequence[dict], tolerance: Tolerance | None = None
) -> tuple[list[Difference], float]:
    """What differs between two lists of a cell's outputs (nbformat): ([Difference], deviation).

    `deviation` is the largest |got − expected| of a number that is within its tolerance.
    """
    tolerance = tolerance or Tolerance()
    want, have = _flat(expected), _flat(got)
    if [kind for kind, _ in want] != [kind for kind, _ in have]:
        return [Difference(_other_kinds(want, have))], 0.0
    result, deviation = [], 0.0
    for (kind, old), (_, new) in zip(want, have, strict=True):
        if kind in ("image/png", "image/jpeg"):
            pictures = b64decode(old), b64decode(new)
            sentence = _pictures(*pictures, tolerance)
            result += [Difference(sentence, pictures)] if sentence else []
        else:
            sentence, away = _texts(old, new, tolerance)
            deviation = max(deviation, away)
            result += [Difference(f"{kind}: {sentence}")] if sentence else []
    return result, deviation


def _flat(outputs: Sequence[dict]) -> list[tuple[str, str]]:
    """Outputs as a list of (kind, content)."""
    flat = []
    for output in notebook.joined(outputs):
        if output["output_type"] == "stream":
            flat.append((output["name"], output["text"]))
        elif output["output_type"] == "error":
            flat.append(("error", f"{output['ename']}: {output['evalue']}"))
        else:
            for mime, content in sorted(output["data"].items()):
                if not isinstance(content, (str, list)):
                    content = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
                if mime != notebook.WIDGET:
                    flat.append((mime, "".join(content)))
    return flat


def _other_kinds(want: list[tuple[str, str]], have: list[tuple[str, str]]) -> str:
    kinds, found = (", ".join(kind for kind, _ in of) for of in (want, have))
    if not want:
        return f"the committed cell has no output, and now there is {found}"
    if not have:
        return f"the output is gone; committed is {kinds}"
    new = [f"{kind}: {text.strip()[:200]}" for kind, text in have if kind in ("stderr", "error")]
    if new and "stderr" not in kinds and "error" not in kinds:
        return f"unexpected {new[0]}"
    return f"other outputs: {found}, and committed are {kinds}"


def _texts(old: str, new: str, tolerance: Tolerance) -> tuple[str, float]:
    """("", largest deviation) if two texts agree; otherwise (a sentence, 0)."""
    deviation = 0.0
    old_lines, new_lines = old.splitlines(), new.splitlines()
    for number, (was, now) in enumerate(zip(old_lines, new_lines, strict=False), start=1):
        where = f"line {number} was {was.strip()[:200]!r} and is {now.strip()[:200]!r}"
        if NUMBER.split(was) != NUMBER.split(now):
            return where, 0.0
        for a, b in zip(NUMBER.findall(was), NUMBER.findall(now), strict=True):
            away = _away(a, b, tolerance)
            if away is None:
                return f"{where}: {b} is not {a} within the tolerance", 0.0
            deviation = max(deviation, away)
    if len(old_lines) != len(new_lines):
        return f"{len(old_lines)} lines were committed, and now there are {len(new_lines)}", 0.0
    if old.endswith("\n") != new.endswith("\n"):
        return "the line end at its end differs", 0.0
    return "", deviation


def _away(a: str, b: str, tolerance: Tolerance) -> float | None:
    """|b − a|, or None where that is more than the tolerance or one of two integers differs."""
    if a == b:
        return 0.0
    if not re.search(r"[.eE]", a + b):
        return None
    old, new = (float(text.replace("−", "-")) for text in (a, b))
    away = abs(new - old)
    return away if away <= tolerance.atol + tolerance.rtol * abs(old) else None


def _pictures(old: bytes, new: bytes, tolerance: Tolerance) -> str:
    """What differs between two pictures, in a sentence, or ""."""
    try:
        was, now = picture(old), picture(new)
    except Exception as error:  # Pillow has many
        return "" if old == new else f"a picture cannot be decoded ({error})"
    if was.size != now.size:
        sizes = [f"{height} × {width}" for width, height in (was.size, now.size)]
        return f"a picture was {sizes[0]} pixels and is {sizes[1]}"
    if old != new and all(low == high for low, high in now.getextrema()):
        return "a picture is blank"
    bands = ImageStat.Stat(ImageChops.difference(was, now)).rms
    rms = math.hypot(*bands) / math.sqrt(len(bands)) / 255
    limit = tolerance.rms
    return f"a picture differs by {rms:.3f} (RMS; {limit:g} is let)" if rms > limit else ""


def picture(data: bytes) -> Image.Image:
    """A picture on white."""
    drawn = Image.open(io.BytesIO(data)).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn).convert("RGB")


def write_pictures(pictures: Sequence[bytes], stem: Path) -> list[Path]:
    """Write expected, actual and, where both are pictures, difference beside `stem`; the names."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    names = [Path(f"{stem}-{name}.png") for name in ("expected", "actual", "difference")]
    for name, data in zip(names, pictures, strict=False):
        name.write_bytes(data)
    try:
        gap = ImageChops.difference(*map(picture, pictures))
    except Exception:
        return names[:2]
    ImageOps.invert(gap).save(names[2])
    return names


def accept(executed: Path, committed: Path, show: bool = False) -> None:
    """Take the outputs of the file `executed` over into `committed`, which keeps its prose.

    Where all agree within the tolerance, and the file is in its clean form, not a byte changes.
    `show` prints the differences, cell by cell. Raises ValueError, one sentence, where the two are
    not of the same source.
    """
    before = committed.read_text(encoding="utf-8")
    old, new = (nbformat.read(path, as_version=4) for path in (committed, executed))
    same_source(old, new)
    other = notebook.clean(old) != before
    for cell, ran in zip(notebook.code_cells(old), notebook.code_cells(new), strict=True):
        tolerance = Tolerance().tagged(cell.metadata.get("tags", []))
        found = [] if _ignored(cell) else differences(cell.outputs, ran.outputs, tolerance)[0]
        for difference in found if show else []:
            print(f"{committed.name}, cell {cell.id}: {difference.sentence}")
        other |= bool(found) or cell.execution_count != ran.execution_count
        cell.execution_count, cell.outputs = ran.execution_count, ran.outputs
    if other:
        old.metadata = new.metadata
        notebook.write(notebook.clean(old), committed)
    elif show:
        print(f"{committed.name}: nothing differs beyond the tolerance")


def _ignored(cell: NotebookNode) -> bool:
    """Whether nbval is told by a comment or a tag not to compare this cell's output."""
    marks = [line.lstrip("# ").strip() for line in cell.source.splitlines() if "#" in line]
    marks += [tag.replace("-", "_").upper() for tag in cell.metadata.get("tags", [])]
    return bool({"NBVAL_IGNORE_OUTPUT", "NBVAL_SKIP"} & set(marks))


def same_source(committed: NotebookNode, executed: NotebookNode) -> None:
    """Raise ValueError where `executed` is not `committed`, run from top to bottom as it stands."""
    if any("injected-parameters" in cell.metadata.get("tags", []) for cell in executed.cells):
        raise ValueError("it was executed with other parameters; run make run-all without them")
    old, new = notebook.code_cells(committed), notebook.code_cells(executed)
    if [cell.source for cell in old] != [cell.source for cell in new]:
        raise ValueError("it was executed from another source; run make run-all again")
    for number, cell in enumerate(new, start=1):
        if cell.execution_count != number:
            said = f"cell {cell.id!r} was not executed in its turn; run make run-all again"
            raise ValueError(said)
