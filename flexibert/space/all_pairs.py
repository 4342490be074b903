"""All distances of a list of models, block by block, in memory or in a file larger than memory."""

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from flexibert.files import whole_file
from flexibert.log import Progress
from flexibert.space.architecture import Architecture
from flexibert.space.distance import Reference
from flexibert.space.graph import Ranks

ROWS = 128  # models of one block; a block of 40,000 columns takes 20 MB


def all_distances(
    architectures: Sequence[Architecture], ranks: Ranks, out: str | Path | None = None, processes: int | None = 1
) -> np.ndarray:
    """Edit distance of every pair; symmetric, float32, shape (models, models).

    Args:
        architectures: The models.
        ranks: The ranked operation list, which must know every operation.
        out: A `.npy` file to fill block by block; the result is then a read-only memory map of it, and memory stays
            bounded whatever the number of models.
        processes: Worker processes; None for one a core; more than one only with `out`.
    """
    processes = processes or len(os.sched_getaffinity(0))
    reference = Reference(architectures, ranks)
    count = len(architectures)
    if out is None:
        matrix = np.zeros((count, count), np.float32)
        for start in range(0, count, ROWS):
            _fill(matrix, reference, start)
        return matrix
    with whole_file(out) as part:
        shape = (count, count)
        np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=shape).flush()
        _fill_file(part, reference, processes)
    return np.load(out, mmap_mode="r", allow_pickle=False)


def _fill_file(path: Path, reference: Reference, processes: int) -> None:
    starts = range(0, len(reference.architectures), ROWS)
    progress = Progress("distances", len(starts))
    if processes == 1 or len(starts) == 1:
        for done, start in enumerate(starts, 1):
            _fill(np.load(path, mmap_mode="r+", allow_pickle=False), reference, start)
            progress.update(done)
    else:
        context = multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn")
        with ProcessPoolExecutor(processes, context, _start_worker, (path, reference)) as pool:
            for done, _ in enumerate(pool.map(_work, starts), 1):
                progress.update(done)
    progress.close()


_worker: tuple[Path, Reference]


def _start_worker(path: Path, reference: Reference) -> None:
    global _worker
    _worker = path, reference


def _work(start: int) -> None:
    path, reference = _worker
    _fill(np.load(path, mmap_mode="r+", allow_pickle=False), reference, start)


def _fill(matrix: np.ndarray, reference: Reference, start: int) -> None:
    """Rows `start` to `start + ROWS`, from the diagonal on, and the columns that mirror them."""
    stop = min(start + ROWS, len(matrix))
    block = np.zeros((stop - start, len(matrix) - start), np.float32)
    for k in range(start, stop):
        block[k - start, k - start :] = reference.distances_from(k)
    square = block[:, : stop - start]
    square += np.triu(square, 1).T
    matrix[start:stop, start:] = block
    matrix[start:, start:stop] = block.T
