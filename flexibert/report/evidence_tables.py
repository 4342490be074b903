"""What was proved: differences with intervals, and the final models beside their baselines on each task."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from flexibert.evidence.differences import difference_of_scores
from flexibert.evidence.hopeless import hopeless_tasks
from flexibert.report.answer import SCALED, WINNER, final_names
from flexibert.report.folder import ResultsFolder

DIFFERENCE_COLUMNS = [
    "budget", "split", "against", "first", "second", "mean", "low", "high", "first_seeds", "second_seeds", "rows",
    "size_ratio", "flops_ratio", "latency_ratio", "missing",
]  # fmt: skip
FINAL_COLUMNS = ["search", "task", "name", "model", "split", "mean", "low", "high", "trainings", "hopeless"]
MEAN = "mean"  # in place of a task: the mean over tasks
MAJORITY, TFIDF = "majority", "tfidf"
PLAIN = (TFIDF, MAJORITY)  # answers without any training of a network
MINUS = "\u2212"
NAMES = {TFIDF: "TF-IDF", MAJORITY: "majority"}
PAIRS = {  # how a difference reads where the winner is not its first model
    "equal layers, equal size": f"unequal {MINUS} equal layers, same size",
    "scratch in place of a transfer": f"transfer {MINUS} scratch",
}
STRENGTH = [("final", "test"), ("final", "validation"), ("search", "validation")]  # the best evidence first


def differences(folder: ResultsFolder) -> pd.DataFrame:
    """Each difference of the main search, first minus second in points, with its interval; empty before the evidence.

    After those of the evidence stand the winner's from the answers that need no network, where these are there.
    """
    search = folder.main_search or ""
    evidence = folder.evidence.get(search, {})
    rows = [{key: entry.get(key) for key in DIFFERENCE_COLUMNS} for entry in evidence.get("differences", [])]
    if evidence:
        rows += _from_plain(folder, search)
    table = pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS)
    numbers = dict.fromkeys(("mean", "low", "high", "size_ratio", "flops_ratio", "latency_ratio"), "float")
    return table.astype(numbers | dict.fromkeys(("first_seeds", "second_seeds", "rows"), "Int64"))


def _from_plain(folder: ResultsFolder, search: str) -> list[dict[str, Any]]:
    """The winner minus TF-IDF and the majority answer on the kept-away rows, by its trainings."""
    winner = folder.selections.get(search, {}).get("model", "")
    known = {task: scores for task, scores in folder.plain.items() if task in _tested(folder, search)}
    values = _test_scores(folder, search).get((winner, MEAN), [])
    rows = []
    for name in PLAIN:
        plain = [scores[name] for scores in known.values() if scores.get(name) is not None]
        if values and plain and len(plain) == len(_tested(folder, search)):  # or the means are of unlike tasks
            apart = difference_of_scores(values, [float(np.mean(plain))] * len(values))
            told = {key: value for key, value in apart.to_mapping().items() if key in ("mean", "low", "high")}
            row = {"budget": "final", "split": "test", "against": name, "first": winner, "second": "", "missing": ""}
            rows.append(row | told | {"first_seeds": len(values)})
    return rows


def strongest(table: pd.DataFrame) -> pd.DataFrame:
    """Of each pair the difference with the best evidence: kept-away rows, else the final budget, else the search's.

    The best evidence comes first.

    Args:
        table: Of `differences`.
    """
    told = table.dropna(subset=["low", "high"])
    places = [STRENGTH.index(key) for key in zip(told["budget"], told["split"], strict=True)]
    ordered = told.assign(place=places).sort_values("place", kind="stable")
    return ordered.drop_duplicates(["against", "second"]).drop(columns="place")


def label_of(row: pd.Series) -> str:
    """What a difference is between, in words, the first model before the minus."""
    against = row["against"]
    return PAIRS.get(against) or f"{WINNER} {MINUS} {NAMES.get(against, against)}"


def final_models(folder: ResultsFolder) -> pd.DataFrame:
    """Models at the final budget by task, then their mean: winner, baselines, and what needs no training.

    On rows that were kept away from every choice (`split` test) where there are any, else on those by which epochs and
    trials were chosen. `low` and `high` bound the mean over trainings at 95 % (t interval); a task is `hopeless` where
    no model is known to beat the majority answer.
    """
    rows = [row for search in folder.finals for row in _finals(folder, search)]
    return pd.DataFrame(rows, columns=FINAL_COLUMNS).astype(dict.fromkeys(("mean", "low", "high"), "float"))


def _finals(folder: ResultsFolder, search: str) -> list[dict[str, Any]]:
    tested = _test_scores(folder, search)
    split, scores = ("test", tested) if tested else ("validation", _validation_scores(folder, search))
    names = final_names(folder, search)
    rows: list[dict[str, Any]] = []
    for (model, task), values in scores.items():
        row: dict[str, Any] = {
            "search": search,
            "task": task,
            "name": names.get(model, SCALED),
            "model": model,
            "split": split,
        }
        rows.append(row | _mean_of(values) | {"trainings": len(values)})
    plain = _plain_rows(folder.plain, _tested(folder, search)) if tested else []
    rows += [{"search": search, "split": split} | row for row in plain]
    majority = {row["task"]: row["mean"] for row in plain if row["name"] == MAJORITY}
    trainings: dict[str, dict[str, list[float]]] = {}
    for (model, task), values in scores.items():
        trainings.setdefault(task, {})[model] = values
    hopeless = hopeless_tasks(trainings, majority)
    return [row | {"hopeless": row["task"] in hopeless} for row in rows]


def _mean_of(values: list[float]) -> dict[str, float | None]:
    """Mean of some trainings and its interval, which one training does not have."""
    if len(values) < 2:
        return {"mean": values[0], "low": None, "high": None}
    whole = difference_of_scores(values, [0.0] * len(values))  # against zeros, Welch's interval is that of one mean
    return {"mean": whole.mean, "low": whole.low, "high": whole.high}


def _plain_rows(plain: Mapping[str, Mapping[str, Any]], tasks: set[str]) -> list[dict[str, Any]]:
    rows = []
    for name in PLAIN:
        known = {task: plain[task][name] for task in sorted(tasks) if plain.get(task, {}).get(name) is not None}
        rows += [{"task": task, "name": name, "mean": value, "low": None} for task, value in known.items()]
        if known and len(known) == len(tasks):  # a mean over fewer tasks could not stand beside the others
            rows.append({"task": MEAN, "name": name, "mean": float(np.mean(list(known.values()))), "low": None})
    return rows


def _validation_scores(folder: ResultsFolder, search: str) -> dict[tuple[str, str], list[float]]:
    """Scores of the final trainings by (model, task)."""
    scores: dict[tuple[str, str], list[float]] = {}
    for run in folder.finals[search]:
        score = folder.scores.get(run.name)
        if score is not None and score["score"] is not None:
            for task, points in [*sorted(score["tasks"].items()), (MEAN, score["score"])]:
                scores.setdefault((run.name.model, task), []).append(points)
    return scores


def _test_scores(folder: ResultsFolder, search: str) -> dict[tuple[str, str], list[float]]:
    """As above, on the kept-away rows; the mean is over the tasks that have such rows."""
    scores: dict[tuple[str, str], list[float]] = {}
    for run in folder.finals.get(search, []):
        points = {
            task: best["test"]["score"]
            for task, best in sorted(folder.tasks.get(run.name, {}).items())
            if best.get("test") is not None
        }
        if points:
            for task, value in (points | {MEAN: float(np.mean(list(points.values())))}).items():
                scores.setdefault((run.name.model, task), []).append(value)
    return scores


def _tested(folder: ResultsFolder, search: str) -> set[str]:
    return {task for _, task in _test_scores(folder, search)} - {MEAN}
