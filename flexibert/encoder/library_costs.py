"""What each model of a library costs, as one table: parameters, FLOPs a token and, where asked, latency."""

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexibert.encoder.cost import cost_table
from flexibert.encoder.settings import EncoderSettings, LayerSettings
from flexibert.files import read_json, write_parquet
from flexibert.space.architecture import Architecture

if TYPE_CHECKING:
    import torch

Part = LayerSettings | int  # a layer, or the width of embeddings
PASSES = 12  # timed passes of each kind of layer; the median counts


def write_costs(
    models: str | Path, vocabulary: str | Path, max_positions: int, length: int, latency: bool, out: str | Path
) -> None:
    """Write id, parameters, flops_per_token and latency_ms (empty where not measured) of each model of a library.

    Args:
        models: The library's models.parquet.
        vocabulary: tokenizer.meta.json, which tells the number of tokens.
        max_positions: Longest sequence the models take, in tokens.
        length: Tokens a sequence, for FLOPs and latency.
        latency: Whether to measure the latency of one sequence on this machine.
        out: Where the table is written.
    """
    import json

    import pandas

    table = pandas.read_parquet(models, columns=["id", "model"])
    architectures = [Architecture.from_model_dict(json.loads(text)) for text in table["model"]]
    settings = {"vocab_size": read_json(vocabulary)["vocabulary"], "max_positions": max_positions}
    costs = pandas.DataFrame(cost_table(architectures, length, **settings))
    costs.insert(0, "id", table["id"])
    costs["latency_ms"] = latencies(architectures, length, **settings) if latency else float("nan")
    write_parquet(out, costs)


def cost_function(
    vocabulary: str | Path, max_positions: int, length: int
) -> Callable[[Sequence[Architecture]], list[dict[str, int]]]:
    """A function that gives `parameters` and `flops_per_token` of models; arguments as of `write_costs`."""
    tokens = read_json(vocabulary)["vocabulary"]
    return partial(cost_table, length=length, vocab_size=tokens, max_positions=max_positions)


def latencies(architectures: Sequence[Architecture], length: int, **settings: Any) -> list[float]:
    """Milliseconds of one sequence through each model, as the sum of its layers' measured times, on one CPU thread.

    A library has thousands of models but few kinds of layer: each kind is measured once. The sum leaves out the
    little that layers share (masks, matrices of transforms).

    Args:
        architectures: The models.
        length: Tokens of the sequence.
        settings: Further attributes of `EncoderSettings`.
    """
    import torch

    torch.set_num_threads(1)
    known: dict[Part, float] = {}
    results = []
    for architecture in architectures:
        encoder_settings = EncoderSettings(architecture, **settings)
        parts = _parts(encoder_settings)
        if any(part not in known for part in parts):
            known |= {part: value for part, value in _measure(encoder_settings, length).items() if part not in known}
        results.append(round(1000 * sum(known[part] for part in parts), 4))
    return results


def _parts(settings: EncoderSettings) -> list[Part]:
    """What is measured of a model: its embeddings, whose time follows their width, and its layers."""
    return [settings.layers[0].hidden, *settings.layers]


def _measure(settings: EncoderSettings, length: int) -> dict[Part, float]:
    """Median seconds of each kind of layer of one model, and of its embeddings under their width."""
    import torch

    from flexibert.encoder.network import Encoder

    encoder = Encoder(settings).eval()
    parts = _parts(settings)
    seconds: dict[Part, list[float]] = {part: [] for part in parts}
    for part, module in zip(parts, [encoder.embeddings, *encoder.layers], strict=True):
        _time_calls(module, seconds[part])
    ids = torch.zeros(1, length, dtype=torch.long)
    with torch.inference_mode():
        for _ in range(PASSES):
            encoder(ids)
    return {part: statistics.median(times) for part, times in seconds.items()}


def _time_calls(module: "torch.nn.Module", seconds: list[float]) -> None:
    """Append the duration of each call of `module` to `seconds`."""
    started: list[float] = []
    module.register_forward_pre_hook(lambda *_: started.append(time.perf_counter()))
    module.register_forward_hook(lambda *_: seconds.append(time.perf_counter() - started.pop()))
