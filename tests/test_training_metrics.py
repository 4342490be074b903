"""GLUE's and SuperGLUE's metrics against values computed by hand and against scikit-learn and scipy."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexibert.data.task_table import TASKS
from flexibert.errors import TaskError
from flexibert.training.metrics import METRICS, Answers, points


def classes(predicted: list[int], true: list[int], count: int = 2, **more) -> Answers:
    """Answers whose highest score is at the predicted class."""
    return Answers(np.eye(count)[predicted], np.array(true), **more)


def values(predicted: list[float], true: list[float]) -> Answers:
    return Answers(np.array(predicted, dtype=float)[:, None], np.array(true, dtype=float))


# True and false positives and negatives: 3 TP, 1 FP, 2 FN, 4 TN.
BINARY = classes([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 1, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("metric", "answers", "expected"),
    [
        ("accuracy", BINARY, 70.0),
        ("f1", BINARY, 100 * 2 * 3 / (2 * 3 + 1 + 2)),
        ("matthews", BINARY, 100 * (3 * 4 - 1 * 2) / math.sqrt((3 + 1) * (3 + 2) * (4 + 1) * (4 + 2))),
        # Deviations from the means: (-1, 0, 1) and (-5, 1, 4)/3.
        ("pearson", values([1, 2, 3], [0, 2, 3]), 100 * 3 / math.sqrt(2 * 42 / 9)),
        # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: covariance 4.5, squares 4.5 and 5.
        ("spearman", values([1, 5, 5, 9], [0, 1, 2, 7]), 100 * 4.5 / math.sqrt(4.5 * 5)),
        # Class 0: 1 of 2 + 1; class 1: 1 of 1 + 2; class 2: 1 of 1 + 1 (true, predicted).
        ("macro_f1", classes([0, 0, 1, 2], [0, 1, 1, 2], 3), 100 * (2 / 3 + 2 / 3 + 1) / 3),
    ],
)
def test_values_by_hand(metric, answers, expected):
    assert points([metric], answers)[metric] == pytest.approx(expected)


def test_multirc_counts_questions_all_of_whose_answers_are_right():
    groups = np.array([7, 7, 3, 3, 3])
    answers = classes([1, 0, 1, 1, 0], [1, 0, 1, 0, 0], groups=groups)
    assert points(["exact_match", "f1"], answers) == pytest.approx({"exact_match": 50.0, "f1": 100 * 4 / 5})


def test_copa_takes_the_choice_with_the_higher_margin():
    scores = np.array([[0.0, 3.0], [0.0, 2.0], [1.0, 0.0], [5.0, 4.5]])  # margins 3, 2, -1, -0.5
    answers = Answers(scores, np.array([1, 0, 1, 0]), np.array([0, 0, 1, 1]))
    assert points(["group_accuracy"], answers) == {"group_accuracy": 50.0}


def test_record_scores_the_candidate_preferred_for_each_query():
    scores = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 0.0], [0.0, 4.0], [0.0, 1.0]])
    answers = Answers(
        scores,
        labels=np.array([1, 0, 0, 1, 1]),
        groups=np.array([0, 0, 0, 1, 1]),
        overlaps=np.array([1.0, 0.4, 0.0, 1.0, 1.0]),
    )
    assert points(["group_overlap", "group_accuracy"], answers) == pytest.approx(
        {"group_overlap": 100 * (0.4 + 1.0) / 2, "group_accuracy": 50.0}
    )


def test_constant_answers_are_worth_nothing_and_raise_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert points(["matthews"], classes([1, 1, 1], [0, 1, 1])) == {"matthews": 0.0}
        assert points(["pearson", "spearman"], values([2, 2, 2], [1, 2, 3])) == {"pearson": 0.0, "spearman": 0.0}
        assert points(["f1"], classes([0, 0], [0, 0])) == {"f1": 0.0}


labelled = st.integers(2, 40).flatmap(
    lambda rows: st.tuples(*[st.lists(st.integers(0, 2), min_size=rows, max_size=rows)] * 2)
)


@pytest.mark.filterwarnings("ignore:A single label")
@settings(deadline=None)  # the first example pays for an import
@given(labelled)
def test_class_metrics_equal_scikit_learn(pair):
    from sklearn import metrics as reference

    predicted, true = pair
    ours = points(["accuracy", "matthews", "macro_f1"], classes(predicted, true, 3))
    assert ours["accuracy"] == pytest.approx(100 * reference.accuracy_score(true, predicted))
    assert ours["matthews"] == pytest.approx(100 * reference.matthews_corrcoef(true, predicted))
    macro = reference.f1_score(true, predicted, average="macro", zero_division=0)
    assert ours["macro_f1"] == pytest.approx(100 * macro)
    binary = [[min(label, 1) for label in side] for side in (predicted, true)]
    f1 = reference.f1_score(binary[1], binary[0], zero_division=0)
    assert points(["f1"], classes(*binary))["f1"] == pytest.approx(100 * f1)


@settings(deadline=None)
@given(st.integers(3, 40), st.integers(0, 1000))
def test_correlations_equal_scipy(rows, seed):
    from scipy import stats

    generator = np.random.default_rng(seed)
    predicted, true = generator.normal(size=rows), generator.integers(0, 4, rows)
    true[:2] = 0, 3  # not constant
    ours = points(["pearson", "spearman"], values(predicted, true))
    assert ours["pearson"] == pytest.approx(100 * stats.pearsonr(predicted, true)[0])
    assert ours["spearman"] == pytest.approx(100 * stats.spearmanr(predicted, true)[0])


def test_every_task_has_metrics_that_are_known():
    assert {name for task in TASKS.values() for name in task.metrics} <= set(METRICS)


def test_an_unknown_metric_is_named():
    with pytest.raises(TaskError, match="'bleu' is unknown"):
        points(["bleu"], BINARY)
