"""Tables as people read them on a page: words for columns, thousands grouped, fractions cut, nothing as a dash."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

HEADINGS = {
    "flops_per_token": "FLOPs a token",
    "latency_ms": "latency (ms)",
    "core_hours": "core hours",
    "gpu_hours": "GPU hours",
    "energy_kwh": "energy (kWh)",
    "peak_memory_mb": "peak memory (MB)",
    "asked_for": "asked for by",
    "believed": "posterior ± deviation",
}
DECIMALS = {
    "score": 2,
    "mean": 2,
    "aleatoric": 2,
    "epistemic": 2,
    "core_hours": 3,
    "gpu_hours": 3,
    "energy_kwh": 4,
    "latency_ms": 2,
    "best model": 2,
}
DASH = "\u2013"  # for what is not known
LARGE = 10.0  # numbers of a column from here on get one decimal, smaller ones three significant digits


@dataclass(frozen=True)
class Cell:
    """One cell: its text, and whether it is a number (set right)."""

    text: str
    number: bool = False


def cells_of(table: pd.DataFrame) -> dict[str, Any]:
    """Heads as (text, whether a number) and rows of cells; numbers of one column have equally many decimals."""
    names = [str(column) for column in table.columns]
    numeric = [pd.api.types.is_numeric_dtype(table[name]) and table[name].dtype != bool for name in names]
    writers = [_writer(name, table[name]) if number else _word for name, number in zip(names, numeric, strict=True)]
    columns = [
        [Cell(DASH if pd.isna(value) else write(value), number) for value in table[name]]
        for name, number, write in zip(names, numeric, writers, strict=True)
    ]
    heads = [HEADINGS.get(name, name.replace("_", " ")) for name in names]
    return {"heads": list(zip(heads, numeric, strict=True)), "rows": list(zip(*columns, strict=True))}


def _writer(name: str, column: pd.Series) -> Callable[[float], str]:
    """How the numbers of a column are written."""
    known = column.dropna()
    if name in DECIMALS:
        return partial(_with_decimals, DECIMALS[name])
    if (known == known.round()).all():
        return "{:,.0f}".format
    return "{:,.1f}".format if known.abs().max() >= LARGE else "{:.3g}".format


def _with_decimals(decimals: int, value: float) -> str:
    """A number cut to so many decimals; a small cost is not nothing."""
    least = 10.0**-decimals
    return f"<{least:.{decimals}f}" if 0 < value < least / 2 else f"{value:,.{decimals}f}"


def _word(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
