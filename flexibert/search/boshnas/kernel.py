"""How alike two candidates are: a trend over the coordinates and a Matern kernel on the distances of the embedding."""

from dataclasses import dataclass, replace

import numpy as np

from flexibert.search.interface import Pool


@dataclass(frozen=True)
class Coordinates:
    """Candidates as points.

    Attributes:
        embedding: Coordinates, centred; distances between them follow the candidates' dissimilarity, in units of the
            median distance of the pool; shape (candidates, dimensions).
        trend: Inputs of the linear trend, of unit mean square length; shape (candidates, inputs).
    """

    embedding: np.ndarray
    trend: np.ndarray

    @classmethod
    def of_pool(cls, pool: Pool) -> "Coordinates":
        """Points of all candidates of a pool.

        The trend is linear in the embedding and, where several properties share their categories (the operations on
        the edges of a cell), in how often each category occurs.
        """
        embedding = np.asarray(pool.embedding, dtype=float)
        embedding = embedding - embedding.mean(axis=0)
        parts = [_unit_length(embedding)]
        counts = shared_category_counts(pool)
        if counts.shape[1]:
            parts.append(_unit_length((counts - counts.mean(axis=0)) / np.maximum(counts.std(axis=0), 1e-9)))
        return cls(embedding / _median_distance(embedding), _unit_length(np.hstack(parts)))

    def take(self, rows: np.ndarray) -> "Coordinates":
        """The points of some candidates."""
        return Coordinates(self.embedding[rows], self.trend[rows])

    def __len__(self) -> int:
        return len(self.embedding)


def views_of_pool(pool: Pool) -> list[Coordinates]:
    """The views in which candidates are compared, equally probable until scores tell.

    Models have two: their graph embedding, in which what is rare stands apart, and the embedding beside the features,
    which tell layers and properties apart and follow most scores better. Other candidates have their embedding alone.
    """
    first = Coordinates.of_pool(pool)
    if pool.architectures is None or np.array_equal(pool.embedding, pool.features):
        return [first]
    both = [points / _median_distance(points) for points in (np.asarray(pool.embedding), np.asarray(pool.features))]
    return [first, Coordinates.of_pool(replace(pool, embedding=np.hstack(both)))]


def shared_category_counts(pool: Pool) -> np.ndarray:
    """How often each category that several properties share occurs in a candidate; shape (candidates, categories)."""
    if pool.levels is None or pool.groups is None:
        return np.empty((len(pool), 0))
    counts = [
        pool.features[:, pool.levels == level].sum(axis=1)
        for level in np.unique(pool.levels[pool.levels >= 0])
        if len(np.unique(pool.groups[pool.levels == level])) > 1
    ]
    return np.array(counts).T.reshape(len(pool), -1)


@dataclass(frozen=True)
class Relation:
    """What kernels need to know of two sets of points.

    Attributes:
        distances: Euclidean distances in the embedding; shape (a, b).
        products: Inner products of the trend inputs; shape (a, b).
    """

    distances: np.ndarray
    products: np.ndarray


def relate(a: Coordinates, b: Coordinates) -> Relation:
    """The relation of every point of `a` to every point of `b`."""
    squares = -2 * (a.embedding @ b.embedding.T)
    squares += np.square(a.embedding).sum(axis=1)[:, None]
    squares += np.square(b.embedding).sum(axis=1)
    return Relation(np.sqrt(np.maximum(squares, 0, out=squares), out=squares), a.trend @ b.trend.T)


def matern(distance: np.ndarray) -> np.ndarray:
    """Matern covariance of smoothness 5/2 (Rasmussen and Williams, 2006, eq. 4.17) at a distance in length scales."""
    scaled = np.sqrt(5) * distance
    value = scaled * (1 / 3)  # in place from here on: this is most of a proposal's time
    value += 1
    value *= scaled
    value += 1
    np.negative(scaled, out=scaled)
    value *= np.exp(scaled, out=scaled)
    return value


def _unit_length(points: np.ndarray) -> np.ndarray:
    """Scaled so that the mean squared length is one."""
    return points / max(np.sqrt(np.square(points).sum(axis=1).mean()), 1e-9)


def _median_distance(embedding: np.ndarray) -> float:
    """Median over a fixed sample of pairs; one where all points coincide."""
    pairs = np.random.default_rng(0).integers(len(embedding), size=(2, 2000))
    lengths = np.linalg.norm(embedding[pairs[0]] - embedding[pairs[1]], axis=1)
    lengths = lengths[lengths > 1e-9]
    return float(np.median(lengths)) if len(lengths) else 1.0
