"""Regret of search methods on every mean of tasks of a table, or on tables of feature columns.

    python tests/benchmarks/search_methods.py TABLE --tasks cola,mnli,mrpc,qnli --methods boshnas,local --seeds 50
    python tests/benchmarks/search_methods.py TABLE --methods boshnas,local --seeds 50

Each method sees the same initial designs, so that the differences are paired. Prints, for each objective, the mean
regret after 40 and 60 evaluations with its standard error and the area under the curve, and at the end for which
objectives a method beats the first one named. Traces are kept in --out and a second call continues.
"""

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np

from flexibert.search.bench import BenchSettings, regrets, run_bench, summarise, summary_table
from flexibert.search.table import read_table

AFTER = (40, 60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--tasks", default="", help="comma-separated; every non-empty subset is an objective")
    parser.add_argument("--methods", default="boshnas,random,largest,evolution,local")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/search"))
    options = parser.parse_args()
    tasks = [task for task in options.tasks.split(",") if task]
    subsets = [subset for size in range(len(tasks), 0, -1) for subset in combinations(tasks, size)] or [()]
    methods = options.methods.split(",")
    for subset in subsets:
        name = "+".join(subset) or options.table.stem
        scores = read_table(options.table, subset).scores
        final, summaries = {}, []
        for method in methods:
            settings = BenchSettings(method, max(AFTER), batch=options.batch, tasks=subset)
            out = options.out / f"{name}-{method}-{options.batch}.jsonl"
            traces = run_bench(options.table, settings, options.seeds, out, options.jobs)
            final[method] = regrets(traces, float(scores.max()))
            summaries += [summarise(traces, scores, after, settings.initial) for after in AFTER]
        print(f"\n{name}\n{summary_table(summaries)}")
        for after in AFTER:
            tell_pairs(final, methods[0], after)


def tell_pairs(final: dict[str, np.ndarray], ours: str, after: int) -> None:
    """Print the paired difference of each method to ours: positive where ours has the smaller regret."""
    for method, curves in final.items():
        if method != ours:
            difference = curves[:, after - 1] - final[ours][:, after - 1]
            error = difference.std(ddof=1) / np.sqrt(len(difference))
            print(f"  after {after}: {method} - {ours} = {difference.mean():+.3f} +/- {error:.3f}")


if __name__ == "__main__":
    main()
