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
from flexibert.space.arrays import TAIL, DepthGroup, GraphArrays
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
        self._columns = [Columns(group, self.arrays) for group in self.arrays.groups]

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
                tenths = columns.tenths(row, start)
                found[group.places[start:] - first] = tenths / np.float32(TENTHS)
        return found


class Columns:
    """Models of one depth, prepared to be compared with one other model at a time."""

    def __init__(self, group: DepthGroup, arrays: GraphArrays) -> None:
        self.group = group
        self._weights = arrays.weights.astype(np.float32)
        # No more edges are preserved, and no more vertices matched, than the columns have.
        self._kind = np.dtype(np.int8 if group.edges.max() <= np.iinfo(np.int8).max else np.int16)
        self._heads = _Reach(group.head_place, arrays.head_span, self._kind)
        self._longest = group.width_place.shape[1]
        self._chains = _Reach(group.chains_and_ends(), (-1, arrays.width_span[1]), self._kind)
        self._head_count = group.head_count.astype(self._kind)
        self._width_count = group.width_count.astype(self._kind)

    def tenths(self, row: DepthGroup, start: int) -> np.ndarray:
        """Distance in tenths between the only model of `row` and the models from `start` on; int32."""
        stop = len(self.group.places)
        blocks = [slice(first, min(first + COLUMNS, stop)) for first in range(start, stop, COLUMNS)]
        return np.concatenate([self._block(row, block) for block in blocks])

    def _block(self, row: DepthGroup, block: slice) -> np.ndarray:
        surplus = row.above - self.group.above[:, block]
        transport = self._weights @ np.abs(surplus).astype(np.float32)
        heads = _Packing(surplus, self._heads, block)
        chains = _Packing(surplus, self._chains, block)
        preserved = np.zeros(surplus.shape[1], self._kind)
        mixed = row.head_count.shape[1] > 1 or self.group.head_count.shape[1] > 1
        for alignment in alignments(row.depth, self.group.depth, mixed):
            possible = chains.reset(alignment.lifted)
            heads.reset()
            found = self._match_heads(heads, row, block, alignment)
            found += self._match_chains(chains, row, block, alignment)
            found += self._kind.type(alignment.fixed)
            np.maximum(preserved, found if possible is None else found * possible, out=preserved)
        edges = row.edges + self.group.edges[block] - 2 * preserved.astype(np.int32)
        return TENTHS * transport.astype(np.int32) + edges

    def _match_heads(self, packing: "_Packing", row: DepthGroup, block: slice, alignment: Alignment) -> np.ndarray:
        """Edges preserved by matching heads along an alignment; shape (columns,)."""
        mine = {(i, g): self._kind.type(count) for (i, g), count in np.ndenumerate(row.head_count[:, :, 0]) if count}
        theirs: dict[tuple[int, int], np.ndarray] = {}
        groups = row.head_place.shape[1], self.group.head_place.shape[1]
        items = [
            (i, g, j, k, worth)
            for i, j, worth in alignment.heads
            for g, k in _pairs(*groups, alignment.by_first)
            if (i, g) in mine
        ]
        preserved = np.zeros(packing.columns, self._kind)
        for i, g, j, k, worth in items:
            left = theirs.get((j, k), self._head_count[j, k, block])
            amount = packing.take(row.head_place[i, g, 0], (j, k), np.minimum(mine[i, g], left))
            mine[i, g], theirs[j, k] = mine[i, g] - amount, left - amount
            for _ in range(worth):
                preserved += amount
        return preserved

    def _match_chains(self, packing: "_Packing", row: DepthGroup, block: slice, alignment: Alignment) -> np.ndarray:
        """Edges preserved by matching feed-forward chains along an alignment; shape (columns,)."""
        preserved = np.zeros(packing.columns, self._kind)
        mine_left = dict(enumerate(row.width_count[:, 0].astype(self._kind)))
        theirs_left = {j: self._width_count[j, block] for j in range(self.group.depth)}
        for chains in alignment.chains:
            i, j = chains.first, chains.second
            places = row.chain(i, chains.first_tail)
            theirs = self._width_count[j, block] + self._kind.type(len(TAIL) * chains.second_tail)
            before = np.full(packing.columns, chains.starts, self._kind)  # 1 where the vertices before are matched
            for p, place in enumerate(places[: self._longest + len(TAIL) * chains.second_tail]):
                amount = packing.take(place, (j, p), (theirs > p).astype(self._kind))
                preserved += before & amount
                if chains.ends and p == len(places) - 1:
                    preserved += amount & (theirs == len(places))
                before = amount
                if p < row.width_count[i, 0]:
                    mine_left[i] = mine_left[i] - amount
                theirs_left[j] = theirs_left[j] - amount
        return preserved + self._match_leftovers(packing, row, block, alignment, mine_left, theirs_left)

    def _match_leftovers(
        self,
        packing: "_Packing",
        row: DepthGroup,
        block: slice,
        alignment: Alignment,
        mine_left: dict[int, np.ndarray],
        theirs_left: dict[int, np.ndarray],
    ) -> np.ndarray:
        """Edges preserved by matching the ends of chains that are left over, two vertices for an edge."""
        preserved = np.zeros(packing.columns, self._kind)
        mine = [i for i, left in mine_left.items() if row.width_count[i, 0] > 1 and np.any(left > 1)]
        theirs = [j for j, left in theirs_left.items() if np.any(left > 1)]
        for i, j in sorted(
            [(i, j) for i in mine for j in theirs],
            key=lambda pair: (sum(pair), pair[0] if alignment.by_first else pair[1]),
        ):
            amount = ((mine_left[i] > 1) & (theirs_left[j] > 1)).astype(self._kind)
            for back in (2, 1):
                place = row.width_place[i, row.width_count[i, 0] - back, 0]
                amount = packing.take(place, (j, -back), amount)
            mine_left[i] = mine_left[i] - 2 * amount
            theirs_left[j] = theirs_left[j] - 2 * amount
            preserved += amount
        return preserved


class _Reach:
    """Which thresholds the operations at each place of the models reach, as masks for `_Packing`.

    A head of rank x moves down to y through the thresholds in (y, x] and up through (x, y]; so below a row's own rank
    what counts are the thresholds that a column's operation does not reach, and above it those it does.

    Attributes:
        first, stop: The thresholds between the lowest and the highest operation of the family: no other can count.
        reached, missed: All value bits set where an operation reaches a threshold, or does not; shape (...,
            stop - first, models).
    """

    def __init__(self, place: np.ndarray, span: tuple[int, int], kind: np.dtype) -> None:
        self.first, self.stop = span[0] + 1, span[1] + 1
        thresholds = np.arange(self.first, self.stop)[:, None]
        ones = np.iinfo(kind).max
        self.reached = np.where(place[..., None, :] >= thresholds, ones, 0).astype(kind)
        self.missed = ones - self.reached


class _Packing:
    """Capacities of the thresholds, filled by matched pairs.

    Every capacity is a surplus split by sign: of the row's vertices (its pairs move down) or of the columns' (up).
    """

    def __init__(self, surplus: np.ndarray, reach: _Reach, block: slice) -> None:
        kind = reach.reached.dtype
        self.columns = surplus.shape[1]
        self._reach, self._block = reach, block
        most = np.iinfo(kind).max
        span = np.clip(surplus[reach.first : reach.stop], -most, most).astype(kind)
        self._full = np.maximum(span, 0), np.maximum(-span, 0)
        self._down, self._up = np.empty_like(span), np.empty_like(span)

    def reset(self, lifted: tuple[int, int] = (0, 0)) -> np.ndarray | None:
        """Empty the packing but for pairs across the first two thresholds (see `Alignment.lifted`).

        Returns:
            1 where those pairs fit and 0 where they do not; shape (columns,); None where there are none.
        """
        np.copyto(self._down, self._full[0])
        np.copyto(self._up, self._full[1])
        if lifted == (0, 0):
            return None
        fits = np.ones(self.columns, self._down.dtype)
        for threshold, count in enumerate(lifted):
            if count:
                left = (self._up if count > 0 else self._down)[threshold]
                fits &= left >= abs(count)
                left -= self._down.dtype.type(abs(count))
                np.maximum(left, 0, out=left)
        return fits

    def take(self, place: int, column: tuple[int, int], amount: np.ndarray) -> np.ndarray:
        """Match up to `amount` vertices of the row at a place with those of the columns; how many fit.

        Args:
            place: Place of the row's operation among the thresholds.
            column: Layer and number of the columns' operation.
            amount: How many pairs are wanted; shape (columns,).
        """
        split = place + 1 - self._reach.first
        reached, missed = self._reach.reached[column][:, self._block], self._reach.missed[column][:, self._block]
        down, up = self._down[:split], self._up[split:]
        if split:
            amount = np.minimum(amount, (down | reached[:split]).min(axis=0))
        if len(up):
            amount = np.minimum(amount, (up | missed[split:]).min(axis=0))
            up -= amount & reached[split:]
        if split:
            down -= amount & missed[:split]
        return amount


def _pairs(rows: int, columns: int, by_first: bool) -> list[tuple[int, int]]:
    """Pairs of head groups in an order that turns round with the alignment."""
    pairs = [(g, k) for g in range(rows) for k in range(columns)]
    return sorted(pairs, key=lambda pair: (sum(pair), pair[0] if by_first else pair[1]))
