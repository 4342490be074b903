"""Which candidates are open, and what is known of the evaluated ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexibert.search.bench.pool import pool_from_table
from flexibert.search.bench.table import Table
from flexibert.search.candidates import edits_from, filled_scores, known_networks, nearest_open, open_rows, standardised
from flexibert.search.interface import Observations, Pool


def small_pool(identity: list[int]) -> Pool:
    line = np.arange(len(identity), dtype=float)[:, None]
    return Pool([f"c{row}" for row in range(len(identity))], line, line, np.array(identity))


def seen(indices: list[int], scores: list[float], pending: list[int] = ()) -> Observations:
    return Observations(np.array(indices, dtype=int), np.array(scores), np.array(pending, dtype=int))


def test_open_rows_hold_one_row_of_each_network_that_is_neither_known_nor_pending():
    pool = small_pool([0, 0, 1, 2, 2, 3, 3])
    rows = open_rows(seen([0], [1.0], [2]), pool, np.random.default_rng(0))
    assert sorted(pool.identity[rows]) == [2, 3]


@given(st.permutations(list(range(8))), st.integers(0, 3))
def test_open_rows_come_in_an_order_that_does_not_depend_on_the_rows(order, seed):
    pool = small_pool([0, 1, 2, 3, 3, 4, 5, 6])
    shuffled = pool.take(np.array(order))
    nothing = seen([], [])
    names = [pool.ids[row] for row in open_rows(nothing, pool, np.random.default_rng(seed))]
    again = [shuffled.ids[row] for row in open_rows(nothing, shuffled, np.random.default_rng(seed))]
    assert names == again


def test_open_rows_favour_no_row():
    pool = small_pool(list(range(10)))
    first = [open_rows(seen([], []), pool, np.random.default_rng(seed))[0] for seed in range(2000)]
    assert np.bincount(first, minlength=10).min() > 140  # 200 expected; 140 is 4.5 standard deviations away


def test_failures_count_as_the_worst_score():
    assert filled_scores(seen([0, 1, 2], [3.0, np.nan, -np.inf])).tolist() == [3.0, 3.0, 3.0]
    assert filled_scores(seen([0, 1], [np.nan, np.nan])).tolist() == [0.0, 0.0]


def test_repeats_are_averaged_and_a_failure_among_successes_is_left_out():
    pool = small_pool([0, 1, 1, 2])
    known = known_networks(seen([3, 1, 2, 0, 1], [5.0, 1.0, np.nan, np.nan, 3.0]), pool)
    assert known.rows.tolist() == [3, 1, 0]
    assert known.scores.tolist() == [5.0, 2.0, 1.0]
    assert known.evaluations.tolist() == [1, 3, 1]
    assert known.tell_apart


@pytest.mark.parametrize("scores", [[], [1.0], [2.0, 2.0], [np.nan, np.nan], [0.1 + 0.2, 0.3]])
def test_nothing_is_told_apart_by_equal_scores(scores):
    assert not known_networks(seen(list(range(len(scores))), scores), small_pool([0, 1])).tell_apart


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20), st.sampled_from([1e-6, 1.0, 1e6]))
def test_standardised_scores_go_back_to_what_they_were(values, scale):
    scores = np.array(values) * scale
    standard, mean, deviation = standardised(scores)
    if standard.any():
        np.testing.assert_allclose(standard * deviation + mean, scores, rtol=1e-6, atol=1e-6 * abs(scores).max())
        assert standard.std(ddof=1) == pytest.approx(1)


def test_nearest_open_counts_edits_of_properties_whatever_the_embedding_says():
    table = Table(list("abcd"), np.arange(4.0), None, {"x": ["p", "q", "q", "p"], "y": ["r", "r", "s", "s"]})
    pool = pool_from_table(table)
    far = Pool(pool.ids, np.array([[0.0], [9], [1], [8]]), pool.features, pool.identity)
    assert edits_from(0, np.arange(4), far).tolist() == [0, 1, 2, 1]
    assert nearest_open(0, np.array([2, 3, 1]), far, 2).tolist() == [3, 1]
