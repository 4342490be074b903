"""What each model of a library costs, as one table: parameters, FLOPs a token and, where asked, latency."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexibert.encoder.cost import cost_table
from flexibert.encoder.settings import EncoderSettings, LayerSettings
from flexibert.files import read_json, write_parquet

if TYPE_CHECKING:
    import torch

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
    dictionaries = [json.loads(text) for text in table["model"]]
    settings = {"vocab_size": read_json(vocabulary)["vocabulary"], "max_positions": max_positions}
    costs = pandas.DataFrame(cost_table(dictionaries, length, **settings))
    costs.insert(0, "id", table["id"])
    costs["latency_ms"] = latencies(dictionaries, length, **settings) if latency else float("nan")
    write_parquet(out, costs)


def costs_of(
    vocabulary: str | Path, max_positions: int, length: int
) -> Callable[[Sequence[Mapping[str, Any]]], list[dict[str, int]]]:
    """A function that gives `parameters` and `flops_per_token` of model dictionaries; arguments as of `write_costs`."""
    tokens = read_json(vocabulary)["vocabulary"]
    return partial(cost_table, length=length, vocab_size=tokens, max_positions=max_positions)


def latencies(models: Sequence[Mapping[str, Any]], length: int, **settings: Any) -> list[float]:
    """Milliseconds of one sequence through each model, as the sum of its layers' measured times, on one CPU thread.

    A library has thousands of models but few kinds of layer: each kind is measured once. The sum leaves out the
    little that layers share (masks, matrices of transforms).

    Args:
        models: Model dictionaries.
        length: Tokens of the sequence.
        settings: Further attributes of `EncoderSettings`.
    """
    import torch

    torch.set_num_threads(1)
    known: dict[LayerSettings | int, float] = {}
    results = []
    for model in models:
        encoder_settings = EncoderSettings.from_model_dict(model, **settings)
        parts = [
            encoder_settings.layers[0].hidden,
            *encoder_settings.layers,
        ]  # the embeddings' time follows their width
        if any(part not in known for part in parts):
            known |= {part: value for part, value in _measure(encoder_settings, length).items() if part not in known}
        results.append(round(1000 * sum(known[part] for part in parts), 4))
    return results


def _measure(settings: EncoderSettings, length: int) -> dict[LayerSettings | int, float]:
    """Median seconds of each kind of layer of one model, and of its embeddings under their width."""
    import torch

    from flexibert.encoder.network import Encoder

    encoder = Encoder(settings).eval()
    seconds: dict[LayerSettings | int, list[float]] = {settings.layers[0].hidden: []}
    seconds |= {layer: [] for layer in settings.layers}
    parts = zip([settings.layers[0].hidden, *settings.layers], [encoder.embeddings, *encoder.layers], strict=True)
    for part, module in parts:
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
