"""Sliders over a figure: each move draws anew, and frames are left for who has no kernel."""

import json

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from ipywidgets import Dropdown, FloatSlider
from PIL import Image

from helpers.figures import plots
from helpers.figures import sliders as interactive


@pytest.fixture(autouse=True)
def shell():
    """Figures are displayed in IPython, and nowhere else."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def draw(height, kind):
    curve = ([0, 1], [0, height])
    plots.curves({"line": curve}, "x", kind, alt='A "line" up to a <height>.')


def sliders():
    return {
        "height": FloatSlider(1, min=0, max=2, step=0.25),
        "kind": Dropdown(options=["a", "b"], description="what"),
    }


def box(controls, frames=()):
    with capture_output() as shown:
        interactive.explore(draw, frames=frames, **controls)
    return shown.outputs


def test_a_move_draws_anew(monkeypatch):
    monkeypatch.delenv(interactive._FRAMES, raising=False)
    made, controls = [], sliders()
    monkeypatch.setattr(interactive, "HTML", lambda: made.append(Picture()) or made[-1])
    monkeypatch.setattr(interactive, "VBox", lambda children: children[0])
    box(controls, frames=["height"])
    first = made[0].value
    assert 'alt="A &quot;line&quot; up to a &lt;height&gt;."' in first
    controls["height"].value = 2
    second = made[0].value
    controls["kind"].value = "b"
    assert len({first, second, made[0].value}) == 3
    controls["height"].value = 1
    controls["kind"].value = "a"
    assert made[0].value == first
    assert (controls["height"].description, controls["kind"].description) == ("height", "what")


class Picture:
    value = ""


def test_what_fails_in_a_move_is_shown(monkeypatch):
    monkeypatch.delenv(interactive._FRAMES, raising=False)
    picture, slider = Picture(), FloatSlider(1, min=0, max=2)
    monkeypatch.setattr(interactive, "HTML", lambda: picture)
    monkeypatch.setattr(interactive, "VBox", lambda children: children[0])

    def fail(height):
        if height > 1:
            raise ValueError("too <high>")
        draw(height, "a")

    with capture_output():
        interactive.explore(fail, height=slider)
    slider.value = 2
    assert picture.value == "<pre>ValueError: too &lt;high&gt;</pre>"


def test_frames_are_left_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv(interactive._FRAMES, str(tmp_path))
    box(sliders(), frames=["height", "kind"])
    told = json.loads((tmp_path / "draw" / "frames.json").read_text(encoding="utf-8"))
    height, kind = told["controls"]
    assert (told["start"], told["alt"]) == (
        {"height": 1, "kind": "a"},
        'A "line" up to a <height>.',
    )
    assert (kind["label"], kind["values"], kind["at"]) == ("what", ["a", "b"], 0)
    assert height["values"][height["at"]] == 1
    assert height["values"][0] == 0
    assert height["values"][-1] == 2
    pictures = {}
    for each in (height, kind):
        for value, file in zip(each["values"], each["files"], strict=True):
            with Image.open(tmp_path / "draw" / file) as picture:
                pictures[each["label"], value] = picture.tobytes()
    assert pictures["height", 1] == pictures["what", "a"]
    assert len(set(pictures.values())) == len(pictures) - 1


@pytest.mark.parametrize(
    ("value", "low", "high", "step"),
    [(0.1, 0.01, 0.6, 0.01), (0, 0, 4, 0.125), (1, -3, 3, 0.25), (3, 0, 3, 1), (2.0, 0.5, 3, 0.5)],
)
def test_places_are_in_order_and_hold_the_present_one(value, low, high, step):
    found = interactive.places(FloatSlider(value, min=low, max=high, step=step))
    assert value in found
    assert found == sorted(set(found))
    assert 3 <= len(found) <= 8
    assert all(low <= place <= high for place in found)
