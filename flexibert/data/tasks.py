"""Labelled tasks made ready for fine-tuning: chosen, read, tokenised, and loaded again as arrays."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flexibert.data.splits import SPLITS
from flexibert.data.task_files import Example, missing_task, split_file
from flexibert.data.task_splits import read_splits
from flexibert.data.task_table import HUB_IDS, TASKS, TaskSpec, names_of
from flexibert.errors import TaskError
from flexibert.files import read_json, whole_file, write_json
from flexibert.settings import SuiteSettings, TaskSettings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ARRAYS = ("input_ids", "offsets", "labels", "groups", "overlaps")  # of a split's file; see `TaskData`

logger = logging.getLogger(__name__)


def tasks_of(suite: SuiteSettings) -> list[str]:
    """Ids of the tasks of one entry of `tasks.suites`, e.g. ["glue-cola", ...], in the publishers' order."""
    wanted = [name for name in names_of(suite.suite) if suite.names is None or name in suite.names]
    return [f"{suite.suite}-{name}" for name in wanted]


def check_tasks(suites: Sequence[SuiteSettings], leave_out: Sequence[str] = ()) -> list[str]:
    """What keeps tasks from working on this machine, one sentence a problem; takes milliseconds.

    Args:
        suites: Where the tasks come from.
        leave_out: Ids of the tasks that do not count in the score.
    """
    problems: list[str] = []
    names = [suite.suite for suite in suites]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(
            f"tasks.suites: the suite {name!r} stands {names.count(name)} times; name its tasks in one entry"
        )
    for suite in suites:
        problems += _suite_problems(suite)
    return problems + _left_out_problems(suites, leave_out)


def _left_out_problems(suites: Sequence[SuiteSettings], leave_out: Sequence[str]) -> list[str]:
    tasks = [task for suite in suites for task in tasks_of(suite)]
    problems = []
    for task in leave_out:
        if task not in tasks:
            close = get_close_matches(task, tasks, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"tasks: {', '.join(tasks)}"
            problems.append(f"tasks.leave_out: there is no task '{task}' in tasks.suites; {hint}")
    return problems + [
        f"tasks.leave_out: all tasks of suite {suite.suite} are left out, so that it has no score; keep one of them"
        for suite in suites
        if tasks_of(suite) and set(tasks_of(suite)) <= set(leave_out)
    ]


def _suite_problems(suite: SuiteSettings) -> list[str]:
    name, source = suite.suite, suite.source
    known = names_of(name)
    unknown = [task for task in suite.names or () if task not in known]
    problems = [f"tasks.suites: suite {name} has no task '{task}' (tasks: {', '.join(known)})" for task in unknown]
    if (name == "probes") != (source == "embedded"):
        remedy = "write source 'embedded'" if name == "probes" else "write source 'folder' or 'hub'"
        return [
            *problems,
            f"tasks.suites: suite {name!r} cannot come from {source!r}; only probes are embedded, and they only so; "
            + remedy,
        ]
    if source != "folder":
        return problems
    if not suite.folder:
        return [*problems, f"tasks.suites: suite {name!r}: key 'folder' is missing; source 'folder' needs it"]
    folder = Path(suite.folder)
    if not folder.is_dir():
        return [*problems, f"tasks.suites: the folder {folder} of suite {name} does not exist; correct `folder`"]
    specs = [TASKS[task] for task in tasks_of(suite)]
    return problems + [
        missing_task(spec, folder) for spec in specs if any(split_file(spec, split, folder) is None for split in SPLITS)
    ]


def hub_source(task: str) -> dict:
    """What `download.fetch` needs to bring one GLUE or SuperGLUE task from the hub."""
    spec = TASKS[task]
    splits = ["train", spec.validation]
    return {"name": task, "kind": "hub", "id": HUB_IDS[spec.suite], "config": spec.name, "split": splits}


def prepare_task(
    task: str,
    suite: SuiteSettings,
    settings: TaskSettings,
    tokenizer: str | Path,
    seed: int,
    out_dir: str | Path,
    downloaded: str | Path | None = None,
) -> None:
    """Read, split and tokenise one task; writes train.npz, validation.npz, test.npz and task.json into `out_dir`.

    Args:
        task: Id, e.g. "glue-cola".
        suite: Where it comes from.
        settings: How long its inputs are and how many rows are used; with a `test_share` of 0 there is no test.npz.
        tokenizer: tokenizer.json with its facts beside it.
        seed: Root seed; decides which rows are used where there are too many.
        out_dir: tasks/{task}.
        downloaded: Folder that `download.fetch` filled with `hub_source(task)`, for source hub;
            `out_dir` if not given.

    Raises:
        TaskError: As of `read_splits`.
    """
    from flexibert.data.tokenizer import load_tokenizer, tokenizer_facts

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    spec = TASKS[task]
    folder = (downloaded or out_dir) if suite.source == "hub" else suite.folder
    encoder, facts = load_tokenizer(tokenizer), tokenizer_facts(tokenizer)
    found = read_splits(task, suite, settings, seed, None if folder is None else Path(folder))
    for split, chosen in found.rows.items():
        arrays = _encoded(spec, chosen, encoder, facts.start, facts.separator, settings.length)
        with whole_file(Path(out_dir) / f"{split}.npz") as part, open(part, "wb") as stream:
            np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]  # none is called allow_pickle
        if split == "validation":
            majority = _majority(spec, arrays["labels"])
    facts_of_task = {
        "task": task,
        "suite": spec.suite,
        "name": spec.name,
        "source": suite.source,
        "labels": list(spec.labels) if spec.labels else None,
        "range": list(spec.range) if spec.range else None,
        "outputs": spec.outputs,
        "metrics": list(spec.metrics),
        "validation": spec.validation,
        "length": settings.length,
        "rows": {split: len(chosen) for split, chosen in found.rows.items()},
        "incomplete_rows": found.incomplete,
        "test_duplicates": found.duplicates,
        "majority_share": majority,
        "pad": facts.pad,
    }
    write_json(Path(out_dir) / "task.json", facts_of_task)
    logger.info("%s: %s", task, facts_of_task["rows"])


def _encoded(
    spec: TaskSpec, examples: list[Example], encoder: "Tokenizer", start: int, separator: int, length: int
) -> dict[str, np.ndarray]:
    """Token ids of all rows: start, first text, separator, and for pairs second text, separator."""
    firsts = [
        encoding.ids for encoding in encoder.encode_batch_fast([e.first for e in examples], add_special_tokens=False)
    ]
    pair = examples[0].second is not None
    seconds: list[list[int]] = [[]] * len(examples)
    if pair:
        encodings = encoder.encode_batch_fast([e.second for e in examples], add_special_tokens=False)
        seconds = [encoding.ids for encoding in encodings]
    rows = []
    for first, second in zip(firsts, seconds, strict=True):
        first, second = cut_pair(first, second, length - (3 if pair else 2))
        rows.append([start, *first, separator, *([*second, separator] if pair else [])])
    lengths = np.array([len(row) for row in rows])
    return {
        "input_ids": np.concatenate([np.array(row, np.int32) for row in rows]),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "labels": np.array([e.label for e in examples], np.float32 if spec.labels is None else np.int64),
        "groups": np.array([e.group for e in examples], np.int64),
        "overlaps": np.array([e.overlap for e in examples], np.float32),
    }


def cut_pair(first: list[int], second: list[int], most: int) -> tuple[list[int], list[int]]:
    """Cut the ends of two texts to `most` tokens together; the longer one gives first."""
    excess = len(first) + len(second) - most
    if excess <= 0:
        return first, second
    keep_second = min(len(second), max(most // 2, most - len(first)))
    return first[: most - keep_second], second[:keep_second]


def _majority(spec: TaskSpec, labels: np.ndarray) -> float | None:
    """Share of the most frequent class among the validation rows; None for a regression."""
    if spec.labels is None:
        return None
    return round(float(np.bincount(labels).max() / len(labels)), 6)


@dataclass(frozen=True)
class TaskData:
    """One split of a task, as `prepare_task` wrote it.

    Attributes:
        facts: task.json: outputs, labels, range, metrics, rows, majority_share, pad, ...
        input_ids: Token ids of all rows, one after another; int32 of shape (tokens,).
        offsets: Row i is input_ids[offsets[i]:offsets[i + 1]]; int64 of shape (rows + 1,).
        labels: Class numbers (int64) or values (float32); shape (rows,).
        groups: Question or choice of each row; int64 of shape (rows,).
        overlaps: Token F1 of each candidate with the answers (ReCoRD), else 0; float32 of shape (rows,).
    """

    facts: dict
    input_ids: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    overlaps: np.ndarray

    @classmethod
    def load(cls, folder: str | Path, split: str) -> "TaskData":
        """Read one split ("train", "validation" or "test") of a folder of `prepare_task`.

        Raises:
            TaskError: The file lacks an array.
        """
        folder = Path(folder)
        path = folder / f"{split}.npz"
        with np.load(path, allow_pickle=False) as arrays:
            if missing := [name for name in ARRAYS if name not in arrays.files]:
                raise TaskError(f"{path}: lacks {', '.join(missing)}; remove it, and the task is prepared again")
            return cls(read_json(folder / "task.json"), **{name: arrays[name] for name in ARRAYS})

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.labels)

    def batch(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Padded inputs of some rows.

        Args:
            rows: Row numbers; integers of shape (batch,).

        Returns:
            Token ids, int64 of shape (batch, longest), and the mask of real tokens, bool of the same shape.
        """
        lengths = self.offsets[rows + 1] - self.offsets[rows]
        columns = np.arange(lengths.max())
        mask = columns < lengths[:, None]  # (batch, longest)
        ids = np.full(mask.shape, self.facts["pad"], np.int64)
        ids[mask] = np.concatenate([self.input_ids[self.offsets[row] : self.offsets[row + 1]] for row in rows])
        return ids, mask
