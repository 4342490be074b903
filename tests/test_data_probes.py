"""The probes: shape, labels, balance, and what keeps training and validation apart."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from flexibert.data.probe_words import (
    AUXILIARIES,
    DENIALS,
    DOUBTS,
    MONEY,
    MONEY_QUESTIONS,
    OPPOSITES,
    PERSONS,
    PRONOUNS,
)
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


def bare(word: str) -> str:
    return word.rstrip(".,;:!?")


def is_part(some: Sequence[str], words: Sequence[str]) -> bool:
    """Whether some words stand among others in the same order."""
    rest = iter(words)
    return all(word in rest for word in some)


def exchanged(text: str, table: dict[str, str]) -> list[str]:
    """The words of a sentence with each that the table has in its place, before the same punctuation."""
    return [table.get(bare(word), bare(word)) + word[len(bare(word)) :] for word in text.split()]


def has_after_the_verb(hypothesis: list[str], premise: list[str], adverbs: Iterable[str]) -> bool:
    """Whether the hypothesis is the premise, some words left out, with one of the adverbs after its auxiliary."""
    verb = next(place for place, word in enumerate(premise[1:-1], 1) if word in AUXILIARIES)
    return any(
        hypothesis[place : place + len(added)] == added
        and is_part(hypothesis[:place], premise[: verb + 1])
        and is_part(hypothesis[place + len(added) :], premise[verb + 1 :])
        for added in map(str.split, adverbs)
        for place in range(len(hypothesis))
    )


@pytest.mark.parametrize("split", ["train", "validation"])
def test_misspelt_sentences_are_spoken_ones_with_letters_exchanged(split):
    spoken = {s.text for s in sentences(split)}
    sources: dict[tuple, list[list[str]]] = {}
    for text in spoken:
        sources.setdefault(tuple("".join(sorted(word)) for word in text.split()), []).append(text.split())
    unchanged = 0
    for row in probe_rows("cola", split):
        words = row["sentence"].split()
        if row["label"]:
            assert row["sentence"] in spoken
            continue
        candidates = sources[tuple("".join(sorted(word)) for word in words)]
        changes = min(sum(a != b for a, b in zip(words, source, strict=True)) for source in candidates)
        assert changes <= 4
        unchanged += changes == 0
    assert unchanged < 0.02 * len(probe_rows("cola", split))  # sentences without a longer word


@pytest.mark.parametrize("split", ["train", "validation"])
def test_the_era_of_a_sentence_is_its_label(split):
    early = {s.text for s in sentences(split) if s.year < EARLY}
    late = {s.text for s in sentences(split) if s.year >= LATE}
    assert all(row["sentence"] in (late if row["label"] else early) for row in probe_rows("sst2", split))


def test_a_sentence_that_answers_has_a_word_of_money():
    for row in probe_rows("qnli", "train"):
        words = {bare(word).lower() for word in row["sentence"].split()}
        assert bool(words & MONEY) == (row["label"] == 0)
        assert row["question"] in MONEY_QUESTIONS


def test_doubt_and_denial_are_inserted_and_nothing_else():
    for row in probe_rows("mnli", "train"):
        premise, hypothesis = row["premise"].split(), row["hypothesis"].split()
        if row["label"] == 0:
            assert is_part(hypothesis, premise)
        else:
            assert has_after_the_verb(hypothesis, premise, DOUBTS if row["label"] == 1 else DENIALS)


@pytest.mark.parametrize(("name", "table", "changed"), [("mrpc", PERSONS, 0), ("rte", OPPOSITES, 1)])
def test_words_are_exchanged_where_the_label_says_so(name, table, changed):
    """A second sentence loses words too, so that in a few rows no exchanged word is left."""
    rows = probe_rows(name, "train")
    shown = 0
    for row in rows:
        first, second = row["sentence1"].split(), row["sentence2"].split()
        other = exchanged(row["sentence1"], table)
        assert other != first
        assert is_part(second, other if row["label"] == changed else first)
        shown += row["label"] == changed and not is_part(second, first)
    assert shown > 0.9 * sum(row["label"] == changed for row in rows)


def test_similarity_is_the_share_of_words_left_as_they_were():
    for row in probe_rows("stsb", "train"):
        first, second = row["sentence1"].split(), row["sentence2"].split()
        other = exchanged(row["sentence1"], PERSONS | OPPOSITES)
        assert all(word in pair for word, *pair in zip(second, first, other, strict=True))
        changed = sum(a != b for a, b in zip(first, second, strict=True))
        assert row["label"] == pytest.approx(
            5 - 5 * changed / sum(a != b for a, b in zip(first, other, strict=True)), abs=1e-3
        )


def test_questions_are_equal_where_they_quote_one_late_sentence():
    """Early sentences are drawn again when they are used up, so that a pair may be one sentence by chance."""
    quoted = [
        {s.text.rstrip(".?!") for s in sentences("train") if fits(s.year)}
        for fits in (lambda year: year < EARLY, lambda year: year >= LATE)
    ]
    by_chance = 0
    for row in probe_rows("qqp", "train"):
        first = row["question1"].removeprefix("Who said that ").removesuffix("?")
        second = row["question2"].removeprefix("Which president said ").removesuffix("?")
        assert first in quoted[row["label"]]
        same = is_part([bare(word) for word in second.split()], [bare(word) for word in first.split()])
        assert same or not row["label"]
        by_chance += same and not row["label"]
    assert by_chance < 10  # of 2,000


def test_the_pronoun_stands_for_the_noun_of_the_sentence_before_where_the_label_says_so():
    for row in probe_rows("wnli", "train"):
        told, words = row["sentence1"].split(), row["sentence2"].split()
        second = told[-len(words) + 1 :]  # "the X" has taken the place of one word
        place = next(i for i, word in enumerate(second) if word in PRONOUNS)
        assert [*words[:place], *words[place + 2 :]] == [*second[:place], *second[place + 1 :]]
        assert words[place] == "the"
        if row["label"]:
            before = told[: -len(second)]
            the = next(i for i, word in enumerate(before) if word in ("the", "The"))
            assert words[place + 1] == bare(before[the + 1])


def test_words_are_misspelt_inside_only():
    """Two neighbouring letters change places; the first and the last character stay."""
    for seed in range(20):
        generator = np.random.default_rng(seed)
        for word in ("Government,", "people", "revenues", "Great"):
            wrong = misspelt(word, generator)
            first, second = (place for place, (a, b) in enumerate(zip(word, wrong, strict=True)) if a != b)
            assert (wrong[first], wrong[second]) == (word[second], word[first])
            assert second == first + 1
            assert 0 < first < second < len(word) - 1
        for word in ("the", "1789", "from,", "oooooo"):
            assert misspelt(word, generator) == word


def test_word_lists_are_tables_without_a_fixed_point():
    assert all(key != value for table in (PERSONS, OPPOSITES) for key, value in table.items())
    assert {"is", "will"} <= AUXILIARIES
