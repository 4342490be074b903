"""All tables of the page, and how people read them: what matters first, a score with how sure it is."""

from collections.abc import Callable, Iterable

import pandas as pd

from flexibert.layout import LEADERBOARD_COLUMNS
from flexibert.report import tables
from flexibert.report.cells import DASH, HEADINGS
from flexibert.report.evidence_tables import MEAN, MINUS, NAMES, PLAIN, differences, final_models, label_of
from flexibert.report.folder import ResultsFolder
from flexibert.report.methods import methods

TABLES: dict[str, Callable[[ResultsFolder], pd.DataFrame]] = {
    "experiment": tables.experiment,
    "searches": tables.searches,
    "leaderboard": tables.leaderboard,
    "differences": differences,
    "final": final_models,
    "methods": methods,
    "hyperparameters": tables.hyperparameters,
    "proposals": tables.proposals,
    "failures": tables.failures,
    "costs": tables.costs,
    "versions": tables.versions,
}
MEASURES = ("flops_per_token", "latency_ms", "core_hours", "gpu_hours", "energy_kwh")
SPLITS = {"test": "kept-away rows", "validation": "validation rows"}
HOPELESS = " \u2020"  # beside a task on which nothing beats the majority answer


def for_people(made: dict[str, pd.DataFrame], rows: int) -> dict[str, pd.DataFrame]:
    """The tables as the page shows them.

    Args:
        made: Of each of TABLES.
        rows: Most rows of the leaderboard; winner and baselines are shown in any case.
    """
    return made | {
        "leaderboard": _leaderboard(made["leaderboard"], rows),
        "differences": _differences(made["differences"]),
        "final": _final(made["final"]),
        "methods": _methods(made["methods"]),
        "searches": _searches(made["searches"]),
        "hyperparameters": made["hyperparameters"].drop(columns=["score"], errors="ignore"),
        "costs": _without_empty(made["costs"]),
    }


def _leaderboard(table: pd.DataFrame, rows: int) -> pd.DataFrame:
    named = {*LEADERBOARD_COLUMNS, "parameters", "weights", "layers", "homogeneous", *HEADINGS}
    tasks = [column for column in table.columns if column not in named]
    table = table[(table["rank"] <= rows) | ~table["role"].isin(["candidate", "retuned"])]
    believed = [plus_minus(*pair) for pair in zip(table["posterior"], table["posterior_deviation"], strict=True)]
    table = table.assign(believed=believed)
    order = ["rank", "role", "model", "believed", "trainings", "score", "parameters", "weights", *tasks]
    order += ["flops_per_token", "latency_ms", "core_hours", "gpu_hours", "reason", "level", "round", "layers"]
    table = _without_empty(table[[column for column in order if column in table]])
    return table.rename(columns=_short_names(tasks) | {"score": "mean"})


def plus_minus(value: float, deviation: float) -> str:
    """A score with its standard deviation."""
    if pd.isna(value):
        return DASH
    return f"{value:.2f}" if pd.isna(deviation) else f"{value:.2f} ± {deviation:.2f}"


def interval(mean: float, low: float, high: float, signed: bool = False) -> str:
    """A number with its interval, e.g. "71.2 (69.0 to 73.1)"."""
    if pd.isna(mean):
        return DASH
    middle, *ends = (format(value, "+.1f" if signed else ".1f").replace("-", MINUS) for value in (mean, low, high))
    return middle if pd.isna(low) else f"{middle} ({ends[0]} to {ends[1]})"


def _differences(table: pd.DataFrame) -> pd.DataFrame:
    """One row a difference: points with the interval, what it rests on, and the first model's size and speed."""
    rows = []
    for _, row in table.iterrows():
        count = f" ({row['rows']:,})" if pd.notna(row["rows"]) else ""
        rows.append(
            {
                "difference": label_of(row),
                "points": _told(row),
                "budget": row["budget"],
                "on": f"{SPLITS.get(row['split'], row['split'])}{count}",
                "trainings": _counts([row["first_seeds"], row["second_seeds"]]),
                "size": _ratio(row["size_ratio"]),
                "time": _ratio(row["latency_ratio"]),
            }
        )
    return pd.DataFrame(rows, columns=["difference", "points", "budget", "on", "trainings", "size", "time"])


def _told(row: pd.Series) -> str:
    if pd.isna(row["mean"]):
        return f"none: {row['missing']}" if row["missing"] else DASH
    if pd.isna(row["low"]):
        return "cannot be told: one of a kind"
    return interval(row["mean"], row["low"], row["high"], signed=True)


def _counts(counts: Iterable[int]) -> str:
    known = [str(count) for count in counts if pd.notna(count)]
    return " and ".join(known) or DASH


def _ratio(value: float) -> str:
    return DASH if pd.isna(value) else f"\u00d7 {value:.2f}"


def _final(table: pd.DataFrame) -> pd.DataFrame:
    """One row a task, one column a model: winner, baselines, and what needs no training."""
    if table.empty:
        return pd.DataFrame(columns=["task"])
    names = list(dict.fromkeys(table["name"]))
    names = [name for name in names if name not in PLAIN] + [name for name in PLAIN if name in names]
    several = table["search"].nunique() > 1
    short = _short_names([task for task in table["task"].unique() if task != MEAN])
    rows = []
    for (search, task), part in table.groupby(["search", "task"], sort=False):
        cells = {row["name"]: interval(row["mean"], row["low"], row["high"]) for _, row in part.iterrows()}
        mark = HOPELESS if part["hopeless"].any() else ""
        row = ({"search": search} if several else {}) | {"task": f"{short.get(task, task)}{mark}"}
        row |= {NAMES.get(name, name): cells.get(name, DASH) for name in names}
        rows.append(row)
    return pd.DataFrame(rows).sort_values("task", key=lambda tasks: tasks.eq(MEAN), kind="stable", ignore_index=True)


def _methods(table: pd.DataFrame) -> pd.DataFrame:
    if table.empty:
        return pd.DataFrame(columns=["method"])
    reference = table["reference"].iloc[0]
    shown = table[["method", "seeds", "mean"]].rename(columns={"mean": "best model"})
    shown[f"minus {reference}"] = [_method_difference(row) for _, row in table.iterrows()]
    shown["paired seeds"] = table["paired_seeds"]
    hours = _without_empty(table[["core_hours", "gpu_hours"]])
    shares = {name: [_per_cent(value) for value in table[name]] for name in ("share", "shared")}
    return shown.join(hours).assign(**{"share of compute": shares["share"], "of it shared": shares["shared"]})


def _method_difference(row: pd.Series) -> str:
    if row["method"] == row["reference"]:
        return DASH
    if pd.isna(row["paired_seeds"]) or row["paired_seeds"] < 2:
        return "cannot be told: fewer than two paired seeds"
    return interval(row["difference"], row["low"], row["high"], signed=True)


def _per_cent(value: float) -> str:
    return DASH if pd.isna(value) else f"{value:.0f} %"


def _searches(table: pd.DataFrame) -> pd.DataFrame:
    if table.empty:
        return table
    pairs = zip(table["posterior"].astype(float), table["posterior_deviation"].astype(float), strict=True)
    table = table.assign(believed=[plus_minus(*pair) for pair in pairs])
    return table.drop(columns=["posterior", "posterior_deviation"])


def _without_empty(table: pd.DataFrame) -> pd.DataFrame:
    """Without measures that no device told: latencies, GPU hours on processors, energy."""
    measures = table.columns.intersection(list(MEASURES))
    return table.drop(columns=[name for name in measures if not table[name].fillna(0).any()])


def _short_names(tasks: list[str]) -> dict[str, str]:
    """Tasks without their suite, where all are of one suite."""
    suites = {task.split("-")[0] for task in tasks}
    return {task: task.split("-", 1)[-1] for task in tasks} if len(suites) == 1 else {}
