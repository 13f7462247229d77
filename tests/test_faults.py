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

import psutil
import pytest
from test_run import add, main, texts

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
    assert states(folder) == {"01-fine.ipynb": "cached", "02-faulty.ipynb": state}
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
        [sys.executable, "-m", "course.run", *where],
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
    process.send_signal(rng.choice([signal.SIGINT, signal.SIGTERM]))
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
