"""Run an assignment from top to bottom, and say which of its questions have an answer.

In a student's folder this is `python check.py 03.ipynb`; it needs that folder alone. It gives no
points: what it looks at are the examples that the notebook shows.
"""

import _thread
import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

CELL, WHOLE = 120, 900  # seconds
STUB = "YOUR ANSWER HERE"  # what an answer in words begins as
ROLES = {"a": "the answer of", "t": "Try it of", "q": "the text of"}
NO_HELPERS = "helpers/ is not beside this file: unpack bds-homework.zip once more."


def mark(source):
    """What tells whether a given cell is still as it was."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def notebook(path):
    """The notebook in a file; SystemExit, one sentence, where it is none."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8-sig"))
        for cell in found["cells"]:
            cell["source"] = "".join(cell["source"])
            cell["key"] = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", "")
        return found
    except OSError as error:
        raise SystemExit(f"{path} cannot be opened: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SystemExit(f"{path} is no notebook: save it in Jupyter as an .ipynb file.") from None


def new_notebook():
    """(run, names): a function that runs a cell as a notebook does, and the notebook's variables.

    `run(source)` returns the cell's error, or None; a cell ends after CELL seconds at the latest.
    """
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.enable_gui = lambda gui=None: None  # %matplotlib asks for it, and here is no window

    def run(source):
        timer = threading.Timer(CELL, _thread.interrupt_main)
        timer.start()
        try:
            result = shell.run_cell(source)
            return result.error_before_exec or result.error_in_exec
        except KeyboardInterrupt as interrupt:
            return interrupt
        finally:
            timer.cancel()

    return run, shell.user_ns


def inside(path, report):
    """Run the notebook's code in this process, and write a line of JSON after each cell."""
    try:
        from helpers.example import NotYet, said
    except ImportError:
        raise SystemExit(NO_HELPERS) from None
    code = [cell["source"] for cell in notebook(path)["cells"] if cell["cell_type"] == "code"]
    with open(report, "w", encoding="utf-8") as file, open(os.devnull, "w") as nowhere:
        sys.stdout = sys.stderr = nowhere
        run, names = new_notebook()
        for source in code:
            error, told = run(source), ["fine", ""]
            if isinstance(error, NotYet):
                told = [error.state, str(error).partition(": ")[2]]
            elif isinstance(error, KeyboardInterrupt):
                told = ["stopped", f"did not end within {CELL} seconds: is it an endless loop?"]
            elif error is not None:
                told = ["stopped", f"stops with {said(error, names)}"]
            print(json.dumps(told), file=file, flush=True)


def look(path):
    """(state, sentence) for each cell of code, from a run in a process of its own."""
    path, here = Path(path).resolve(), Path(__file__).resolve()
    how_many = sum(cell["cell_type"] == "code" for cell in notebook(path)["cells"])
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report")
        where = [str(path.parent), str(here.parent), str(here.parents[1])]
        own = {"PYTHONPATH": os.pathsep.join(where), "MPLBACKEND": "agg", "IPYTHONDIR": folder}
        process = subprocess.Popen(
            [sys.executable, str(here), str(path), "--inside", str(report)],
            cwd=path.parent,
            env=os.environ | own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            said, ending = process.communicate(timeout=WHOLE)[1], "ends the whole process"
        except subprocess.TimeoutExpired:
            process.kill()
            said, ending = "", f"was at work when {WHOLE} seconds were over"
        if not report.exists():
            raise SystemExit(said.strip().rpartition("\n")[2] or f"{path} could not be run.")
        told = [tuple(json.loads(line)) for line in report.read_text("utf-8").splitlines()]
    told += [("stopped", ending)] * (len(told) < how_many)
    return told + [("not reached", "")] * (how_many - len(told))


def sentences(path):
    """What there is to say about a notebook, a line each; and whether nothing is left to do."""
    found = notebook(path)
    cells, code = found["cells"], [c for c in found["cells"] if c["cell_type"] == "code"]
    own = found.get("metadata", {}).get("homework", {})
    graded = own.get("graded") or [c["key"] for c in cells if re.match("[tw]\\d", c["key"])]
    if not graded:
        raise SystemExit(f"{path} has no questions: it is not one of the assignments.")
    states = list(zip(code, look(path), strict=True))
    stops = [
        f"no: code cell {number}{_named(cell['key'])} {said}"
        for number, (cell, (state, said)) in enumerate(states, start=1)
        if state == "stopped"
    ]
    open_, remarks = set(), []
    tried = {cell["key"]: told for cell, told in states}
    words = {cell["key"]: cell["source"] for cell in cells}
    for key in graded:
        question = key[1:].replace("-", ".")
        if key not in words:
            remarks.append(f"{question} has lost a cell ({key}): copy it from a fresh notebook.")
        if key.startswith("w"):
            unanswered = len(words.get(key, "").replace(STUB, "").split()) < 3
        else:
            state, said = tried.get(key, ("not answered", ""))
            unanswered = state in ("not answered", "missing", "not reached")
            if state in ("wrong", "missing"):
                remarks.append(f"the example of {question} does not hold: {said}")
        open_ |= {question} if unanswered else set()
    keys = [cell["key"] for cell in cells]
    twice = sorted({key for key in keys if key and keys.count(key) > 1})
    remarks += [f"the cell {key} is there twice: delete one." for key in twice]
    changed = [k for k, m in own.get("given", {}).items() if mark(words.get(k, "")) != m]
    if changed := [key for key in changed if key not in graded]:
        said = f"given cells are changed or lost ({', '.join(changed)})"
        remarks.append(f"{said}: grading puts them back, so copy them from a fresh notebook.")
    questions = dict.fromkeys(key[1:].replace("-", ".") for key in graded)
    left = f"; not answered: {', '.join(sorted(open_))}" if open_ else ""
    head = [f"runs from top to bottom: {stop}" for stop in stops or ["yes"]]
    answered = f"answered: {len(questions) - len(open_)} of {len(questions)}{left}"
    return [*head, answered, *remarks], not (stops or open_ or remarks)


def _named(key):
    role = ROLES.get(key[:1]) if re.match("[atq]\\d", key) else None
    return f" ({role} {key[1:].replace('-', '.')})" if role else ""


def main(arguments=None):
    """0 where everything is answered and each example holds, 1 where not, 2 for no notebook."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("notebook", nargs="?", default="", help="your .ipynb file")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.inside:
        inside(options.notebook, options.inside)
        return 0
    try:
        if not options.notebook:
            raise SystemExit("Name a notebook, such as 03.ipynb (make: NOTEBOOK=03.ipynb).")
        said, whole = sentences(options.notebook)
    except SystemExit as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(said))
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
