"""Dynamic masking: rates, labels, determinism."""

import numpy as np
import pytest

from flexibert.encoder.loss import IGNORED
from flexibert.training.masking import Masker

MASK, SPECIAL = 4, (0, 1, 2, 3, 4)
masker = Masker(rate=0.15, vocabulary=1000, mask_id=MASK, special_ids=SPECIAL)


@pytest.fixture(scope="module")
def masked():
    tokens = np.random.default_rng(1).integers(5, 1000, (512, 512))
    return tokens, *masker(tokens, seed=7)


def test_about_15_percent_are_chosen(masked):
    _, _, labels = masked
    assert np.mean(labels != IGNORED) == pytest.approx(0.15, abs=0.003)  # 4 standard deviations


def test_the_chosen_become_mask_random_or_stay_8_1_1(masked):
    tokens, inputs, labels = masked
    chosen = labels != IGNORED
    assert np.mean(inputs[chosen] == MASK) == pytest.approx(0.8, abs=0.01)
    # One random token in a thousand happens to be the token itself, or the mask.
    assert np.mean(inputs[chosen] == tokens[chosen]) == pytest.approx(0.1, abs=0.008)
    replaced = (inputs != MASK) & (inputs != tokens)
    assert np.mean(replaced[chosen]) == pytest.approx(0.1, abs=0.008)
    assert np.ptp(inputs[replaced]) > 900  # drawn from the whole vocabulary


def test_labels_are_the_chosen_tokens_and_the_rest_is_untouched(masked):
    tokens, inputs, labels = masked
    chosen = labels != IGNORED
    assert np.array_equal(labels[chosen], tokens[chosen])
    assert np.array_equal(inputs[~chosen], tokens[~chosen])


def test_special_tokens_are_never_chosen():
    tokens = np.tile(np.array(SPECIAL), (50, 40))
    inputs, labels = masker(tokens, seed=1)
    assert np.array_equal(inputs, tokens)
    assert (labels == IGNORED).all()


def test_the_seed_decides_everything():
    tokens = np.random.default_rng(1).integers(5, 1000, (4, 64)).astype(np.uint16)
    first, again, other = masker(tokens, 1), masker(tokens, 1), masker(tokens, 2)
    assert all(np.array_equal(left, right) for left, right in zip(first, again, strict=True))
    assert not np.array_equal(first[1], other[1])
    assert first[0].dtype == first[1].dtype == np.int64
