"""How notebooks stand: a line on the screen, and report.json."""

import json
import os
import sys
from pathlib import Path

from runner import notebook
from runner.job import Job, Outcome, Task


def printable(text: str) -> str:
    """The text in one line that every screen and file can hold."""
    safe = text.encode("utf-8", "backslashreplace").decode()
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in safe)


def show(job: Job, outcome: Outcome) -> None:
    """Say in a line how a job stands."""
    cells = f"{outcome.done:>3}/{outcome.cells} cells" if outcome.cells else ""
    name, seconds = printable(job.output.stem), f"{outcome.seconds:6.1f} s"
    try:
        print(f"{name:<26} {outcome.state:<16} {cells:<12} {seconds}", flush=True)
    except BrokenPipeError:  # whoever read has gone: the work goes on
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def write(tasks: list[Task], build: Path) -> None:
    """Write report.json; where that fails, it is said."""
    records = []
    for job, how, why in ((task.job, task.outcome, task.why) for task in tasks):
        record = {"notebook": job.source.name, "state": how.state, "seconds": round(how.seconds, 2)}
        record |= {"cells": how.cells, "cells done": how.done, "why": why, "failure": how.failure}
        records.append(record | {"parameters": {k: repr(v) for k, v in job.parameters.items()}})
    try:
        notebook.write(json.dumps(records, indent=1) + "\n", build / "report.json")
    except OSError as error:
        print(f"{build}/report.json was not written: {error.strerror}.", file=sys.stderr)
