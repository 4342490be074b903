"""Search methods beside each other: how their scores rose, what they ended with, seed by seed, and what they used."""

import json
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd

from flexibert.report.folder import ResultsFolder
from flexibert.report.standing import best_of, ranking
from flexibert.report.tables import run_hours
from flexibert.runs import RunName

TRACE_COLUMNS = ["evaluation", "level", "round", "model", "recipe", "reason", "score", "best"]
METHOD_COLUMNS = [
    "method", "searches", "seeds", "mean", "reference", "paired_seeds", "difference", "low", "high",
    "core_hours", "gpu_hours", "share", "shared",
]  # fmt: skip
REFERENCE = "boshnas"  # what the others are compared with, where it is there; else the first
NUMBERS = ("mean", "difference", "low", "high")
LEVEL = 0.95  # of the intervals


def trace(folder: ResultsFolder) -> pd.DataFrame:
    """The main search's runs in order of observation, each with the best score up to it."""
    return _trace_of(folder, folder.main_search) if folder.main_search else pd.DataFrame(columns=TRACE_COLUMNS)


def search_traces(folder: ResultsFolder) -> pd.DataFrame:
    """The traces of the searches that are compared; empty where there are fewer than two."""
    traces = [_trace_of(folder, search).assign(search=search) for search in compared_searches(folder)]
    traces = [table for table in traces if len(table)]
    columns = ["search", *TRACE_COLUMNS]
    return pd.concat(traces, ignore_index=True)[columns] if len(traces) > 1 else pd.DataFrame(columns=columns)


def _trace_of(folder: ResultsFolder, search: str) -> pd.DataFrame:
    seen = folder.observations(search)
    scores = seen["score"].astype(float)
    return seen.assign(evaluation=range(1, len(seen) + 1), best=scores.cummax().ffill())[TRACE_COLUMNS]


def compared_searches(folder: ResultsFolder) -> list[str]:
    """The searches that have begun of those that the settings compare; all that have begun where they name none."""
    named = [search for search in folder.settings.get("comparison", []) if search in folder.searches]
    return named or folder.searches


def comparison(folder: ResultsFolder) -> pd.DataFrame:
    """Best score after so many runs, by kind of search: mean and standard deviation over its seeds."""
    traces = search_traces(folder)
    kinds = kinds_of_searches(folder, traces["search"].unique())
    rows = []
    for kind, names in kinds.items():
        seeds = [traces.loc[traces["search"] == name, "best"].to_numpy(dtype=float) for name in names]
        common = np.array([best[: min(map(len, seeds))] for best in seeds])  # where all seeds have got to
        deviations = common.std(axis=0, ddof=1) if len(seeds) > 1 else np.zeros(common.shape[1])
        rows += [(kind, n + 1, len(seeds), common[:, n].mean(), deviations[n]) for n in range(common.shape[1])]
    return pd.DataFrame(rows, columns=["searches", "evaluations", "seeds", "mean", "deviation"])


def kinds_of_searches(folder: ResultsFolder, searches: Iterable[str]) -> dict[str, list[str]]:
    """Searches that differ in their seed only, by a name for all of them.

    The name is the method, with the settings by which they depart from `search`; where two kinds would share it, the
    name of the first search is added.
    """
    groups: dict[str, list[str]] = {}
    for search in searches:
        settings = {key: value for key, value in folder.search_settings(search).items() if key != "seed"}
        groups.setdefault(json.dumps(settings, sort_keys=True), []).append(search)
    described = {names[0]: _description(folder, names[0]) for names in groups.values()}
    shared = Counter(described.values())
    kinds = {}
    for names in groups.values():
        method, changes = described[names[0]]
        if shared[method, changes] > 1:
            changes = (*changes, names[0])
        kinds[f"{method} ({', '.join(changes)})" if changes else method] = names
    return kinds


def _description(folder: ResultsFolder, search: str) -> tuple[str, tuple[str, ...]]:
    """A search's method, and the settings by which it departs from the usual ones."""
    settings, usual = folder.search_settings(search), folder.settings.get("search", {})
    changes = [str(settings[key]) for key in ("embedding", "models", "suite") if settings.get(key) != usual.get(key)]
    return str(settings.get("method", search)), tuple(changes)


def methods(folder: ResultsFolder) -> pd.DataFrame:
    """One row a kind of search: what it ended with, minus the reference on the same search seeds, and its compute.

    What a search ended with is the posterior mean of its best model, so that a lucky score counts for little. Columns
    METHOD_COLUMNS: `low` and `high` bound the mean difference at 95 % (t interval over seeds), and are empty for fewer
    than two paired seeds; `share` is of the hours of all kinds (of a GPU's where any was used), `shared` the part of a
    kind's own hours in runs that another kind asked for too. Shares in per cent.
    """
    kinds = kinds_of_searches(folder, compared_searches(folder))
    if len(kinds) < 2:
        return pd.DataFrame(columns=METHOD_COLUMNS)
    reference = REFERENCE if REFERENCE in kinds else next(iter(kinds))
    ends = {kind: _ends(folder, names) for kind, names in kinds.items()}
    rows = []
    for kind, names in kinds.items():
        row = {"method": kind, "searches": ", ".join(names), "seeds": len(ends[kind]), "reference": reference}
        row["mean"] = np.mean(list(ends[kind].values())) if ends[kind] else None
        rows.append(row | (_paired(ends[kind], ends[reference]) if kind != reference else {}))
    table = pd.DataFrame(rows).join(pd.DataFrame(_compute(folder, kinds)))
    return table.reindex(columns=METHOD_COLUMNS).astype({"paired_seeds": "Int64"} | dict.fromkeys(NUMBERS, float))


def _ends(folder: ResultsFolder, names: Iterable[str]) -> dict[int, float]:
    """Posterior mean of the best model of each search that has ended, by the search's seed."""
    ends: dict[int, float] = {}
    for name in names:
        best = best_of(ranking(folder, name)) if folder.ended(name) else None
        if best is not None:
            ends.setdefault(folder.search_settings(name).get("seed", 0), float(best["posterior"]))
    return ends


def _paired(ends: dict[int, float], reference: dict[int, float]) -> dict[str, float]:
    """Mean difference on the seeds that both have, and its interval."""
    both = sorted(set(ends) & set(reference))
    apart = np.array([ends[seed] - reference[seed] for seed in both])
    found: dict[str, float] = {"paired_seeds": len(both)}
    if len(both):
        found["difference"] = apart.mean()
    if len(both) > 1:
        from scipy.stats import t

        half = t.ppf(0.5 + LEVEL / 2, len(both) - 1) * apart.std(ddof=1) / len(both) ** 0.5
        found |= {"low": apart.mean() - half, "high": apart.mean() + half}
    return found


def _compute(folder: ResultsFolder, kinds: dict[str, list[str]]) -> list[dict[str, float | None]]:
    """Hours of each kind over all its runs, its share of all kinds' hours, and how much of it others asked for too."""
    runs = [{run for name in names for run in folder.asked_by(name)} for names in kinds.values()]
    hours = [_hours(folder, mine) for mine in runs]
    unit = 1 if any(gpu for _, gpu in hours) else 0
    total = sum(each[unit] for each in hours)
    rows = []
    for place, mine in enumerate(runs):
        others = set().union(*runs[:place], *runs[place + 1 :])
        own, common = hours[place][unit], _hours(folder, mine & others)[unit]
        row: dict[str, float | None] = dict(zip(("core_hours", "gpu_hours"), hours[place], strict=True))
        rows.append(
            row | {"share": 100 * own / total if total else None, "shared": 100 * common / own if own else None}
        )
    return rows


def _hours(folder: ResultsFolder, runs: Iterable[RunName]) -> tuple[float, float]:
    hours = [run_hours(folder, run) for run in sorted(runs)]
    return sum(core for core, _ in hours), sum(gpu for _, gpu in hours)
