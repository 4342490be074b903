"""A model's answers to the rows of a task, and the file that keeps those to the rows kept away.

The file holds plain arrays (no pickle): `outputs` (rows, labels) or (rows, 1), `labels`, `groups`, `overlaps` (rows,)
and `metrics`, names of the task's metrics. The answer to a row is its highest output, or for a regression its value.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flexibert.data.tasks import TaskData
from flexibert.encoder.network import SequenceClassifier
from flexibert.files import whole_file
from flexibert.training.hardware import Hardware
from flexibert.training.labelled import by_length, inputs_of
from flexibert.training.loop import DivergenceError
from flexibert.training.metrics import Answers, points

EVALUATION_ROWS = 256  # rows a forward pass of an evaluation


def answers_of(network: SequenceClassifier, data: TaskData, hardware: Hardware) -> Answers:
    """What the present weights answer to every row, in the order of the rows.

    Raises:
        DivergenceError: An output is not finite.
    """
    outputs = np.empty((len(data), data.facts["outputs"]), dtype=np.float32)
    for rows in by_length(data, EVALUATION_ROWS):
        inputs = {name: value.to(hardware.device) for name, value in inputs_of(data, rows).items() if name != "labels"}
        with hardware.autocast():
            logits = network(**inputs).logits
        outputs[rows] = logits.float().cpu().numpy()
    if not np.isfinite(outputs).all():
        raise DivergenceError("outputs of an evaluation are not finite")
    return Answers(outputs, data.labels, data.groups, data.overlaps)


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
