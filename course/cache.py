"""Which notebooks need not be executed again: what they were made of has not changed."""

import hashlib
import json
import platform
from pathlib import Path

import nbformat

from course import notebook
from course.execute import Job, Outcome

NAME = "cache.json"


def fingerprint(path: Path | str) -> str:
    """A hash of a file's bytes, or "" where it is not there."""
    path = Path(path)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _source(path: Path) -> str:
    """A hash of a notebook's code cells; its prose and outputs are not executed."""
    cells = notebook.code_cells(nbformat.read(path, as_version=4))
    code = [[cell.source, cell.metadata.get("tags")] for cell in cells]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()


def why_run(job: Job, output: Path, known: dict | None, lock: Path) -> str:
    """Why the artefact `output` cannot stand for a job, in a few words; "" where it can.

    `known` is what `read` says of that artefact, None where that is nothing.
    """
    if known is None:
        return "it has not been executed before"
    try:
        if known["cells"] != _source(job.source):
            return "its code cells have changed"
    except Exception:
        return "it cannot be read"
    if known["parameters"] != notebook.shown(job.parameters):
        return "its parameters have changed"
    if known["python"] != platform.python_version():
        return f"Python is {platform.python_version()}, and it was {known['python']}"
    if known["lock"] != fingerprint(lock):
        return f"{lock.name} has changed"
    if known["output"] != fingerprint(output):
        return f"{output} is not what it left"
    changed = [path for path, was in known["files"].items() if fingerprint(path) != was]
    return f"{', '.join(sorted(changed))} has changed" if changed else ""


def made_of(job: Job, outcome: Outcome, output: Path, lock: Path) -> dict:
    """What a job that ended well was made of, for `why_run`."""
    root = job.root.resolve()
    files = [path for path in map(Path, outcome.opened) if path.resolve() != job.source.resolve()]
    names = [str(p.relative_to(root)) if p.is_relative_to(root) else str(p) for p in files]
    named = [v for v in job.parameters.values() if isinstance(v, str) and v and Path(v).is_file()]
    return {
        "cells": _source(job.source),
        "parameters": notebook.shown(job.parameters),
        "python": platform.python_version(),
        "lock": fingerprint(lock),
        "output": fingerprint(output),
        "files": {name: fingerprint(name) for name in [*names, *named]},
        "seconds": round(outcome.seconds, 1),
        "count": outcome.cells,
    }


def read(build: Path) -> dict[str, dict]:
    """{artefact: what it was made of}; empty where nothing readable is there."""
    try:
        known = json.loads((build / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
