"""What is believed of each model against its size, and which models no smaller one beats."""

from typing import TYPE_CHECKING

import pandas as pd

from flexibert.report.style import (
    BLUE,
    GOLD,
    GREY,
    INK,
    ORANGE,
    RED,
    TEAL,
    legend_below,
    legend_entries,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OWN = ("candidate", "winner")  # roles of models that the search found itself


def draw_frontier(table: pd.DataFrame) -> "Figure":
    """Score against parameters; models outside the constraints are hollow, and no smaller model beats the line."""
    figure = new_figure(3.3)
    axes = figure.subplots()
    shown = table[table["role"].isin(OWN)]
    _bars(axes, table)
    for homogeneous, colour, marker, name in ((True, ORANGE, "s", "homogeneous"), (False, BLUE, "o", "heterogeneous")):
        for within in (True, False):
            rows = shown[shown["homogeneous"].eq(homogeneous) & shown["within_constraints"].eq(within)]
            if len(rows):
                label = name if within else f"{name}, outside the constraints"
                axes.scatter(
                    rows["parameters"],
                    rows["score"],
                    s=20,
                    marker=marker,
                    label=label,
                    zorder=3,
                    linewidths=1,
                    facecolors=colour if within else "none",
                    edgecolors=colour,
                )
    _name_baselines(axes, table[~table["role"].isin(OWN)])
    whole, inside = table[table["on_frontier"]], table[table["on_frontier_within"]]
    if len(inside) < len(whole):
        axes.step(
            whole["parameters"],
            whole["score"],
            where="post",
            color=GREY,
            linewidth=1.1,
            linestyle=(0, (4, 2)),
            label="frontier of all models",
        )
    axes.step(
        inside["parameters"], inside["score"], where="post", color=TEAL, linewidth=1.6, label="frontier", zorder=2
    )
    limit = table["parameter_limit"].iloc[0]
    if limit is not None and pd.notna(limit):
        axes.axvline(limit, color=RED, linewidth=1, linestyle=(0, (2, 2)), label="largest size allowed")
    if table["parameters"].max() > 3 * table["parameters"].min():
        axes.set_xscale("log")
    _count_axis(axes)
    axes.set(xlabel="parameters", ylabel="score (points)")
    legend_below(figure, legend_entries(axes))
    return figure


def _bars(axes: "Axes", table: pd.DataFrame) -> None:
    """One standard deviation of what is believed of each model, thicker where it was trained again."""
    for repeated, width, strength in ((False, 0.6, 0.35), (True, 1.6, 0.9)):
        rows = table[(table["trainings"] > 1).eq(repeated) & table["deviation"].notna()]
        axes.errorbar(
            rows["parameters"],
            rows["score"],
            yerr=rows["deviation"],
            fmt="none",
            ecolor=GREY,
            elinewidth=width,
            alpha=strength,
            zorder=1,
        )


def _name_baselines(axes: "Axes", rows: pd.DataFrame) -> None:
    """Baselines as diamonds, each with its name."""
    if rows.empty:
        return
    axes.scatter(rows["parameters"], rows["score"], s=34, marker="D", color=GOLD, label="baseline", zorder=4)
    for row in rows.itertuples():
        place = (row.parameters, row.score)
        axes.annotate(row.role, place, xytext=(6, -10), textcoords="offset points", fontsize=8, color=INK)


def _count_axis(axes: "Axes") -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator, NullFormatter

    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    if axes.get_xscale() == "log":
        from matplotlib.ticker import LogLocator

        low, high = axes.get_xlim()
        digits = (1, 2, 3, 5) if high / low < 10 else (1, 2, 5) if high / low < 30 else (1,)
        axes.xaxis.set_major_locator(LogLocator(subs=digits))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6))
