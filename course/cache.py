"""Which notebooks need not be executed again: what they were made of has not changed."""

import hashlib
import json
import platform
from collections.abc import Iterable
from pathlib import Path

from course import notebook
from course.execute import Job

NAME = "cache.json"


def fingerprint(path: Path | str) -> str:
    """A hash of a file's bytes, or "" where it is not there."""
    path = Path(path)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def made_of(job: Job, files: Iterable[str]) -> dict[str, str]:
    """{ingredient: its mark} of all that the artefact of a job depends on."""
    code = json.dumps(notebook.code(job.source)).encode()
    return {
        "the code of its cells": hashlib.sha256(code).hexdigest(),
        "the choice of its parameters": repr(job.parameters),
        "the version of Python": platform.python_version(),
        **{name: fingerprint(name) for name in files},
    }


def entry(job: Job, lock: Path) -> dict:
    """What is kept of a job that ended well: its ingredients, and its length in seconds and cells.

    Files are named from the project's folder; the notebook itself is none, its cells count.
    """
    root, source = job.root.resolve(), str(job.source.resolve())
    read = [Path(name).relative_to(root) for name in job.opened if name != source]
    named = [path for value in job.parameters.values() if (path := Path(str(value))).is_file()]
    files = [str(path) for path in (*read, *named, job.output, lock)]
    seconds, cells = round(job.seconds, 1), job.cells
    return {"made of": made_of(job, files), "files": files, "seconds": seconds, "cells": cells}


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
        return {name: entry for name, entry in known.items() if "made of" in entry}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def longest_first(jobs: list[Job], known: dict[str, dict]) -> list[Job]:
    """The jobs by the seconds of their last run; before them those without any, most code first."""

    def length(job: Job) -> tuple[float, int]:
        seconds = known.get(str(job.output), {}).get("seconds", float("inf"))
        return seconds, sum(len(source) for source, _ in notebook.code(job.source))

    return sorted(jobs, key=length, reverse=True)
