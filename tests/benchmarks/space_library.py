"""Figures of the design space: counts, distances, embeddings, neighbours, placement of new models.

    python tests/benchmarks/space_library.py SPACE.yaml FOLDER [--pairs PAIRS.jsonl] [--processes 2] [--digests 1000000]
        [--triangles 120] [--large 40000]

Builds the library of the space's level 1 in FOLDER, unless one is there, and prints a table. PAIRS.jsonl has exact
distances (keys a, b, kind, exact, networkx_first) to compare with.
"""

import argparse
import json
import resource
import time
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np

from flexibert.settings import LibrarySettings
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace
from flexibert.space.edit_distance.all_pairs import ROWS
from flexibert.space.edit_distance.distance import Reference, distance
from flexibert.space.edit_distance.ranks import Ranks
from flexibert.space.library.embedding import embed, threshold_counts
from flexibert.space.library.embedding_quality import quality, separations
from flexibert.space.library.library import Library, level_library
from flexibert.space.library.neighbours import nearest
from flexibert.space.library.placement import Placement

TRIPLES = 1_000_000
NEW_MODELS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--triangles", type=int, default=0, help="random models, all of whose triangles are tested")
    parser.add_argument("--large", type=int, default=0, help="models of level 2 of which two blocks of rows are timed")
    parser.add_argument(
        "--digests", type=int, default=0, help="random models of the last level whose digests are compared"
    )
    options = parser.parse_args()
    space = DesignSpace.from_yaml(options.space)
    tell("graphs by level", [space.count(level) for level in range(1, len(space.levels) + 1)])
    if not (options.folder / "library.json").exists():
        settings = LibrarySettings(space.count(1), 16, "euclidean", "fast", 100)  # the whole level
        level_library(space, 1, settings, 0, options.folder, options.processes)
    library = Library.load(options.folder)
    for name in ("graphs", "seconds", "peak_bytes", "stress", "mean_squared_error", "recall"):
        tell(f"library: {name}", library.card[name])
    models = library.architectures
    triangles(library.distances)
    if options.pairs:
        given_pairs(options.pairs, library)
    embeddings(models, library)
    placements(space, models, library)
    neighbours(models, library)
    if options.triangles:
        pairwise_triangles(space.sample(options.triangles, 1, seed=5), library.ranks)
    if options.large:
        large_blocks(space.sample(options.large, 2, seed=0), library.ranks)
    if options.digests:
        drawn = space.sample(options.digests, len(space.levels), seed=0)
        tell("different digests of random models", f"{len({model.digest for model in drawn})} of {len(drawn)}")
    tell("peak memory of this process, MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def tell(name: str, value: object) -> None:
    print(f"{name:48} {value if isinstance(value, str | list | dict) else f'{value:.6g}'}", flush=True)


def triangles(distances: np.ndarray) -> None:
    a, b, c = np.random.default_rng(0).integers(0, len(distances), (3, TRIPLES))
    held = np.array(distances)
    violated = held[a, c] - held[a, b] - held[b, c] > 1e-3
    tell(f"violated triangles of {TRIPLES} random triples", int(violated.sum()))


def pairwise_triangles(models: list[Architecture], ranks: Ranks) -> None:
    """All ordered triples of some models, by the distance of a pair."""
    count = len(models)
    tenths = np.zeros((count, count), int)
    start = time.process_time()
    for i, j in combinations(range(count), 2):
        tenths[i, j] = tenths[j, i] = round(10 * distance(models[i], models[j], ranks))
    tell("pair by pair: CPU milliseconds", 1000 * (time.process_time() - start) / (count * (count - 1) / 2))
    violated = sum(int((tenths > tenths[:, k, None] + tenths[k]).sum()) for k in range(count))
    tell(f"pair by pair: violated of {count**3} triples", violated)


def large_blocks(models: list[Architecture], ranks: Ranks) -> None:
    """Rows of distances from the beginning, where they are longest, and the memory that they take."""
    reference = Reference(models, ranks)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    for k in range(2 * ROWS):
        reference.distances_from(k)
    seconds = (time.process_time() - start) / (2 * ROWS)
    tell(f"{len(models)} models: CPU milliseconds a full row", 1000 * seconds)
    tell(f"{len(models)} models: CPU seconds of all pairs, extrapolated", seconds * len(models) / 2)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tell("peak memory before and after, MB", [before // 1024, after // 1024])


def given_pairs(path: Path, library: Library) -> None:
    place = {name: k for k, name in enumerate(library.ids)}
    gaps: dict[str, list[float]] = defaultdict(list)
    in_library: dict[str, list[float]] = defaultdict(list)
    worse = 0
    start = time.process_time()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        a, b = Architecture.from_model_dict(row["a"]), Architecture.from_model_dict(row["b"])
        found = distance(a, b, library.ranks)
        gaps[row["kind"]].append(found - row["exact"])
        worse += found > row["networkx_first"] + 1e-3
        in_library[row["kind"]].append(float(library.distances[place[a.id], place[b.id]]) - row["exact"])
    tell("CPU milliseconds a pair", 1000 * (time.process_time() - start) / len(rows))
    tell("pairs worse than networkx's first", worse)
    for name, found in (("pair by pair", gaps), ("in the library", in_library)):
        for kind, values in sorted(found.items()):
            equal = np.mean(np.abs(values) < 1e-3)
            tell(f"{kind} {name}: exact, mean gap, least", f"{equal:.3f} {np.mean(values):.3f} {min(values):.3f}")


def embeddings(models: list[Architecture], library: Library) -> None:
    for metric in ("euclidean", "city-block"):
        start = time.perf_counter(), time.process_time()
        first = threshold_counts(models, library.ranks, 16) if metric == "city-block" else None
        coordinates = embed(library.distances, 16, metric=metric, start=first)
        tell(
            f"{metric}: wall and CPU seconds",
            f"{time.perf_counter() - start[0]:.1f} {time.process_time() - start[1]:.1f}",
        )
        tell(
            f"{metric}: quality",
            {key: round(value, 4) for key, value in quality(library.distances, coordinates, metric).items()},
        )


def placements(space: DesignSpace, models: list[Architecture], library: Library) -> None:
    """Every tenth of some models is left out and placed; then models of level 2 are timed."""
    metric = library.card["metric"]
    outside = np.random.default_rng(0).choice(len(models), min(NEW_MODELS, len(models) // 10), replace=False)
    inside = np.setdiff1d(np.arange(len(models)), outside)
    placement = Placement([models[k] for k in inside], library.embedding[inside], library.ranks, metric)
    placed = np.array([placement.place(models[k]) for k in outside])
    given = np.array(library.distances[outside][:, inside])
    stress = (
        np.square(separations(placed, library.embedding[inside], metric) - given).sum() / np.square(given).sum()
    ) ** 0.5
    known = np.square(separations(library.embedding[outside], library.embedding[inside], metric) - given).sum()
    tell("placed models: stress, and in sample", f"{stress:.4f} {(known / np.square(given).sum()) ** 0.5:.4f}")
    fresh = space.sample(100, min(2, len(space.levels)), seed=1)
    start = time.process_time()
    for model in fresh:
        placement.place(model)
    tell("CPU milliseconds to place a new model", 1000 * (time.process_time() - start) / len(fresh))


def neighbours(models: list[Architecture], library: Library) -> None:
    start = time.process_time()
    found = nearest(models, library.embedding, 100)
    tell("neighbours: CPU seconds", time.process_time() - start)
    tell("neighbours: equal to the library's", str(np.array_equal(found, library.neighbours)))


if __name__ == "__main__":
    main()
