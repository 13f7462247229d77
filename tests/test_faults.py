"""Every way that a notebook can end, with real kernels: its state, and nothing good is lost."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from support import add, kernels, main, start, states, texts

from runner import run
from runner.execute.processes import Watch
from runner.job import Limits

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="kills with POSIX signals"),
    pytest.mark.slow,
]

BEGUN = "import time\n\nwith open('begun', 'w') as file:\n    file.write(str(time.time()))"
FAULTS = {  # name: (the second cell, arguments, state)
    "raises": ("raise ValueError('on purpose')", [], "cell error"),
    "leaves": ("import sys\n\nsys.exit()", [], "cell error"),
    "syntax": ("1 +", [], "cell error"),
    "exits": ("import os\n\nos._exit(1)", [], "kernel died"),
    "killed": ("import os\n\nos.kill(os.getpid(), 9)", [], "kernel died"),
    "crashes": ("import ctypes\n\nctypes.string_at(0)", [], "kernel died"),
    "magic": ("%nowhere", [], "cell error"),
    "group": ("raise ExceptionGroup('two', [ValueError(), KeyError()])", [], "cell error"),
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

SAID = {
    "exits": "Its process ended itself, with exit code 1",
    "killed": "Its process was ended by SIGKILL. Usually memory was short",
    "crashes": "Its process was ended by SIGSEGV. A library crashed.",
    "magic": "UsageError: Line magic function `%nowhere` not found.",
    "group": "ExceptionGroup: two (2 sub-exceptions)",
}


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
    assert not kernels(folder)
    if state != "ok":
        assert status == 1
        said = capsys.readouterr().err
        assert f"02-faulty.ipynb failed ({state}) in cell 2:" in said
        assert SAID.get(fault, "") in said
        kept = nbformat.read(folder / "build" / "failed" / path.name, as_version=4)
        assert BEGUN in [cell.source for cell in kept.cells]
        assert (folder / "build" / path.name).read_bytes() == good


@pytest.mark.parametrize(
    "text",
    ["not json", "[1]", '{"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": []}'],
)
def test_what_is_no_notebook_was_never_run(folder, text):
    add(folder, "01-fine", "print(1)")
    (folder / "notebooks" / "02-odd.ipynb").write_text(text, encoding="utf-8")
    assert main(folder, "--keep") == 1
    assert states(folder) == {"01-fine.ipynb": "ok", "02-odd.ipynb": "never run"}
    assert (folder / "notebooks" / "02-odd.ipynb").read_text(encoding="utf-8") == text


def test_a_build_that_is_no_folder_is_refused_in_a_sentence(folder, capsys):
    add(folder, "01-fine", "print(1)")
    (folder / "build").write_text("in the way", encoding="utf-8")
    assert main(folder) == 2
    assert "is a file and not a folder; move it away." in capsys.readouterr().err


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
    """Where it works; "" of this one, and of one that has ended."""
    try:
        return process.cwd() if process.pid != os.getpid() else ""
    except psutil.Error:
        return ""


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


def test_what_has_another_environment_ends_with_its_parent(folder):
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    begin = f"subprocess.Popen([sys.executable, '-c', {code!r}], env={{}});"
    begun = "while not (os.path.exists('pid') and open('pid').read()):\n    time.sleep(0.1)"
    add(folder, "01-starts", f"import os, subprocess, sys, time\n\n{begin}", begun)
    assert main(folder) == 0
    pid = int((folder / "notebooks" / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_an_error_that_is_meant_fails_nothing(folder):
    path = add(folder, "01-raises", "1 / 0", "print(2)")
    nb = nbformat.read(path, as_version=4)
    nb.cells[0].metadata["tags"] = ["raises-exception"]
    nbformat.write(nb, path)
    assert main(folder) == 0
    first, second = nbformat.read(path, as_version=4).cells
    assert first.outputs[0].ename == "ZeroDivisionError"
    assert second.outputs[0].text == "2\n"


def test_another_kernel_can_be_named(folder, capsys):
    path = add(folder, "01-foreign", "print(1)")
    path.write_text(path.read_text("utf-8").replace('"python3"', '"nowhere"'), encoding="utf-8")
    assert main(folder) == 1
    assert "choose an installed one with --kernel" in capsys.readouterr().err
    assert main(folder, "--keep", "--kernel", "python3") == 0
    assert texts(folder / "build" / path.name) == ["1\n"]


def test_who_stops_reading_stops_nothing(folder):
    for name in ("01-a", "02-b"):
        add(folder, name, "print(1)")
    process = start(folder, "--workers", "1")
    process.stdout.readline()
    process.stdout.close()
    assert (process.wait(30), process.stderr.read()) == (0, "")
    assert set(states(folder).values()) == {"ok"}


def test_a_machine_that_stands_still_takes_no_ones_time(tmp_path):
    now = [0.0]
    watch = Watch(Limits(cell=5, whole=9), tmp_path / "log", monotonic=lambda: now[0])
    watch.begin_cell()
    for step in (0.5, 3600, 0.5):
        now[0] += step
        watch.count()
    assert watch.cell == watch.seconds == 2.0


def test_a_long_cell_says_how_far_it_is_on_the_screen_only(folder, capsys, monkeypatch):
    monkeypatch.setattr("runner.execute.processes.LONG", 1)
    tell = "pathlib.Path(os.environ['RUNNER_PROGRESS']).write_text('split 3 of 8')"
    source = f"import os, pathlib, time\n{tell}\ntime.sleep(2.5)\nprint(1)"
    path = add(folder, "01-long", source)
    assert main(folder, "--keep") == 0
    assert "01-long" in (said := capsys.readouterr().err)
    assert "in code cell 1 of 1 for 1 s: split 3 of 8" in said
    assert texts(folder / "build" / path.name) == ["1\n"]


def test_a_limit_names_both_ways_out(folder, capsys):
    add(folder, "01-slow", "while True: pass", parameters="repeats = 2")
    assert main(folder, "--cell-limit", "1") == 1
    said = capsys.readouterr().err
    assert 'allow more with LIMITS="--cell-limit …", or give it less to do with PARAMS' in said
    assert "(its parameters: repeats)" in said


@pytest.mark.parametrize("text", ["[tool", "[tool]\nrunner = 3", "[tool.runner]\naside = 3"])
def test_settings_that_cannot_be_read_are_a_sentence(folder, capsys, text):
    add(folder, "01-fine", "print(1)")
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    assert main(folder) == 2
    assert "pyproject.toml cannot be read: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ['"kernelspec": null', '"kernelspec": {"name": 5}', '"kernelspec": "python3"']
)
def test_an_odd_notebook_does_not_stop_the_others(folder, text):
    odd = add(folder, "01-odd", "print(1)")
    nb = json.loads(odd.read_text(encoding="utf-8"))
    nb["metadata"] = json.loads(f"{{{text}}}")
    odd.write_text(json.dumps(nb), encoding="utf-8")
    add(folder, "02-fine", "print(2)")
    main(folder)
    assert states(folder)["02-fine.ipynb"] == "ok"


def test_a_build_that_holds_the_notebooks_is_refused(folder, capsys):
    path = add(folder, "01-fine", "print(1)")
    before = path.read_bytes()
    where = ["--notebooks", str(path.parent), "--build", str(path.parent), "--keep"]
    assert run.main(where) == 2
    assert "holds the notebooks themselves; name another." in capsys.readouterr().err
    assert path.read_bytes() == before


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
