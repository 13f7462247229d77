"""What is executed again, and what is not."""

import os

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell
from support import ROOT, add, main, states, texts

from runner import notebook
from runner.execute import cache
from runner.job import Job

FILES = {
    "helpers/__init__.py": "",
    "helpers/near.py": "from . import far\n",
    "helpers/far.py": "VALUE = 1\n",
    "helpers/other.py": "VALUE = 2\n",
    "data/table.csv": "x\n1\n",
    "requirements.lock": "numpy==1\n",
    "README.md": "# Words\n",
    "docs/page.md": "# Words\n",
    "tests/test_a.py": "import helpers.far\n",
}
CODE = "import math\nfrom helpers.near import far\n\nprint(far.VALUE, math.pi > 3)"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose notebook imports one of its helpers, which imports another."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    add(tmp_path, "01-a", f"import sys\n\nsys.path.insert(0, '..')\n{CODE}", parameters="seed = 1")
    return tmp_path


def job(project, **given):
    path = project / "notebooks" / "01-a.ipynb"
    return Job(path, project / "build" / path.name, root=project, **given)


def changed(before, after):
    return sorted(name for name in before | after if before.get(name) != after.get(name))


@pytest.mark.parametrize("name", ["helpers/near.py", "helpers/far.py", *list(FILES)[4:6]])
def test_what_it_reads_or_imports_is_a_reason(project, name):
    before = cache.made_of(job(project))
    with (project / name).open("a", encoding="utf-8") as file:
        file.write("# more\n")
    assert changed(before, cache.made_of(job(project))) == [name]


@pytest.mark.parametrize("name", ["helpers/other.py", *list(FILES)[6:], "new.md", "docs/b.csv"])
def test_what_it_does_not_read_is_none(project, name):
    before = cache.made_of(job(project))
    with (project / name).open("a", encoding="utf-8") as file:
        file.write("# more\n")
    assert cache.made_of(job(project)) == before


@pytest.mark.parametrize("name", ["data/new.csv", "new.txt", "notebooks/rows.csv"])
def test_a_new_file_is_a_reason(project, name):
    before = cache.made_of(job(project))
    (project / name).write_text("1\n", encoding="utf-8")
    assert changed(before, cache.made_of(job(project))) == [name]


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("import importlib\n\nimportlib.import_module('helpers.' + name)", True),
        ("import sys\n\nsys.path.append('../helpers')\nimport other", True),
        ("import a_package_that_is_not_installed", False),
        ("%run ../helpers/other.py", True),
        ("import helpers.far", False),
        ("from helpers import *", False),
        ("def later():\n    from helpers import other", True),
    ],
)
def test_an_import_that_cannot_be_followed_may_be_of_any_module(project, code, named):
    add(project, "01-a", code)
    assert ("helpers/other.py" in cache.made_of(job(project))) == named


def test_the_imports_of_the_course_can_be_followed():
    made_of = cache.made_of(Job(ROOT / "notebooks/03-gradient-descent.ipynb", ROOT, root=ROOT))
    assert {"helpers/gradient.py", "helpers/figures/_style.py"} <= made_of.keys()
    assert not {"helpers/moe/sparse.py", "runner/run.py"} & made_of.keys()


def test_other_ingredients_are_named(project, monkeypatch):
    before = cache.made_of(job(project))

    def said(**given):
        return changed(before, cache.made_of(job(project, **given)))

    assert said(variables={"NEW": "1"}) == ["the variable NEW"]
    assert said(parameters={"seed": 2}) == ["the choice of its parameters"]
    table = project.parent / "own.csv"
    table.write_text("1", encoding="utf-8")
    assert said(parameters={"seed": str(table)}) == [str(table), "the choice of its parameters"]
    monkeypatch.setattr(cache, "VERSION", 99)
    assert said() == ["the version of the runner"]
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    monkeypatch.setattr(cache, "packages", dict)
    monkeypatch.setattr("runner.execute.environment.processor", lambda: "another")
    assert said() == [
        "an installed package",
        "the processor or system",
        "the version of Python",
        "the version of the runner",
    ]


def test_prose_is_no_reason_and_an_expression_is(project):
    path = job(project).source
    before = cache.made_of(job(project))
    nb = nbformat.read(path, as_version=4)
    nb.cells.insert(0, new_markdown_cell("Written later.", id="new"))
    path.write_text(notebook.clean(nb), encoding="utf-8")
    assert cache.made_of(job(project)) == before
    assert main(project) == 0
    for source, state in (
        ("1<!--= seed -->", "ok"),
        ("one", "cached"),
        ("<!--= 1 + -->", "cached"),
    ):
        nb = nbformat.read(path, as_version=4)
        nb.cells[0].source = f"It is {source}."
        path.write_text(notebook.clean(nb), encoding="utf-8")
        main(project)
        assert states(project) == {"01-a.ipynb": state}


def test_a_run_keeps_what_holds(project, capsys):
    def explained():
        assert main(project, "--explain") == 0
        return states(project)["01-a.ipynb"], capsys.readouterr().out

    assert explained()[0] == "ok"
    state, printed = explained()
    assert state == "cached"
    assert "01-a: unchanged since the last run" in printed
    # Bytecode of the same second and size would count as current.
    far = project / "helpers" / "far.py"
    times = far.stat().st_atime_ns, far.stat().st_mtime_ns
    far.write_text("VALUE = 5\n", encoding="utf-8")
    os.utime(far, ns=times)
    state, printed = explained()
    assert state == "ok"
    assert "01-a: helpers/far.py has changed" in printed
    assert texts(job(project).output)[-1] == "5 True\n"
    artefact = job(project).output
    artefact.write_text(artefact.read_text("utf-8").replace("5 True", "6 True"), encoding="utf-8")
    assert "its artefact has changed" in explained()[1]
    for text in ("not json", "[]"):
        (project / "build" / "made-of.json").write_text(text, encoding="utf-8")
        assert "it has not been executed before" in explained()[1]


@pytest.mark.slow
def test_what_changes_while_it_runs_is_not_kept(project):
    add(project, "01-a", "open('../data/table.csv', 'a').write('2')")
    for _ in range(2):
        assert main(project) == 0
        assert states(project) == {"01-a.ipynb": "ok"}


def test_a_notebook_that_cannot_be_repeated_is_always_run(project):
    nb = nbformat.read(job(project).source, as_version=4)
    nb.cells[0].metadata["tags"].append("always")
    job(project).source.write_text(notebook.clean(nb), encoding="utf-8")
    assert cache.why_run(job(project), {"made of": {}}, {}) == (
        "one of its cells is tagged `always`"
    )


@pytest.mark.slow
def test_an_output_within_the_tolerance_is_kept_byte_for_byte(project):
    path = add(project, "01-a", "print(0.1234567)")
    assert main(project) == 0
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("0.1234567\\n", "0.1234568\\n"), encoding="utf-8")
    before = path.read_bytes()
    assert main(project, "--force") == 0
    assert path.read_bytes() == before
