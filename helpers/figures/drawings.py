"""The pictures that carry an idea: landscapes, graphs, a mixture, a divergence, a router."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, SymLogNorm
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from helpers.figures._style import COLOURS, DASHES, axes, figure, styles

# What a box of a graph is: its filling, so that kinds differ in grey too.
_BOXES = {
    "plain": {"facecolor": "white", "edgecolor": "0.3"},
    "soft": {"facecolor": "#DCEBF5", "edgecolor": "0.3"},
    "strong": {"facecolor": "#B8D4E8", "edgecolor": "black", "linewidth": 2},
    "wrong": {"facecolor": "#F6D5C0", "edgecolor": COLOURS[1], "linewidth": 2},
}
_ARROWS = {
    "plain": {"color": "0.3", "linewidth": 1.5},
    "back": {"color": COLOURS[0], "linewidth": 1.5, "linestyle": "--"},
    "wrong": {"color": COLOURS[1], "linewidth": 3},
}


# From the first expert to the second; white between, where neither is more responsible.
_TWO = LinearSegmentedColormap.from_list("two", [COLOURS[0], "white", COLOURS[1]])


@figure
def landscape(cost, path, first, directions, xlim, ylim, name="the saddle"):
    """`cost(θ1, θ2)` in colour, a `path` (t, 2), and the stationary point (0, 0), called `name`.

    The first steps, up to number `first`, are black and have their costs beside them.
    `directions` are lines through the point, {label: vector (2,)}; without any it is not drawn.
    """
    drawing, (axis,) = axes(8.0, 6.0, xlabel="θ₁", ylabel="θ₂")
    _hills(axis, cost, xlim, ylim)
    reach = 2 * max(np.ptp(xlim), np.ptp(ylim))
    for (label, vector), dash in zip(directions.items(), DASHES[1:], strict=False):
        ends = np.transpose([-reach * vector, reach * vector])
        axis.plot(*ends, color="black", linewidth=1, linestyle=dash, label=label)
    if len(path) > first + 1:
        later = {"color": "white", "markeredgecolor": "black", "label": "later steps"}
        axis.plot(*path[first:].T, "o", **later)
    axis.plot(*path[: first + 1].T, "ko-", linewidth=2.5, label=f"start and first {first} steps")
    labelled, room = [], np.array([np.ptp(xlim), np.ptp(ylim)]) * (0.055, 0.04)
    for n, here in enumerate(path[: first + 1]):
        if any((np.abs(here - other) < room).all() for other in labelled):
            continue  # one number over another can be read by nobody
        labelled.append(here)
        text = f"start\nC = {cost(*here):.3g}" if n == 0 else f"{cost(*here):.3g}"
        offset = (8, 8) if n == 0 else (-42, 4) if n == first else (-6, -20)
        _written(axis, text, here, offset)
    if directions:
        axis.plot(0, 0, "kX", markersize=13, markeredgecolor="white")
        _written(axis, name, (0, 0), (10, -16))
    axis.set(xlim=xlim, ylim=ylim)
    axis.legend(loc="upper right", framealpha=0.9, fontsize=9)
    return drawing


def _written(axis, text, at, offset):
    """`text` beside a point of the data, with a white rim that keeps it legible on any ground."""
    rim = [withStroke(linewidth=3, foreground="white")]
    where = {"xytext": offset, "textcoords": "offset points", "annotation_clip": True}
    axis.annotate(text.replace("-", "−"), at, path_effects=rim, zorder=5, **where)


def _hills(axis, cost, xlim, ylim, sizes=10):
    """Colours and level lines: dashed and blue below 0, solid and red above, white between."""
    grid = np.meshgrid(np.linspace(*xlim, 200), np.linspace(*ylim, 200))
    height = cost(*grid)
    # Levels that lie closer near 0, where a saddle is flat; and as far below 0 as above it.
    top = np.max(np.abs(height))
    levels = np.linspace(-1, 1, 2 * sizes + 1)
    levels = top * levels * np.abs(levels)
    norm = SymLogNorm(linthresh=top / 10, vmin=-4 * top, vmax=4 * top)
    axis.contourf(*grid, height, levels=levels, cmap="RdBu_r", norm=norm)
    dashes = np.where(levels < 0, "dashed", "solid").tolist()
    axis.contour(*grid, height, levels=levels, colors="0.4", linewidths=0.6, linestyles=dashes)
    axis.grid(visible=False)


@figure
def bowls(panels, xlim, ylim, xlabel="θ₁", ylabel="θ₂"):
    """A bowl and the paths through it for each entry of `panels` {title: (cost, {label: path})}."""
    drawing, drawn = axes(4.6 * len(panels), 4.6, len(panels), xlabel=xlabel, ylabel=ylabel)
    grid = np.meshgrid(np.linspace(*xlim, 150), np.linspace(*ylim, 150))
    for axis, (title, (cost, paths)) in zip(drawn, panels.items(), strict=True):
        height = cost(*grid)
        levels = np.max(height) * np.linspace(0, 1, 12) ** 2
        axis.contourf(*grid, height, levels=levels, cmap="Greys", alpha=0.5)
        for (label, path), (colour, dash, marker) in zip(paths.items(), styles(paths), strict=True):
            style = {"color": colour, "linestyle": dash, "marker": marker, "markersize": 4}
            axis.plot(*np.transpose(path), label=label, **style)
        axis.plot(0, 0, "k*", markersize=14)
        axis.set(title=title, xlim=xlim, ylim=ylim)
        axis.grid(visible=False)
    drawn[0].legend(loc="lower left", framealpha=0.9)
    return drawing


@figure
def graph(boxes, arrows, width=8.0, height=4.0):
    """Boxes {name: (x, y, text, kind)} and arrows [(from, to, text, kind)] between them.

    Kinds are those of _BOXES and _ARROWS. Coordinates are in inches from the lower left.
    """
    drawing, (axis,) = axes(width, height, xlim=(0, width), ylim=(0, height))
    axis.set_axis_off()
    shown = {}
    for name, (x, y, text, kind) in boxes.items():
        style = {"boxstyle": "round,pad=0.4", **_BOXES[kind]}
        shown[name] = axis.text(x, y, text, ha="center", va="center", bbox=style, zorder=3)
    drawing.canvas.draw()  # so that the boxes have their sizes
    for start, end, text, kind in arrows:
        ends = boxes[start][:2], boxes[end][:2]
        style = {"arrowstyle": "-|>", "shrinkA": 3, "shrinkB": 3, **_ARROWS[kind]}
        style |= {"patchA": shown[start].get_bbox_patch(), "patchB": shown[end].get_bbox_patch()}
        bend = 0.25 if kind == "back" else 0.0
        style["connectionstyle"] = f"arc3,rad={bend}"
        axis.annotate("", ends[1], ends[0], arrowprops=style)
        (x0, y0), (x1, y1) = ends
        middle = (x0 + x1) / 2 + bend * (y1 - y0) / 2, (y0 + y1) / 2 - bend * (x1 - x0) / 2
        beside = {"backgroundcolor": "white", "fontsize": 9, "color": _ARROWS[kind]["color"]}
        if text:
            axis.text(*middle, text, ha="center", va="center", zorder=4, **beside)
    return drawing


@figure
def squares_and_images(mapping, jacobian, centres, side):
    """Squares around `centres`, their images under `mapping`, and what `jacobian` predicts.

    Beside each image is the factor by which its area grows, |det J|. The panels have scales of
    their own, so a square of the old size is drawn beside the images; the flattest one is enlarged.
    """
    drawing, (left, right) = axes(10.0, 4.8, columns=2)
    left.set(xlabel="x", ylabel="y", title=f"squares of side {side}", aspect="equal")
    right.set(xlabel="u", ylabel="w", title="their images; dashed: by the Jacobian", aspect="equal")
    edge = np.linspace(-side / 2, side / 2, 25)
    low, high = np.full(25, -side / 2), np.full(25, side / 2)
    outline = np.array([[*edge, *high, *edge[::-1], *low], [*low, *edge, *high, *edge[::-1]]])
    middles = [np.array(centre, dtype=float)[:, None] for centre in centres]
    factors = [abs(np.linalg.det(jacobian(centre))) for centre in centres]
    for n, (centre, middle, factor) in enumerate(zip(centres, middles, factors, strict=True)):
        colour, square = COLOURS[n], middle + outline
        linear = np.array(mapping(centre))[:, None] + jacobian(centre) @ outline
        left.fill(*square, color=colour, alpha=0.35)
        left.plot(*square, color=colour)
        right.fill(*mapping(square), color=colour, alpha=0.35)
        right.plot(*mapping(square), color=colour)
        right.plot(*linear, color=colour, linestyle="--", linewidth=2)
        left.text(*centre, f"{n + 1}", ha="center", va="center")
        text = f"{n + 1}: × {factor:.3g}"
        box = {"facecolor": "white", "edgecolor": colour, "pad": 2}  # an image of another is near
        aside = (22, 8) if n % 2 else (-88, 8)
        where = {"xytext": aside, "textcoords": "offset points", "bbox": box}
        right.annotate(text, mapping(centre), **where)
    left.margins(y=0.25)
    right.margins(x=1.0)
    n = int(np.argmin(factors))
    inset = right.inset_axes([0.72, 0.04, 0.26, 0.3], xticks=[], yticks=[], title=f"{n + 1}, wider")
    inside = side * np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, 21)] * 2))
    inset.plot(*mapping(middles[n] + inside.reshape(2, -1)), ".", color=COLOURS[n], markersize=2)
    inset.plot(*mapping(middles[n] + outline), color=COLOURS[n])
    corner = right.get_xlim()[0] + side, right.get_ylim()[0] + side
    right.add_patch(Rectangle(corner, side, side, facecolor="none", edgecolor="black"))
    right.annotate("a square before", corner, xytext=(16, -4), textcoords="offset points")
    return drawing


@figure
def divergences(x, p, q, names=("p", "q")):
    """Both directions of KL as areas: the densities p, q (n,) over x (n,), and what is summed.

    The area above zero less the area below it is the divergence, in nats.
    """
    drawing, drawn = axes(10.0, 5.2, columns=2, rows=2)
    for column, (one, other, title) in enumerate([(p, q, names), (q, p, names[::-1])]):
        top, bottom = drawn[column], drawn[2 + column]
        for density, name, number in ((p, names[0], 0), (q, names[1], 1)):
            style = {"color": COLOURS[number], "linestyle": DASHES[number]}
            top.plot(x, density, label=name, **style)
        summed = one * (np.log(one) - np.log(other))
        total = np.trapezoid(summed, x)
        bottom.plot(x, summed, color="black", linewidth=1)
        bottom.fill_between(x, summed, 0, where=summed >= 0, color="0.4", label="adds")
        bottom.fill_between(
            x,
            summed,
            0,
            where=summed < 0,
            facecolor="0.9",
            edgecolor="0.4",
            hatch="///",
            label="takes away",
        )
        top.set(title=f"KL({title[0]} ‖ {title[1]}) = {total:.3f} nats", ylabel="density")
        bottom.set(xlabel="x", ylabel=f"{title[0]} · log({title[0]}/{title[1]})")
    limits = np.transpose([bottom.get_ylim() for bottom in drawn[2:]])
    for bottom in drawn[2:]:
        bottom.set_ylim(limits[0].min(), limits[1].max())
    drawn[0].legend(frameon=False)
    drawn[2].legend(frameon=False)
    return drawing


@figure
def mixture(x, gate, experts, rows, responsible):
    """What a gate does: whom it believes, what each expert says, the mixture and its rows.

    `x` (n,); `gate` and `experts` (n,) in [0, 1] are the second expert's weight, and
    (first, second); `rows` is (x (m,), y (m,) in {0, 1}) and `responsible` (m,) how probably
    the second expert made each.
    """
    drawing, (top, middle, bottom) = axes(8.0, 7.5, rows=3, xlim=(x[0], x[-1]))
    blue, orange = COLOURS[:2]
    top.fill_between(x, 0, 1 - gate, color=blue, alpha=0.55)
    top.fill_between(x, 1 - gate, 1, color=orange, alpha=0.55, hatch="//", edgecolor="white")
    top.plot(x, 1 - gate, "k-", linewidth=1.5)
    for at, text in ((0.2, "believe the first"), (0.8, "believe the second")):
        box = {"facecolor": "white", "edgecolor": "none"}
        top.text(at, 0.5, text, transform=top.transAxes, ha="center", va="center", bbox=box)
    top.set(title="1 · The gate: whom to believe, at each x", ylabel="share", ylim=(0, 1))
    for expert, weight, colour, dash in zip(
        experts, (1 - gate, gate), (blue, orange), ("-", "--"), strict=True
    ):
        middle.plot(x, expert, color=colour, linewidth=1, linestyle=dash)
        middle.scatter(x, expert, s=60 * weight, color=colour, linewidths=0)
    middle.set(title="2 · The experts: each curve is as thick as it is believed", ylabel="P(1)")
    blend = (1 - gate) * experts[0] + gate * experts[1]
    shaken = rows[1] + 0.06 * np.sin(37 * np.arange(len(rows[0])))
    hue = {"cmap": _TWO, "vmin": 0, "vmax": 1, "edgecolors": "0.4", "s": 22, "linewidths": 0.3}
    for second, marker in ((False, "o"), (True, "^")):
        mine = (responsible > 0.5) == second
        bottom.scatter(rows[0][mine], shaken[mine], c=responsible[mine], marker=marker, **hue)
    bottom.plot(x, blend, "k-", linewidth=2.5)
    title = "3 · The mixture (line), and rows coloured by the expert that is responsible"
    bottom.set(title=title, xlabel="x", ylabel="P(1), and labels")
    for axis in (middle, bottom):
        axis.set_ylim(-0.15, 1.15)
    return drawing


@figure
def router(weights, loads):
    """Which experts each row goes to, `weights` (rows, experts), and their `loads` (experts,)."""
    drawing, (left, right) = axes(9.0, 4.6, columns=2)
    left.imshow(weights, cmap="Greys", vmin=0, vmax=1.2, aspect="auto")
    for (row, expert), weight in np.ndenumerate(weights):
        if weight > 0:
            colour = "white" if weight > 0.6 else "black"
            left.text(expert, row, f"{weight:.2f}", ha="center", va="center", color=colour)
    left.set(xlabel="expert", ylabel="row", title="the router: each row to two experts")
    left.set_xticks(range(weights.shape[1]), range(1, weights.shape[1] + 1))
    left.set_yticks(range(len(weights)), range(1, len(weights) + 1))
    left.grid(visible=False)
    numbers = np.arange(1, len(loads) + 1)
    right.bar(numbers, loads, color=COLOURS[0], edgecolor="black")
    right.axhline(np.mean(loads), color="black", linestyle=":")
    right.set(xlabel="expert", ylabel="rows", title="how many rows each expert gets")
    right.set_xticks(numbers)
    return drawing
