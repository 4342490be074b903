"""Large matrices block by block, in memory that stays bounded where the matrix is a mapped file."""

import mmap
from collections.abc import Iterator

import numpy as np

ROWS = 512  # of a block: 512 x 512 distances stay in a core's cache


def blocks(matrix: np.ndarray) -> Iterator[slice]:
    """The rows of a matrix in blocks; the pages of a mapped file are let go after each."""
    for first in range(0, len(matrix), ROWS):
        yield slice(first, min(first + ROWS, len(matrix)))
        let_go(matrix)


def let_go(matrix: np.ndarray) -> None:
    """Take the pages of a mapped file out of this process's memory; what was written to them stays written.

    The system would take them back itself when memory runs short, but a cluster that adds up resident memory kills the
    process first. An array in memory stays as it is.
    """
    if isinstance(matrix, np.memmap) and isinstance(matrix.base, mmap.mmap):
        matrix.base.madvise(mmap.MADV_DONTNEED)
