"""What a search found, model by model: the mean of all its trainings, and what is to be believed of it.

A search tries many models once and its best score is the luckiest of many; so models are ranked by the posterior mean
of their score, in which a model that was trained often counts for more than one that was trained once.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexibert.errors import SearchError
from flexibert.evidence.posterior import Belief, noise_of, posterior
from flexibert.files import read_json, write_csv, write_json
from flexibert.layout import LEADERBOARD_COLUMNS, OBSERVATION_COLUMNS, LibraryFiles
from flexibert.run_index import asked_in
from flexibert.runs import Recipe, RecipeKind, Run, RunName
from flexibert.search.observations import read_observations

if TYPE_CHECKING:
    import pandas

CANDIDATE = "candidate"
LUCK = 3.0  # deviations of one training above the mean of the fresh ones
UNKNOWN = {"posterior": math.nan, "posterior_deviation": math.nan}


def rank_models(
    name: str,
    observations: str | Path,
    libraries: Sequence[str | Path],
    proposals: Sequence[str | Path],
    confirmation: str | Path | None,
    scores: Sequence[str | Path],
    suite: str,
    leaderboard: str | Path,
    best: str | Path,
) -> None:
    """Write the outcome of a search: its models, best first, failed ones last, and the winner with its dictionary.

    The winner is the best of the candidates that were confirmed, of all candidates where none was.

    Args:
        name: The search's name.
        observations: Table of the last round of the last level.
        libraries: Folders of the libraries of its levels.
        proposals: proposal.json of all its rounds.
        confirmation: What was trained again (see `confirmation.choose_confirmed`), or None.
        scores: score.json of each run of the confirmation.
        suite: The suite whose mean is the objective.
        leaderboard, best: Where the table (CSV) and the winner (JSON) are written.

    Raises:
        SearchError: Every candidate failed.
    """
    confirmed = read_json(confirmation) if confirmation else {"models": [], "baselines": [], "proposals": []}
    asked = {run.name.model: run for path in proposals for run in asked_in(path)}
    parameters = _parameters(libraries, asked, [*confirmed["models"], *confirmed["baselines"]])
    table = ranked(with_confirmation(read_observations(observations), confirmed["proposals"], scores, suite))
    table["parameters"] = table["model"].map(parameters)
    table = _in_order(table, "parameters")  # of equal scores the smaller model
    table["role"] = [_role(model, confirmed) for model in table["model"]]
    tasks = [column for column in table.columns if column not in (*LEADERBOARD_COLUMNS, "parameters")]
    eligible = [model["model"] for model in confirmed["models"]] or list(asked)
    standing = table[table["model"].isin(eligible) & table["posterior"].notna()]
    if standing.empty:
        raise SearchError(f"search {name}: all {len(table)} candidates failed; their card.json and best.json say why")
    write_csv(leaderboard, table[[*LEADERBOARD_COLUMNS, "parameters", *tasks]])
    first = standing.iloc[0]
    write_json(
        best,
        {
            "search": name,
            "model": first["model"],
            "recipe": first["recipe"],
            **believed(first),
            "architecture": asked[first["model"]].architecture,
        },
    )


def with_confirmation(
    observed: "pandas.DataFrame", confirmed: Sequence[Mapping[str, Any]], scores: Sequence[str | Path], suite: str
) -> "pandas.DataFrame":
    """Observations of a search and the runs of its confirmation, one row a training.

    Args:
        observed: Observations of all rounds.
        confirmed: `proposals` of the confirmation.
        scores: score.json of each of these runs, in any order.
        suite: The suite whose mean is the objective.
    """
    import pandas

    found = {RunName.from_mapping(score): score for score in map(read_json, scores)}
    rows = []
    for run in map(Run.from_mapping, confirmed):
        score = found[run.name]
        row = run.name.to_mapping() | {"origin": str(run.origin), "status": score["status"]}
        rows.append(row | {"score": score["suites"].get(suite)} | score["tasks"])
    runs = pandas.concat([observed, pandas.DataFrame(rows)], ignore_index=True) if rows else observed
    return runs.drop_duplicates(["model", "recipe"], ignore_index=True)


def ranked(runs: "pandas.DataFrame") -> "pandas.DataFrame":
    """One row a model: means over its trainings and what is to be believed of it, best first, failed models last.

    Runs with the tuned recipe had other settings: each stays a row of its own without a posterior, below the models.

    Args:
        runs: One row a training, with OBSERVATION_COLUMNS and a column a task.

    Returns:
        LEADERBOARD_COLUMNS without `role`, and a column a task.
    """
    import pandas

    retuned = runs["recipe"].map(_is_retuned).astype(bool)
    pooled, apart = runs[~retuned], runs[retuned]
    trainings: dict[str, list[tuple[Recipe, float]]] = {}
    for model, recipe, score in zip(pooled["model"], pooled["recipe"], pooled["score"], strict=True):
        trainings.setdefault(model, []).append((Recipe.parse(recipe), score))
    scores = believable(trainings)
    scores = {model: values for model, values in scores.items() if not all(map(math.isnan, values))}
    beliefs = posterior(scores) if scores else {}
    rows = [_pooled(runs, beliefs.get(str(model))) for model, runs in pooled.groupby("model", sort=False)]
    rows += [_pooled(runs, None) for _, runs in apart.groupby(["model", "recipe"], sort=False)]
    table = pandas.DataFrame(rows)
    table = table.astype({"level": "Int64", "round": "Int64"})  # empty for baselines that the search did not train
    return _in_order(table)


def _in_order(table: "pandas.DataFrame", *smaller_first: str) -> "pandas.DataFrame":
    """The rows best first and numbered; of equal scores by the given columns, then by name."""
    keys = ["posterior", "score", *smaller_first, "model", "recipe"]
    ascending = [False, False] + [True] * (len(keys) - 2)
    table = table.drop(columns="rank", errors="ignore").sort_values(keys, ascending=ascending, ignore_index=True)
    table.insert(0, "rank", range(1, len(table) + 1))
    return table


def believable(trainings: Mapping[str, Sequence[tuple[Recipe, float | None]]]) -> dict[str, list[float]]:
    """Scores of each model's trainings, those of the search held down to what its confirmation makes believable.

    What is confirmed was picked for its score, so the search's own training is the luckiest of many; where luck has a
    longer tail than a normal distribution it would outweigh several fresh trainings. One that lies more than LUCK
    deviations above the mean of the fresh ones counts as no more than that. One that lies below counts in full.

    Args:
        trainings: Recipe and score of each training of each model; None or NaN for one that failed.

    Returns:
        Scores in the order given, NaN for one that failed.
    """
    scores = {model: [(recipe, _number(score)) for recipe, score in each] for model, each in trainings.items()}
    fresh = {
        model: [score for recipe, score in each if recipe.kind == RecipeKind.CONFIRM and math.isfinite(score)]
        for model, each in scores.items()
    }
    fresh = {model: values for model, values in fresh.items() if len(values) > 1}
    deviation = noise_of(fresh).deviation if fresh else math.nan
    most = {model: sum(values) / len(values) + LUCK * deviation for model, values in fresh.items()}
    return {
        model: [most[model] if model in most and score > most[model] else score for _, score in each]
        for model, each in scores.items()
    }


def _number(score: float | None) -> float:
    return math.nan if score is None else score


def _pooled(trainings: "pandas.DataFrame", belief: Belief | None) -> dict[str, Any]:
    """One row of some trainings of a model: when the search first asked, what the best run was, the means of all."""
    tasks = [column for column in trainings.columns if column not in OBSERVATION_COLUMNS]
    scored = trainings[trainings["score"].notna()]
    row = trainings.iloc[0][list(OBSERVATION_COLUMNS)].to_dict()
    if len(scored):
        row |= scored.loc[scored["score"].idxmax(), ["recipe", "origin", "source", "overlap", "status"]].to_dict()
    row |= {"trainings": len(trainings), "failed": len(trainings) - len(scored), "deviation": scored["score"].std()}
    row |= {"score": belief.average if belief else scored["score"].mean()}
    row |= {"posterior": belief.mean, "posterior_deviation": belief.deviation} if belief else UNKNOWN
    return row | trainings[tasks].mean().to_dict()


def believed(row: "pandas.Series") -> dict[str, Any]:
    """What a file says of a row of `ranked`: trainings, their mean and spread, and the posterior."""
    figures = ("score", "deviation", "posterior", "posterior_deviation")
    return {key: int(row[key]) for key in ("trainings", "failed")} | {key: _rounded(row[key]) for key in figures}


def _is_retuned(recipe: str) -> bool:
    return Recipe.parse(recipe).kind == RecipeKind.RETUNED


def _role(model: str, confirmed: Mapping[str, Any]) -> str:
    """ "candidate", or the names of the baseline that a model is where the search did not confirm it itself."""
    names = dict.fromkeys(baseline["name"] for baseline in confirmed["baselines"] if baseline["model"] == model)
    return CANDIDATE if model in [each["model"] for each in confirmed["models"]] or not names else ", ".join(names)


def _parameters(
    libraries: Sequence[str | Path], asked: Mapping[str, Run], confirmed: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    """Parameters by model: of the libraries, of models beyond them, and of what was confirmed."""
    import pandas

    costs = pandas.concat([pandas.read_parquet(LibraryFiles(folder).costs) for folder in libraries])
    known = {entry["model"]: entry["parameters"] for entry in confirmed}
    known |= costs.drop_duplicates("id").set_index("id")["parameters"].to_dict()
    return known | {
        model: run.further["beyond"]["parameters"] for model, run in asked.items() if "beyond" in run.further
    }


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 6)
