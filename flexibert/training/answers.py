"""Scores of a model's answers to the rows of a task, and the file of those to the rows kept away.

The file holds plain arrays (no pickle): `outputs` (rows, labels) or (rows, 1), `labels`, `groups`, `overlaps` (rows,)
and `metrics`, names of the task's metrics. The answer to a row is its highest output, or for a regression its value.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flexibert.files import whole_file
from flexibert.training.metrics import Answers, points


def scored(answers: Answers, metrics: Sequence[str]) -> dict[str, float]:
    """Each metric and their mean as "score", in points.

    Raises:
        TaskError: A metric is unknown.
    """
    each = points(metrics, answers)
    return {"score": math.fsum(each.values()) / len(each), **each}


def summary(answers: Answers, metrics: Sequence[str]) -> dict[str, object]:
    """Score, metrics and number of rows, as JSON holds them; errors as of `scored`."""
    each = scored(answers, metrics)
    return {"score": each.pop("score"), "metrics": each, "rows": len(answers.labels)}


def write_answers(path: str | Path, answers: Answers, metrics: Sequence[str]) -> None:
    """Write the file described above; rows that stand alone are groups of their own."""
    rows = len(answers.labels)
    groups = np.arange(rows) if answers.groups is None else answers.groups
    overlaps = np.zeros(rows, np.float32) if answers.overlaps is None else answers.overlaps
    with whole_file(path) as part, open(part, "wb") as stream:
        np.savez_compressed(
            stream,
            outputs=answers.scores,
            labels=answers.labels,
            groups=groups,
            overlaps=overlaps,
            metrics=np.array(metrics, dtype=np.str_),
        )
