"""The official metrics of GLUE (Wang et al., 2018) and SuperGLUE (Wang et al., 2019), in points: 100 is perfect.

They are a few lines of numpy each, tested against scikit-learn and scipy; importing those takes longer (2.6 s
measured) than evaluating does, in every one of a search's many jobs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from flexibert.errors import TaskError


@dataclass(frozen=True)
class Answers:
    """What a model answered and what was right, row by row; every array has shape (rows,) unless said.

    Attributes:
        scores: The network's outputs; shape (rows, labels), or (rows, 1) for a regression.
        labels: True class, or true value for a regression.
        groups: Equal integers for the rows of one question, where several rows make one; else None.
        overlaps: ReCoRD: best token F1 of the row's candidate with any of the right answers, in [0, 1]; else None.
    """

    scores: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None = None
    overlaps: np.ndarray | None = None

    @property
    def classes(self) -> np.ndarray:
        """Predicted class of each row."""
        return self.scores.argmax(axis=1)

    @property
    def values(self) -> np.ndarray:
        """Predicted value of each row of a regression."""
        return self.scores[:, 0].astype(np.float64)


def points(metrics: Sequence[str], answers: Answers) -> dict[str, float]:
    """Each metric by name, in points (100 x the metric).

    Raises:
        TaskError: A metric is not known here.
    """
    unknown = [name for name in metrics if name not in METRICS]
    if unknown:
        raise TaskError([f"metric {name!r} is unknown; known: {', '.join(METRICS)}" for name in unknown])
    return {name: 100.0 * float(METRICS[name](answers)) for name in metrics}


def accuracy(answers: Answers) -> float:
    """Share of rows answered rightly."""
    return float(np.mean(answers.classes == answers.labels))


def f1(answers: Answers) -> float:
    """Harmonic mean of precision and recall of class 1, over all rows (MRPC, QQP; MultiRC's F1 over all answers)."""
    return _class_f1(answers.classes, answers.labels, 1)


def macro_f1(answers: Answers) -> float:
    """Mean of the F1 of the classes that occur, in answers or truth (CommitmentBank)."""
    classes = np.union1d(answers.classes, answers.labels)
    return float(np.mean([_class_f1(answers.classes, answers.labels, one) for one in classes]))


def matthews(answers: Answers) -> float:
    """Matthews correlation of the classes (CoLA), after Gorodkin (2004) for any number of them; 0 where undefined."""
    size = 1 + int(max(answers.classes.max(), answers.labels.max()))
    table = np.zeros((size, size))
    np.add.at(table, (answers.labels.astype(int), answers.classes), 1.0)
    true, predicted, rows = table.sum(axis=1), table.sum(axis=0), table.sum()
    covariance = table.trace() * rows - true @ predicted
    spread = np.sqrt((rows**2 - true @ true) * (rows**2 - predicted @ predicted))
    return float(covariance / spread) if spread > 0 else 0.0


def pearson(answers: Answers) -> float:
    """Linear correlation (STS-B); 0 where one side is constant."""
    return _correlation(answers.values, answers.labels.astype(np.float64))


def spearman(answers: Answers) -> float:
    """Linear correlation of the ranks, equal values sharing their mean rank (STS-B); 0 where one side is constant."""
    return _correlation(_ranks(answers.values), _ranks(answers.labels))


def exact_match(answers: Answers) -> float:
    """Share of questions all of whose rows are answered rightly (MultiRC)."""
    wrong = answers.classes != answers.labels
    return float(np.mean([not wrong[rows].any() for rows in _questions(answers)]))


def group_accuracy(answers: Answers) -> float:
    """Share of questions whose most preferred row is a right one (COPA; ReCoRD's exact match).

    The preferred row has the highest margin of class 1 over class 0.
    """
    return float(np.mean(answers.labels[_preferred(answers)] == 1))


def group_overlap(answers: Answers) -> float:
    """Mean token F1 of the most preferred row of each question (ReCoRD's F1)."""
    if answers.overlaps is None:
        raise TaskError("metric 'group_overlap' needs the token F1 of each candidate; the task has none")
    return float(np.mean(answers.overlaps[_preferred(answers)]))


METRICS: dict[str, Callable[[Answers], float]] = {
    "accuracy": accuracy,
    "f1": f1,
    "macro_f1": macro_f1,
    "matthews": matthews,
    "pearson": pearson,
    "spearman": spearman,
    "exact_match": exact_match,
    "group_accuracy": group_accuracy,
    "group_overlap": group_overlap,
}


def _class_f1(predicted: np.ndarray, true: np.ndarray, which: int) -> float:
    """F1 of one class; 0 where it occurs on neither side."""
    both = np.sum((predicted == which) & (true == which))
    either = np.sum(predicted == which) + np.sum(true == which)
    return float(2.0 * both / either) if either else 0.0


def _correlation(left: np.ndarray, right: np.ndarray) -> float:
    left, right = left - left.mean(), right - right.mean()
    spread = np.sqrt(left @ left) * np.sqrt(right @ right)
    return float(left @ right / spread) if spread > 0 else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    """Rank of each value from 1; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[inverse]


def _questions(answers: Answers) -> list[np.ndarray]:
    """Rows of each question."""
    if answers.groups is None:
        raise TaskError("a metric over questions needs the question of each row; the task has no groups")
    order = np.argsort(answers.groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(answers.groups[order])) + 1)


def _preferred(answers: Answers) -> np.ndarray:
    """The most preferred row of each question; the first of equals."""
    margins = answers.scores[:, 1] - answers.scores[:, 0]
    return np.array([rows[np.argmax(margins[rows])] for rows in _questions(answers)])
