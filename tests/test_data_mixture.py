"""The order of training sequences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexibert.data.mixture import CYCLE, Mixture, permuted


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 3000), key=st.integers(0, 2**32 - 1))
def test_permuted_is_a_permutation(count, key):
    image = permuted(np.arange(count), count, key)
    assert np.array_equal(np.sort(image), np.arange(count))


def test_a_large_permutation_looks_random_and_needs_no_table():
    count = 10**12
    image = permuted(np.arange(20_000), count, 7)
    assert len(np.unique(image)) == 20_000
    assert abs(image.mean() / count - 0.5) < 0.01
    assert abs(np.corrcoef(image[1:], image[:-1])[0, 1]) < 0.03
    assert not np.array_equal(image, permuted(np.arange(20_000), count, 8))


def test_shares_are_exact_in_every_cycle_and_an_epoch_repeats_nothing():
    mixture = Mixture([50, 0, 7000], [3.0, 5.0, 1.0], seed=1)
    source, window = mixture.at(np.arange(4 * CYCLE))
    assert np.bincount(source, minlength=3).tolist() == [3000, 0, 1000]
    small = window[source == 0]
    epochs = small.reshape(-1, 50)
    assert all(np.array_equal(np.sort(epoch), np.arange(50)) for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1])
    assert len(np.unique(window[source == 2])) == 1000


def test_sources_of_one_size_are_shuffled_apart():
    source, window = Mixture([500, 500], [1.0, 1.0], seed=1).at(np.arange(CYCLE))
    one, other = (window[source == number] for number in (0, 1))
    assert np.mean(one == other) < 0.05


@pytest.mark.parametrize("weights", [[1.0, 1e-9], [1.0, 1.0, 1.0], [1e6, 1.0, 1.0, 1.0]])
def test_a_source_with_a_weight_is_never_left_out(weights):
    source, _ = Mixture([10] * len(weights), weights, seed=0).at(np.arange(CYCLE))
    assert set(source.tolist()) == set(range(len(weights)))


def test_any_slice_of_the_order_can_be_computed_on_its_own():
    mixture = Mixture([11, 300], [1.0, 2.0], seed=5)
    whole = np.stack(mixture.at(np.arange(5000)))
    assert np.array_equal(np.stack(mixture.at(np.arange(1234, 1300))), whole[:, 1234:1300])
    other = np.stack(Mixture([11, 300], [1.0, 2.0], seed=6).at(np.arange(5000)))
    assert not np.array_equal(whole, other)
