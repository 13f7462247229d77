"""A grid of parameters: its points, and a table and a figure of the numbers that were checked."""

import itertools
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import nbformat

from course import compare, notebook
from course.execute import Job

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
            found = [str(number) for number in range(*map(int, text.split(":")))]
        if not (found and all(found)):
            raise notebook.UsageError(f"A grid is written 0:20, 0:20:5 or 0.1,0.2, not {text!r}.")
        values.append(dict.fromkeys(found))
    return [dict(zip(axes, of, strict=True)) for of in itertools.product(*values)]


def checked_numbers(path: Path) -> dict[str, float]:
    """{"cell id: claim": number} of an executed notebook's file; of lists, "… [0]", "… [1]" …"""
    numbers = {}
    for cell in notebook.code_cells(nbformat.read(path, as_version=4)):
        for output in cell.outputs:
            for claim, text in CHECKED.findall(output.get("text", "")):
                found = compare.NUMBER.findall(text)
                listed = "[" in text or len(found) != 1
                places = [f" [{place}]" for place in range(len(found))] if listed else [""]
                for place, number in zip(places, found, strict=True):
                    numbers[f"{cell.id}: {claim}{place}"] = float(number)
    return numbers


def write(jobs: Sequence[Job], names: Sequence[str], folder: Path) -> str:
    """Write table.csv, a row a job, and figure.png into `folder`; what to say of them."""
    import pandas as pd

    rows = []
    for job in jobs:
        row = {name: job.parameters[name] for name in names} | {"state": job.state}
        rows.append(row | (checked_numbers(job.output) if job.good else {}))
    table = pd.DataFrame(rows)
    folder.mkdir(parents=True, exist_ok=True)
    notebook.write(table.to_csv(index=False, lineterminator="\n"), folder / "table.csv")
    (folder / "figure.png").unlink(missing_ok=True)
    said = f"{folder}/table.csv has {len(jobs)} rows; "
    varying = [c for c in table.columns[len(names) + 1 :] if table[c].nunique() > 1]
    if not varying:
        return f"{said}no checked number varies."
    _draw(table, names, varying).savefig(folder / "figure.png")
    return f"{said}figure.png shows the {len(varying)} numbers that vary."


def _draw(table, names: Sequence[str], columns: Sequence[str]):
    """A figure of these columns over the parameters `names`: a panel a claim, a mark a number."""
    from matplotlib.figure import Figure

    panels: dict[str, list[str]] = {}
    for column in columns:
        panels.setdefault(re.sub(r" \[\d+\]$", "", column), []).append(column)
    at = table[names[0]] if len(names) == 1 else table[names].astype(str).agg(", ".join, axis=1)
    rows = -(-len(panels) // 3)
    figure = Figure(figsize=(12, 2.4 * rows), layout="constrained")
    for number, (claim, shown) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(rows, 3, number)
        axes.plot(at, table[shown], ".-", color="black", lw=0.4)
        axes.set_title(textwrap.fill(claim, 55), fontsize=8)
        axes.set_xlabel(", ".join(names), fontsize=8)
        if at.dtype.kind == "i":
            axes.xaxis.get_major_locator().set_params(integer=True)
        axes.tick_params(labelsize=7, axis="x", rotation=0 if len(names) == 1 else 30)
    return figure
