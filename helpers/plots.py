"""The figures. Every input is an argument; `alt` is the text for readers who cannot see them."""

import logging
from base64 import b64encode
from functools import wraps
from io import BytesIO
from itertools import cycle

# Where it takes matplotlib long to list the fonts, once, it would say so in a notebook's outputs.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

# ruff: noqa: E402
import numpy as np
from IPython.display import display
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from helpers.figure_data import MIME, described

# Okabe & Ito's colours, safe for the colour-blind, told apart in greyscale by dash and marker.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9"]
DASHES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 2))]
MARKERS = ["o", "s", "^", "D", "v", "X", "P"]


def figure(draw):
    """Let `draw`, which returns a matplotlib Figure, show it with the required keyword `alt`.

    Beside the picture the output has what it shows as data, which is compared like any other text.
    """

    @wraps(draw)
    def show(*args, alt, **kwargs):
        png = BytesIO()
        drawing = draw(*args, **kwargs)
        drawing.savefig(png, format="png", dpi=144, metadata={"Software": None})
        width = int(drawing.get_size_inches()[0] * 72)
        data = {
            "image/png": b64encode(png.getvalue()).decode(),
            "text/plain": "a figure",
            MIME: described(drawing),
        }
        display(data, metadata={"image/png": {"alt": alt, "width": width}}, raw=True)

    return show


def _axes(width=8.0, height=4.5, columns=1, **labels):
    drawing = Figure(figsize=(width, height), layout="constrained")
    axes = drawing.subplots(1, columns, squeeze=False)[0]
    for axis in axes:
        axis.set(**labels)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.3)
    return drawing, axes


def _styled(series):
    """Each entry of `series` {label: data} as label, data, colour, dash, marker."""
    styles = zip(cycle(COLOURS), cycle(DASHES), cycle(MARKERS))
    for (label, data), style in zip(series.items(), styles, strict=False):
        yield label, data, *style


def _lines(axis, series):
    for label, (x, y, *ends), colour, dash, marker in _styled(series):
        few = marker if len(x) <= 30 else None
        axis.plot(x, y, color=colour, linestyle=dash, marker=few, label=label)
        if ends:
            axis.plot([x, x], ends, color=colour, linewidth=1)


@figure
def curves(series, xlabel, ylabel, title="", xscale="linear", yscale="linear", marks=()):
    """Lines, one per entry of `series` {label: (x, y)}; `marks` are points (x, y, text).

    With (x, y, low, high) an interval is drawn at each point.
    """
    drawing, (axis,) = _axes(xlabel=xlabel, ylabel=ylabel, title=title)
    axis.set(xscale=xscale, yscale=yscale)
    _lines(axis, series)
    for x, y, text in marks:
        axis.plot(x, y, "k*", markersize=12)
        axis.annotate(text, (x, y), xytext=(6, 8), textcoords="offset points")
    if len(series) > 4:  # more would cover the lines
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    elif len(series) > 1:
        axis.legend(frameon=False)
    return drawing


@figure
def panels(groups, xlabel, ylabel, xscale="linear", yscale="linear"):
    """A panel of lines per entry of `groups` {title: {label: (x, y)}}, on one y axis."""
    drawing, axes = _axes(4.5 * len(groups), 4.2, len(groups), xlabel=xlabel, ylabel=ylabel)
    for axis, (title, series) in zip(axes, groups.items(), strict=True):
        _lines(axis, series)
        axis.set(title=title, xscale=xscale, yscale=yscale)
        axis.sharey(axes[0])
    axes[0].legend(frameon=False)
    return drawing


@figure
def contour_path(cost, paths, xlim, ylim, xlabel="θ₁", ylabel="θ₂", title=""):
    """Level lines of `cost(θ1, θ2)` and, over them, each path (t, 2) of `paths` {label: path}."""
    drawing, (axis,) = _axes(7.0, 5.5, xlabel=xlabel, ylabel=ylabel, title=title)
    grid = np.meshgrid(np.linspace(*xlim, 200), np.linspace(*ylim, 200))
    lines = axis.contour(*grid, cost(*grid), levels=18, cmap="Greys", alpha=0.8)
    # Not the level 0: a saddle's is straight, and rounding alone would choose its label's place.
    axis.clabel(lines, lines.levels[lines.levels != 0], fontsize=7, colors="0.35")
    for label, path, colour, dash, marker in _styled(paths):
        axis.plot(*np.transpose(path), color=colour, linestyle=dash, marker=marker, label=label)
    first = next(iter(paths.values()))[0]
    axis.annotate("start", first, xytext=(6, 6), textcoords="offset points")
    axis.set(xlim=xlim, ylim=ylim)
    axis.legend(loc="lower left")
    return drawing


@figure
def roc_and_precision_recall(y, scores):
    """Both curves of `scores` {label: (n,)} against labels y (n,) in {0, 1}; grey: a coin."""
    drawing, (left, right) = _axes(10.0, 4.8, columns=2, xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    left.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC")
    right.set(xlabel="recall", ylabel="precision", title="precision and recall")
    for label, score, colour, dash, _ in _styled(scores):
        style = {"color": colour, "linestyle": dash, "label": label}
        left.plot(*roc_curve(y, score)[:2], **style)
        precision, recall, _ = precision_recall_curve(y, score)
        right.plot(recall, precision, drawstyle="steps-post", **style)
    left.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    right.axhline(np.mean(y), color="grey", linewidth=0.8)
    left.legend(loc="lower right", frameon=False)
    return drawing


@figure
def confusions(matrices):
    """Confusion matrices {label: (2, 2)}, rows the truth, columns the prediction, as counts."""
    drawing, axes = _axes(
        2.2 * len(matrices), 2.8, len(matrices), xlabel="predicted", ylabel="true label"
    )
    for axis, (label, matrix) in zip(axes, matrices.items(), strict=True):
        share = np.array(matrix) / np.sum(matrix, axis=1, keepdims=True)
        axis.imshow(share, cmap="Greys", vmin=0, vmax=1.6)
        for (i, j), count in np.ndenumerate(np.array(matrix)):
            axis.text(j, i, str(count), ha="center", va="center")
        axis.set(title=label, xticks=[0, 1], yticks=[0, 1])
        axis.grid(visible=False)
    return drawing


@figure
def intervals(rows, xlabel, reference=None, title=""):
    """A point and its interval per row of `rows` {label: (estimate, low, high)}."""
    return _interval_panels({title: rows}, [xlabel], reference)


@figure
def interval_panels(groups, xlabels, reference=None):
    """The same side by side: a panel per entry of `groups` {title: rows}, of the same labels."""
    return _interval_panels(groups, xlabels, reference)


def _interval_panels(groups, xlabels, reference):
    labels = list(next(iter(groups.values())))
    width = 8.0 if len(groups) == 1 else 2.6 + 2.8 * len(groups)
    drawing, axes = _axes(width, 0.9 + 0.4 * len(labels), len(groups))
    for axis, (title, rows), xlabel in zip(axes, groups.items(), xlabels, strict=True):
        for row, (estimate, low, high) in enumerate(rows.values()):
            axis.plot([low, high], [row, row], color=COLOURS[0], linewidth=2)
            axis.plot(estimate, row, "o", color=COLOURS[0])
        axis.set(title=title, xlabel=xlabel)
        axis.set_yticks(range(len(labels)), labels if axis is axes[0] else [])
        axis.invert_yaxis()
        if reference is not None:
            axis.axvline(reference, color="black", linestyle=":")
    return drawing


@figure
def heat_map(x, y, z, edges, xlabel, ylabel, zlabel):
    """Values z (len(y), len(x)), logarithmic, nan hatched; `edges` are lines {label: (x, y)}."""
    drawing, (axis,) = _axes(8.0, 5.0, xlabel=xlabel, ylabel=ylabel)
    axis.grid(visible=False)
    axis.patch.set(hatch="///", edgecolor="lightgrey")
    shown = axis.pcolormesh(x, y, z, norm="log", cmap="Greys_r", shading="nearest")
    drawing.colorbar(shown, label=zlabel)
    _lines(axis, edges)
    axis.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    axis.legend(loc="lower right")
    return drawing


@figure
def squares_and_images(mapping, jacobian, centres, side):
    """Squares around `centres`, their images under `mapping`, and what `jacobian` predicts."""
    drawing, (left, right) = _axes(9.0, 4.5, columns=2)
    left.set(xlabel="x", ylabel="y", title="squares", aspect="equal")
    right.set(xlabel="u", ylabel="w", title="images; dashed: by the Jacobian", aspect="equal")
    edge = np.linspace(-side / 2, side / 2, 25)
    low, high = np.full(25, -side / 2), np.full(25, side / 2)
    outline = np.array([[*edge, *high, *edge[::-1], *low], [*low, *edge, *high, *edge[::-1]]])
    for centre, colour, marker in zip(centres, COLOURS, MARKERS, strict=False):
        square = outline + np.array(centre, dtype=float)[:, None]
        linear = np.array(mapping(centre))[:, None] + jacobian(centre) @ outline
        left.plot(*square, color=colour)
        left.plot(*centre, marker, color=colour, label=f"{centre}")
        right.plot(*mapping(square), color=colour)
        right.plot(*linear, color=colour, linestyle="--")
        right.plot(*mapping(centre), marker, color=colour)
    left.legend(frameon=False, loc="upper left", fontsize=8)
    return drawing
