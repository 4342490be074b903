"""Shortest paths over all models of a library, which make near-exact distances a metric and more exact.

Two edit paths one after the other are an edit path too. So the way from a to c over any b is never below the exact
distance, and the shortest way over any number of models both obeys the triangle inequality and is at least as exact.
The algorithm is that of Floyd and Warshall in blocks that stay in a core's cache (Venkataraman et al., 2003, "A blocked
all-pairs shortest-paths algorithm"), over integers and half of the symmetric matrix.
"""

from collections.abc import Callable

import numpy as np

BLOCK = 512  # models that ways may lead over, at a time
TILE = 128  # rows of a tile; a tile of 128 x 512 small integers and its sums fit in a core's cache
LARGEST = 12_000  # the work grows with the cube of the number of models: a core-minute or two for 9,312


def close(matrix: np.ndarray, close_strips: Callable[[slice, range], None]) -> None:
    """Replace every entry by the length of the shortest way.

    Args:
        matrix: Symmetric integers with a zero diagonal, small enough for sums of two; changed in place.
        close_strips: Called with a block and the first rows of all strips; runs `close_strip` for each strip, in any
            order and in any process that shares the matrix, and returns when all are done.
    """
    count = len(matrix)
    for first in range(0, count, BLOCK):
        over = slice(first, min(first + BLOCK, count))
        _close_block(matrix, over)
        close_strips(over, range(0, count, TILE))
        for start in range(0, count, BLOCK):
            rows = slice(start, start + BLOCK)
            square = matrix[rows, rows]
            np.minimum(square, square.T.copy(), out=square)
            for stop in range(start + BLOCK, count, BLOCK):
                columns = slice(stop, stop + BLOCK)
                matrix[columns, rows] = matrix[rows, columns].T


def _close_block(matrix: np.ndarray, over: slice) -> None:
    """The ways inside a block, then from the block to all models over it; both halves of the matrix."""
    inside = matrix[over, over].copy()
    for k in range(len(inside)):
        np.minimum(inside, inside[:, k, None] + inside[k], out=inside)
    panel = matrix[over].copy()
    _shorten(panel, inside, matrix[over].copy())
    matrix[over] = panel
    matrix[:, over] = panel.T


def close_strip(matrix: np.ndarray, over: slice, start: int) -> None:
    """Ways over a block from the models of one strip to all that follow."""
    rows = slice(start, min(start + TILE, len(matrix)))
    strip = np.ascontiguousarray(matrix[rows, start:])
    _shorten(strip, matrix[rows, over].copy(), np.ascontiguousarray(matrix[over, start:]))
    matrix[rows, start:] = strip


def _shorten(target: np.ndarray, there: np.ndarray, on: np.ndarray) -> None:
    """target[i, j] becomes at most there[i, k] + on[k, j] for every k."""
    for top in range(0, len(target), TILE):
        left = there[top : top + TILE]
        for first in range(0, target.shape[1], BLOCK):
            tile = target[top : top + TILE, first : first + BLOCK].copy()
            onward = on[:, first : first + BLOCK]
            sums = np.empty_like(tile)
            for k in range(left.shape[1]):
                np.add(left[:, k, None], onward[k], out=sums)
                np.minimum(tile, sums, out=tile)
            target[top : top + TILE, first : first + BLOCK] = tile
