"""The naive encoding of models: one-hot columns of what each layer is (the paper's baseline embedding)."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from flexibert.space.architecture import Architecture, Layer


@dataclass(frozen=True)
class Features:
    """Models as rows of numbers.

    Attributes:
        matrix: float32, values in [0, 1]; shape (models, columns).
        groups: Which property a column belongs to, equal integers for one property of one layer; shape (columns,).
    """

    matrix: np.ndarray
    groups: np.ndarray


def encode(architectures: Sequence[Architecture]) -> Features:
    """One-hot columns for the depth and, layer by layer, operation, hidden size, heads and feed-forward stack.

    A column is the share of a layer that has the property, so that a layer with mixed heads or widths lies between
    the pure ones; layers that a model does not have are zero. Columns equal for all models are left out; the others
    come in the order of their first use.
    """
    columns: dict[tuple[Hashable, Hashable], int] = {}  # (property, value) to column
    entries: list[tuple[int, int, float]] = []
    for row, architecture in enumerate(architectures):
        found: dict[tuple[Hashable, Hashable], float] = {("depth", len(architecture.layers)): 1.0}
        for j, layer in enumerate(architecture.layers):
            found |= {((j, name), value): share for (name, value), share in _properties(layer).items()}
        entries += [(row, columns.setdefault(key, len(columns)), share) for key, share in found.items()]
    encoded = np.zeros((len(architectures), len(columns)), np.float32)
    if entries:
        rows, numbers_of_columns, shares = zip(*entries, strict=True)
        encoded[rows, numbers_of_columns] = shares
    varied = np.ptp(encoded, axis=0) > 0 if len(encoded) else np.zeros(0, bool)
    numbers: dict[Hashable, int] = {}
    groups = np.array([numbers.setdefault(name, len(numbers)) for name, _ in columns], dtype=int)
    return Features(encoded[:, varied], groups[varied])


def _properties(layer: Layer) -> dict[tuple[str, Hashable], float]:
    found: dict[tuple[str, Hashable], float] = {
        ("hidden", layer.hidden): 1.0,
        ("heads", len(layer.heads)): 1.0,
        ("stack", len(layer.feed_forward)): 1.0,
    }
    for head in layer.heads:
        key = ("operation", (head.operation, head.parameter))
        found[key] = found.get(key, 0.0) + 1 / len(layer.heads)
    for width in layer.feed_forward:
        found["width", width] = found.get(("width", width), 0.0) + 1 / len(layer.feed_forward)
    return found
