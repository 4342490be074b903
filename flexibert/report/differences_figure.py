"""Differences with their intervals, one line each: right of zero the winner is better."""

from typing import TYPE_CHECKING

import pandas as pd

from flexibert.report.style import BLUE, GREY, INK, ORANGE, legend_below, legend_entries, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINE = 0.4  # height of one difference, inches
ROOM = 1.0  # for the axis and the legend, inches
KINDS = (("better", BLUE), ("worse", ORANGE), ("within noise", GREY))


def draw_differences(table: pd.DataFrame) -> "Figure":
    """Draw each difference as a dot with its interval.

    Args:
        table: Rows of `figure_tables.paired_differences`.
    """
    figure = new_figure(ROOM + LINE * len(table))
    axes = figure.subplots()
    axes.axvline(0.0, color=INK, linewidth=1.0, zorder=1)
    for kind, colour in KINDS:
        for place in table.index[table["outcome"].eq(kind)]:
            row = table.loc[place]
            axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
            axes.scatter(row["mean"], place, s=30, color=colour, zorder=3, label=kind)
    axes.set_yticks(range(len(table)), table["label"])
    axes.tick_params(axis="y", labelsize=8.5)
    axes.grid(axis="y", visible=False)
    axes.set(ylim=(len(table) - 0.5, -0.5), xlabel="difference (points), with its 95 % interval")
    legend_below(figure, legend_entries(axes))
    return figure
