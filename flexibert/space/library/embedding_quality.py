"""How well an embedding keeps the edit distances: stress, mean squared error and recall of nearest neighbours."""

import numpy as np

from flexibert.space.edit_distance.blocks import blocks

TIE = 1e-4  # edit distances are multiples of a tenth


def separations(a: np.ndarray, b: np.ndarray, metric: str = "euclidean") -> np.ndarray:
    """Distance of every point of `a` to every point of `b`; float32, shape (a, b).

    Args:
        a, b: Coordinates; shape (points, dimensions).
        metric: "euclidean" or "city-block".
    """
    if metric == "city-block":
        total = np.zeros((len(a), len(b)), np.float32)
        for k in range(a.shape[1]):
            total += np.abs(a[:, k, None] - b[:, k])
        return total
    squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * (a @ b.T)
    return np.sqrt(np.maximum(squares, 0, out=squares), out=squares)


def quality(
    distances: np.ndarray, coordinates: np.ndarray, metric: str = "euclidean", nearest: int = 10
) -> dict[str, float]:
    """Figures over all pairs.

    Args:
        distances: All edit distances; shape (models, models).
        coordinates: The embedding; shape (models, dimensions).
        metric: "euclidean" or "city-block".
        nearest: Size of the neighbourhoods compared.

    Returns:
        `stress`: root of the squared errors over the squared distances (Kruskal's stress-1); `mean_squared_error`
        over pairs, in squared ranks; `recall`: share of a model's nearest in the embedding whose edit distance is no
        greater than that of its last true nearest neighbour (so that ties count), averaged over models.
    """
    count = len(distances)
    nearest = min(nearest, count - 1)
    error = total = hits = 0.0
    for rows in blocks(distances):
        given = np.array(distances[rows])
        found = separations(coordinates[rows], coordinates, metric)
        error += float(np.square(found - given).sum(dtype=np.float64))
        total += float(np.square(given).sum(dtype=np.float64))
        own = np.arange(rows.start, rows.stop)
        given[own - rows.start, own] = found[own - rows.start, own] = np.inf
        if nearest:
            last = np.partition(given, nearest - 1, axis=1)[:, nearest - 1]
            chosen = np.argpartition(found, nearest - 1, axis=1)[:, :nearest]
            hits += float((np.take_along_axis(given, chosen, axis=1) <= last[:, None] + TIE).sum())
    return {
        "stress": (error / total) ** 0.5 if total else 0.0,
        "mean_squared_error": error / max(1, count * (count - 1)),
        "recall": hits / (count * nearest) if nearest else 1.0,
    }
