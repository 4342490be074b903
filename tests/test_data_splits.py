"""Rows kept away: nobody trains on them, they are like the training rows, and the same whatever the seed."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexibert.data.probes import PROBES, probe_rows, sentences
from flexibert.data.task_files import Example
from flexibert.data.task_splits import kept_away, read_splits, undefined_metrics
from flexibert.data.task_table import TASKS
from flexibert.errors import TaskError
from flexibert.settings import SuiteSettings, TaskSettings

SETTINGS = TaskSettings(length=24, train_rows=None, validation_rows=None, test_share=0.25, test_rows=None)
PROBE = SuiteSettings("probes", "embedded")
GLUE = SuiteSettings("glue", "folder")


def texts(rows: list[Example]) -> set[tuple]:
    return {(row.first.casefold(), (row.second or "").casefold()) for row in rows}


def cola_rows(folder: Path, train: list[tuple[int, str]], validation: list[tuple[int, str]]) -> Path:
    """CoLA's two files."""
    (folder / "CoLA").mkdir(parents=True, exist_ok=True)
    for stem, rows in (("train", train), ("dev", validation)):
        lines = [f"s\t{label}\t\t{text}\n" for label, text in rows]
        (folder / "CoLA" / f"{stem}.tsv").write_text("".join(lines), encoding="utf-8")
    return folder


SENTENCES = [(int(number % 4 > 0), f"sentence number {number}") for number in range(200)]
OTHERS = [(number % 2, f"another sentence {number}") for number in range(20)]


@pytest.mark.parametrize("name", list(PROBES))
def test_a_probe_keeps_rows_of_other_speeches_away(name):
    settings = replace(SETTINGS, test_share=0.2, train_rows=300, validation_rows=200, test_rows=400)
    rows = read_splits(f"probes-{name}", PROBE, settings, 1, None).rows
    assert len(texts(rows["test"])) == len(rows["test"]) >= 20
    assert texts(rows["test"]).isdisjoint(texts(rows["train"]) | texts(rows["validation"]))
    if TASKS[f"probes-{name}"].labels:
        counts = Counter(row.label for row in rows["test"])
        assert max(counts.values()) - min(counts.values()) <= 1


def test_no_speech_is_in_two_splits_and_validation_rows_do_not_depend_on_the_test_rows():
    speeches = [{sentence.speech for sentence in sentences(split, 0.2)} for split in ("train", "validation", "test")]
    assert sum(map(len, speeches)) == len(set.union(*speeches))
    assert len(speeches[2]) > 25
    assert probe_rows("cola", "validation", 0.2) == probe_rows("cola", "validation")
    assert sentences("test", 0.0) == ()
    years = [[sentence.year for sentence in sentences(split, 0.2)] for split in ("train", "test")]
    assert abs(sum(years[0]) / len(years[0]) - sum(years[1]) / len(years[1])) < 10


def test_without_a_test_share_all_rows_are_trained_on(tmp_path):
    folder = cola_rows(tmp_path, SENTENCES, OTHERS)
    found = read_splits("glue-cola", GLUE, replace(SETTINGS, test_share=0), 1, folder)
    assert set(found.rows) == {"train", "validation"}
    assert len(found.rows["train"]) == 200


def test_a_part_of_the_training_rows_is_kept_away_with_their_shares_of_classes(tmp_path):
    folder = cola_rows(tmp_path, SENTENCES, OTHERS)
    rows = read_splits("glue-cola", GLUE, SETTINGS, 1, folder).rows
    assert Counter(row.label for row in rows["test"]) == {0: 12, 1: 37}
    assert len(rows["train"]) == 200 - len(rows["test"])
    assert texts(rows["test"]).isdisjoint(texts(rows["train"]))


def test_the_rows_kept_away_follow_from_their_texts_alone(tmp_path):
    folder = cola_rows(tmp_path / "one", SENTENCES, OTHERS)
    turned = cola_rows(tmp_path / "two", SENTENCES[::-1], OTHERS)
    first = read_splits("glue-cola", GLUE, SETTINGS, 1, folder).rows
    settings = replace(SETTINGS, train_rows=50, validation_rows=10)
    second = read_splits("glue-cola", GLUE, settings, 2, turned).rows
    assert texts(first["test"]) == texts(second["test"])
    assert len(second["train"]) == 50


def test_at_most_so_many_rows_are_kept_away(tmp_path):
    folder = cola_rows(tmp_path, SENTENCES, OTHERS)
    rows = read_splits("glue-cola", GLUE, replace(SETTINGS, test_rows=24), 1, folder).rows
    assert (len(rows["test"]), len(rows["train"])) == (24, 176)


def test_texts_that_repeat_are_never_kept_away(tmp_path):
    twice = [(label, text.upper() + " ") for label, text in SENTENCES[:30]]
    validated = [(label, text) for label, text in SENTENCES[30:40]]
    folder = cola_rows(tmp_path, SENTENCES + twice, OTHERS + validated)
    found = read_splits("glue-cola", GLUE, SETTINGS, 1, folder)
    assert found.duplicates == 70
    assert texts(found.rows["test"]).isdisjoint(texts(found.rows["train"]) | texts(found.rows["validation"]))


def test_too_few_rows_name_the_share_and_the_remedy(tmp_path):
    folder = cola_rows(tmp_path, SENTENCES[:60], OTHERS)
    with pytest.raises(TaskError, match=r"task glue-cola: tasks\.test_share 0\.25 leaves 14 of 60 rows .* set it to 0"):
        read_splits("glue-cola", GLUE, SETTINGS, 1, folder)


def test_a_metric_without_two_classes_is_told_with_task_split_and_remedy(tmp_path):
    folder = cola_rows(tmp_path, SENTENCES, [(1, text) for _, text in OTHERS])
    with pytest.raises(TaskError) as caught:
        read_splits("glue-cola", GLUE, SETTINGS, 1, folder)
    assert str(caught.value).startswith(
        "task glue-cola: all 20 validation rows have the label 1, so its metric matthews"
    )
    assert "raise tasks.validation_rows" in str(caught.value)
    no_positive = [Example("a", "b", 0, 0), Example("c", "d", 0, 1)]
    assert ["metric f1" in problem for problem in undefined_metrics(TASKS["glue-mrpc"], "test", no_positive)] == [True]
    assert undefined_metrics(TASKS["glue-sst2"], "test", no_positive) == []
    values = [Example("a", "b", 2.5, 0), Example("c", "d", 2.5, 1)]
    assert len(undefined_metrics(TASKS["glue-stsb"], "validation", values)) == 2


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), min_size=5, max_size=60),
    st.integers(3, 40),
    st.booleans(),
)
def test_whole_groups_are_kept_away_and_never_too_many(sizes, most, classes):
    sizes = [(1, label) for _, label in sizes] if classes else sizes
    rows = [Example(f"text {g}", str(r), label, g) for g, (size, label) in enumerate(sizes) for r in range(size)]
    chosen = kept_away(rows, rows, most, classes)
    assert chosen == [row for row in rows if row in chosen]
    assert len(chosen) <= most
    for group in {row.group for row in chosen}:
        assert sum(row.group == group for row in chosen) == sizes[group][0]
    if classes:
        for label, count in Counter(row.label for row in rows).items():
            share = min(most, len(rows)) * count / len(rows)
            assert abs(sum(row.label == label for row in chosen) - share) < 1
