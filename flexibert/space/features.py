"""The naive encoding of models: one-hot columns of what each layer is (the paper's baseline embedding)."""

from collections.abc import Hashable, Sequence

import numpy as np

from flexibert.space.architecture import Architecture, Layer


def encode(architectures: Sequence[Architecture]) -> np.ndarray:
    """One-hot columns for the depth and, layer by layer, operation, hidden size, heads and feed-forward stack.

    A column is the share of a layer that has the property, so that a layer with mixed heads or widths lies between
    the pure ones; layers that a model does not have are zero. Columns equal for all models are left out.

    Returns:
        float32, shape (models, columns), values in [0, 1]; columns in the order of their first use.
    """
    columns: dict[Hashable, int] = {}
    entries: list[tuple[int, int, float]] = []
    for row, architecture in enumerate(architectures):
        found = {("depth", len(architecture.layers)): 1.0}
        for j, layer in enumerate(architecture.layers):
            for name, share in _properties(layer).items():
                found[j, name] = share
        entries += [(row, columns.setdefault(name, len(columns)), share) for name, share in found.items()]
    encoded = np.zeros((len(architectures), len(columns)), np.float32)
    if entries:
        rows, places, shares = zip(*entries, strict=True)
        encoded[rows, places] = shares
    varied = np.ptp(encoded, axis=0) > 0 if len(encoded) else np.zeros(0, bool)
    return encoded[:, varied]


def _properties(layer: Layer) -> dict[Hashable, float]:
    found: dict[Hashable, float] = {
        ("hidden", layer.hidden): 1.0,
        ("heads", len(layer.heads)): 1.0,
        ("stack", len(layer.feed_forward)): 1.0,
    }
    for head in layer.heads:
        name = ("operation", head.operation, head.parameter)
        found[name] = found.get(name, 0.0) + 1 / len(layer.heads)
    for width in layer.feed_forward:
        found["width", width] = found.get(("width", width), 0.0) + 1 / len(layer.feed_forward)
    return found
