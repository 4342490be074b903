"""Transformer2vec: coordinates whose distances match the edit distances (paper: Transformer2vec).

Both fast recipes minimise the squared error over all pairs. The Euclidean one starts from classical scaling and then
majorizes (SMACOF). The city-block one starts from what the edit distance itself is made of: its vertex cost is a
city-block distance between counts of vertices per threshold of rank. The paper's recipe, gradient descent from a random
start on randomly drawn pairs, is kept for comparison.
"""

from collections.abc import Sequence

import numpy as np

from flexibert.errors import DesignSpaceError
from flexibert.space.architecture import Architecture
from flexibert.space.edit_distance.blocks import blocks, let_go
from flexibert.space.edit_distance.ranks import Ranks
from flexibert.space.library.embedding_quality import separations

METRICS = ("euclidean", "city-block")
RECIPES = ("fast", "paper")
STEPS = 40  # of majorization: the stress of 9,312 graphs then falls by less than a thousandth a step
SAMPLED_PAIRS = 60_000  # pairs on which the city-block start is scaled
REFINEMENTS = 60  # gradient steps of the city-block recipe, each on 128 models against all
PAPER_STEPS = 2_000  # gradient steps of the paper's recipe, each on `PAPER_PAIRS` pairs
PAPER_PAIRS = 8_192
LEAST = np.float32(1e-4)  # points nearer than this have no direction from each other


def embed(
    distances: np.ndarray,
    dimensions: int = 16,
    seed: int = 0,
    metric: str = "euclidean",
    recipe: str = "fast",
    start: np.ndarray | None = None,
) -> np.ndarray:
    """Coordinates of all models; float32, shape (models, dimensions).

    Equal arguments give equal coordinates, whatever the number of threads.

    Args:
        distances: All edit distances; shape (models, models), in memory or mapped.
        dimensions: Number of coordinates.
        seed: Of every random draw.
        metric: "euclidean" or "city-block".
        recipe: "fast" or "paper".
        start: Where the city-block recipe starts from, e.g. `threshold_counts`; shape (models, at most dimensions).

    Raises:
        DesignSpaceError: For a metric or a recipe that does not exist.
    """
    if metric not in METRICS or recipe not in RECIPES:
        raise DesignSpaceError(
            f"embedding: metric {metric!r} with recipe {recipe!r} does not exist (metrics: {', '.join(METRICS)}; "
            f"recipes: {', '.join(RECIPES)})"
        )
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):  # sums by several threads depend on how many there are
        return _embed(distances, dimensions, np.random.default_rng(seed), metric, recipe, start)


def _embed(
    distances: np.ndarray,
    dimensions: int,
    generator: np.random.Generator,
    metric: str,
    recipe: str,
    start: np.ndarray | None,
) -> np.ndarray:
    if recipe == "paper":
        return _descend_as_paper(distances, dimensions, metric, generator)
    if metric == "euclidean":
        return _majorized(distances, scale_classically(distances, dimensions, generator))
    if start is None:
        start = scale_classically(distances, dimensions, generator)
    return _refined_city_block(distances, _scaled(distances, start, generator), dimensions, generator)


def scale_classically(distances: np.ndarray, dimensions: int, generator: np.random.Generator) -> np.ndarray:
    """Classical scaling (Torgerson, 1952) by subspace iteration on the doubly centred squared distances."""
    count = len(distances)
    squares = np.zeros(count, np.float32)
    for rows in blocks(distances):
        squares[rows] = np.square(distances[rows]).mean(axis=1, dtype=np.float64)
    mean = squares.mean(dtype=np.float64)
    basis = generator.normal(size=(count, min(count, dimensions + 8))).astype(np.float32)
    for _ in range(8):
        basis, _ = np.linalg.qr(basis)
        image = np.zeros_like(basis)
        for rows in blocks(distances):
            centred = squares[rows, None] + squares - np.float32(mean) - np.square(distances[rows])
            image[rows] = 0.5 * centred @ basis
        basis, last = image, basis
    values, vectors = np.linalg.eigh((last.T @ image + image.T @ last) / 2)
    order = np.argsort(-values)[:dimensions]
    coordinates = (last @ vectors[:, order]) * np.sqrt(np.maximum(values[order], 1e-9))
    return np.pad(coordinates, ((0, 0), (0, dimensions - len(order)))).astype(np.float32)


def threshold_counts(architectures: Sequence[Architecture], ranks: Ranks, dimensions: int) -> np.ndarray:
    """Weighted vertex counts whose city-block distances are the least vertex costs of the edits.

    A coordinate is the number of vertices whose rank reaches a threshold, times the step in rank. Where there are more
    thresholds than dimensions, adjacent ones are added up, those first whose differences nearly always agree in sign.

    Returns:
        float32, shape (models, at most dimensions).
    """
    thresholds = sorted({rank for rank in ranks.rank.values() if rank > 0})
    steps = np.diff(thresholds, prepend=0)
    sums = {label: (np.array(thresholds) <= rank) * steps for label, rank in ranks.rank.items()}
    counts = np.array([sum(sums[label] for label in architecture.labels) for architecture in architectures], float)
    generator = np.random.default_rng(0)
    a, b = generator.integers(0, len(counts), (2, 20_000))
    while counts.shape[1] > dimensions:
        differences = counts[a] - counts[b]
        apart = np.abs(differences[:, :-1]) + np.abs(differences[:, 1:])
        lost = (apart - np.abs(differences[:, :-1] + differences[:, 1:])).sum(axis=0)
        k = int(lost.argmin())
        counts = np.column_stack([counts[:, :k], counts[:, k] + counts[:, k + 1], counts[:, k + 2 :]])
    return counts.astype(np.float32)


def _majorized(distances: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
    """SMACOF (de Leeuw, 1977) with its relaxed update, twice the step, which needs half the steps."""
    for step in range(STEPS):
        transformed = _guttman(distances, coordinates)
        relaxed = 2 < step < STEPS - 1
        coordinates = 2 * transformed - coordinates if relaxed else transformed
    return coordinates


def _guttman(distances: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
    """The Guttman transform: the minimum of the function that majorizes the squared error at `coordinates`."""
    count = len(coordinates)
    moved = np.zeros_like(coordinates)
    sums = np.zeros(count, np.float32)
    every = list(blocks(coordinates))
    for k, rows in enumerate(blocks(distances)):
        for columns in every[k:]:
            ratio = separations(coordinates[rows], coordinates[columns])
            np.divide(distances[rows, columns], np.maximum(ratio, LEAST, out=ratio), out=ratio)
            moved[rows] -= ratio @ coordinates[columns]
            sums[rows] += ratio.sum(axis=1)
            if columns != rows:
                moved[columns] -= ratio.T @ coordinates[rows]
                sums[columns] += ratio.sum(axis=0)
    return (moved + sums[:, None] * coordinates) / np.float32(count)


def _scaled(distances: np.ndarray, coordinates: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Each coordinate stretched so that city-block distances fit the edit distances best on randomly drawn pairs."""
    from scipy.optimize import nnls

    a, b = np.sort(generator.integers(0, len(coordinates), (2, SAMPLED_PAIRS)), axis=0)
    factors, _ = nnls(np.abs(coordinates[a] - coordinates[b]).astype(float), _at(distances, a, b))
    return (coordinates * factors).astype(np.float32)


def _at(distances: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distances of pairs, read in the order of the rows so that a mapped file is passed once."""
    order = np.argsort(a, kind="stable")
    found = np.empty(len(a), np.float32)
    found[order] = distances[a[order], b[order]]
    let_go(distances)
    return found


def _refined_city_block(
    distances: np.ndarray, coordinates: np.ndarray, dimensions: int, generator: np.random.Generator
) -> np.ndarray:
    """Adam on some models against all others; the noise of the start tells apart models with equal vertices."""
    coordinates = np.pad(coordinates, ((0, 0), (0, dimensions - coordinates.shape[1])))
    scale = np.float32(np.abs(coordinates).max())
    coordinates = coordinates + generator.normal(0, 1e-3 * scale, coordinates.shape).astype(np.float32)
    adam = _Adam(coordinates, rate=5e-4 * float(scale))
    rows = min(128, len(coordinates))
    for step in range(REFINEMENTS):
        chosen = np.sort(generator.choice(len(coordinates), rows, replace=False))
        own = coordinates[chosen]
        error = separations(own, coordinates, "city-block") - distances[chosen]
        let_go(distances)
        gradient = np.empty_like(coordinates)
        own_gradient = np.empty_like(own)
        for k in range(dimensions):
            pull = error * np.sign(own[:, k, None] - coordinates[:, k])
            gradient[:, k] = -pull.mean(axis=0)
            own_gradient[:, k] = pull.mean(axis=1)
        gradient[chosen] += own_gradient
        coordinates = adam.step(coordinates, gradient, 1 - step / REFINEMENTS)
    return coordinates


def _descend_as_paper(
    distances: np.ndarray, dimensions: int, metric: str, generator: np.random.Generator
) -> np.ndarray:
    """Mean squared error over drawn pairs by Adam, from a random start; the gradient of each pair moves both points."""
    count = len(distances)
    coordinates = generator.normal(size=(count, dimensions)).astype(np.float32)
    adam = _Adam(coordinates, rate=0.1)
    for step in range(PAPER_STEPS):
        a, b = np.sort(generator.integers(0, count, (2, PAPER_PAIRS)), axis=0)
        difference = coordinates[a] - coordinates[b]
        if metric == "euclidean":
            found = np.sqrt(np.maximum(np.square(difference).sum(axis=1), LEAST))
            direction = difference / found[:, None]
        else:
            found, direction = np.abs(difference).sum(axis=1), np.sign(difference)
        pull = (found - _at(distances, a, b))[:, None] * direction
        ends, pulls = np.concatenate([a, b]), np.concatenate([pull, -pull])
        sums = [np.bincount(ends, pulls[:, k], count) for k in range(dimensions)]
        gradient = np.stack(sums, axis=1).astype(np.float32)
        coordinates = adam.step(coordinates, gradient, 1 - step / PAPER_STEPS)
    return coordinates


class _Adam:
    """Adam (Kingma and Ba, 2015) with a rate that the caller lets fall."""

    def __init__(self, coordinates: np.ndarray, rate: float) -> None:
        self._rate = rate
        self._mean, self._square = np.zeros_like(coordinates), np.zeros_like(coordinates)
        self._step = 0

    def step(self, coordinates: np.ndarray, gradient: np.ndarray, share: float) -> np.ndarray:
        """The coordinates after one step of `share` times the rate."""
        self._step += 1
        self._mean = np.float32(0.9) * self._mean + np.float32(0.1) * gradient
        self._square = np.float32(0.99) * self._square + np.float32(0.01) * np.square(gradient)
        mean = self._mean / np.float32(1 - 0.9**self._step)
        square = self._square / np.float32(1 - 0.99**self._step)
        return coordinates - np.float32(self._rate * share) * mean / (np.sqrt(square) + np.float32(1e-9))
