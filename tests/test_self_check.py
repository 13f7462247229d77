"""What a student sees: *Try it* in the notebook, and `python check.py` in the unpacked zip."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from classroom import self_check, student
from helpers import example

ROOT = Path(__file__).resolve().parents[1]
CLASS = 2026


@pytest.fixture(scope="module")
def packed():
    return student.packed(student.files(CLASS))


@pytest.fixture
def folder(tmp_path, packed):
    """The zip, unpacked as a student would, and nothing else of the project."""
    zipfile.ZipFile(io.BytesIO(packed)).extractall(tmp_path)
    return tmp_path / "bds-homework"


def edit(path, **sources):
    """Write sources into cells, named as in `a3_1`; None deletes a cell."""
    nb = json.loads(path.read_text(encoding="utf-8"))
    kept = []
    for cell in nb["cells"]:
        name = cell["id"].replace("-", "_")
        if name in sources and sources[name] is None:
            continue
        cell["source"] = sources.get(name, cell["source"])
        kept.append(cell)
    path.write_text(json.dumps(nb | {"cells": kept}), encoding="utf-8")


def check(folder, name="03.ipynb"):
    """What `python check.py` prints in a student's folder, and its status."""
    command = [sys.executable, "check.py", name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return (done.stdout + done.stderr).splitlines(), done.returncode


GRAD = "def grad_cost(theta):\n    return np.array([2 * A * theta[0] + B * theta[1], B * theta[0]])"


def test_a_fresh_copy_runs_and_has_no_answer(folder):
    for name, questions in (("03", 6), ("05", 8)):
        said, status = check(folder, f"{name}.ipynb")
        assert said[0] == "runs from top to bottom: yes"
        assert said[1].startswith(f"answered: 0 of {questions}; not answered: {int(name)}.1, ")
        assert (len(said), status) == (2, 1)


def test_what_a_students_mistakes_get(folder):
    edit(
        folder / "03.ipynb",
        a3_1=GRAD,
        a3_2="def descend(gradient, start, step_size, num_steps):\n    return [start] * 9",
        a3_3="table = [[1.0, 2.0, 3.0]] * 4",
        a3_4="def converges(H, step_size):\n    return 1 / 0",
        a3_5="def jacobian(v:\n    return v",
        w3_6="To nothing: the saddle has a negative curvature.",
    )
    said, status = check(folder)
    assert said == [
        "runs from top to bottom: no: code cell 14 (the answer of 3.5) stops with SyntaxError: "
        "'(' was never closed, in its line 1: def jacobian(v:",
        "answered: 5 of 6; not answered: 3.5",
        "the example of 3.2 does not hold: descend(lambda theta: 2 * theta, [1.0], 0.1, 2) is an "
        "array of shape (9, 1), not an array of shape (3, 1).",
        "the example of 3.3 does not hold: np.asarray(table)[0] is [1, 2, 3], and should be "
        "[-7, -7, 392]. The first row is θ₁, θ₂ and C at the start, before any step.",
        "the example of 3.4 does not hold: converges(np.eye(2), 0.5) stops with "
        "ZeroDivisionError: division by zero, in line 2 of the cell that begins with “def "
        "converges(H, step_size):”: return 1 / 0",
        "the example of 3.5 does not hold: jacobian(np.array([1.0, 1.0])) stops with NameError: "
        "name 'jacobian' is not defined: its cell was not run, has stopped, or uses another name.",
    ]
    assert status == 1


def test_a_solved_one_needs_nothing_more():
    said, whole = self_check.sentences(ROOT / "homework" / "03.ipynb")
    assert said == ["runs from top to bottom: yes", "answered: 6 of 6"]
    assert whole


def test_what_ends_or_hangs_stops_no_other_question(folder):
    text = (
        (folder / "check.py")
        .read_text(encoding="utf-8")
        .replace("CELL, WHOLE = 120", "CELL, WHOLE = 2")
    )
    (folder / "check.py").write_text(text, encoding="utf-8")
    edit(
        folder / "03.ipynb", a3_1=GRAD, a3_2="while True:\n    pass", a3_4="import os\nos._exit(3)"
    )
    said, _ = check(folder)
    assert said[0] == (
        "runs from top to bottom: no: code cell 7 (the answer of 3.2) did not end within 2 "
        "seconds: is it an endless loop?"
    )
    assert said[1] == (
        "runs from top to bottom: no: code cell 11 (the answer of 3.4) ends the whole process"
    )
    assert said[2] == "answered: 1 of 6; not answered: 3.2, 3.3, 3.4, 3.5, 3.6"


def test_changed_numbers_and_a_cell_that_is_there_twice(folder):
    edit(folder / "03.ipynb", numbers="A, B = 1, 1", mapping=None)
    path = folder / "03.ipynb"
    nb = json.loads(path.read_text(encoding="utf-8"))
    nb["cells"].append(next(cell for cell in nb["cells"] if cell["id"] == "a3-1"))
    path.write_text(json.dumps(nb), encoding="utf-8")
    said, _ = check(folder)
    assert "the cell a3-1 is there twice: delete one." in said
    put_back = "grading puts them back, so copy them from a fresh notebook."
    assert f"given cells are changed or lost (mapping, numbers): {put_back}" in [
        line.replace("numbers, mapping", "mapping, numbers") for line in said
    ]


def test_a_lost_cell_and_a_loud_notebook(folder):
    loud = GRAD + "\nimport sys\nprint('x' * 10**6)\nsys.stderr.write('y' * 10**6)\ninput()"
    edit(folder / "03.ipynb", a3_1=loud, t3_4=None)
    said, _ = check(folder)
    assert said[0].endswith(
        "stops with EOFError: EOF when reading a line, in line 6 of the cell "
        "that begins with “def grad_cost(theta):”: input()"
    )
    assert "3.4 has lost a cell (t3-4): copy it from a fresh notebook." in said
    assert max(map(len, said)) < 250


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "mine.ipynb cannot be opened: No such file or directory."),
        ("{", "mine.ipynb is no notebook: save it in Jupyter as an .ipynb file."),
        ("[1]", "mine.ipynb is no notebook: save it in Jupyter as an .ipynb file."),
        ('{"cells": []}', "mine.ipynb has no questions: it is not one of the assignments."),
    ],
)
def test_what_is_no_assignment_is_named(folder, content, said):
    if content is not None:
        (folder / "mine.ipynb").write_text(content, encoding="utf-8")
    assert check(folder, "mine.ipynb") == ([said], 2)


def test_without_its_helpers_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "helpers.example", None)
    with pytest.raises(SystemExit, match="helpers/ is not beside this file: unpack bds-homework"):
        self_check.inside(ROOT / "homework" / "03.ipynb", tmp_path / "report")


@pytest.mark.parametrize("near", ["beside", "zip", "address", None])
def test_a_notebook_alone_finds_what_it_needs_or_says_so(tmp_path, packed, near):
    """On Colab, or moved out of its folder."""
    nb = json.loads(student.files(CLASS)["03.ipynb"])
    (source,) = [cell["source"] for cell in nb["cells"] if cell["id"] == "find"]
    code = "".join(source)
    if near == "beside":
        (tmp_path / "helpers").mkdir()
        (tmp_path / "helpers" / "__init__.py").touch()
    elif near == "zip":
        (tmp_path / "bds-homework.zip").write_bytes(packed)
    elif near == "address":
        (tmp_path / "kept.zip").write_bytes(packed)
        code = code.replace('address = ""', f'address = "{(tmp_path / "kept.zip").as_uri()}"')
    alone = [sys.executable, "-S", "-c", code + "\nimport helpers\nprint('found')"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(alone, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == ("found\n" if near else "")
    missing = "Put bds-homework.zip beside this notebook ([Errno 2] No such file or directory: "
    assert done.stderr == ("" if near else f"{missing}'bds-homework.zip').\n")


@pytest.mark.parametrize(
    ("got", "expected", "said"),
    [
        (True, True, ""),
        (np.True_, True, ""),
        (1, True, "is one number, not True or False"),
        (False, True, "is False, and should be True"),
        ("shown", "shown", ""),
        (None, "shown", "is a NoneType, not a text"),
        ([10, 3], np.array([10.0, 3.0]), ""),
        ([10, 3.1], np.array([10.0, 3.0]), "is [10, 3.1], and should be [10, 3]"),
        ([1, 2, 3], np.zeros(2), "is an array of shape (3,), not an array of shape (2,)"),
        (5, np.zeros(2), "is one number, not an array of shape (2,)"),
        ("5", 5.0, "is a text, not one number"),
        ({"a": 1}, 5.0, "is a dict of 1, not one number"),
        (np.inf, np.inf, ""),
        (np.nan, 5.0, "is nan, and should be 5"),
        ((1, "a"), (1, "b"), "is a, and should be b (value 2)"),
        (np.array([3, 2]), (3, 2), ""),
        ([1], (1, 2), "is a list of 1, not 2 values"),
        ({"B"}, set, ""),
        ("B", set, "is a text, not a set"),
    ],
)
def test_a_mismatch_is_named(got, expected, said):
    assert example.mismatch(got, expected, 1e-6) == said
