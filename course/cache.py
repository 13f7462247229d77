"""Which notebooks need not be executed again: what they were made of has not changed."""

import hashlib
import json
import platform
from collections.abc import Iterable
from pathlib import Path

import nbformat

from course import notebook
from course.execute import Job, Outcome

NAME = "cache.json"


def fingerprint(path: Path | str) -> str:
    """A hash of a file's bytes, or "" where it is not there."""
    path = Path(path)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def made_of(job: Job, files: Iterable[str]) -> dict[str, str]:
    """{ingredient: its mark} of all that the artefact of a job depends on."""
    try:
        cells = notebook.code_cells(nbformat.read(job.source, as_version=4))
        code = json.dumps([[cell.source, cell.metadata.get("tags")] for cell in cells])
    except Exception as error:  # to execute it will say what is wrong
        code = str(error)
    return {
        "the code of its cells": hashlib.sha256(code.encode()).hexdigest(),
        "the choice of its parameters": repr(job.parameters),
        "the version of Python": platform.python_version(),
        **{name: fingerprint(name) for name in files},
    }


def entry(job: Job, outcome: Outcome, others: Iterable[Path]) -> dict:
    """What is kept of a job that ended well: its ingredients, `others` are files too, its length.

    Files are named from the project's folder; the notebook itself is none, its cells count.
    """
    root, source = job.root.resolve(), job.source.resolve()
    read = [path for path in map(Path, outcome.opened) if path.resolve() != source]
    named = [path for v in job.parameters.values() if (path := Path(str(v))).is_file()]
    files = [*(p.relative_to(root) if p.is_relative_to(root) else p for p in read), *named, *others]
    made = made_of(job, map(str, files))
    sizes = {"seconds": round(outcome.seconds, 1), "cells": outcome.cells}
    return {"made of": made, "files": [*map(str, files)], **sizes}


def why_run(job: Job, known: dict | None) -> str:
    """Why a job must be executed though there is an entry of it; "" where it need not."""
    if known is None:
        return "it has not been executed before"
    now = made_of(job, known["files"])
    changed = [name for name, mark in known["made of"].items() if now[name] != mark]
    return f"{', '.join(changed)} has changed" if changed else ""


def read(build: Path) -> dict[str, dict]:
    """{artefact: its entry}; empty where nothing readable is there."""
    try:
        known = json.loads((build / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    entries = known.items() if isinstance(known, dict) else []
    return {
        name: entry for name, entry in entries if isinstance(entry, dict) and "made of" in entry
    }
