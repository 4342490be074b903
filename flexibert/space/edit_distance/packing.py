"""Pairs of vertices packed into the capacities of an optimal transport on the line, for many columns at once.

The cheapest matching of two graphs' vertices costs, over the thresholds t of the ranked operations, the sum of |number
of vertices of a that reach t - number of b's|. A set of pairs extends to a matching of that cost exactly when across
each threshold the pairs that move down are at most the surplus of a, and those that move up at most the surplus of b.
"""

import numpy as np


class Reach:
    """Which thresholds the operations of the columns reach, as masks for `Packing`.

    Attributes:
        reached, missed: All value bits set where an operation reaches a threshold, or does not; shape (...,
            thresholds, columns).
    """

    def __init__(self, highest: np.ndarray, thresholds: int, kind: np.dtype) -> None:
        ones = np.iinfo(kind).max
        self.reached = np.where(highest[..., None, :] >= np.arange(thresholds)[:, None], ones, 0).astype(kind)
        self.missed = ones - self.reached


class Packing:
    """What is left of the capacities while pairs of one row's vertices with the columns' are taken.

    Args:
        surplus: Vertices of the row that reach each threshold minus those of each column; shape (thresholds, columns).
        kind: Integer type wide enough for the number of vertices that can be matched.

    Attributes:
        down, up: What is left for pairs whose vertex of the row has the higher, or the lower rank.
    """

    def __init__(self, surplus: np.ndarray, kind: np.dtype) -> None:
        most = np.iinfo(kind).max
        clipped = np.clip(surplus, -most, most).astype(kind)
        self.columns = surplus.shape[1]
        self.kind = kind
        self._full = np.maximum(clipped, 0), np.maximum(-clipped, 0)
        self.down, self.up = np.empty_like(clipped), np.empty_like(clipped)

    def reset(self) -> None:
        """Empty the packing."""
        np.copyto(self.down, self._full[0])
        np.copyto(self.up, self._full[1])

    def take_across(self, threshold: int, count: int) -> np.ndarray:
        """Match `count` pairs across one threshold, up, or down where it is negative; whether they fit."""
        left = (self.up if count > 0 else self.down)[threshold]
        fits = left >= abs(count)
        np.maximum(left - self.kind.type(abs(count)), 0, out=left)
        return fits

    def take(
        self, highest: int, reach: Reach, column: tuple[int, int], wanted: np.ndarray, first: int = 0
    ) -> np.ndarray:
        """Match vertices of the row of one rank with vertices of the columns; how many fit, at most `wanted`.

        Args:
            highest: Highest threshold that the row's operation reaches.
            reach: Masks of the columns' operations.
            column: Which of their operations.
            wanted: Number of pairs; shape (columns,).
            first: The first threshold that can lie between such operations; those below are not looked at.
        """
        split = max(highest + 1, first)
        reached, missed = reach.reached[column], reach.missed[column]
        amount = wanted
        if split > first:
            amount = np.minimum(amount, np.minimum.reduce(self.down[first:split] | reached[first:split]))
        if split < len(reached):
            amount = np.minimum(amount, np.minimum.reduce(self.up[split:] | missed[split:]))
            self.up[split:] -= amount & reached[split:]
        if split > first:
            self.down[first:split] -= amount & missed[first:split]
        return amount
