"""Sentences below figures and tables: what their numbers say, and how sure it is."""

from collections.abc import Callable

import pandas as pd

NORMAL_95 = 1.96  # deviations of a normal law that hold 95 %
NORMAL_WITHIN_ONE, NORMAL_WITHIN_TWO = 0.683, 0.954  # shares of a normal law within one and two deviations


def trace_note(table: pd.DataFrame) -> str:
    """When the highest score came, and why it proves little."""
    scores = table["score"].astype(float)
    if scores.notna().sum() == 0:
        return ""
    best = table.loc[scores.idxmax()]
    return (
        f"The highest score of a single training came with run {best['evaluation']} of {len(table)}. The highest of "
        "many is partly the luckiest, so that the line rises even where no model is better than another."
    )


def frontier_note(table: pd.DataFrame) -> str:
    """How many models cannot be told from the best one by what is believed of them."""
    if len(table) < 2 or table["deviation"].isna().all():
        return ""
    best = table.loc[table["score"].idxmax()]
    apart = NORMAL_95 * (table["deviation"] ** 2 + best["deviation"] ** 2) ** 0.5
    near = int(((best["score"] - table["score"]) <= apart).sum()) - 1
    smaller = int((((best["score"] - table["score"]) <= apart) & (table["parameters"] < best["parameters"])).sum())
    return (
        f"{near} of the {len(table) - 1} other models cannot be told from the best one, {best['model']}, by their "
        f"trainings; {smaller} of these are smaller than it."
    )


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


def method_sentences(table: pd.DataFrame) -> list[str]:
    """What the comparison of methods says, one sentence a method.

    Args:
        table: Of `methods.methods`.
    """
    return [_method_sentence(row) for _, row in table.iterrows() if row["method"] != row["reference"]]


def _method_sentence(row: pd.Series) -> str:
    name, reference = row["method"], row["reference"]
    if pd.isna(row["paired_seeds"]) or row["paired_seeds"] < 2:
        seeds = "no paired seed" if row["paired_seeds"] == 0 else "one paired seed"
        return f"Whether {name} is better than {reference} cannot be told: {seeds}; search with more seeds of both."
    low, high = (f"{row[end]:.1f}".replace("-", "\u2212") for end in ("low", "high"))
    interval = f"{low} to {high} points; {row['paired_seeds']} paired seeds"
    if row["low"] > 0:
        return f"{name} found better models than {reference}, by {row['difference']:.1f} points ({interval})."
    if row["high"] < 0:
        return f"{name} found worse models than {reference}, by {-row['difference']:.1f} points ({interval})."
    return f"{name} cannot be told from {reference}: the difference is within noise ({interval})."


NOTES: dict[str, Callable[[pd.DataFrame], str]] = {
    "trace": trace_note,
    "frontier": frontier_note,
    "transfer-cost": transfer_note,
    "calibration": calibration_note,
}
