"""How searches of a table went: regret, area under the curve, and how often the best was found, over many seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Trace = dict[str, Any]  # one search: method, seed, ids, scores and seconds in order of evaluation


@dataclass(frozen=True)
class Summary:
    """How a bench went, over its seeds.

    Attributes:
        method: Its name.
        seeds: How many.
        evaluations: After how many evaluations the following is meant.
        regret, regret_error: Best score of the table minus best score found, mean and its standard error.
        area: Mean regret over all evaluations after the initial design (area under the curve per evaluation).
        found_best, found_top5: Share of seeds that found the best candidate, one of the five best.
        seconds: Mean time of one proposal.
    """

    method: str
    seeds: int
    evaluations: int
    regret: float
    regret_error: float
    area: float
    found_best: float
    found_top5: float
    seconds: float


def regrets(traces: Sequence[Trace], best: float) -> np.ndarray:
    """Best score there is minus the best found so far; shape (seeds, evaluations)."""
    return best - np.maximum.accumulate(np.array([trace["scores"] for trace in traces]), axis=1)


def summarise(traces: Sequence[Trace], scores: np.ndarray, evaluations: int, initial: int) -> Summary:
    """Summary of the traces of one method after a number of evaluations."""
    ranked = np.sort(scores)[::-1]
    curves = regrets(traces, ranked[0])[:, :evaluations]
    final = curves[:, -1]
    area = curves[:, min(initial, evaluations) - 1 :]
    proposals = [taken for trace in traces for taken in trace["seconds"][initial:evaluations]]
    return Summary(
        method=traces[0]["method"],
        seeds=len(traces),
        evaluations=evaluations,
        regret=float(final.mean()),
        regret_error=float(final.std(ddof=1) / math.sqrt(len(final))) if len(final) > 1 else math.nan,
        area=float(area.mean()),
        found_best=float(np.mean(final <= 0)),
        found_top5=float(np.mean(final <= ranked[0] - ranked[min(4, len(ranked) - 1)])),
        seconds=float(np.mean(proposals)) if proposals else 0.0,
    )


def summary_table(summaries: Sequence[Summary]) -> str:
    """The summaries as an aligned table for a terminal."""
    header = ["method", "seeds", "after", "regret", "+/-", "area", "best", "top 5", "s/proposal"]
    rows = [
        [
            entry.method,
            str(entry.seeds),
            str(entry.evaluations),
            f"{entry.regret:.4g}",
            f"{entry.regret_error:.2g}",
            f"{entry.area:.4g}",
            f"{100 * entry.found_best:.0f} %",
            f"{100 * entry.found_top5:.0f} %",
            f"{entry.seconds:.3g}",
        ]
        for entry in summaries
    ]
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(row, widths, strict=True)) for row in [header, *rows])
    ]
    return "\n".join(lines)
