"""The course on emulated processors: the pinned code paths give the same bits on each.

Debian's package qemu-user emulates them; without it these tests say so and are skipped. Whole
notebooks take minutes each: `python tests/test_emulation.py Haswell 03 04` executes some on one.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import portable
import pytest

from runner import request, run
from runner.execute import environment

ROOT = Path(__file__).resolve().parents[1]
OLD = {"Nehalem", "Westmere", "SandyBridge"}  # without AVX2: nothing is pinned there
# What qemu cannot do of these models, it says on the kernel's stderr unless it is left out.
LESS = ",-pcid,-x2apic,-tsc-deadline,-hle,-rtm,-invpcid"
QEMU = shutil.which("qemu-x86_64")
PINNED = environment.pins() == environment.AVX2
pytestmark = [
    pytest.mark.slow,
    pytest.mark.weekly,
    pytest.mark.skipif(not QEMU, reason="no qemu-x86_64 here: apt-get install qemu-user"),
    pytest.mark.skipif(environment.pins() != environment.AVX2, reason="a processor without AVX2"),
]


def digests(*emulator):
    """{operation: digest of its bits}, with the pinned code paths."""
    command = [*emulator, sys.executable, str(ROOT / "experiments" / "arithmetic.py")]
    variables = os.environ | environment.settings()
    done = subprocess.run(command, env=variables, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return dict(line.split(": ") for line in done.stdout.splitlines())


@pytest.mark.parametrize("processor", ["Haswell", "EPYC-Rome"])
def test_the_pinned_paths_give_the_same_bits(processor):
    here, there = digests(), digests(QEMU, "-cpu", processor + LESS)
    assert len(here) == len(there) == 15
    differ = {name for name in here if here[name] != there[name]}
    # MKL begins a root from the processor's own approximation, and makers have their own.
    assert differ <= {"torch sqrt"}


@pytest.mark.parametrize(("processor", "only"), [("Haswell", "03"), ("Nehalem", "04")])
def test_a_whole_notebook_comes_out_as_committed(tmp_path, processor, only):
    assert executed(processor, only, tmp_path)


def executed(processor, only, build):
    """Whether the notebooks `only` come out as committed on an emulated processor."""
    with tempfile.TemporaryDirectory() as folder:
        kernel = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        argv = [QEMU, "-cpu", processor + LESS, *kernel]
        spec = {"argv": argv, "display_name": processor, "language": "python"}
        place = Path(folder) / "kernels" / "python3"
        place.mkdir(parents=True)
        (place / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        limits = ["--cell-limit", "20000", "--whole-limit", "40000", "--workers", "1"]
        options = request.parser().parse_args(["--build", str(build), "--only", only, *limits])
        if processor in OLD:
            options.env = [f"{name}=" for name in environment.pins()]
        with patch.dict(os.environ, JUPYTER_PATH=folder):
            status, tasks = run.complete(request.jobs_of(options), options)
    found = [each for task in tasks if task.outcome.good for each in portable.moved(task)]
    print(*portable.table(found), sep="\n")
    return status == 0 and all(each.difference.share <= 1 for each in found)


if __name__ == "__main__":
    os.chdir(ROOT)
    build = ROOT / "build" / "emulated" / sys.argv[1]
    sys.exit(not all([executed(sys.argv[1], only, build) for only in sys.argv[2:]]))
