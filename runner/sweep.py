"""A grid of parameters: its points, and a table and a figure of the numbers that were checked."""

import itertools
import math
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import nbformat

from runner import notebook
from runner.compare.outputs import NUMBER
from runner.job import Task

MOST = 10_000  # points of a grid: a week of the shortest notebook
# A checked number, or list of numbers: a line of a cell's output such as "✓ what it is: 0.25".
CHECKED = re.compile(r"^✓ (.+): ([-+\d.eE, \[\]]+)$", re.MULTILINE)


def points(axes: dict[str, str]) -> list[dict[str, str]]:
    """All combinations of the values of {name: text}: 0:20 and 0:20:5 are ranges, a,b a list.

    Raises UsageError for a text that is neither.
    """
    values = []
    for text in axes.values():
        found = text.split(",")
        if re.fullmatch(r"-?\d+:-?\d+(:[1-9]\d*)?", text):
            found = range(*map(int, text.split(":")))
        if not (found and all(map(str, found[:MOST]))):
            raise notebook.UsageError(f"A grid is written 0:20, 0:20:5 or 0.1,0.2, not {text!r}.")
        values.append(dict.fromkeys(map(str, found[: MOST + 1])))
    if math.prod(map(len, values)) > MOST:
        raise notebook.UsageError(f"A grid has at most {MOST:,} points, and this one has more.")
    return [dict(zip(axes, of, strict=True)) for of in itertools.product(*values)]


def checked_numbers(path: Path) -> dict[str, float]:
    """{"cell id: claim": number} of an executed notebook's file; of lists, "… [0]", "… [1]" …"""
    numbers = {}
    for cell in notebook.code_cells(nbformat.read(path, as_version=4)):
        for output in cell.outputs:
            for claim, text in CHECKED.findall(output.get("text", "")):
                found = NUMBER.findall(text)
                listed = "[" in text or len(found) != 1
                places = [f" [{place}]" for place in range(len(found))] if listed else [""]
                for place, number in zip(places, found, strict=True):
                    numbers[f"{cell.id}: {claim}{place}"] = float(number)
    return numbers


def folder(build: Path, notebook: Path) -> Path:
    """Where the points of a notebook's sweep, their table and figure are."""
    return build / "sweep" / notebook.stem


def write(tasks: Sequence[Task], names: Sequence[str]) -> str:
    """Write table.csv, a row a point, and figure.png beside the points; what to say of them.

    The points of an earlier grid are deleted: what is beside a table is what it is of.
    """
    import pandas as pd

    rows, outputs = [], [task.job.output for task in tasks]
    for task in tasks:
        row = {name: task.job.parameters[name] for name in names} | {"state": task.outcome.state}
        rows.append(row | (checked_numbers(task.job.output) if task.outcome.good else {}))
    table, folder = pd.DataFrame(rows), outputs[0].parent
    folder.mkdir(parents=True, exist_ok=True)
    for old in {*folder.glob("*.ipynb")} - {*outputs}:
        old.unlink()
    notebook.write(table.to_csv(index=False, lineterminator="\n"), folder / "table.csv")
    (folder / "figure.png").unlink(missing_ok=True)
    said = f"{folder}/table.csv has {len(tasks)} rows; "
    varying = [c for c in table.columns[len(names) + 1 :] if table[c].nunique() > 1]
    if not varying:
        return f"{said}no checked number varies."
    _draw(table, names, varying).savefig(folder / "figure.png")
    return f"{said}figure.png shows the {len(varying)} numbers that vary."


def _draw(table, names: Sequence[str], columns: Sequence[str]):
    """A figure of these columns over the parameters `names`: a panel each."""
    from matplotlib.figure import Figure

    at = table[names[0]] if len(names) == 1 else table[names].astype(str).agg(", ".join, axis=1)
    rows = -(-len(columns) // 3)
    figure = Figure(figsize=(12, 2.4 * rows), layout="constrained")
    for axes, column in zip(figure.subplots(rows, 3, squeeze=False).flat, columns, strict=False):
        axes.plot(at, table[column], ".-", color="black", lw=0.4)
        axes.set_title(textwrap.fill(column, 55), fontsize=8)
        axes.set_xlabel(", ".join(names), fontsize=8)
    return figure
