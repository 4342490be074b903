"""Coordinates of models that are not in a library, so that a search can leave what was enumerated."""

from collections.abc import Sequence

import numpy as np

from flexibert.space.architecture import Architecture
from flexibert.space.edit_distance.distance import Reference
from flexibert.space.edit_distance.ranks import Ranks

LANDMARKS = 384  # models of the library that a new one is placed against
RARE = 0.05  # depths of a smaller share give landmarks to their own only: each depth costs as much time as another
STEPS = 20
STARTS = {"euclidean": 1, "city-block": 4}


class Placement:
    """Places new models among embedded ones by their edit distances to some of these.

    Args:
        architectures: The embedded models.
        embedding: Their coordinates; shape (models, dimensions).
        ranks: The ranked operation list of the distances.
        metric: Of the embedding, "euclidean" or "city-block".
        seed: Of the choice of the landmarks.
    """

    def __init__(
        self,
        architectures: Sequence[Architecture],
        embedding: np.ndarray,
        ranks: Ranks,
        metric: str = "euclidean",
        seed: int = 0,
    ) -> None:
        depths = np.array([len(architecture.layers) for architecture in architectures])
        values, counts = np.unique(depths, return_counts=True)
        self._rare = set(values[counts < RARE * len(depths)].tolist())
        is_rare = np.isin(depths, list(self._rare))
        generator = np.random.default_rng(seed)
        self._metric = metric
        self._landmarks = []
        for models in (np.flatnonzero(~is_rare), np.flatnonzero(is_rare)):
            chosen = np.sort(generator.choice(models, min(LANDMARKS, len(models)), replace=False))
            reference = Reference([architectures[k] for k in chosen], ranks)
            self._landmarks.append((reference, np.asarray(embedding, np.float32)[chosen]))

    def place(self, architecture: Architecture) -> np.ndarray:
        """Coordinates of a model; float32, shape (dimensions,).

        Raises:
            DesignSpaceError: If it has an operation that the library's ranked list lacks.
        """
        used = self._landmarks if len(architecture.layers) in self._rare else self._landmarks[:1]
        distances = np.concatenate([reference.distances(architecture) for reference, _ in used])
        return best_point(distances, np.concatenate([coordinates for _, coordinates in used]), self._metric)


def best_point(distances: np.ndarray, coordinates: np.ndarray, metric: str = "euclidean") -> np.ndarray:
    """The point whose distances to given points fit best, by damped least squares (Levenberg and Marquardt).

    City-block distances have kinks, where a descent may stay; so it sets out from the nearest points in turn.

    Args:
        distances: Wanted distance to each point; shape (points,).
        coordinates: The points; shape (points, dimensions).
        metric: "euclidean" or "city-block".

    Returns:
        float32, shape (dimensions,).
    """
    points = coordinates.astype(np.float64)
    starts = np.argsort(distances, kind="stable")[: STARTS[metric]]
    found = [_descend(points[start], points, distances, metric) for start in starts]
    return min(found, key=lambda result: result[0])[1].astype(np.float32)


def _descend(point: np.ndarray, points: np.ndarray, distances: np.ndarray, metric: str) -> tuple[float, np.ndarray]:
    """Squared error and coordinates of the best point on the way down from `point`."""
    damping = 1e-2
    error, slopes = _errors(point, points, distances, metric)
    for _ in range(STEPS):
        normal = slopes.T @ slopes
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-9), slopes.T @ error)
        new_error, new_slopes = _errors(point - step, points, distances, metric)
        if new_error @ new_error < error @ error:
            point, error, slopes, damping = point - step, new_error, new_slopes, damping / 3
        else:
            damping *= 4
        if np.abs(step).max() < 1e-3:
            break
    return float(error @ error), point


def _errors(point: np.ndarray, points: np.ndarray, distances: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Errors of the distances, and their derivatives by the coordinates of the point."""
    difference = point - points
    if metric == "city-block":
        return np.abs(difference).sum(axis=1) - distances, np.sign(difference)
    found = np.sqrt(np.square(difference).sum(axis=1))
    return found - distances, difference / np.maximum(found, 1e-6)[:, None]
