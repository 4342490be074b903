"""All distances of a list of models, block by block, in memory or in a file larger than memory."""

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flexibert.files import whole_file
from flexibert.log import Progress
from flexibert.space.architecture import Architecture
from flexibert.space.edit_distance.blocks import blocks, let_go
from flexibert.space.edit_distance.distance import Reference
from flexibert.space.edit_distance.ranks import TENTHS, Ranks
from flexibert.space.edit_distance.shortest_paths import LARGEST, close, close_strip

ROWS = 128  # models of one block; a block of 40,000 columns takes 20 MB
PARALLEL = 512  # fewer models are done before a second process has started


def all_distances(
    architectures: Sequence[Architecture], ranks: Ranks, out: str | Path, processes: int | None = 1
) -> np.ndarray:
    """Edit distance of every pair; symmetric, float32, shape (models, models).

    Up to `shortest_paths.LARGEST` models each distance is the shortest way over all models, so that the triangle
    inequality holds throughout; beyond, it is what `distance.Reference` gives for the pair.

    Args:
        architectures: The models.
        ranks: The ranked operation list, which must know every operation.
        out: A `.npy` file to fill block by block, so that memory stays bounded whatever the number of models.
        processes: Worker processes; None for one a core.

    Returns:
        A read-only memory map of the file.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    reference = Reference(architectures, ranks)
    count = len(architectures)
    processes = processes or len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".distances-") as folder:
        small = reference.bound() * TENTHS < np.iinfo(np.int16).max // 2
        shared = _Shared(Path(folder) / "tenths", np.dtype(np.int16 if small else np.int32), count, reference)
        np.memmap(shared.path, shared.kind, "w+", shape=(count, count)).flush()
        with _workers(shared, processes if count > PARALLEL else 1) as run:
            closed = count <= LARGEST
            progress = Progress("distances", (2 if closed else 1) * count)
            for done, _ in enumerate(run(_fill, range(0, count, ROWS)), 1):
                progress.update(min(done * ROWS, count))
            if closed:
                matrix = shared.matrix()

                def close_strips(over: slice, starts: range) -> None:
                    list(run(_close_strip, ((over.start, over.stop, start) for start in starts)))
                    progress.update(count + over.stop)

                close(matrix, close_strips)
            progress.close()
        _write(shared.matrix(), out)
    return np.load(out, mmap_mode="r", allow_pickle=False)


@dataclass(frozen=True)
class _Shared:
    """What the workers share: distances in tenths, in a file that all of them map."""

    path: Path
    kind: np.dtype
    count: int
    reference: Reference

    def matrix(self) -> np.ndarray:
        return np.memmap(self.path, self.kind, "r+", shape=(self.count, self.count))


Part = Callable[[_Shared, Any], object]  # of the work; what it returns is not looked at
Run = Callable[[Part, Iterable], Iterable]


@contextmanager
def _workers(shared: _Shared, processes: int) -> Iterator[Run]:
    """Yield what runs a function of (shared, item) for each item, in order: a pool, or this process alone."""
    if processes == 1:
        yield lambda function, items: (function(shared, item) for item in items)
        return
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(processes, context, _start_worker, (shared,)) as pool:
        yield lambda function, items: pool.map(_work, ((function, item) for item in items))


_worker_shared: _Shared


def _start_worker(shared: _Shared) -> None:
    global _worker_shared
    _worker_shared = shared


def _work(task: tuple[Part, Any]) -> None:
    function, item = task
    function(_worker_shared, item)


def _fill(shared: _Shared, start: int) -> None:
    """Rows `start` to `start + ROWS`, from the diagonal on, and the columns that mirror them."""
    matrix = shared.matrix()
    stop = min(start + ROWS, len(matrix))
    block = np.zeros((stop - start, len(matrix) - start), shared.kind)
    for k in range(start, stop):
        block[k - start, k - start :] = np.rint(shared.reference.distances_from(k) * TENTHS)
    square = block[:, : stop - start]
    square += np.triu(square, 1).T
    matrix[start:stop, start:] = block
    matrix[start:, start:stop] = block.T


def _close_strip(shared: _Shared, item: tuple[int, int, int]) -> None:
    first, stop, start = item
    close_strip(shared.matrix(), slice(first, stop), start)


def _write(matrix: np.ndarray, out: Path) -> None:
    with whole_file(out) as part:
        whole = np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=matrix.shape)
        for rows in blocks(matrix):
            whole[rows] = matrix[rows] / np.float32(TENTHS)
            let_go(whole)
        whole.flush()
