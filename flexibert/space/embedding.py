"""Transformer2vec: coordinates whose distances match the edit distances (paper, section 3.3)."""

from collections.abc import Iterator

import numpy as np

ROWS = 512  # models of one block of the distance matrix


def embed(
    distances: np.ndarray,
    dimensions: int = 16,
    seed: int = 0,
    metric: str = "euclidean",
    recipe: str = "fast",
    start: np.ndarray | None = None,
) -> np.ndarray:
    """Coordinates of all models; float32, shape (models, dimensions).

    Args:
        distances: All edit distances; shape (models, models), in memory or mapped.
        dimensions: Number of coordinates.
        seed: Of the random start.
        metric: "euclidean" or "city-block".
        recipe: "fast" or "paper".
        start: Coordinates to start from.
    """
    coordinates = scale_classically(distances, dimensions, seed) if start is None else start
    for _ in range(30):
        coordinates = _majorize(distances, coordinates)
    return coordinates.astype(np.float32)


def scale_classically(distances: np.ndarray, dimensions: int, seed: int) -> np.ndarray:
    """Classical scaling (Torgerson, 1952) by subspace iteration on the doubly centred squared distances."""
    count = len(distances)
    squares = np.zeros(count)
    for rows in _blocks(count):
        squares[rows] = np.square(distances[rows], dtype=np.float64).mean(axis=1)
    mean = squares.mean()
    basis = np.random.default_rng(seed).normal(size=(count, dimensions + 8)).astype(np.float32)
    for _ in range(8):
        basis, _ = np.linalg.qr(basis)
        image = np.zeros_like(basis)
        for rows in _blocks(count):
            centred = np.square(distances[rows]) - squares[rows, None] - squares + mean
            image[rows] = -0.5 * centred.astype(np.float32) @ basis
        basis, last = image, basis
    values, vectors = np.linalg.eigh((last.T @ image + image.T @ last) / 2)
    order = np.argsort(-values)[:dimensions]
    return (last @ vectors[:, order]) * np.sqrt(np.maximum(values[order], 1e-9))


def stress(distances: np.ndarray, coordinates: np.ndarray, metric: str = "euclidean") -> float:
    """Normalised stress (Kruskal's stress-1): root of squared error over squared distances, over all pairs."""
    error = total = 0.0
    for rows in _blocks(len(distances)):
        given = distances[rows]
        error += float(np.square(separations(coordinates[rows], coordinates, metric) - given).sum(dtype=np.float64))
        total += float(np.square(given).sum(dtype=np.float64))
    return (error / total) ** 0.5 if total else 0.0


def separations(a: np.ndarray, b: np.ndarray, metric: str = "euclidean") -> np.ndarray:
    """Distance of every point of `a` to every point of `b`; shape (a, b)."""
    if metric == "city-block":
        from scipy.spatial.distance import cdist

        return cdist(a, b, "cityblock").astype(np.float32)
    squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0, out=squares), out=squares)


def _majorize(distances: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
    """One step of SMACOF (de Leeuw, 1977): the Guttman transform."""
    count = len(coordinates)
    moved = np.empty_like(coordinates)
    for rows in _blocks(count):
        between = separations(coordinates[rows], coordinates)
        ratio = np.divide(distances[rows], between, out=np.zeros_like(between), where=between > 1e-6)
        moved[rows] = (ratio.sum(axis=1)[:, None] * coordinates[rows] - ratio @ coordinates) / count
    return moved


def _blocks(count: int) -> Iterator[slice]:
    for first in range(0, count, ROWS):
        yield slice(first, min(first + ROWS, count))
