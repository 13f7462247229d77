"""Grading: points from a closed room, and nothing of a student's that reaches anything else."""

import csv
import json
import os
import re
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import psutil
import pytest

from classroom import demo, grade, intake, pages, room, solved, student, walls
from runner.notebook import UsageError

ROOT = Path(__file__).resolve().parents[1]
CLASS = 2026
SOLVED = solved.load()


def able():
    try:
        walls.try_walls()
    except walls.NoWalls:
        return False
    return True


walled = pytest.mark.skipif(not able(), reason="bubblewrap makes the rooms")


def notebook(problem, solve=True, lessons="", **sources):
    """A student's notebook as JSON: the copy of the class, with answers; other cells by id."""
    nb = student.copy(SOLVED[problem], problem, CLASS, lessons)
    answers = {cell.id: cell.source for cell in SOLVED[problem].cells}
    for cell in nb.cells:
        if cell.metadata.nbgrader.solution and solve:
            cell.source = answers[cell.id]
        cell.source = sources.get(cell.id.replace("-", "_"), cell.source)
    return json.loads(json.dumps(nb))


def hand_in(folder, student_name, problem, nb, name=None):
    path = folder / student_name / (name or f"0{problem}.ipynb")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(nb) if isinstance(nb, dict) else nb, encoding="utf-8")
    return path


def run(folder, *options, status=0, seed=str(CLASS)):
    """Grade `folder`/in; {student: row} of grades.csv."""
    where = ["--grades", str(folder / "out"), "--seed", seed, *options]
    assert grade.main([str(folder / "in"), *where]) == status
    return read(folder / "out" / "grades.csv", "student") if status == 0 else {}


def read(file, key):
    with open(file, encoding="utf-8", newline="") as opened:
        return {row[key]: row for row in csv.DictReader(opened)}


def rooms():
    """What is left of rooms: processes, folders, control groups."""
    time.sleep(0.1)
    left = [each.name() for each in psutil.Process().children(recursive=True)]
    groups = [str(g) for place in walls.GROUPS for g in place.glob(f"room-{os.getpid()}-*")]
    return left + groups


TABLE = "table = [[1, 2, 3]] * 4"


@walled
def test_points_are_exact(tmp_path):
    for problem in (1, 3, 4, 5):
        hand_in(tmp_path / "in", "all", problem, notebook(problem))
        hand_in(tmp_path / "in", "nothing", problem, notebook(problem, solve=False))
    hand_in(
        tmp_path / "in", "some", 3, notebook(3, a3_3=TABLE, a3_1="def grad_cost(t): return 1/0")
    )
    found = run(tmp_path)
    assert [found[who]["total"] for who in ("all", "nothing", "some")] == ["22.5", "0", "3"]
    assert found["all"]["needs a person"] == found["nothing"]["needs a person"] == ""
    linked = notebook(3, solve=False, lessons="https://example.org/lessons")
    hand_in(tmp_path / "in", "some", 4, notebook(4, solve=False))
    hand_in(tmp_path / "in", "linked", 3, linked)
    row = run(tmp_path)["linked"]
    assert (row["total"], row["to be read"], row["notes"]) == ("0", "", "")
    assert found["some"]["missing"] == "1 missing, 4 missing, 5 missing"  # nobody has 2
    assert found["nothing"]["to be read"] == ""
    assert found["some"]["3.1"] == "0"
    text = (tmp_path / "out" / "feedback" / "some.html").read_text(encoding="utf-8")
    assert "grad_cost stops with ZeroDivisionError: division by zero, in line 1 of the cell" in text
    assert rooms() == []


@walled
@pytest.mark.slow
def test_the_frameworks_in_a_room(tmp_path):
    hand_in(tmp_path / "in", "all", 2, notebook(2))
    assert run(tmp_path)["all"]["total"] == "3"


HOSTILE = {
    "reads": """
import glob, os
found = [open(path).read() for path in glob.glob("/proc/*/environ")]
places = [p for p in ("/root", "/work", "/room/homework", "/etc/passwd") if os.path.exists(p)]
def grad_cost(theta):
    return [sum("PLANTED" in text for text in found), len(os.listdir("/home")), places]
""",
    "connects": """
import socket
socket.create_connection(("127.0.0.1", PORT), timeout=1)
def grad_cost(theta):
    return "connected"
""",
    "forks": """
import os
while True:
    os.fork()
""",
    "fills": """
for place in ("/tmp", "/home", "/dev/shm", "/dev", "/room", "/"):
    try:
        with open(place + "/x", "wb") as file:
            file.write(b"x" * 10**9)
    except OSError:
        pass
def grad_cost(theta):
    return 1
""",
    "eats": """
def grad_cost(theta):
    kept = []
    while True:
        kept.append(b"x" * 10**9)
""",
    "never ends": """
def grad_cost(theta):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
""",
    "kills": """
import os, signal
for pid in (-1, os.getppid(), 1):
    try:
        os.kill(pid, signal.SIGSTOP)
    except OSError:
        pass
os.kill(-1, signal.SIGKILL)
""",
    "exits": """
import os
def grad_cost(theta):
    os._exit(0)
""",
    "is loud": """
for _ in range(2000):
    print("x" * 10**6)
def grad_cost(theta):
    return "x" * 10**8
""",
    "patches": """
import json, numpy, helpers.example
numpy.allclose = lambda *arguments, **options: True
json.dumps = lambda *arguments, **options: '{"value": [1, 1]}'
class Any(float):
    def __eq__(self, other):
        return True
    def __sub__(self, other):
        return 0
def grad_cost(theta):
    return [Any(1), Any(1)]
""",
    "replies early": """
import os
for number in range(3, 60):
    try:
        os.write(number, b'{"n": 1, "value": 1, "error": ""}\\n' * 50)
    except OSError:
        pass
def grad_cost(theta):
    return [1, 2]
""",
    "replies deep": """
def grad_cost(theta):
    nested = []
    for _ in range(10**5):
        nested = [nested]
    return nested
""",
}


@walled
@pytest.mark.slow
def test_hostile_notebooks_get_nothing_and_touch_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANTED", "secret")
    listening = socket.create_server(("127.0.0.1", 0))
    port = str(listening.getsockname()[1])
    for name, code in HOSTILE.items():
        hand_in(tmp_path / "in", name, 3, notebook(3, a3_1=code.replace("PORT", port)))
    for number in range(3):
        hand_in(tmp_path / "in", f"good {number}", 3, notebook(3))
    before = _hashes()
    found = run(tmp_path)
    listening.settimeout(0.1)
    with pytest.raises(TimeoutError):
        listening.accept()
    assert _hashes() == before
    assert rooms() == []
    for name in HOSTILE:
        assert found[name]["3.1"] in ("0", ""), name
    for number in range(3):
        assert found[f"good {number}"]["total"] == "5"
    for name in ("never ends", "exits", "is loud", "replies early"):
        assert "3.1" in found[name]["needs a person"], name
    for name in HOSTILE:
        assert found[name]["total"] == "3", name  # 3.2, 3.4 and 3.5 were asked all the same


def _hashes():
    listing = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True)
    return listing.stdout, sorted(os.listdir("/dev/shm"))


@walled
def test_what_a_room_shows_is_empty(tmp_path):
    """A notebook that looks around sees no variable, file or process of the machine's."""
    for name, content in student.files(CLASS).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    look = """
import os
homes = os.listdir("/home") + os.listdir("/tmp")
processes = [each for each in os.listdir("/proc") if each.isdigit()]
first = open("/proc/1/environ").read() if os.access("/proc/1/environ", os.R_OK) else ""
names, own = sorted(os.listdir("/room")), sorted(os.listdir("/room/classroom"))
written = []
files = ["/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory", "/proc/sysrq-trigger"]
for place in ("/", "/room", "/usr", "/dev", "/etc", "/room/helpers"):
    files.append(place + "/x")
for change in (lambda: os.chmod("/dev/null", 0), lambda: os.chown("/dev/full", 1, 1)):
    try:
        change()
        written.append("/dev")
    except OSError:
        pass
for file in files:
    try:
        open(file, "r+" if file.startswith("/proc") else "w")
        written.append(file)
    except OSError:
        pass
"""
    with room.Room(tmp_path) as inside:
        assert inside.run(look) == ""
        values = {n: inside.ask({"ask": n})["value"] for n in ("homes", "first", "names", "own")}
        assert inside.ask({"ask": "written"})["value"] == []
        assert len(inside.ask({"ask": "processes"})["value"]) <= 3
    pythons = [Path(place).parts for place in (sys.prefix, sys.base_prefix)]
    bound = {parts[2] for parts in pythons if parts[1] in ("tmp", "home")}
    assert set(values["homes"]) <= {".ipython"} | bound
    assert values["first"] in ("", "PWD=/\0")  # of the shell that enters the control group
    assert values["names"] == ["classroom", "data", "helpers"]
    assert values["own"] == ["__init__.py", "inside.py", "makers.py", "self_check.py"]


GRAD = "def grad_cost(theta):\n    return np.array([2 * A * theta[0] + B * theta[1], B * theta[0]])"
WALK = """path = descend(grad_cost, START, STEP_SIZE, 3)
table = np.column_stack([path, [cost(theta) for theta in path]])"""

SYMPY = "import sympy\n" + GRAD.replace("np.array(", "list(map(sympy.sympify, ") + ")"


def code(source, **metadata):
    return {"cell_type": "code", "metadata": metadata, "source": source}


def text(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def edited(edit, **sources):
    """A solved notebook 3 after `edit` has changed {id: cell}; the cells keep its order."""
    nb = notebook(3, **sources)
    cells = {cell["id"]: cell for cell in nb["cells"]}
    edit(cells)
    several = [each if isinstance(each, list) else [each] for each in cells.values()]
    return nb | {"cells": [cell for own in several for cell in own]}


def bare(cells):
    """What nbformat 4.0 and some editors leave: no ids, and no metadata of cells."""
    for cell in cells.values():
        del cell["id"]
        cell["metadata"] = {}


def split(cells):
    one, two = cells["a3-5"]["source"].split("\n\n\n")
    cells["a3-5"] = [{**cells["a3-5"], "source": one}, code(two)]


def doubled(cells):
    stub = "def grad_cost(theta):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    cells["a3-1"] = [cells["a3-1"], {**cells["a3-1"], "source": stub}]


def twice(cells):
    cells["a3-1"] = [cells["a3-1"], {**cells["a3-1"], "source": "def grad_cost(v): return [0, 0]"}]


def merged_into_the_example(cells):
    cells["t3-1"]["source"] = cells.pop("a3-1")["source"] + "\n" + cells["t3-1"]["source"]


def in_markdown(cells):
    cells["a3-1"]["cell_type"] = "markdown"


def renamed(cells):
    cells["a3-4"]["source"] = cells["a3-4"]["source"].replace("converges", "does_converge")


def above(cells):
    cells["numbers"] = [cells["numbers"], code(GRAD), text("I did 3.1 up here.")]
    cells["a3-1"]["source"] = "def grad_cost(theta):\n    raise NotImplementedError()"


def given_gone(cells):
    for key in ("find", "imports", "numbers", "mapping", "q3-2", "t3-2"):
        del cells[key]


def given_changed(cells):
    cells["numbers"]["source"] = "A, B = 1, 1"
    cells["t3-4"]["source"] = "print('✓')"


def another_order(cells):
    cells["a3-3"]["source"] = WALK.replace("[cost(", "[my_cost(")
    cells["t3-5"] = [cells["t3-5"], code("def my_cost(v):\n    return cost(v)")]


def words_beside(cells):
    cells["w3-6"] = [cells["w3-6"], text("It converges to nothing: it runs off.")]
    cells["w3-6"][0]["source"] = "YOUR ANSWER HERE"


def words_in_the_question(cells):
    cells["q3-6"]["source"] += "\n\nIt converges to nothing: it runs off."
    cells["w3-6"]["source"] = ""


def odd_cells(cells):
    odd = ["%pip install nothing", "!ls", "name = input()", "open('C:\\\\Users\\\\me.csv')"]
    odd += ["import matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()", "import sympy", "exit()"]
    cells["imports"] = [cells["imports"], *map(code, odd)]


def overwrites(cells):
    cells["w3-6"] = [cells["w3-6"], code("A = np.eye(2)\nD, P = 1, 2\nabs = bool = None")]


def words_above(cells):
    cells["title"] = [cells["title"], text("It converges to nothing: it runs off.")]
    cells["w3-6"]["source"] = "YOUR ANSWER HERE"


def picture(cells):
    cells["w3-6"]["source"] = "![notes.png](attachment:notes.png)"


NO_CELLS = {"cells": [], "metadata": {"homework": {"problem": 3}}}
# {what a student did: (the notebook, points, what goes to a person, a part of the notes)}
CLUMSY = {
    "bare": (edited(bare), 5, "", ""),
    "split": (edited(split), 5, "", ""),
    "doubled": (edited(doubled), 5, "", ""),
    "twice": (edited(twice), 3, "3.1", "the cell a3-1 is there twice"),
    "merged": (edited(merged_into_the_example), 5, "", "the given cell t3-1 was changed"),
    "in Markdown": (edited(in_markdown), 3, "3.1, 3.3", ""),
    "renamed": (edited(renamed), 4, "3.4", ""),
    "above": (edited(above), 3, "3.1, 3.3", ""),
    "given gone": (
        edited(given_gone),
        5,
        "",
        "lost, and are put back: find, numbers",
    ),
    "given changed": (edited(given_changed), 5, "", "the given cell numbers was changed"),
    "another order": (edited(another_order), 4, "3.3", ""),
    "words beside": (edited(words_beside), 5, "", ""),
    "words in the question": (edited(words_in_the_question), 5, "", "cell q3-6 was changed"),
    "overwrites": (edited(overwrites), 5, "", ""),
    "words above": (edited(words_above), 5, "3.6 words", ""),
    "picture": (edited(picture), 5, "3.6 words", ""),
    "inline": (notebook(3, a3_1="%matplotlib inline\n" + GRAD), 5, "", ""),
    "no package": (notebook(3, a3_1="import seaborn\n" + GRAD), 3, "3.1, 3.3", ""),
    "no return": (notebook(3, a3_4="def converges(H, step_size):\n    True"), 4, "", ""),
    "complex": (notebook(3, a3_1=GRAD.replace("B * theta[0]]", "B * theta[0] + 0j]")), 5, "", ""),
    "odd cells": (edited(odd_cells), 5, "", "FileNotFoundError"),
    "syntax error": (notebook(3, a3_1="def grad_cost(theta:"), 3, "3.1, 3.3", ""),
    "only given": (
        {"cells": []} | {"metadata": {"homework": {"problem": 3}}},
        0,
        "",
        "cells were lost",
    ),
    "never ends": (notebook(3, a3_2="while True: 1"), 3, "3.2, 3.3", "(timed out)"),
    "exits": (notebook(3, a3_1="import sys\ndef grad_cost(v): sys.exit()"), 3, "3.3", ""),
    "sympy": (notebook(3, a3_1=SYMPY), 5, "", ""),
}


@walled
def test_clumsy_notebooks_get_what_a_person_would_give(tmp_path):
    for name, (nb, *_) in CLUMSY.items():
        hand_in(tmp_path / "in", name, 3, nb)
    (tmp_path / "in" / "nothing").mkdir()
    loud = [{"output_type": "stream", "name": "stdout", "text": ["x" * 10**6] * 40}]
    big = edited(lambda cells: cells["a3-1"].update(outputs=loud))
    hand_in(tmp_path / "in", "forty megabytes", 3, big)
    hand_in(tmp_path / "in", "UTF-16", 3, "").write_text(json.dumps(notebook(3)), encoding="utf-16")
    hand_in(tmp_path / "in", "two", 3, notebook(3))
    hand_in(tmp_path / "in", "two", 3, notebook(3, a3_1=GRAD), "03 (1).ipynb")
    hand_in(tmp_path / "in", "handed out", 3, notebook(3, solve=False), "bds-homework/03.ipynb")
    hand_in(tmp_path / "in", "empty", 3, "")
    hand_in(tmp_path / "in", "script", 3, "print(1)", "03.py")
    hand_in(tmp_path / "in", "handed out", 3, notebook(3))
    hand_in(tmp_path / "in", "handed out", 3, "# it came with the zip", "helpers/example.py")
    found = run(tmp_path)
    for name, (_, points, person, note) in CLUMSY.items():
        row = found[name]
        assert (float(row["total"]), row["needs a person"]) == (points, person), (name, row)
        assert note in row["notes"], (name, row["notes"])
    for name in ("forty megabytes", "UTF-16", "handed out"):
        assert found[name]["total"] == "5", name
    states = {name: found[name]["missing"] for name in ("nothing", "two", "empty", "script")}
    assert states == {
        "nothing": "3 missing", "two": "3 twice", "empty": "3 unreadable", "script": "3 missing"
    }  # fmt: skip
    assert found["words beside"]["to be read"] == "3.6 words"
    reading = (tmp_path / "out" / "reading" / "3.6.html").read_text(encoding="utf-8")
    assert reading.count("<pre>It converges to nothing: it runs off.</pre>") == 3
    needs = (tmp_path / "out" / "needs-a-person.csv").read_text(encoding="utf-8")
    assert "03.py: it is no notebook (.ipynb), so it is not graded." in needs
    assert "leave one there" in needs
    assert "helpers/example.py" not in needs
    for name, said in (
        ("syntax-error", "Its cell stops with SyntaxError: incomplete input, in its line 1"),
        ("another-order", "Its cell uses my_cost, which only a later cell defines."),
        ("renamed", "Nothing answers to the name converges, but something is written."),
    ):
        page = (tmp_path / "out" / "feedback" / f"{name}.html").read_text(encoding="utf-8")
        assert said in page, (name, page)
    cases = (tmp_path / "out" / "reading" / "needs-a-person.html").read_text(encoding="utf-8")
    assert "def does_converge(H, step_size):" in cases
    assert "return np.array([2 * A * theta[0] + B * theta[1], B * theta[0]])" in cases


@pytest.mark.parametrize(
    ("files", "students"),
    [
        (["jane/03.ipynb", "jane/sub/04 (1).ipynb"], ["jane"]),
        (["doe_123_456_03-gd-2.ipynb", "roe_LATE_124_457_03.ipynb"], ["doe (123)", "roe (124)"]),
        (["doe_123_456_all.zip/bds-homework/03.ipynb"], ["doe (123)"]),
        (["Jane Doe_77_assignsubmission_file_/03.ipynb"], ["Jane Doe"]),
        (["all.zip/Jane_7_assignsubmission_file_/03.ipynb", "list.csv"], ["Jane"]),
        (["jane-03.ipynb", "joe_hw3.ipynb", "03-jim.ipynb"], ["jane", "jim", "joe"]),
        (["student 3 03.ipynb", "student 4 03-gd-2.ipynb"], ["student 3", "student 4"]),
        (["all.zip/class/jane/03.ipynb", "all.zip/class/joe/04.ipynb"], ["jane", "joe"]),
        (["class/jane/03.ipynb", "class/joe/03.ipynb"], ["jane", "joe"]),
        (["jane.zip/03.ipynb", "joe.zip/hw/03.ipynb"], ["jane", "joe"]),
        (["03.ipynb", "04.ipynb"], ["in"]),
        (["jane/hw_2026_11_03.ipynb", "jane/.ipynb_checkpoints/03.ipynb"], ["jane"]),
    ],
)  # fmt: skip
def test_whose_a_file_is(tmp_path, files, students):
    nb = json.dumps({"cells": [{"cell_type": "code", "source": ["x"]}]})
    for name in files:
        outer, _, inner = name.partition(".zip/")
        path = tmp_path / "in" / (f"{outer}.zip" if inner else outer)
        path.parent.mkdir(parents=True, exist_ok=True)
        if inner:
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr(inner, nb)
        else:
            path.write_text(nb, encoding="utf-8")
    found, _ = intake.collect(tmp_path / "in")
    assert sorted({each.student for each in found if each.notebook}) == students
    assert {each.late for each in found if each.student == "roe (124)"} <= {True}
    assert not [each for each in found if each.state == "twice"]


@walled
def test_nobody_has_two_guesses(tmp_path):
    """A verdict that a last cell turns round is a person's: asking twice must not give it away."""
    nb = notebook(1)
    for cell in nb["cells"]:
        cell["source"] = cell["source"].replace("verdict_3 = False", "verdict_3 = True")
    hand_in(tmp_path / "in", "wrong", 1, nb)
    turned = nb | {"cells": [*nb["cells"], code("verdict_3 = not verdict_3")]}
    hand_in(tmp_path / "in", "turned", 1, turned)
    found = run(tmp_path)
    assert [found[who]["total"] for who in ("wrong", "turned")] == ["3.5", "3.5"]
    assert [found[who]["needs a person"] for who in ("wrong", "turned")] == ["", "1.3"]


@walled
def test_a_strangers_file_stops_nobody_elses_grading(tmp_path):
    """Each of these has once ended a whole grading with a traceback, or taken another's points."""
    folder = tmp_path / "in"
    hand_in(folder, "honest", 3, notebook(3))
    for problem in (3.0, True, "3", [3], 10**30):
        nb = notebook(3, solve=False)
        nb["metadata"]["homework"]["problem"] = problem
        hand_in(folder, f"aaa {problem}"[:20], 3, nb)
    hand_in(folder, "surrogates", 3, notebook(3, a3_1="# \ud83d", w3_6="\ud800"))
    hand_in(folder, "raises", 3, notebook(3, a3_1="raise ValueError('\\ud800')"))
    for n, content in enumerate(('{"cells": 1}', "[]", '{"worksheets": [{"cells": [{}]}]}')):
        hand_in(folder, f"no notebook {n}", 3, content)
    many = [code("x = 1", nbgrader={"grade_id": "a3-1"})] * 10**5
    hand_in(folder, "many", 3, {"cells": many})
    hand_in(folder, "long", 3, notebook(3, w3_6="nothing " * 10**5))
    for name in (
        "\U00020000" * 55,
        "\U00020000" * 55 + "b",
        "-rf",
        "class",
        "a\n\x1b[2Kb",
        "a b",
        "a-b",
    ):
        hand_in(folder, name, 3, notebook(3, solve=False))
    os.mkdir(os.fsencode(folder) + b"/zo\xeb")
    (folder / "loop").symlink_to("loop")
    with zipfile.ZipFile(folder / "nul.zip", "w") as archive:
        archive.writestr("x/03.ipynb", "{}")
    packed = (folder / "nul.zip").read_bytes()
    (folder / "nul.zip").write_bytes(packed.replace(b"x/03.ipynb", b"\0/03.ipynb"))
    hand_in(folder, "None", 3, notebook(3, a3_1="1 / 0"))
    run(tmp_path)
    found = run(tmp_path)  # what it has written itself, it takes back
    assert found["honest"]["total"] == "5"
    assert found["many"]["missing"] == "3 unreadable"
    assert len(list((tmp_path / "out" / "feedback").glob("*.html"))) == len(found)
    assert {row["total"] for who, row in found.items() if who.startswith("aaa")} == {"0"}
    printed = (tmp_path / "out" / "needs-a-person.csv").read_text(encoding="utf-8")
    assert "\x1b" not in printed


def test_zips_and_ways_out(tmp_path):
    content = json.dumps(notebook(3))
    (tmp_path / "in" / "jane").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "in" / "jane" / "all.zip", "w") as archive:
        archive.writestr("03.ipynb", content)
        archive.writestr("../../outside.ipynb", content)
        archive.writestr("__MACOSX/x.ipynb", "junk")
    with zipfile.ZipFile(tmp_path / "in" / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("03.ipynb", b"0" * (intake.LARGEST + 1))
    with zipfile.ZipFile(tmp_path / "in" / "packed.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("03.ipynb", b"0" * 10**6)
    (tmp_path / "in" / "broken.zip").write_bytes(b"PK")
    (tmp_path / "in" / "link.ipynb").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "in" / "jane" / "pipe.ipynb")
    found, said = intake.collect(tmp_path / "in")
    assert [(s.student, s.problem) for s in found if s.notebook] == [("jane", 3)]
    told = " ".join(sentence for _, sentence in said)
    assert len(said) == 4
    told += " ".join(note for s in found for note in s.notes)  # of 03.ipynb in bomb.zip
    for part in (
        "leads out of the zip",
        "64 MB",
        "no zip that can",
        "is a link to",
        "no file that",
    ):
        assert part in told, part


@walled
def test_marks_are_taken_or_refused(tmp_path, capsys):
    hand_in(tmp_path / "in", "jane", 3, notebook(3))
    assert run(tmp_path)["jane"]["to be read"] == "3.6 words"
    file = tmp_path / "out" / "marks.csv"
    (row,) = read(file, "answer").values()
    reading = (tmp_path / "out" / "reading" / "3.6.html").read_text(encoding="utf-8")
    assert row["answer"] in reading
    assert "jane" not in reading

    def filled(**cells):
        with open(file, "w", encoding="utf-8", newline="") as opened:
            table = csv.DictWriter(opened, list(row))
            table.writeheader()
            table.writerow(row | cells)

    filled(nothing="1", eigenvalue="0", note="Say it in your own words.")
    assert run(tmp_path)["jane"]["total"] == "5.5"
    text = (tmp_path / "out" / "feedback" / "jane.html").read_text(encoding="utf-8")
    assert "The reason is in the second derivatives: what are their eigenvalues?" in text
    assert "Say it in your own words." in text
    for cells, said in (
        ({"nothing": "7"}, "nothing takes a share from 0 to 1, not '7'."),
        ({"points": "2"}, "points are from 0 to 1, not '2'."),
        ({"nothing": "1", "points": "1"}, "points are 1, and the items sum to 0.5; empty one of"),
        ({"answer": "nobody"}, "there is no answer 'nobody'; take the row out."),
    ):
        filled(**cells)
        capsys.readouterr()
        run(tmp_path, status=2)
        assert said in capsys.readouterr().err
    filled(nothing="1")
    text = file.read_text(encoding="utf-8")
    for old, new, said in (
        ("nothing", "nothin", "has a column 'nothin'; its columns are answer, eager, export"),
        ("answer,", "whose,", "has a column 'whose'"),
    ):
        file.write_text(text.replace(old, new, 1), encoding="utf-8")
        run(tmp_path, status=2)
        assert said in capsys.readouterr().err
    file.write_text(text.replace(",", ";").replace("1", "1,0"), encoding="cp1252")
    assert run(tmp_path)["jane"]["3.6 words"] == "0.5"
    hand_in(tmp_path / "in", "jane", 3, notebook(3, w3_6="Something else."))
    assert run(tmp_path)["jane"]["3.6 words"] == ""
    assert "has changed; its marks are in before-marks.csv" in capsys.readouterr().out
    hand_in(tmp_path / "in", "joe", 3, notebook(3))
    filled(
        **{"answer": "jane 3.1", "points": "0.5", "version": "", "note": "Late.", "test-rows": "1"}
    )
    run(tmp_path, status=2)
    assert "test-rows is no item of 3.1; move the mark." in capsys.readouterr().err
    filled(answer="jane 3.1", points="0.5", version="", note="Late.")
    assert run(tmp_path)["jane"]["3.1"] == "0.5"
    (tmp_path / "in" / "jane" / "03.ipynb").unlink()
    assert run(tmp_path)["joe"]["total"] == "5"
    assert "The answer jane 3.1 has marks, and is not among" in capsys.readouterr().out
    assert "jane 3.1" in file.read_text(encoding="utf-8")
    before = (tmp_path / "out" / "before-marks.csv").read_text(encoding="utf-8")
    assert row["answer"] in before  # what counts no more is kept, whatever came after
    run(tmp_path, status=2, seed="7")
    assert "These notebooks are of class 2026, and not of 7" in capsys.readouterr().err
    hand_in(tmp_path / "in", "jane", 3, notebook(3))
    filled()
    with open(file, "a", encoding="utf-8") as opened:
        opened.write(file.read_text(encoding="utf-8").splitlines()[-1] + "\n")
    run(tmp_path, status=2)
    assert (
        f"row 3: the answer {row['answer']} is there twice; keep one row."
        in capsys.readouterr().err
    )


@walled
def test_names_can_stay_out_of_everything(tmp_path):
    hand_in(tmp_path / "in", "jane", 3, notebook(3))
    hand_in(tmp_path / "in", "joe_1234_5678_03.py", 3, "", "x.py")
    for _ in range(2):
        found = run(tmp_path, "--hash")
    names = read(tmp_path / "out" / "names.csv", "student")
    assert list(names) == ["jane", "joe (1234)"]
    assert list(found) == sorted(row["code"] for row in names.values())
    for path in (tmp_path / "out").rglob("*.*"):
        if path.name != "names.csv" and "class" not in path.parts:
            assert not re.search(r"jane|joe", path.name + path.read_text(encoding="utf-8")), path


@walled
def test_a_second_run_grades_only_what_is_new(tmp_path, capsys):
    hand_in(tmp_path / "in", "jane", 3, notebook(3))
    run(tmp_path)
    first = (tmp_path / "out" / "grades.csv").read_bytes()
    assert "jane, 3" in capsys.readouterr().out
    run(tmp_path)
    assert "jane, 3" not in capsys.readouterr().out
    assert (tmp_path / "out" / "grades.csv").read_bytes() == first
    hand_in(tmp_path / "in", "joe", 3, notebook(3, solve=False))
    run(tmp_path)
    printed = capsys.readouterr().out
    assert "joe, 3" in printed
    assert "jane, 3" not in printed


@walled
@pytest.mark.slow
def test_killed_at_half_it_goes_on_to_the_same_table(tmp_path):
    for number in range(8):
        own = notebook(3, a3_3=f"{TABLE}  # {number}")
        hand_in(tmp_path / "in", f"student {number}", 3, own)
    command = [sys.executable, "-m", "classroom.grade", str(tmp_path / "in"), "--seed", str(CLASS)]
    command += ["--grades", str(tmp_path / "out")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    kept = tmp_path / "out" / "results"
    until = time.monotonic() + 120
    while len(list(kept.glob("*.json")) if kept.exists() else []) < 3:
        assert time.monotonic() < until
        time.sleep(0.05)
    process.kill()
    process.wait()
    before = {path.name: path.stat().st_mtime_ns for path in kept.glob("*.json")}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    after = {path.name: path.stat().st_mtime_ns for path in kept.glob("*.json")}
    assert len(after) == 8
    assert {name: after[name] for name in before} == before
    found = read(tmp_path / "out" / "grades.csv", "student")
    assert {row["total"] for row in found.values()} == {"4"}
    assert [g for place in walls.GROUPS for g in place.glob(f"room-{process.pid}-*")] == []
    assert rooms() == []


@walled
def test_names_and_answers_are_text_and_no_more(tmp_path):
    words = "<img src=x onerror=alert(1)> to nothing at all <script>alert(2)</script>"
    hand_in(tmp_path / "in", "=cmd|' &<b>", 3, notebook(3, w3_6=words))
    run(tmp_path)
    assert (
        (tmp_path / "out" / "grades.csv").read_text("utf-8").splitlines()[1].startswith("\"'=cmd|")
    )
    for path in (tmp_path / "out").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert pages.POLICY in text
        assert not re.search(r"<(script|img|b)\b", text.replace(f"<script>{pages.SAVE}", "")), path
        assert "http" not in text.replace("http-equiv", ""), path


def test_without_walls_it_says_what_to_do(tmp_path, monkeypatch, capsys):
    hand_in(tmp_path / "in", "jane", 3, notebook(3))
    monkeypatch.setattr(walls.shutil, "which", lambda name: None)
    run(tmp_path, status=2)
    said = capsys.readouterr().err
    assert said.startswith("There is no bubblewrap here, so students' code would have no walls")
    assert "apt-get install bubblewrap" in said
    assert run(tmp_path, "--trust")["jane"]["total"] == "5"
    for page in ("class.html", "feedback/jane.html"):
        assert pages.NO_WALLS.replace("'", "&#x27;")[:30] in (tmp_path / "out" / page).read_text(
            encoding="utf-8"
        ).replace("'", "&#x27;")


def test_what_cannot_be_graded_gets_one_sentence(tmp_path, capsys):
    assert grade.main([str(tmp_path / "nowhere"), "--seed", "1"]) == 2
    assert capsys.readouterr().err.startswith("There are no submissions at ")
    (tmp_path / "in").mkdir()
    run(tmp_path, "--trust", status=2)
    assert "There is no notebook in " in capsys.readouterr().err
    with pytest.raises(UsageError, match="Say which class this is: SEED=2026"):
        grade._seed("x")


@walled
@pytest.mark.slow
def test_thirty_made_up_students_get_exactly_their_points(tmp_path, capsys):
    for name, content in demo.files(CLASS).items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(content, encoding="utf-8")
    run(tmp_path)
    printed = capsys.readouterr().out
    assert "points.csv: 30 of 30 students have the points that it says." in printed
    points = tmp_path / "in" / demo.POINTS
    points.write_text(
        points.read_text("utf-8").replace("student-02,25.5", "student-02,25"), "utf-8"
    )
    run(tmp_path, status=1)
    assert "student-02 has 25.5 points, and should have 25." in capsys.readouterr().out
