"""Baselines without a neural network: the rows of the models, answers in the models' form, known results."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from flexibert.data.task_splits import read_splits
from flexibert.evidence.resampled import TaskAnswers, task_scores
from flexibert.files import read_json
from flexibert.settings import SuiteSettings, TaskSettings
from flexibert.training.plain import plain_baselines

SETTINGS = TaskSettings(length=24, train_rows=200, validation_rows=80, test_share=0.2, test_rows=100)
PROBES = SuiteSettings("probes", "embedded")


def baselines(task: str, out: Path, suite: SuiteSettings = PROBES, settings: TaskSettings = SETTINGS) -> dict:
    plain_baselines(task, suite, settings, 1, out, out)
    return read_json(out / "plain.json")


def written(folder: Path, train: list[str], dev: list[str]) -> SuiteSettings:
    """SST-2's two files."""
    (folder / "SST-2").mkdir(parents=True)
    for stem, rows in (("train", train), ("dev", dev)):
        (folder / "SST-2" / f"{stem}.tsv").write_text("\n".join(["sentence\tlabel", *rows]), encoding="utf-8")
    return SuiteSettings("glue", "folder", str(folder))


@pytest.mark.parametrize("task", ["probes-mnli", "probes-stsb"])
def test_both_are_scored_on_the_rows_of_the_models_and_their_answers_give_the_score(task, tmp_path):
    card = baselines(task, tmp_path)
    rows = read_splits(task, PROBES, SETTINGS, 1, None).rows
    assert card["rows"] == {split: len(examples) for split, examples in rows.items()}
    for kind in ("majority", "words"):
        answers = TaskAnswers.load([tmp_path / f"plain-{kind}.npz"])
        assert answers.labels.tolist() == pytest.approx([example.label for example in rows["test"]])
        scores = task_scores(answers, np.ones((1, len(rows["test"]))))
        assert scores[0, 0] == pytest.approx(card[kind]["test"]["score"], abs=1e-3)
    assert card["words"]["test"]["score"] > card["majority"]["test"]["score"] + 10


def test_the_majority_is_that_of_the_training_rows(tmp_path):
    train = [f"film number {number}\t{int(number % 3 > 0)}" for number in range(150)]
    dev = [f"another film {number}\t{int(number % 4 == 0)}" for number in range(40)]
    card = baselines("glue-sst2", tmp_path, written(tmp_path, train, dev))
    assert card["majority"]["answer"] == "1"
    assert card["majority"]["validation"]["metrics"] == {"accuracy": 25.0}
    assert Counter(TaskAnswers.load([tmp_path / "plain-majority.npz"]).outputs[0].argmax(axis=1)) == {1: 30}


def test_words_that_tell_the_label_are_found(tmp_path):
    texts = [(f"a {'good' if number % 2 else 'bad'} film {number}", number % 2) for number in range(200)]
    rows = [f"{text}\t{label}" for text, label in texts]
    card = baselines("glue-sst2", tmp_path, written(tmp_path, rows[:150], rows[150:]))
    assert card["words"]["validation"]["score"] == card["words"]["test"]["score"] == 100.0


def test_without_rows_kept_away_there_is_no_test_score(tmp_path):
    settings = TaskSettings(length=24, train_rows=100, validation_rows=50, test_share=0.0, test_rows=None)
    card = baselines("probes-sst2", tmp_path, settings=settings)
    assert card["words"]["test"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["plain.json"]


def test_equal_inputs_give_equal_bytes(tmp_path):
    for name in "ab":
        baselines("probes-cola", tmp_path / name)
    for file in ("plain.json", "plain-words.npz", "plain-majority.npz"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_training_rows_of_one_class_leave_nothing_to_fit(tmp_path):
    train = [f"film number {number}\t1" for number in range(150)]
    dev = [f"another film {number}\t{number % 2}" for number in range(40)]
    card = baselines("glue-sst2", tmp_path, written(tmp_path, train, dev))
    assert card["words"]["strength"] is None
    assert card["words"]["validation"] == card["majority"]["validation"]
