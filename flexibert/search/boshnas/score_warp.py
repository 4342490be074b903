"""Scores on a scale where a Gaussian process fits them: without the long tail of bad candidates."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

LOWEST = 2.0  # clipped below the median by so many times the distance from the median to the ninth decile


@dataclass(frozen=True)
class ScoreWarp:
    """A monotone map from scores to warped scores of about zero mean and unit variance, learned from observed scores.

    It is the mean of two standardised views: the normal quantile of a score's rank, which no tail can distort, and the
    score itself with the bad tail clipped, which keeps the distances between the good ones. A failed candidate (NaN)
    gets the warped score of the worst success: it repels the search, but not more than that.

    Attributes:
        scores: Distinct observed scores, ascending; shape (distinct,).
        warped: Their warped scores, strictly ascending; shape (distinct,).
    """

    scores: np.ndarray
    warped: np.ndarray

    @classmethod
    def learn(cls, scores: np.ndarray) -> "ScoreWarp":
        """Learn the map; scores may be NaN, and may all be equal or absent."""
        found = scores[np.isfinite(scores)]
        if len(found) == 0:
            return cls(np.zeros(1), np.zeros(1))
        values, counts = np.unique(found, return_counts=True)
        quantiles = ndtri((np.cumsum(counts) - counts / 2) / len(found))
        median, upper = np.quantile(found, [0.5, 0.9])
        reach = upper - median if upper > median else max(np.ptp(found), 1.0)
        clipped = np.maximum(values, median - LOWEST * reach)
        warped = (_standardised(quantiles, counts) + _standardised(clipped, counts)) / 2
        return cls(values, warped)

    def warp(self, scores: np.ndarray) -> np.ndarray:
        """Warped scores of observed scores; shape as given."""
        return np.interp(np.where(np.isfinite(scores), scores, -np.inf), self.scores, self.warped)

    def score(self, warped: np.ndarray) -> np.ndarray:
        """Scores whose warped scores are `warped`; beyond the observed ones the outer half's slope goes on."""
        inside = np.interp(warped, self.warped, self.scores)
        below, above = self._outer_slopes()
        inside += np.minimum(warped - self.warped[0], 0) * below
        return inside + np.maximum(warped - self.warped[-1], 0) * above

    def spread(self, warped: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        """Standard deviation on the scale of the scores of a warped prediction with a standard deviation."""
        return (self.score(warped + deviation) - self.score(warped - deviation)) / 2

    def _outer_slopes(self) -> tuple[float, float]:
        if len(self.scores) < 2:
            return 1.0, 1.0
        middle = len(self.scores) // 2
        lower = (self.scores[middle] - self.scores[0]) / (self.warped[middle] - self.warped[0])
        upper = (self.scores[-1] - self.scores[middle - 1]) / (self.warped[-1] - self.warped[middle - 1])
        return float(lower), float(upper)


def _standardised(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    mean = np.average(values, weights=counts)
    deviation = np.sqrt(np.average((values - mean) ** 2, weights=counts))
    return (values - mean) / (deviation if deviation > 0 else 1.0)
