"""Compare a cell's outputs with the committed ones: numbers within a tolerance, text exactly."""

import io
import json
import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nbformat import NotebookNode

from course.notebook import WIDGET, code_cells

# A number that stands by itself: not part of a word, of a colour such as #0072B2, or of 1.2.3.
NUMBER = re.compile(r"(?<![\w.#])[-+−]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w])(?!\.\d)")
IMAGES = ("image/png", "image/jpeg")


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
    kinds, found = [kind for kind, _ in want], [kind for kind, _ in have]
    if kinds != found:
        return [Difference(_other_kinds(kinds, found, have))], 0.0
    result, deviation = [], 0.0
    for (kind, old), (_, new) in zip(want, have, strict=True):
        if kind in IMAGES:
            result += _pictures(old, new, tolerance)
        else:
            sentence, away = _texts(old, new, tolerance)
            deviation = max(deviation, away)
            result += [Difference(f"{kind}: {sentence}")] if sentence else []
    return result, deviation


def _flat(outputs: Sequence[dict]) -> list[tuple[str, str]]:
    """Outputs as a list of (kind, content), a stream's pieces joined, in the order of first use."""
    flat, streams = [], {}
    for output in outputs:
        if output["output_type"] == "stream":
            if output["name"] not in streams:
                streams[output["name"]] = len(flat)
                flat.append([output["name"], ""])
            flat[streams[output["name"]]][1] += "".join(output["text"])
        elif output["output_type"] == "error":
            flat.append(["error", f"{output['ename']}: {output['evalue']}"])
        else:
            for mime, content in sorted(output["data"].items()):
                if mime != WIDGET:
                    text = content if isinstance(content, (str, list)) else _json(content)
                    flat.append([mime, "".join(text)])
    return [tuple(entry) for entry in flat]


def _json(content: object) -> str:
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)


def _other_kinds(kinds: list[str], found: list[str], have: list[tuple[str, str]]) -> str:
    if not kinds:
        return f"the committed cell has no output, and now there is {', '.join(found)}"
    if not found:
        return f"the output is gone; committed is {', '.join(kinds)}"
    new = [f"{kind}: {text.strip()[:200]}" for kind, text in have if kind in ("stderr", "error")]
    if new and not {"stderr", "error"} & set(kinds):
        return f"unexpected {new[0]}"
    return f"other outputs: {', '.join(found)}, and committed are {', '.join(kinds)}"


def _texts(old: str, new: str, tolerance: Tolerance) -> tuple[str, float]:
    """("", largest deviation) if two texts agree; otherwise (a sentence, 0)."""
    if old == new:
        return "", 0.0
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


def _pictures(old: str, new: str, tolerance: Tolerance) -> list[Difference]:
    if old == new:
        return []
    both = b64decode(old), b64decode(new)
    try:
        was, now = (pixels(data) for data in both)
    except Exception as error:
        return [Difference(f"a picture cannot be decoded ({error})", both)]
    if was.shape != now.shape:
        sizes = [f"{height} × {width}" for height, width, _ in (was.shape, now.shape)]
        return [Difference(f"a picture was {sizes[0]} pixels and is {sizes[1]}", both)]
    if np.ptp(now) == 0 and np.ptp(was) > 0:
        return [Difference("a picture is blank", both)]
    rms = float(np.sqrt(np.mean((was - now) ** 2)))
    if rms > tolerance.rms:
        return [Difference(f"a picture differs by {rms:.3f} (RMS; {tolerance.rms:g} is let)", both)]
    return []


def pixels(data: bytes) -> np.ndarray:
    """A PNG's or JPEG's pixels, (height, width, 3), from 0 to 1, on white."""
    from PIL import Image

    picture = Image.open(io.BytesIO(data)).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return np.asarray(Image.alpha_composite(white, picture).convert("RGB"), dtype=float) / 255


def write_pictures(pictures: Sequence[bytes], stem: Path) -> list[Path]:
    """Write expected, actual and, where they have one size, difference beside `stem`; the names."""
    from PIL import Image

    stem.parent.mkdir(parents=True, exist_ok=True)
    names = []
    for name, data in zip(["expected", "actual"], pictures, strict=True):
        names.append(stem.with_name(f"{stem.name}-{name}.png"))
        names[-1].write_bytes(data)
    try:
        was, now = (pixels(data) for data in pictures)
        if was.shape == now.shape:
            names.append(stem.with_name(f"{stem.name}-difference.png"))
            gap = (255 * (1 - np.abs(was - now))).astype(np.uint8)
            Image.fromarray(gap).save(names[-1])
    except OSError:
        pass  # one of the two is no picture
    return names


def notebook_differences(
    committed: NotebookNode, executed: NotebookNode, tolerance: Tolerance | None = None
) -> list[tuple[str, list[Difference], float]]:
    """[(cell id, [Difference], deviation)] of all code cells whose outputs are compared.

    Raises ValueError, one sentence, where the two notebooks are not of the same source.
    """
    same_source(committed, executed)
    result = []
    for old, new in zip(code_cells(committed), code_cells(executed), strict=True):
        if not ignores_output(old):
            own = (tolerance or Tolerance()).tagged(old.metadata.get("tags", []))
            result.append((old.id, *differences(old.outputs, new.outputs, own)))
    return result


def ignores_output(cell: NotebookNode) -> bool:
    """Whether nbval is told by a comment or a tag not to compare this cell's output."""
    marked = [line.lstrip("# ").strip() for line in cell.source.splitlines() if "#" in line]
    tags = cell.metadata.get("tags", [])
    return bool(
        {"NBVAL_IGNORE_OUTPUT", "NBVAL_SKIP"} & set(marked)
        or {"nbval-ignore-output", "nbval-skip"} & set(tags)
    )


def same_source(committed: NotebookNode, executed: NotebookNode) -> None:
    """Raise ValueError where `executed` is not `committed`, run from top to bottom as it stands."""
    if any("injected-parameters" in cell.metadata.get("tags", []) for cell in executed.cells):
        raise ValueError("it was executed with other parameters; run make run-all without them")
    old, new = code_cells(committed), code_cells(executed)
    sources = [[cell.source for cell in cells] for cells in (old, new)]
    if sources[0] != sources[1]:
        raise ValueError("it was executed from another source; run make run-all again")
    for number, cell in enumerate(new, start=1):
        if cell.execution_count != number:
            raise ValueError(
                f"cell {cell.id!r} was not executed in its turn; run make run-all again"
            )
