"""What repeated trainings tell: luck is unmasked, beliefs are calibrated, failures count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexibert.errors import SearchError
from flexibert.evidence.posterior import best_model, noise_of, posterior

SCORES = st.lists(st.lists(st.floats(0, 100), min_size=1, max_size=4), min_size=2, max_size=8)


def named(scores: list) -> dict[str, list]:
    return {f"m{place}": one for place, one in enumerate(scores)}


def test_a_lucky_training_is_unmasked_by_its_repetitions():
    """A toy search: true scores 60 to 73 and a noise of 1.5; the model of 68 got 76 once."""
    generator = np.random.default_rng(1)
    scores = {f"m{true}": [true + 1.5 * generator.standard_normal()] for true in range(60, 73)}
    scores["lucky"], scores["good"] = [76.0], [74.0]
    assert max(scores, key=lambda name: scores[name][0]) == "lucky"
    scores["lucky"] += [68.3, 67.1, 68.9]
    scores["good"] += [73.0, 72.1, 74.2]
    scores["m72"] += [71.5, 72.6, 70.9]
    assert best_model(posterior(scores)) == "good"


def test_one_lucky_training_is_believed_less_than_several_good_ones():
    scores = {"lucky": [74.4], "steady": [73.1, 74.8, 73.2, 74.9], "a": [70.1, 72.8], "b": [71.0], "c": [71.9]}
    beliefs = posterior(scores)
    assert best_model(beliefs) == "steady"
    assert beliefs["lucky"].mean < 74.0
    assert beliefs["lucky"].deviation > beliefs["steady"].deviation


def test_beliefs_are_calibrated_and_choose_better_than_the_best_single_training():
    generator = np.random.default_rng(0)
    inside, regret = [], {"posterior": 0.0, "single": 0.0}
    for _ in range(150):
        true = 70 + 2 * generator.standard_normal(15)
        scores = true[:, None] + 1.2 * generator.standard_normal((15, 4))
        repeated = np.argsort(-scores[:, 0])[:3]
        trainings = {str(place): scores[place, : 4 if place in repeated else 1].tolist() for place in range(15)}
        beliefs = posterior(trainings)
        inside += [
            abs(beliefs[str(place)].mean - true[place]) < 1.96 * beliefs[str(place)].deviation for place in range(15)
        ]
        regret["posterior"] += true.max() - true[int(best_model(beliefs))]
        regret["single"] += true.max() - true[np.argmax(scores[:, 0])]
    assert 0.92 < np.mean(inside) < 0.98
    assert regret["posterior"] < 0.7 * regret["single"]


@given(SCORES)
def test_a_belief_lies_between_the_models_own_trainings_and_the_others(scores):
    beliefs = posterior(named(scores))
    averages = [belief.average for belief in beliefs.values()]
    slack = 1e-6 * (1 + max(averages) - min(averages))
    for belief, one in zip(beliefs.values(), scores, strict=True):
        assert belief.average == pytest.approx(np.mean(one))
        assert min(averages) - slack <= belief.mean <= max(averages) + slack
        assert not belief.deviation < 0


@given(SCORES, st.floats(0.1, 10), st.floats(-50, 50), st.randoms())
def test_units_and_order_do_not_matter(scores, factor, shift, random):
    if np.ptp([np.mean(one) for one in scores]) < 1e-3:
        return
    beliefs = posterior(named(scores))
    order = list(named(scores).items())
    random.shuffle(order)
    other = posterior({name: [factor * value + shift for value in one] for name, one in order})
    for name, belief in beliefs.items():
        assert other[name].mean == pytest.approx(factor * belief.mean + shift, abs=1e-5 * factor * 100)
        assert other[name].deviation == pytest.approx(factor * belief.deviation, rel=1e-4, abs=1e-6)


def test_a_failure_counts_as_the_worst_score_and_is_no_noise():
    scores = {"good": [75.0, None], "steady": [72.0, 72.4], "bad": [60.0, 60.2], "worse": [55.0, 55.5]}
    beliefs = posterior(scores)
    assert (beliefs["good"].average, beliefs["good"].failed, beliefs["good"].trainings) == (65.0, 1, 2)
    assert best_model(beliefs) == "steady"
    assert noise_of(scores).deviation < 1.0
    assert posterior({**scores, "good": [75.0, float("nan")]}) == beliefs


def test_models_that_never_learned_do_not_make_the_good_ones_seem_far_apart():
    close = {"a": [74.5], "b": [73.0], "c": [72.0, 73.9], "d": [71.8], "e": [73.5, 71.5], "f": [72.5]}
    with_broken = close | {"broken": [5.0], "also": [11.0]}
    assert posterior(with_broken)["a"].mean == pytest.approx(posterior(close)["a"].mean, abs=0.4)


def test_noise_is_learned_from_repetitions_and_guessed_without():
    generator = np.random.default_rng(3)
    repeated = {str(n): (60 + n + 1.2 * generator.standard_normal(6)).tolist() for n in range(12)}
    assert noise_of(repeated).deviation == pytest.approx(1.2, rel=0.2)
    assert noise_of(repeated).freedom == 60
    single = {name: one[:1] for name, one in repeated.items()}
    assert noise_of(single).freedom == 0
    assert 0.2 < noise_of(single).deviation < 4.0


def test_nothing_to_learn_from_is_said_or_told_plainly():
    assert np.isnan(posterior({"a": [70.0]})["a"].deviation)
    assert posterior({"a": [70.0, 72.0]})["a"].mean == 71.0
    assert posterior({"a": [70.0, 70.0], "b": [70.0]})["b"].deviation == 0.0
    assert np.isnan(noise_of({"a": [70.0], "b": [70.0]}).deviation)
    with pytest.raises(SearchError, match="model b has no training"):
        posterior({"a": [1.0], "b": []})
    with pytest.raises(SearchError, match="every training of every model failed"):
        posterior({"a": [None], "b": [float("nan")]})
