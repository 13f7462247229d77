"""Every way that a notebook can end, with real kernels: its state, and nothing good is lost."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import psutil
import pytest
from test_run import add, main, texts

from runner import notebook, run
from runner.job import Limits
from runner.processes import Watch

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills with POSIX signals")

BEGUN = "import time\n\nwith open('begun', 'w') as file:\n    file.write(str(time.time()))"
FAULTS = {  # name: (the second cell, arguments, state)
    "raises": ("raise ValueError('on purpose')", [], "cell error"),
    "leaves": ("import sys\n\nsys.exit()", [], "cell error"),
    "syntax": ("1 +", [], "cell error"),
    "exits": ("import os\n\nos._exit(1)", [], "kernel died"),
    "killed": ("import os\n\nos.kill(os.getpid(), 9)", [], "kernel died"),
    "loops": ("while True:\n    pass", ["--cell-limit", "2"], "cell timeout"),
    "sleeps": ("import time\n\ntime.sleep(60)", ["--cell-limit", "2"], "cell timeout"),
    "wedged": (
        "import signal\nimport time\n\n"
        "for number in (signal.SIGINT, signal.SIGTERM):\n"
        "    signal.signal(number, signal.SIG_IGN)\ntime.sleep(60)",
        ["--cell-limit", "2"],
        "cell timeout",
    ),
    "too long": ("import time\n\ntime.sleep(60)", ["--whole-limit", "4"], "notebook timeout"),
    "hog": ("x = bytearray(8 * 10**9)", ["--memory-limit", "4000"], "out of memory"),
    "exit": ("exit()", [], "cell error"),
    "quit": ("quit()", [], "cell error"),
    "half a second": ("import time\n\ntime.sleep(60)", ["--cell-limit", "0.5"], "cell timeout"),
    "named like": (
        "class OutOfMyMemoryError(Exception):\n    pass\n\nraise OutOfMyMemoryError",
        [],
        "cell error",
    ),
    "no segment": (
        "raise ImportError('lib.so: failed to map segment from shared object')",
        ["--memory-limit", "4000"],
        "out of memory",
    ),
    "starved": (
        "import ctypes\n\nlibrary = ctypes.CDLL(None)\nlibrary.malloc.restype = ctypes.c_void_p\n"
        "assert not library.malloc(ctypes.c_size_t(8 * 10**9))\nlibrary.abort()",
        ["--memory-limit", "4000"],
        "out of memory",
    ),
    "leaves, under a limit": (
        "import os\n\nos._exit(3)",
        ["--memory-limit", "8000"],
        "kernel died",
    ),
    "shows": ("for n in range(6000):\n    display(n)", [], "ok"),
    "chatters": ("print('x' * 10**8)", [], "ok"),
}


def kernels():
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "ipykernel" in " ".join(child.cmdline())
    ]


def states(folder):
    records = json.loads((folder / "build" / "report.json").read_text(encoding="utf-8"))
    return {record["notebook"]: record["state"] for record in records}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "notebooks").mkdir()
    return tmp_path


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_its_state_and_costs_nothing(folder, fault, capsys, record_property):
    source, arguments, state = FAULTS[fault]
    add(folder, "01-fine", "print(1)")
    path = add(folder, "02-faulty", "print(2)")
    assert main(folder) == 0  # both are well at first
    good = (folder / "build" / path.name).read_bytes()
    add(folder, "02-faulty", BEGUN, source)
    before = {p: p.read_bytes() for p in (folder / "notebooks").iterdir()}
    started = time.monotonic()
    status = main(folder, "--keep", *arguments)
    assert time.monotonic() - started < 40
    began = folder / "notebooks" / "begun"
    late = (folder / "build" / "report.json").stat().st_mtime - float(began.read_text())
    limit = float(arguments[1]) if "timeout" in state else 0
    record_property("seconds to know", f"{late - limit:.2f}")
    assert late - limit < 5 or state == "ok"  # two at most, where no other test is at work
    began.unlink()
    fine = "ok" if "--memory-limit" in arguments else "cached"  # it may have seen the limit
    assert states(folder) == {"01-fine.ipynb": fine, "02-faulty.ipynb": state}
    assert {p: p.read_bytes() for p in before} == before
    assert texts(folder / "build" / "01-fine.ipynb") == ["1\n"]
    assert kernels() == []
    if state != "ok":
        assert status == 1
        assert f"02-faulty.ipynb failed ({state}) in cell 2:" in capsys.readouterr().err
        assert (folder / "build" / path.name).read_bytes() == good
        report = (folder / "build" / "report.xml").read_text(encoding="utf-8")
        assert '<testsuite tests="2" failures="1" name="notebooks">' in report


def test_a_fault_is_reported_while_others_are_at_work(folder):
    add(folder, "01-raises", "1 / 0")
    wait = "import json\nimport time\n\ntime.sleep(3)"
    read = "print(*sorted(r['state'] for r in json.load(open('../build/report.json'))), sep=', ')"
    add(folder, "02-slow", wait, read)
    assert main(folder, "--workers", "2") == 1
    assert texts(folder / "build" / "02-slow.ipynb")[-1] == "cell error, running\n"


def test_control_characters_leave_the_reports_readable(folder):
    add(folder, "01-odd", r"raise ValueError('\x1b[31mred\x00')")
    assert main(folder) == 1
    (case,) = ElementTree.parse(folder / "build" / "report.xml").iter("testcase")
    assert "ValueError: [31mred" in case[0].text


@pytest.mark.parametrize(
    "text", ["not json", '{"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": []}']
)
def test_what_is_no_notebook_was_never_run(folder, text):
    add(folder, "01-fine", "print(1)")
    (folder / "notebooks" / "02-odd.ipynb").write_text(text, encoding="utf-8")
    assert main(folder, "--keep") == 1
    assert states(folder) == {"01-fine.ipynb": "ok", "02-odd.ipynb": "never run"}
    assert (folder / "notebooks" / "02-odd.ipynb").read_text(encoding="utf-8") == text


def test_an_unknown_kernel_was_never_run(folder):
    path = add(folder, "01-odd", "print(1)")
    path.write_text(path.read_text("utf-8").replace('"python3"', '"cobol"'), encoding="utf-8")
    assert main(folder, "--keep") == 1
    assert states(folder) == {"01-odd.ipynb": "never run"}


def test_a_build_that_is_no_folder_is_refused_in_a_sentence(folder, capsys):
    add(folder, "01-fine", "print(1)")
    (folder / "build").write_text("in the way", encoding="utf-8")
    assert main(folder) == 2
    assert "is a file and not a folder; move it away." in capsys.readouterr().err


def test_a_notebook_without_parameters_takes_none(folder, capsys):
    path = add(folder, "01-fine", "print(1)")
    before = path.read_bytes()
    assert main(folder, "--params", "seed=1") == 2
    assert capsys.readouterr().err == (
        "There is no parameter 'seed' here; the known ones are: none.\n"
    )
    assert path.read_bytes() == before


@pytest.mark.skipif(
    not shutil.which("mount") or os.getuid() != 0, reason="a read-only disk takes root"
)
def test_a_build_that_cannot_be_written_is_refused_in_a_sentence(folder, capsys):
    path = add(folder, "01-fine", "print(1)")
    before, build = path.read_bytes(), folder / "build"
    build.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", build]).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        assert main(folder) == 2
    finally:
        subprocess.run(["umount", str(build)], check=True)
    assert capsys.readouterr().err == f"{build}/ cannot be written to: Read-only file system.\n"
    assert path.read_bytes() == before


@pytest.mark.skipif(
    not shutil.which("mount") or os.getuid() != 0, reason="mounting a small disk takes root"
)
def test_a_full_disk_loses_nothing(folder, capsys, record_property):
    path = add(folder, "01-fine", "print(1)")
    before = path.read_bytes()
    (folder / "build").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder / "build")]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        assert main(folder) == 0
        good = (folder / "build" / path.name).read_bytes()
        add(folder, "01-fine", BEGUN, "print('x' * 10**6)")
        assert main(folder, "--keep") == 1
        began = float((folder / "notebooks" / "begun").read_text())
        record_property("seconds to know", f"{time.time() - began:.2f}")
        assert "No space left on device" in capsys.readouterr().err
        assert (folder / "build" / path.name).read_bytes() == good
    finally:
        subprocess.run(["umount", str(folder / "build")], check=True)
    assert before != path.read_bytes()  # the first, good, run was accepted


def _cwd(process):
    """Where it works; "" of one that has ended, though nobody may have asked yet how."""
    try:
        return process.cwd()
    except psutil.Error:
        return ""


def start(folder):
    where = ["--notebooks", str(folder / "notebooks"), "--build", str(folder / "build")]
    return subprocess.Popen(
        [sys.executable, "-m", "runner.run", *where],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_runs_at_once_are_refused_in_a_sentence(folder, record_property):
    add(folder, "01-slow", "import time\n\ntime.sleep(4)")
    first = start(folder)
    first.stdout.readline()
    started = time.monotonic()
    second = start(folder)
    assert second.wait(20) == 2
    record_property("seconds to know", f"{time.monotonic() - started:.2f}")
    assert "Another run is at work in" in second.stderr.read()
    assert first.wait(30) == 0


@pytest.mark.parametrize("seed", range(5))
def test_an_interrupt_at_any_moment_leaves_no_process(folder, seed, record_property):
    rng = random.Random(seed)
    add(folder, "01-fine", "print(1)")
    add(folder, "02-slow", "import time\n\ntime.sleep(60)")
    before = {p: p.read_bytes() for p in (folder / "notebooks").iterdir()}
    process = start(folder)
    process.stdout.readline()  # the handlers are in place
    own = psutil.Process(process.pid)
    time.sleep(rng.uniform(0, 4))
    children = own.children(recursive=True)
    process.send_signal(rng.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP]))
    started = time.monotonic()
    assert process.wait(20) == 130
    record_property("seconds to know", f"{time.monotonic() - started:.2f}")
    assert not [child for child in children if _cwd(child)]
    assert not [other for other in psutil.process_iter() if str(folder) in _cwd(other)]
    assert {p: p.read_bytes() for p in before} == before
    found = states(folder)
    assert found["02-slow.ipynb"] == "interrupted"
    assert found["01-fine.ipynb"] in ("ok", "interrupted", "never run")
    for artefact in Path(folder / "build").glob("*.ipynb"):
        json.loads(artefact.read_text(encoding="utf-8"))


def test_what_a_kernel_starts_ends_with_it(folder):
    """Also what has left its group, its session and its parent."""
    code = "import os, time; os.setsid(); os.fork() and os._exit(0); time.sleep(600)"
    run = f"import subprocess\nimport sys\n\n_ = subprocess.run([sys.executable, '-c', {code!r}])"
    add(folder, "01-leaves", run, "1")
    assert main(folder) == 0
    left = [other for other in psutil.process_iter() if str(folder) in _cwd(other)]
    assert not psutil.wait_procs(left, timeout=5)[1]  # killed, and some take their time to go


@pytest.mark.parametrize("name", ["two\nlines", "bell\a", "esc\x1b[31m", "no utf-8 \udcff"])
def test_a_strange_name_leaves_reports_and_the_others(folder, name, capsys):
    path = add(folder, f"01-{name}", "print(len(open('x').read()))")
    (folder / "notebooks" / "x").write_text("1", encoding="utf-8")
    other = add(folder, "02-raises", "1 / 0")
    third = add(folder, "03-fine", "print(3)")
    assert main(folder, "--explain") == 1
    assert set(states(folder).values()) == {"ok", "cell error"}
    cases = ElementTree.parse(folder / "build" / "report.xml").iter("testcase")
    assert [case.get("name")[:2] for case in cases] == ["01", "02", "03"]
    shown = capsys.readouterr().out
    assert not [c for line in shown.splitlines() for c in line if not c.isprintable()]
    other.unlink()
    assert main(folder) == 0
    assert (texts(path), texts(third)) == (["1\n"], ["3\n"])
    assert set(states(folder).values()) == {"cached"}


@pytest.mark.parametrize("gone", ["../notebooks/01-goes.ipynb", "../build/02-fine.ipynb"])
def test_what_is_deleted_during_a_run_costs_only_itself(folder, gone, capsys):
    for name in ("01-goes", "02-fine"):  # the most code begins
        add(folder, name, f"print(2)  {'#' * 99}")
    last = add(folder, "03-last", f"import os\nimport time\n\ntime.sleep(1)\nos.remove('{gone}')")
    assert main(folder, "--workers", "1") == 1
    printed = capsys.readouterr().err
    assert "stays as it is: No such file or directory: " in printed
    assert "Traceback" not in printed
    assert nbformat.read(last, as_version=4).cells[0].execution_count == 1


def test_notebooks_that_cannot_be_written_to_are_sentences(folder, capsys, monkeypatch):
    add(folder, "01-fine", "print(1)")
    fine = add(folder, "02-fine", "print(2)")
    write = notebook.write

    def refused(text, path):
        if path.name == "01-fine.ipynb" and path.parent.name == "notebooks":
            raise PermissionError(13, "Permission denied", str(path))
        write(text, path)

    monkeypatch.setattr(notebook, "write", refused)
    assert main(folder) == 1
    assert "01-fine.ipynb stays as it is: Permission denied: " in capsys.readouterr().err
    assert texts(fine) == ["2\n"]


def test_a_machine_that_stands_still_takes_no_ones_time(tmp_path):
    now = [0.0]
    watch = Watch(Limits(cell=5, whole=9), tmp_path / "log", lambda: now[0])
    watch.begin_cell()
    for step in (0.5, 3600, 0.5):
        now[0] += step
        watch.count()
    assert watch.cell == watch.seconds == 2.0


def test_a_run_that_was_stopped_goes_on(folder):
    """The whole of it, as a shell's Ctrl-Z or a debugger does: its limits stand still too."""
    add(folder, "01-slow", "import time\n\ntime.sleep(2)")
    where = ["--notebooks", str(folder / "notebooks"), "--build", str(folder / "build")]
    command = [sys.executable, "-m", "runner.run", *where, "--cell-limit", "6"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    time.sleep(2)
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for each in family:
        each.suspend()
    time.sleep(8)
    for each in family:
        each.resume()
    assert process.wait(30) == 0
    assert states(folder) == {"01-slow.ipynb": "ok"}


def test_a_pipe_in_the_project_stops_nothing(folder):
    os.mkfifo(folder / "pipe")
    add(folder, "01-fine", "print(1)")
    assert main(folder) == 0
    assert main(folder) == 0
    assert states(folder) == {"01-fine.ipynb": "cached"}


@pytest.mark.parametrize("text", ["[tool", "[tool]\nrunner = 3", "[tool.runner]\naside = 3"])
def test_settings_that_cannot_be_read_are_a_sentence(folder, capsys, text):
    add(folder, "01-fine", "print(1)")
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    assert main(folder) == 2
    assert "pyproject.toml cannot be read: " in capsys.readouterr().err


@pytest.mark.parametrize("text", ['"kernelspec": null', '"kernelspec": {"name": 5}'])
def test_an_odd_notebook_does_not_stop_the_others(folder, text):
    odd = add(folder, "01-odd", "print(1)")
    nb = json.loads(odd.read_text(encoding="utf-8"))
    nb["metadata"] = json.loads(f"{{{text}}}")
    odd.write_text(json.dumps(nb), encoding="utf-8")
    add(folder, "02-fine", "print(2)")
    main(folder)
    assert states(folder)["02-fine.ipynb"] == "ok"


@pytest.mark.parametrize("name", ["report.json", "cache.json", "01-fine.ipynb"])
def test_what_is_no_text_in_build_is_replaced(folder, name):
    add(folder, "01-fine", "print(1)")
    assert main(folder) == 0
    (folder / "build" / name).write_bytes(b"\xff")
    assert main(folder) == 0
    assert states(folder)["01-fine.ipynb"] in ("ok", "cached")


def test_a_build_that_holds_the_notebooks_is_refused(folder, capsys):
    path = add(folder, "01-fine", "print(1)")
    before = path.read_bytes()
    where = ["--notebooks", str(path.parent), "--build", str(path.parent), "--keep"]
    assert run.main(where) == 2
    assert "holds the notebooks themselves; name another." in capsys.readouterr().err
    assert path.read_bytes() == before


def test_an_error_that_papermill_passes_over_is_named_by_its_own_cell(folder, capsys):
    add(folder, "01-odd", "get_ipython().run_cell('1 / 0')", "print(2)")
    assert main(folder) == 1
    assert "01-odd.ipynb failed (cell error) in cell 1:" in capsys.readouterr().err


def test_a_new_sweep_leaves_no_points_of_the_last_one(folder):
    add(folder, "01-fine", "print(seed)", parameters="seed = 0")
    assert main(folder, "--sweep", "seed=0:2") == 0
    assert main(folder, "--sweep", "seed=1:3") == 0
    found = sorted(path.name for path in (folder / "build" / "sweep" / "01-fine").glob("*.ipynb"))
    assert found == ["seed=1.ipynb", "seed=2.ipynb"]


def test_large_pictures_in_output_widgets_do_not_stall_it(folder):
    """Without the look of runner.execute's OwnChannel, five of five such cells waited for ever."""
    draw = (
        "import numpy as np\nfrom IPython.display import display\nfrom ipywidgets import Output\n"
        "from matplotlib.figure import Figure\n\nout = Output()\ndisplay(out)\nwith out:\n"
        "    drawing = Figure(figsize=(8, 8))\n"
        "    drawing.subplots().imshow(np.random.default_rng(0).random((800, 800)))\n"
        "    display(drawing)"
    )
    add(folder, "01-pictures", "%matplotlib inline", *[draw] * 5)
    assert main(folder, "--cell-limit", "30") == 0
    assert states(folder)["01-pictures.ipynb"] == "ok"
