"""Which of a project's own modules a notebook imports, directly or through each other."""

import ast
from collections.abc import Collection, Iterator
from importlib.util import find_spec
from pathlib import Path

from nbformat import NotebookNode

from runner import notebook

# Code that uses one of these may import a module under a name that nobody can read.
DYNAMIC = {"__import__", "import_module", "run_path", "run_module", "exec"}


class Unresolved(Exception):
    """An import that cannot be followed."""


def imported(
    nb: NotebookNode, folder: Path, root: Path, files: Collection[str]
) -> set[Path] | None:
    """Those of a project's `files` that the notebook imports as modules; None if any could be one.

    Python looks for a module beside the notebook, in `folder`, and in the project's folder `root`.
    An import is unresolved if it is found in neither and is not installed, but one of `files`, or a
    folder of theirs, has its name; and so is a cell that is not Python (a magic, for example). Then
    every module may have been imported.
    """
    folders, found = [folder.resolve(), root.resolve()], set()
    names = {part for name in files for part in Path(name).with_suffix("").parts}
    waiting = [(cell.source, ()) for cell in notebook.code_cells(nb)]
    try:
        while waiting:
            for name in _names(*waiting.pop()):
                for file, package in _files(name.split("."), folders, names):
                    if file not in found:
                        found.add(file)
                        waiting.append((file.read_text("utf-8", errors="replace"), package))
    except Unresolved:
        return None
    return found


def _names(source: str, package: tuple[str, ...]) -> Iterator[str]:
    """The names, with dots, that code imports inside `package`; an attribute may be among them."""
    try:
        nodes = list(ast.walk(notebook.parse(source)))
    except (SyntaxError, ValueError):
        raise Unresolved from None
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}".removesuffix(".*") for alias in node.names)
        elif getattr(node, "id", getattr(node, "attr", None)) in DYNAMIC:
            raise Unresolved


def _files(
    parts: list[str], folders: list[Path], names: set[str]
) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """(file, the package that it is in) of a module and of each package around it."""
    top = parts[0]
    base = next((f for f in folders if (f / top).is_dir() or (f / f"{top}.py").is_file()), None)
    if base is None:
        spec = find_spec(top)
        origin = Path(spec.origin or "") if spec else folders[-1]
        own = origin.is_relative_to(folders[-1]) and "site-packages" not in origin.parts
        if own and top in names:
            raise Unresolved  # the project's own, in a folder that Python is told of later
    for depth in range(1, len(parts) + 1) if base else ():
        path = base.joinpath(*parts[:depth])
        if (path / "__init__.py").is_file():
            yield path / "__init__.py", tuple(parts[:depth])
        elif path.with_suffix(".py").is_file():
            yield path.with_suffix(".py"), tuple(parts[: depth - 1])
