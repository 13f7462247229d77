"""Making .venv: what is refused first, which index is asked, and how long that may take."""

import os
import runpy
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def setup():
    return runpy.run_path(str(ROOT / ".ci" / "environment.py"))


@pytest.mark.slow
def test_an_index_that_is_silent_costs_seconds_only(setup, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        assert not setup["answers"](f"http://127.0.0.1:{silent.getsockname()[1]}", seconds=1)
        assert time.monotonic() - began < 3
    assert not setup["answers"]("no address at all")
    began = time.monotonic()  # a slow name server heeds no time-out of a socket
    slow = threading.Event()
    monkeypatch.setattr("urllib.request.urlopen", lambda *given, **options: slow.wait(9) or 1 / 0)
    assert not setup["answers"]("http://localhost", seconds=1)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("sys.version_info", (3, 14, 0)), "Python 3.11, 3.12 or 3.13 is needed, and this is"),
        (("shutil.disk_usage", lambda _: type("", (), {"free": 1e9})), "1.0 GB of disk are free"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_made(setup, monkeypatch, change, sentence):
    monkeypatch.setattr(*change)
    assert sentence in setup["refusal"]()


def test_macos_on_intel_is_refused(setup, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert "no PyTorch for macOS on Intel" in setup["refusal"]()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for Python")
@pytest.mark.parametrize(
    ("typed", "got"),
    [([], "none"), (["TORCH_INDEX="], ""), (["TORCH_INDEX=http://x"], "http://x")],
)
def test_the_index_that_is_typed_reaches_the_set_up(tmp_path, typed, got):
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\necho "[${TORCH_INDEX-none}] $1"\n', encoding="utf-8")
    fake.chmod(0o755)
    command = ["make", "environment", f"PYTHON={fake}", *typed]
    env = {"PATH": os.environ["PATH"]}  # nothing of a make that runs this test
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout == f"[{got}] .ci/environment.py\n"
