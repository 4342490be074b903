"""Graphs as compact arrays: what the edit distance needs of many models at once, grouped by depth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flexibert.space.architecture import Architecture, Layer
from flexibert.space.graph import Ranks

TAIL = (1, 0)  # places of add_norm and output, which end every graph, among the thresholds


@dataclass(frozen=True)
class DepthGroup:
    """All models of one depth; the last axis of every array is the model.

    Ranks stand as places in `GraphArrays.thresholds`, so that comparing places compares ranks.

    Attributes:
        places: Where each model stands in the list that the arrays were made from; shape (models,).
        above: Vertices whose rank reaches each threshold; shape (thresholds, models).
        head_place: Place of each group of equal heads in each layer; shape (depth, groups, models).
        head_count: Number of heads in each group, 0 where a layer has fewer groups; same shape.
        width_place: Place of each feed-forward width, from the layer's input on; shape (depth, stack, models).
        width_count: Number of stacked feed-forward layers; shape (depth, models).
        edges: Number of edges; shape (models,).
    """

    depth: int
    places: np.ndarray
    above: np.ndarray
    head_place: np.ndarray
    head_count: np.ndarray
    width_place: np.ndarray
    width_count: np.ndarray
    edges: np.ndarray

    def chain(self, layer: int, tail: bool) -> list[int]:
        """Places of the only model's feed-forward chain of a layer, with the tail behind it or without."""
        widths = self.width_place[layer, : self.width_count[layer, 0], 0].tolist()
        return [*widths, *TAIL] if tail else widths

    def chains(self) -> np.ndarray:
        """`width_place` with the tail behind each chain; shape (depth, stack + 2, models)."""
        depth, stack, models = self.width_place.shape
        chains = np.zeros((depth, stack + len(TAIL), models), np.int16)
        chains[:, :stack] = self.width_place
        for k, place in enumerate(TAIL):
            np.put_along_axis(chains, self.width_count[:, None] + k, np.int16(place), axis=1)
        return chains

    def chains_from_end(self) -> np.ndarray:
        """`width_place` with each chain from its last layer to its first; shape (depth, stack, models)."""
        order = self.width_count[:, None] - 1 - np.arange(self.width_place.shape[1])[:, None]
        return np.take_along_axis(self.width_place, np.maximum(order, 0), axis=1)


class GraphArrays:
    """Many models over one ranked operation list.

    Attributes:
        thresholds: The distinct ranks above 0, ascending; shape (thresholds,).
        weights: Difference of each threshold to the one below; shape (thresholds,).
        head_span, width_span: First and last place of the head operations and of the feed-forward widths.
        groups: The models by depth, ascending; within a depth in the given order.
    """

    def __init__(self, architectures: Sequence[Architecture], ranks: Ranks) -> None:
        self.thresholds = np.array(sorted(rank for rank in ranks.rank.values() if rank > 0))
        self.weights = np.diff(self.thresholds, prepend=0)
        place_of_rank = {rank: place for place, rank in enumerate(self.thresholds.tolist())}
        self._place = {label: place_of_rank.get(rank, -1) for label, rank in ranks.rank.items()}
        heads = sorted(place for label, place in self._place.items() if "_p-" in label)
        widths = sorted(place for label, place in self._place.items() if label[0] == "f")
        self.head_span, self.width_span = (heads[0], heads[-1]), (widths[0], widths[-1])
        self._ranks = ranks
        self._layers: dict[Layer, tuple] = {}
        by_depth: dict[int, list[int]] = {}
        for k, architecture in enumerate(architectures):
            by_depth.setdefault(len(architecture.layers), []).append(k)
        self.size = len(architectures)
        self.groups = [
            self._group(depth, [architectures[k] for k in places], np.array(places))
            for depth, places in sorted(by_depth.items())
        ]

    def _group(self, depth: int, architectures: list[Architecture], places: np.ndarray) -> DepthGroup:
        layers = [[self._layer(layer, architecture) for layer in architecture.layers] for architecture in architectures]
        groups = max(len(layer[0]) for model in layers for layer in model)
        stack = max(len(layer[2]) for model in layers for layer in model)
        count = len(architectures)
        head_place = np.zeros((depth, groups, count), np.int16)
        head_count = np.zeros((depth, groups, count), np.int16)
        width_place = np.zeros((depth, stack, count), np.int16)
        width_count = np.zeros((depth, count), np.int16)
        above = np.zeros((count, len(self.thresholds)), np.int16)
        edges = np.ones(count, np.int32)
        for k, model in enumerate(layers):
            for j, (heads, counts, widths, reached, layer_edges) in enumerate(model):
                head_place[j, : len(heads), k] = heads
                head_count[j, : len(heads), k] = counts
                width_place[j, : len(widths), k] = widths
                width_count[j, k] = len(widths)
                above[k] += reached
                edges[k] += layer_edges
        above += self._reached(["input", "output"])
        above = np.ascontiguousarray(above.T)
        return DepthGroup(depth, places, above, head_place, head_count, width_place, width_count, edges)

    def _layer(self, layer: Layer, architecture: Architecture) -> tuple:
        if layer not in self._layers:
            self._ranks.check(architecture)
            labels = layer.labels
            heads = labels[: len(layer.heads)]
            kinds = list(dict.fromkeys(heads))
            counts = [heads.count(kind) for kind in kinds]
            widths = [self._place[label] for label in labels[len(heads) + 1 : -1]]
            layer_edges = 2 * len(heads) + len(widths) + 3
            places = [self._place[kind] for kind in kinds]
            self._layers[layer] = (places, counts, widths, self._reached(labels), layer_edges)
        return self._layers[layer]

    def _reached(self, labels: Sequence[str]) -> np.ndarray:
        places = np.array([self._place[label] for label in labels])
        return (places[:, None] >= np.arange(len(self.thresholds))).sum(axis=0).astype(np.int16)
