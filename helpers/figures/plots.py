"""The figures. Every input is an argument; `alt` is the text for readers who cannot see them."""

import numpy as np
from matplotlib.colors import LogNorm

from helpers.figures._style import COLOURS, axes, figure, plain_style, styles


def _styled(series):
    """Each entry of `series` {label: data} as label, data, colour, dash, marker."""
    for (label, data), style in zip(series.items(), styles(series), strict=True):
        yield label, data, *style


def _lines(axis, series):
    for label, (x, y, *ends), colour, dash, marker in _styled(series):
        few = marker if len(x) <= 30 else None
        axis.plot(x, y, color=colour, linestyle=dash, marker=few, label=label)
        if ends:
            axis.plot([x, x], ends, color=colour, linewidth=1)


@figure
def curves(
    series,
    xlabel,
    ylabel,
    xscale="linear",
    yscale="linear",
    marks=(),
    dots=None,
    level=None,
):
    """Lines, one per entry of `series` {label: (x, y)}; `marks` are points (x, y, text).

    With (x, y, low, high) an interval is drawn at each point. `dots` are bare markers,
    {label: (x, y)}, and `level` is (height, label) of a dotted line across.
    """
    drawing, (axis,) = axes(xlabel=xlabel, ylabel=ylabel)
    axis.set(xscale=xscale, yscale=yscale)
    _lines(axis, series)
    for (label, (x, y)), marker in zip((dots or {}).items(), "o^sv", strict=False):
        axis.plot(x, y, marker, color="black", markersize=6, label=label)
    x = np.asarray(next(iter(series.values()))[0])
    if xscale == "log" and len(x) <= 8 and x.dtype.kind == "i":
        axis.set_xticks(x, labels=[f"{number:,}" for number in x])
        axis.minorticks_off()
    if level:
        axis.axhline(level[0], color="0.4", linestyle=":", label=level[1])
    for x, y, text in marks:
        axis.plot(x, y, "k*", markersize=12)
        axis.annotate(text, (x, y), xytext=(6, 8), textcoords="offset points")
    if len(axis.get_legend_handles_labels()[1]) > 4:  # more would cover the lines
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    elif len(series) > 1:
        axis.legend(frameon=False)
    return drawing


@figure
def panels(groups, xlabel, ylabel, xscale="linear", yscale="linear"):
    """A panel of lines per entry of `groups` {title: {label: (x, y)}}, on one y axis."""
    drawing, drawn = axes(4.5 * len(groups), 4.2, len(groups), xlabel=xlabel, ylabel=ylabel)
    for axis, (title, series) in zip(drawn, groups.items(), strict=True):
        _lines(axis, series)
        axis.set(title=title, xscale=xscale, yscale=yscale)
        axis.sharey(drawn[0])
    drawn[0].legend(frameon=False)
    return drawing


@figure
def interval_panels(groups, xlabels, reference=None, alike=False):
    """A point and its interval per row, and a panel per entry of `groups` {title: rows}.

    `rows` is {label: (estimate, low, high)}, with the same labels in all panels; if they are
    `alike`, the panels have one scale.
    """
    labels = list(next(iter(groups.values())))
    width = 8.0 if len(groups) == 1 else 2.6 + 2.8 * len(groups)
    drawing, drawn = axes(width, 0.9 + 0.4 * len(labels), len(groups))
    for axis, (title, rows), xlabel in zip(drawn, groups.items(), xlabels, strict=True):
        for row, (label, (estimate, low, high)) in enumerate(rows.items()):
            colour, marker = plain_style(label)
            axis.plot([low, high], [row, row], color=colour, linewidth=2)
            axis.plot(estimate, row, marker, color=colour)
        axis.set(title=title, xlabel=xlabel)
        axis.set_yticks(range(len(labels)), labels if axis is drawn[0] else [])
        axis.margins(y=0.15)
        axis.invert_yaxis()
        if reference is not None:
            axis.axvline(reference, color="black", linestyle=":")
    if alike:
        limits = [axis.get_xlim() for axis in drawn]
        for axis in drawn:
            axis.set_xlim(min(low for low, _ in limits), max(high for _, high in limits))
    return drawing


@figure
def heat_map(x, y, z, edges, xlabel, ylabel, zlabel, marks=()):
    """Values z (len(y), len(x)), logarithmic, nan hatched; `edges` are lines {label: (x, y)}.

    `marks` are points (x, y, text).
    """
    drawing, (axis,) = axes(8.0, 5.0, xlabel=xlabel, ylabel=ylabel)
    axis.grid(visible=False)
    axis.patch.set(hatch="///", edgecolor="lightgrey")
    norm = LogNorm(np.nanmin(z), np.nanmax(z))
    shown = axis.pcolormesh(x, y, z, norm=norm, cmap="viridis_r", shading="nearest")
    bar = drawing.colorbar(shown, label=zlabel)
    ticks = [n for n in (10, 20, 50, 100, 200, 500, 1000) if np.nanmin(z) <= n <= np.nanmax(z)]
    bar.set_ticks(ticks, labels=map(str, ticks))
    bar.minorticks_off()
    _lines(axis, edges)
    for at, height, text in marks:
        axis.plot(at, height, "kX", markersize=11, clip_on=False)
        axis.annotate(text, (at, height), xytext=(8, 6), textcoords="offset points")
    axis.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    axis.legend(loc="lower right", framealpha=1)
    return drawing


@figure
def dots(values, xlabel, floor):
    """A dot for each entry of `values` {label: number > 0}, on a logarithmic axis.

    What is not above `floor` is an arrow that points below it: its own size means nothing.
    """
    drawing, (axis,) = axes(8.0, 0.9 + 0.45 * len(values), xlabel=xlabel)
    axis.set(xscale="log", xlim=(floor / 3, 10 * max(values.values())))
    for row, value in enumerate(values.values()):
        known = value > floor
        axis.plot(max(value, floor), row, "o" if known else "<", color=COLOURS[0], markersize=10)
        if not known:
            axis.annotate("rounding", (floor, row), xytext=(12, -4), textcoords="offset points")
    axis.set_yticks(range(len(values)), list(values))
    axis.margins(y=0.15)
    axis.invert_yaxis()
    return drawing


@figure
def shares(values, observed, models, xlabel, ylabel, label="observed"):
    """Bars of what is `observed` at each of the whole numbers `values`, and each model's markers.

    `models` is {label: (len(values),)}. The markers are not joined: between 3 and 4 is nothing.
    """
    drawing, (axis,) = axes(xlabel=xlabel, ylabel=ylabel)
    axis.bar(values, observed, width=0.8, color="0.85", edgecolor="0.5", label=label)
    for name, share, colour, _, marker in _styled(models):
        axis.plot(values, share, marker, color=colour, markersize=8, label=name)
    axis.set_xticks(values)
    axis.legend(frameon=False)
    return drawing


@figure
def likelihoods(outcomes, models, seen, xlabel):
    """Each model's probability of every outcome, side by side, the one that was `seen` in black.

    `models` is {title: (len(outcomes),)}: how probable each outcome is.
    """
    drawing, panels = axes(3.4 * len(models), 3.4, len(models), xlabel=xlabel)
    for axis, (title, chances) in zip(panels, models.items(), strict=True):
        at = list(outcomes).index(seen)
        colours = ["black" if n == at else COLOURS[6] for n in range(len(outcomes))]
        axis.bar(outcomes, chances, color=colours, edgecolor="0.4")
        axis.set(
            title=f"{title}: P({seen}) = {chances[at]:.3f}",
            ylim=(0, 1.1 * max(map(max, models.values()))),
        )
    panels[0].set_ylabel("probability of each outcome")
    return drawing
