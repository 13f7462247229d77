"""One notebook as a file: what it is called, its parameters, its clean form, writing it."""

import ast
import json
import os
import shutil
import threading
import tomllib
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import nbformat
from filelock import AcquireReturnProxy, FileLock, Timeout
from nbformat import NotebookNode

WIDGET = "application/vnd.jupyter.widget-view+json"
LOCK = ".runner.lock"
ASIDE = ["docs", "tests"]  # what no notebook reads, unless the project says otherwise


class UsageError(Exception):
    """A request that cannot be met; the message is one sentence for the person who typed it."""


def select(folders: Sequence[Path], only: str = "") -> list[Path]:
    """The notebooks of `folders` whose name starts with a word of `only` ("" for all), in order.

    Raises UsageError naming the known ones where there is none.
    """
    known = [path for folder in folders for path in sorted(folder.glob("*.ipynb"))]
    chosen = [path for path in known if path.name.startswith(tuple(only.split()) or "")]
    if not chosen:
        names = ", ".join(path.stem for path in known) or "none"
        raise UsageError(f"There is no notebook {only!r}; the known ones are: {names}.")
    return chosen


def defaults(path: Path) -> dict[str, object]:
    """{name: value} that the notebook's cell tagged `parameters` sets; None for a computed one."""
    import papermill

    try:
        found = papermill.inspect_notebook(str(path))
    except (ValueError, OSError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} cannot be read as a notebook: {error}") from None
    return {name: literal(found[name]["default"], None) for name in found}


def parameters(values: dict[str, object], own: dict[str, object]) -> dict[str, object]:
    """{name: value} of the `values` that a notebook with the defaults `own` takes.

    Raises UsageError for a value that is not of the default's kind.
    """
    for name in values.keys() & own.keys():
        kind = type(own[name])
        allowed = (int, float) if kind is float else (kind,)
        if own[name] is not None and type(values[name]) not in allowed:
            said = f"takes a value of type {kind.__name__}, not {str(values[name])!r}"
            raise UsageError(f"The parameter {name!r} {said}.")
    return {name: value for name, value in values.items() if name in own}


_parsing = threading.Lock()


def parse(source: str, mode: str = "exec") -> ast.AST:
    """`ast.parse`, by one thread at a time: CPython 3.11 counts its depth for all of them.

    A library that parses in another thread can still spoil the count, so it is tried again.
    """
    for _ in range(2):
        with _parsing, suppress(SystemError):
            return ast.parse(source, mode=mode)
    with _parsing:
        return ast.parse(source, mode=mode)


def literal(text: str, *otherwise: object) -> object:
    """The value that `text` writes, where papermill can write it too; or else `text` itself."""
    try:
        # Papermill writes what JSON has, and nothing else.
        return json.loads(json.dumps(ast.literal_eval(parse(text, "eval"))))
    except (ValueError, SyntaxError, TypeError):
        return otherwise[0] if otherwise else text


def load(path: Path) -> NotebookNode:
    """The notebook in a file; raises UsageError, one sentence, where it holds none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ids that are missing or there twice: new ones
            nb = nbformat.reads(path.read_text(encoding="utf-8-sig"), as_version=4)
            nbformat.validate(nb)
        return nb
    except Exception as error:
        said = f"{path} is no notebook: {error}".strip().splitlines()[0]
        raise UsageError(said) from None


def read(path: Path) -> NotebookNode:
    """The notebook in a file, or an empty one if it is no notebook: executing it then says why."""
    try:
        return load(path)
    except UsageError:
        return nbformat.v4.new_notebook()


def code_cells(nb: NotebookNode) -> list[NotebookNode]:
    """The cells of `nb` that are executed, in order; a blank one or a tag skip-execution is not."""
    code = [cell for cell in nb.cells if cell.cell_type == "code" and cell.source.strip()]
    return [cell for cell in code if "skip-execution" not in cell.metadata.get("tags", [])]


def injected(cell: NotebookNode) -> bool:
    """Whether papermill has added this cell, for parameters of one's own."""
    return "injected-parameters" in cell.metadata.get("tags", [])


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
        if cell.cell_type == "code":
            cell.outputs = joined([o for o in cell.outputs if WIDGET not in o.get("data", {})])
    return nbformat.writes(nb).rstrip("\n") + "\n"


def joined(outputs: Sequence[dict]) -> list[NotebookNode]:
    """Outputs with each stream's pieces between two displays in one: kernels cut them by time.

    A line is what its last carriage return leaves of it. (nbclient's own joining takes hours for
    one line of 100 MB.)
    """
    result, pieces = [], {}
    for output in map(NotebookNode, outputs):
        if output.output_type != "stream":
            result.append(output)
            pieces = {}
        elif output.name in pieces:
            pieces[output.name].append("".join(output.text))
        else:
            output.text = pieces[output.name] = ["".join(output.text)]
            result.append(output)
    for output in result:
        if output.output_type == "stream":
            text = "".join(output.text)
            if "\r" in text:
                lines = text.replace("\r\n", "\n").split("\n")
                text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
            output.text = text
    return result


def write(text: str, path: Path) -> None:
    """Write `text` to `path` whole or not at all; a file that says the same is left alone."""
    if path.exists() and path.read_bytes() == text.encode("utf-8"):
        return
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def settings(root: Path) -> dict:
    """What [tool.runner] in a folder's pyproject.toml sets; UsageError if it cannot be read."""
    file = root / "pyproject.toml"
    try:
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        found = tomllib.loads(text).get("tool", {}).get("runner", {})
        return found | {"aside": [*map(str, found.get("aside", ASIDE))]}
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{file} cannot be read: {error}.") from None


def locked(build: Path) -> AcquireReturnProxy:
    """Hold `build` for one run; raises UsageError where another holds it, or it is no folder."""
    try:
        build.mkdir(parents=True, exist_ok=True)
        return FileLock(build / LOCK).acquire(timeout=0)
    except FileExistsError:
        raise UsageError(f"{build} is a file and not a folder; move it away.") from None
    except Timeout:
        raise UsageError(f"Another run is at work in {build}/; wait for it to end.") from None
    except OSError as error:
        raise UsageError(f"{build}/ cannot be written to: {error.strerror}.") from None
