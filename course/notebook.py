"""One notebook as a file: what it is called, its parameters, its clean form, writing it."""

import ast
import os
import tempfile
from pathlib import Path

import nbformat
import papermill

WIDGET = "application/vnd.jupyter.widget-view+json"


class UsageError(Exception):
    """A request that cannot be met; the message is one sentence for the person who typed it."""


def select(folder, only=""):
    """The notebooks of `folder` whose name starts with `only` (its number will do), in order.

    Raises UsageError naming the known ones where there is none.
    """
    known = sorted(Path(folder).glob("*.ipynb"))
    chosen = [path for path in known if path.name.startswith(only)]
    if not chosen:
        names = ", ".join(path.stem for path in known) or "none"
        raise UsageError(f"There is no notebook {only!r}; the known ones are: {names}.")
    return chosen


def parameters_for(notebooks, wanted):
    """Which of the `wanted` {name: text} each notebook gets: {path: {name: value}}.

    A notebook gets those that its cell tagged `parameters` sets. Raises UsageError for one that
    no notebook has, or whose value is not of the default's kind.
    """
    defaults = {path: _defaults(path) for path in notebooks} if wanted else {}
    known = sorted({name for of_one in defaults.values() for name in of_one})
    for name in wanted:
        if name not in known:
            listing = ", ".join(known) or "none"
            raise UsageError(f"There is no parameter {name!r} here; the known ones are: {listing}.")
    return {
        path: {
            name: _value(name, text, defaults[path][name])
            for name, text in wanted.items()
            if name in defaults[path]
        }
        for path in notebooks
    }


def _defaults(path):
    try:
        found = papermill.inspect_notebook(str(path))
    except ValueError as error:
        raise UsageError(f"{path} cannot be read as a notebook: {error}") from None
    return {name: ast.literal_eval(found[name]["default"]) for name in found}


def _value(name, text, default):
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    kinds = {int: [int], float: [int, float], bool: [bool], str: [str]}
    if type(value) not in kinds.get(type(default), [type(value)]):
        kind = type(default).__name__
        raise UsageError(f"The parameter {name!r} takes a value of type {kind}, not {text!r}.")
    return value


def clean(nb):
    """The text of `nb`'s file, less what differs by nature between runs and machines."""
    for key in ("papermill", "widgets"):
        nb.metadata.pop(key, None)
    nb.metadata.get("language_info", {}).pop("version", None)
    for cell in nb.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if WIDGET not in o.get("data", {})]
    return nbformat.writes(nb).rstrip("\n") + "\n"


def write(text, path):
    """Write `text` to `path` whole or not at all; a file that says the same is left alone."""
    path = Path(path)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".tmp")
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, path.stat().st_mode if path.exists() else 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
