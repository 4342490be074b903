"""What is trained after a search has converged: its best models and their baselines, several times, then longer.

A run of the confirmation differs from a run of the search by its random numbers alone, and a model that another search
has confirmed already is not trained again, since a run's name and seed follow from the model and the recipe.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from flexibert.errors import SearchError
from flexibert.files import read_json, write_json
from flexibert.outcome.baselines import HOMOGENEOUS, Baseline, Sizes, Wanted, baselines_of
from flexibert.outcome.leaderboard import believed, ranked
from flexibert.run_index import asked_in
from flexibert.runs import Recipe, RecipeKind, Run, RunName
from flexibert.search.finer_level import scaled_pattern
from flexibert.search.observations import read_observations
from flexibert.settings import ScaleSettings
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace

Costs = Callable[[Sequence[Architecture]], list[dict[str, int]]]


def choose_confirmed(
    name: str,
    observations: str | Path,
    proposals: Sequence[str | Path],
    models: int,
    seeds: int,
    baselines: Sequence[Wanted],
    space: dict[str, Any],
    costs: Costs,
    out: str | Path,
) -> None:
    """Write which models a search trains again: the best by posterior mean, and the baselines of each.

    Args:
        name: The search's name.
        observations: Table of the last round of the last level.
        proposals: proposal.json of all its rounds.
        models: How many candidates.
        seeds: Trainings of each model.
        baselines: `baselines` of the settings.
        space: Content of the design space's file.
        costs: `parameters` and `flops_per_token` of models.
        out: Where the models, the baselines and their runs are written (JSON).

    Raises:
        SearchError: Every candidate failed.
    """
    asked = {run.name.model: run.architecture for path in proposals for run in asked_in(path)}
    table = ranked(read_observations(observations))
    table = table[table["posterior"].notna()]
    if table.empty:
        raise SearchError(f"search {name}: all {len(asked)} candidates failed; their card.json and best.json say why")
    best = table.head(models)
    rivals = [Architecture.from_model_dict(asked[model]) for model in best["model"]]
    seen = [Architecture.from_model_dict(asked[model]) for model in table["model"]]
    beside = baselines_of(baselines, rivals, seen, DesignSpace.from_mapping(space), sizes(costs))
    chosen = [*rivals, *(baseline.architecture for baseline in beside)]
    pairs = zip(rivals, best.iterrows(), strict=True)
    write_json(
        out,
        {
            "search": name,
            "models": [_entry(model, costs) | believed(row) for model, (_, row) in pairs],
            "baselines": [_beside(baseline, costs) for baseline in beside],
            "proposals": repeated(RecipeKind.CONFIRM, chosen, seeds),
        },
    )


def choose_final(
    best: str | Path,
    confirmation: str | Path | None,
    leaderboard: str | Path,
    proposals: Sequence[str | Path],
    baselines: Sequence[Wanted],
    seeds: int,
    scale_up: ScaleSettings | None,
    space: dict[str, Any],
    costs: Costs,
    out: str | Path,
) -> None:
    """Write the runs at the large budget: the winner and its baselines, and where asked the winner's pattern scaled up.

    Args:
        best: The winner.
        confirmation: What was trained again, or None; its homogeneous baseline is kept.
        leaderboard: The search's models, best first.
        proposals: proposal.json of all its rounds.
        baselines: `baselines` of the settings.
        seeds: Trainings of each model; of the scaled pattern, one.
        scale_up: By what the pattern is scaled up, or None.
        space: Content of the design space's file.
        costs: `parameters` and `flops_per_token` of models.
        out: Where the runs are written (JSON).
    """
    found = read_json(best)
    winner = Architecture.from_model_dict(found["architecture"])
    seen = _confirmed_homogeneous(confirmation) or _seen(leaderboard, proposals)
    beside = baselines_of(baselines, [winner], seen, DesignSpace.from_mapping(space), sizes(costs))
    runs = repeated(RecipeKind.FINAL, [winner, *(baseline.architecture for baseline in beside)], seeds)
    if scale_up:
        larger = scaled_pattern(winner, scale_up.layers, scale_up.widths)
        runs += [run for run in repeated(RecipeKind.FINAL, [larger], 1) if run not in runs]
    names = [_beside(baseline, costs) for baseline in beside]
    winner_entry = _entry(winner, costs) | {"recipe": runs[0]["recipe"]}
    write_json(out, {"search": found["search"], **winner_entry, "baselines": names, "proposals": runs})


def repeated(kind: RecipeKind, models: Iterable[Architecture], seeds: int) -> list[dict[str, Any]]:
    """Runs of each of some models, each model once, by recipes that differ in their random numbers alone."""
    return [
        Run(RunName(model.id, Recipe(kind, number)), model.to_model_dict()).to_mapping()
        for model in dict.fromkeys(models)
        for number in range(1, seeds + 1)
    ]


def sizes(costs: Costs) -> Sizes:
    """A function that gives the numbers of parameters of models."""
    return lambda models: [row["parameters"] for row in costs(models)]


def _entry(model: Architecture, costs: Costs) -> dict[str, Any]:
    [row] = costs([model])
    figures = {key: row[key] for key in ("parameters", "flops_per_token")}
    return {"model": model.id, "architecture": model.to_model_dict()} | figures


def _beside(baseline: Baseline, costs: Costs) -> dict[str, Any]:
    """A baseline as files tell it: its model, what it costs, and which models stand beside it."""
    facts = {"name": baseline.name, "why": baseline.why, "beside": list(baseline.beside)}
    return facts | _entry(baseline.architecture, costs)


def _confirmed_homogeneous(confirmation: str | Path | None) -> list[Architecture]:
    entries = read_json(confirmation)["baselines"] if confirmation else []
    return [Architecture.from_model_dict(each["architecture"]) for each in entries if each["name"] == HOMOGENEOUS]


def _seen(leaderboard: str | Path, proposals: Sequence[str | Path]) -> list[Architecture]:
    """Models that the search itself has trained with success, best first."""
    import pandas

    asked = {run.name.model: run.architecture for path in proposals for run in asked_in(path)}
    table = pandas.read_csv(leaderboard, dtype={"model": str})
    good = table.loc[table["posterior"].notna() & table["model"].isin(list(asked)), "model"]
    return [Architecture.from_model_dict(asked[model]) for model in good]
