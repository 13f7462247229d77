"""One notebook as a file: what it is called, its parameters, its clean form, writing it."""

import ast
import os
from collections.abc import Sequence
from pathlib import Path

import nbformat
from filelock import AcquireReturnProxy, FileLock, Timeout
from nbformat import NotebookNode

WIDGET = "application/vnd.jupyter.widget-view+json"


class UsageError(Exception):
    """A request that cannot be met; the message is one sentence for the person who typed it."""


def select(folder: Path, only: str = "") -> list[Path]:
    """The notebooks of `folder` whose name starts with `only` (its number will do), in order.

    Raises UsageError naming the known ones where there is none.
    """
    known = sorted(Path(folder).glob("*.ipynb"))
    chosen = [path for path in known if path.name.startswith(only)]
    if not chosen:
        names = ", ".join(path.stem for path in known) or "none"
        raise UsageError(f"There is no notebook {only!r}; the known ones are: {names}.")
    return chosen


def defaults(path: Path) -> dict[str, object]:
    """{name: value} that the notebook's cell tagged `parameters` sets."""
    import papermill

    try:
        found = papermill.inspect_notebook(str(path))
    except ValueError as error:
        raise UsageError(f"{path} cannot be read as a notebook: {error}") from None
    return {name: ast.literal_eval(found[name]["default"]) for name in found}


def parameters(wanted: dict[str, str], own: dict[str, object]) -> dict[str, object]:
    """{name: value} of the `wanted` {name: text} that a notebook with the defaults `own` takes.

    Raises UsageError for a value that is not of the default's kind.
    """
    values = {}
    for name, text in wanted.items():
        if name in own:
            try:
                values[name] = ast.literal_eval(text)
            except (ValueError, SyntaxError):
                values[name] = text
            kind = type(own[name])
            allowed = (int, float) if kind is float else (kind,)
            if own[name] is not None and type(values[name]) not in allowed:
                said = f"takes a value of type {kind.__name__}, not {text!r}"
                raise UsageError(f"The parameter {name!r} {said}.")
    return values


def code_cells(nb: NotebookNode) -> list[NotebookNode]:
    """The cells of `nb` that are executed, in order."""
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def code(path: Path) -> list[tuple[str, list | None]]:
    """[(source, tags)] of its code cells; [] where it is no notebook: to execute it says why."""
    try:
        cells = code_cells(nbformat.read(path, as_version=4))
    except Exception:
        return []
    return [(cell.source, cell.metadata.get("tags")) for cell in cells]


def clean(nb: NotebookNode) -> str:
    """The text of `nb`'s file, less what differs by nature between runs and machines."""
    for key in ("papermill", "widgets"):
        nb.metadata.pop(key, None)
    nb.metadata.get("language_info", {}).pop("version", None)
    for cell in nb.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
    for cell in code_cells(nb):
        cell.outputs = joined([o for o in cell.outputs if WIDGET not in o.get("data", {})])
    return nbformat.writes(nb).rstrip("\n") + "\n"


def joined(outputs: Sequence[dict]) -> list[NotebookNode]:
    """Outputs with each stream's pieces in one, where the first was: kernels cut them by time.

    A line is what its last carriage return leaves of it. (nbclient's own joining takes hours for
    one line of 100 MB.)
    """
    result, pieces = [], {}
    for output in map(NotebookNode, outputs):
        if output.output_type != "stream":
            result.append(output)
            continue
        if output.name not in pieces:
            result.append(output)
        pieces.setdefault(output.name, []).append("".join(output.text))
    for output in result:
        if output.output_type == "stream":
            text = "".join(pieces[output.name])
            if "\r" in text:
                lines = text.replace("\r\n", "\n").split("\n")
                text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
            output.text = text
    return result


def write(text: str, path: Path) -> None:
    """Write `text` to `path` whole or not at all; a file that says the same is left alone."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def locked(build: Path) -> AcquireReturnProxy:
    """Hold `build` for one run; raises UsageError where another holds it, or it is no folder."""
    try:
        build.mkdir(parents=True, exist_ok=True)
        return FileLock(build / ".lock").acquire(timeout=0)
    except FileExistsError:
        raise UsageError(f"{build} is a file and not a folder; move it away.") from None
    except Timeout:
        raise UsageError(f"Another run is at work in {build}/; wait for it to end.") from None
    except OSError as error:
        raise UsageError(f"{build}/ cannot be written to: {error.strerror}.") from None
