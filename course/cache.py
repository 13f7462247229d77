"""Which notebooks need not be executed again: what they were made of has not changed."""

import contextlib
import hashlib
import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path

from course import environment, notebook
from course.execute import Job

NAME, CELLS = "cache.json", "the code of its cells"


def fingerprint(path: Path | str) -> str:
    """A hash of a file's bytes, or "" where it is not there."""
    path = Path(path)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def made_of(job: Job, files: Iterable[str]) -> dict[str, str]:
    """{ingredient: its mark} of all that the artefact of a job depends on, files among it."""
    nb, home = notebook.read(job.source), job.home or Path()
    cells = [[cell.source, cell.metadata.get("tags")] for cell in notebook.code_cells(nb)]
    code = json.dumps([nb.metadata.get("kernelspec"), cells]).encode()
    return {name: fingerprint(name) for name in files} | {
        CELLS: hashlib.sha256(code).hexdigest(),
        "the choice of its parameters": repr(job.parameters),
        "the version of Python": platform.python_version(),
        **(job.place or environment.described(environment.made(home, job.variables))),
    }


def entry(job: Job, lock: Path) -> dict:
    """What is kept of a job that ended well: its ingredients, and its length in seconds and cells.

    Files are named from the project's folder. What was written to since the job began has no mark:
    who knows which of its versions was read.
    """
    files = [Path(name).relative_to(job.root.resolve()) for name in job.opened]
    files += [Path(str(v)) for v in job.parameters.values() if os.path.isfile(str(v))]
    made = made_of(job, map(str, [*files, job.output, lock]))
    for path, name in [(job.source, CELLS), *((path, str(path)) for path in (*files, lock))]:
        if path.exists() and path.stat().st_mtime >= job.began:
            made[name] = ""
    return {"made of": made, "seconds": round(job.seconds, 1), "cells": job.cells}


def why_run(job: Job, known: dict | None) -> str:
    """Why a job must be executed though there is an entry of it; "" where it need not."""
    if known is None:
        return "it has not been executed before"
    was, now = known["made of"], made_of(job, known["made of"])
    changed = [name for name in now if now[name] != was.get(name)]
    return f"{', '.join(changed)} has changed" if changed else ""


def read(build: Path) -> dict[str, dict]:
    """{artefact: its entry}; empty where nothing readable is there."""
    try:
        known = json.loads((build / NAME).read_text(encoding="utf-8"))
        return {name: entry for name, entry in known.items() if "made of" in entry}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def write(known: dict[str, dict], build: Path) -> None:
    """Keep {artefact: its entry}; where that cannot be written, everything is executed again."""
    with contextlib.suppress(OSError):
        text = json.dumps(known, indent=1, sort_keys=True) + "\n"
        notebook.write(text, build / NAME)


def longest_first(jobs: list[Job], known: dict[str, dict]) -> list[Job]:
    """The jobs by the seconds of their last run; before them those without any, most code first."""

    def length(job: Job) -> tuple[float, int]:
        if entry := known.get(str(job.output)):
            return entry["seconds"], 0
        cells = notebook.code_cells(notebook.read(job.source))
        return float("inf"), sum(len(cell.source) for cell in cells)

    return sorted(jobs, key=length, reverse=True)
