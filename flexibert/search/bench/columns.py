"""Feature columns as numbers: one-hot columns for categories, standardised columns for quantities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

FEW_VALUES = 10  # integers with no more different values than this may be codes of categories: they become both


@dataclass(frozen=True)
class Encoding:
    """Candidates as rows of numbers.

    Attributes:
        matrix: One-hot columns are 0 or 1, quantities have mean 0 and variance 1; shape (candidates, columns).
        groups: Which original column each column encodes; shape (columns,).
        levels: Which category a one-hot column stands for, equal integers for equal categories of any original
            column; -1 for quantities; shape (columns,).
    """

    matrix: np.ndarray
    groups: np.ndarray
    levels: np.ndarray


def encode_columns(columns: Mapping[str, Sequence[Any]]) -> Encoding:
    """Encode feature columns.

    Texts, truth values and missing values (None) are categories; numbers are quantities, and integers with few
    different values both. A missing number counts as the mean of the others and has a category of its own.
    """
    parts, groups, levels = [], [], []
    known: dict[str, int] = {}

    def level(value: Any) -> int:
        return known.setdefault(repr(value), len(known))

    for group, values in enumerate(columns.values()):
        quantities = [value for value in values if _is_number(value)]
        others = {repr(value): value for value in values if not _is_number(value)}
        if quantities and set(others) <= {"None"}:
            parts.append(_standardised(values))
            groups.append(group)
            levels.append(-1)
            distinct = set(quantities)
            if len(distinct) <= FEW_VALUES and all(float(value).is_integer() for value in distinct):
                others |= {repr(float(value)): float(value) for value in distinct}
        else:
            others |= {repr(value): value for value in quantities}
        for value in [others[key] for key in sorted(others)]:
            parts.append(np.array([_same(entry, value) for entry in values], dtype=float))
            groups.append(group)
            levels.append(level(value))
    return Encoding(np.stack(parts, axis=1), np.array(groups), np.array(levels))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _same(entry: Any, value: Any) -> bool:
    return float(entry) == value if _is_number(entry) and _is_number(value) else repr(entry) == repr(value)


def _standardised(values: Sequence[Any]) -> np.ndarray:
    numbers = np.array([float(value) if _is_number(value) else np.nan for value in values])
    numbers = np.where(np.isnan(numbers), np.nanmean(numbers), numbers)
    spread = numbers.std()
    return (numbers - numbers.mean()) / (spread if spread > 0 else 1.0)
