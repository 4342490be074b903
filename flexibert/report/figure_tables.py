"""The numbers behind each figure: one table a figure, written beside it as CSV."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from flexibert.errors import UsageError
from flexibert.extras import missing_extra
from flexibert.report.evidence_tables import DIFFERENCE_COLUMNS, differences, label_of, strongest
from flexibert.report.folder import ResultsFolder
from flexibert.report.methods import comparison, search_traces, trace
from flexibert.report.standing import best_of, ranking
from flexibert.report.tables import WEIGHTS, hours_of, run_columns
from flexibert.runs import Origin, RunName
from flexibert.space.architecture import Architecture

CURVE_POINTS = 200  # of one training curve, enough for the eye
TSNE_SEED = 0


def architecture(folder: ResultsFolder) -> pd.DataFrame:
    """The best model: one row an operation head, one a feed-forward layer, in the order of the computation."""
    columns = ["model", "layer", "part", "position", "operation", "parameter", "width", "hidden"]
    best = best_run(folder)
    run = folder.runs.get(best) if best else None
    if run is None:
        return pd.DataFrame(columns=columns)
    model, rows = run.name.model, []
    for number, layer in enumerate(Architecture.from_model_dict(run.architecture).layers, start=1):
        for position, head in enumerate(layer.heads):
            rows.append((model, number, "head", position, head.operation, head.parameter, head.size, layer.hidden))
        for position, width in enumerate(layer.feed_forward):
            rows.append((model, number, "feed-forward", position, "", "", width, layer.hidden))
    return pd.DataFrame(rows, columns=columns)


def best_run(folder: ResultsFolder) -> RunName | None:
    """The run of the final model, or one of the best model of the main search so far."""
    finals = folder.finals.get(folder.main_search or "")
    if finals:
        return finals[0].name
    best = best_of(ranking(folder, folder.main_search))
    return None if best is None else RunName.from_mapping(best)


def frontier(folder: ResultsFolder) -> pd.DataFrame:
    """What is believed of each model of the main search at its budget against parameters, and which nothing beats."""
    search = folder.main_search
    limits = folder.search_settings(search).get("constraints", {}) if search else {}
    standing = ranking(folder, search)
    standing = standing[standing["posterior"].notna()]
    rows = []
    for row in standing.itertuples():
        costs = run_columns(folder, RunName.of(row.model, row.recipe))
        rows.append(
            {
                "model": row.model,
                "role": row.role,
                "score": row.posterior,
                "deviation": row.posterior_deviation,
                "trainings": row.trainings,
                "parameters": costs["parameters"],
                "homogeneous": costs["homogeneous"],
                "within_constraints": _within(costs, limits),
            }
        )
    columns = ["model", "role", "score", "deviation", "trainings", "parameters", "homogeneous", "within_constraints"]
    table = pd.DataFrame(rows, columns=columns).dropna(subset=["parameters"])
    table = table.sort_values(["parameters", "score", "model"], ascending=[True, False, True], ignore_index=True)
    table["on_frontier"] = _unbeaten(table)
    inside = table[table["within_constraints"].astype(bool)]
    table["on_frontier_within"] = False
    table.loc[inside.index, "on_frontier_within"] = _unbeaten(inside)
    table["parameter_limit"] = limits.get("parameters")
    return table


def paired_differences(folder: ResultsFolder) -> pd.DataFrame:
    """The differences that the verdict rests on, one a pair, each with a label and its outcome."""
    columns = ["label", *DIFFERENCE_COLUMNS, "outcome"]
    table = strongest(differences(folder)).dropna(subset=["low", "high"]).reset_index(drop=True)
    outcomes = [
        "better" if low > 0 else "worse" if high < 0 else "within noise"
        for low, high in zip(table["low"], table["high"], strict=True)
    ]
    table = table.assign(outcome=outcomes, label=[label_of(row) for _, row in table.iterrows()])
    return table[columns]


def _within(costs: dict[str, Any], limits: dict[str, Any]) -> bool:
    return all(costs.get(key) is None or costs[key] <= limit for key, limit in limits.items() if limit is not None)


def _unbeaten(table: pd.DataFrame) -> np.ndarray:
    """Whether no smaller model scores as much; the rows come by size, the best of a size first."""
    scores = table["score"].to_numpy(dtype=float)
    before = np.concatenate([[-np.inf], np.maximum.accumulate(scores)[:-1]]) if len(scores) else scores
    return scores > before


def embedding_map(folder: ResultsFolder) -> pd.DataFrame:
    """Library of the main search in two dimensions, with predicted scores and the means of the observed ones."""
    columns = ["id", "x", "y", "predicted", "observed", "best"]
    search = folder.main_search
    if search is None or not folder.rounds[search]:
        return pd.DataFrame(columns=columns)
    newest = folder.predictions(search)
    library = newest[1] if newest else folder.library_of(search, folder.rounds[search][-1].level)
    embedded = folder.embedding(library)
    if embedded is None:
        return pd.DataFrame(columns=columns)
    ids, coordinates = embedded
    kind = folder.settings.get("report", {}).get("embedding_map", "pca")
    flat = _tsne(coordinates) if kind == "tsne" else _principal_components(coordinates)
    table = pd.DataFrame({"id": ids, "x": flat[:, 0], "y": flat[:, 1]})
    predicted = newest[0].set_index("id")["mean"] if newest else pd.Series(dtype=float)
    seen = folder.observations(search).dropna(subset=["score"]).groupby("model")["score"].mean()
    best = best_of(ranking(folder, search))
    table["predicted"] = table["id"].map(predicted).astype(float)
    table["observed"] = table["id"].map(seen).astype(float)
    table["best"] = table["observed"].notna() & table["id"].eq("" if best is None else best["model"])
    return table


def _principal_components(coordinates: np.ndarray) -> np.ndarray:
    """The two directions of largest variance; signs fixed by the largest entry, so that equal data give equal maps."""
    centred = coordinates.astype(float) - coordinates.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    directions *= np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])[:, None]
    flat = np.round(centred @ directions.T, 4)
    return flat if flat.shape[1] == 2 else np.column_stack([flat[:, 0], np.zeros(len(flat))])


def _tsne(coordinates: np.ndarray) -> np.ndarray:
    """t-SNE (van der Maaten and Hinton, 2008) started from the principal components.

    Raises:
        UsageError: The package for it is not installed.
    """
    if missing := missing_extra("tsne"):
        raise UsageError(f"report.embedding_map: {missing}")
    from sklearn.manifold import TSNE

    perplexity = min(30.0, max(2.0, (len(coordinates) - 1) / 3))
    return TSNE(perplexity=perplexity, init="pca", random_state=TSNE_SEED).fit_transform(coordinates.astype(float))


def calibration(folder: ResultsFolder) -> pd.DataFrame:
    """What the main search's surrogate predicted of a model before it was observed, and what was observed."""
    columns = ["level", "round", "model", "recipe", "reason", "predicted", "aleatoric", "epistemic", "observed"]
    search = folder.main_search
    rows = []
    for each in folder.rounds[search] if search else []:
        for run in each.runs:
            score, expected = folder.scores.get(run.name, {}).get("score"), run.further
            if expected.get("mean") is None or score is None:
                continue
            what = (each.level, each.number, run.name.model, str(run.name.recipe), expected["reason"])
            uncertainties = (expected["aleatoric"] or 0.0, expected["epistemic"] or 0.0)
            rows.append((*what, expected["mean"], *uncertainties, score))
    return pd.DataFrame(rows, columns=columns)


def pretraining_curves(folder: ResultsFolder) -> pd.DataFrame:
    """Training and held-out loss of each pre-trained run over its steps, thinned to what the eye can see."""
    columns = ["model", "recipe", "step", "tokens", "train_loss", "validation_loss", "best"]
    chosen = best_run(folder)
    tables = []
    for run in sorted(folder.cards):
        curve = folder.curve(run)
        if curve is None or len(curve) < 2:  # a transfer without further training has no curve
            continue
        kept = curve.iloc[np.unique(np.linspace(0, len(curve) - 1, CURVE_POINTS).round().astype(int))]
        kept = pd.concat([kept, curve[curve["validation_loss"].notna()]]).drop_duplicates("step").sort_values("step")
        best = chosen is not None and run.model == chosen.model
        tables.append(kept.assign(**run.to_mapping(), best=best)[columns])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def transfer_cost(folder: ResultsFolder) -> pd.DataFrame:
    """Mean hours of a run by the origin of its weights, split into pre-training and fine-tuning."""
    rows = []
    for name, cost in sorted(folder.training_costs.items(), key=lambda entry: entry[0]):
        origin = name.recipe.kind.origin
        if name in folder.runs and origin in (Origin.PRETRAINED, Origin.TRANSFERRED):
            tuning = sum(sum(hours_of(cost)) for cost in folder.task_costs.get(name, {}).values())
            rows.append((origin, sum(hours_of(cost)), tuning))
    table = pd.DataFrame(rows, columns=["origin", "training_hours", "finetune_hours"])
    if table.empty:
        return pd.DataFrame(columns=["weights", "runs", "training_hours", "finetune_hours", "total_hours"])
    table["weights"] = table.pop("origin").map(WEIGHTS)
    names = [WEIGHTS[origin] for origin in (Origin.PRETRAINED, Origin.TRANSFERRED)]
    groups = [*((name, table[table["weights"] == name]) for name in names), ("all runs", table)]
    means = [
        {"weights": name, "runs": len(group), **group[["training_hours", "finetune_hours"]].mean().to_dict()}
        for name, group in groups
        if len(group)
    ]
    return pd.DataFrame(means).assign(total_hours=lambda table: table["training_hours"] + table["finetune_hours"])


FIGURE_TABLES: dict[str, Callable[[ResultsFolder], pd.DataFrame]] = {
    "differences": paired_differences,
    "architecture": architecture,
    "trace": trace,
    "frontier": frontier,
    "embedding-map": embedding_map,
    "calibration": calibration,
    "pretraining-curves": pretraining_curves,
    "transfer-cost": transfer_cost,
    "comparison": comparison,
    "search-traces": search_traces,
}
