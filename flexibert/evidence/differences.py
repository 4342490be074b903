"""How far two models are apart, with an interval: trainings are drawn again, and so are the rows that score them.

Two things blur a difference. Other seeds would have given other trainings; other rows would have given other scores.
Both models answer the same rows, so rows are drawn in pairs by a bootstrap, a task at a time; seeds come as few as
three, where the percentiles of a bootstrap are far too narrow, so their part is its limit in closed form with the
correction for small numbers (Welch, 1947). What seeds and rows have in common is counted once (the analysis of variance
of a crossed design; the plain two-way bootstrap counts it twice: Owen, 2007, "The pigeonhole bootstrap").
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flexibert.errors import SearchError
from flexibert.evidence.resampled import TaskAnswers, draws, task_scores

LEVEL = 0.95
RESAMPLES = 2000
CELLS = 1_000_000  # of a piece of resamples: the memory of a large task's bootstrap stays at tens of megabytes
POWER = 0.8  # chance with which the seeds asked for would settle a difference as large as the one seen
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Difference:
    """First model minus second model, in points.

    Attributes:
        mean: Of the trainings there are.
        low, high: Interval of the level asked for; infinite where one of the models was trained once.
        seeds: Trainings of the first and of the second model.
        seed_variances: Of a single training, of the first and of the second model; NaN where there is one.
        row_variance: What the choice of rows adds to the mean's variance, however many the seeds; 0 if not at hand.
        rows: Rows of all tasks; None where only the scores of trainings were at hand.
        level: Of the interval, e.g. 0.95.
    """

    mean: float
    low: float
    high: float
    seeds: tuple[int, int]
    seed_variances: tuple[float, float]
    row_variance: float = 0.0
    rows: int | None = None
    level: float = LEVEL

    @property
    def told(self) -> bool:
        """Whether there is an interval at all."""
        return math.isfinite(self.low)

    @property
    def settled(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0

    def to_mapping(self) -> dict[str, Any]:
        """For JSON: an interval or variance that does not exist is null."""
        fields = dict(vars(self), seeds=list(self.seeds), seed_variances=list(map(_finite, self.seed_variances)))
        return fields | {"low": _finite(self.low), "high": _finite(self.high)}


def difference_of_scores(first: Sequence[float], second: Sequence[float], level: float = LEVEL) -> Difference:
    """Difference by the scores of trainings alone (Welch's t interval): other rows could give another one.

    Args:
        first, second: Scores of each model's trainings, in points; failures left out.
        level: Of the interval.

    Raises:
        SearchError: A model has no score.
    """
    return _with_interval([np.asarray(one, np.float64) for one in (first, second)], 0.0, None, level)


def difference_of_answers(
    first: Mapping[str, TaskAnswers],
    second: Mapping[str, TaskAnswers],
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Difference:
    """Difference of the mean score over tasks, by the answers of both models' trainings to the same rows.

    Args:
        first, second: Answers by task; each model has the same number of trainings on all its tasks.
        seed: Of the bootstrap.
        resamples: Of the rows.
        level: Of the interval.

    Raises:
        SearchError: The models did not answer the same rows of the same tasks, or a model has no training.
        TaskError: A metric is unknown.
    """
    if problems := _mismatches(first, second):
        raise SearchError(problems)
    generator = np.random.default_rng(seed)
    actual, resampled = [], []
    for task in sorted(first):
        pair = (first[task], second[task])
        units = int(first[task].units.max()) + 1
        actual.append([task_scores(one, np.ones((1, units), np.float32))[0] for one in pair])
        resampled.append(_bootstrap(pair, units, resamples, generator))
    scores = [np.mean([task[which] for task in actual], axis=0) for which in (0, 1)]  # (trainings,) each
    drawn = [np.mean([task[which] for task in resampled], axis=0) for which in (0, 1)]  # (resamples, trainings)
    rows = sum(len(answers.labels) for answers in first.values())
    return _with_interval(scores, _row_variance(drawn), rows, level)


def further_seeds(difference: Difference) -> int | None:
    """So many more trainings of each model would settle a difference as large as the one seen, four times in five.

    Returns:
        0 if it is settled; None where no number would: the difference is nothing, the rows are too few, or there is
        but one training of a model, so that the noise is unknown.
    """
    if difference.settled:
        return 0
    if not difference.told or difference.mean == 0:
        return None
    from scipy.stats import norm

    present = max(difference.seeds)
    for seeds in range(present + 1, MOST_SEEDS):
        error, freedom = _error(difference.seed_variances, (seeds, seeds), difference.row_variance)
        if abs(difference.mean) > (_quantile(freedom, difference.level) + norm.ppf(POWER)) * error:
            return seeds - present
    return None


def _bootstrap(
    pair: tuple[TaskAnswers, TaskAnswers], units: int, resamples: int, generator: np.random.Generator
) -> list[np.ndarray]:
    """Scores of both models on the same resamples of one task's rows; shape (resamples, trainings) each."""
    size = max(1, CELLS // units)
    pieces: list[list[np.ndarray]] = [[], []]
    for done in range(0, resamples, size):
        weights = draws(units, min(size, resamples - done), generator)
        for collected, answers in zip(pieces, pair, strict=True):
            collected.append(task_scores(answers, weights))
    return [np.concatenate(piece) for piece in pieces]


def _row_variance(drawn: Sequence[np.ndarray]) -> float:
    """Variance of the difference by the rows, without the part that more seeds would average away.

    That part (each training errs on rows of its own) is in the variance over seeds already. Of one model it is the
    variance of a single training's score over resamples minus that of the mean's, over seeds - 1.
    """
    whole = float(np.var(drawn[0].mean(axis=1) - drawn[1].mean(axis=1), ddof=1))
    for scores in drawn:
        if scores.shape[1] > 1:
            single = float(np.var(scores, axis=0, ddof=1).mean())
            of_mean = float(np.var(scores.mean(axis=1), ddof=1))
            whole -= (single - of_mean) / (scores.shape[1] - 1)
    return max(whole, 0.0)


def _with_interval(scores: Sequence[np.ndarray], row_variance: float, rows: int | None, level: float) -> Difference:
    if any(len(one) == 0 for one in scores):
        raise SearchError("a model without a finished training cannot be compared; leave it out")
    seeds = (len(scores[0]), len(scores[1]))
    first, second = (float(one.var(ddof=1)) if len(one) > 1 else math.nan for one in scores)
    mean = float(scores[0].mean() - scores[1].mean())
    half = math.inf
    if min(seeds) > 1:
        error, freedom = _error((first, second), seeds, row_variance)
        half = _quantile(freedom, level) * error
    return Difference(mean, mean - half, mean + half, seeds, (first, second), row_variance, rows, level)


def _error(variances: tuple[float, float], seeds: tuple[int, int], row_variance: float) -> tuple[float, float]:
    """Standard error of the mean difference and its degrees of freedom, after Welch; those of the rows have no end."""
    parts = [variance / count for variance, count in zip(variances, seeds, strict=True)]
    total = math.fsum([*parts, row_variance])
    uncertain = math.fsum(part**2 / (count - 1) for part, count in zip(parts, seeds, strict=True))
    return math.sqrt(total), total**2 / uncertain if uncertain > 0 else math.inf


def _quantile(freedom: float, level: float) -> float:
    """Half-width of the two-sided interval in standard errors."""
    from scipy.stats import norm, t

    upper = 0.5 + level / 2.0
    return float(t.ppf(upper, freedom) if math.isfinite(freedom) else norm.ppf(upper))


def _mismatches(first: Mapping[str, TaskAnswers], second: Mapping[str, TaskAnswers]) -> list[str]:
    if not first or set(first) != set(second):
        return [
            f"the models answered different tasks ({', '.join(sorted(first)) or 'none'} and "
            f"{', '.join(sorted(second)) or 'none'}); compare them on the same ones"
        ]
    problems = [
        f"task {task}: the models answered different rows; score both again on the same kept-away rows"
        for task in sorted(first)
        if not np.array_equal(first[task].labels, second[task].labels)
    ]
    for answers in (first, second):
        counts = {task: len(one.outputs) for task, one in answers.items()}
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{task} {count}" for task, count in sorted(counts.items()))
            problems.append(f"a model has unequal numbers of trainings on its tasks ({told}); finish the missing ones")
    return problems


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
