"""Whether a second training of a good model tells a search more than a new model does.

    python tests/benchmarks/search_repeats.py flexibert/search/tables/probes.jsonl --noise 1.2 --seeds 50

Each search asks for `--budget` trainings of a table's models, whose scores are the table's plus normal noise. At every
round of two, `boshnas` asks for two new models, or for one new and one more training of the model that is believed to
be best, from the start or in the second half alone. Then the `--confirmed` best by posterior mean are trained
`--repeats` times more, as `confirm` does, and the best of them by posterior mean is taken. Printed is how far the
table's score of that model lies below the best of the table: mean and standard error over the seeds, and the difference
to new models alone, paired by seed.
"""

import argparse
from pathlib import Path

import numpy as np

from flexibert.evidence.posterior import best_model, posterior
from flexibert.search.bench.pool import pool_from_table
from flexibert.search.bench.table import Table, read_table
from flexibert.search.interface import Observations, Pool
from flexibert.search.methods import method_named
from flexibert.seeds import derive_seed

INITIAL = 4
POLICIES = {"new models alone": 1.0, "half repeats from half-way": 0.5, "half repeats throughout": 0.0}


def main() -> None:
    """Print a line a policy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--noise", type=float, required=True, help="standard deviation of one training, points")
    parser.add_argument("--budget", type=int, default=14, help="trainings of the search")
    parser.add_argument("--confirmed", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--tasks", nargs="*", default=[], help="score by the mean of these tasks")
    options = parser.parse_args()
    table = read_table(options.table, options.tasks)
    pool = pool_from_table(table)
    regrets = {
        name: np.array([regret(table, pool, options, start, seed) for seed in range(options.seeds)])
        for name, start in POLICIES.items()
    }
    usual = regrets["new models alone"]
    for name, values in regrets.items():
        print(f"{name:28} {_told(values)}   against new models alone {_told(values - usual)}")


def _told(values: np.ndarray) -> str:
    return f"{values.mean():6.3f} +- {values.std(ddof=1) / np.sqrt(len(values)):.3f}"


def regret(table: Table, pool: Pool, options: argparse.Namespace, start: float, seed: int) -> float:
    """Points by which one search's confirmed model lies below the table's best.

    Args:
        start: Share of the budget from which on every second training repeats the best model.
    """
    true = np.asarray(table.scores, dtype=float)
    noise = np.random.default_rng(derive_seed(seed, "noise"))
    rows = [proposal.index for proposal in method_named("random").propose(_nothing(), pool, INITIAL, seed)]
    scores = [true[row] + options.noise * noise.normal() for row in rows]
    while len(rows) < options.budget:
        known = Observations(np.array(rows), np.array(scores))
        repeats = len(rows) >= start * options.budget
        asked = [p.index for p in method_named("boshnas").propose(known, pool, 1 if repeats else 2, seed)]
        asked += [int(best_model(posterior(_trainings(rows, scores))))] if repeats else []
        rows += asked
        scores += [true[row] + options.noise * noise.normal() for row in asked]
    beliefs = posterior(_trainings(rows, scores))
    chosen = sorted(beliefs, key=lambda name: -beliefs[name].mean)[: options.confirmed]
    again = [int(name) for name in chosen for _ in range(options.repeats)]
    rows += again
    scores += [true[row] + options.noise * noise.normal() for row in again]
    confirmed = {name: belief for name, belief in posterior(_trainings(rows, scores)).items() if name in chosen}
    return float(true.max() - true[int(best_model(confirmed))])


def _nothing() -> Observations:
    return Observations(np.empty(0, dtype=int), np.empty(0))


def _trainings(rows: list[int], scores: list[float]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row, score in zip(rows, scores, strict=True):
        found.setdefault(str(row), []).append(score)
    return found


if __name__ == "__main__":
    main()
