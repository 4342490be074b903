"""Made-up tables of categorical columns for `flexibert bench`: cells of operations on edges, and chains of blocks.

    python tests/benchmarks/search_columns.py results/benchmarks/tables --seeds 1 2

Writes cell-SEED.csv (15,625 rows) and chain-SEED.csv (6,561 rows); what is in them is told by `cell` and `chain`.
"""

import argparse
import csv
from itertools import product
from pathlib import Path

import numpy as np

OPERATIONS = ("none", "skip", "narrow", "wide", "pool")
PATHS = ((3,), (0, 4), (1, 5), (0, 2, 5))  # edges on each way through a cell of four places: 01 02 12 03 13 23
BLOCKS = ("skip", "small", "large")
STAGES = ((0, 1), (2, 3, 4), (5, 6, 7))


def cell(seed: int) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """Six edges with five operations each, as in NAS-Bench-201.

    The score saturates in the capacity of all paths, gains from a path of skips, loses with pooling and with too
    long a path, has effects of every pair of edges, noise of 0.2, and a long tail of cells without a way through.
    """
    generator = np.random.default_rng(seed)
    codes = np.array(list(product(range(5), repeat=6)))
    capacity = np.array([0, 0, generator.uniform(0.5, 0.9), 1.0, generator.uniform(-0.3, 0.2)])
    passes = np.array([0, 1, 0.9, 0.9, generator.uniform(0.5, 0.8)])
    weights = generator.uniform(0.7, 1.3, 6)
    through, total, longest = np.zeros(len(codes)), np.zeros(len(codes)), np.zeros(len(codes))
    for path in PATHS:
        flow = np.prod([passes[codes[:, edge]] for edge in path], axis=0)
        strength = np.sum([capacity[codes[:, edge]] * weights[edge] for edge in path], axis=0)
        through += flow
        total += flow * np.maximum(strength, -1)
        longest = np.maximum(longest, np.where(flow > 0, strength, 0))
    skip = codes == 1
    residual = skip[:, 3] | (skip[:, 0] & skip[:, 4]) | (skip[:, 1] & skip[:, 5])
    scores = 94 - 6 * np.exp(-np.maximum(total, 0)) - 1.5 * ~residual * np.exp(-0.2 * total)
    scores -= 0.4 * np.abs((codes == 4).sum(axis=1) - 0.5) + 0.5 * np.maximum(longest - 2.6, 0)
    scores = np.where(through <= 0, 10.0, scores)
    scores = np.where((total <= 0.05) & (through > 0), 60 + 20 * generator.random(len(codes)), scores)
    pairs = generator.normal(size=(6, 6, 5, 5)) * 0.072
    for first in range(6):
        for second in range(first):
            scores += pairs[first, second][codes[:, first], codes[:, second]]
    scores += 0.2 * generator.normal(size=len(codes))
    return [tuple(OPERATIONS[code] for code in row) for row in codes], scores


def chain(seed: int) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """Eight places with three blocks each, as in NAS-Bench-Macro.

    The score saturates in the sum of the blocks' worths, loses with each stage that is skipped whole, and has a noise
    of 0.15.
    """
    generator = np.random.default_rng(seed)
    codes = np.array(list(product(range(3), repeat=8)))
    worths = np.array([0, 0.7, 1.0]) * generator.uniform(0.5, 1.5, (8, 1)) + 0.08 * generator.normal(size=(8, 3))
    total = sum(worths[place][codes[:, place]] for place in range(8))
    scores = 93 - 7 * np.exp(-0.45 * total)
    scores -= sum(0.8 * np.all(codes[:, list(stage)] == 0, axis=1) for stage in STAGES)
    scores += 0.15 * generator.normal(size=len(codes))
    return [tuple(BLOCKS[code] for code in row) for row in codes], scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for make in (cell, chain):
        for seed in options.seeds:
            rows, scores = make(seed)
            with open(options.out / f"{make.__name__}-{seed}.csv", "w", newline="", encoding="utf-8") as stream:
                writer = csv.writer(stream)
                writer.writerow(["id", "score", *(f"place{place}" for place in range(len(rows[0])))])
                for number, (row, score) in enumerate(zip(rows, scores, strict=True)):
                    writer.writerow([f"{make.__name__}-{number}", f"{score:.4f}", *row])


if __name__ == "__main__":
    main()
