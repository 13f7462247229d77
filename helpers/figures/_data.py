"""What a matplotlib figure shows, as data: texts, limits, and the numbers drawn, to four digits."""

import re

import numpy as np
from matplotlib.collections import PathCollection

MIME = "application/vnd.course.figure+json"


def described(drawing):
    """A dictionary of what `drawing` (a Figure that has been drawn) shows, one entry per axes.

    Numbers are text of four digits, one line of text for each row of them, so that a changed
    number is one changed line of a diff.
    """
    return {f"panel {n}": _panel(axes) for n, axes in enumerate(drawing.axes, start=1)}


def _panel(axes):
    legend = axes.get_legend()
    shown = {
        "title": axes.get_title(),
        "x": _axis(axes.xaxis, axes.get_xlim()),
        "y": _axis(axes.yaxis, axes.get_ylim()),
        "legend": [text.get_text() for text in legend.get_texts()] if legend else [],
        "texts": [_plain(text.get_text()) for text in axes.texts],
        "lines": {},
    }
    for n, line in enumerate(axes.lines, start=1):
        label = line.get_label()
        name = f"line {n}" if label.startswith("_") or label in shown["lines"] else label
        shown["lines"][name] = {
            "x": _numbers(line.get_xdata(orig=False)),
            "y": _numbers(line.get_ydata(orig=False)),
        }
    bars = [patch for patch in axes.patches if hasattr(patch, "get_height")]
    if bars:
        shown["bars"] = {
            "x": _numbers([bar.get_x() + bar.get_width() / 2 for bar in bars]),
            "heights": _numbers([bar.get_height() for bar in bars]),
        }
    points = [drawn for drawn in axes.collections if isinstance(drawn, PathCollection)]
    for n, drawn in enumerate(points, start=1):
        x, y = np.ma.filled(drawn.get_offsets(), np.nan).T
        shown[f"points {n}"] = {"x": _numbers(x), "y": _numbers(y)}
    for n, drawn in enumerate([*axes.images, *axes.collections], start=1):
        if hasattr(drawn, "levels"):
            values = [*drawn.levels, drawn.zmin, drawn.zmax]
            shown[f"levels {n}"] = _numbers(values)
        elif drawn.get_array() is not None:
            shown[f"colours {n}"] = [_numbers(row) for row in np.ma.atleast_2d(drawn.get_array())]
    return {name: part for name, part in shown.items() if part}


def _axis(axis, limits):
    ticks = [_plain(text.get_text()) for text in axis.get_ticklabels(which="both")]
    shown = {"label": axis.label.get_text(), "scale": axis.get_scale()}
    return shown | {
        "from, to": " ".join(f"{limit:.4g}" for limit in limits),
        "ticks": ", ".join(filter(None, ticks)),
    }


def _plain(text):
    """A tick's label less the marks of mathematics: 10^2 for what matplotlib writes in TeX."""
    return re.sub(r"\\mathdefault|[${}]", "", text)


def _numbers(values):
    values = np.ma.filled(np.ma.asarray(values, float), np.nan)
    largest = np.max(np.abs(values), initial=0, where=np.isfinite(values))
    rounding = np.abs(values) < 4 * np.finfo(float).eps * largest  # has no digit that holds
    return " ".join(f"{value:.4g}" for value in np.where(rounding, 0, values))
