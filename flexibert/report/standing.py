"""Where the models of a search stand, whether it has ended or not: by all trainings of a model, never by one."""

import math
from typing import TYPE_CHECKING, Any

from flexibert.evidence.posterior import Belief, posterior
from flexibert.layout import LEADERBOARD_COLUMNS
from flexibert.outcome.leaderboard import CANDIDATE, believable, ranked, with_confirmation
from flexibert.report.folder import ResultsFolder
from flexibert.runs import Recipe, RecipeKind, RunName

if TYPE_CHECKING:
    import pandas as pd

NOT_POOLED = (RecipeKind.RETUNED, RecipeKind.FINAL)  # trainings by other settings than the search's


def ranking(folder: ResultsFolder, search: str | None) -> "pd.DataFrame":
    """One row a model of a search, best first, failed ones last: LEADERBOARD_COLUMNS, then one a task.

    While the search or its confirmation goes on, by the trainings that are scored so far.
    """
    import pandas as pd

    if search is None:
        return pd.DataFrame(columns=list(LEADERBOARD_COLUMNS))
    table = folder.ranking(search)
    if table is None:
        runs = _trainings(folder, search)
        table = ranked(runs) if len(runs) else pd.DataFrame(columns=list(LEADERBOARD_COLUMNS))
        table["role"] = [_role(folder, search, model) for model in table["model"]]
    return table


def task_columns(table: "pd.DataFrame") -> list[str]:
    """Columns of a ranking that are means on a task."""
    return [column for column in table.columns if column not in (*LEADERBOARD_COLUMNS, "parameters")]


def best_of(table: "pd.DataFrame") -> "pd.Series | None":
    """First candidate of a ranking, None where no model has a score."""
    standing = table[table["role"].eq(CANDIDATE) & table["posterior"].notna()]
    return standing.iloc[0] if len(standing) else None


def winner_of(folder: ResultsFolder, search: str) -> dict[str, Any] | None:
    """The model that a search ended with; None before, and where an older version chose by single scores."""
    found = folder.winners.get(search)
    return found if found and found.get("posterior") is not None else None


def beliefs(folder: ResultsFolder, search: str) -> dict[str, Belief]:
    """What is believed of each model of a search, by its trainings that are scored so far."""
    suite = folder.search_settings(search).get("suite")
    trainings: dict[str, list[tuple[Recipe, float | None]]] = {}
    for run in folder.asked_by(search):
        if run in folder.scores and run.recipe.kind not in NOT_POOLED:
            trainings.setdefault(run.model, []).append((run.recipe, _objective(folder.scores[run], suite)))
    known = {model: each for model, each in believable(trainings).items() if not all(map(math.isnan, each))}
    return posterior(known) if known else {}


def baseline_names(folder: ResultsFolder, search: str) -> dict[str, str]:
    """Names of the baselines by model, where the search did not find the model itself."""
    names: dict[str, list[str]] = {}
    confirmed, final = folder.confirmations.get(search, {}), folder.selections.get(search, {})
    for baseline in [*confirmed.get("baselines", []), *final.get("baselines", [])]:
        names.setdefault(baseline["model"], []).append(baseline["name"])
    own = {entry["model"] for entry in confirmed.get("models", [])} | {final.get("model")}
    return {model: ", ".join(dict.fromkeys(each)) for model, each in names.items() if model not in own}


def trainings_of(folder: ResultsFolder, search: str, model: str) -> list[RunName]:
    """All runs of a model by the search's settings."""
    return [run for run in folder.asked_by(search) if run.model == model and run.recipe.kind not in NOT_POOLED]


def _role(folder: ResultsFolder, search: str, model: str) -> str:
    return baseline_names(folder, search).get(model, CANDIDATE)


def _trainings(folder: ResultsFolder, search: str) -> "pd.DataFrame":
    """One row a training: the search's observations, then the runs of the confirmation that are scored already."""
    scored = [run for run in folder.confirming(search) if run.name in folder.scores]
    files = [folder.layout.score.at(**run.name.to_mapping()) for run in scored]
    suite = folder.search_settings(search).get("suite", "")
    return with_confirmation(folder.observations(search), [run.to_mapping() for run in scored], files, suite)


def _objective(score: dict[str, Any], suite: str | None) -> float | None:
    return (score.get("suites") or {}).get(suite, score["score"])
