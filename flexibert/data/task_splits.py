"""Which labelled rows a task trains on, is chosen by, and keeps away: its three splits.

The rows kept away are scored once, after every choice. Where a task has none of its own, they are a part of its
training rows: which part follows from the texts alone, so that it is the same one whatever an experiment's seed.
"""

import hashlib
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flexibert.data.splits import SPLITS
from flexibert.data.task_files import Example, read_examples
from flexibert.data.task_table import TASKS, TaskSpec
from flexibert.errors import TaskError
from flexibert.seeds import derive_seed
from flexibert.settings import SuiteSettings, TaskSettings

ROUNDING = 1e-6  # a share of a third of 30 rows is 10, not 9
LEAST_TEST_ROWS = 20  # fewer tell nothing of a model
TWO_VALUES = ("matthews", "pearson", "spearman")  # metrics that are undefined where all labels are equal


@dataclass(frozen=True)
class TaskRows:
    """The rows of a task by split.

    Attributes:
        rows: Rows of each split that the settings leave; "test" is absent where `tasks.test_share` is 0.
        incomplete: Incomplete lines left out, by file ("train", "validation").
        duplicates: Rows that could not be kept away because their texts occur elsewhere too.
    """

    rows: dict[str, list[Example]]
    incomplete: dict[str, int]
    duplicates: int = 0


def read_splits(task: str, suite: SuiteSettings, settings: TaskSettings, seed: int, folder: Path | None) -> TaskRows:
    """Read a task and choose the rows of its splits.

    Args:
        task: Id, e.g. "glue-cola".
        suite: Where it comes from.
        settings: How many rows are kept away and used.
        seed: Root seed; decides which training and validation rows are used where there are too many.
        folder: The suite's folder, or the one that `download.fetch` filled; None for embedded tasks.

    Raises:
        TaskError: A missing file or column, a label outside the task's set, too few rows to keep any away, or a split
            on which a metric is undefined.
    """
    spec, source, share = TASKS[task], suite.source, settings.test_share
    found = {split: read_examples(spec, split, source, folder, share) for split in SPLITS}
    rows = {split: examples for split, (examples, _) in found.items()}
    incomplete = {split: left_out for split, (_, left_out) in found.items()}
    duplicates = 0
    if share > 0:
        embedded = source == "embedded"
        pool = read_examples(spec, "test", source, folder, share)[0] if embedded else rows["train"]
        candidates, duplicates = _unique_units(pool, rows["validation"] + (rows["train"] if embedded else []), embedded)
        most = len(pool) if embedded else round(share * len(pool))
        classes = spec.labels is not None and not spec.grouped
        rows["test"] = kept_away(candidates, rows["train"], min(most, settings.test_rows or most), classes)
        if len(rows["test"]) < LEAST_TEST_ROWS:
            raise TaskError(_too_few(task, share, len(rows["test"]), len(pool)))
        if not embedded:
            groups = {example.group for example in rows["test"]}
            rows["train"] = [example for example in rows["train"] if example.group not in groups]
    for split in SPLITS:
        rows[split] = sub_sample(rows[split], settings.most_rows(split), derive_seed(seed, "tasks", task, split))
    if problems := [problem for split in rows for problem in undefined_metrics(spec, split, rows[split])]:
        raise TaskError(problems)
    return TaskRows(rows, incomplete, duplicates)


def kept_away(candidates: list[Example], alike: list[Example], most: int, classes: bool) -> list[Example]:
    """At most `most` of the candidates, by the hash of their first texts.

    Rows of one group stay together, and rows with the same first text (a premise of several hypotheses) mostly.

    Args:
        candidates: Rows to choose from.
        alike: Rows whose shares of classes are kept.
        most: Number of rows.
        classes: Whether labels are classes of rows that stand alone, so that there are shares to keep.
    """
    strata: dict[float, list[list[Example]]] = {}
    for unit in sorted(_by_group(candidates).values(), key=lambda unit: [_digest(text) for text in _texts(unit[0])]):
        strata.setdefault(unit[0].label if classes else 0.0, []).append(unit)
    counts = Counter(example.label if classes else 0.0 for example in alike)
    shares = {stratum: count / len(alike) for stratum, count in counts.items()}
    available = {stratum: sum(map(len, strata.get(stratum, []))) for stratum in shares}
    total = min([most, *(available[stratum] / share for stratum, share in shares.items())])
    chosen: set[int] = set()
    for stratum, share in shares.items():
        left = math.floor(share * total + ROUNDING)
        for unit in strata.get(stratum, []):
            if len(unit) <= left:
                chosen.add(unit[0].group)
                left -= len(unit)
    return [example for example in candidates if example.group in chosen]


def sub_sample(examples: list[Example], most: int | None, seed: int) -> list[Example]:
    """A random choice of at most `most` rows, in their order; rows of one group stay together.

    At least one group is kept, even if it alone has more rows.
    """
    if most is None or len(examples) <= most:
        return examples
    sizes = {group: len(unit) for group, unit in _by_group(examples).items()}
    groups = list(sizes)
    chosen: set[int] = set()
    total = 0
    for index in np.random.default_rng(seed).permutation(len(groups)):
        group = groups[index]
        if total + sizes[group] <= most or not chosen:
            chosen.add(group)
            total += sizes[group]
        if total >= most:
            break
    return [example for example in examples if example.group in chosen]


def undefined_metrics(spec: TaskSpec, split: str, examples: list[Example]) -> list[str]:
    """A sentence for each metric that the labels of a split leave undefined; nothing is scored on training rows."""
    labels = {example.label for example in examples}
    if split == "train" or not labels:
        return []
    one = len(labels) == 1
    undefined = [name for name in spec.metrics if (name in TWO_VALUES and one) or (name == "f1" and 1 not in labels)]
    label = spec.labels[int(min(labels))] if spec.labels else f"{min(labels):g}"
    return [
        f"task {spec.id}: all {len(examples)} {split} rows have the label {label}, so its metric {name} is undefined; "
        f"raise tasks.{split}_rows, supply rows of other labels, or leave the task out of the suite's `names`"
        for name in undefined
    ]


def _unique_units(pool: list[Example], others: list[Example], repeats: bool) -> tuple[list[Example], int]:
    """Groups of the pool none of whose texts occur elsewhere, and how many rows were left out.

    Args:
        pool: Rows to look at.
        others: Rows in which their texts must not occur.
        repeats: Of texts that repeat within the pool, keep the first; else none, as the others will be trained on.
    """
    seen = {_texts(example) for example in others}
    counts = Counter(map(_texts, pool))
    kept: list[Example] = []
    for unit in _by_group(pool).values():
        texts = [_texts(example) for example in unit]
        if not any(text in seen or (counts[text] > 1 and not repeats) for text in texts):
            kept += unit
            seen.update(texts)
    return kept, len(pool) - len(kept)


def _by_group(examples: list[Example]) -> dict[int, list[Example]]:
    units: dict[int, list[Example]] = {}
    for example in examples:
        units.setdefault(example.group, []).append(example)
    return units


def _plain(text: str) -> str:
    """Text without regard to case and spacing."""
    return " ".join(text.casefold().split())


def _texts(example: Example) -> tuple[str, str]:
    return _plain(example.first), _plain(example.second or "")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _too_few(task: str, share: float, found: int, rows: int) -> str:
    return (
        f"task {task}: tasks.test_share {share:g} leaves {found} of {rows} rows for the test split, and at least "
        f"{LEAST_TEST_ROWS} are needed; raise it, supply more rows, or set it to 0 to keep none away"
    )
