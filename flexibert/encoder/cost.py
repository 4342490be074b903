"""What a model costs: parameters and FLOPs from its architecture, latency and memory from this machine."""

import json
import subprocess
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from flexibert.encoder.settings import EncoderSettings, HeadGroup, LayerSettings, layers_of
from flexibert.encoder.shapes import (
    classification_head_shapes,
    count,
    embedding_shapes,
    layer_shapes,
    masked_language_head_shapes,
    relative_reach,
)
from flexibert.errors import ModelError
from flexibert.space.architecture import Architecture

LAYER_COMPONENTS = ("operations", "relative_positions", "feed_forward", "norms", "projections")


def parameters(
    architecture: Architecture, head: str | None = "masked_lm", labels: int = 2, **settings: Any
) -> dict[str, int]:
    """Number of trainable parameters by component, and their `total`.

    Parameters without effect in the released code (see `bert.renamed_from_bert`) do not exist here.

    Args:
        architecture: The model.
        head: "masked_lm", "classification" or None.
        labels: Outputs of the classification head.
        settings: Further attributes of `EncoderSettings`, e.g. vocab_size=4096, max_positions=64.

    Returns:
        embeddings, operations (with their output layers), relative_positions, feed_forward, norms (of the layers),
        projections, the head asked for, and total.

    Raises:
        ModelError: A setting cannot be used.
    """
    checked = EncoderSettings(architecture, **settings)
    counts = {"embeddings": count(embedding_shapes(checked))} | dict.fromkeys(LAYER_COMPONENTS, 0)
    for layer in checked.layers:
        for component, number in _layer_parameters(layer, relative_reach(checked)).items():
            counts[component] += number
    if head == "masked_lm":
        counts["masked_lm_head"] = count(masked_language_head_shapes(checked))
    elif head == "classification":
        counts["classification_head"] = count(classification_head_shapes(checked, labels))
    elif head is not None:
        raise ModelError(f"head {head!r} is not one of masked_lm, classification or none")
    return counts | {"total": sum(counts.values())}


def parameter_counts(architectures: Iterable[Architecture], **settings: Any) -> list[int]:
    """Number of parameters of each of some models; arguments and errors as of `parameters`."""
    return [parameters(model, **settings)["total"] for model in architectures]


@lru_cache(maxsize=10_000)
def _layer_parameters(layer: LayerSettings, max_positions: int | None) -> dict[str, int]:
    counts = dict.fromkeys(LAYER_COMPONENTS, 0)
    for name, shape in layer_shapes(layer, max_positions).items():
        counts[_component(name)] += count({name: shape})
    return counts


def _component(name: str) -> str:
    if name.endswith("relative.weight"):
        return "relative_positions"
    first = name.split(".")[0]
    if first.endswith("_norm"):
        return "norms"
    return {"feed_forward": "feed_forward", "projection": "projections"}.get(first, "operations")


def flops_per_token(architecture: Architecture, length: int = 128) -> int:
    """Floating-point operations of one token's forward pass through the encoder's layers and projections.

    A multiply-add counts two. Embeddings, heads, norms and activations are left out (under 2 % of a layer); relative
    positions count the `length` offsets that a token needs.

    Args:
        architecture: The model.
        length: Sequence length, in tokens: mixing tokens costs in proportion to it.
    """
    return sum(_layer_flops(layer, length) for layer in layers_of(architecture))


@lru_cache(maxsize=10_000)
def _layer_flops(layer: LayerSettings, length: int) -> int:
    hidden = layer.hidden
    products = sum(_operation_products(group, hidden, length) for group in layer.groups) + hidden * hidden
    if any(group.operation == "l" for group in layer.groups):
        products += hidden * hidden + length * hidden  # the transform, over hidden and over the sequence
    inputs = (hidden, *layer.feed_forward)
    products += sum(left * right for left, right in zip(inputs, (*layer.feed_forward, hidden), strict=True))
    if layer.next_hidden is not None:
        products += hidden * layer.next_hidden
    return 2 * products


def _operation_products(group: HeadGroup, hidden: int, length: int) -> int:
    heads, head_size = group.split
    width = heads * head_size
    products = 2 * hidden * width + 2 * length * width  # query and value; relative scores and product with the values
    if group.operation != "l":
        products += hidden * width + length * width  # key; content scores
    if group.parameter == "wma":
        products += width * head_size
    if group.operation == "c":
        products += hidden * group.kernel_size + 2 * hidden * width  # span, convolved values
        products += width * heads * group.kernel_size + width * group.kernel_size  # kernel, convolution
    return products


def cost_table(
    architectures: Iterable[Architecture], length: int = 128, head: str | None = "masked_lm", **settings: Any
) -> list[dict[str, int]]:
    """Parameters and FLOPs a token of each model of a library, in order: 10,000 models in seconds.

    Returns:
        Rows {"parameters", "flops_per_token"}.
    """
    return [
        {
            "parameters": parameters(architecture, head, **settings)["total"],
            "flops_per_token": flops_per_token(architecture, length),
        }
        for architecture in architectures
    ]


def measure_latency(
    architecture: Architecture,
    batch: int = 1,
    length: int = 128,
    repeats: int = 20,
    threads: int = 1,
    device: str = "cpu",
    **settings: Any,
) -> dict[str, Any]:
    """Time and memory of a forward pass of the encoder, measured in a process of its own.

    Args:
        architecture: The model.
        batch: Sequences a pass.
        length: Tokens a sequence.
        repeats: Timed passes, after three that are not.
        threads: CPU threads.
        device: "cpu" or "cuda".
        settings: Further attributes of `EncoderSettings`.

    Returns:
        latency_ms (median of a pass), latency_ms_p90, tokens_per_second, peak_memory_mb (memory that the model and its
        passes add to the process; on a GPU, the peak of its allocations) and the device's name.
    """
    config = EncoderSettings(architecture, **settings).to_config()
    request = {"config": config, "batch": batch, "length": length, "repeats": repeats}
    request |= {"threads": threads, "device": device}
    command = [sys.executable, "-m", "flexibert.encoder.latency"]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise ModelError(f"the latency on device {device!r} could not be measured: {last[0]}")
    return json.loads(done.stdout)
