"""Each figure is drawn, not blank, carries its alt text, and is the same bytes twice."""

import io
import os
import subprocess
import sys
from base64 import b64decode

import matplotlib.image
import numpy as np
import pytest

from helpers import plots
from helpers.figure_data import MIME

LINE = (np.arange(4), np.arange(4) ** 2)
CALLS = {
    "curves": lambda **k: plots.curves({"a": LINE, "b": LINE}, "x", "y", marks=[(1, 1, "m")], **k),
    "panels": lambda **k: plots.panels({"p": {"a": LINE}, "q": {"b": LINE}}, "x", "y", **k),
    "contour_path": lambda **k: plots.contour_path(
        lambda x, y: x**2 + y, {"p": np.array([[0, 0], [1, 1]])}, (-1, 2), (-1, 2), **k
    ),
    "roc": lambda **k: plots.roc_and_precision_recall(
        [0, 1, 0, 1], {"a": [0.1, 0.9, 0.4, 0.3]}, **k
    ),
    "confusions": lambda **k: plots.confusions({"a": [[3, 1], [0, 2]], "b": [[1, 1], [1, 1]]}, **k),
    "intervals": lambda **k: plots.intervals({"a": (0, -1, 1)}, "x", reference=0, **k),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_figure(monkeypatch, name):
    shown = []
    monkeypatch.setattr(plots, "display", lambda data, **more: shown.append((data, more)))
    for _ in range(2):
        CALLS[name](alt="what it shows")
    data, more = shown[0]
    assert more["metadata"]["image/png"]["alt"] == "what it shows"
    assert shown[0] == shown[1]
    pixels = matplotlib.image.imread(io.BytesIO(b64decode(data["image/png"])))[..., :3]
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10


@pytest.mark.parametrize("name", CALLS)
def test_without_alt_text_there_is_no_figure(name):
    with pytest.raises(TypeError, match="alt"):
        CALLS[name]()


def test_a_first_run_with_many_fonts_says_nothing(tmp_path):
    """Matplotlib warns after five seconds of listing them: here at once."""
    code = (
        "import threading; later = threading.Timer\n"
        "threading.Timer = lambda seconds, *given: later(0, *given)\n"
        "import helpers.plots"
    )
    env = os.environ | {"MPLCONFIGDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.glob("fontlist*"))


@pytest.fixture
def data(monkeypatch):
    """A function that draws one of CALLS, or a figure of one's own, and returns its data."""
    shown = []
    monkeypatch.setattr(plots, "display", lambda data, **more: shown.append(data[MIME]))

    def drawn(call):
        call(alt="what it shows")
        return shown.pop()

    return drawn


def test_a_figure_carries_what_it_shows(data):
    panel = data(CALLS["curves"])["panel 1"]
    assert panel["lines"]["a"] == {"x": "0 1 2 3", "y": "0 1 4 9"}
    assert panel["lines"]["line 3"] == {"x": "1", "y": "1"}  # the marked point
    assert panel["legend"] == ["a", "b"]
    assert panel["texts"] == ["m"]
    assert panel["x"]["label"] == "x"
    assert panel["x"]["scale"] == "linear"
    assert panel["x"]["from, to"] == "-0.15 3.15"
    assert "0.5, 1.0" in panel["x"]["ticks"]


def test_counts_colours_and_levels_are_in_it(data):
    first = data(CALLS["confusions"])["panel 1"]
    assert first["title"] == "a"
    assert first["texts"] == ["3", "1", "0", "2"]
    assert first["colours 1"] == ["0.75 0.25", "0 1"]
    levels = data(CALLS["contour_path"])["panel 1"]["levels 1"]
    assert levels.startswith("-1.2 -0.8")
    assert levels.endswith("-1 6")


def test_rounding_is_no_digit_of_it(data):
    line = ([0, 1], [1e-17, 1.0])
    assert data(lambda **k: plots.curves({"a": line}, "x", "y", **k))["panel 1"]["lines"]["a"] == {
        "x": "0 1",
        "y": "0 1",
    }


def test_ticks_are_written_without_mathematics(data):
    line = ([1, 10, 100], [1, 2, 3])
    panel = data(lambda **k: plots.curves({"a": line}, "x", "y", xscale="log", **k))["panel 1"]
    assert panel["x"]["scale"] == "log"
    assert "10^1" in panel["x"]["ticks"]
