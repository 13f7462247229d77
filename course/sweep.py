"""A grid of parameters: its points, and a table and a figure of the numbers that were checked."""

import csv
import io
import itertools
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import nbformat

from course import notebook

# A checked number: a line of a cell's output such as "✓ what it is: 0.25".
CHECKED = re.compile(r"^✓ (.+): ([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)$", re.MULTILINE)


def points(axes: dict[str, str]) -> list[dict[str, str]]:
    """All combinations of the values of {name: text}: 0:20 and 0:20:5 are ranges, a,b a list.

    Raises UsageError for a text that is neither.
    """
    values = []
    for text in axes.values():
        if re.fullmatch(r"-?\d+:-?\d+(:[1-9]\d*)?", text):
            found = [str(number) for number in range(*map(int, text.split(":")))]
        else:
            found = text.split(",")
        if not (found and all(found)):
            raise notebook.UsageError(f"A grid is written 0:20, 0:20:5 or 0.1,0.2, not {text!r}.")
        values.append(dict.fromkeys(found))
    return [dict(zip(axes, of, strict=True)) for of in itertools.product(*values)]


def checked_numbers(path: Path) -> dict[str, float]:
    """{"cell id: claim": number} of an executed notebook's file."""
    numbers = {}
    for cell in notebook.code_cells(nbformat.read(path, as_version=4)):
        for output in cell.outputs:
            for claim, number in CHECKED.findall(output.get("text", "")):
                numbers[f"{cell.id}: {claim}"] = float(number)
    return numbers


def write(
    grid: Sequence[dict], states: Sequence[str], numbers: Sequence[dict[str, float]], folder: Path
) -> str:
    """Write table.csv, a row a point, and figure.png into `folder`; what to say of them."""
    from matplotlib.figure import Figure

    claims = list(dict.fromkeys(claim for found in numbers for claim in found))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*grid[0], "state", *claims])
    for point, state, found in zip(grid, states, numbers, strict=True):
        writer.writerow([*point.values(), state, *(found.get(claim, "") for claim in claims)])
    folder.mkdir(parents=True, exist_ok=True)
    notebook.write(out.getvalue(), folder / "table.csv")

    varying = [c for c in claims if len({found[c] for found in numbers if c in found}) > 1]
    rows, label = -(-len(varying) // 3), ", ".join(grid[0])
    drawing = Figure(figsize=(12, 2.4 * max(rows, 1)), layout="constrained")
    for number, claim in enumerate(varying, start=1):
        axes = drawing.add_subplot(rows, 3, number)
        have = [(p, found[claim]) for p, found in zip(grid, numbers, strict=True) if claim in found]
        where = [tuple(point.values()) for point, _ in have]
        where = [", ".join(map(str, at)) if len(at) > 1 else at[0] for at in where]
        axes.plot(where, [value for _, value in have], "o", color="black", ms=3)
        axes.set_title(textwrap.fill(claim, 55), fontsize=8)
        axes.set_xlabel(label, fontsize=8)
    drawing.savefig(folder / "figure.png", dpi=100)
    return (
        f"{folder}/table.csv has {len(grid)} rows; "
        f"figure.png shows the {len(varying)} numbers that vary."
    )
