"""How fast models are beside each other: timed in turns in one process, so that a slow moment of the machine hits all.

A ratio of two timings of one turn says more than two timings apart: other load, clock and temperature are nearly the
same, and the median over many turns leaves out what was not.
"""

import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flexibert.encoder.settings import EncoderSettings
from flexibert.files import read_json, write_json

TURNS = 100  # timed passes of each model
WARM_UP = 5  # turns that fill caches and are not counted


def write_speed(final: str | Path, vocabulary: str | Path, max_positions: int, length: int, out: str | Path) -> None:
    """Time the winner of a search and its baselines on this machine, and write their speeds.

    Args:
        final: The models at the large budget (see `flexibert.outcome.confirmation.choose_final`).
        vocabulary: tokenizer.meta.json, which tells the number of tokens.
        max_positions: Longest sequence the models take, in tokens.
        length: Tokens of the one sequence of a pass.
        out: Where search, batch, length, threads, turns and `models` (rows of `speed_in_turns`) are written (JSON).
    """
    made = read_json(final)
    names = list(dict.fromkeys([made["model"], *(baseline["model"] for baseline in made["baselines"])]))
    dictionaries = {run["model"]: run["architecture"] for run in made["proposals"]}
    settings = {"vocab_size": read_json(vocabulary)["vocabulary"], "max_positions": max_positions}
    rows = speed_in_turns([dictionaries[name] for name in names], length, **settings)
    facts = {"search": made["search"], "batch": 1, "length": length, "threads": 1, "turns": TURNS}
    write_json(out, facts | {"models": [{"model": name} | row for name, row in zip(names, rows, strict=True)]})


def speed_in_turns(
    models: Sequence[Mapping[str, Any]], length: int, turns: int = TURNS, **settings: Any
) -> list[dict[str, float]]:
    """Time of a forward pass of one sequence through each encoder, alone and beside the first model's.

    One CPU thread; in each turn every model passes once, and each turn begins with another model.

    Args:
        models: Model dictionaries.
        length: Tokens of the sequence.
        turns: Timed passes of each model.
        settings: Further attributes of `EncoderSettings`.

    Returns:
        latency_ms (median), ratio (median over the turns of the time over the first model's; 1 for the first), and
        ratio_low and ratio_high, its quartiles.
    """
    import torch

    from flexibert.encoder.network import Encoder

    torch.set_num_threads(1)
    encoders = [Encoder(EncoderSettings.from_model_dict(model, **settings)).eval() for model in models]
    ids = torch.zeros(1, length, dtype=torch.long)
    seconds: list[list[float]] = [[] for _ in encoders]
    with torch.inference_mode():
        for turn in range(WARM_UP + turns):
            for offset in range(len(encoders)):
                place = (turn + offset) % len(encoders)
                start = time.perf_counter()
                encoders[place](ids)
                seconds[place].append(time.perf_counter() - start)
    timed = [times[WARM_UP:] for times in seconds]
    return [_row(times, timed[0]) for times in timed]


def _row(times: list[float], first: list[float]) -> dict[str, float]:
    low, middle, high = statistics.quantiles([own / other for own, other in zip(times, first, strict=True)], n=4)
    figures = {"ratio": middle, "ratio_low": low, "ratio_high": high}
    return {"latency_ms": round(1000 * statistics.median(times), 4)} | {k: round(v, 4) for k, v in figures.items()}
