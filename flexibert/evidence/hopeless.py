"""Tasks that tell models apart by luck alone: no model is believed to be better than the majority answer."""

from collections.abc import Mapping, Sequence

from flexibert.errors import SearchError
from flexibert.evidence.posterior import posterior

CONFIDENCE = 1.645  # deviations above the majority: one model in twenty at its level would seem better by that


def hopeless_tasks(
    scores: Mapping[str, Mapping[str, Sequence[float | None]]], majority: Mapping[str, float]
) -> list[str]:
    """Tasks on which no model is known to beat the majority.

    The best of many single trainings beats it by luck on any task, so models are judged by the posterior of their true
    scores, which draws them together where only noise sets them apart.

    Args:
        scores: Per task and model, the scores of its trainings in points; None for one that failed.
        majority: The majority's score by task, on the same rows; tasks without it are not judged.

    Returns:
        Names of the tasks, in the order given; one that no training has finished is among them.
    """
    return [task for task in scores if task in majority and not _beaten(scores[task], majority[task])]


def _beaten(models: Mapping[str, Sequence[float | None]], majority: float) -> bool:
    try:
        beliefs = posterior(models)
    except SearchError:
        return False
    return any(belief.mean - CONFIDENCE * belief.deviation > majority for belief in beliefs.values())
