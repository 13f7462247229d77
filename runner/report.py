"""How notebooks stand: a line on the screen, report.json, and report.xml for CI."""

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

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
    print(f"{name:<26} {outcome.state:<16} {cells:<12} {seconds}", flush=True)


def write(tasks: list[Task], build: Path) -> None:
    """Write report.json, and report.xml (JUnit) beside it; where that fails, it is said."""
    failures = str(sum(not task.outcome.good for task in tasks))
    counts = {"tests": str(len(tasks)), "failures": failures}
    records, suite = [], ElementTree.Element("testsuite", counts, name="notebooks")
    for task in tasks:
        job, how = task.job, task.outcome
        record = {"notebook": job.source.name, "state": how.state, "seconds": round(how.seconds, 2)}
        record |= {"cells": how.cells, "cells done": how.done, "why": task.why}
        record |= {"parameters": {k: repr(v) for k, v in job.parameters.items()}}
        records.append(record | {"failure": how.failure})
        names = {"classname": "notebooks", "name": printable(job.output.stem)}
        case = ElementTree.SubElement(suite, "testcase", names, time=f"{how.seconds:.2f}")
        if not how.good:
            failure = ElementTree.SubElement(case, "failure", message=how.state)
            failure.text = re.sub(r"[^\t\n -\ud7ff\ue000-\ufffd]", "", how.failure)  # XML's own
    try:
        notebook.write(json.dumps(records, indent=1) + "\n", build / "report.json")
        notebook.write(ElementTree.tostring(suite, "unicode") + "\n", build / "report.xml")
    except OSError as error:
        print(f"{build}/report.json was not written: {error.strerror}.", file=sys.stderr)
