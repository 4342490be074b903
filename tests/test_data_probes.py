"""The probes: shape, labels, balance, and what keeps training and validation apart."""

from collections import Counter

import numpy as np
import pytest

from flexibert.data.probe_words import AUXILIARIES, DENIALS, DOUBTS, MONEY, OPPOSITES, PERSONS
from flexibert.data.probes import EARLY, LATE, PROBES, misspelt, probe_rows, sentences
from flexibert.data.task_files import read_examples
from flexibert.data.task_table import TASKS, names_of


def test_there_is_a_probe_for_every_glue_task():
    assert list(PROBES) == names_of("glue")


def test_no_speech_is_in_both_splits():
    speeches = [{sentence.speech for sentence in sentences(split)} for split in ("train", "validation")]
    assert speeches[0].isdisjoint(speeches[1])
    assert len(speeches[1]) > 40


@pytest.mark.parametrize("name", list(PROBES))
def test_rows_have_the_columns_and_labels_of_the_namesake(name):
    spec = TASKS[f"probes-{name}"]
    rows = probe_rows(name, "validation")
    assert rows == probe_rows(name, "validation")
    assert set(rows[0]) == {*spec.texts, "label", "idx"}
    examples, _ = read_examples(spec, "validation", "embedded", None)
    assert len(examples) == len(rows)
    labels = np.array([example.label for example in examples])
    if spec.labels is None:
        assert labels.min() >= 0
        assert labels.max() <= 5
        assert 1.0 < labels.std() < 2.0
    else:
        counts = Counter(labels.tolist())
        assert len(counts) == len(spec.labels)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_labels_mean_what_the_documentation_says():
    early = {s.text for s in sentences("train") if s.year < EARLY}
    late = {s.text for s in sentences("train") if s.year >= LATE}
    assert all(row["sentence"] in (late if row["label"] else early) for row in probe_rows("sst2", "train"))
    for row in probe_rows("qnli", "train"):
        words = {word.rstrip(".,;:!?").lower() for word in row["sentence"].split()}
        assert bool(words & MONEY) == (row["label"] == 0)
    for row in probe_rows("mnli", "train"):
        added = Counter(row["hypothesis"].split()) - Counter(row["premise"].split())
        kinds = [set(), set(DOUBTS), {word for phrase in DENIALS for word in phrase.split()}]
        assert set(added) <= kinds[row["label"]]
        assert bool(added) == (row["label"] > 0) or row["label"] > 0
    for name, table, changed in (("mrpc", PERSONS, 0), ("rte", OPPOSITES, 1)):
        for row in probe_rows(name, "train"):
            added = Counter(row["sentence2"].split()) - Counter(row["sentence1"].split())
            assert {word.rstrip(".,;:!?") for word in added} <= (
                set(table.values()) if row["label"] == changed else set()
            )
    for row in probe_rows("stsb", "train"):
        same = row["sentence1"] == row["sentence2"]
        assert same == (row["label"] == 5)
        added = Counter(row["sentence2"].split()) - Counter(row["sentence1"].split())
        assert {word.rstrip(".,;:!?") for word in added} <= {*PERSONS.values(), *OPPOSITES.values()}


def test_words_are_misspelt_inside_only():
    generator = np.random.default_rng(0)
    for word in ("Government,", "people", "revenues"):
        wrong = misspelt(word, generator)
        assert wrong != word
        assert sorted(wrong) == sorted(word)
        assert (wrong[0], wrong[-2:]) == (word[0], word[-2:])
    for word in ("the", "1789", "Great", "from,", "oooooo"):
        assert misspelt(word, generator) == word or word == "Great"


def test_word_lists_are_tables_without_a_fixed_point():
    assert all(key != value for table in (PERSONS, OPPOSITES) for key, value in table.items())
    assert {"is", "will"} <= AUXILIARIES
