"""One sentence below a figure: what its numbers say."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from flexibert.runs import Reason

NORMAL_WITHIN_ONE, NORMAL_WITHIN_TWO = 0.683, 0.954  # shares of a normal law within one and two deviations


def trace_note(table: pd.DataFrame) -> str:
    """When the best score came, and what the search gained over its initial design."""
    scores = table["score"].astype(float)
    if scores.notna().sum() == 0:
        return ""
    best = table.loc[scores.idxmax()]
    text = f"The best score, {best['score']:.2f}, came with run {best['evaluation']} of {len(table)}"
    initial = scores[table["reason"].eq(Reason.INITIAL)].max()
    if pd.isna(initial) or best["reason"] == Reason.INITIAL:
        return f"{text}."
    return f"{text}; the best of the initial models had {initial:.2f}."


def frontier_note(table: pd.DataFrame) -> str:
    """How much smaller a heterogeneous model is than the best homogeneous one, at an equal score."""
    found = size_ratio(table)
    if found is None:
        return ""
    best = f"the best homogeneous model ({found['homogeneous']}, {found['score']:.2f} points)"
    if found["ratio"] is None:
        return f"No heterogeneous model scores as much as {best}."
    ratio = found["ratio"]
    relation = f"{ratio:.2f} times smaller" if ratio >= 1 else f"{1 / ratio:.2f} times larger"
    return f"The smallest heterogeneous model that scores as much as {best} is {found['heterogeneous']}, {relation}."


def size_ratio(table: pd.DataFrame) -> dict[str, Any] | None:
    """The smallest heterogeneous model that scores as much as the best homogeneous one (paper, abstract).

    Args:
        table: Of `frontier`.
    """
    alike = table[table["homogeneous"].eq(True)]
    if alike.empty:
        return None
    best = alike.loc[alike["score"].idxmax()]
    rivals = table[table["homogeneous"].eq(False) & (table["score"] >= best["score"])]
    if rivals.empty:
        return {"homogeneous": best["model"], "score": best["score"], "heterogeneous": None, "ratio": None}
    rival = rivals.loc[rivals["parameters"].idxmin()]
    ratio = best["parameters"] / rival["parameters"]
    return {"homogeneous": best["model"], "score": best["score"], "heterogeneous": rival["model"], "ratio": ratio}


def transfer_note(table: pd.DataFrame) -> str:
    """What the transfer of weights saved."""
    hours = dict(zip(table["weights"], table["total_hours"], strict=True))
    if "transferred" not in hours or "pre-trained" not in hours:
        return ""
    saved = 100 * (1 - hours["all runs"] / hours["pre-trained"])
    return f"With transfer, a run took {saved:.0f} % less time on average than if all had been pre-trained."


def calibration_note(table: pd.DataFrame) -> str:
    """Whether the predicted uncertainties held."""
    if table.empty:
        return ""
    error = (table["predicted"] - table["observed"]).astype(float).abs()
    deviation = (table["aleatoric"] ** 2 + table["epistemic"] ** 2) ** 0.5
    one, two = (int((error <= width * deviation).sum()) for width in (1, 2))
    usual = [round(share * len(table)) for share in (NORMAL_WITHIN_ONE, NORMAL_WITHIN_TWO)]
    return (
        f"{len(table)} predictions, mean absolute error {error.mean():.2f} points; {one} observations lie within one "
        f"predicted deviation and {two} within two (a normal law would have {usual[0]} and {usual[1]})."
    )


def comparison_note(table: pd.DataFrame) -> str:
    """The mean best scores where all kinds of search have evaluated equally many models, best first."""
    if table.empty:
        return ""
    common = int(table.groupby("searches")["evaluations"].max().min())
    at = table[table["evaluations"] == common].sort_values(["mean", "searches"], ascending=[False, True])
    scores = [
        f"{row.searches} {row.mean:.2f}" + (f" ± {row.deviation:.2f}" if row.seeds > 1 else "")
        for row in at.itertuples()
    ]
    return f"After {common} models: {', '.join(scores)} points."


NOTES: dict[str, Callable[[pd.DataFrame], str]] = {
    "trace": trace_note,
    "frontier": frontier_note,
    "transfer-cost": transfer_note,
    "calibration": calibration_note,
    "comparison": comparison_note,
}
