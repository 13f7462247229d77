"""JupyterLab on copies of a folder's notebooks, writing nothing outside the project: `make lab`.

To run a notebook is to change its file: the outputs, and the version of Python. So a reader gets
copies, each made when it is missing, and what is committed stays as it is.
"""

import argparse
import hashlib
import json
import os
import platform
import sys
from pathlib import Path

import nbformat

from runner import notebook, request
from runner.execute import environment
from runner.notebook import UsageError

STATE = ".lab"  # beside the copies: settings and layout are the reader's, too
MARK = "copied from"  # in a copy's metadata: which text of the notebook it was made of


def copy(notebooks: Path, copies: Path, outputs: bool = False) -> list[str]:
    """Copy each notebook that is not in `copies` yet; a line about each that is older, or damaged.

    Nothing that is there is written to. A copy has no outputs, unless they are asked for: they
    would give away what the text asks its reader to predict.
    """
    copies.mkdir(parents=True, exist_ok=True)
    older = []
    for source in notebook.select([notebooks]):
        own, nb = copies / source.name, notebook.load(source)
        text = json.dumps([cell.source for cell in nb.cells])
        mark = hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
        if not os.path.lexists(own):
            nb.metadata[MARK] = mark
            if not outputs:
                for cell in notebook.code_cells(nb):
                    cell.outputs, cell.execution_count = [], None
            if "language_info" in nb.metadata:  # else to open it is to change it
                nb.metadata.language_info["version"] = platform.python_version()
            notebook.write(nbformat.writes(nb) + "\n", own)
            continue
        try:
            if notebook.load(own).metadata.get(MARK, mark) == mark:
                continue
            said = f"{own} is yours, and older than {source}."
        except UsageError as error:
            said = f"{error}."
        older.append(f"{said} To get a new one, too, rename yours and start again.")
    return older


def variables(root: Path, state: Path) -> dict[str, str]:
    """Where Jupyter, and what kernels import, keep what they write; settings are in .jupyter."""
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "KERAS_HOME": "keras",
        "MPLCONFIGDIR": "matplotlib",
        "XDG_CACHE_HOME": "cache",
        "XDG_DATA_HOME": "share",  # what is deleted in JupyterLab goes there
    }
    own = {name: str(state / folder) for name, folder in places.items()}
    for folder in own.values():
        Path(folder).mkdir(parents=True, exist_ok=True)
    own |= {"JUPYTER_CONFIG_PATH": str(root / ".jupyter"), "JUPYTER_PATH": ""}
    return os.environ | environment.settings() | own


def workspace(root: Path, own: dict[str, str], path: str) -> None:
    """Let JupyterLab open on the notebook `path` beside its contents, unless somebody has used it.

    The layout is .jupyter/first-sight.json of the project, if it has one.
    """
    from jupyterlab_server.workspaces_handler import WorkspacesManager

    folder, layout = own["JUPYTERLAB_WORKSPACES_DIR"], root / ".jupyter" / "first-sight.json"
    if layout.is_file() and not os.listdir(folder):
        text = layout.read_text(encoding="utf-8").replace("NOTEBOOK", json.dumps(path)[1:-1])
        text = text.replace("FOLDER", json.dumps(path.rpartition("/")[0])[1:-1])
        WorkspacesManager(folder).save("course", text)


def main(arguments: list[str] | None = None) -> int:
    """Make the copies and start JupyterLab; what is not known here goes to it (--no-browser)."""
    parser = argparse.ArgumentParser(prog="runner.lab", description=__doc__, allow_abbrev=False)
    parser.add_argument("--notebooks", type=Path, default=Path("notebooks"))
    parser.add_argument("--copies", type=Path, default=Path("my-notebooks"))
    parser.add_argument("--outputs", action="store_true", help="keep the outputs in new copies")
    options, others = parser.parse_known_args(arguments)
    root, copies = request.project(options.notebooks), options.copies.resolve()
    try:
        if not copies.is_relative_to(root):
            raise UsageError(f"{options.copies} is not inside {root}, which JupyterLab shows.")
        if copies in (root, options.notebooks.resolve()):
            raise UsageError(f"{options.copies} is the course's own; copies want a folder apart.")
        if any(part.startswith(".") for part in copies.relative_to(root).parts):
            raise UsageError(f"{options.copies} is hidden, and JupyterLab shows no such folder.")
        for line in copy(options.notebooks, options.copies, options.outputs):
            print(line)
        own = variables(root, copies / STATE)
        opens = str(notebook.settings(root).get("opens", ""))
        first = notebook.select([options.notebooks], opens)[0].name
        workspace(root, own, (copies / first).relative_to(root).as_posix())
    except (UsageError, OSError, ValueError) as error:
        print(f"JupyterLab is not started: {error}", file=sys.stderr)
        return 2
    print(f"What you change is in {options.copies}/ and stays there. Ctrl-C ends it.", flush=True)
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root}"]
    command += [f"--ServerApp.preferred_dir={copies}"]  # where the file browser opens
    command += ["--LabApp.default_url=/lab/workspaces/course", *others]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container there is nobody else
    return environment.become(command, own)


if __name__ == "__main__":
    sys.exit(main())
