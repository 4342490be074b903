"""From one level of the hierarchy to the next: the best models crossed stack by stack (paper: hierarchy)."""

import random
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, combinations, product
from math import prod

from flexibert.space.architecture import Architecture, Layer
from flexibert.space.design_space import DesignSpace
from flexibert.space.levels import Level


def cross(
    parents: Sequence[Architecture], space: DesignSpace, level: int, limit: int = 100_000, seed: int = 0
) -> list[Architecture]:
    """All models between two of the parents at a level: the finer level's library.

    A child of two parents has the depth of one of them; each of its free stacks is the layer of one parent or the
    other at the same relative height. Where the level allows mixed feed-forward widths, each width is free. The parents
    themselves come first where the level has them.

    Args:
        parents: Models of the level before, best first.
        space: The design space.
        level: The level of the children.
        limit: Most children to make; where there are more, that many are drawn uniformly over the pairs' children.
        seed: Of the drawing.

    Returns:
        Distinct models of the level.

    Raises:
        DesignSpaceError: If the space has no such level.
    """
    target = space.level(level)
    parents = list(dict.fromkeys(parents))
    found = dict.fromkeys(parent for parent in parents if target.contains(parent))
    families = [
        _Family(a, b, depth, target)
        for a, b in (combinations(parents, 2) if len(parents) > 1 else [(*parents, *parents)] if parents else [])
        for depth in dict.fromkeys((len(a.layers), len(b.layers)))
        if depth in space.choices.layers
    ]
    ends = list(accumulate(family.count for family in families))
    total = ends[-1] if ends else 0
    numbers = range(total) if total <= limit else sorted(random.Random(seed).sample(range(total), limit))
    for number in numbers:
        family = bisect_right(ends, number)
        child = families[family].child(number - (ends[family] - families[family].count))
        if target.contains(child):
            found[child] = None
    return list(found)


class _Family:
    """The children of two parents at one depth, numbered 0 .. count - 1."""

    def __init__(self, a: Architecture, b: Architecture, depth: int, level: Level) -> None:
        self._depth, self._level = depth, level
        free = level.free_layers(depth)
        self._options = [_options(_at(a, j, free), _at(b, j, free), level) for j in range(free)]
        self.count = prod(len(options) for options in self._options)

    def child(self, index: int) -> Architecture:
        layers = []
        for options in self._options:
            index, digit = divmod(index, len(options))
            layers.append(options[digit])
        return self._level.repeat(layers, self._depth)


def _at(parent: Architecture, j: int, free: int) -> Layer:
    """The parent's layer at the height of stack j of `free`."""
    return parent.layers[j * len(parent.layers) // free]


def _options(a: Layer, b: Layer, level: Level) -> list[Layer]:
    if level.settings.feed_forward == "equal":
        return list(dict.fromkeys((a, b)))
    return list(
        dict.fromkeys(
            Layer(layer.hidden, layer.heads, widths)
            for layer in (a, b)
            for widths in product(level.choices.feed_forward, repeat=len(layer.feed_forward))
        )
    )
