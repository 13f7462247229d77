"""What `make lab` does before JupyterLab starts (tests/browser starts it)."""

import json
import os
import shutil
from pathlib import Path

import nbformat
import pytest
from support import ROOT, add

from runner import lab


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def started(monkeypatch):
    """The commands and environments that would have been started."""
    found = []
    monkeypatch.setattr(lab.environment, "become", lambda *given: found.append(given) or 0)
    return found


def edit(path, source):
    nb = nbformat.read(path, as_version=4)
    nb.cells[0].source = source
    nbformat.write(nb, path)


def test_a_copy_is_made_once_and_never_written_to(folder, started, capsys):
    source = add(folder, "01-one", "print(1)")
    committed = source.read_bytes()
    assert lab.main([]) == 0
    own = folder / "my-notebooks" / "01-one.ipynb"
    assert nbformat.read(own, as_version=4).cells[0].source == "print(1)"
    edit(own, "print('mine')")
    before = own.read_bytes()
    assert lab.main([]) == 0
    assert own.read_bytes() == before
    assert source.read_bytes() == committed
    assert "is yours" not in capsys.readouterr().out


def test_a_copy_gives_no_answer_away_unless_it_is_asked_for(folder, started):
    source = add(folder, "01-one", "print(1)")
    nb = nbformat.read(source, as_version=4)
    nb.cells[0].outputs = [nbformat.v4.new_output("stream", name="stdout", text="1\n")]
    nb.cells[0].execution_count = 1
    nbformat.write(nb, source)
    assert lab.main([]) == 0
    assert lab.main(["--outputs", "--copies", "kept"]) == 0
    empty, kept = (
        nbformat.read(folder / place / "01-one.ipynb", as_version=4).cells[0]
        for place in ("my-notebooks", "kept")
    )
    assert (empty.outputs, empty.execution_count) == ([], None)
    assert kept.outputs == nb.cells[0].outputs


def test_a_newer_notebook_is_named_and_the_copy_stays(folder, started, capsys):
    source = add(folder, "01-one", "print(1)")
    lab.main([])
    own = folder / "my-notebooks" / "01-one.ipynb"
    before = own.read_bytes()
    edit(source, "print(2)")
    assert lab.main([]) == 0
    assert own.read_bytes() == before
    said = capsys.readouterr().out
    paths = Path("my-notebooks/01-one.ipynb"), Path("notebooks/01-one.ipynb")
    assert "{} is yours, and older than {}.".format(*paths) in said
    own.rename(own.with_name("01-mine.ipynb"))
    assert lab.main([]) == 0
    assert nbformat.read(own, as_version=4).cells[0].source == "print(2)"
    assert "is yours" not in capsys.readouterr().out


def test_it_opens_on_the_notebook_that_the_project_names(folder, started):
    for name in ("01-one", "02-two"):
        add(folder, name, "print(1)")
    (folder / "pyproject.toml").write_text('[tool.runner]\nopens = "02"\n')
    shutil.copytree(ROOT / ".jupyter", folder / ".jupyter")
    assert lab.main([]) == 0
    [space] = (folder / "my-notebooks" / ".lab" / "workspaces").iterdir()
    layout = json.loads(space.read_text())["data"]["layout-restorer:data"]
    assert layout["main"]["current"] == "notebook:my-notebooks/02-two.ipynb"


def test_everything_that_jupyter_writes_is_inside(folder, started):
    add(folder, "01-one", "print(1)")
    shutil.copytree(ROOT / ".jupyter", folder / ".jupyter")
    lab.main(["--port=9000"])
    [(command, environment)] = started
    assert command[-1] == "--port=9000" or command[-2:] == ["--port=9000", "--allow-root"]
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "XDG_CACHE_HOME"):
        assert environment[name].startswith(str(folder / "my-notebooks" / ".lab"))
    assert environment["HOME"] == os.environ["HOME"]
    assert environment["OMP_NUM_THREADS"] == "1"
    [space] = (folder / "my-notebooks" / ".lab" / "workspaces").iterdir()
    layout = json.loads(space.read_text())["data"]["layout-restorer:data"]
    assert layout["main"]["current"] == "notebook:my-notebooks/01-one.ipynb"
    assert layout["left"]["current"] == "@jupyterlab/toc:plugin"


CASES = ["no notebooks", "a file", "outside", "no notebook", "notebooks", ".", ".mine"]


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_is_said_in_a_sentence(folder, started, capsys, case, tmp_path_factory):
    arguments = []
    if case != "no notebooks":
        add(folder, "01-one", "print(1)")
    if case == "a file":
        (folder / "my-notebooks").write_text("")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    if case == "outside":
        arguments = ["--copies", str(elsewhere)]
    if case in CASES[4:]:
        arguments = ["--copies", case]
    if case == "no notebook":
        (folder / "notebooks" / "01-one.ipynb").write_text("{}")
    assert lab.main(arguments) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("JupyterLab is not started: ")
    assert "\n" not in said
    assert started == []
    assert list(elsewhere.iterdir()) == []
    assert not list(folder.rglob(".lab"))
