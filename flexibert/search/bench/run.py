"""Searching a table of already evaluated candidates: how good the best one is after so many evaluations."""

import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flexibert.errors import SearchError
from flexibert.files import file_digest, read_json, read_jsonl, write_json, write_jsonl
from flexibert.log import Progress
from flexibert.search.bench.pool import Counts, pool_from_table
from flexibert.search.bench.summary import Trace, summarise, summary_table
from flexibert.search.bench.table import read_table
from flexibert.search.interface import Method, Observations, Pool
from flexibert.search.methods import method_named
from flexibert.seeds import derive_seed

logger = logging.getLogger("flexibert.bench")


@dataclass(frozen=True)
class BenchSettings:
    """What decides the evaluations of a bench, apart from the table.

    Attributes:
        method: Name in METHODS.
        budget: Evaluations a seed, the initial design included.
        initial: Random evaluations that come first, the same for every method at equal seed.
        batch: Candidates proposed at a time, their scores known only when all of them are.
        embedding: "transformer2vec", "naive" or None for the best there is.
        tasks: Entries of the rows' `scores` whose mean is the objective; empty for `score`.
    """

    method: str
    budget: int
    initial: int = 10
    batch: int = 1
    embedding: str | None = None
    tasks: tuple[str, ...] = ()

    def check(self, candidates: int) -> None:
        """Raise SearchError with every setting that `candidates` distinct candidates cannot serve."""
        problems = [
            f"{name} is {value}; it must be at least {least}"
            for name, value, least in (
                ("budget", self.budget, 1),
                ("initial", self.initial, 1),
                ("batch", self.batch, 1),
            )
            if value < least
        ]
        if self.initial > self.budget:
            problems.append(f"the initial design of {self.initial} exceeds the budget of {self.budget}; lower --init")
        if candidates < self.initial:
            problems.append(
                f"the table has {candidates} different candidates, fewer than the initial design of {self.initial}; "
                "lower --init or give a larger table"
            )
        elif candidates < self.budget:
            problems.append(
                f"the table has {candidates} different candidates, fewer than the budget of {self.budget}; "
                "lower --budget"
            )
        if problems:
            raise SearchError(problems)


def run_bench(
    table: str | Path,
    settings: BenchSettings,
    seeds: int,
    out: str | Path,
    jobs: int | None = None,
    count_parameters: Counts | None = None,
) -> list[Trace]:
    """Search a table once for each seed; finished seeds of the same call in `out` are kept.

    Args:
        table: See `read_table`.
        settings: The search.
        seeds: Seeds 0 .. seeds-1 are run.
        out: JSONL, one line a seed in their order; always a whole file with the seeds finished so far. Beside it
            stands `<name>.call.json` with the settings and the table's digest.
        jobs: Processes; None for one a core. It does not change the evaluations.
        count_parameters: See `pool_from_table`.

    Returns:
        The lines of `out`: method, seed, ids and scores in order of evaluation, seconds each proposal took.
    """
    out = Path(out)
    counts = {"seeds": seeds} if jobs is None else {"seeds": seeds, "jobs": jobs}
    problems = [f"{name} is {value}; it must be at least 1" for name, value in counts.items() if value < 1]
    if problems:
        raise SearchError(problems)
    method_named(settings.method)  # an unknown name is told before a large table is read
    content = read_table(table, settings.tasks)
    pool = pool_from_table(content, settings.embedding, count_parameters)
    settings.check(len(np.unique(pool.identity)))
    call = {**asdict(settings), "tasks": list(settings.tasks), "table": file_digest(table)}
    done = {trace["seed"]: trace for trace in _finished(out, call, settings)}
    missing = [seed for seed in range(seeds) if seed not in done]
    if done and missing:
        logger.info("%s: %d finished seeds are kept", out, len(done))
    progress = Progress(f"bench {settings.method}", max(seeds, 1))
    for trace in _traces(pool, content.scores, settings, missing, jobs or os.cpu_count() or 1):
        done[trace["seed"]] = trace
        _save(out, call, [done[seed] for seed in sorted(done)])
        progress.update(len(done), best=max(trace["scores"]))
    progress.close()
    return [done[seed] for seed in range(seeds)]


def call_file(out: str | Path) -> Path:
    """Where the settings behind a bench's output stand."""
    out = Path(out)
    return out.with_name(f"{out.name}.call.json")


def _finished(out: Path, call: dict[str, Any], settings: BenchSettings) -> Iterator[Trace]:
    """Lines of an earlier, perhaps broken run of the same call."""
    if not (out.exists() and call_file(out).exists()):
        return
    if read_json(call_file(out)) != call:
        logger.warning("%s holds the results of another call and is replaced", out)
        return
    for line in out.read_text(encoding="utf-8").splitlines():
        try:
            trace = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(trace, dict) and len(trace.get("ids", ())) == settings.budget:
            yield trace


def _save(out: Path, call: dict[str, Any], traces: list[Trace]) -> None:
    """Write finished seeds beside the call they belong to; lines of another call never stand beside this one's."""
    if not (call_file(out).exists() and read_json(call_file(out)) == call):
        out.unlink(missing_ok=True)
        write_json(call_file(out), call)
    write_jsonl(out, traces)


def _traces(
    pool: Pool, scores: np.ndarray, settings: BenchSettings, seeds: Sequence[int], jobs: int
) -> Iterator[Trace]:
    """Run the seeds, in this process or in several, and yield each when it is done."""
    if jobs == 1 or len(seeds) < 2:
        for seed in seeds:
            yield search_table(pool, scores, settings, seed)
        return
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # one core a process: inherited by the workers, read when they import numpy
    import multiprocessing

    context = multiprocessing.get_context("spawn")  # a fork of a process whose libraries have threads can hang
    with ProcessPoolExecutor(min(jobs, len(seeds)), context, _start_worker, (pool, scores, settings)) as workers:
        futures: list[Future] = [workers.submit(_work, seed) for seed in seeds]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            workers.shutdown(cancel_futures=True)


_worker: tuple[Pool, np.ndarray, BenchSettings]  # what every seed of one worker process shares


def _start_worker(pool: Pool, scores: np.ndarray, settings: BenchSettings) -> None:
    global _worker
    _worker = (pool, scores, settings)


def _work(seed: int) -> Trace:
    return search_table(*_worker, seed)


def search_table(pool: Pool, scores: np.ndarray, settings: BenchSettings, seed: int) -> Trace:
    """One search of a table.

    Args:
        pool: The table's candidates.
        scores: Their scores; shape (candidates,).
        settings: The search.
        seed: Decides the order in which the method sees the candidates, the initial design and the method's draws.
            The first two do not depend on the method.
    """
    method = method_named(settings.method)
    generator = np.random.default_rng(derive_seed(seed, "bench"))
    order = generator.permutation(len(pool))
    pool, scores = pool.take(order), np.asarray(scores)[order]
    first = np.unique(pool.identity, return_index=True)[1]
    chosen = [int(row) for row in generator.permutation(np.sort(first))[: settings.initial]]
    seconds = [0.0] * len(chosen)
    while len(chosen) < settings.budget:
        count = min(settings.batch, settings.budget - len(chosen))
        rows, taken = timed_proposal(method, pool, scores, chosen, count, derive_seed(seed, settings.method))
        chosen += rows
        seconds += [taken / len(rows)] * len(rows)
    return {
        "method": settings.method,
        "seed": seed,
        "ids": [pool.ids[row] for row in chosen],
        "scores": [float(scores[row]) for row in chosen],
        "seconds": [round(taken, 6) for taken in seconds],
    }


def timed_proposal(
    method: Method, pool: Pool, scores: np.ndarray, chosen: list[int], count: int, seed: int
) -> tuple[list[int], float]:
    """The next rows a method asks for, and the seconds it took; a bad answer is an error of the method."""
    observations = Observations(np.array(chosen, dtype=int), scores[chosen])
    start = time.perf_counter()
    proposals = method.propose(observations, pool, count, seed)
    taken = time.perf_counter() - start
    rows = [proposal.index for proposal in proposals]
    networks = pool.identity[chosen + rows]
    if not rows or len(set(networks)) < len(networks):
        raise RuntimeError(f"{type(method).__name__} proposed {rows} after {chosen}: nothing new")
    return rows, taken


def report(table: str | Path, settings: BenchSettings, outs: Sequence[Path], picture: Path | None = None) -> str:
    """The summary table of several outputs of one table, and on demand their picture.

    Raises:
        SearchError: An output that is not of this table and objective, or holds no seed.
    """
    scores = read_table(table, settings.tasks).scores
    traces: dict[str, list[Trace]] = {}
    for out in outs:
        lines = _compared(out, set(scores))
        if not lines:
            raise SearchError(f"{out} holds no searches of {table} with this objective; leave it out of --compare")
        traces.setdefault(lines[0]["method"], []).extend(lines)
    if picture is not None:
        from flexibert.search.bench.plot import plot_regret

        plot_regret(traces, float(scores.max()), settings.initial, picture)
    summaries = [
        summarise(of_method, scores, evaluations, settings.initial)
        for of_method in traces.values()
        for evaluations in sorted({40, 60, settings.budget})
        if settings.initial <= evaluations <= min(len(trace["scores"]) for trace in of_method)
    ]
    return summary_table(summaries)


def _compared(out: Path, scores: set[float]) -> list[Trace]:
    """The traces of an output; none where it is something else or of another table."""
    try:
        lines = read_jsonl(out)
        fitting = all(set(line["scores"]) <= scores and line["method"] for line in lines)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        return []
    return lines if fitting else []
