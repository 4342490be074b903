"""Maps between the spines of two graphs, from which the edit distance of one pair sets out.

A graph of depth l has a spine: the input and the 2 l add_norms, numbered 0 .. 2 l. In best matchings the spine of the
one graph lies on that of the other in a few runs of consecutive vertices: layers, or their heads, change places as a
whole, or a run is shifted by half a layer, so that add_norms in front of feed-forward chains are matched to those
behind them.
"""

from functools import lru_cache
from itertools import permutations

import numpy as np

PERMUTED_DEPTH = 4  # deeper graphs have too many permutations of their layers
UNMATCHED = 2  # spine vertices of the shallower graph that runs may leave out


@lru_cache(maxsize=256)
def spine_maps(depth_a: int, depth_b: int, most: int) -> np.ndarray:
    """The maps that are tried; 1 where a spine vertex of a is matched to one of b, else 0.

    Whole shifts come first, then permutations of the layers and of their heads, then maps in two runs, evenly
    thinned where there are more than `most` in all.

    Args:
        depth_a, depth_b: Layers of the graphs, depth_a <= depth_b.
        most: Maps wanted at most.

    Returns:
        float64, shape (maps, 2 depth_a + 1, 2 depth_b + 1), read-only.
    """
    length_a, length_b = 2 * depth_a + 1, 2 * depth_b + 1
    shifts = range(1 - length_a, length_b)
    found = [_runs(length_a, length_b, 0, shift, shift) for shift in shifts]
    if depth_b <= PERMUTED_DEPTH:
        orders = list(permutations(range(depth_b), depth_a))
        found += [_permuted(layers) for layers in orders] + [_permuted_heads(layers, depth_b) for layers in orders]
    found += [
        _runs(length_a, length_b, cut, first, second)
        for cut in range(1, length_a)
        for first in shifts
        for second in shifts
        if first != second
    ]
    least = length_a - UNMATCHED
    distinct = [spine for spine in dict.fromkeys(found) if sum(other >= 0 for other in spine) >= least]
    chosen, rest = distinct[: most // 2], distinct[most // 2 :]
    if rest:
        spread = np.linspace(0, len(rest) - 1, most - len(chosen)).astype(int)
        chosen += [rest[k] for k in np.unique(spread)]
    maps = np.zeros((len(chosen), length_a, length_b))
    for k, spine in enumerate(chosen):
        for vertex, other in enumerate(spine):
            if other >= 0:
                maps[k, vertex, other] = 1
    maps.flags.writeable = False
    return maps


def _runs(length_a: int, length_b: int, cut: int, first: int, second: int) -> tuple[int, ...]:
    """Partner of each spine vertex of a, or -1: shifted by `first` up to the cut, and then by `second` where free."""
    spine: list[int] = []
    for vertex in range(length_a):
        other = vertex + (first if vertex < cut else second)
        spine.append(other if 0 <= other < length_b and other not in spine else -1)
    return tuple(spine)


def _permuted(layers: tuple[int, ...]) -> tuple[int, ...]:
    """Both add_norms of each layer of a to those of the given layer of b; the inputs are left free."""
    return (-1, *(vertex for layer in layers for vertex in (2 * layer + 1, 2 * layer + 2)))


def _permuted_heads(layers: tuple[int, ...], depth_b: int) -> tuple[int, ...]:
    """The vertices around each layer's heads to those around the heads of the given layer of b, and last to last."""
    return (*(vertex for layer in layers for vertex in (2 * layer, 2 * layer + 1)), 2 * depth_b)
