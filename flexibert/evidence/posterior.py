"""What repeated trainings tell of a model's true score: the mean that endless trainings with fresh seeds would have.

The model is the normal hierarchy of Gelman et al. (Bayesian Data Analysis, 3rd edition, section 5.4): a training
scores the model's true score plus noise, true scores scatter about a common mean, and how much they scatter is learned
from all models together (empirical Bayes, here integrated over a grid). So a model of one lucky training is drawn
towards the others, and one of many trainings hardly.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flexibert.errors import SearchError

NOISE_POINTS, SHARE_POINTS = 120, 40  # of the grid over the noise and its share of the variance
OUTLYING = 3.0  # robust deviations beyond which a model says no more of how models scatter
ROUNDING = 1e-9  # of the scores' size: less is no deviation
NORMAL_MAD = 1.4826  # deviation of a normal distribution over its median absolute deviation


@dataclass(frozen=True)
class Belief:
    """What is known of one model's true score, in the unit of the scores (points).

    Attributes:
        mean: Posterior mean.
        deviation: Posterior standard deviation; NaN where nothing tells of the noise (one model, trained once).
        average: Plain mean of the trainings, failures counted as the worst score seen.
        trainings: How many there were, failed ones included.
        failed: How many of them failed.
    """

    mean: float
    deviation: float
    average: float
    trainings: int
    failed: int


@dataclass(frozen=True)
class Noise:
    """Scatter of one model's trainings about its true score, pooled over the models.

    Attributes:
        deviation: Standard deviation of a single training; NaN where a single training is all there is.
        freedom: Degrees of freedom that repeated trainings gave; 0: the deviation is little more than a guess.
    """

    deviation: float
    freedom: int


@dataclass(frozen=True)
class _Summary:
    """Trainings by model; every array has shape (models,)."""

    means: np.ndarray
    counts: np.ndarray
    failed: np.ndarray
    squares: float  # sum of squares about the models' own means, failures left out
    freedom: int

    @property
    def own_noise(self) -> float:
        """Deviation of a training by repeated ones alone; NaN where there are none."""
        return math.sqrt(self.squares / self.freedom) if self.freedom else math.nan


def posterior(trainings: Mapping[str, Sequence[float | None]]) -> dict[str, Belief]:
    """Posterior of every model's true score.

    Args:
        trainings: Scores of each model's trainings; None or NaN for one that failed. A failure counts as the worst
            score seen in any training; it lowers its model, but does not count as noise of trainings that go well.

    Returns:
        A belief for each model, in the order given.

    Raises:
        SearchError: A model has no training, or all trainings of all models failed.
    """
    summary = _summary(trainings)
    grid = _Grid.of(summary)
    if grid is None:
        means, deviations = summary.means, summary.own_noise / np.sqrt(summary.counts)
    else:
        means, deviations = grid.true_scores(summary)
    columns = (means, deviations, summary.means, summary.counts, summary.failed)
    return {name: Belief(*row) for name, *row in zip(trainings, *(column.tolist() for column in columns), strict=True)}


def noise_of(trainings: Mapping[str, Sequence[float | None]]) -> Noise:
    """Noise of one training; arguments and errors as of `posterior`."""
    summary = _summary(trainings)
    grid = _Grid.of(summary)
    return Noise(summary.own_noise if grid is None else grid.typical_noise(), summary.freedom)


def best_model(beliefs: Mapping[str, Belief]) -> str:
    """Name of the model of the highest posterior mean; of equals the one trained most often, then the first."""
    return max(beliefs, key=lambda name: (beliefs[name].mean, beliefs[name].trainings))


def _summary(trainings: Mapping[str, Sequence[float | None]]) -> _Summary:
    scores = {name: np.array(values, dtype=np.float64) for name, values in trainings.items()}
    if empty := [name for name, values in scores.items() if len(values) == 0]:
        raise SearchError([f"model {name} has no training; leave it out" for name in empty])
    finite = [values[np.isfinite(values)] for values in scores.values()]
    if not any(len(values) for values in finite):
        raise SearchError("every training of every model failed; no score tells them apart")
    worst = min(float(values.min()) for values in finite if len(values))
    means = [float(np.where(np.isfinite(values), values, worst).mean()) for values in scores.values()]
    return _Summary(
        means=np.array(means),
        counts=np.array([len(values) for values in scores.values()]),
        failed=np.array([int(np.sum(~np.isfinite(values))) for values in scores.values()]),
        squares=math.fsum(float(np.sum((values - values.mean()) ** 2)) for values in finite if len(values)),
        freedom=sum(max(len(values) - 1, 0) for values in finite),
    )


def _robust(means: np.ndarray) -> np.ndarray:
    """The models' means with outliers drawn in: models that never learned would make all others seem far apart."""
    middle = np.median(means)
    reach = OUTLYING * NORMAL_MAD * np.median(np.abs(means - middle))
    if reach <= ROUNDING * np.abs(means).max():  # half of the models or more are equal
        return means
    return np.clip(means, middle - reach, middle + reach)


@dataclass(frozen=True)
class _Grid:
    """Posterior of the hierarchy's two deviations, and of the common mean given them (BDA, equations 5.20 and 5.21).

    The logarithm of the noise has a flat prior, and so has the noise's share of the variance of single trainings: where
    nothing was repeated the share stays anything between 0 and 1, and a model is drawn half-way to the others.
    Dimensions: noise, share, models.

    Attributes:
        noise: Deviation of a training; shape (NOISE_POINTS, 1, 1).
        tau: Deviation of the true scores; shape (NOISE_POINTS, SHARE_POINTS, 1).
        weight: Of each point, sum 1; shape (NOISE_POINTS, SHARE_POINTS, 1).
        common, variance: Mean of the true scores given the point, and its variance; same shape.
    """

    noise: np.ndarray
    tau: np.ndarray
    weight: np.ndarray
    common: np.ndarray
    variance: np.ndarray

    @classmethod
    def of(cls, summary: _Summary) -> "_Grid | None":
        """None where there is but one model, or all are equal."""
        typical = _robust(summary.means)
        spread = float(typical.std(ddof=1)) if len(typical) > 1 else 0.0
        scales = [scale for scale in (spread, summary.own_noise) if scale > ROUNDING * np.abs(typical).max()]
        if len(typical) == 1 or not scales:
            return None
        noise = np.geomspace(min(scales) / 20.0, 5.0 * max(scales), NOISE_POINTS)[:, None, None]
        angle = (np.arange(SHARE_POINTS) + 0.5) * np.pi / (2 * SHARE_POINTS)
        share = np.sin(angle)[None, :, None] ** 2  # dense at both ends; its density is made flat again by sin(2 angle)
        tau = noise * np.sqrt(1.0 / share - 1.0)
        total = noise**2 / summary.counts + tau**2
        variance = 1.0 / np.sum(1.0 / total, axis=2, keepdims=True)
        common = variance * np.sum(typical / total, axis=2, keepdims=True)
        log_weight = (
            np.log(np.sin(2.0 * angle))[None, :, None]
            + 0.5 * np.log(variance)
            - 0.5 * np.sum(np.log(total) + (typical - common) ** 2 / total, axis=2, keepdims=True)
            - summary.freedom * np.log(noise)
            - 0.5 * summary.squares / noise**2
        )
        weight = np.exp(log_weight - log_weight.max())
        return cls(noise, tau, weight / weight.sum(), common, variance)

    def typical_noise(self) -> float:
        """Geometric mean of the noise."""
        return float(np.exp(np.sum(self.weight * np.log(self.noise))))

    def true_scores(self, summary: _Summary) -> tuple[np.ndarray, np.ndarray]:
        """Posterior means and deviations of the models; two arrays of shape (models,)."""
        sampling = self.noise**2 / summary.counts
        own = self.tau**2 / (sampling + self.tau**2)  # share of its own trainings in what is believed of a model
        means = own * summary.means + (1.0 - own) * self.common
        variances = own * sampling + (1.0 - own) ** 2 * self.variance
        mean = np.sum(self.weight * means, axis=(0, 1))
        return mean, np.sqrt(np.sum(self.weight * (variances + (means - mean) ** 2), axis=(0, 1)))
