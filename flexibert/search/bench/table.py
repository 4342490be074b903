"""Tables of evaluated candidates: JSONL with model dictionaries or feature columns, and CSV with feature columns."""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flexibert.errors import SearchError

MOST_PROBLEMS = 8  # of one kind; a table with ten thousand wrong rows is one mistake, not ten thousand


@dataclass(frozen=True)
class Table:
    """Candidates whose scores are known.

    Attributes:
        ids: One name a row, all different.
        scores: Higher is better, finite; shape (rows,).
        architectures: Model dictionaries, or None where the candidates are described by columns.
        columns: Values of each feature column, one a row (number, text or None), or None for model dictionaries.
        sizes: Number of parameters, from a column `parameters` that has a number in every row, else None; shape
            (rows,).
    """

    ids: list[str]
    scores: np.ndarray
    architectures: list[dict] | None = None
    columns: dict[str, list[Any]] | None = None
    sizes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)


def read_table(path: str | Path, tasks: Sequence[str] = ()) -> Table:
    """Read a table and check all of it.

    Args:
        path: `.csv`, or JSON Lines under any other name: one candidate a row with `id`, `score` and either `model`
            or feature columns.
        tasks: Where given, the score is the mean of these entries of each row's `scores` instead of `score`.

    Raises:
        SearchError: Every mistake found: duplicate ids, missing scores, no features, constant scores, unreadable rows.
        OSError: The file cannot be read.
    """
    path = Path(path)
    rows = _csv_rows(path) if path.suffix.lower() == ".csv" else _jsonl_rows(path)
    if not rows:
        raise SearchError(f"{path} holds no rows; give one candidate a line")
    problems = _Problems(path)
    ids = _ids(rows, problems)
    scores = np.array([_score(number, row, tasks, problems) for number, row in rows])
    if not problems.found and np.ptp(scores) == 0:
        problems.add("constant", f"every score is {scores[0]:g}; a search needs scores that differ")
    with_model = sum(row.get("model") is not None for _, row in rows)
    if with_model:
        architectures, columns = _architectures(rows, problems), None
    else:
        architectures, columns = None, _columns(rows, problems)
    problems.raise_if_any()
    return Table(ids, scores, architectures, columns, _sizes(rows))


class _Problems:
    """Sentences about one file, a few of each kind and the number of the others."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: dict[str, list[str]] = {}

    def add(self, kind: str, sentence: str) -> None:
        self.found.setdefault(kind, []).append(sentence)

    def raise_if_any(self) -> None:
        sentences = []
        for kind, all_of_kind in self.found.items():
            sentences += all_of_kind[:MOST_PROBLEMS]
            if len(all_of_kind) > MOST_PROBLEMS:
                sentences.append(f"and {len(all_of_kind) - MOST_PROBLEMS} more rows with this problem ({kind})")
        if sentences:
            raise SearchError(sentences, heading=f"{self.path} is not usable")


def _csv_rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Rows with their line numbers; a column whose every value is a number is numeric, an empty cell is None."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            header = reader.fieldnames or []
            rows = [(reader.line_num, row) for row in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise SearchError(f"{path} is not a CSV table ({error})") from None
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise SearchError(f"{path} has two columns named {', '.join(twice)}; rename one")
    ragged = [number for number, row in rows if None in row or None in row.values()]
    if ragged:
        raise SearchError(f"{path} line {ragged[0]} has not the {len(header)} cells of the header")
    for name in header:
        values = [row[name].strip() for _, row in rows]
        numbers = [_number(value) for value in values]
        numeric = name != "id" and all(n is not None or v == "" for n, v in zip(numbers, values, strict=True))
        for (_, row), number, value in zip(rows, numbers, values, strict=True):
            row[name] = number if numeric else (value or None)
    return rows


def _jsonl_rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Rows with their line numbers; nested lists and dictionaries of features become columns of their own."""
    rows, problems = [], _Problems(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise SearchError(f"{path} is not UTF-8 text ({error})") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            problems.add("json", f"line {number} is not JSON ({error.msg}); give one object a line")
            continue
        if isinstance(row, dict):
            rows.append((number, row))
        else:
            problems.add("object", f"line {number} is not an object with 'id' and 'score'")
    problems.raise_if_any()
    return rows


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _ids(rows: list[tuple[int, dict]], problems: _Problems) -> list[str]:
    first: dict[str, int] = {}
    ids = []
    for number, row in rows:
        name = row.get("id")
        if name is None or isinstance(name, (dict, list)):
            problems.add("id", f"line {number} has no 'id'; give each candidate a name of its own")
            name = f"line {number}"
        name = str(name)
        if name in first:
            problems.add(
                "duplicate id", f"line {number} repeats the id '{name}' of line {first[name]}; ids must differ"
            )
        first.setdefault(name, number)
        ids.append(name)
    return ids


def _score(number: int, row: dict, tasks: Sequence[str], problems: _Problems) -> float:
    """The row's objective; NaN after telling what is wrong with it."""
    name = row.get("id")
    if not tasks:
        values = {"score": row.get("score")}
    elif isinstance(row.get("scores"), dict):
        values = {f"scores.{task}": row["scores"].get(task) for task in tasks}
    else:
        problems.add("tasks", f"line {number} ('{name}') has no 'scores' by task; leave out --tasks to use 'score'")
        return math.nan
    bad = [key for key, value in values.items() if not _is_finite(value)]
    for key in bad:
        problems.add(
            "missing score",
            f"line {number} ('{name}') has no finite number in '{key}' ({row.get(key, values[key])!r}); "
            "complete it or leave the row out",
        )
    return math.nan if bad else float(np.mean(list(values.values())))


def _sizes(rows: list[tuple[int, dict]]) -> np.ndarray | None:
    given = [row.get("parameters") for _, row in rows]
    sizes = [size for size in given if isinstance(size, int | float) and math.isfinite(size)]
    return np.array(sizes) if len(sizes) == len(given) else None


def _is_finite(value: Any) -> bool:
    return not isinstance(value, (bool, str)) and _number(value) is not None and math.isfinite(value)


def _architectures(rows: list[tuple[int, dict]], problems: _Problems) -> list[dict]:
    for number, row in rows:
        if not isinstance(row.get("model"), dict):
            problems.add(
                "model", f"line {number} ('{row.get('id')}') has no model dictionary in 'model', others have one"
            )
    return [row["model"] if isinstance(row.get("model"), dict) else {} for _, row in rows]


def _columns(rows: list[tuple[int, dict]], problems: _Problems) -> dict[str, list[Any]]:
    """Feature columns by name, in the order of their first appearance, without those that say nothing."""
    flat = [
        _flat({key: v for key, v in row.items() if key not in ("id", "score", "scores", "model")}) for _, row in rows
    ]
    names = list(dict.fromkeys(name for row in flat for name in row))
    columns = {name: [row.get(name) for row in flat] for name in names}
    kept = {}
    for name, values in columns.items():
        distinct = set(values)
        if len(distinct) < 2:
            continue
        names_rows = len(distinct) == len(values) and not any(isinstance(value, (int, float)) for value in values)
        if not (names_rows and len(values) > 2):  # a text that differs in every row is a name, not a feature
            kept[name] = values
    if not kept:
        problems.add(
            "no features",
            "no column besides id and score tells the candidates apart; give 'model' dictionaries or feature columns "
            "(numeric or categorical) with at least two different values, not a different text in every row",
        )
    return kept


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries and lists as one level of columns: {"a": [1, 2]} becomes {"a.0": 1, "a.1": 2}."""
    flat: dict[str, Any] = {}
    for key, entry in value.items():
        name = f"{prefix}{key}"
        if isinstance(entry, list):
            entry = dict(enumerate(entry))
        if isinstance(entry, dict):
            flat |= _flat({str(k): v for k, v in entry.items()}, f"{name}.")
        elif isinstance(entry, float) and not math.isfinite(entry):
            flat[name] = None
        else:
            flat[name] = entry
    return flat
