"""Graph edit distance between models, for many pairs at once (paper, section 3.2; costs in `graph.Ranks`).

What makes it fast, and nearly exact, is the structure of the costs. Substituting a vertex costs the difference of two
ranks and deleting it its rank, as if every graph had enough vertices of rank 0; so the cheapest vertex matching is an
optimal transport on the line, whose cost is a sum over thresholds t of |number of vertices of a reaching t - that of
b|. An edge costs a tenth of the smallest rank difference, so an optimal matching is in practice one of least vertex cost
that preserves the most edges. A set of matched pairs extends to a matching of least vertex cost exactly when the
pairs that cross a threshold downwards are at most the surplus of a there, and those that cross it upwards at most the
surplus of b. So along a given alignment of the spines (see `alignment`) preserving edges is a packing of intervals into
capacities, which is filled greedily; the best alignment of a family gives the distance.

The result is the cost of an actual edit path, hence never below the exact distance.
"""

from collections.abc import Sequence

import numpy as np

from flexibert.space.alignment import Alignment, alignments
from flexibert.space.architecture import Architecture
from flexibert.space.arrays import DepthGroup, GraphArrays
from flexibert.space.graph import Ranks

TENTHS = 10  # distances are computed as integers: a rank is 10 tenths, an edge 1
COLUMNS = 8192  # models compared with one model at a time: the capacities then fit in a core's cache


def distance(a: Architecture, b: Architecture, ranks: Ranks) -> float:
    """Graph edit distance of two models over a ranked operation list.

    Symmetric, zero only for equal graphs, never below the exact distance.

    Raises:
        DesignSpaceError: If a model has an operation that is not in the list.
    """
    return float(distances_to(a, [b], ranks)[0])


def distances_to(architecture: Architecture, others: Sequence[Architecture], ranks: Ranks) -> np.ndarray:
    """Distance of one model to each of many; shape (others,), float32; raises as `distance`."""
    return Reference(others, ranks).distances(architecture)


class Reference:
    """Models prepared once so that distances to them can be asked for often.

    Args:
        architectures: The models.
        ranks: The ranked operation list.
    """

    def __init__(self, architectures: Sequence[Architecture], ranks: Ranks) -> None:
        self.architectures = architectures
        self.ranks = ranks
        self.arrays = GraphArrays(architectures, ranks)
        self._columns = [Columns(group) for group in self.arrays.groups]

    def distances(self, architecture: Architecture) -> np.ndarray:
        """Distance of a model to each of these; shape (models,), float32."""
        return self._distances(architecture, 0)

    def distances_from(self, place: int) -> np.ndarray:
        """Distance of the model at a place to itself and all that follow; shape (models - place,), float32."""
        return self._distances(self.architectures[place], place)

    def _distances(self, architecture: Architecture, first: int) -> np.ndarray:
        row = GraphArrays([architecture], self.ranks).groups[0]
        found = np.empty(self.arrays.size - first, np.float32)
        for group, columns in zip(self.arrays.groups, self._columns, strict=True):
            start = int(np.searchsorted(group.places, first))
            if start < len(group.places):
                tenths = columns.tenths(row, start, self.arrays.weights)
                found[group.places[start:] - first] = tenths / np.float32(TENTHS)
        return found


class Columns:
    """Models of one depth, prepared to be compared with one other model at a time.

    Every capacity is a signed surplus split by sign. A head of rank x moves down to y through the thresholds in (y, x]
    and up through (x, y]; `reach` marks, for each head group of each layer, the thresholds that its rank reaches, as
    all-ones bit patterns, so that masking is one bitwise operation.
    """

    def __init__(self, group: DepthGroup) -> None:
        self.group = group
        self.head_reach = _reach(group.head_place, group.above.shape[0])
        self.width_reach = _reach(group.width_place, group.above.shape[0])
        self.head_total = group.head_count.sum(axis=1)

    def tenths(self, row: DepthGroup, start: int, weights: np.ndarray) -> np.ndarray:
        """Distance in tenths between the only model of `row` and the models from `start` on; int32."""
        group = self.group
        surplus = row.above - group.above[:, start:]
        transport = np.abs(surplus).astype(np.float32).T @ weights.astype(np.float32)
        preserved = None
        packing = _Packing(surplus)
        for alignment in alignments(row.depth, group.depth):
            found = self._heads(packing, row, start, alignment) + self._chains(packing, row, start, alignment)
            found += alignment.fixed
            preserved = found if preserved is None else np.maximum(preserved, found, out=preserved)
        edges = row.edges + group.edges[start:] - 2 * preserved.astype(np.int32)
        return TENTHS * transport.astype(np.int32) + edges

    def _heads(self, packing: "_Packing", row: DepthGroup, start: int, alignment: Alignment) -> np.ndarray:
        """Edges preserved by matching heads along an alignment; shape (columns,)."""
        packing.reset()
        group = self.group
        left_row = {}
        left_columns = {}
        preserved = np.zeros(packing.columns, np.int16)
        for i, j, worth in alignment.heads:
            for g, k in _pairs(row.head_place.shape[1], group.head_place.shape[1], alignment.by_first):
                if not row.head_count[i, g, 0]:
                    continue
                mine = left_row.get((i, g), row.head_count[i, g, 0])
                theirs = left_columns.get((j, k), group.head_count[j, k, start:])
                amount = np.minimum(mine, theirs)
                amount = packing.take(int(row.head_place[i, g, 0]), self.head_reach[j, k][:, start:], amount)
                left_row[i, g] = mine - amount
                left_columns[j, k] = theirs - amount
                preserved += amount * np.int16(worth)
        return preserved

    def _chains(self, packing: "_Packing", row: DepthGroup, start: int, alignment: Alignment) -> np.ndarray:
        """Edges preserved by matching feed-forward chains along an alignment; shape (columns,)."""
        group = self.group
        preserved = np.zeros(packing.columns, np.int16)
        for i, j, starts, ends in alignment.chains:
            mine = int(row.width_count[i, 0])
            theirs = group.width_count[j, start:]
            before = np.full(
                packing.columns, np.int16(starts)
            )  # the vertex before this one is matched to the one before
            for p in range(min(mine, group.width_place.shape[1])):
                amount = (theirs > p).astype(np.int16)
                amount = packing.take(int(row.width_place[i, p, 0]), self.width_reach[j, p][:, start:], amount)
                preserved += before & amount
                if ends and p == mine - 1:
                    preserved += amount & (theirs == mine)
                before = amount
        return preserved


class _Packing:
    """Capacities of the thresholds, filled by matched pairs; `surplus` has shape (thresholds, columns)."""

    def __init__(self, surplus: np.ndarray) -> None:
        self.columns = surplus.shape[1]
        self._full = np.maximum(surplus, 0), np.maximum(-surplus, 0)
        self._down, self._up = np.empty_like(surplus), np.empty_like(surplus)
        self.reset()

    def reset(self) -> None:
        """Empty the packing."""
        np.copyto(self._down, self._full[0])
        np.copyto(self._up, self._full[1])

    def take(self, place: int, reach: np.ndarray, amount: np.ndarray) -> np.ndarray:
        """Match up to `amount` vertices at `place` with vertices that reach the thresholds `reach`; how many fit.

        Args:
            place: Place of the row's operation among the thresholds.
            reach: All bits set where the column's operation reaches the threshold; shape (thresholds, columns).
            amount: How many pairs are wanted; shape (columns,).
        """
        down, up = self._down[: place + 1], self._up[place + 1 :]
        lower, upper = reach[: place + 1], reach[place + 1 :]
        amount = np.minimum(amount, (down | lower).min(axis=0))
        if len(up):
            amount = np.minimum(amount, (up | ~upper & MOST).min(axis=0))
            up -= amount & upper
        down -= amount & ~lower
        return amount


MOST = np.int16(0x7FFF)


def _reach(place: np.ndarray, thresholds: int) -> np.ndarray:
    """All value bits set where a place reaches a threshold; shape (..., thresholds, models)."""
    reached = place[..., None, :] >= np.arange(thresholds)[:, None]
    return np.where(reached, MOST, np.int16(0))


def _pairs(rows: int, columns: int, by_first: bool) -> list[tuple[int, int]]:
    """Pairs of head groups in an order that turns round with the alignment."""
    pairs = [(g, k) for g in range(rows) for k in range(columns)]
    return sorted(pairs, key=lambda pair: (sum(pair), pair[0] if by_first else pair[1]))
