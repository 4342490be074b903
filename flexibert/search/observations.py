"""What a search has seen so far: one table, a row for each run and a column for each task."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexibert.files import read_json, write_csv
from flexibert.layout import OBSERVATION_COLUMNS
from flexibert.runs import Round, RunName

if TYPE_CHECKING:
    import pandas


def read_observations(path: str | Path | None) -> "pandas.DataFrame":
    """A table that `observe_round` wrote; an empty one for None."""
    import pandas

    if path is None:
        empty = pandas.DataFrame({name: [] for name in OBSERVATION_COLUMNS})
        return empty.astype({"model": str, "recipe": str, "score": float})
    return pandas.read_csv(path, dtype={"model": str, "recipe": str, "source": str})


def observe_round(
    proposal: str | Path, before: str | Path | None, scores: Sequence[str | Path], suite: str, out: str | Path
) -> None:
    """Write the observations up to and including one round: a row for each run, a column for each task.

    Args:
        proposal: The round's proposal.
        before: Observations before the round, or None.
        scores: One score.json for each proposed run, in any order.
        suite: The suite whose mean is the objective.
        out: Where the table is written (CSV).
    """
    import pandas

    made = Round.from_mapping(read_json(proposal))
    found = {RunName.from_mapping(score): score for score in map(read_json, scores)}
    rows = []
    for run in made.runs:
        score = found[run.name]
        row = {"level": made.level, "round": made.number, **run.to_mapping()}
        row |= {
            "source": run.source and str(run.source),
            "status": score["status"],
            "score": score["suites"].get(suite),
        }
        rows.append({key: row[key] for key in OBSERVATION_COLUMNS} | score["tasks"])
    table = pandas.DataFrame(rows)
    if before is not None:
        table = pandas.concat([read_observations(before), table], ignore_index=True)
    write_csv(out, table)


def best_run(history: "pandas.DataFrame") -> dict[str, Any] | None:
    """The run with the best score so far, or None while there is none."""
    scored = history[history["score"].notna()]
    if scored.empty:
        return None
    best = scored.loc[scored["score"].idxmax()]
    return {"model": best["model"], "recipe": best["recipe"], "score": round(float(best["score"]), 6)}
