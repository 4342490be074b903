"""Tasks on which models beat the majority by luck are told from those that they have learned."""

import numpy as np

from flexibert.evidence.hopeless import hopeless_tasks


def drawn(true: list[float], noise: float, trainings: int = 1) -> dict[str, list[float]]:
    generator = np.random.default_rng(0)
    return {str(place): (one + noise * generator.standard_normal(trainings)).tolist() for place, one in enumerate(true)}


def test_luck_on_a_task_of_chance_is_not_mistaken_for_skill():
    scores = {"chance": drawn([51.5] * 20, 1.4), "learned": drawn(list(np.linspace(55, 75, 20)), 1.4)}
    assert max(one[0] for one in scores["chance"].values()) > 53
    assert hopeless_tasks(scores, {"chance": 51.5, "learned": 51.5}) == ["chance"]


def test_one_good_model_among_many_that_collapse_is_enough():
    scores = {"hard": drawn([50.0] * 10 + [62.0, 64.0], 0.5, 3)}
    assert hopeless_tasks(scores, {"hard": 50.0}) == []


def test_tasks_without_a_majority_are_not_judged_and_failures_learn_nothing():
    assert hopeless_tasks({"a": {"m": [80.0]}, "b": {"m": [None]}}, {"b": 50.0}) == ["b"]
    assert hopeless_tasks({"a": {"m": [80.0]}}, {"a": 50.0}) == ["a"]  # one training tells nothing of its noise
