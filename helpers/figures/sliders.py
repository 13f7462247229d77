"""Sliders over a figure; and, for a reader without a kernel, the figure at some of their places."""

import json
import os
from base64 import b64decode
from html import escape
from itertools import count
from pathlib import Path
from threading import Lock

import numpy as np
from IPython.display import display
from ipywidgets import HTML, Layout, VBox

from helpers.figures._style import caught

_FRAMES = "COURSE_FRAMES"  # a folder, for whoever makes the site: the variable that names it


def explore(draw, frames=(), **controls):
    """Show `controls` and what `draw(name=value, …)` shows, anew after each move of one of them.

    `draw` is a function that shows one figure, `controls` are ipywidgets with a `value`, named as
    its arguments. Where the environment says in which folder, the figure is left there at several
    places of each control that `frames` names, the others at the values they begin with.
    """
    picture, one_at_a_time, moves = HTML(), Lock(), count()
    latest = [next(moves)]

    def show():
        data, about = drawn(draw, {name: control.value for name, control in controls.items()})
        source = f'src="data:image/png;base64,{data}"'
        picture.value = f'<img {source} width="{about["width"]}" alt="{escape(about["alt"])}">'

    def move(change):
        latest[0] = mine = next(moves)
        with one_at_a_time:  # the last one draws what all of them say
            try:
                if mine == latest[0]:  # while a slider is dragged, moves come faster than drawings
                    show()
            except Exception as error:  # of a callback, Jupyter shows none
                picture.value = f"<pre>{escape(f'{type(error).__name__}: {error}')}</pre>"

    for name, control in controls.items():
        control.description = control.description or name
        control.continuous_update = True
        control.style.description_width, control.layout = "7em", Layout(width="30em")
        control.observe(move, "value")
    show()
    display(VBox([*controls.values(), picture]))
    if os.environ.get(_FRAMES) and frames:
        leave(draw, controls, frames, Path(os.environ[_FRAMES]) / draw.__name__)


def drawn(draw, values):
    """(the PNG that `draw` shows for `values` in base64, its {width, alt})."""
    with caught() as figures:
        draw(**values)
    [(data, about)] = figures
    return data["image/png"], about["image/png"]


def leave(draw, controls, frames, folder):
    """Write the frames into `folder`, and frames.json, which says what they show."""
    start = {name: control.value for name, control in controls.items()}
    told = {"start": start, "controls": []}
    folder.mkdir(parents=True, exist_ok=True)
    _, about = drawn(draw, start)
    for name in frames:
        values, files = places(controls[name]), []
        for number, value in enumerate(values):
            data, _ = drawn(draw, start | {name: value})
            files.append(f"{frames.index(name)}-{number}.png")
            (folder / files[-1]).write_bytes(b64decode(data))
        label = controls[name].description
        each = {"label": label, "at": values.index(start[name]), "values": values, "files": files}
        told["controls"].append(each)
    text = json.dumps(told | about, ensure_ascii=False, indent=1)
    (folder / "frames.json").write_text(text + "\n", encoding="utf-8")


def places(control, number=7):
    """Some values of a control, in order: about `number` of a slider, its present one included."""
    if hasattr(control, "options"):
        return list(control.options)
    steps = int((control.max - control.min) / control.step + 1e-9)
    some = {round(n) for n in np.linspace(0, steps, number)}
    nearest = round((control.value - control.min) / control.step)
    some = sorted({n for n in some if abs(n - nearest) > steps / (2 * number)} | {nearest})
    values = [round(control.min + n * control.step, 10) for n in some]
    return [control.value if n == nearest else value for n, value in zip(some, values, strict=True)]
