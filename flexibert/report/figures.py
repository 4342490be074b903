"""Figures of the report: each draws one table of `figure_tables`, and nothing that is not in it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flexibert.report.architecture_figure import draw_architecture
from flexibert.report.differences_figure import draw_differences
from flexibert.report.frontier_figure import draw_frontier
from flexibert.report.style import (
    BLUE,
    GREY,
    GRID,
    INK,
    REASON_COLOURS,
    RED,
    SCORE_COLOURS,
    SERIES,
    TEAL,
    figure_style,
    legend_below,
    legend_entries,
    new_figure,
    svg_text,
    whole_numbers,
)
from flexibert.report.trace_figures import draw_search_traces, draw_trace
from flexibert.runs import Recipe, RecipeKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MANY_POINTS = 1500  # more of them become an image inside the SVG, or the page would be slow
SHORT = 0.6  # of an hour: below it, times are told in minutes


def draw(name: str, table: pd.DataFrame) -> str:
    """One figure as SVG text; a table without rows gives a figure that says what is missing."""
    with figure_style():
        chosen = FIGURES[name]
        return svg_text(chosen.draw(table) if len(table) else _nothing(chosen.missing))


def _nothing(sentence: str) -> "Figure":
    figure = new_figure(0.6)
    figure.text(0.5, 0.5, sentence, ha="center", va="center")
    return figure


def draw_embedding_map(table: pd.DataFrame) -> "Figure":
    """The library in two dimensions, coloured by predicted score; evaluated models ringed, the best starred."""
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    figure = new_figure(4.0)
    axes = figure.subplots()
    colours = LinearSegmentedColormap.from_list("score", SCORE_COLOURS)
    values = pd.concat([table["predicted"], table["observed"]]).dropna()
    scale = Normalize(values.min(), values.max()) if len(values) else Normalize(0, 1)
    colouring: dict[str, Any] = {"cmap": colours, "norm": scale}
    predicted, rest = table[table["predicted"].notna()], table[table["predicted"].isna()]
    small: dict[str, Any] = {"linewidths": 0, "rasterized": len(table) > MANY_POINTS}
    if len(rest):
        axes.scatter(rest["x"], rest["y"], s=7, color=GREY, alpha=0.45, **small)
    if len(predicted):
        axes.scatter(predicted["x"], predicted["y"], s=9, c=predicted["predicted"], alpha=0.75, **colouring, **small)
    _mark_observed(axes, table[table["observed"].notna()], s=38, label="evaluated", zorder=3, **colouring)
    _mark_observed(axes, table[table["best"]], s=190, marker="*", label="best", zorder=4, **colouring)
    if len(values):
        from matplotlib.cm import ScalarMappable

        bar = figure.colorbar(ScalarMappable(scale, colours), ax=axes, shrink=0.8, aspect=28, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label("predicted score (evaluated: observed)" if len(predicted) else "observed score")
    axes.set(xticks=[], yticks=[], xlabel="first component", ylabel="second component")
    axes.grid(False)
    legend_below(figure, legend_entries(axes))
    return figure


def _mark_observed(axes: "Axes", rows: pd.DataFrame, **how: Any) -> None:
    """Models with an observed score, ringed and coloured by it."""
    if len(rows):
        axes.scatter(rows["x"], rows["y"], c=rows["observed"], edgecolors=INK, linewidths=1.1, **how)


def draw_calibration(table: pd.DataFrame) -> "Figure":
    """Prediction against observation; bars of one deviation, thick for the epistemic part, thin for the whole."""
    figure = new_figure(3.6)
    axes = figure.subplots()
    total = np.hypot(table["aleatoric"], table["epistemic"])
    for reason, colour in REASON_COLOURS.items():
        rows = table["reason"].eq(reason)
        if rows.any():
            part = table[rows]
            axes.errorbar(
                part["observed"],
                part["predicted"],
                yerr=total[rows],
                fmt="none",
                ecolor=colour,
                elinewidth=0.8,
                alpha=0.8,
            )
            axes.errorbar(
                part["observed"],
                part["predicted"],
                yerr=part["epistemic"],
                fmt="o",
                color=colour,
                ecolor=colour,
                elinewidth=2.2,
                markersize=4,
                label=reason,
            )
    values = np.concatenate([table["observed"], table["predicted"]]).astype(float)
    ends = values.min(), values.max()
    axes.plot(ends, ends, color=GRID, linewidth=1, linestyle=(0, (4, 3)), zorder=1, label="prediction = observation")
    axes.set(xlabel="observed score (points)", ylabel="predicted before it (points)")
    legend_below(figure, legend_entries(axes))
    return figure


def draw_pretraining_curves(table: pd.DataFrame) -> "Figure":
    """Loss over steps, one line a run; the best model's runs in colour, held-out losses as dots."""
    figure = new_figure(3.3)
    axes = figure.subplots()
    labels: set[str] = set()
    for (_, recipe), rows in table.groupby(["model", "recipe"], sort=True):
        best = bool(rows["best"].iloc[0])
        final = Recipe.parse(recipe).kind == RecipeKind.FINAL
        colour = (RED if final else BLUE) if best else GREY
        name = ("final model" if final else "best model in the search") if best else "other models"
        label = None if name in labels else name
        labels.add(name)
        train, held_out = rows.dropna(subset=["train_loss"]), rows.dropna(subset=["validation_loss"])
        axes.plot(
            train["step"],
            train["train_loss"],
            color=colour,
            linewidth=1.5 if best else 0.7,
            alpha=1 if best else 0.5,
            label=label,
            zorder=3 if best else 2,
        )
        if best:
            axes.scatter(
                held_out["step"], held_out["validation_loss"], s=22, facecolors="none", edgecolors=colour, zorder=4
            )
    axes.scatter([], [], s=22, facecolors="none", edgecolors=INK, label="held-out loss")
    axes.set(xlabel="optimiser steps", ylabel="masked-language-model loss (nats)")
    legend_below(figure, legend_entries(axes))
    return figure


def draw_transfer_cost(table: pd.DataFrame) -> "Figure":
    """Mean time of a run by the origin of its weights."""
    figure = new_figure(0.75 + 0.42 * len(table))
    axes = figure.subplots()
    short = table["total_hours"].max() < SHORT
    factor, unit = (60, "minutes") if short else (1, "hours")
    names = [f"{row.weights} ({row.runs})" for row in table.itertuples()]
    training, tuning = table["training_hours"] * factor, table["finetune_hours"] * factor
    axes.barh(names, training, height=0.55, color=BLUE, label="pre-training or transfer")
    axes.barh(names, tuning, left=training, height=0.55, color=TEAL, label="fine-tuning on all tasks")
    for position, total in enumerate(training + tuning):
        axes.annotate(f"{total:.3g}", (total, position), xytext=(4, 0), textcoords="offset points", va="center")
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"{unit} of a core or a GPU, mean of a run")
    legend_below(figure, legend_entries(axes))
    return figure


def draw_comparison(table: pd.DataFrame) -> "Figure":
    """Best score over evaluated models for each kind of search; bands of one standard deviation over the seeds."""
    figure = new_figure(3.4)
    axes = figure.subplots()
    for number, (kind, rows) in enumerate(table.groupby("searches", sort=False)):
        colour = SERIES[number % len(SERIES)]
        seeds = int(rows["seeds"].iloc[0])
        axes.plot(
            rows["evaluations"],
            rows["mean"],
            color=colour,
            linewidth=1.6,
            drawstyle="steps-post",
            linestyle="-" if number < len(SERIES) else (0, (4, 2)),
            label=f"{kind}, {seeds} seeds" if seeds > 1 else kind,
            zorder=3 - number / 100,  # the first one, usually `main`, lies above the others
        )
        if seeds > 1:
            low, high = rows["mean"] - rows["deviation"], rows["mean"] + rows["deviation"]
            axes.fill_between(rows["evaluations"], low, high, step="post", color=colour, alpha=0.16, linewidth=0)
    axes.set(xlabel="models evaluated", ylabel="best score so far (points)")
    whole_numbers(axes)
    legend_below(figure, legend_entries(axes))
    return figure


@dataclass(frozen=True)
class Drawing:
    """A figure of the report.

    Attributes:
        title: What it shows.
        caption: How to read it.
        missing: What to say while its table is empty.
        draw: Makes it of its table.
    """

    title: str
    caption: str
    missing: str
    draw: Callable[[pd.DataFrame], "Figure"]


FIGURES: dict[str, Drawing] = {
    "differences": Drawing(
        "Differences that the answer rests on",
        "Right of zero, the model named first is better. A bar is a 95 % interval over trainings and rows; where it "
        "crosses zero, the difference is within noise.",
        "No difference has an interval yet: the winner and its baselines are not trained often enough.",
        draw_differences,
    ),
    "architecture": Drawing(
        "Best architecture, layer by layer",
        "Input at the top. Each layer: its operation heads side by side, then its feed-forward chain. Widths are drawn "
        "to scale; a trapezium marks a projection between layers of unequal hidden size.",
        "No model has a score yet.",
        draw_architecture,
    ),
    "trace": Drawing(
        "Search trace",
        "Each dot is the score of one training in the order of observation, coloured by why it was asked for.",
        "No model has a score yet.",
        draw_trace,
    ),
    "frontier": Drawing(
        "Performance frontier",
        "What is believed of each model at the search's budget, by all its trainings, against its size; bars are one "
        "standard deviation, thick for models that were trained again. No smaller model is higher than one on the "
        "line, but models whose bars overlap are not told apart.",
        "No model has a score yet.",
        draw_frontier,
    ),
    "embedding-map": Drawing(
        "Map of the library",
        "The embedding of the newest library in two dimensions: near models are alike. Colour is the score that the "
        "surrogate expects.",
        "The library is not built yet.",
        draw_embedding_map,
    ),
    "calibration": Drawing(
        "Predictions put to the test",
        "What the surrogate expected of a model before it was trained, against what came out. Bars are one standard "
        "deviation: thick, the model's own uncertainty (epistemic); thin, with the noise of an evaluation added "
        "(aleatoric).",
        "No prediction has been put to the test: the method has no surrogate, or no round after the first is scored.",
        draw_calibration,
    ),
    "pretraining-curves": Drawing(
        "Pre-training curves",
        "Training loss of each pre-trained run, the mean of the steps since the point before; circles are losses of "
        "the best model on held-out text.",
        "No model is pre-trained yet.",
        draw_pretraining_curves,
    ),
    "transfer-cost": Drawing(
        "What weight transfer saves",
        "Mean time of a run, by where its weights came from; the number of runs in brackets.",
        "No run has told its cost yet.",
        draw_transfer_cost,
    ),
    "comparison": Drawing(
        "Search methods compared",
        "Best score after so many evaluated models; searches that differ in their seed only are averaged, bands are "
        "one standard deviation. Single scores rise by luck as well: the table above compares what each search ended "
        "with.",
        "Fewer than two searches have scores; the configuration can name more under searches and comparison.",
        draw_comparison,
    ),
    "search-traces": Drawing(
        "Each search on its own",
        "Traces of the searches compared, all on the same axes: each dot is one run in the order in which it was "
        "observed, coloured by the reason for which it was asked for; the line is the best score so far.",
        "Fewer than two searches have scores.",
        draw_search_traces,
    ),
}
