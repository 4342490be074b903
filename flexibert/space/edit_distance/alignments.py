"""Alignments of two chains of add_norms: the skeletons along which the edit distance matches layers.

A graph of depth l has a spine: the input and the 2 l add_norms, numbered 0 .. 2 l. Each spine vertex has an edge to
the next one (the residual edges), and between spine vertices 2 j and 2 j + 1 hang the heads of layer j, between 2 j + 1
and 2 j + 2 its feed-forward chain. An alignment maps spine vertices of one graph to spine vertices of the other; all
else follows from counting which edges it preserves.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

INPUT, OUTPUT = 0, 1  # the two ends of a graph, in the order of their ranks


@dataclass(frozen=True)
class ChainPair:
    """Two feed-forward chains that an alignment brings together.

    Attributes:
        first, second: The layers of a and of b.
        starts, ends: Whether the add_norms before the chains are matched to each other, and those after them.
        first_tail, second_tail: Whether the chain goes on with the last add_norm and the output of a, or of b, which
            the alignment leaves free.
    """

    first: int
    second: int
    starts: bool
    ends: bool
    first_tail: bool = False
    second_tail: bool = False

    def turned(self) -> "ChainPair":
        """The same chains seen from b."""
        return ChainPair(self.second, self.first, self.starts, self.ends, self.second_tail, self.first_tail)


@dataclass(frozen=True)
class Alignment:
    """What an alignment is worth, in preserved edges.

    Attributes:
        fixed: Preserved edges between spine vertices, and the one to the output.
        heads: (layer of a, layer of b, edges preserved by each matched pair of heads), in the order of matching.
        chains: Feed-forward chains, in the order of matching.
        by_first: Whether ties in the order of matching are broken by the layer of a rather than of b.
        lifted: How many vertices of a of rank 0 or 1 are matched to add_norms of b, across the first threshold and
            across the second; negative where they are vertices of b.
        first_ends: (0 for the input of a or 1 for its output, layer of b whose heads it may stand for).
        second_ends: The same for the ends of b and the layers of a.
    """

    fixed: int
    heads: tuple[tuple[int, int, int], ...]
    chains: tuple[ChainPair, ...]
    by_first: bool
    lifted: tuple[int, int]
    first_ends: tuple[tuple[int, int], ...]
    second_ends: tuple[tuple[int, int], ...]

    def turned(self) -> "Alignment":
        """The same alignment seen from b."""
        heads = tuple((j, i, worth) for i, j, worth in self.heads)
        chains = tuple(chains.turned() for chains in self.chains)
        lifted = -self.lifted[0], -self.lifted[1]
        return Alignment(self.fixed, heads, chains, not self.by_first, lifted, self.second_ends, self.first_ends)


@cache
def alignments(depth_a: int, depth_b: int) -> tuple[Alignment, ...]:
    """The alignments that are tried for graphs of these depths.

    Those for (depth_b, depth_a) are the same ones turned round, which makes the distance symmetric.
    """
    if depth_a > depth_b:
        return tuple(alignment.turned() for alignment in alignments(depth_b, depth_a))
    return tuple(
        _alignment(spine, depth_a, depth_b, by_first)
        for spine, orders in _spines(depth_a, depth_b)
        for by_first in orders
    )


def _spines(depth_a: int, depth_b: int) -> list[tuple[dict[int, int], tuple[bool, ...]]]:
    """Spine vertex of b for each matched spine vertex of a, and whether ties are broken by the layer of a.

    For equal depths the family must contain the inverse of each member with the other way of breaking ties.
    """
    if depth_a < depth_b:
        return [(spine, (True,)) for spine in _shifted_spines(depth_a, depth_b)]
    spines: list[tuple[dict[int, int], tuple[bool, ...]]] = [(_spine(range(depth_a)), (True, False))]
    for turn in _turns(depth_a):
        rotated = _spine([(j + turn) % depth_a for j in range(depth_a)])
        # The seam: the last add_norm of a makes room for its input, or the last one of b for b's input.
        lifted = {k: other for k, other in rotated.items() if k != 2 * depth_a} | {0: 2 * turn}
        lowered = {k: other for k, other in rotated.items() if k} | {2 * (depth_a - turn): 0}
        orders = (True, False) if 2 * turn == depth_a else (2 * turn < depth_a,)
        spines += [(rotated, orders), (lifted, (True,)), (lowered, (False,))]
    return spines


def _turns(depth: int) -> list[int]:
    """Rotations that are tried: all of them for the depths of the paper, a few for deeper graphs."""
    if depth <= 4:
        return list(range(1, depth))
    return sorted({1, 2, depth // 2, depth - depth // 2, depth - 2, depth - 1})


def _shifted_spines(depth_a: int, depth_b: int) -> list[dict[int, int]]:
    """Shifts of a shallower graph along a deeper one, and splits of it between the two ends."""
    spare = depth_b - depth_a
    spines = []
    for shift in sorted({0, spare, *range(min(spare, 3)), spare // 2}):
        spine = _spine(range(shift, shift + depth_a))
        spines.append(spine)
        if shift:
            spines.append({**spine, 0: 2 * shift})  # the input of a stands for the add_norm before the first layer
    for front in sorted({1, depth_a // 2, depth_a - 1} - {0, depth_a}):
        spines.append(_spine([*range(front), *range(front + spare, depth_b)]))
    return spines


def _spine(layers: Iterable[int]) -> dict[int, int]:
    """Input to input, and both add_norms of each layer of a to those of the given layer of b."""
    spine = {0: 0}
    for j, other in enumerate(layers):
        spine |= {2 * j + 1: 2 * other + 1, 2 * j + 2: 2 * other + 2}
    return spine


def _alignment(spine: dict[int, int], depth_a: int, depth_b: int, by_first: bool) -> Alignment:
    end_a, end_b = 2 * depth_a, 2 * depth_b
    taken = set(spine.values())
    last = spine.get(end_a)
    # The output of a is matched to the first add_norm after the partner of the last add_norm, where that is free.
    early = last is not None and last < end_b and last + 1 not in taken
    fixed = sum(spine.get(k + 1) == other + 1 for k, other in spine.items()) + (last == end_b) + early
    raised = (spine.get(0, 0) > 0) - (0 in taken and spine.get(0) != 0)
    heads, chains = [], []
    for i in range(depth_a):
        for j in range(depth_b):
            worth = (spine.get(2 * i) == 2 * j) + (spine.get(2 * i + 1) == 2 * j + 1)
            if worth:
                heads.append((i, j, worth))
            starts, ends = spine.get(2 * i + 1) == 2 * j + 1, spine.get(2 * i + 2) == 2 * j + 2
            if starts or ends:
                tails = (2 * i + 2 == end_a and last is None, 2 * j + 2 == end_b and end_b not in taken)
                chains.append(ChainPair(i, j, starts, ends, *tails))
    heads.sort(key=lambda item: (-item[2], item[0] if by_first else item[1]))
    chains.sort(key=lambda item: (-item.starts - item.ends, item.first if by_first else item.second))
    back = {other: k for k, other in spine.items()}
    return Alignment(
        fixed,
        tuple(heads),
        tuple(chains),
        by_first,
        (raised, raised + early),
        _free_ends(spine, depth_a, depth_b, early),
        _free_ends(back, depth_b, depth_a, False),
    )


def _free_ends(spine: dict[int, int], depth: int, other_depth: int, early: bool) -> tuple[tuple[int, int], ...]:
    """Ends of a graph that may stand for heads of the other: (0 for the input or 1 for the output, layer)."""
    found = []
    first, last = spine.get(1), spine.get(2 * depth)
    if first is not None and first % 2 and spine.get(0, 0) == 0 and first > 1:
        found.append((INPUT, first // 2))
    if last is not None and last % 2 == 0 and last < 2 * other_depth and not early:
        found.append((OUTPUT, last // 2))
    return tuple(found)
