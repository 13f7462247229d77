"""What all figures share: how one is shown, and one colour, dash and marker for each model."""

import logging
import re
from base64 import b64encode
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from io import BytesIO

# Where it takes matplotlib long to list the fonts, once, it would say so in a notebook's outputs.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

# ruff: noqa: E402
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image

from helpers.figures._data import MIME, described

# Okabe & Ito's colours, safe for the colour-blind, told apart in greyscale by dash and marker.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9", "#7F7F7F"]
DASHES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 2))]
DASHES += [(0, (3, 1, 1, 1))]
MARKERS = ["o", "s", "^", "D", "v", "X", "P", "*"]

# The first word that a label holds gives it its number: the same in every figure of the course.
MODELS = {
    "(two|2) logistic experts": 6,
    "products": 5,
    "stack": 3,
    "gate|truth": 4,
    "logistic regression": 0,
    "forest": 2,
    "net": 1,
    "rule": 7,
    "SGD|plain descent": 0,
    "momentum": 1,
    "Adam": 2,
    "PyTorch": 1,
    "TensorFlow|Keras": 0,
}


def figure(draw):
    """Let `draw`, which returns a matplotlib Figure, show it with the required keyword `alt`.

    Beside the picture the output has what it shows as data, which is compared like any other text.
    """

    @wraps(draw)
    def show(*args, alt, **kwargs):
        drawing = draw(*args, **kwargs)
        width = int(drawing.get_size_inches()[0] * 72)
        data = {
            "image/png": b64encode(_png(drawing)).decode(),
            "text/plain": "a figure",
            MIME: described(drawing),
        }
        about = {"image/png": {"alt": alt, "width": width}}
        if (figures := _caught.get()) is None:
            display(data, metadata=about, raw=True)
        else:
            figures.append((data, about))

    return show


def _png(drawing):
    """The figure as PNG of at most 256 colours, a third of the size of one with all colours."""
    drawing.savefig(whole := BytesIO(), format="png", dpi=144)
    few = Image.open(whole).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(png := BytesIO(), "png", optimize=True)
    return png.getvalue()


_caught = ContextVar("caught", default=None)


@contextmanager
def caught():
    """A list that takes each figure shown inside as (data, metadata), of this thread only.

    JupyterLab calls the callbacks of several sliders at once, each in a thread of its own.
    IPython's `capture_output` would take what others show, and leave one without an answer.
    """
    figures = []
    token = _caught.set(figures)
    try:
        yield figures
    finally:
        _caught.reset(token)


def axes(width=8.0, height=4.5, columns=1, rows=1, **labels):
    """(a Figure, its axes as a flat list): no box around them, and a faint grid."""
    drawing = Figure(figsize=(width, height), layout="constrained")
    panels = list(drawing.subplots(rows, columns, squeeze=False).flat)
    for axis in panels:
        axis.set(**labels)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.3)
    return drawing, panels


def plain_style(label):
    """(colour, marker) of a label by itself: a model's own, and for anything else blue dots."""
    number = _of_model(label) or 0
    return COLOURS[number], MARKERS[number]


def styles(labels):
    """[(colour, dash, marker)] of `labels`: a model has its own, anything else takes what is left.

    Two labels of one model share its colour, and differ in dash and marker.
    """
    numbers = [_of_model(label) for label in labels]
    free = [n for n in range(len(COLOURS)) if n not in numbers]
    chosen, taken = [], set()
    for number in numbers:
        if number is None:
            number = free.pop(0) if free else len(taken)
        form = number % len(DASHES)
        while form in taken and len(taken) < len(DASHES):
            form = (form + 1) % len(DASHES)
        taken.add(form)
        chosen.append((COLOURS[number % len(COLOURS)], DASHES[form], MARKERS[form]))
    return chosen


def _of_model(label):
    found = (n for words, n in MODELS.items() if re.search(rf"\b({words})\b", label))
    return next(found, None)
