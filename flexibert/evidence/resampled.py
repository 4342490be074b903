"""A task's score on thousands of resamples of its rows at once, from each training's answers.

Every metric but the rank correlation is a function of sums over rows, so a resample costs one row of a matrix product.
The formulas are those of the fine-tuning's metrics: 100 is perfect.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flexibert.errors import SearchError, TaskError


@dataclass(frozen=True)
class TaskAnswers:
    """Answers of a model's trainings to the same rows of one task.

    Attributes:
        outputs: What each training gave: class scores, (trainings, rows, labels), or values, (trainings, rows, 1).
        labels: True class, or true value for a regression; shape (rows,).
        metrics: Names of the metrics whose mean is the task's score.
        groups: Equal integers for the rows of one question; shape (rows,), or None where rows stand alone.
        overlaps: Token F1 of each row's candidate with the right answers, for `group_overlap`; shape (rows,), or None.
    """

    outputs: np.ndarray
    labels: np.ndarray
    metrics: Sequence[str]
    groups: np.ndarray | None = None
    overlaps: np.ndarray | None = None

    @classmethod
    def load(cls, files: Sequence[str | Path]) -> "TaskAnswers":
        """Join the answers.npz of a model's trainings on one task.

        Raises:
            SearchError: The files answer different rows, or there is none.
        """
        if not files:
            raise SearchError("there are no answers to join; no training of the model has any")
        loaded = []
        for path in files:
            with np.load(path, allow_pickle=False) as arrays:
                loaded.append({name: arrays[name] for name in arrays.files})
        first = loaded[0]
        for path, other in zip(files, loaded, strict=True):
            if any(not np.array_equal(first[name], other[name]) for name in ("labels", "groups", "metrics")):
                raise SearchError(f"{path}: answers other rows than {files[0]}; make both again from the same task")
        outputs = np.stack([one["outputs"] for one in loaded])
        return cls(outputs, first["labels"], first["metrics"].tolist(), first["groups"], first["overlaps"])

    @property
    def units(self) -> np.ndarray:
        """What is drawn as a whole, numbered from 0: the question of each row, or the row; shape (rows,)."""
        if self.groups is None:
            return np.arange(len(self.labels))
        return np.unique(self.groups, return_inverse=True)[1]


def draws(units: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """How often each unit is in each resample; float32 of shape (resamples, units), rows sum to `units`."""
    drawn = generator.integers(0, units, (resamples, units)) + units * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * units).reshape(resamples, units).astype(np.float32)


def task_scores(answers: TaskAnswers, weights: np.ndarray) -> np.ndarray:
    """Mean of the task's metrics for each resample and training, in points.

    Args:
        answers: Of one model.
        weights: How often each unit counts; shape (resamples, units).

    Returns:
        Float64 of shape (resamples, trainings).

    Raises:
        TaskError: A metric is unknown.
    """
    if unknown := [name for name in answers.metrics if name not in METRICS]:
        raise TaskError([f"metric {name!r} is unknown; known: {', '.join(METRICS)}" for name in unknown])
    by_metric = [METRICS[name](answers, weights) for name in answers.metrics]
    return 100.0 * np.mean(by_metric, axis=0)


def _summed(features: np.ndarray, answers: TaskAnswers, weights: np.ndarray) -> np.ndarray:
    """Weighted sums over rows of features of shape (trainings, rows, k): (resamples, trainings, k)."""
    trainings, _, width = features.shape
    units = answers.units
    by_unit = np.zeros((weights.shape[1], trainings, width))
    np.add.at(by_unit, units, features.transpose(1, 0, 2))
    flat = by_unit.reshape(len(by_unit), -1)
    return (weights @ flat.astype(np.float64)).reshape(len(weights), trainings, width)


def _mean_over_units(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean of one figure a unit; values of shape (trainings, units)."""
    return weights @ values.T.astype(np.float64) / weights.sum(axis=1, dtype=np.float64)[:, None]


def _classes(answers: TaskAnswers) -> np.ndarray:
    return answers.outputs.argmax(axis=2)  # (trainings, rows)


def _accuracy(answers: TaskAnswers, weights: np.ndarray) -> np.ndarray:
    right = (_classes(answers) == answers.labels)[..., None].astype(np.float64)
    sums = _summed(np.concatenate([right, np.ones_like(right)], axis=2), answers, weights)
    return sums[..., 0] / sums[..., 1]


def _tables(answers: TaskAnswers, weights: np.ndarray) -> np.ndarray:
    """Weighted confusion tables, true class by predicted class: (resamples, trainings, classes, classes)."""
    size = answers.outputs.shape[2]
    cells = answers.labels.astype(np.int64) * size + _classes(answers)
    sums = _summed((cells[..., None] == np.arange(size * size)).astype(np.float64), answers, weights)
    return sums.reshape(*sums.shape[:2], size, size)


def _class_f1s(tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F1 of each class, 0 where it occurs on neither side, and whether it occurs."""
    both = np.diagonal(tables, axis1=2, axis2=3)
    either = tables.sum(axis=2) + tables.sum(axis=3)
    return np.divide(2.0 * both, either, out=np.zeros_like(both), where=either > 0), either > 0


def _f1(answers: TaskAnswers, weights: np.ndarray) -> np.ndarray:
    return _class_f1s(_tables(answers, weights))[0][..., 1]


def _macro_f1(answers: TaskAnswers, weights: np.ndarray) -> np.ndarray:
    each, occurs = _class_f1s(_tables(answers, weights))
    return each.sum(axis=2) / occurs.sum(axis=2)


def _matthews(answers: TaskAnswers, weights: np.ndarray) -> np.ndarray:
    tables = _tables(answers, weights)
    true, predicted = tables.sum(axis=3), tables.sum(axis=2)
    rows = true.sum(axis=2)
    covariance = np.trace(tables, axis1=2, axis2=3) * rows - np.sum(true * predicted, axis=2)
    spread = np.sqrt((rows**2 - np.sum(true**2, axis=2)) * (rows**2 - np.sum(predicted**2, axis=2)))
    return np.divide(covariance, spread, out=np.zeros_like(covariance), where=spread > 0)


def _pearson(answers: TaskAnswers, weights: np.ndarray) -> np.ndarray:
    left = answers.outputs[..., 0].astype(np.float64)
    right = np.broadcast_to(answers.labels.astype(np.float64), left.shape)
    left, right = left - left.mean(axis=1, keepdims=True), right - right.mean(axis=1, keepdims=True)
    features = np.stack([np.ones_like(left), left, right, left * left, right * right, left * right], axis=2)
    return _correlation(np.moveaxis(_summed(features, answers, weights), 2, 0))


def _spearman(answers: TaskAnswers, weights: np.ndarray) -> np.ndarray:
    by_row = weights[:, answers.units].astype(np.float64)
    right = _weighted_ranks(answers.labels, by_row)
    found = [_correlation(_moments(_weighted_ranks(one[:, 0], by_row), right, by_row)) for one in answers.outputs]
    return np.stack(found, axis=1)


def _weighted_ranks(values: np.ndarray, by_row: np.ndarray) -> np.ndarray:
    """Rank of each row in each resample, about the middle rank; equal values share their mean rank."""
    unique, inverse = np.unique(values, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    starts = np.searchsorted(inverse[order], np.arange(len(unique)))
    counts = np.add.reduceat(by_row[:, order], starts, axis=1)  # (resamples, values)
    ranks = np.cumsum(counts, axis=1) - (counts - 1.0) / 2.0
    return ranks[:, inverse] - (by_row.sum(axis=1, keepdims=True) + 1.0) / 2.0


def _moments(left: np.ndarray, right: np.ndarray, by_row: np.ndarray) -> np.ndarray:
    """Weighted sums of 1, x, y, xx, yy, xy over rows: (6, resamples)."""
    pairs = [(by_row, None), (left, None), (right, None), (left, left), (right, right), (left, right)]
    sums = [by_row.sum(axis=1)]
    sums += [
        np.einsum("br,br->b", by_row, one) if other is None else np.einsum("br,br,br->b", by_row, one, other)
        for one, other in pairs[1:]
    ]
    return np.stack(sums)


def _correlation(moments: np.ndarray) -> np.ndarray:
    """Linear correlation from the sums of 1, x, y, xx, yy, xy, which stand first; 0 where one side is constant."""
    count, x, y, xx, yy, xy = moments
    covariance = xy - x * y / count
    spread_x, spread_y = xx - x * x / count, yy - y * y / count
    varies = (spread_x > 1e-12 * xx) & (spread_y > 1e-12 * yy)  # what rounding leaves of a constant is no spread
    spread = np.sqrt(np.where(varies, spread_x * spread_y, 1.0))
    return np.where(varies, covariance / spread, 0.0)


def _exact_match(answers: TaskAnswers, weights: np.ndarray) -> np.ndarray:
    right = np.ones((len(answers.outputs), weights.shape[1]))
    np.minimum.at(right.T, answers.units, (_classes(answers) == answers.labels).T.astype(np.float64))
    return _mean_over_units(right, weights)


def _of_preferred(answers: TaskAnswers, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over questions of the figure of the row with the highest margin of class 1, the first of equals."""
    margins = answers.outputs[..., 1] - answers.outputs[..., 0]  # (trainings, rows)
    units = answers.units
    first = np.flatnonzero(np.diff(np.sort(units), prepend=-1))
    chosen = [values[np.lexsort((np.arange(len(units)), -margin, units))[first]] for margin in margins]
    return _mean_over_units(np.stack(chosen), weights)


def _group_accuracy(answers: TaskAnswers, weights: np.ndarray) -> np.ndarray:
    return _of_preferred(answers, (answers.labels == 1).astype(np.float64), weights)


def _group_overlap(answers: TaskAnswers, weights: np.ndarray) -> np.ndarray:
    if answers.overlaps is None:
        raise TaskError("metric 'group_overlap' needs the token F1 of each candidate; the task has none")
    return _of_preferred(answers, answers.overlaps.astype(np.float64), weights)


METRICS: dict[str, Callable[[TaskAnswers, np.ndarray], np.ndarray]] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "macro_f1": _macro_f1,
    "matthews": _matthews,
    "pearson": _pearson,
    "spearman": _spearman,
    "exact_match": _exact_match,
    "group_accuracy": _group_accuracy,
    "group_overlap": _group_overlap,
}
