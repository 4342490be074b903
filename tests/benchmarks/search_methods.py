"""Regret of search methods on means of tasks of a table, or on a table of feature columns, over paired seeds.

    python tests/benchmarks/search_methods.py TABLE --tasks cola,mnli,mrpc,qnli --methods boshnas,local --seeds 50
    python tests/benchmarks/search_methods.py TABLE --objectives mrpc,cola+mnli --methods boshnas,gp --seeds 20
    python tests/benchmarks/search_methods.py TABLE --methods boshnas,local --seeds 50

Each method sees the same initial designs, so that differences are paired. Prints, for each objective, a row a method:
mean regret after 40 and 60 evaluations with its standard error, the area under the curve, the share of seeds that found
a top-5 candidate, seconds a proposal, and the paired difference to the first method named (positive where that one is
better). Traces are kept in --out, so a second call, for more seeds say, continues; remove them when a method changed.
"""

import argparse
import time
from itertools import combinations
from pathlib import Path

import numpy as np

from flexibert.encoder.cost import parameter_counts
from flexibert.files import read_jsonl, write_jsonl
from flexibert.search.bench.pool import pool_from_table
from flexibert.search.bench.run import BenchSettings, search_table
from flexibert.search.bench.summary import Trace, regrets, summarise
from flexibert.search.bench.table import read_table
from flexibert.search.interface import Pool

AFTER = (40, 60)
SAVE_EVERY = 20  # seconds
HEADER = ["method", "seeds", *(f"regret {after}" for after in AFTER), "area", "top 5", "s/proposal"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--tasks", default="", help="comma-separated; every non-empty subset is an objective")
    parser.add_argument("--objectives", default="", help="comma-separated, tasks of one joined by '+'")
    parser.add_argument("--methods", default="boshnas,random,largest,largest-group,evolution,local")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--embedding")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/search"))
    options = parser.parse_args()
    content = read_table(options.table)
    pool = pool_from_table(content, options.embedding, parameter_counts)
    for objective in objectives(options.tasks, options.objectives):
        scores = read_table(options.table, objective).scores if objective else content.scores
        traces = {}
        for method in options.methods.split(","):
            settings = BenchSettings(method, max(AFTER), batch=options.batch, tasks=objective)
            name = "-".join(filter(None, ["+".join(objective) or options.table.stem, method, options.embedding]))
            out = options.out / f"{name}-{options.batch}.jsonl"
            traces[method] = searched(pool, scores, settings, options.seeds, out)
        print(f"\n{'+'.join(objective) or options.table.stem}, batches of {options.batch}\n")
        print(markdown(traces, scores), flush=True)


def objectives(tasks: str, chosen: str) -> list[tuple[str, ...]]:
    """Task sets to search for: those chosen, else all subsets of the tasks, largest first, else the table's score."""
    if chosen:
        return [tuple(objective.split("+")) for objective in chosen.split(",")]
    names = [task for task in tasks.split(",") if task]
    return [subset for size in range(len(names), 0, -1) for subset in combinations(names, size)] or [()]


def searched(pool: Pool, scores: np.ndarray, settings: BenchSettings, seeds: int, out: Path) -> list[Trace]:
    """Traces of all seeds; those in the file are not made again."""
    done = {trace["seed"]: trace for trace in read_jsonl(out)} if out.exists() else {}
    written = time.monotonic()
    for seed in range(seeds):
        if seed not in done:
            done[seed] = search_table(pool, scores, settings, seed)
        if seed == seeds - 1 or time.monotonic() - written > SAVE_EVERY:
            write_jsonl(out, [done[known] for known in sorted(done)])
            written = time.monotonic()
    return [done[seed] for seed in range(seeds)]


def markdown(traces: dict[str, list[Trace]], scores: np.ndarray) -> str:
    """One row a method."""
    initial = BenchSettings("", 0).initial
    curves = {method: regrets(of_method, float(scores.max())) for method, of_method in traces.items()}
    first = next(iter(curves))
    titles = [*HEADER, *(f"minus {first}, {after}" for after in AFTER)]
    rows = [titles, ["---"] * len(titles)]
    for method, of_method in traces.items():
        early, late = (summarise(of_method, scores, after, initial) for after in AFTER)
        pairs = [paired(curves[method], curves[first], after) if method != first else "" for after in AFTER]
        row = [f"{entry.regret:.3f} ± {entry.regret_error:.3f}" for entry in (early, late)]
        row += [f"{late.area:.3f}", f"{100 * late.found_top5:.0f} %", f"{late.seconds:.3g}"]
        rows.append([method, str(len(of_method)), *row, *pairs])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def paired(curves: np.ndarray, ours: np.ndarray, after: int) -> str:
    """Mean difference of regret and its standard error over the seeds that both have."""
    both = min(len(curves), len(ours))
    difference = curves[:both, after - 1] - ours[:both, after - 1]
    return f"{difference.mean():+.3f} ± {difference.std(ddof=1) / np.sqrt(both):.3f}"


if __name__ == "__main__":
    main()
