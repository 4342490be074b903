"""Sentences: what is known, what is not, and what would settle it."""

from dataclasses import replace

import pytest

from flexibert.evidence.differences import Difference, difference_of_scores
from flexibert.evidence.verdict import Comparison, verdict

CLEAR = Difference(1.9, 0.8, 3.0, (5, 5), (1.0, 1.0), 0.05, 2000)
BERT, STACK, RUNNER_UP = "a plain BERT of its size", "a stack of convolutions", "the runner-up"


def test_a_clear_answer_tells_points_interval_seeds_and_cost():
    within = Difference(0.4, -0.7, 1.5, (5, 3), (1.0, 1.0), 0.0, 2000)
    comparisons = [Comparison(BERT, CLEAR, latency_ratio=1.12), Comparison(STACK, within)]
    answer, detail = verdict("The winner", comparisons)
    assert answer == (
        "The winner is better than a plain BERT of its size by 1.9 points (0.8 to 3.0; 5 seeds), 12 % slower; "
        "not distinguishable from a stack of convolutions."
    )
    assert detail.startswith("Against a stack of convolutions: 0.4 points (-0.7 to 1.5; 5 and 3 seeds); about ")
    assert detail.endswith("more seeds of both would settle a difference of this size.")


def test_a_loss_is_said_as_plainly_as_a_gain():
    loss = replace(CLEAR, mean=-1.9, low=-3.0, high=-0.8)
    answer = verdict("The winner", [Comparison(BERT, loss, latency_ratio=0.5, size_ratio=1.01)])
    assert answer == [
        "The winner is worse than a plain BERT of its size by 1.9 points (0.8 to 3.0; 5 seeds), 50 % faster."
    ]


def test_noise_is_called_noise():
    within = difference_of_scores([75.0, 76.0, 74.0], [74.5, 75.5, 73.0])
    answer, *details = verdict("The winner", [Comparison(name, within) for name in (BERT, STACK, RUNNER_UP)])
    assert answer == (
        "The winner cannot be told apart from a plain BERT of its size, a stack of convolutions or the runner-up: "
        "all differences are within noise."
    )
    assert len(details) == 3
    assert "3 seeds, over seeds only" in details[0]


def test_single_trainings_are_never_compared():
    single = difference_of_scores([90.0], [50.0])
    answer, detail = verdict("The winner", [Comparison(BERT, single)])
    assert answer == "Whether the winner is better than anything else cannot be told."
    assert detail.startswith("Nothing can be said against a plain BERT of its size: a single training")
    assert "40" not in answer + detail


def test_what_is_missing_is_named():
    comparisons = [Comparison(BERT, CLEAR), Comparison(STACK, None, missing="its training failed")]
    assert verdict("The winner", comparisons)[1] == (
        "There is no comparison with a stack of convolutions: its training failed."
    )
    assert verdict("The winner", []) == ["Whether the winner is better than anything else cannot be told."]


@pytest.mark.parametrize(("low", "said"), [(-0.9, True), (-1.1, False)])
def test_a_loss_too_small_to_matter_can_be_excluded(low, said):
    close = replace(CLEAR, mean=0.1, low=low, high=1.1)
    detail = verdict("The winner", [Comparison(BERT, close, size_ratio=0.7)], margin=1.0)[1]
    assert ("not worse by more than 1 points" in detail) == said
    assert "30 % smaller" in detail


def test_rows_that_are_too_few_are_told_from_seeds_that_are():
    rows = Difference(0.5, -1.5, 2.5, (5, 5), (0.1, 0.1), 1.0, 100)
    assert "more kept-away rows are needed" in verdict("The winner", [Comparison(BERT, rows)])[1]
    nothing = Difference(0.0, -1.5, 1.5, (5, 5), (2.0, 2.0), 0.0, 100)
    assert "no affordable number of seeds" in verdict("The winner", [Comparison(BERT, nothing)])[1]
