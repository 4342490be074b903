"""The best architecture as a picture: heads, feed-forward chains and projections, widths to scale."""

from typing import TYPE_CHECKING

import pandas as pd

from flexibert.report.style import GREY, GRID, INK, OPERATION_COLOURS, PURPLE, WIDTH, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OPERATION_NAMES = {"sa": "self-attention", "l": "linear transform", "c": "convolution"}
ROW = 0.34  # height of a box; the unit of height is an inch
GAP = 0.13  # between two boxes, where the arrow is
LABEL = 1.25  # width kept on the left for the layer's description, inches
LEAST = 0.34  # narrowest box, inches


def draw_architecture(table: pd.DataFrame) -> "Figure":
    """Draw the model from the input (top) to the output (bottom).

    Args:
        table: Rows of `figure_tables.architecture`.
    """
    layers = [rows for _, rows in table.groupby("layer", sort=True)]
    room = WIDTH - LABEL - 0.15
    scale = room / max(table["width"].max(), table["hidden"].max())  # inches a unit of width
    hidden = [int(rows["hidden"].iloc[0]) for rows in layers]
    heights = [
        _layer_height(rows) + (ROW / 2 + GAP if changed else 0)
        for rows, changed in zip(layers, _changes(hidden), strict=True)
    ]
    height = sum(heights) + 2 * (ROW + GAP) + 0.1
    figure = new_figure(height)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.axis("off")
    middle = LABEL + room / 2
    top = 0.05
    _box(axes, middle, top, max(LEAST, hidden[0] * scale), GREY, "input embedding")
    top += ROW
    for number, rows in enumerate(layers):
        if number and hidden[number] != hidden[number - 1]:
            top = _projection(axes, middle, top, hidden[number - 1] * scale, hidden[number] * scale)
        top = _layer(axes, rows, middle, top, scale)
    _arrow(axes, middle, top)
    _box(axes, middle, top + GAP, max(LEAST, hidden[-1] * scale), GREY, "output")
    return figure


def _changes(hidden: list[int]) -> list[bool]:
    return [number > 0 and hidden[number] != hidden[number - 1] for number in range(len(hidden))]


def _layer_height(rows: pd.DataFrame) -> float:
    return (1 + int((rows["part"] == "feed-forward").sum())) * (ROW + GAP)


def _layer(axes: "Axes", rows: pd.DataFrame, middle: float, top: float, scale: float) -> float:
    """One layer below `top`; returns where it ends."""
    heads, forward = rows[rows["part"] == "head"], rows[rows["part"] == "feed-forward"]
    first = heads.iloc[0]
    kinds = heads["operation"].unique()
    name = OPERATION_NAMES[first["operation"]] if len(kinds) == 1 else "mixed heads"
    axes.text(0.06, top + GAP + ROW / 2, f"{int(first['layer'])}  {name}", va="center", weight="bold")
    axes.text(0.06, top + GAP + ROW + 0.04, f"hidden size {int(first['hidden'])}", va="top", fontsize=7)
    _arrow(axes, middle, top)
    top += GAP
    total = first["hidden"] * scale
    left = middle - total / 2
    for head in heads.itertuples():
        width = total * head.width / first["hidden"]
        label = f"{head.operation} {head.parameter}" if width > 0.6 else str(head.parameter) if width > 0.3 else ""
        _box(axes, left + width / 2, top, width - 0.03, OPERATION_COLOURS[head.operation], label)
        left += width
    top += ROW
    for layer in forward.itertuples():
        _arrow(axes, middle, top)
        _box(
            axes,
            middle,
            top + GAP,
            max(LEAST, layer.width * scale),
            PURPLE,
            f"feed-forward {int(layer.width)}",
            hollow=True,
        )
        top += GAP + ROW
    return top


def _projection(axes: "Axes", middle: float, top: float, before: float, after: float) -> float:
    from matplotlib.patches import Polygon

    _arrow(axes, middle, top)
    top += GAP
    corners = [
        (middle - before / 2, top),
        (middle + before / 2, top),
        (middle + after / 2, top + ROW / 2),
        (middle - after / 2, top + ROW / 2),
    ]
    axes.add_patch(Polygon(corners, closed=True, facecolor=GREY, alpha=0.35, edgecolor="none"))
    axes.text(LABEL - 0.05, top + ROW / 4, "projection", ha="right", va="center", fontsize=7)
    return top + ROW / 2


def _box(axes: "Axes", middle: float, top: float, width: float, colour: str, text: str, hollow: bool = False) -> None:
    from matplotlib.patches import FancyBboxPatch

    shape = FancyBboxPatch(
        (middle - width / 2 + 0.04, top + 0.04),
        max(0.01, width - 0.08),
        ROW - 0.08,
        boxstyle="round,pad=0.04,rounding_size=0.05",
        linewidth=1,
        facecolor=colour,
        edgecolor=colour,
        alpha=0.25 if not hollow else 0.12,
    )
    axes.add_patch(shape)
    axes.text(middle, top + ROW / 2, text, ha="center", va="center", color=INK)


def _arrow(axes: "Axes", middle: float, top: float) -> None:
    axes.plot([middle, middle], [top + 0.01, top + GAP - 0.01], color=GRID, linewidth=0.9, solid_capstyle="butt")
