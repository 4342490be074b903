"""Graph edit distance between models (paper: graph edit distance; costs in `ranks`).

What makes it fast, and nearly exact, is the structure of the costs. Substituting a vertex costs the difference of two
ranks and deleting it its rank, as if every graph had enough vertices of rank 0; so the cheapest vertex matching is an
optimal transport on the line, known in closed form. An edge costs a tenth of the smallest rank difference, so an
optimal matching is in practice one of least vertex cost that preserves the most edges. For one model and many others
`one_to_many` looks for it along a family of alignments of the layers, in microseconds a pair; `distance` spends
milliseconds on a search from many more starts (`near_exact`), which nearly always ends at the exact value.

The result is the cost of an actual edit path, hence never below the exact distance, which `exact` finds.
"""

from collections.abc import Sequence

import numpy as np

from flexibert.space.architecture import Architecture
from flexibert.space.edit_distance.graph_arrays import GraphArrays
from flexibert.space.edit_distance.near_exact import assigned_distance
from flexibert.space.edit_distance.one_to_many import Columns
from flexibert.space.edit_distance.ranks import EDGE, RANK, TENTHS, Ranks


def distance(a: Architecture, b: Architecture, ranks: Ranks) -> float:
    """Graph edit distance of two models over a ranked operation list.

    Symmetric, zero only for equal graphs, never below the exact distance, never above that of a `Reference`.

    Raises:
        DesignSpaceError: If a model has an operation that is not in the list.
    """
    aligned = float(Reference([b], ranks).distances(a)[0])
    return min(round(aligned, 1), assigned_distance(a, b, ranks) / TENTHS)


class Reference:
    """Models prepared once so that distances to them can be asked for often, in microseconds each.

    The distances are symmetric, zero only for equal graphs, and never below the exact ones.

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

    def bound(self) -> float:
        """What no distance between these models exceeds: deleting one and inserting the other, in ranks."""
        costs = [0.0]
        for group in self.arrays.groups:
            lower = self.arrays.lower_weights @ group.chains.above
            upper = self.arrays.upper_weights @ group.heads.above
            costs.append(float(lower.max() + upper.max() + EDGE * group.edges.max() / TENTHS))
        return 2 * max(costs)

    def distances_from(self, position: int) -> np.ndarray:
        """Distance of the model at a position to itself and all that follow; shape (models - position,), float32."""
        return self._distances(self.architectures[position], position)

    def _distances(self, architecture: Architecture, first: int) -> np.ndarray:
        row = GraphArrays([architecture], self.ranks).groups[0]
        found = np.empty(self.arrays.size - first, np.float32)
        for group, columns in zip(self.arrays.groups, self._columns, strict=True):
            start = int(np.searchsorted(group.positions, first))
            if start < len(group.positions):
                transport, edges = columns.costs(row, start)
                found[group.positions[start:] - first] = (RANK * transport + EDGE * edges) / TENTHS
        return found
