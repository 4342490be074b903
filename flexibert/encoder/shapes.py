"""Every parameter of an encoder by name and shape, from the settings alone: counting needs no network and no PyTorch.

Names are those of the layers in `network`; a test compares them with the modules' own parameters.
"""

from functools import lru_cache
from math import prod

from flexibert.encoder.settings import EncoderSettings, HeadGroup, LayerSettings

Shapes = dict[str, tuple[int, ...]]


def linear(name: str, inputs: int, outputs: int) -> Shapes:
    """Weight and bias of a linear layer."""
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def norm(name: str, hidden: int) -> Shapes:
    """Weight and bias of a LayerNorm."""
    return {f"{name}.weight": (hidden,), f"{name}.bias": (hidden,)}


def embedding_shapes(settings: EncoderSettings) -> Shapes:
    """Parameters of `Encoder.embeddings`."""
    hidden = settings.layers[0].hidden
    shapes: Shapes = {
        "words.weight": (settings.vocab_size, hidden),
        "token_types.weight": (settings.token_types, hidden),
    }
    if settings.positions == "absolute":
        shapes["positions.weight"] = (settings.max_positions, hidden)
    return shapes | norm("norm", hidden)


def operation_shapes(group: HeadGroup, hidden: int, max_positions: int | None) -> Shapes:
    """Parameters of one operation; `max_positions` is None without relative positions."""
    heads, head_size = group.split
    width = heads * head_size
    shapes = linear("query", hidden, width) | linear("value", hidden, width)
    if max_positions is not None:
        shapes["relative.weight"] = (2 * max_positions - 1, head_size)
    if group.operation != "l":
        shapes |= linear("key", hidden, width)
    if group.parameter == "wma":
        shapes["mixing"] = (head_size, head_size)
    if group.operation == "c":
        shapes["span_depthwise"] = (hidden, group.kernel_size)
        shapes |= linear("span_pointwise", hidden, width)
        shapes |= linear("kernel", width, heads * group.kernel_size) | linear("convolved", hidden, width)
    return shapes


@lru_cache(maxsize=10_000)
def layer_shapes(layer: LayerSettings, max_positions: int | None) -> Shapes:
    """Parameters of one layer and of the projection after it. The result is shared: do not change it."""
    shapes: Shapes = {}
    for index, group in enumerate(layer.groups):
        for name, shape in operation_shapes(group, layer.hidden, max_positions).items():
            shapes[f"operations.{index}.{name}"] = shape
    shapes |= linear("operation_output", layer.hidden, layer.hidden) | norm("operation_norm", layer.hidden)
    inputs = (layer.hidden, *layer.feed_forward)
    for index, width in enumerate(layer.feed_forward):
        shapes |= linear(f"feed_forward.stack.{index}", inputs[index], width)
    shapes |= linear("feed_forward.output", inputs[-1], layer.hidden) | norm("feed_forward_norm", layer.hidden)
    if layer.next_hidden is not None:
        shapes |= linear("projection", layer.hidden, layer.next_hidden)
    return shapes


def masked_language_head_shapes(settings: EncoderSettings) -> Shapes:
    """Parameters of `MaskedLanguageHead`, without a decoder that is tied to the word embeddings."""
    hidden = settings.layers[-1].hidden
    decoder = linear("decoder", hidden, settings.vocab_size)
    if settings.tie_word_embeddings:
        del decoder["decoder.weight"]
    return linear("dense", hidden, hidden) | norm("norm", hidden) | decoder


def classification_head_shapes(settings: EncoderSettings, labels: int) -> Shapes:
    """Parameters of `ClassificationHead`."""
    hidden = settings.layers[-1].hidden
    return linear("pooler", hidden, hidden) | linear("classifier", hidden, labels)


def relative_reach(settings: EncoderSettings) -> int | None:
    """`max_positions` where positions are relative, else None."""
    return settings.max_positions if settings.positions == "relative_key" else None


def count(shapes: Shapes) -> int:
    """Number of parameters."""
    return sum(map(prod, shapes.values()))
