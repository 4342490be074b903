"""Differences: metrics on resamples, coverage of the intervals, pairing of rows, seeds that would settle one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexibert.errors import SearchError, TaskError
from flexibert.evidence.differences import difference_of_answers, difference_of_scores, further_seeds
from flexibert.evidence.resampled import METRICS, TaskAnswers, draws, task_scores
from flexibert.training import metrics as reference


def normal_share(value: float) -> float:
    from scipy.stats import norm

    return float(norm.cdf(value))


def answers(generator: np.random.Generator, rows: np.ndarray, skill: float, seeds: int) -> TaskAnswers:
    """Trainings that answer rightly where skill, row (shared by models), training and chance exceed 0 together."""
    noise = 0.1 * generator.standard_normal((seeds, 1)) + 0.6 * generator.standard_normal((seeds, len(rows)))
    labels = np.arange(len(rows)) % 2
    given = np.where(rows + noise + skill > 0, labels, 1 - labels)
    return TaskAnswers(np.eye(2)[given], labels, ["accuracy"])


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(METRICS)), st.integers(2, 30))
def test_metrics_on_resamples_equal_those_on_the_rows_drawn(seed, metric, units):
    """The slow reference repeats each row as often as it was drawn and calls the metric of the fine-tuning."""
    generator = np.random.default_rng(seed)
    regression = metric in ("pearson", "spearman")
    grouped = metric in ("exact_match", "group_accuracy", "group_overlap")
    groups = np.repeat(np.arange(units), generator.integers(1, 4, units)) if grouped else np.arange(units)
    shape = (3, len(groups), 1 if regression else 2 if metric != "macro_f1" else 3)
    outputs = generator.integers(0, 4, shape).astype(np.float32)
    labels = generator.integers(0, 5, len(groups)).astype(np.float32) if regression else None
    labels = generator.integers(0, shape[2], len(groups)) if labels is None else labels
    overlaps = generator.random(len(groups)).astype(np.float32)
    task = TaskAnswers(outputs, labels, [metric], groups, overlaps)
    weights = draws(units, 4, generator)
    assert (weights.sum(axis=1) == units).all()
    found = task_scores(task, weights)
    for resample, weight in enumerate(weights):
        drawn = [unit for unit in range(units) for _ in range(int(weight[unit]))]
        rows = np.concatenate([np.flatnonzero(groups == unit) for unit in drawn])
        fresh = np.concatenate([np.full(np.sum(groups == unit), place) for place, unit in enumerate(drawn)])
        for training in range(3):
            one = reference.Answers(outputs[training][rows], labels[rows], fresh, overlaps[rows])
            assert found[resample, training] == pytest.approx(reference.points([metric], one)[metric], abs=1e-3)


@pytest.mark.parametrize(("seeds", "rows"), [(3, 100), (5, 400)])
def test_intervals_hold_the_true_difference_as_often_as_they_say(seeds, rows):
    spread = np.sqrt(1 + 0.1**2 + 0.6**2)
    true = 100 * (normal_share(0.9 / spread) - normal_share(0.7 / spread))
    generator = np.random.default_rng(7)
    hits = []
    for trial in range(250):
        shared = generator.standard_normal(rows)
        pair = [{"t": answers(generator, shared, skill, seeds)} for skill in (0.9, 0.7)]
        difference = difference_of_answers(*pair, seed=trial, resamples=200)
        hits.append(difference.low <= true <= difference.high)
    assert 0.91 <= np.mean(hits) <= 0.995


def test_intervals_over_seeds_hold_the_true_difference_as_often_as_they_say():
    generator = np.random.default_rng(2)
    hits = []
    for _ in range(400):
        one, other = 75 + 1.2 * generator.standard_normal(3), 73 + 0.6 * generator.standard_normal(5)
        difference = difference_of_scores(one, other)
        hits.append(difference.low <= 2.0 <= difference.high)
    assert 0.92 <= np.mean(hits) <= 0.985


def test_rows_that_are_hard_for_both_models_do_not_blur_their_difference():
    generator = np.random.default_rng(0)
    first, second = (answers(generator, 3 * generator.standard_normal(300), skill, 4) for skill in (0.9, 0.7))
    shared = 3 * np.random.default_rng(1).standard_normal(300)
    paired = [answers(generator, shared, skill, 4) for skill in (0.9, 0.7)]
    apart = difference_of_answers({"t": first}, {"t": replace(second, labels=first.labels)}, 0)
    together = difference_of_answers({"t": paired[0]}, {"t": paired[1]}, 0)
    assert together.row_variance < 0.5 * apart.row_variance


def test_a_difference_follows_from_its_seed_and_swaps_its_sign():
    generator = np.random.default_rng(0)
    shared = generator.standard_normal(100)
    pair = [{"t": answers(generator, shared, skill, 3)} for skill in (0.9, 0.5)]
    one, again, swapped = (
        difference_of_answers(*two, seed=4, resamples=300) for two in (pair, pair, [pair[1], pair[0]])
    )
    assert one == again
    assert (swapped.mean, swapped.low) == pytest.approx((-one.mean, -one.high))
    assert one.rows == 100


def test_a_model_against_itself_is_no_difference():
    generator = np.random.default_rng(0)
    same = {"t": answers(generator, generator.standard_normal(100), 0.5, 3)}
    difference = difference_of_answers(same, same, 0)
    assert difference.mean == 0
    assert difference.low <= 0 <= difference.high
    assert further_seeds(difference) is None


def test_single_trainings_have_no_interval():
    difference = difference_of_scores([75.0], [70.0, 71.0])
    assert not difference.told
    assert not difference.settled
    assert further_seeds(difference) is None
    assert difference.to_mapping()["low"] is None


def test_the_seeds_asked_for_settle_a_difference_of_that_size():
    generator = np.random.default_rng(0)
    difference = difference_of_scores([74.0, 76.0, 75.0], [73.5, 75.5, 74.2])
    more = further_seeds(difference)
    settled = [
        difference_of_scores(
            difference.mean + np.sqrt(difference.seed_variances[0]) * generator.standard_normal(3 + more),
            np.sqrt(difference.seed_variances[1]) * generator.standard_normal(3 + more),
        ).low
        > 0
        for _ in range(400)
    ]
    assert 0.72 < np.mean(settled) < 0.88
    assert further_seeds(difference_of_scores([80.0, 80.1], [70.0, 70.1])) == 0


def test_too_few_rows_cannot_be_mended_by_seeds():
    difference = replace(difference_of_scores([74.0, 74.1, 74.2], [73.9, 73.8, 74.0]), row_variance=4.0, low=-4, high=4)
    assert further_seeds(difference) is None


def test_what_cannot_be_compared_is_refused():
    generator = np.random.default_rng(0)
    one, other = (answers(generator, generator.standard_normal(size), 0.5, 2) for size in (10, 12))
    with pytest.raises(SearchError, match=r"different tasks \(a and b\)"):
        difference_of_answers({"a": one}, {"b": one}, 0)
    with pytest.raises(SearchError, match="task a: the models answered different rows"):
        difference_of_answers({"a": one}, {"a": other}, 0)
    fewer = replace(other, outputs=other.outputs[:1])
    with pytest.raises(SearchError, match=r"unequal numbers of trainings on its tasks \(a 2, b 1\)"):
        difference_of_answers({"a": one, "b": other}, {"a": one, "b": fewer}, 0)
    with pytest.raises(SearchError, match="without a finished training"):
        difference_of_scores([], [1.0])
    with pytest.raises(TaskError, match="'bleu' is unknown"):
        difference_of_answers({"a": replace(one, metrics=["bleu"])}, {"a": replace(one, metrics=["bleu"])}, 0)
