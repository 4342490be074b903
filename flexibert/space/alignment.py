"""Alignments of two chains of add_norms: the skeletons along which the edit distance matches layers.

A graph of depth l has a spine: the input and the 2 l add_norms, numbered 0 .. 2 l. Each spine vertex has an edge to
the next one (the residual edges), and between spine vertices 2 j and 2 j + 1 hang the heads of layer j, between 2 j + 1
and 2 j + 2 its feed-forward chain. An alignment maps spine vertices of one graph to spine vertices of the other; all
else follows from counting which edges it preserves.
"""

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Alignment:
    """What an alignment is worth, in preserved edges.

    Attributes:
        fixed: Preserved edges between spine vertices, and the one to the output.
        heads: (layer of a, layer of b, edges preserved by each matched pair of heads), in the order of matching.
        chains: (layer of a, layer of b, whether the chain's start is aligned, whether its end is), likewise.
        by_first: Whether ties in the order of matching are broken by the layer of a rather than of b.
    """

    fixed: int
    heads: tuple[tuple[int, int, int], ...]
    chains: tuple[tuple[int, int, bool, bool], ...]
    by_first: bool

    def turned(self) -> "Alignment":
        """The same alignment seen from b."""
        heads = tuple((j, i, worth) for i, j, worth in self.heads)
        chains = tuple((j, i, start, end) for i, j, start, end in self.chains)
        return Alignment(self.fixed, heads, chains, not self.by_first)


@cache
def alignments(depth_a: int, depth_b: int) -> tuple[Alignment, ...]:
    """The alignments that are tried for graphs of these depths, the most frequent first.

    Those for (depth_b, depth_a) are the same ones turned round, which makes the distance symmetric.
    """
    if depth_a > depth_b:
        return tuple(alignment.turned() for alignment in alignments(depth_b, depth_a))
    maps = dict.fromkeys(_layer_maps(depth_a, depth_b))
    return tuple(
        _alignment(_spine(layers), depth_a, depth_b, by_first) for layers in maps for by_first in (True, False)
    )


def _layer_maps(depth_a: int, depth_b: int) -> list[tuple[int, ...]]:
    """Layer of b for each layer of a: shifts, splits between front and end, rotations."""
    spare = depth_b - depth_a
    found = [tuple(range(shift, shift + depth_a)) for shift in dict.fromkeys((0, spare, *range(spare)))]
    for front in range(1, depth_a):
        found.append((*range(front), *range(front + spare, depth_b)))
    if not spare:
        found += [tuple((j + turn) % depth_b for j in range(depth_b)) for turn in range(1, depth_b)]
    return found


def _spine(layers: tuple[int, ...]) -> dict[int, int]:
    spine = {0: 0}
    for j, other in enumerate(layers):
        spine[2 * j + 1] = 2 * other + 1
        spine[2 * j + 2] = 2 * other + 2
    return spine


def _alignment(spine: dict[int, int], depth_a: int, depth_b: int, by_first: bool) -> Alignment:
    fixed = sum(spine.get(k + 1) == spine[k] + 1 for k in spine) + (spine.get(2 * depth_a) == 2 * depth_b)
    heads, chains = [], []
    for i in range(depth_a):
        for j in range(depth_b):
            worth = (spine.get(2 * i) == 2 * j) + (spine.get(2 * i + 1) == 2 * j + 1)
            if worth:
                heads.append((i, j, worth))
            start, end = spine.get(2 * i + 1) == 2 * j + 1, spine.get(2 * i + 2) == 2 * j + 2
            if start or end:
                chains.append((i, j, start, end))
    heads.sort(key=lambda item: (-item[2], item[0] if by_first else item[1]))
    chains.sort(key=lambda item: (-item[2] - item[3], item[0] if by_first else item[1]))
    return Alignment(fixed, tuple(heads), tuple(chains), by_first)
