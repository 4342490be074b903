"""Rows of a labelled task from the official files, from the hub's parquet files, or embedded."""

import json
import re
import string
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flexibert.data.splits import SPLITS
from flexibert.data.task_table import FOLDER_SUFFIX, TaskSpec
from flexibert.errors import TaskError

PROBLEMS_SHOWN = 10
INCOMPLETE_SHARE = 0.001  # official QQP and MNLI files have a few broken lines; more is another file


@dataclass(frozen=True)
class Example:
    """One row as the model sees it.

    Attributes:
        first, second: The two texts; `second` is None for a task of single sentences.
        label: Number of the class, or the value of a regression.
        group: Number of the question or choice to which the row belongs (its own number where rows stand alone).
        overlap: Token F1 of the candidate with the best answer (ReCoRD), else 0.
    """

    first: str
    second: str | None
    label: float
    group: int
    overlap: float = 0.0


def read_examples(
    spec: TaskSpec, split: str, source: str, folder: str | Path | None, test_share: float = 0.0
) -> tuple[list[Example], int]:
    """All rows of one split of a task.

    Args:
        spec: The task.
        split: "train" or "validation"; for the probes also "test".
        source: embedded (probes), folder (official layout), or hub (parquet files that `download.fetch` brought).
        folder: The suite's folder, or the folder that `download.fetch` filled for this task.
        test_share: Share of the probes' training speeches that give their test rows.

    Returns:
        The rows, and how many incomplete lines were left out.

    Raises:
        TaskError: A missing file or column, a label outside the task's set; file and line named.
    """
    if source == "embedded":
        from flexibert.data.probes import probe_rows

        rows, incomplete = _numbered(probe_rows(spec.name, split, test_share), f"probe {spec.name}"), 0
        return _examples(spec, rows, spec.texts, "label"), incomplete
    assert folder is not None  # all other sources have one
    if source == "hub":
        rows, incomplete = list(_parquet_rows(spec, split, Path(folder))), 0
        columns, label = spec.texts, "label"
    else:
        path = split_file(spec, split, Path(folder))
        if path is None:
            raise TaskError(missing_task(spec, Path(folder)))
        columns, label = spec.columns or spec.texts, spec.label
        if path.suffix == ".tsv":
            rows, incomplete = _tsv_rows(spec, path, (*columns, label))
        else:
            rows, incomplete = list(_json_rows(path)), 0
    return _examples(spec, rows, columns, label), incomplete


def split_file(spec: TaskSpec, split: str, folder: Path) -> Path | None:
    """Official file of one split, or None when it is not there."""
    stem = spec.files[0 if split == "train" else 1]
    path = folder / spec.folder / f"{stem}{FOLDER_SUFFIX[spec.suite]}"
    return path if path.is_file() else None


def missing_task(spec: TaskSpec, folder: Path) -> str:
    """The sentence for a suite's folder that lacks a task, or one of its two files."""
    missing = [
        f"{spec.folder}/{stem}{FOLDER_SUFFIX[spec.suite]}"
        for stem, split in zip(spec.files, SPLITS, strict=True)
        if split_file(spec, split, folder) is None
    ]
    return (
        f"task {spec.id}: {folder} lacks {' and '.join(missing)}; put the official file there, or leave the task out "
        f"by listing the others in the suite's `names`"
    )


def _numbered(rows: list[dict[str, Any]], where: str) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{where}, row {number}", row) for number, row in enumerate(rows, 1)]


def _tsv_rows(spec: TaskSpec, path: Path, needed: tuple[str, ...]) -> tuple[list[tuple[str, dict[str, str]]], int]:
    """Rows of a file in GLUE's layout: tab-separated, quotes mean nothing; CoLA's has no header."""
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    if spec.name == "cola":
        header, first = ["source", "label", "mark", "sentence"], 1
    else:
        header, first = lines[0].rstrip("\r").split("\t"), 2
        missing = [column for column in needed if column not in header]
        if missing:
            raise TaskError(
                f"task {spec.id}: {path}, line 1: there is no column '{', '.join(missing)}' "
                f"(columns: {', '.join(header)}); use GLUE's official file"
            )
    positions = {column: header.index(column) for column in needed}
    rows, broken = [], []
    for number, line in enumerate(lines[first - 1 :], first):
        if not line.strip():
            continue
        fields = line.rstrip("\r").split("\t")
        if len(fields) <= max(positions.values()):
            broken.append(number)
            continue
        rows.append((f"{path}, line {number}", {column: fields[position] for column, position in positions.items()}))
    if len(broken) > max(1, INCOMPLETE_SHARE * len(lines)):
        last = max(positions, key=lambda column: positions[column])
        raise TaskError(
            f"task {spec.id}: {path}, line {broken[0]}: the column '{last}' is missing there, and in "
            f"{len(broken) - 1} more lines; use GLUE's official file"
        )
    return rows, len(broken)


def _json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with open(path, encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise TaskError(f"{path}, line {number}: not a JSON object ({error.msg})") from None
            yield f"{path}, line {number}", row


def _parquet_rows(spec: TaskSpec, split: str, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow.parquet as pq

    name = "train" if split == "train" else spec.validation
    files = sorted((folder / name).glob("*.parquet"))
    if not files:
        raise TaskError(f"task {spec.id}: {folder / name} holds no parquet file; fetch the task from the hub first")
    for path in files:
        for number, row in enumerate(pq.read_table(path).to_pylist(), 1):
            yield f"{path}, row {number}", row


def _examples(
    spec: TaskSpec, rows: list[tuple[str, dict[str, Any]]], columns: tuple[str, ...], label: str
) -> list[Example]:
    """Turn the rows of any layout into examples; all problems of a file are told at once."""
    expand = EXPANSIONS.get(spec.id)
    examples: list[Example] = []
    problems: list[str] = []
    for where, row in rows:
        try:
            if expand is not None:
                examples += expand(row, len(examples))
            else:
                value = _label(spec, row[label])
                second = str(row[columns[1]]) if len(columns) > 1 else None
                examples.append(Example(str(row[columns[0]]), second, value, len(examples)))
        except KeyError as error:
            problems.append(f"task {spec.id}: {where}: there is no column {error}; use the official file")
        except ValueError as error:
            problems.append(f"task {spec.id}: {where}: {error}")
    if problems:
        more = [f"... and {len(problems) - PROBLEMS_SHOWN} more"] if len(problems) > PROBLEMS_SHOWN else []
        raise TaskError(problems[:PROBLEMS_SHOWN] + more)
    if not examples:
        raise TaskError(f"task {spec.id}: no row could be read; supply the official file")
    return _regrouped(examples)


def _regrouped(examples: list[Example]) -> list[Example]:
    numbers: dict[int, int] = {}
    return [Example(e.first, e.second, e.label, numbers.setdefault(e.group, len(numbers)), e.overlap) for e in examples]


def _label(spec: TaskSpec, value: Any) -> float:
    """Number of a label given by name or, as on the hub, by number."""
    if spec.labels is None:
        assert spec.range is not None  # numbers have one
        low, high = spec.range
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"the label '{value}' is not a number from {low:g} to {high:g}") from None
        if not low <= number <= high:
            raise ValueError(f"the label {value} is outside {low:g} to {high:g}")
        return number
    if isinstance(value, str) and value in spec.labels:
        return spec.labels.index(value)
    if isinstance(value, bool | int) and 0 <= int(value) < len(spec.labels):
        return int(value)
    raise ValueError(f"the label '{value}' is not one of {', '.join(spec.labels)}")


def _binary(row: dict[str, Any]) -> int:
    value = row["label"]
    if value not in (0, 1):  # True and False are equal to these
        raise ValueError(f"the label '{value}' is not one of false, true")
    return int(value)


def _copa(row: dict[str, Any], group: int) -> list[Example]:
    """Two rows a question: the premise with what is asked, and one alternative each."""
    asked = {"cause": "What was the cause?", "effect": "What happened as a result?"}[row["question"]]
    right = _binary(row)
    return [Example(f"{row['premise']} {asked}", row[f"choice{n + 1}"], int(n == right), group) for n in (0, 1)]


def _multirc(row: dict[str, Any], group: int) -> list[Example]:
    """A row an answer; the files nest passage, questions and answers, the hub's rows are answers already."""
    if "paragraph" in row:
        index = row["idx"]["paragraph"] * 100_000 + row["idx"]["question"]
        first = f"{row['question']} {row['paragraph']}"
        return [Example(first, row["answer"], _binary(row), -1 - index)]
    passage = re.sub(r"<[^>]*>", " ", row["passage"]["text"])
    examples: list[Example] = []
    for question in row["passage"]["questions"]:
        number = group + len(examples)
        first = f"{question['question']} {passage}"
        examples += [Example(first, answer["text"], _binary(answer), number) for answer in question["answers"]]
    return examples


def _record(row: dict[str, Any], group: int) -> list[Example]:
    """A row a candidate entity, put into the query's gap."""
    if "qas" in row:
        text = row["passage"]["text"]
        entities = sorted({text[e["start"] : e["end"] + 1] for e in row["passage"]["entities"]})
        queries = [(qa["query"], [answer["text"] for answer in qa["answers"]]) for qa in row["qas"]]
    else:
        text, entities = row["passage"], sorted(set(row["entities"]))
        queries = [(row["query"], list(row["answers"]))]
    examples: list[Example] = []
    for query, answers in queries:
        number = group + len(examples)
        exact = {_normalised(answer) for answer in answers}
        for entity in entities:
            overlap = max((token_f1(entity, answer) for answer in answers), default=0.0)
            filled = query.replace("@placeholder", entity)
            examples.append(Example(text, filled, int(_normalised(entity) in exact), number, overlap))
    return examples


def _normalised(text: str) -> str:
    """Answers as SQuAD's and ReCoRD's metrics compare them: no case, punctuation, articles or extra spaces."""
    bare = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def token_f1(prediction: str, answer: str) -> float:
    """F1 of the words two answers share (Rajpurkar et al. 2016), in [0, 1]."""
    mine, theirs = _normalised(prediction).split(), _normalised(answer).split()
    shared = sum((Counter(mine) & Counter(theirs)).values())
    return 2 * shared / (len(mine) + len(theirs)) if shared else 0.0


def _wic(row: dict[str, Any], group: int) -> list[Example]:
    """The word in question stands between asterisks in both sentences."""
    marked = [_marked(row[f"sentence{n}"], row[f"start{n}"], row[f"end{n}"]) for n in (1, 2)]
    return [Example(marked[0], marked[1], _binary(row), group)]


def _marked(text: str, start: int, end: int) -> str:
    return f"{text[:start]}* {text[start:end]} *{text[end:]}"


def _wsc(row: dict[str, Any], group: int) -> list[Example]:
    """The pronoun stands between asterisks; the second text is the noun phrase it may mean."""
    spans = row.get("target", row)
    words = row["text"].split(" ")
    start = spans["span2_index"]
    end = start + len(spans["span2_text"].split(" "))
    words[start:end] = ["*", *words[start:end], "*"]
    return [Example(" ".join(words), spans["span1_text"], _binary(row), group)]


def _boolq(row: dict[str, Any], group: int) -> list[Example]:
    return [Example(row["question"], row["passage"], _binary(row), group)]


EXPANSIONS = {
    "superglue-boolq": _boolq,
    "superglue-copa": _copa,
    "superglue-multirc": _multirc,
    "superglue-record": _record,
    "superglue-wic": _wic,
    "superglue-wsc": _wsc,
}
