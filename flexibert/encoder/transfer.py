"""Weights of a trained model as the start of another (paper: weight transfer): which pass over, how, and what share.

Layers are paired from the input on while their operations agree; within a pair, and in the embeddings and heads,
parameters of equal names are transferred. An axis of equal size is copied. Where sizes differ, *ordered transfer* takes
the first rows and columns, and *random projection* changes the basis by a Gaussian matrix, the same one wherever the
same two sizes meet, so that the layers still speak of the same directions.

The overlap is the share of the target's layer parameters (operations, relative positions, feed-forward, norms,
projections) that hold a transferred value. Embeddings and heads are transferred but not counted: they are as large as
the vocabulary (at 50,265 tokens four times BERT-Mini's layers), so that any two models of equal first and last
widths would seem to share most of their weights, with no layer in common. A random projection counts what ordered
transfer would: it cannot carry more than the smaller of two matrices holds.
"""

from collections.abc import Iterator
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, get_args

from flexibert.encoder.settings import EncoderSettings, LayerSettings
from flexibert.encoder.shapes import count, layer_shapes, relative_reach
from flexibert.errors import ModelError
from flexibert.seeds import derive_seed
from flexibert.settings import TransferMode
from flexibert.space.architecture import Architecture

if TYPE_CHECKING:
    from torch import Tensor

    from flexibert.encoder.checkpoint import PlainModel

MODES = get_args(TransferMode)


def predicted_overlap(source: Architecture, target: Architecture, **settings: Any) -> float:
    """The overlap that `transfer` would return, from the architectures alone (0.2 ms, no PyTorch).

    Args:
        source: The trained model.
        target: The model that takes its weights.
        settings: Further attributes of `EncoderSettings`, the same for both, e.g. max_positions=64.

    Returns:
        In [0, 1]; 1 for equal models.
    """
    left, right = (EncoderSettings(architecture, **settings) for architecture in (source, target))
    reach = relative_reach(right)
    shared = sum(_shared(*pair, reach) for pair in agreeing(left.layers, right.layers))
    return shared / sum(_size(layer, reach) for layer in right.layers)


def agreeing(
    source: tuple[LayerSettings, ...], target: tuple[LayerSettings, ...]
) -> Iterator[tuple[LayerSettings, LayerSettings]]:
    """Pairs of layers from the input on, until the operations or their parameters differ."""
    for left, right in zip(source, target, strict=False):
        if left.operations != right.operations:
            return
        yield left, right


@lru_cache(maxsize=10_000)
def _size(layer: LayerSettings, max_positions: int | None) -> int:
    return count(layer_shapes(layer, max_positions))


@lru_cache(maxsize=100_000)
def _shared(source: LayerSettings, target: LayerSettings, max_positions: int | None) -> int:
    held, wanted = layer_shapes(source, max_positions), layer_shapes(target, max_positions)
    return sum(prod(map(min, held[name], shape)) for name, shape in wanted.items() if name in held)


def transfer(source: "PlainModel", target: "PlainModel", mode: TransferMode = "ordered", seed: int = 0) -> float:
    """Put the weights of `source` into `target`, in place.

    Args:
        source: A trained `MaskedLanguageModel`, `SequenceClassifier` or `Encoder`.
        target: A model of the same kind; what nothing is transferred to keeps its values.
        mode: "ordered" or "random-projection", where sizes differ.
        seed: Of the random projections.

    Returns:
        The overlap, in [0, 1]; 1 (and the identity) for a model of equal architecture.

    Raises:
        ModelError: The mode is unknown, or the models are of different kinds, vocabularies or position settings.
    """
    import torch

    from flexibert.encoder.network import Encoder

    if mode not in MODES:
        raise ModelError(f"transfer mode {mode!r} is not one of {', '.join(MODES)}")
    _check_comparable(source, target)
    weights, own = dict(source.named_parameters()), dict(target.named_parameters())
    prefix = "" if isinstance(target, Encoder) else "encoder."
    paired = list(agreeing(source.settings.layers, target.settings.layers))
    moved = 0
    with torch.no_grad():
        for name, parameter in own.items():
            layer = _layer_index(name, prefix)
            if name not in weights or (layer is not None and layer >= len(paired)):
                continue
            shared = _put(weights[name], parameter, name.removeprefix(prefix), mode, seed)
            moved += shared if layer is not None else 0
    total = sum(parameter.numel() for name, parameter in own.items() if _layer_index(name, prefix) is not None)
    return moved / total


def _check_comparable(source: "PlainModel", target: "PlainModel") -> None:
    names = ("vocab_size", "max_positions", "token_types", "positions", "tie_word_embeddings")
    pairs = {name: (getattr(source.settings, name), getattr(target.settings, name)) for name in names}
    problems = [
        f"{name} is {left!r} in the source and {right!r} in the target"
        for name, (left, right) in pairs.items()
        if left != right
    ]
    if type(source) is not type(target):
        problems.append(f"the source is a {type(source).__name__}, the target a {type(target).__name__}")
    if problems:
        raise ModelError(problems, heading="weights cannot be transferred")


def _layer_index(name: str, prefix: str) -> int | None:
    parts = name.removeprefix(prefix).split(".")
    return int(parts[1]) if name.startswith(prefix) and parts[0] == "layers" else None


def _put(source: "Tensor", target: "Tensor", name: str, mode: TransferMode, seed: int) -> int:
    """Transfer one parameter; returns how many of the target's entries count as transferred."""
    shared = prod(map(min, source.shape, target.shape))
    if mode == "random-projection" and source.shape != target.shape and _has_basis(name):
        target.copy_(_projected(source, target, name, seed))
    else:
        block = tuple(slice(min(sizes)) for sizes in zip(source.shape, target.shape, strict=True))
        target[block] = source[block]
    return shared


def _has_basis(name: str) -> bool:
    """Whether a parameter's axes are directions of a space; a norm's scales and a kernel's taps are not."""
    return "norm." not in name and ".kernel." not in name


def _projected(source: "Tensor", target: "Tensor", name: str, seed: int) -> "Tensor":
    projected = source
    for axis, (held, wanted) in enumerate(zip(source.shape, target.shape, strict=True)):
        if held != wanted:
            projected = (projected.movedim(axis, -1) @ _projection(held, wanted, seed, source).T).movedim(-1, axis)
    return projected


def _projection(held: int, wanted: int, seed: int, like: "Tensor") -> "Tensor":
    """Gaussian matrix of shape (wanted, held) that keeps lengths on average (Johnson-Lindenstrauss)."""
    import torch

    generator = torch.Generator().manual_seed(derive_seed(seed, "projection", held, wanted))
    matrix = torch.randn(wanted, held, generator=generator, dtype=torch.float64) / wanted**0.5
    return matrix.to(like)
