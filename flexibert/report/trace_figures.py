"""How scores rose: the trace of one search, and those of several searches side by side."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flexibert.report.style import (
    GRID,
    INK,
    REASON_COLOURS,
    RED,
    legend_below,
    legend_entries,
    new_figure,
    whole_numbers,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEW_SEARCHES = 4  # they get wide panels, two in a row; more get three
PANEL = 1.45  # height of a panel, inches
ROOM = 0.75  # for the legend and the axis label below the panels, inches


def draw_trace(table: pd.DataFrame) -> "Figure":
    """Each run's score in order, coloured by why it was asked for; the best so far as a line."""
    figure = new_figure(3.3)
    axes = figure.subplots()
    _trace(axes, table, 20)
    axes.set(xlabel="runs, in order", ylabel="score (points)")
    legend_below(figure, legend_entries(axes))
    return figure


def draw_search_traces(table: pd.DataFrame) -> "Figure":
    """The trace of each search in a panel of its own, all on the same axes.

    Args:
        table: Rows of `figure_tables.search_traces`.
    """
    searches = list(table.groupby("search", sort=False))
    columns = 2 if len(searches) <= FEW_SEARCHES else 3
    rows = -(-len(searches) // columns)
    figure = new_figure(ROOM + PANEL * rows)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    several_levels = table.groupby("search")["level"].nunique().max() > 1
    entries: dict[str, Artist] = {}
    for axes, (search, runs) in zip(grid.flat, searches, strict=False):
        _trace(axes, runs, 10)
        axes.set_title(search, loc="left", fontsize=8.5, weight="bold", color=INK, pad=13 if several_levels else 4)
        entries |= legend_entries(axes)
    for position, axes in enumerate(grid.flat):
        if position >= len(searches):
            axes.set_visible(False)
        elif position + columns >= len(searches):  # nothing stands below it
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("runs, in order")
    figure.supylabel("score (points)", fontsize=8.5, color=INK)
    legend_below(figure, entries)
    return figure


def _trace(axes: "Axes", table: pd.DataFrame, size: float) -> None:
    """Dots of `size` for the runs of one search, and the line of its best score."""
    axes.step(table["evaluation"], table["best"], where="post", color=RED, linewidth=1.6, label="best so far", zorder=2)
    for reason, colour in REASON_COLOURS.items():
        rows = table[table["reason"].eq(reason) & table["score"].notna()]
        if len(rows):
            axes.scatter(rows["evaluation"], rows["score"], s=size, color=colour, label=reason, zorder=3, linewidths=0)
    failed = table[table["score"].isna()]
    if len(failed):
        lowest = np.nanmin(table["score"].to_numpy(dtype=float)) if table["score"].notna().any() else 0.0
        heights = np.full(len(failed), lowest)
        axes.scatter(failed["evaluation"], heights, marker="x", s=1.2 * size, color=RED, label="failed", zorder=3)
    _mark_levels(axes, table)
    whole_numbers(axes)


def _mark_levels(axes: "Axes", table: pd.DataFrame) -> None:
    """Where each level begins, if there are several."""
    first = table.groupby("level")["evaluation"].min()
    if len(first) == 1:
        return
    for level, evaluation in first.items():
        if evaluation > 1:
            axes.axvline(evaluation - 0.5, color=GRID, linewidth=0.8, linestyle=(0, (3, 3)))
        axes.annotate(
            f"level {level}" if evaluation == first.min() else str(level),
            (evaluation - 0.5, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, 1),
            textcoords="offset points",
            color=INK,
            va="bottom",
        )
