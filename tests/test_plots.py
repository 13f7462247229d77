"""Each figure is drawn, not blank, carries its alt text, and is the same bytes twice."""

import io
from base64 import b64decode

import matplotlib.image
import numpy as np
import pytest

from helpers.figures import _style as house_style
from helpers.figures import drawings, plots
from helpers.figures._data import MIME

LINE = (np.arange(4), np.arange(4) ** 2)
DENSITIES = np.array([[0.0, 1, 2, 3], [0.1, 0.5, 0.4, 0.1], [0.3, 0.3, 0.3, 0.3]])
CALLS = {
    "curves": lambda **k: plots.curves({"a": LINE, "b": LINE}, "x", "y", marks=[(1, 1, "m")], **k),
    "panels": lambda **k: plots.panels({"p": {"a": LINE}, "q": {"b": LINE}}, "x", "y", **k),
    "landscape": lambda **k: drawings.landscape(
        lambda x, y: x**2 - y,
        np.array([[0, 0], [1, 1], [1.5, 1.5]]),
        1,
        {"out": np.array([1, 0])},
        (-1, 2),
        (-1, 2),
        **k,
    ),
    "bowls": lambda **k: drawings.bowls(
        {"b": (lambda x, y: x**2 + y**2, {"SGD": np.array([[1, 1], [0, 0]])})},
        (-1, 2),
        (-1, 2),
        **k,
    ),
    "graph": lambda **k: drawings.graph(
        {"a": (1, 1, "one", "soft"), "b": (4, 1, "two", "wrong")},
        [("a", "b", "there", "plain"), ("b", "a", "back", "back")],
        **k,
    ),
    "squares": lambda **k: drawings.squares_and_images(
        lambda v: [2 * v[0], v[1]], lambda v: np.diag([2, 1]), [(0, 0), (1, 1)], 0.5, **k
    ),
    "divergences": lambda **k: drawings.divergences(*DENSITIES, **k),
    "mixture": lambda **k: drawings.mixture(
        *np.array([[-1, 0, 1], [0.1, 0.5, 0.9]]),
        np.array([[0.1, 0.2, 0.3], [0.7, 0.8, 0.9]]),
        (np.array([-1.0, 0.5]), np.array([0, 1])),
        np.array([0.2, 0.9]),
        **k,
    ),
    "router": lambda **k: drawings.router(np.array([[0.7, 0.3, 0], [0, 0.4, 0.6]]), [1, 2, 1], **k),
    "dots": lambda **k: plots.dots({"a": 1e-3, "b": 1e-20}, "x", 1e-12, **k),
    "shares": lambda **k: plots.shares([0, 1], [0.4, 0.6], {"m": [0.5, 0.5]}, "x", "y", **k),
    "likelihoods": lambda **k: plots.likelihoods(
        [0, 1], {"p": [0.4, 0.6], "q": [0.1, 0.9]}, 1, "x", **k
    ),
    "intervals": lambda **k: plots.interval_panels(
        {"p": {"a": (0, -1, 1)}, "q": {"a": (1, 0, 3)}}, ["x", "x"], reference=0, alike=True, **k
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_figure(monkeypatch, name):
    shown = []
    monkeypatch.setattr(house_style, "display", lambda data, **more: shown.append((data, more)))
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


@pytest.fixture
def data(monkeypatch):
    """A function that draws one of CALLS, or a figure of one's own, and returns its data."""
    shown = []
    monkeypatch.setattr(house_style, "display", lambda data, **more: shown.append(data[MIME]))

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
    first = data(CALLS["router"])["panel 1"]
    assert first["texts"] == ["0.70", "0.30", "0.40", "0.60"]
    assert first["colours 1"] == ["0.7 0.3 0", "0 0.4 0.6"]
    levels = data(CALLS["landscape"])["panel 1"]["levels 1"].split()
    assert levels[10] == "0"
    assert levels[0] == f"-{levels[20]}"
    assert levels[-2:] == ["-2", "5"]  # the lowest and the highest ground


def test_a_mixture_is_gate_times_experts(data):
    line = data(CALLS["mixture"])["panel 3"]["lines"]["line 1"]["y"].split()
    assert np.allclose([float(v) for v in line], [0.16, 0.5, 0.84])


def test_a_model_looks_the_same_in_every_figure():
    alone = house_style.styles(["net"])[0]
    assert house_style.styles(["rule", "logistic regression", "net"])[2] == alone
    assert house_style.styles(["anything", "net, recalibrated"])[1] == alone
    assert house_style.plain_style("net")[0] == alone[0]


def test_rounding_is_no_digit_of_it(data):
    line = ([0, 1], [1e-17, 1.0])
    assert data(lambda **k: plots.curves({"a": line}, "x", "y", **k))["panel 1"]["lines"]["a"] == {
        "x": "0 1",
        "y": "0 1",
    }
