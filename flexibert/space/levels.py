"""The levels of a design space: which layers may differ from each other, and how the graphs are numbered.

A level fixes how many consecutive layers are equal (the stack size s of the paper's hierarchy), and whether the
widths inside a feed-forward stack and the heads inside a layer may differ. Its graphs are numbered from 0, depth by
depth and then as the digits of a number whose digits are layer forms; counting, sampling and enumeration follow from
the numbering, whatever the size of the level.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement, product
from math import comb

from flexibert.space.architecture import Architecture, Head, Layer


@dataclass(frozen=True)
class LevelDefinition:
    """What a level lets vary.

    Attributes:
        name: How people call it, e.g. "G1".
        stack: Number of consecutive layers that are equal, or "all" for models whose layers are all equal.
        feed_forward: "equal" or "mixed" widths inside one feed-forward stack.
        heads: "equal" or "mixed" operations inside one layer.
    """

    name: str
    stack: int | str
    feed_forward: str = "equal"
    heads: str = "equal"


@dataclass(frozen=True)
class Choices:
    """The values a layer is made of, each ascending: forms are (operation, parameter) pairs in canonical order."""

    forms: tuple[tuple[str, str | int], ...]
    hidden_sizes: tuple[int, ...]
    heads: tuple[int, ...]
    feed_forward: tuple[int, ...]
    feed_forward_stacks: tuple[int, ...]
    layers: tuple[int, ...]


class Level:
    """One level of a design space; graphs are numbered 0 .. count - 1."""

    def __init__(self, settings: LevelDefinition, choices: Choices) -> None:
        self.settings = settings
        self.choices = choices

    def heads_of(self, hidden: int) -> list[tuple[Head, ...]]:
        """All sets of heads that a layer of this hidden size may have, in canonical order."""
        found = []
        for count in self.choices.heads:
            options = [Head(operation, parameter, hidden // count) for operation, parameter in self.choices.forms]
            if self.settings.heads == "mixed":
                found += list(combinations_with_replacement(options, count))
            else:
                found += [(head,) * count for head in options]
        return found

    @cached_property
    def widths(self) -> list[tuple[int, ...]]:
        """All feed-forward stacks of the level."""
        choices = self.choices
        if self.settings.feed_forward == "mixed":
            return [
                widths
                for depth in choices.feed_forward_stacks
                for widths in product(choices.feed_forward, repeat=depth)
            ]
        return [(width,) * depth for depth in choices.feed_forward_stacks for width in choices.feed_forward]

    @cached_property
    def forms(self) -> list[Layer]:
        """All layers of the level: 96 in the paper's space, 240 with mixed widths."""
        return [
            Layer(hidden, heads, widths)
            for hidden in self.choices.hidden_sizes
            for heads in self.heads_of(hidden)
            for widths in self.widths
        ]

    @cached_property
    def layer_forms(self) -> int:
        """Number of `forms`, counted without making them."""
        kinds = len(self.choices.forms)
        mixed = self.settings.heads == "mixed"
        heads = sum(comb(kinds + count - 1, count) if mixed else kinds for count in self.choices.heads)
        return len(self.choices.hidden_sizes) * heads * len(self.widths)

    def free_layers(self, depth: int) -> int:
        """Number of layers that are chosen freely at a depth; the others repeat them."""
        stack = self.settings.stack
        return depth // stack if isinstance(stack, int) else 1

    @property
    def count(self) -> int:
        """Number of graphs, exact at any size."""
        return sum(self.layer_forms ** self.free_layers(depth) for depth in self.choices.layers)

    def architecture(self, index: int) -> Architecture:
        """The graph of a number in [0, count)."""
        forms = self.forms
        for depth in self.choices.layers:
            free = self.free_layers(depth)
            here = len(forms) ** free
            if index < here:
                digits = []
                for _ in range(free):
                    index, digit = divmod(index, len(forms))
                    digits.append(forms[digit])
                return self.repeat(digits[::-1], depth)
            index -= here
        raise IndexError("no graph has this number")

    def repeat(self, layers: Sequence[Layer], depth: int) -> Architecture:
        """The model of `depth` layers in which each of `layers` is repeated equally often."""
        return Architecture(tuple(layer for layer in layers for _ in range(depth // len(layers))))

    def enumerate(self) -> Iterator[Architecture]:
        """All graphs in the order of their numbers."""
        for depth in self.choices.layers:
            for layers in product(self.forms, repeat=self.free_layers(depth)):
                yield self.repeat(layers, depth)

    def sample(self, count: int, seed: int) -> list[Architecture]:
        """`count` distinct graphs, each set of that size equally likely; nothing is enumerated."""
        generator = random.Random(seed)
        if self.count <= 2**62:
            return [self.architecture(index) for index in generator.sample(range(self.count), count)]
        indices: dict[int, None] = {}
        while len(indices) < count:  # beyond 2**62 graphs a repetition is next to impossible
            indices[generator.randrange(self.count)] = None
        return [self.architecture(index) for index in indices]

    def contains(self, architecture: Architecture) -> bool:
        """Whether the graph is one of the level."""
        layers = architecture.layers
        if len(layers) not in self.choices.layers or not set(layers) <= self._form_set:
            return False
        repeats = len(layers) // self.free_layers(len(layers))
        return all(layer == layers[j - j % repeats] for j, layer in enumerate(layers))

    @cached_property
    def _form_set(self) -> set[Layer]:
        return set(self.forms)

    def neighbours(self, architecture: Architecture) -> list[Architecture]:
        """All graphs of the level that are one edit away from `architecture`, which is one of it, in a fixed order.

        An edit changes one property of one stack: its hidden size, the operation form (of one head where heads may
        differ), the number of heads, one feed-forward width, or the number of feed-forward layers; or the depth, to
        the next value up or down, by repeating or dropping the last free layers. The relation is symmetric but for
        depth.
        """
        depth = len(architecture.layers)
        free = self.free_layers(depth)
        layers = list(architecture.layers[:: depth // free])
        found = [
            self.repeat([*layers[:j], changed, *layers[j + 1 :]], depth)
            for j, layer in enumerate(layers)
            for changed in self._changed_layers(layer)
        ]
        depths = self.choices.layers
        position = depths.index(depth)
        for other in depths[max(0, position - 1) : position] + depths[position + 1 : position + 2]:
            wanted = self.free_layers(other)
            found.append(self.repeat((layers + [layers[-1]] * wanted)[:wanted], other))
        return list(dict.fromkeys(found))

    def _changed_layers(self, layer: Layer) -> list[Layer]:
        changed = [self._resized(layer, hidden) for hidden in self.choices.hidden_sizes if hidden != layer.hidden]
        changed += [Layer(layer.hidden, heads, layer.feed_forward) for heads in self._changed_heads(layer)]
        changed += [Layer(layer.hidden, layer.heads, widths) for widths in self._changed_widths(layer.feed_forward)]
        return [other for other in dict.fromkeys(changed) if other in self._form_set and other != layer]

    def _resized(self, layer: Layer, hidden: int) -> Layer:
        size = hidden // len(layer.heads)
        return Layer(hidden, tuple(Head(h.operation, h.parameter, size) for h in layer.heads), layer.feed_forward)

    def _changed_heads(self, layer: Layer) -> Iterator[tuple[Head, ...]]:
        size = layer.heads[0].size
        for operation, parameter in self.choices.forms:
            head = Head(operation, parameter, size)
            if self.settings.heads == "equal":
                yield (head,) * len(layer.heads)
                continue
            for k in range(len(layer.heads)):
                yield Layer.mixed(layer.hidden, [*layer.heads[:k], head, *layer.heads[k + 1 :]], ()).heads
        for count in self.choices.heads:
            kept = [Head(h.operation, h.parameter, layer.hidden // count) for h in layer.heads]
            yield Layer.mixed(layer.hidden, (kept * count)[:count], ()).heads

    def _changed_widths(self, widths: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        for width in self.choices.feed_forward:
            if self.settings.feed_forward == "equal":
                yield (width,) * len(widths)
                continue
            for k in range(len(widths)):
                yield (*widths[:k], width, *widths[k + 1 :])
        for depth in self.choices.feed_forward_stacks:
            yield (widths + widths[-1:] * depth)[:depth]
