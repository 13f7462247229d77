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

from classroom import grade, intake, pages, room, solved, student, walls
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


def notebook(problem, solve=True, **sources):
    """A student's notebook as JSON: the copy of the class, with answers; other cells by id."""
    nb = student.copy(SOLVED[problem], problem, CLASS)
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


def run(folder, *options, status=0):
    """Grade `folder`/in; {student: row} of grades.csv."""
    where = ["--grades", str(folder / "out"), "--seed", str(CLASS), *options]
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
    assert found["all"]["missing"] == "2 missing"
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
        assert found[name]["3.1"] == "0", name
    for number in range(3):
        assert found[f"good {number}"]["total"] == "5"
    assert found["forks"]["needs a person"].startswith("3.1")
    for name in ("never ends", "exits", "is loud"):
        assert found[name]["needs a person"].startswith("3.1"), name
        assert float(found[name]["total"]) >= 3, name  # 3.2, 3.4 and 3.5 were asked all the same


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
first = open("/proc/1/environ").read()
names, own = sorted(os.listdir("/room")), sorted(os.listdir("/room/classroom"))
written = []
for place in ("/", "/room", "/usr", "/dev", "/etc", "/room/helpers"):
    try:
        open(place + "/x", "w")
        written.append(place)
    except OSError:
        pass
"""
    with room.Room([look], tmp_path) as inside:
        assert inside.errors == [""]
        values = {n: inside.ask({"ask": n})["value"] for n in ("homes", "first", "names", "own")}
        assert inside.ask({"ask": "written"})["value"] == []
        assert len(inside.ask({"ask": "processes"})["value"]) <= 3
    pythons = [Path(place).parts for place in (sys.prefix, sys.base_prefix)]
    bound = {parts[2] for parts in pythons if parts[1] in ("tmp", "home")}
    assert set(values["homes"]) <= {".ipython"} | bound
    assert values["first"] in ("", "PWD=/\0")  # of the shell that enters the control group
    assert values["names"] == ["classroom", "data", "helpers"]
    assert values["own"] == ["__init__.py", "inside.py", "makers.py", "self_check.py"]


@walled
def test_clumsy_notebooks(tmp_path):
    """Points as a person would give them, or a person looks."""
    folder = tmp_path / "in"
    renamed = notebook(3)
    for cell in renamed["cells"]:
        if cell["id"].startswith("a3-"):
            cell["metadata"] = {}
    hand_in(folder, "written anew", 3, renamed)
    doubled = notebook(3)
    at = next(n for n, cell in enumerate(doubled["cells"]) if cell["id"] == "a3-2")
    doubled["cells"].insert(at, {**doubled["cells"][at], "source": "x = 1"})
    hand_in(folder, "doubled", 3, doubled)
    edited = notebook(3, numbers="A, B = 1, 1", t3_4="print('✓')")
    edited["cells"] = [cell for cell in edited["cells"] if cell["id"] != "mapping"]
    hand_in(folder, "edited", 3, edited)
    typed = notebook(3)
    for cell in typed["cells"]:
        if cell["id"] == "a3-1":
            cell["cell_type"] = "markdown"
    hand_in(folder, "in Markdown", 3, typed)
    odd = notebook(3)
    odd["cells"].insert(5, {"cell_type": "code", "source": ["%pip install nothing\n", "!ls\n"]})
    odd["cells"].insert(6, {"cell_type": "code", "source": "name = input()"})
    hand_in(folder, "odd cells", 3, odd)
    hand_in(folder, "a syntax error", 3, notebook(3, a3_1="def grad_cost(theta:"))
    hand_in(folder, "twice", 3, notebook(3))
    hand_in(folder, "twice", 3, notebook(3, solve=False), "03 (1).ipynb")
    hand_in(folder, "unreadable", 3, "{")
    hand_in(folder, "no notebook", 3, "print(1)", "03.py")
    found = run(tmp_path)
    for who in ("written anew", "doubled", "edited", "odd cells"):
        assert found[who]["total"] == "5", who
    assert found["doubled"]["notes"] == "3: the cell a3-2 is there twice"
    assert "the given cell mapping was lost, and is put back" in found["edited"]["notes"]
    assert "the given cell numbers was changed, and is put back" in found["edited"]["notes"]
    assert found["in Markdown"]["needs a person"] == "3.1"
    assert found["a syntax error"]["total"] == "3"  # 3.1, and 3.3 which needs it
    assert found["twice"]["missing"] == "1 missing, 2 missing, 3 twice, 4 missing, 5 missing"
    assert found["unreadable"]["missing"] == (
        "1 missing, 2 missing, 3 unreadable, 4 missing, 5 missing"
    )
    rest = (tmp_path / "out" / "needs-a-person.csv").read_text(encoding="utf-8")
    assert "no notebook/03.py: it is no notebook (.ipynb), so it is not graded." in rest


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("jane/03.ipynb", ("jane", False)),
        ("jane/03 (1).ipynb", ("jane", False)),
        ("doe_123_456_03-gradient-descent-2.ipynb", ("doe (123)", False)),
        ("doe_LATE_123_456_03.ipynb", ("doe (123)", True)),
        ("Jane Doe_77_assignsubmission_file_/03.ipynb", ("Jane Doe (77)", False)),
        ("jane-03.ipynb", ("jane", False)),
    ],
)
def test_whose_a_file_is(name, whose):
    assert intake.whose(name) == whose


def test_zips_and_ways_out(tmp_path):
    text = json.dumps(notebook(3))
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "all.zip", "w") as archive:
        archive.writestr("Jane_7_assignsubmission_file_/03.ipynb", text)
        archive.writestr("../../outside.ipynb", text)
        archive.writestr("__MACOSX/x.ipynb", "junk")
    with zipfile.ZipFile(tmp_path / "in" / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("03.ipynb", b"0" * (intake.LARGEST + 1))
    (tmp_path / "in" / "broken.zip").write_bytes(b"PK")
    (tmp_path / "in" / "link.ipynb").symlink_to("/etc/passwd")
    found, said = intake.collect(tmp_path / "in")
    assert [s.student for s in found if s.notebook] == ["all"]
    assert len(said) == 4
    for part in ("leads out of the zip", "more than 100 MB", "no zip that can", "is a link to"):
        assert any(part in sentence for sentence in said), part


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
    with open(file, "a", encoding="utf-8") as opened:
        opened.write(file.read_text(encoding="utf-8").splitlines()[-1] + "\n")
    filled()
    with open(file, "a", encoding="utf-8") as opened:
        opened.write(file.read_text(encoding="utf-8").splitlines()[-1] + "\n")
    run(tmp_path, status=2)
    assert (
        f"row 3: the answer {row['answer']} is there twice; keep one row."
        in capsys.readouterr().err
    )


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
        hand_in(tmp_path / "in", f"student {number}", 3, notebook(3, a3_3=TABLE))
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
        assert not re.search(r"<(script|img|b)\b", text), path
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


# What is lost where one question is left open: its own points, and those of what builds on it.
LOST = dict.fromkeys([f"1.{n}" for n in range(1, 9)], 0.5)
LOST |= {"2.1": 1.5, "2.2": 1.5, "2.3": 0.5, "2.4": 0.5}  # 2.3 copies between both nets
LOST |= {"3.1": 2, "3.2": 2, "3.3": 1, "3.4": 1, "3.5": 1}  # 3.3 walks
LOST |= {"4.1": 2, "4.2": 2.5, "4.3": 1, "4.4": 1, "4.6": 1, "4.7": 0.5}
LOST |= {"5.1": 3, "5.2": 1, "5.3": 4.5, "5.4": 2.5, "5.5": 1.5, "5.6": 1.5, "5.7": 1}


@walled
@pytest.mark.slow
def test_thirty_submissions_get_exactly_their_points(tmp_path):
    most = {1: 4, 2: 3, 3: 5, 4: 5, 5: 8.5}
    for question in LOST:
        problem, key = int(question[0]), f"a{question.replace('.', '-')}"
        (cell,) = [cell for cell in SOLVED[problem].cells if cell.id == key]
        open_ = {key.replace("-", "_"): student.without_solutions(cell)}
        hand_in(tmp_path / "in", f"without {question}", problem, notebook(problem, **open_))
    found = run(tmp_path)
    got = {name.split()[1]: float(row["total"]) for name, row in found.items()}
    assert got == {question: most[int(question[0])] - lost for question, lost in LOST.items()}
    assert {row["needs a person"] for row in found.values()} == {""}
