"""Tables on what a search found: leaderboard, final model, failures, tuned hyperparameters, costs, settings.

Each function takes a results folder in any state and returns a table, empty where there is nothing to tell yet.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from flexibert.report.folder import ResultsFolder
from flexibert.report.standing import best_of, ranking, task_columns, trainings_of, winner_of
from flexibert.runs import Origin, Recipe, RecipeKind, Run, RunName, Status
from flexibert.space.architecture import Architecture

SECONDS_AN_HOUR = 3600.0
JOULES_A_KWH = 3.6e6
# The report's own record would change the report each time that it is made.
MEASURED_BY_THEMSELVES = ("pretrain", "transfer", "finetune", "report")
WEIGHTS = {
    Origin.PRETRAINED: "pre-trained",
    Origin.TRANSFERRED: "transferred",
    Origin.RETUNED: "retuned",
    Origin.CONFIRMED: "pre-trained again",
    Origin.FINAL: "pre-trained longer",
}
STAGES = {RecipeKind.CONFIRM: "repeated ", RecipeKind.FINAL: "final "}  # told apart from the search's own trainings
COST_COLUMNS = ["stage", "jobs", "core_hours", "gpu_hours", "energy_kwh", "peak_memory_mb"]


def experiment(folder: ResultsFolder) -> pd.DataFrame:
    """What was searched, on which text and tasks, at what budget a candidate; columns item, value."""
    settings = folder.settings
    if not settings:
        return pd.DataFrame(columns=["item", "value"])
    tasks = sorted({task for scores in folder.scores.values() for task in scores.get("tasks") or {}})
    pretrain, finetune = settings["pretrain"], settings["finetune"]
    sequences = pretrain["steps"] * pretrain["batch"]
    limits = {key: value for key, value in settings["search"]["constraints"].items() if value is not None}
    rows = [("Design space", settings["space"])]
    for name, library in folder.libraries().items():
        rows.append((f"Library {name}", _library_text(folder.library_card(library))))
    rows += [
        *((f"Text {source['name']}", _text_of(folder, source["name"])) for source in settings["corpus"]["sources"]),
        ("Tasks", ", ".join(tasks) or "none scored yet"),
        (
            "Pre-training",
            f"{pretrain['steps']:,} steps of {pretrain['batch']} sequences of {pretrain['length']} tokens "
            f"({sequences * pretrain['length']:,} tokens)",
        ),
        (
            "Fine-tuning",
            f"at most {_counted(finetune['epochs'], 'epoch')}, {_counted(finetune['trials'], 'trial')} a task",
        ),
        ("Constraints", ", ".join(f"{key} at most {value:,}" for key, value in limits.items()) or "none"),
        ("Seed", str(settings["seed"])),
    ]
    return pd.DataFrame(rows, columns=["item", "value"])


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'s'[: count != 1]}"


def _library_text(card: dict[str, Any]) -> str:
    text = f"{card['graphs']:,} models"
    if card.get("level_graphs", card["graphs"]) > card["graphs"]:
        text += f", a sample of {card['level_graphs']:,}"
    return text + (f"; stress of the embedding {card['stress']:.3f}" if card.get("stress") is not None else "")


def _text_of(folder: ResultsFolder, source: str) -> str:
    known = folder.manifest.get("sources", {}).get(source)
    if known is None:
        return "not prepared yet"
    train, held_out = known["train"], known["validation"]
    return (
        f"{train['documents']:,} documents, {train['tokens']:,} tokens for training; "
        f"{held_out['documents']:,} documents held out"
    )


def searches(folder: ResultsFolder) -> pd.DataFrame:
    """One row a search: method, levels, rounds, runs, failures, its best model and what is believed of it."""
    rows = []
    for search in folder.searches:
        settings, seen = folder.search_settings(search), folder.observations(search)
        best = best_of(ranking(folder, search))
        rounds = folder.rounds[search]
        rows.append(
            {
                "search": search,
                "method": settings.get("method"),
                "seed": settings.get("seed"),
                "embedding": settings.get("embedding"),
                "models": settings.get("models"),
                "levels": len({each.level for each in rounds}),
                "rounds": sum(bool(each.runs) for each in rounds),
                "runs": len(seen),
                "failed": int(seen["score"].isna().sum()),
                "best_model": None if best is None else best["model"],
                "trainings": None if best is None else best["trainings"],
                "posterior": None if best is None else best["posterior"],
                "posterior_deviation": None if best is None else best["posterior_deviation"],
            }
        )
    return pd.DataFrame(rows)


def leaderboard(folder: ResultsFolder) -> pd.DataFrame:
    """Models of the main search and its baselines, best first, failed ones last, with costs and origin of weights.

    `score` is the mean of all trainings of a model, `deviation` that of one training, `posterior` what is believed of
    the mean of endless trainings, with its own deviation; hours are those of all trainings.
    """
    search = folder.main_search
    standing = ranking(folder, search)
    tasks = task_columns(standing)
    further = [
        run_columns(folder, RunName.of(row.model, row.recipe)) | _all_hours(folder, search or "", row.model)
        for row in standing.itertuples()
    ]
    first = ["role", "model", "recipe", "trainings", "failed", "score", "deviation", "posterior", "posterior_deviation"]
    parts = [standing[[*first, *tasks]], pd.DataFrame(further), standing[["reason", "level", "round", "status"]]]
    table = pd.concat(parts, axis=1)
    table["role"] = _roles(folder, search or "", table)
    table.insert(0, "rank", range(1, len(table) + 1))
    return table


def _all_hours(folder: ResultsFolder, search: str, model: str) -> dict[str, float]:
    hours = [run_hours(folder, run) for run in trainings_of(folder, search, model)]
    return {"core_hours": sum(core for core, _ in hours), "gpu_hours": sum(gpu for _, gpu in hours)}


def _roles(folder: ResultsFolder, search: str, table: pd.DataFrame) -> list[str]:
    """What each row is: the winner, a candidate, one of its trainings by tuned settings, or a baseline by its name."""
    winner = (winner_of(folder, search) or {}).get("model")
    rows = zip(table["model"], table["recipe"], table["role"], strict=True)
    return [
        "retuned" if Recipe.parse(recipe).kind == RecipeKind.RETUNED else "winner" if model == winner else role
        for model, recipe, role in rows
    ]


def run_columns(folder: ResultsFolder, name: RunName) -> dict[str, Any]:
    """Size, speed, cost and origin of one run; parameters are the encoder's, embeddings included."""
    run, card = folder.runs.get(name), folder.cards.get(name, {})
    costs = folder.model_costs.loc[name.model].to_dict() if name.model in folder.model_costs.index else {}
    core_hours, gpu_hours = run_hours(folder, name)
    model = run.architecture if run else None
    return {
        "parameters": costs.get("parameters", card.get("parameters")),
        "flops_per_token": costs.get("flops_per_token"),
        "latency_ms": costs.get("latency_ms"),
        "core_hours": core_hours,
        "gpu_hours": gpu_hours,
        "weights": weights_text(run),
        "layers": layers_text(model),
        "homogeneous": is_homogeneous(model),
    }


def weights_text(run: Run | None) -> str:
    """Where a run's weights came from, in words."""
    if run is None:
        return ""
    if run.source:
        share = f" ({100 * run.overlap:.0f} %)" if run.overlap is not None else ""
        return f"from {run.source.model}{share}"
    return WEIGHTS[run.origin]


def layers_text(model: dict[str, Any] | None) -> str:
    """A model's layers in short, e.g. "sa-sdp 64x2 | l-dct 32x2" (operation, parameter, hidden size, heads)."""
    if model is None:
        return ""
    texts = []
    for layer in Architecture.from_model_dict(model).layers:
        kinds = "+".join(dict.fromkeys(f"{head.operation}-{head.parameter}" for head in layer.heads))
        texts.append(f"{kinds} {layer.hidden}x{len(layer.heads)}")
    return " | ".join(texts)


def is_homogeneous(model: dict[str, Any] | None) -> bool | None:
    """Whether all layers are alike."""
    return None if model is None else Architecture.from_model_dict(model).homogeneous


def is_final(run: RunName) -> bool:
    """Whether a run was trained at the large budget."""
    return run.recipe.kind == RecipeKind.FINAL


def hyperparameters(folder: ResultsFolder) -> pd.DataFrame:
    """Tuned hyperparameters of the best and of the final models, one row a task (paper, tables 7 and 8)."""
    chosen = [finals[0].name for finals in folder.finals.values()]
    best_found = best_of(ranking(folder, folder.main_search))
    if best_found is not None:
        chosen.append(RunName.from_mapping(best_found))
    rows = []
    for run in dict.fromkeys(chosen):
        for task, best in folder.tasks.get(run, {}).items():
            row = {**run.to_mapping(), "task": task, "score": best.get("score")}
            rows.append(
                row
                | (best.get("hyperparameters") or {})
                | {"best_epoch": best.get("epoch"), "trial": best.get("trial")}
            )
    return pd.DataFrame(rows)


def proposals(folder: ResultsFolder) -> pd.DataFrame:
    """Every model that a search asked for, why, what it expected of it and what came out."""
    columns = ["search", "level", "round", "model", "recipe", "reason", "explanation"]
    expected = ["mean", "aleatoric", "epistemic", "acquisition"]
    rows = []
    for search, rounds in folder.rounds.items():
        for each in rounds:
            for run in each.runs:
                entry = {"search": search, "level": each.level, "round": each.number, **run.name.to_mapping()}
                entry |= {column: run.further.get(column) for column in [*columns[5:], *expected]}
                rows.append(entry | {"score": folder.scores.get(run.name, {}).get("score")})
    table = pd.DataFrame(rows, columns=[*columns, *expected, "score"])
    return table.astype(dict.fromkeys([*expected, "score"], float))


def failures(folder: ResultsFolder) -> pd.DataFrame:
    """Failed candidates, what asked for them and why they failed."""
    asked = {
        run.name: (search, each.level, each.number, run.further["reason"])
        for search, rounds in reversed(folder.rounds.items())
        for each in rounds
        for run in each.runs
    }
    rows = []
    for run in sorted({*folder.cards, *folder.scores}):
        card, score = folder.cards.get(run, {}), folder.scores.get(run, {})
        if Status.FAILED not in (card.get("status"), score.get("status")):
            continue
        stage = "pre-training" if card.get("status") == Status.FAILED else "fine-tuning"
        layers = layers_text(folder.runs[run].architecture if run in folder.runs else None)
        reason = card.get("reason") or score.get("reason") or "no reason told"
        name = (run.model, str(run.recipe))
        rows.append((*name, *asked.get(run, ("", None, None, "")), stage, reason, layers))
    columns = ["model", "recipe", "search", "level", "round", "asked_for", "stage", "reason", "layers"]
    return pd.DataFrame(rows, columns=columns)


def costs(folder: ResultsFolder) -> pd.DataFrame:
    """Hours and energy by stage, and in all; energy only where the device told it."""
    stages: dict[str, list[dict[str, Any]]] = {}
    for stage, cost in _measured(folder):
        stages.setdefault(stage, []).append(cost)
    rows = [{"stage": stage, **_sum_of(entries)} for stage, entries in stages.items()]
    if rows:
        rows.append({"stage": "total", **_sum_of([entry for entries in stages.values() for entry in entries])})
    return pd.DataFrame(rows, columns=COST_COLUMNS).astype({"energy_kwh": float, "peak_memory_mb": float})


def _measured(folder: ResultsFolder) -> Iterator[tuple[str, dict[str, Any]]]:
    """(stage, cost) of each job: the trainings as they measured themselves, all other rules as Snakemake did."""
    for run, cost in folder.training_costs.items():
        kind = run.recipe.kind
        yield "transfer" if kind == RecipeKind.TRANSFER else f"{STAGES.get(kind, '')}pre-training", cost
    for run, tasks in folder.task_costs.items():
        for cost in tasks.values():
            yield f"{STAGES.get(run.recipe.kind, '')}fine-tuning", cost
    for rule, record in folder.benchmarks():
        if rule not in MEASURED_BY_THEMSELVES:
            yield rule, {"seconds": _number(record.get("cpu_time")), "peak_memory_mb": _number(record.get("max_rss"))}


def _sum_of(entries: list[dict[str, Any]]) -> dict[str, Any]:
    hours = [hours_of(entry) for entry in entries]
    energies = [entry["energy_joules"] for entry in entries if entry.get("energy_joules") is not None]
    memory = [entry["peak_memory_mb"] for entry in entries if entry.get("peak_memory_mb") is not None]
    return {
        "jobs": len(entries),
        "core_hours": sum(core for core, _ in hours),
        "gpu_hours": sum(gpu for _, gpu in hours),
        "energy_kwh": sum(energies) / JOULES_A_KWH if energies else None,
        "peak_memory_mb": max(memory, default=None),
    }


def hours_of(cost: dict[str, Any]) -> tuple[float, float]:
    """(core hours, GPU hours) of one job; a job on a GPU counts by its devices, any other by its threads."""
    hours = (cost.get("seconds") or 0.0) / SECONDS_AN_HOUR
    if str(cost.get("device", "cpu")).startswith("cpu"):
        return hours * cost.get("threads", 1), 0.0
    return 0.0, hours * cost.get("devices", 1)


def run_hours(folder: ResultsFolder, run: RunName) -> tuple[float, float]:
    """(core hours, GPU hours) of one run: its pre-training or transfer and all its fine-tunings."""
    parts = [folder.training_costs.get(run, {}), *folder.task_costs.get(run, {}).values()]
    hours = [hours_of(cost) for cost in parts]
    return sum(core for core, _ in hours), sum(gpu for _, gpu in hours)


def versions(folder: ResultsFolder) -> pd.DataFrame:
    """Versions of the software that made the results."""
    return pd.DataFrame(
        sorted((name, str(value)) for name, value in folder.versions.items()), columns=["software", "version"]
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
