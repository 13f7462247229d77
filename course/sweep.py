"""Execute one notebook over a grid of parameters: `python -m course.sweep`, `make sweep`."""

import csv
import io
import itertools
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat

from course import notebook, run

# A checked number: a line of a cell's output such as "✓ what it is: 0.25".
CHECKED = re.compile(r"^✓ (.+): ([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)$", re.MULTILINE)


def values(text: str) -> list[str]:
    """What a grid's text stands for: 0:20 and 0:20:5 are ranges, a,b a list."""
    if re.fullmatch(r"-?\d+:-?\d+(:[1-9]\d*)?", text):
        found = [str(number) for number in range(*map(int, text.split(":")))]
    else:
        found = text.split(",")
    if not (found and all(found)):
        raise notebook.UsageError(f"A grid is written 0:20, 0:20:5 or 0.1,0.2, not {text!r}.")
    return list(dict.fromkeys(found))


def checked_numbers(text: str) -> dict[str, float]:
    """{cell id · claim: number} of an executed notebook's file."""
    numbers = {}
    for cell in notebook.code_cells(nbformat.reads(text, as_version=4)):
        for output in cell.outputs:
            if output.output_type == "stream":
                for claim, number in CHECKED.findall(output.text):
                    numbers[f"{cell.id}: {claim}"] = float(number)
    return numbers


def table(points: Sequence[dict], results: Sequence[tuple[str, dict[str, float]]]) -> str:
    """CSV: a row a point of the grid, its parameters, its state, its checked numbers."""
    claims = list(dict.fromkeys(claim for _, numbers in results for claim in numbers))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*points[0], "state", *claims])
    for point, (state, numbers) in zip(points, results, strict=True):
        writer.writerow([*point.values(), state, *(numbers.get(claim, "") for claim in claims)])
    return out.getvalue()


def figure(
    points: Sequence[dict], results: Sequence[tuple[str, dict[str, float]]], path: Path
) -> int:
    """Draw each checked number that varies over the grid to a PNG; how many there are."""
    from matplotlib.figure import Figure

    numbers = [found for _, found in results]
    claims = list(dict.fromkeys(claim for found in numbers for claim in found))
    varying = [c for c in claims if len({found[c] for found in numbers if c in found}) > 1]
    rows = -(-len(varying) // 3)
    drawing = Figure(figsize=(12, 2.4 * max(rows, 1)), layout="constrained")
    name, several = next(iter(points[0])), len(points[0]) > 1
    for number, claim in enumerate(varying, start=1):
        axes = drawing.add_subplot(rows, 3, number)
        have = [place for place, found in enumerate(numbers) if claim in found]
        where = have if several else [points[place][name] for place in have]
        axes.plot(where, [numbers[place][claim] for place in have], "o", color="black", ms=3)
        axes.set_title(claim if len(claim) < 50 else claim[:49] + "…", fontsize=8)
        axes.set_xlabel("row of the table" if several else name, fontsize=8)
    drawing.savefig(path, dpi=100)
    return len(varying)


def main(arguments: list[str] | None = None) -> int:
    """Sweep from the command line; the exit status is 0, 1 (a notebook failed) or 2 (usage)."""
    own = run.parser("course.sweep", __doc__)
    own.add_argument("grid", nargs="*", help="name=0:20 (a range) or name=0.1,0.2 (a list)")
    options = own.parse_args(arguments)
    try:
        paths = notebook.select(options.notebooks, options.only)
        if len(paths) > 1 or not options.grid:
            raise notebook.UsageError(
                "A sweep takes one notebook and a grid: make sweep ONLY=05 seed=0:20."
            )
        [path] = paths
        fixed = run.wanted(options, shlex.split(options.params))
        options.data = ""
        axes = {name: values(text) for name, text in run.wanted(options, options.grid).items()}
        grid = [dict(zip(axes, of, strict=True)) for of in itertools.product(*axes.values())]
        every = [notebook.parameters_for(paths, {**fixed, **point})[path] for point in grid]
        folder = options.build / "sweep" / path.stem
        runs = []
        for point, parameters in zip(grid, every, strict=True):
            name = re.sub(r"[^\w=.,-]", "_", ",".join(f"{k}={v}" for k, v in point.items()))
            runs.append(run.Run(run.job(path, parameters, options), folder / f"{name}.ipynb", name))
        with notebook.locked(options.build):
            status = run.complete(runs, options)
    except notebook.UsageError as error:
        print(error, file=sys.stderr)
        return 2
    if status == 130:
        return status
    results = []
    for one in runs:
        found = checked_numbers(one.output.read_text("utf-8")) if one.good else {}
        results.append((one.outcome.state, found))
    points = [{k: p[k] for k in axes} for p in every]
    notebook.write(table(points, results), folder / "table.csv")
    drawn = figure(points, results, folder / "figure.png")
    print(
        f"{folder}/table.csv has {len(runs)} rows; figure.png shows the {drawn} numbers that vary."
    )
    return status


if __name__ == "__main__":
    sys.exit(main())
