"""Pairs of vertices packed into the capacities of an optimal transport on the line, for many columns at once.

The cheapest matching of two graphs' vertices costs, over the thresholds t of the ranked operations, the sum of |number of
vertices of a that reach t - number of b's|. A set of pairs extends to a matching of that cost exactly when across each
threshold the pairs that move down are at most the surplus of a, and those that move up at most the surplus of b.
"""

import numpy as np


class Reach:
    """Which thresholds the operations of the columns reach, as masks for `Packing`.

    Attributes:
        reached, missed: All value bits set where an operation reaches a threshold, or does not; shape (...,
            thresholds, columns).
    """

    def __init__(self, place: np.ndarray, thresholds: int, kind: np.dtype) -> None:
        ones = np.iinfo(kind).max
        self.reached = np.where(place[..., None, :] >= np.arange(thresholds)[:, None], ones, 0).astype(kind)
        self.missed = ones - self.reached


class Packing:
    """What is left of the capacities while pairs of one row's vertices with the columns' are taken.

    Args:
        surplus: Vertices of the row that reach each threshold minus those of each column; shape (thresholds, columns).
        kind: Integer type wide enough for the number of vertices that can be matched.
        block: The columns' places in the arrays of `Reach`.
    """

    def __init__(self, surplus: np.ndarray, kind: np.dtype, block: slice) -> None:
        most = np.iinfo(kind).max
        clipped = np.clip(surplus, -most, most).astype(kind)
        self.columns = surplus.shape[1]
        self.kind = kind
        self._block = block
        self._full = np.maximum(clipped, 0), np.maximum(-clipped, 0)
        self._down, self._up = np.empty_like(clipped), np.empty_like(clipped)

    def reset(self, lifted: tuple[int, int]) -> np.ndarray | None:
        """Empty the packing but for pairs across the first two thresholds (see `Alignment.lifted`).

        Returns:
            1 where those pairs fit and 0 where they do not; shape (columns,); None where there are none.
        """
        np.copyto(self._down, self._full[0])
        np.copyto(self._up, self._full[1])
        if lifted == (0, 0):
            return None
        fits = np.ones(self.columns, self.kind)
        for threshold, count in enumerate(lifted):
            if count:
                left = (self._up if count > 0 else self._down)[threshold]
                fits &= left >= abs(count)
                np.maximum(left - self.kind.type(abs(count)), 0, out=left)
        return fits

    def take(
        self, place: int, reach: Reach, column: int | tuple[int, int], wanted: np.ndarray, span: slice
    ) -> np.ndarray:
        """Match vertices of the row at a place with vertices of the columns; how many fit, at most `wanted`.

        Args:
            place: Place of the row's operation among the thresholds; -1 below all.
            reach: Masks of the columns' operations.
            column: Which of their operations.
            wanted: Number of pairs; shape (columns,).
            span: The thresholds that can lie between such operations; others are not looked at.
        """
        split = min(max(place + 1, span.start), span.stop)
        amount = wanted
        taken = []
        for left, masks, part in (
            (self._down, (reach.reached, reach.missed), slice(span.start, split)),
            (self._up, (reach.missed, reach.reached), slice(split, span.stop)),
        ):
            if part.start == part.stop:
                continue
            outside, between = (mask[column][part, self._block] for mask in masks)
            amount = np.minimum(amount, (left[part] | outside).min(axis=0))
            taken.append((left[part], between))
        for left, between in taken:
            left -= amount & between
        return amount
