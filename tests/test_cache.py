"""What is executed again, and what is not, with real kernels."""

import json
import os
import sys

import nbformat
import pytest
from test_faults import states
from test_run import add, main, texts

from runner import compare, notebook


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two notebooks: one uses helper a and a table, the other helper b. The project is the cwd."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"helper_{name}.py").write_text(f"VALUE = '{name}'\n", encoding="utf-8")
    (tmp_path / "table.csv").write_text("x\n1\n", encoding="utf-8")
    (tmp_path / "requirements.lock").write_text("numpy==1\n", encoding="utf-8")
    path = "import sys\n\nsys.path.insert(0, '..')\nsys.dont_write_bytecode = False\n"
    add(
        tmp_path,
        "01-a",
        f"{path}import helper_a\n\nprint(helper_a.VALUE, len(open('../table.csv').read()))",
        parameters="seed = 1",
    )
    add(tmp_path, "02-b", f"{path}import helper_b\n\nprint(helper_b.VALUE)")
    assert main(tmp_path) == 0
    assert main(tmp_path) == 0
    assert set(states(tmp_path).values()) == {"cached"}
    return tmp_path


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    os.utime(path, (len(new), len(new)))  # not even an older date hides a change


@pytest.mark.parametrize(
    ("name", "old", "new", "again"),
    [
        ("helper_a.py", "'a'", "'A'", {"01-a"}),
        ("helper_b.py", "'b'", "'B'", {"02-b"}),
        ("table.csv", "1", "22", {"01-a", "02-b"}),  # a library may have read it
        ("notebooks/02-b.ipynb", "print(helper_b.VALUE)", "print(helper_b.VALUE * 2)", {"02-b"}),
        ("requirements.lock", "1", "2", {"01-a", "02-b"}),
        ("build/02-b.ipynb", "b\\\\n", "c\\\\n", {"02-b"}),
    ],
)
def test_only_what_a_change_touches_is_executed_again(project, name, old, new, again, capsys):
    edit(project / name, old.replace("\\\\", "\\"), new.replace("\\\\", "\\"))
    assert main(project, "--explain") == 0
    executed = {stem[:-6] for stem, state in states(project).items() if state == "ok"}
    assert executed == again
    printed = capsys.readouterr().out
    for stem in {"01-a", "02-b"} - again:
        assert f"{stem}: nothing that it was made of has changed" in printed
    if name.endswith(("py", "csv", "lock")):
        assert f"{name} has changed" in printed


def test_the_second_helper_is_seen_though_it_was_compiled(project):
    assert list(project.glob("__pycache__/helper_a*.pyc"))
    edit(project / "helper_a.py", "'a'", "'A'")
    assert main(project) == 0
    assert texts(project / "build" / "01-a.ipynb")[-1] == "A 4\n"
    edit(project / "helper_a.py", "'A'", "'ZZ'")
    assert main(project) == 0
    assert texts(project / "build" / "01-a.ipynb")[-1] == "ZZ 4\n"


@pytest.mark.parametrize("text", ["not json", "[]", '{"01-a.ipynb": {}, "02-b.ipynb": 3}'])
def test_a_cache_that_cannot_be_read_is_none(project, text):
    (project / "build" / "cache.json").write_text(text, encoding="utf-8")
    assert main(project) == 0
    assert set(states(project).values()) == {"ok"}


def test_prose_and_outputs_are_no_reason(project):
    edit(project / "notebooks" / "02-b.ipynb", '"b\\n"', '"stale\\n"')
    assert main(project, "--keep") == 0
    assert set(states(project).values()) == {"cached"}
    assert main(project) == 0  # and the committed output is mended without executing
    assert texts(project / "notebooks" / "02-b.ipynb") == ["b\n"]


def test_new_prose_is_never_overwritten_by_a_cached_run(project):
    path = project / "notebooks" / "02-b.ipynb"
    nb = nbformat.read(path, as_version=4)
    nb.cells.insert(0, nbformat.v4.new_markdown_cell("Written after the last run.", id="new"))
    nb.cells[1].outputs = []
    nb.metadata["title"] = "Mine"
    path.write_text(notebook.clean(nb), encoding="utf-8")
    assert main(project) == 0
    assert set(states(project).values()) == {"cached"}
    after = nbformat.read(path, as_version=4)
    assert after.cells[0].source == "Written after the last run."
    assert after.metadata["title"] == "Mine"
    assert texts(path)[1] == "b\n"


def test_a_deleted_cell_of_prose_is_seen_by_check_and_executed_by_run_all(project, capsys):
    path = project / "notebooks" / "02-b.ipynb"
    nb = nbformat.read(path, as_version=4)
    nb.cells += [nbformat.v4.new_markdown_cell(name, id=name) for name in ("one", "two")]
    path.write_text(notebook.clean(nb), encoding="utf-8")
    assert main(project, "--force") == 0
    executed = nbformat.read(project / "build" / "02-b.ipynb", as_version=4)
    for other in ([0, 1], [0, 2, 1]):
        now = nbformat.from_dict(nb | {"cells": [nb.cells[n] for n in other]})
        with pytest.raises(notebook.UsageError, match="cells that the committed notebook lacks"):
            compare.same_source(now, executed)
        path.write_text(notebook.clean(now), encoding="utf-8")
        assert main(project, "--keep") == 0
        assert states(project)["02-b.ipynb"] == "cached"
    assert main(project, "--explain") == 0
    assert "02-b: the order of its cells has changed" in capsys.readouterr().out
    assert states(project)["02-b.ipynb"] == "ok"


def test_parameters_and_force_are(project):
    assert main(project, "--only", "01", "--params", "seed=2") == 0
    assert states(project) == {"01-a.ipynb": "ok"}
    assert main(project, "--force") == 0
    assert set(states(project).values()) == {"ok"}


def test_what_was_edited_during_a_run_is_executed_again(project):
    add(
        project,
        "03-c",
        "n = len(open('../table.csv').read())\nopen('../table.csv', 'a').write('2')",
    )
    assert main(project, "--only", "03") == 0
    for _ in range(2):
        assert main(project, "--only", "03") == 0
        assert states(project) == {"03-c.ipynb": "ok"}


@pytest.mark.parametrize("launcher", ["-m ipykernel_launcher", "launch.py", "-E launch.py"])
def test_a_kernel_of_another_name_is_traced_or_never_cached(project, monkeypatch, launcher):
    script = project / "launch.py"
    script.write_text("from ipykernel import kernelapp\n\nkernelapp.launch_new_instance()\n")
    start = launcher.replace("launch.py", str(script)).split()
    spec = {"argv": [sys.executable, *start, "-f", "{connection_file}"], "language": "python"}
    folder = project / "jupyter" / "kernels" / "mine"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps({**spec, "display_name": "Mine"}))
    monkeypatch.setenv("JUPYTER_PATH", str(project / "jupyter"))
    edit(project / "notebooks" / "02-b.ipynb", '"python3"', '"mine"')
    assert main(project, "--only", "02") == 0
    assert states(project) == {"02-b.ipynb": "ok"}  # another kernel is a reason
    assert main(project, "--only", "02") == 0
    assert states(project) == {"02-b.ipynb": "ok" if "-E" in launcher else "cached"}
    edit(project / "helper_b.py", "'b'", "'B'")
    assert main(project, "--only", "02") == 0
    assert texts(project / "build" / "02-b.ipynb") == ["B\n"]


def test_another_python_is_a_reason(project, monkeypatch, capsys):
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    assert main(project, "--explain", "--only", "02") == 0
    assert "02-b: the version of Python has changed" in capsys.readouterr().out


def test_an_output_within_the_tolerance_is_kept_byte_for_byte(project, capsys):
    path = add(project, "03-c", "print(0.1234567)")
    assert main(project) == 0
    edit(path, "0.1234567\\n", "0.1234568\\n")  # as another processor might have had it
    before = path.read_bytes()
    assert main(project, "--force") == 0
    assert path.read_bytes() == before
    edit(path, "0.1234568\\n", "0.2\\n")
    assert main(project, "--differences") == 0
    assert "03-c.ipynb, cell cell-0: stdout: line 1 was '0.2\\n'" in capsys.readouterr().out
    assert texts(path) == ["0.1234567\n"]
