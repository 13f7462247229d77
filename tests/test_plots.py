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
