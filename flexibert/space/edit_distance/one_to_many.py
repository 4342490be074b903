"""Matchings of one graph with many others that preserve as many edges as possible at the least vertex cost.

Along an alignment of the spines (see `alignments`), every pair of matched heads or feed-forward layers preserves a
known number of edges, so what remains is to pack pairs into the capacities of the optimal transport (see `packing`).
That is done greedily, all columns at once, for the heads and for the rest apart (see `graph_arrays`), and the best
alignment counts.
Everything is symmetric: turning a pair of graphs round turns the alignments and the order of the pairs round with them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

import numpy as np

from flexibert.space.edit_distance.alignments import INPUT, Alignment, ChainPair, alignments
from flexibert.space.edit_distance.graph_arrays import TAIL, Chains, DepthGroup, GraphArrays, Heads
from flexibert.space.edit_distance.packing import Packing, Reach

TABLE_BYTES = 100_000_000  # tables of distinct rows that are kept


@dataclass(frozen=True)
class Table:
    """One row's part against the columns' distinct parts, by alignment; arrays of shape (alignments, columns).

    Attributes:
        preserved: Edges preserved; far below zero where the alignment is not possible.
        my_ends: How many ends of the row's graph may stand for heads of the column's.
        their_ends: How many ends of the column's graph may stand for heads of the row's.
        transport: Vertex cost in ranks; shape (columns,).
    """

    preserved: np.ndarray
    my_ends: np.ndarray
    their_ends: np.ndarray
    transport: np.ndarray

    def take(self, columns: np.ndarray) -> "Table":
        """The table of the given columns."""
        return Table(
            self.preserved[..., columns],
            self.my_ends[..., columns],
            self.their_ends[..., columns],
            self.transport[columns],
        )


class Columns:
    """Models of one depth, prepared to be compared with one other model at a time."""

    def __init__(self, group: DepthGroup, arrays: GraphArrays) -> None:
        self.group = group
        # No more edges are preserved, and no more vertices matched, than the columns have.
        kind = np.dtype(np.int8 if group.edges.max() < -_impossible(np.int8) else np.int16)
        self._heads = _HeadColumns(group.heads, group.depth, arrays.upper_weights, kind)
        self._chains = _ChainColumns(group.chains, group.depth, arrays, kind)
        self._head_table = _remember(self._heads.table, len(group.heads.above.T))
        self._chain_table = _remember(self._chains.table, len(group.chains.above.T))

    def costs(self, row: DepthGroup, start: int) -> tuple[np.ndarray, np.ndarray]:
        """Vertex cost in ranks and edge cost in edges of `row`, one model, to the models from `start` on; int32."""
        heads = self._head_table(row.depth, _Key(row.heads)).take(self.group.heads_of[start:])
        chains = self._chain_table(row.depth, _Key(row.chains)).take(self.group.chains_of[start:])
        preserved = heads.preserved + chains.preserved
        preserved += np.minimum(heads.my_ends, chains.my_ends)
        preserved += np.minimum(heads.their_ends, chains.their_ends)
        edges = row.edges + self.group.edges[start:] - 2 * np.maximum(preserved.max(axis=0), 0).astype(np.int32)
        return (heads.transport + chains.transport).astype(np.int32), edges


def _impossible(kind: type | np.dtype) -> int:
    """A number of preserved edges so low that no others make up for it, and that adding to does not overflow."""
    return int(np.iinfo(kind).min // 2)


Part = TypeVar("Part", bound=Heads | Chains)


class _Key(Generic[Part]):
    """A row's part that compares by content, so that its table is found again."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._bytes = part.above.tobytes() + part.highest.tobytes() + part.count.tobytes()

    def __hash__(self) -> int:
        return hash(self._bytes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._bytes == other._bytes


def _remember(function: Callable[..., Table], columns: int) -> Callable[..., Table]:
    return lru_cache(maxsize=max(1, TABLE_BYTES // (100 * columns)))(function)


def _table(found: list[tuple[np.ndarray, np.ndarray, np.ndarray]], transport: np.ndarray) -> Table:
    """What each alignment preserves and leaves, with the vertex cost, which is the same for all."""
    preserved, my_ends, their_ends = map(np.array, zip(*found, strict=True))
    return Table(preserved, my_ends, their_ends, transport)


def _in_turn(mine: Iterable[int], theirs: Iterable[int], alignment: Alignment) -> list[tuple[int, int]]:
    """All pairs in an order that turns round with the alignment."""
    pairs = [(i, j) for i in mine for j in theirs]
    return sorted(pairs, key=lambda pair: (sum(pair), pair[0] if alignment.by_first else pair[1]))


class _HeadColumns:
    """The distinct sets of heads of the columns."""

    def __init__(self, heads: Heads, depth: int, weights: np.ndarray, kind: np.dtype) -> None:
        self._above, self._count, self._depth, self._weights, self._kind = (
            heads.above,
            heads.count.astype(kind),
            depth,
            weights,
            kind,
        )
        self._reach = Reach(heads.highest, len(weights), kind)
        # An end of a graph ranks below all heads, as far as the thresholds between heads can tell.
        self._ends = Reach(np.full((1, 1, self._above.shape[1]), -1), len(weights), kind)

    def table(self, depth: int, key: _Key[Heads]) -> Table:
        """The row's heads against all columns."""
        row = key.part
        surplus = row.above - self._above
        transport = self._weights @ np.abs(surplus).astype(np.float32)
        packing = Packing(surplus, self._kind)
        found = [self._match(row, packing, alignment) for alignment in alignments(depth, self._depth)]
        return _table(found, transport)

    def _match(self, row: Heads, packing: Packing, alignment: Alignment) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        packing.reset()
        mine = {(i, g): self._kind.type(count) for (i, g), count in np.ndenumerate(row.count[:, :, 0]) if count}
        theirs = {group: self._count[group] for group in np.ndindex(self._count.shape[:2])}
        inputs = np.ones(packing.columns, bool)  # where matching input to input keeps no edge
        preserved = np.zeros(packing.columns, self._kind)
        for i, j, worth in alignment.heads:
            for g, k in _in_turn(range(row.count.shape[1]), range(self._count.shape[1]), alignment):
                if (i, g) not in mine:
                    continue
                wanted = np.minimum(mine[i, g], theirs[j, k])
                amount = packing.take(int(row.highest[i, g, 0]), self._reach, (j, k), wanted)
                mine[i, g], theirs[j, k] = mine[i, g] - amount, theirs[j, k] - amount
                preserved += amount * self._kind.type(worth)
                if (i, j, worth) == (0, 0, 1):
                    inputs &= amount == 0
        my_ends, their_ends = np.zeros_like(preserved), np.zeros_like(preserved)
        for end, j in alignment.first_ends:
            wanted = np.minimum(theirs[j, 0], inputs if end == INPUT else self._kind.type(1))
            amount = packing.take(-1, self._reach, (j, 0), wanted)
            theirs[j, 0] = theirs[j, 0] - amount
            my_ends += amount
        for end, i in alignment.second_ends:
            wanted = np.minimum(mine[i, 0], inputs if end == INPUT else np.ones_like(preserved))
            amount = packing.take(int(row.highest[i, 0, 0]), self._ends, (0, 0), wanted.astype(self._kind))
            mine[i, 0] = mine[i, 0] - amount
            their_ends += amount
        return preserved, my_ends, their_ends


class _ChainColumns:
    """The distinct sets of feed-forward chains of the columns, with the ends and the spine."""

    def __init__(self, chains: Chains, depth: int, arrays: GraphArrays, kind: np.dtype) -> None:
        self._above, self._count, self._depth, self._kind = chains.above, chains.count.astype(kind), depth, kind
        self._weights, self._first_width = arrays.lower_weights, arrays.first_width
        self._longest = chains.highest.shape[1]
        self._reach = Reach(chains.with_tail(), len(self._weights), kind)
        self._reach_from_end = Reach(chains.from_end(), len(self._weights), kind)

    def table(self, depth: int, key: _Key[Chains]) -> Table:
        """The row's chains against all columns, with what the alignments themselves preserve."""
        row = key.part
        surplus = row.above - self._above
        transport = self._weights @ np.abs(surplus).astype(np.float32)
        packing = Packing(surplus, self._kind)
        found = [self._match(row, packing, alignment) for alignment in alignments(depth, self._depth)]
        return _table(found, transport)

    def _match(self, row: Chains, packing: Packing, alignment: Alignment) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        packing.reset()
        fits = np.ones(packing.columns, bool)
        for threshold, count in enumerate(alignment.lifted):
            if count:
                fits &= packing.take_across(threshold, count)
        mine = {i: self._kind.type(count) for i, count in enumerate(row.count[:, 0])}
        theirs = dict(enumerate(self._count))
        preserved = np.full(packing.columns, alignment.fixed, self._kind)
        for pair in alignment.chains:
            preserved += self._match_pair(row, packing, pair, mine, theirs)
        preserved += self._match_leftovers(row, packing, alignment, mine, theirs)
        my_ends, their_ends = packing.up.min(axis=0), packing.down.min(axis=0)
        return np.where(fits, preserved, self._kind.type(_impossible(self._kind))), my_ends, their_ends

    def _match_pair(self, row: Chains, packing: Packing, pair: ChainPair, mine: dict, theirs: dict) -> np.ndarray:
        """Two chains from their starts on, as far as every vertex fits; what is left of them is noted."""
        i, j = pair.first, pair.second
        vertices = row.highest[i, : row.count[i, 0], 0].tolist() + list(TAIL) * pair.first_tail
        length = self._count[j] + self._kind.type(len(TAIL) * pair.second_tail)
        first = 0 if pair.first_tail or pair.second_tail else self._first_width
        before = np.ones(packing.columns, self._kind)
        preserved = np.zeros(packing.columns, self._kind)
        for p, highest in enumerate(vertices[: self._longest + len(TAIL) * pair.second_tail]):
            wanted = (length > p) & before
            if not wanted.any():
                break
            before = packing.take(highest, self._reach, (j, p), wanted, first)
            if p or pair.starts:
                preserved += before
            if pair.ends and p == len(vertices) - 1:
                preserved += before & (length == len(vertices))
            if p < row.count[i, 0]:
                mine[i] = mine[i] - before
            theirs[j] = np.maximum(theirs[j] - before, 0)
        return preserved

    def _match_leftovers(
        self, row: Chains, packing: Packing, alignment: Alignment, mine: dict, theirs: dict
    ) -> np.ndarray:
        """What is left at the ends of chains, in runs: each run preserves the edges inside it."""
        preserved = np.zeros(packing.columns, self._kind)
        long = [i for i, left in mine.items() if row.count[i, 0] > 1 and np.any(left > 1)]
        their_long = [j for j, left in theirs.items() if np.any(left > 1)] if long else []
        for i, j in _in_turn(long, their_long, alignment):
            both = np.minimum(mine[i], theirs[j])
            before = (both > 1).astype(self._kind)
            for back in range(1, min(int(row.count[i, 0]), self._longest) + 1):
                highest = int(row.highest[i, row.count[i, 0] - back, 0])
                wanted = (both >= back) & before
                if not wanted.any():
                    break
                before = packing.take(highest, self._reach_from_end, (j, back - 1), wanted, self._first_width)
                if back > 1:
                    preserved += before
                else:  # a chain gives one run only: its vertices are counted from the end
                    mine[i], theirs[j] = mine[i] * (1 - before), theirs[j] * (1 - before)
        return preserved
