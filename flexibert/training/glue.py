"""The score of a run: the mean over the tasks of a suite, as GLUE and SuperGLUE define it."""

import math
from pathlib import Path
from typing import Any

from flexibert.files import read_json, write_json
from flexibert.runs import Status

LEFT_OUT_OF_EIGHT = "wnli"  # NAS-BERT and others report the mean over the other eight tasks


def aggregate(results: list[str | Path], suite: str, out: str | Path) -> None:
    """Write one run's score.json from the best.json of its tasks.

    The score is the mean over the tasks of `suite`, in points; it is null and the status "failed" where one of them
    has failed. A failed task of another suite leaves that suite's mean null.

    Args:
        results: best.json of each task of one run.
        suite: The suite whose mean is the run's score.
        out: score.json.
    """
    best = [read_json(path) for path in results]
    [(model, recipe)] = {(result["model"], result["recipe"]) for result in best}
    suites: dict[str, list[dict[str, Any]]] = {}
    for result in sorted(best, key=lambda result: result["task"]):
        suites.setdefault(result["task"].partition("-")[0], []).append(result)
    failed = [result for result in suites[suite] if result["status"] == Status.FAILED]
    eight = [result for result in suites[suite] if result["task"] != f"{suite}-{LEFT_OUT_OF_EIGHT}"]
    write_json(
        out,
        {
            "model": model,
            "recipe": recipe,
            "status": Status.FAILED if failed else Status.OK,
            "reason": failed[0]["reason"] if failed else None,
            "score": _mean(suites[suite]),
            "eight": _mean(eight),
            "suites": {name: _mean(members) for name, members in suites.items()},
            "tasks": {result["task"]: result["score"] for result in best},
        },
    )


def _mean(results: list[dict[str, Any]]) -> float | None:
    """Mean score; None where a task has failed or there is none."""
    scores = [result["score"] for result in results]
    return None if not scores or None in scores else math.fsum(scores) / len(scores)
