"""What a search ends with: its runs in order, the best one, and the models that are trained at the large budget."""

from collections.abc import Sequence
from pathlib import Path

from flexibert.errors import SearchError
from flexibert.files import read_json, write_csv, write_json
from flexibert.layout import LibraryFiles
from flexibert.run_index import asked_in
from flexibert.runs import Recipe, RecipeKind, Run, RunName
from flexibert.search.finer_level import scaled_pattern
from flexibert.search.observations import read_observations
from flexibert.settings import ScaleSettings
from flexibert.space.architecture import Architecture


def rank_runs(
    name: str,
    observations: str | Path,
    libraries: Sequence[str | Path],
    proposals: Sequence[str | Path],
    leaderboard: str | Path,
    best: str | Path,
) -> None:
    """Write the outcome of a search: its runs, best first, failed ones last, and the best one with its dictionary.

    Args:
        name: The search's name.
        observations: Table of the last round of the last level.
        libraries: Folders of the libraries of its levels.
        proposals: proposal.json of all its rounds.
        leaderboard, best: Where the table (CSV) and the best run (JSON) are written.

    Raises:
        SearchError: Every candidate failed.
    """
    import pandas

    table = read_observations(observations)
    runs = {run.name.model: run for path in proposals for run in asked_in(path)}
    costs = pandas.concat([pandas.read_parquet(LibraryFiles(folder).costs) for folder in libraries])
    parameters = costs.drop_duplicates("id").set_index("id")["parameters"].to_dict()
    parameters |= {model: run.further["beyond"]["parameters"] for model, run in runs.items() if "beyond" in run.further}
    table["parameters"] = table["model"].map(parameters)
    table = table.drop_duplicates(["model", "recipe"])
    table = table.sort_values(["score", "parameters", "model", "recipe"], ascending=[False, True, True, True])
    if table["score"].notna().sum() == 0:
        raise SearchError(f"search {name}: all {len(table)} candidates failed; their card.json and best.json say why")
    table.insert(0, "rank", range(1, len(table) + 1))
    first = table.iloc[0]
    write_csv(leaderboard, table)
    write_json(
        best,
        {
            "search": name,
            "model": first["model"],
            "recipe": first["recipe"],
            "score": round(float(first["score"]), 6),
            "architecture": runs[first["model"]].architecture,
        },
    )


def choose_final(best: str | Path, scale_up: ScaleSettings | None, out: str | Path) -> None:
    """Write the runs that are trained at the large budget: a search's best model and, where asked, its scaled pattern.

    Args:
        best: The search's best run.
        scale_up: By what the pattern is scaled up, or None.
        out: Where the runs are written (JSON).
    """
    found = read_json(best)
    models = [Architecture.from_model_dict(found["architecture"])]
    if scale_up:
        models.append(scaled_pattern(models[0], scale_up.layers, scale_up.widths))
    runs = [Run(RunName(model.id, Recipe(RecipeKind.FINAL)), model.to_model_dict()) for model in models]
    first = runs[0].name.to_mapping()
    write_json(out, {"search": found["search"], **first, "proposals": [run.to_mapping() for run in runs]})
