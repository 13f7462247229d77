"""Which notebooks need not be executed again: what they were made of has not changed."""

import hashlib
import json
import platform
from pathlib import Path

import nbformat

from course import notebook

NAME = "cache.json"


def fingerprint(path):
    """A hash of a file's bytes, or "" where it is not there."""
    path = Path(path)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _source(path):
    """A hash of a notebook's code cells; its prose and outputs are not executed."""
    cells = notebook.code_cells(nbformat.read(path, as_version=4))
    code = [[cell.source, cell.metadata.get("tags")] for cell in cells]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()


def _named(parameters):
    """The files that parameters name."""
    texts = [value for value in parameters.values() if isinstance(value, str)]
    return [text for text in texts if text and Path(text).is_file()]


def why_run(run, known, lock):
    """Why a run's artefact cannot stand for it, in a few words; "" where it can.

    `known` is what `read` says of its notebook, None where that is nothing.
    """
    if known is None:
        return "it has not been executed before"
    try:
        if known["cells"] != _source(run.source):
            return "its code cells have changed"
    except Exception:
        return "it cannot be read"
    if known["parameters"] != run.shown_parameters():
        return "its parameters have changed"
    if known["python"] != platform.python_version():
        return f"Python is {platform.python_version()}, and it was {known['python']}"
    if known["lock"] != fingerprint(lock):
        return f"{Path(lock).name} has changed"
    if known["output"] != fingerprint(run.output):
        return f"{run.output} is not what it left"
    changed = [path for path, was in known["files"].items() if fingerprint(path) != was]
    return f"{', '.join(sorted(changed))} has changed" if changed else ""


def remember(runs, build, lock):
    """Note what each run that ended well was made of."""
    root, known = Path.cwd().resolve(), read(build)
    for run in runs:
        if run.state != "ok":
            continue
        files = [path for path in map(Path, run.opened) if path.resolve() != run.source.resolve()]
        names = [str(p.relative_to(root)) if p.is_relative_to(root) else str(p) for p in files]
        known[run.source.name] = {
            "cells": _source(run.source),
            "parameters": run.shown_parameters(),
            "python": platform.python_version(),
            "lock": fingerprint(lock),
            "output": fingerprint(run.output),
            "files": {name: fingerprint(name) for name in [*names, *_named(run.parameters)]},
            "seconds": round(run.seconds, 1),
            "count": run.cells,
        }
    notebook.write(json.dumps(known, indent=1, sort_keys=True) + "\n", build / NAME)


def read(build):
    """{notebook: what it was made of}; empty where nothing readable is there."""
    try:
        known = json.loads((build / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
