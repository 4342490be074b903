"""Matchings of one graph with many others that preserve as many edges as possible at the least vertex cost.

Along an alignment of the spines (see `alignment`), every pair of matched heads or feed-forward layers preserves a known
number of edges, so what remains is to pack pairs into the capacities of the optimal transport (see `packing`). That is
done greedily, all columns at once, and the best alignment counts. Everything is symmetric: turning a pair of graphs round
turns the alignments and the order of the pairs round with them.
"""

from collections.abc import Iterable

import numpy as np

from flexibert.space.alignment import INPUT, Alignment, Chains, alignments
from flexibert.space.arrays import TAIL, DepthGroup, GraphArrays
from flexibert.space.packing import Packing, Reach

COLUMNS = 8192  # models compared with one model at a time: the capacities then fit in a core's cache


class Columns:
    """Models of one depth, prepared to be compared with one other model at a time."""

    def __init__(self, group: DepthGroup, arrays: GraphArrays) -> None:
        self.group = group
        self._weights = arrays.weights.astype(np.float32)
        # No more edges are preserved, and no more vertices matched, than the columns have.
        self._kind = np.dtype(np.int8 if group.edges.max() <= np.iinfo(np.int8).max else np.int16)
        thresholds, models = group.above.shape
        self._whole = slice(0, thresholds)
        self._head_span = slice(arrays.head_span[0] + 1, arrays.head_span[1] + 1)
        self._width_span = slice(arrays.width_span[0] + 1, arrays.width_span[1] + 1)
        self._tail_span = slice(0, arrays.width_span[1] + 1)
        self._heads = Reach(group.head_place, thresholds, self._kind)
        self._chains = Reach(group.chains(), thresholds, self._kind)
        self._chains_from_end = Reach(group.chains_from_end(), thresholds, self._kind)
        self._ends = Reach(np.tile(np.array([[-1], [0]]), models), thresholds, self._kind)
        self._longest = group.width_place.shape[1]
        self._head_count = group.head_count.astype(self._kind)
        self._width_count = group.width_count.astype(self._kind)

    def costs(self, row: DepthGroup, start: int) -> tuple[np.ndarray, np.ndarray]:
        """Vertex cost in ranks and edge cost in edges between the only model of `row` and those from `start` on; int32."""
        stop = len(self.group.places)
        blocks = [slice(first, min(first + COLUMNS, stop)) for first in range(start, stop, COLUMNS)]
        transports, edges = zip(*(self._block(row, block) for block in blocks), strict=True)
        return np.concatenate(transports), np.concatenate(edges)

    def _block(self, row: DepthGroup, block: slice) -> tuple[np.ndarray, np.ndarray]:
        surplus = row.above - self.group.above[:, block]
        transport = self._weights @ np.abs(surplus).astype(np.float32)
        packing = Packing(surplus, self._kind, block)
        preserved = np.zeros(packing.columns, self._kind)
        for alignment in alignments(row.depth, self.group.depth):
            found = _Trial(self, row, block, packing, alignment).preserved()
            np.maximum(preserved, found, out=preserved)
        edges = row.edges + self.group.edges[block] - 2 * preserved.astype(np.int32)
        return transport.astype(np.int32), edges


class _Trial:
    """One row, a block of columns and one alignment: pairs are taken, and the edges they preserve counted."""

    def __init__(self, columns: Columns, row: DepthGroup, block: slice, packing: Packing, alignment: Alignment) -> None:
        self.columns, self.row, self.block, self.packing, self.alignment = columns, row, block, packing, alignment
        kind = packing.kind
        self.mine = {(i, g): kind.type(count) for (i, g), count in np.ndenumerate(row.head_count[:, :, 0]) if count}
        self.theirs = {(j, k): columns._head_count[j, k, block] for j, k in np.ndindex(columns._head_count.shape[:2])}
        self.my_chain = {i: kind.type(count) for i, count in enumerate(row.width_count[:, 0])}
        self.their_chain = {j: columns._width_count[j, block] for j in range(columns.group.depth)}
        self.free_inputs = np.ones(packing.columns, bool)  # where matching input to input keeps no edge
        self.total = np.full(packing.columns, alignment.fixed, kind)

    def preserved(self) -> np.ndarray:
        """Edges preserved by the pairs that fit, or 0 where the alignment itself does not; shape (columns,)."""
        fits = self.packing.reset(self.alignment.lifted)
        for i, j, worth in self.alignment.heads:
            self._match_heads(i, j, worth)
        for chains in self.alignment.chains:
            self._match_chains(chains)
        self._match_leftovers()
        self._match_ends()
        return self.total if fits is None else self.total * fits

    def _pairs(self, mine: Iterable[int], theirs: Iterable[int]) -> list[tuple[int, int]]:
        """All pairs in an order that turns round with the alignment."""
        pairs = [(i, j) for i in mine for j in theirs]
        return sorted(pairs, key=lambda pair: (sum(pair), pair[0] if self.alignment.by_first else pair[1]))

    def _match_heads(self, i: int, j: int, worth: int) -> None:
        """Heads of layer i of the row with heads of layer j of the columns."""
        columns, row = self.columns, self.row
        for g, k in self._pairs(range(row.head_place.shape[1]), range(columns.group.head_place.shape[1])):
            if (i, g) not in self.mine:
                continue
            wanted = np.minimum(self.mine[i, g], self.theirs[j, k])
            place = int(row.head_place[i, g, 0])
            amount = self.packing.take(place, columns._heads, (j, k), wanted, columns._head_span)
            self.mine[i, g] = self.mine[i, g] - amount
            self.theirs[j, k] = self.theirs[j, k] - amount
            for _ in range(worth):
                self.total += amount
            if (i, j, worth) == (0, 0, 1):  # kept by matching input to input
                self.free_inputs = self.free_inputs & (amount == 0)

    def _match_chains(self, chains: Chains) -> None:
        """Feed-forward chains from their starts on, as far as every vertex fits."""
        columns, kind = self.columns, self.packing.kind
        i, j = chains.first, chains.second
        places = self.row.chain(i, chains.first_tail)
        theirs = self.their_chain[j] + kind.type(len(TAIL) * chains.second_tail)
        span = columns._tail_span if chains.first_tail or chains.second_tail else columns._width_span
        before = np.full(self.packing.columns, 1, kind)
        for p, place in enumerate(places[: columns._longest + len(TAIL) * chains.second_tail]):
            amount = self.packing.take(place, columns._chains, (j, p), (theirs > p) & before, span)
            if p or chains.starts:
                self.total += amount
            if chains.ends and p == len(places) - 1:
                self.total += amount & (theirs == len(places))
            if p < self.row.width_count[i, 0]:
                self.my_chain[i] = self.my_chain[i] - amount
            self.their_chain[j] = np.maximum(self.their_chain[j] - amount, 0)
            before = amount

    def _match_leftovers(self) -> None:
        """What is left at the ends of chains, in runs: each run preserves the edges inside it."""
        columns, row, kind = self.columns, self.row, self.packing.kind
        mine = [i for i, left in self.my_chain.items() if row.width_count[i, 0] > 1 and np.any(left > 1)]
        theirs = [j for j, left in self.their_chain.items() if np.any(left > 1)] if mine else []
        for i, j in self._pairs(mine, theirs):
            both = np.minimum(self.my_chain[i], self.their_chain[j])
            before = (both > 1).astype(kind)
            for back in range(1, min(int(row.width_count[i, 0]), columns._longest) + 1):
                place = int(row.width_place[i, row.width_count[i, 0] - back, 0])
                wanted = (both >= back) & before
                before = self.packing.take(place, columns._chains_from_end, (j, back - 1), wanted, columns._width_span)
                if back > 1:
                    self.total += before
                else:  # a chain gives one run only: its places are counted from the end
                    self.my_chain[i] = self.my_chain[i] * (1 - before)
                    self.their_chain[j] = self.their_chain[j] * (1 - before)

    def _match_ends(self) -> None:
        """Inputs and outputs that the alignment leaves free, with heads that are left over.

        An input that stands for a head of the first layer's partner keeps the edge to the add_norm; an output that
        stands for a head after the last add_norm's partner keeps the edge from it.
        """
        columns, packing = self.columns, self.packing
        for end, j in self.alignment.first_ends:
            for k in range(columns.group.head_place.shape[1]):
                wanted = np.minimum(self.theirs[j, k], self._free(end))
                amount = packing.take(end - 1, columns._heads, (j, k), wanted, columns._whole)
                self.theirs[j, k] = self.theirs[j, k] - amount
                self.total += amount
                if columns.group.head_place.shape[1] > 1:
                    break
        for end, i in self.alignment.second_ends:
            if (i, 0) in self.mine:
                wanted = np.minimum(self.mine[i, 0], self._free(end))
                amount = packing.take(int(self.row.head_place[i, 0, 0]), columns._ends, end, wanted, columns._whole)
                self.mine[i, 0] = self.mine[i, 0] - amount
                self.total += amount

    def _free(self, end: int) -> np.ndarray:
        """1 where an end may stand for a head."""
        if end == INPUT:
            return self.free_inputs.astype(self.packing.kind)
        return np.ones(self.packing.columns, self.packing.kind)
