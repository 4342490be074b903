"""Second-order search of the acquisition over the continuous embedding (paper, Algorithm 1: GOBI).

The paper descends with AdaHessian through its networks. The gradient of a Gaussian process's acquisition has a closed
form, so a quasi-Newton method (L-BFGS-B), which learns the curvature from it, reaches a local maximum in a few steps.
"""

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import log_ndtr

from flexibert.search.boshnas.acquisition import log_improvement
from flexibert.search.boshnas.gaussian_process import GaussianProcess, Hypothesis
from flexibert.search.boshnas.kernel import Coordinates

SAMPLE = 2000  # candidates from which the trend's dependence on the embedding is read
STEPS = 50


def trend_map(coordinates: Coordinates) -> np.ndarray:
    """The linear map from the embedding to the inputs of the trend; shape (dimensions, inputs)."""
    rows = np.random.default_rng(0).permutation(len(coordinates))[:SAMPLE]
    return np.linalg.lstsq(coordinates.embedding[rows], coordinates.trend[rows], rcond=None)[0]


def ascend(process: GaussianProcess, coordinates: Coordinates, starts: np.ndarray, best: float) -> np.ndarray:
    """Points of locally best acquisition, within the bounds of the candidates.

    Args:
        process: Fitted to warped scores.
        coordinates: All candidates, for the bounds and the trend.
        starts: Points to start from; shape (starts, dimensions).
        best: Best warped score.

    Returns:
        One point a start, none worse than it; shape (starts, dimensions).
    """
    from scipy.optimize import minimize

    to_trend = trend_map(coordinates)
    bounds = list(zip(coordinates.embedding.min(axis=0), coordinates.embedding.max(axis=0), strict=True))

    def descent(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = acquisition_gradient(process, point, to_trend, best)
        return -value, -gradient

    found = [
        minimize(descent, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS})
        for start in starts
    ]
    return np.array([result.x for result in found])


def acquisition_gradient(
    process: GaussianProcess, point: np.ndarray, to_trend: np.ndarray, best: float
) -> tuple[float, np.ndarray]:
    """Logarithm of the expected improvement at a point of the embedding, and its gradient; shape (dimensions,)."""
    values, gradients = [], []
    for hypothesis in process.hypotheses:
        mean, mean_gradient, variance, variance_gradient = _moments(hypothesis, process.observed, point, to_trend)
        deviation = np.sqrt(variance)
        standard = (mean - best) / deviation
        improvement = log_improvement(standard)
        by_mean = np.exp(log_ndtr(standard) - improvement) / deviation
        by_deviation = np.exp(-0.5 * standard**2 - 0.5 * np.log(2 * np.pi) - improvement) / deviation
        values.append(np.log(hypothesis.weight) + np.log(deviation) + improvement)
        gradients.append(by_mean * mean_gradient + by_deviation * variance_gradient / (2 * deviation))
    value = np.logaddexp.reduce(values)
    return float(value), np.exp(np.array(values) - value) @ np.array(gradients)


def _moments(
    hypothesis: Hypothesis, observed: Coordinates, point: np.ndarray, to_trend: np.ndarray
) -> tuple[float, np.ndarray, float, np.ndarray]:
    """Mean and variance of the evaluated score at a point, each with its gradient."""
    towards = point - observed.embedding  # (observations, dimensions)
    scaled = np.sqrt(5) * np.linalg.norm(towards, axis=1) / hypothesis.length
    decay = np.exp(-scaled)
    trend = point @ to_trend
    covariance = hypothesis.trend * (observed.trend @ trend)
    covariance += (1 - hypothesis.trend) * (1 + scaled + scaled**2 / 3) * decay
    slope = -5 / (3 * hypothesis.length**2) * (1 + scaled) * decay  # of the Matern part, along `towards`
    jacobian = hypothesis.trend * (observed.trend @ to_trend.T)
    jacobian += (1 - hypothesis.trend) * slope[:, None] * towards  # (observations, dimensions)

    def solve(vector: np.ndarray) -> np.ndarray:
        return solve_triangular(hypothesis.factor, vector, lower=True, trans="T")

    solved = solve_triangular(hypothesis.factor, covariance, lower=True)
    precision = hypothesis.ones @ hypothesis.ones
    unsure = 1 - hypothesis.ones @ solved
    mean = hypothesis.level + hypothesis.residual @ solved
    variance = hypothesis.trend * trend @ trend + (1 - hypothesis.trend) - solved @ solved + unsure**2 / precision
    gradient = 2 * hypothesis.trend * to_trend @ trend - 2 * jacobian.T @ solve(solved)
    gradient -= 2 * unsure / precision * jacobian.T @ solve(hypothesis.ones)
    total = hypothesis.scale * (max(variance, 1e-12) + hypothesis.noise)
    return mean, jacobian.T @ solve(hypothesis.residual), total, hypothesis.scale * gradient
