"""Coordinates of models that are not in a library, so that a search can leave what was enumerated."""

from collections.abc import Sequence

import numpy as np

from flexibert.space.architecture import Architecture
from flexibert.space.distance import Reference
from flexibert.space.graph import Ranks

LANDMARKS = 384  # models of the library that a new one is placed against
RARE = 0.05  # depths of fewer models give no landmarks: each depth costs as much time as another
STEPS = 20


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
        common = np.flatnonzero(np.isin(depths, values[counts >= RARE * len(depths)]))
        count = min(LANDMARKS, len(common))
        chosen = np.sort(np.random.default_rng(seed).choice(common, count, replace=False))
        self._coordinates = np.asarray(embedding, np.float32)[chosen]
        self._reference = Reference([architectures[k] for k in chosen], ranks)
        self._metric = metric

    def place(self, architecture: Architecture) -> np.ndarray:
        """Coordinates of a model; float32, shape (dimensions,).

        Raises:
            DesignSpaceError: If it has an operation that the library's ranked list lacks.
        """
        return place(self._reference.distances(architecture), self._coordinates, self._metric)


def place(distances: np.ndarray, coordinates: np.ndarray, metric: str = "euclidean") -> np.ndarray:
    """The point whose distances to given points fit best, by damped least squares (Levenberg and Marquardt).

    Args:
        distances: Wanted distance to each point; shape (points,).
        coordinates: The points; shape (points, dimensions).
        metric: "euclidean" or "city-block".

    Returns:
        float32, shape (dimensions,).
    """
    point = coordinates[int(np.argmin(distances))].astype(np.float64)
    points = coordinates.astype(np.float64)
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
    return point.astype(np.float32)


def _errors(point: np.ndarray, points: np.ndarray, distances: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Errors of the distances, and their derivatives by the coordinates of the point."""
    difference = point - points
    if metric == "city-block":
        return np.abs(difference).sum(axis=1) - distances, np.sign(difference)
    found = np.sqrt(np.square(difference).sum(axis=1))
    return found - distances, difference / np.maximum(found, 1e-6)[:, None]
