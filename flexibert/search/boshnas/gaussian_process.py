"""A Gaussian process whose hyperparameters are averaged over, not chosen.

With a few dozen observations many hyperparameters explain the scores about as well, and the best one alone is too sure
of itself. All combinations of a small grid are weighed by their marginal likelihood instead; scale and mean of the
process are integrated out in closed form (Rasmussen and Williams, 2006, sections 2.7 and 5.4.1). There is no numerical
optimisation, hence no bad local optimum, and equal observations give equal predictions.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy.linalg import solve_triangular

from flexibert.search.boshnas.kernel import Coordinates, Relation, matern, relate

TRENDS = (0.0, 0.5, 0.95)  # share of the linear trend in the covariance
LENGTHS = (0.4, 1.0, 2.5)  # length scales of the Matern part, in median distances of the pool
NOISES = (0.01, 0.1, 0.5)  # variance of one evaluation's noise relative to the process's
KEPT = 4  # hypotheses that predict; the others weigh little
LEAST_WEIGHT = 0.02  # of a kept hypothesis, relative to the heaviest
JITTER = 1e-8
PRIOR_SHAPE = 1.0  # of the inverse gamma prior of the process's variance; its scale is the variance of the scores
BLOCK = 2048  # candidates predicted at a time, so that their covariances stay in the cache


@dataclass(frozen=True)
class Posterior:
    """What one hypothesis says of some candidates; arrays of shape (candidates,).

    Attributes:
        weight: Probability of the hypothesis.
        mean: Predicted score.
        epistemic: Variance of the prediction, which more observations would reduce.
        aleatoric: Variance of the noise of one evaluation, which they would not.
    """

    weight: float
    mean: np.ndarray
    epistemic: np.ndarray
    aleatoric: float


@dataclass(frozen=True)
class Hypothesis:
    """Hyperparameters, their weight, and what is needed to predict with them.

    Attributes:
        weight: Probability given the observations.
        trend, length, noise: See TRENDS, LENGTHS, NOISES.
        scale: Variance of the process.
        level: Mean of the process.
        factor: Cholesky factor of the observations' covariance in units of `scale`; shape (observations, observations).
        residual: The factor's solution for scores minus `level`; shape (observations,).
        ones: The factor's solution for ones; shape (observations,).
    """

    weight: float
    trend: float
    length: float
    noise: float
    scale: float
    level: float
    factor: np.ndarray
    residual: np.ndarray
    ones: np.ndarray

    def covariance(self, relation: Relation) -> np.ndarray:
        """Prior covariance between points in units of `scale`; shape as the relation's."""
        return self.blend(relation.products, matern(relation.distances / self.length))

    def blend(self, products: np.ndarray, smooth: np.ndarray) -> np.ndarray:
        """The covariance from its trend and its Matern part."""
        return self.trend * products + (1 - self.trend) * smooth

    def posterior(self, covariance: np.ndarray, squares: np.ndarray) -> Posterior:
        """Predict points.

        Args:
            covariance: Between the observed points and these; shape (observations, points).
            squares: Squared length of their trend inputs; shape (points,).
        """
        solved = solve_triangular(self.factor, covariance, lower=True, check_finite=False, overwrite_b=True)
        mean = self.level + self.residual @ solved
        unsure_of_level = (1 - self.ones @ solved) ** 2 / (self.ones @ self.ones)
        prior = self.trend * squares + (1 - self.trend)
        variance = prior - np.einsum("ij,ij->j", solved, solved) + unsure_of_level
        return Posterior(self.weight, mean, self.scale * np.maximum(variance, 1e-12), self.scale * self.noise)


@dataclass(frozen=True)
class GaussianProcess:
    """Weighted hypotheses fitted to observed points.

    Attributes:
        observed: The points; several may coincide (repeated evaluations).
        scores: Their scores, of about unit variance; shape (observations,).
        hypotheses: Heaviest first; their weights sum to one.
    """

    observed: Coordinates
    scores: np.ndarray
    hypotheses: list[Hypothesis]

    @classmethod
    def fit(cls, observed: Coordinates, scores: np.ndarray) -> "GaussianProcess":
        """Weigh all combinations of the grid; at least one observation is needed."""
        grid = np.array(list(product(NOISES, TRENDS, LENGTHS)))
        relation = relate(observed, observed)
        smooth = {length: matern(relation.distances / length) for length in LENGTHS}
        covariances = np.array([t * relation.products + (1 - t) * smooth[length] for _, t, length in grid])
        covariances += (grid[:, 0] + JITTER)[:, None, None] * np.eye(len(scores))
        factors = np.linalg.cholesky(covariances)
        both = np.stack([np.ones(len(scores)), scores], axis=1)
        solved = np.array([solve_triangular(factor, both, lower=True, check_finite=False) for factor in factors])
        ones, fitted = solved[:, :, 0], solved[:, :, 1]
        precision = np.square(ones).sum(axis=1)  # of the mean of the process
        levels = (ones * fitted).sum(axis=1) / precision
        residuals = fitted - levels[:, None] * ones
        shape = (len(scores) - 1) / 2 + PRIOR_SHAPE
        rates = np.square(residuals).sum(axis=1) / 2 + PRIOR_SHAPE * max(float(np.var(scores)), 1e-12)
        halves = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        evidence = -halves - np.log(precision) / 2 - shape * np.log(rates)
        weights = np.exp(evidence - evidence.max())
        kept = np.argsort(-weights, kind="stable")[:KEPT]
        kept = kept[weights[kept] >= LEAST_WEIGHT]
        total = weights[kept].sum()
        hypotheses = [
            Hypothesis(
                weight=float(weights[k] / total),
                trend=float(grid[k, 1]),
                length=float(grid[k, 2]),
                noise=float(grid[k, 0]),
                scale=float(rates[k] / shape),
                level=float(levels[k]),
                factor=factors[k],
                residual=residuals[k],
                ones=ones[k],
            )
            for k in kept
        ]
        return cls(observed, scores, hypotheses)

    def posteriors(self, points: Coordinates) -> list[Posterior]:
        """Predictions of each hypothesis for points."""
        blocks = [self._block(points.take(rows)) for rows in _blocks(len(points))]
        return [
            Posterior(
                hypothesis.weight,
                np.concatenate([block[k].mean for block in blocks]),
                np.concatenate([block[k].epistemic for block in blocks]),
                hypothesis.scale * hypothesis.noise,
            )
            for k, hypothesis in enumerate(self.hypotheses)
        ]

    def _block(self, points: Coordinates) -> list[Posterior]:
        relation, squares = relate(self.observed, points), np.square(points.trend).sum(axis=1)
        lengths = {hypothesis.length for hypothesis in self.hypotheses}
        smooth = {length: matern(relation.distances / length) for length in lengths}
        return [
            hypothesis.posterior(hypothesis.blend(relation.products, smooth[hypothesis.length]), squares)
            for hypothesis in self.hypotheses
        ]

    def believing(self, points: Coordinates) -> "GaussianProcess":
        """The process after seeing its own predictions at some points, as a batch assumes of its earlier picks.

        Unlike a new fit it keeps the weights, so that a believed score is no evidence for a hypothesis.
        """
        posteriors = self.posteriors(points)
        observed = Coordinates(
            np.concatenate([self.observed.embedding, points.embedding]),
            np.concatenate([self.observed.trend, points.trend]),
        )
        believed = sum(posterior.weight * posterior.mean for posterior in posteriors)
        hypotheses = [
            _extended(hypothesis, relate(self.observed, points), relate(points, points), posterior.mean)
            for hypothesis, posterior in zip(self.hypotheses, posteriors, strict=True)
        ]
        return GaussianProcess(observed, np.concatenate([self.scores, believed]), hypotheses)


def _extended(hypothesis: Hypothesis, cross: Relation, own: Relation, scores: np.ndarray) -> Hypothesis:
    """The hypothesis with further observations: rows appended to its Cholesky factor."""
    solved = solve_triangular(hypothesis.factor, hypothesis.covariance(cross), lower=True)
    noise = (hypothesis.noise + JITTER) * np.eye(len(scores))
    corner = np.linalg.cholesky(hypothesis.covariance(own) + noise - solved.T @ solved)
    residual = scores - hypothesis.level - solved.T @ hypothesis.residual
    ones = 1 - solved.T @ hypothesis.ones
    return replace(
        hypothesis,
        factor=np.block([[hypothesis.factor, np.zeros_like(solved)], [solved.T, corner]]),
        residual=np.concatenate([hypothesis.residual, solve_triangular(corner, residual, lower=True)]),
        ones=np.concatenate([hypothesis.ones, solve_triangular(corner, ones, lower=True)]),
    )


def _blocks(count: int) -> Iterator[np.ndarray]:
    for start in range(0, max(count, 1), BLOCK):
        yield np.arange(start, min(start + BLOCK, count))
