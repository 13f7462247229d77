"""What several test modules need: notebooks to run, and what came of them."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import psutil

from runner import notebook, run

ROOT = Path(__file__).resolve().parents[1]
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def add(folder, name, *sources, parameters=None):
    """Write a notebook that was never executed to folder/notebooks; its path."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    if parameters:
        first = nbformat.v4.new_code_cell(parameters)
        first.metadata["tags"] = ["parameters"]
        cells.insert(0, first)
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    path = folder / "notebooks" / f"{name}.ipynb"
    nb = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    path.write_text(notebook.clean(nb), encoding="utf-8")
    return path


def where(folder):
    return ["--notebooks", str(folder / "notebooks"), "--build", str(folder / "build")]


def main(folder, *arguments):
    return run.main([*where(folder), *arguments])


def start(folder, *arguments):
    """The same as a process of its own."""
    command = [sys.executable, "-m", "runner.run", *where(folder), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **pipes)


def states(folder):
    """{notebook: its state} of the last run."""
    records = json.loads((folder / "build" / "report.json").read_text(encoding="utf-8"))
    return {record["notebook"]: record["state"] for record in records}


def texts(path):
    """What each cell of a notebook printed."""
    return [
        "".join(output.get("text", "") for output in cell.get("outputs", []))
        for cell in nbformat.read(path, as_version=4).cells
    ]


def kernels(folder):
    """The kernels at work in a folder, whoever started them; other tests have theirs."""
    every = (process.info for process in psutil.process_iter(["pid", "cmdline", "cwd"]))
    here = (info for info in every if str(info["cwd"]).startswith(str(folder)))
    return {i["pid"] for i in here if "ipykernel_launcher" in " ".join(i["cmdline"] or [])}


def replayed(folder, *arguments, build="build"):
    """What pytest prints that compares notebooks of a folder with their artefacts."""
    command = [sys.executable, "-m", "pytest", "-p", "runner.compare.nbval_plugin"]
    options = ["-p", "no:cacheprovider", "--nbval", "--junitxml", "result.xml", "--color=no"]
    options += ["--nbval-artefacts", build] if build else []
    done = subprocess.run(
        [*command, *options, *arguments], cwd=folder, capture_output=True, text=True
    )
    return done.stdout + done.stderr
