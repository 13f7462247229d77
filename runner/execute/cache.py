"""Which artefacts still hold: those whose ingredients have the same hashes as when they were made.

An artefact is made of the notebook's code, parameters and kernel, the project's modules that it
imports, every other file of the project that is not Markdown, a notebook or set aside, the kernel's
environment, and this version of the runner. What a notebook reads outside of the project, from the
network, from another program or from the clock is not seen: tag one of its cells `always` where
that matters, and the notebook is executed every time.
"""

import contextlib
import hashlib
import json
import os
import platform
import stat
from collections.abc import Sequence
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path

from runner import notebook
from runner.execute import environment, modules
from runner.job import Job, Outcome
from runner.quote import sentences

VERSION = 2  # raise it when the runner does something else to an artefact
NAME, MACHINE = "made-of.json", "the processor or system"
ENVIRONMENTS = ("pyvenv.cfg", "conda-meta")


def made_of(job: Job) -> dict[str, str]:
    """{ingredient: hash} of everything that the job's artefact depends on, as it is now."""
    nb = notebook.read(job.source)
    cells = [[cell.source, cell.metadata.get("tags")] for cell in notebook.code_cells(nb)]
    variables = environment.made(job.home or Path(), job.variables)
    named = nb.metadata.get("kernelspec", {})
    texts = {
        "the code of its cells": json.dumps([nb.metadata.get("kernelspec"), cells]),
        "its folder": os.path.relpath(job.source.resolve().parent, job.root.resolve()),
        "the choice of its parameters": repr(job.parameters),
        "the limit of its memory": str(job.limits.memory),
        "its kernel": json.dumps(_kernelspec(job.kernel or named.get("name"))),
        "the version of the runner": str(VERSION),
        "the version of Python": platform.python_version(),
        "an installed package": repr(sorted(packages().items())),
        MACHINE: environment.processor(),
    } | {f"the variable {name}": text for name, text in variables.items()}
    given = [Path(str(value)) for value in job.parameters.values() if os.path.exists(str(value))]
    inputs = {f"{path}": path for path in given if path.is_file()}
    for folder in (path for path in given if path.is_dir()):
        inputs |= {f"{folder / name}": path for name, path in files(folder, []).items()}
    own = files(job.root, notebook.settings(job.root)["aside"])
    used = modules.imported(nb, job.source.parent, job.root, own)
    for name, path in own.items():
        if not name.endswith(".py") or used is None or path.resolve() in used:
            inputs[name] = path
    hashed = {name: _hash(text.encode("utf-8", "surrogateescape")) for name, text in texts.items()}
    return hashed | {name: hash_file(path) for name, path in inputs.items()}


def packages() -> dict[str, str]:
    """{name: version} of the installed packages."""
    return {each.name or "": each.version for each in metadata.distributions()}


def files(root: Path, aside: Sequence[str]) -> dict[str, Path]:
    """{name: path} of the files in a folder that a notebook may read or import, linked ones too.

    Left out are Markdown, notebooks, what is hidden, environments, what Python and the runner
    write (a folder that the runner has locked), and what is named in `aside`.
    """
    found, walked = {}, set()
    for folder, folders, inside in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in walked:
            folders.clear()
            continue
        walked.add(real)
        here = Path(folder)
        folders[:] = [
            name
            for name in sorted(folders)
            if not name.startswith(".")
            and name not in ("__pycache__", "site-packages", "node_modules")
            and not name.endswith(".egg-info")
            and (here / name).relative_to(root).as_posix() not in aside
            and not any((here / name / each).exists() for each in (*ENVIRONMENTS, notebook.LOCK))
        ]
        for path in (here / name for name in sorted(inside)):
            name = path.relative_to(root).as_posix()
            if not path.name.startswith(".") and path.suffix not in (".md", ".ipynb"):
                found |= {name: path} if name not in aside else {}
    return found


def hash_file(path: Path) -> str:
    """A hash of a file's bytes; a word where there is no regular file to read."""
    try:
        return _hash(path.read_bytes()) if stat.S_ISREG(path.stat().st_mode) else "no file"
    except OSError as error:
        return "" if isinstance(error, FileNotFoundError) else "cannot be read"


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _kernelspec(name: str | None) -> dict:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        return KernelSpecManager().get_kernel_spec(name or "python3").to_dict()
    except (NoSuchKernel, TypeError):
        return {}


def entry(job: Job, outcome: Outcome, before: dict[str, str]) -> dict | None:
    """What is kept of a job that ended well; None if what it was made of changed meanwhile."""
    if made_of(job) != before:
        return None
    made = before | {MACHINE: _hash(outcome.machine.encode())}  # a cluster's may be another one
    kept = {"made of": made, "artefact": hash_file(job.output)}
    return kept | {"seconds": round(outcome.seconds, 1), "cells": outcome.cells}


def why_run(job: Job, known: dict | None, now: dict[str, str]) -> str:
    """Why a job must be executed though it was before, or "" if it need not be."""
    nb = notebook.read(job.source)
    if any("always" in cell.metadata.get("tags", []) for cell in notebook.code_cells(nb)):
        return "one of its cells is tagged `always`"
    if known is None:
        return "it has not been executed before, or something changed while it was"
    was = known["made of"] | {"its artefact": known["artefact"]}
    now = now | {"its artefact": hash_file(job.output)}
    changed = sorted(name for name in now | was if now.get(name) != was.get(name))
    asked = {each.key for each in sentences.plan(nb) if not sentences.unfit(each.quotation)}
    if not changed and asked - sentences.values(notebook.read(job.output)).keys():
        return "what its prose quotes has changed"
    return f"{', '.join(changed)} has changed" if changed else ""


def forget_bytecode(root: Path) -> None:
    """Delete Python's bytecode of a project's modules, which knows a change by time and size."""
    for path in files(root, notebook.settings(root)["aside"]).values():
        with contextlib.suppress(OSError, NotImplementedError):
            if path.suffix == ".py":
                Path(cache_from_source(str(path))).unlink()


def read(build: Path) -> dict[str, dict]:
    """{artefact: its entry}; nothing if the file is not there or damaged."""
    try:
        return dict(json.loads((build / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def write(known: dict[str, dict], build: Path) -> None:
    """Keep {artefact: its entry}; if that cannot be written, everything is executed again."""
    with contextlib.suppress(OSError):
        notebook.write(json.dumps(known, indent=1, sort_keys=True) + "\n", build / NAME)


def longest_first(jobs: list[Job], known: dict[str, dict]) -> list[Job]:
    """The jobs by the seconds of their last run; before them those without any, most code first."""

    def length(job: Job) -> tuple[float, int]:
        if kept := known.get(str(job.output)):
            return kept["seconds"], 0
        cells = notebook.code_cells(notebook.read(job.source))
        return float("inf"), sum(len(cell.source) for cell in cells)

    return sorted(jobs, key=length, reverse=True)
