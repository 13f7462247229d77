"""Making .venv: what is refused first, which index is asked, and how long that may take."""

import http.server
import runpy
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def setup():
    return runpy.run_path(str(ROOT / ".ci" / "environment.py"))


class Index(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(200 if self.path == "/cpu/torch/" else 404)
        self.end_headers()

    def log_message(self, *arguments):
        pass


def test_an_index_that_answers(setup):
    with http.server.HTTPServer(("127.0.0.1", 0), Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert setup["answers"](f"http://127.0.0.1:{server.server_port}/cpu")
        assert not setup["answers"](f"http://127.0.0.1:{server.server_port}/other")
        server.shutdown()


def test_an_index_that_is_silent_costs_seconds_only(setup, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        assert not setup["answers"](f"http://127.0.0.1:{silent.getsockname()[1]}", seconds=1)
        assert time.monotonic() - began < 3
    assert not setup["answers"]("no address at all")
    began = time.monotonic()  # a slow name server heeds no time-out of a socket
    monkeypatch.setattr("urllib.request.urlopen", lambda *given, **options: time.sleep(9))
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


def test_nothing_stands_in_the_way_here(setup):
    assert setup["refusal"]() == ""
