"""What an artefact is made of: an ingredient's name and its mark, which changes when it does."""

import ast
import functools
import hashlib
import json
import os
import platform
import site
import sys
from pathlib import Path

from nbformat import NotebookNode

from runner import kernel_environment, notebook, quotations
from runner.job import Job, Seen
from runner.kernel_start.sitecustomize import mark, names

RUNNER = Path(__file__).parent
ORDER = "the order of its cells"
ENVIRONMENTS = ("pyvenv.cfg", "conda-meta")
NO_FILES = ("__pycache__", "site-packages", "node_modules")


def place(variables: dict[str, str], nb: NotebookNode) -> dict[str, str]:
    """{ingredient: mark} of where a notebook is executed: here, in these variables."""
    return kernel_environment.described(variables) | {
        "its kernel": _hash(_kernel((nb.metadata.get("kernelspec") or {}).get("name", ""))),
        "the version of Python": platform.python_version(),
        "an installed package": packages(),
        "the runner": _hash([mark(path) for path in sorted(RUNNER.rglob("*.py"))]),
    }


def asked(job: Job, nb: NotebookNode) -> dict[str, str]:
    """{ingredient: mark} of what was asked for, the artefact as it lies there included."""
    cells = [[cell.source, cell.metadata.get("tags")] for cell in notebook.code_cells(nb)]
    given = [str(v) for v in job.parameters.values() if os.path.exists(str(v))]
    return {
        "the code of its cells": _hash([nb.metadata.get("kernelspec"), cells]),
        "what its prose quotes": _hash([placed.key for placed in quotations.plan(nb)]),
        ORDER: " ".join(notebook.order(nb)),
        "its own place": os.path.relpath(job.source.resolve(), job.root.resolve()),
        "the choice of its parameters": repr(job.parameters),
        "the limit of its memory": str(job.limits.memory),
        "its artefact": mark(job.output),
    } | {f"the parameter {value}": _hash([mark(value), files(Path(value), ())]) for value in given}


@functools.cache
def packages() -> str:
    """A mark of all that is installed: names, sizes and dates of its files, linked ones too."""
    found, folders = [], [path for path in site.getsitepackages() if os.path.isdir(path)]
    linked = set()
    while folders:
        for item in os.scandir(folders.pop()):
            if item.is_symlink():
                real = os.path.realpath(item.path)
                found.append((item.path, real))
                if real in linked:
                    continue
                linked.add(real)
            if item.is_dir():
                folders += [item.path] * (item.name != "__pycache__")
            elif item.is_file():
                about = item.stat()
                found.append((item.path, about.st_size, about.st_mtime_ns))
    return _hash(sorted(found, key=str))


def files(root: Path, aside: tuple[str, ...]) -> dict[str, str]:
    """{path in the folder `root`: mark} of its files, those behind linked folders too.

    Of a Python module only that it is there: whoever imports it names it. Left out are notebooks,
    hidden files and folders, environments, what Python or the runner itself writes (a folder that
    it has locked), and what is named in `aside`.
    """
    found, walked = {}, set()
    for folder, folders, inside in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in walked:
            folders.clear()
            continue
        walked.add(real)
        where = os.path.relpath(folder, root).replace(os.sep, "/") + "/"
        where = "" if where == "./" else where
        folders[:] = [
            name
            for name in sorted(folders)
            if not (name.startswith(".") or name in NO_FILES)
            and not name.endswith(".egg-info")
            and f"{where}{name}" not in aside
            and not any(os.path.exists(os.path.join(folder, name, e)) for e in ENVIRONMENTS)
            and not os.path.exists(os.path.join(folder, name, notebook.LOCK))
        ]
        for name in folders:
            if os.path.islink(os.path.join(folder, name)):
                found[f"{where}{name}/"] = os.path.realpath(os.path.join(folder, name))
        for name in inside:
            if not (name.startswith(".") or name.endswith(".ipynb") or f"{where}{name}" in aside):
                path = os.path.join(folder, name)
                found[f"{where}{name}"] = "a module" if name.endswith(".py") else mark(path)
    return found


def aside(root: Path) -> tuple[str, ...]:
    """The files and folders that pyproject.toml says no notebook reads: [tool.runner] aside."""
    return tuple(notebook.settings(root)["aside"])


def read_log(log: Path) -> Seen:
    """What a kernel's processes noted in their log, in its order: what they made is no input."""
    if not log.exists():
        return Seen(never="its kernel cannot say what it read")
    opened, listed, never, own = {}, {}, {}, {}
    for line in log.read_text(encoding="ascii").splitlines():
        kind, found, what = line.split(" ", 2)
        what = ast.literal_eval(what)
        real = Path(os.path.realpath(what))
        if kind == "start" and os.path.realpath(what) != os.path.realpath(sys.prefix):
            never[f"it runs the Python of {what}"] = True
        elif kind == "never":
            never[what] = True
        elif kind == "own":
            own[what] = True
        elif kind in ("file", "list") and not own.keys() & {str(real), *map(str, real.parents)}:
            (opened if kind == "file" else listed).setdefault(what, found.replace("_", " "))
    # What it made and has left: it may look for that next time.
    left = {path: mark(path) for path in own if path not in opened and os.path.isfile(path)}
    return Seen(opened, listed, left, "; ".join(never))


def now(seen: Seen) -> dict[str, str]:
    """The marks that what was seen has now."""
    return {path: mark(path) for path in seen.opened | seen.made} | {
        f"{path}{os.sep}": names(path) for path in seen.listed
    }


def then(seen: Seen) -> dict[str, str]:
    """The marks that what was seen had when it was, and what was made had in the end."""
    return seen.opened | seen.made | {f"{path}{os.sep}": n for path, n in seen.listed.items()}


def _kernel(name: str) -> dict:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        return KernelSpecManager().get_kernel_spec(name or "python3").to_dict()
    except (NoSuchKernel, TypeError):
        return {}


def _hash(what: object) -> str:
    text = json.dumps(what, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
