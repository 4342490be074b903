"""Graphs as compact arrays: what the edit distance needs of many models at once, each distinct part only once.

The ranked operations fall into two ranges: input, output, add_norm and feed-forward layers below, heads above. What
happens between the heads of two graphs depends on their heads only; what happens below depends on the feed-forward
chains and on how many heads there are. A level of 9,312 graphs has 600 distinct sets of heads and a few dozen distinct
sets of chains, which is what makes all of its pairs cheap.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flexibert.space.architecture import Architecture, Layer
from flexibert.space.edit_distance.ranks import Ranks

TAIL = (1, 0)  # highest thresholds of add_norm and output, which end every graph


@dataclass(frozen=True)
class Heads:
    """The heads of models of one depth; the last axis of every array is the model.

    Attributes:
        above: Heads that reach each of the upper thresholds; shape (thresholds, models).
        highest: Highest upper threshold that each group of equal heads in each layer reaches, or -1; shape (depth,
            groups, models).
        count: Number of heads in each group, 0 where a layer has fewer groups; same shape.
    """

    above: np.ndarray
    highest: np.ndarray
    count: np.ndarray


@dataclass(frozen=True)
class Chains:
    """All but the heads of models of one depth; the last axis of every array is the model.

    Attributes:
        above: Vertices, heads too, that reach each of the lower thresholds; shape (thresholds, models).
        highest: Highest lower threshold that each feed-forward layer reaches, from the layer's input on; shape
            (depth, stack, models).
        count: Number of stacked feed-forward layers; shape (depth, models).
    """

    above: np.ndarray
    highest: np.ndarray
    count: np.ndarray

    def with_tail(self) -> np.ndarray:
        """`highest` with the tail behind each chain; shape (depth, stack + 2, models)."""
        depth, stack, models = self.highest.shape
        longer = np.zeros((depth, stack + len(TAIL), models), np.int16)
        longer[:, :stack] = self.highest
        for k, threshold in enumerate(TAIL):
            np.put_along_axis(longer, self.count[:, None] + k, np.int16(threshold), axis=1)
        return longer

    def from_end(self) -> np.ndarray:
        """`highest` with each chain from its last layer to its first; shape (depth, stack, models)."""
        order = self.count[:, None] - 1 - np.arange(self.highest.shape[1])[:, None]
        return np.take_along_axis(self.highest, np.maximum(order, 0), axis=1)


@dataclass(frozen=True)
class DepthGroup:
    """All models of one depth.

    Attributes:
        depth: Their number of layers.
        positions: Where each model stands in the list that the arrays were made from; shape (models,).
        heads, chains: The distinct parts.
        heads_of, chains_of: Which of them each model has; shape (models,).
        edges: Number of edges; shape (models,).
    """

    depth: int
    positions: np.ndarray
    heads: Heads
    chains: Chains
    heads_of: np.ndarray
    chains_of: np.ndarray
    edges: np.ndarray


class GraphArrays:
    """Many models over one ranked operation list.

    Attributes:
        lower_weights, upper_weights: Difference of each threshold, a rank that operations have, to the one below; the
            lower thresholds are those that the lowest head reaches.
        first_width: The lowest of the lower thresholds that only some feed-forward layers reach.
        groups: The models by depth, ascending; within a depth in the given order.
    """

    def __init__(self, architectures: Sequence[Architecture], ranks: Ranks) -> None:
        self._ranks = ranks
        thresholds = sorted(rank for rank in ranks.rank.values() if rank > 0)
        self._highest = {label: thresholds.index(rank) if rank else -1 for label, rank in ranks.rank.items()}
        self._lower = 1 + min(threshold for label, threshold in self._highest.items() if "_p-" in label)
        weights = np.diff(thresholds, prepend=0).astype(np.float32)
        self.lower_weights, self.upper_weights = weights[: self._lower], weights[self._lower :]
        self.first_width = 1 + min(threshold for label, threshold in self._highest.items() if label.startswith("f"))
        self._layers: dict[Layer, tuple[tuple, tuple]] = {}
        by_depth: dict[int, list[int]] = {}
        for k, architecture in enumerate(architectures):
            by_depth.setdefault(len(architecture.layers), []).append(k)
        self.size = len(architectures)
        self.groups = [
            self._group(depth, [architectures[k] for k in positions], np.array(positions))
            for depth, positions in sorted(by_depth.items())
        ]

    def _group(self, depth: int, architectures: list[Architecture], positions: np.ndarray) -> DepthGroup:
        heads: dict[tuple, int] = {}
        chains: dict[tuple, int] = {}
        heads_of, chains_of, edges = [], [], []
        for architecture in architectures:
            layers = [self._layer(layer, architecture) for layer in architecture.layers]
            upper = tuple(layer[0] for layer in layers)
            total = sum(count for layer in upper for _, count in layer)
            lower = (total, tuple(layer[1] for layer in layers))
            heads_of.append(heads.setdefault(upper, len(heads)))
            chains_of.append(chains.setdefault(lower, len(chains)))
            edges.append(1 + 2 * total + sum(len(widths) + 3 for widths in lower[1]))
        return DepthGroup(
            depth,
            positions,
            self._heads(depth, list(heads)),
            self._chains(depth, list(chains)),
            np.array(heads_of, np.int32),
            np.array(chains_of, np.int32),
            np.array(edges, np.int32),
        )

    def _layer(self, layer: Layer, architecture: Architecture) -> tuple[tuple, tuple]:
        """((highest threshold, count) of each group of heads, highest thresholds of the widths)."""
        if layer not in self._layers:
            self._ranks.check(architecture)
            names = layer.labels[: len(layer.heads)]
            kinds = dict.fromkeys(names)
            heads = tuple((self._highest[kind] - self._lower, names.count(kind)) for kind in kinds)
            widths = tuple(self._highest[label] for label in layer.labels[len(names) + 1 : -1])
            self._layers[layer] = heads, widths
        return self._layers[layer]

    def _heads(self, depth: int, models: list[tuple]) -> Heads:
        groups = max(len(layer) for model in models for layer in model)
        highest = np.full((depth, groups, len(models)), -1, np.int16)
        count = np.zeros((depth, groups, len(models)), np.int16)
        for k, model in enumerate(models):
            for j, layer in enumerate(model):
                for g, entry in enumerate(layer):
                    highest[j, g, k], count[j, g, k] = entry
        reached = highest >= np.arange(len(self.upper_weights))[:, None, None, None]
        return Heads((reached * count).sum(axis=(1, 2)).astype(np.int16), highest, count)

    def _chains(self, depth: int, models: list[tuple]) -> Chains:
        stack = max(len(widths) for _, model in models for widths in model)
        highest = np.full((depth, stack, len(models)), -1, np.int16)
        count = np.zeros((depth, len(models)), np.int16)
        above = np.zeros((self._lower, len(models)), np.int16)
        for k, (heads, model) in enumerate(models):
            above[:, k] = heads
            above[0, k] += 1  # the output
            above[: TAIL[0] + 1, k] += 2 * depth  # the add_norms
            for j, widths in enumerate(model):
                highest[j, : len(widths), k] = widths
                count[j, k] = len(widths)
        reached = highest >= np.arange(self._lower)[:, None, None, None]
        return Chains(above + reached.sum(axis=(1, 2)).astype(np.int16), highest, count)
