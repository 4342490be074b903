"""Regret of `boshnas` with Euclidean and with city-block coordinates, on models that were all evaluated.

    python tests/benchmarks/search_embeddings.py TABLE.jsonl --objectives "cola,mnli,mrpc,qnli cola" --seeds 24

TABLE has model dictionaries. Each variant sees the same initial designs, so that the differences are paired. Prints,
for each objective, the mean regret after 40 and 60 evaluations with its standard error and the area under the curve,
and the paired difference to Euclidean coordinates of as many dimensions.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from flexibert.search.bench.pool import edit_distances, pool_from_table
from flexibert.search.bench.run import BenchSettings, search_table
from flexibert.search.bench.summary import regrets, summarise
from flexibert.search.bench.table import read_table
from flexibert.space.architecture import Architecture
from flexibert.space.edit_distance.ranks import Ranks
from flexibert.space.library.embedding import embed, threshold_counts
from flexibert.space.library.embedding_quality import quality, separations

AFTER = (40, 60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--objectives", default="cola,mnli,mrpc,qnli cola mnli mrpc", help="means of tasks, by spaces")
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--dimensions", default="16,64", help="a library's default, and that of a table")
    options = parser.parse_args()
    pool = pool_from_table(read_table(options.table))
    models = pool.models
    distances = edit_distances(models, Ranks.of_architectures(models))
    variants = {
        f"{name}, {dimensions}": replace(pool, embedding=coordinates(models, distances, dimensions))
        for name, coordinates in VARIANTS.items()
        for dimensions in map(int, options.dimensions.split(","))
    }
    for objective in options.objectives.split():
        tasks = tuple(objective.split(","))
        scores = read_table(options.table, tasks).scores
        settings = BenchSettings("boshnas", max(AFTER), tasks=tasks)
        print(f"\n{objective}: regret after {' / '.join(map(str, AFTER))}, area; paired difference", flush=True)
        curves: dict[str, np.ndarray] = {}
        for name, variant in variants.items():
            traces = [search_table(variant, scores, settings, seed) for seed in range(options.seeds)]
            curves[name] = regrets(traces, float(scores.max()))
            found = [summarise(traces, scores, after, settings.initial) for after in AFTER]
            told = " / ".join(f"{entry.regret:.3f} +/- {entry.regret_error:.3f}" for entry in found)
            against = curves[f"euclidean, {name.rpartition(' ')[2]}"]
            print(f"  {name:28} {told}, {found[-1].area:.3f}; {difference(curves[name], against)}", flush=True)


def difference(curves: np.ndarray, against: np.ndarray) -> str:
    """Paired differences of the area and of the regrets, negative where `curves` are better, with standard errors."""
    pairs = {"area": (curves - against)[:, 9:].mean(axis=1)}
    pairs |= {f"after {after}": (curves - against)[:, after - 1] for after in AFTER}
    return ", ".join(
        f"{name} {values.mean():+.3f} +/- {values.std(ddof=1) / np.sqrt(len(values)):.3f}"
        for name, values in pairs.items()
    )


def euclidean(models: list[Architecture], distances: np.ndarray, dimensions: int) -> np.ndarray:
    """Coordinates whose Euclidean distances follow the edit distances."""
    return told(distances, embed(distances, dimensions), "euclidean")


def city_block(models: list[Architecture], distances: np.ndarray, dimensions: int) -> np.ndarray:
    """Coordinates whose city-block distances follow the edit distances, read by a Euclidean kernel all the same."""
    start = threshold_counts(models, Ranks.of_architectures(models), dimensions)
    return told(distances, embed(distances, dimensions, metric="city-block", start=start), "city-block")


def city_block_norm(models: list[Architecture], distances: np.ndarray, dimensions: int) -> np.ndarray:
    """Points whose Euclidean distances are the roots of the city-block ones: the surrogate then reads that norm.

    The root of a city-block distance is a Euclidean distance in enough dimensions (Schoenberg, 1938), so that kernels
    stay positive definite; near zero a smooth kernel of it is as rough as the exponential of the distance itself.
    """
    points = city_block(models, distances, dimensions)
    squares = separations(points, points, "city-block").astype(float)
    mean = squares.mean(axis=0)
    values, vectors = np.linalg.eigh(-0.5 * (squares - mean - mean[:, None] + mean.mean()))
    return vectors * np.sqrt(np.maximum(values, 0))


def told(distances: np.ndarray, coordinates: np.ndarray, metric: str) -> np.ndarray:
    """The same coordinates, after a line with their quality."""
    figures = {name: round(value, 4) for name, value in quality(distances, coordinates, metric).items()}
    print(f"{metric}, {coordinates.shape[1]} dimensions: {figures}", flush=True)
    return coordinates


VARIANTS: dict[str, Callable[[list[Architecture], np.ndarray, int], np.ndarray]] = {
    "euclidean": euclidean,
    "city-block": city_block,
    "city-block, its own norm": city_block_norm,
}

if __name__ == "__main__":
    main()
