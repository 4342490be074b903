"""The paper's BOSHNAS: its four kinds of query, its bound, its ablations."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from flexibert.search.interface import Observations, Pool
from flexibert.search.paper.method import PaperBoshnas
from flexibert.search.paper.surrogate import SurrogateSettings, fit_surrogate
from flexibert.search.retuning import propose_again


@pytest.fixture(scope="module")
def pool() -> Pool:
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 12), np.linspace(-1, 1, 12)), axis=-1).reshape(-1, 2)
    return Pool([f"point-{row:03d}" for row in range(144)], grid, grid, np.arange(144))


@pytest.fixture(scope="module")
def observations(pool: Pool) -> Observations:
    rows = np.random.default_rng(0).permutation(144)[:24]
    return Observations(rows, 70 - 5 * np.square(pool.embedding[rows] - [0.6, -0.4]).sum(axis=1))


def test_optimisation_goes_to_the_best_bound_near_the_maximum(pool, observations):
    method = PaperBoshnas(uncertainty_probability=0, diversity_probability=0, aleatoric_weight=0, epistemic_weight=0)
    proposals = method.propose(observations, pool, 2, seed=3)
    assert [proposal.reason for proposal in proposals] == ["optimisation"] * 2
    assert np.linalg.norm(pool.embedding[proposals[0].index] - [0.6, -0.4]) < 0.8
    mean = method.predict(observations, pool, seed=3).mean
    mean[observations.indices] = -np.inf
    assert proposals[0].mean > mean.max() - 0.3  # GOBI finds what a look at every candidate finds
    assert proposals[0].acquisition >= proposals[1].acquisition
    assert proposals[0].acquisition == pytest.approx(proposals[0].mean)


def test_bound_is_the_weighted_sum_of_mean_and_both_uncertainties(pool, observations):
    method = PaperBoshnas(
        uncertainty_probability=0, diversity_probability=0, aleatoric_weight=0.7, epistemic_weight=0.2
    )
    (proposal,) = method.propose(observations, pool, 1, seed=3)
    expected = proposal.mean + 0.7 * proposal.aleatoric + 0.2 * proposal.epistemic
    assert proposal.acquisition == pytest.approx(expected)


def test_uncertainty_query_is_the_most_uncertain_open_candidate(pool, observations):
    method = PaperBoshnas(uncertainty_probability=1, diversity_probability=0)
    (proposal,) = method.propose(observations, pool, 1, seed=3)
    view = method.predict(observations, pool, seed=3)
    uncertainty = 0.5 * view.aleatoric + 0.5 * view.epistemic
    uncertainty[observations.indices] = -np.inf
    assert proposal.reason == "uncertainty"
    assert proposal.index == np.argmax(uncertainty)


def test_diversity_queries_are_random(pool, observations):
    method = PaperBoshnas(uncertainty_probability=0, diversity_probability=1)
    proposals = method.propose(observations, pool, 120, seed=3)
    assert {proposal.reason for proposal in proposals} == {"diversity"}
    assert len({proposal.index for proposal in proposals}) == 120


def test_kinds_of_query_come_with_their_probabilities(pool, observations):
    reasons = [proposal.reason for proposal in PaperBoshnas().propose(observations, pool, 120, seed=4)]
    assert reasons.count("optimisation") > 80
    assert 3 <= reasons.count("uncertainty") <= 24
    assert 3 <= reasons.count("diversity") <= 24


def test_aleatoric_queries_repeat_good_known_networks(pool, observations):
    waiting = int(observations.indices[np.argmax(observations.scores)])
    busy = replace(observations, pending=np.array([waiting]))
    proposals = propose_again(PaperBoshnas(), busy, pool, 5, seed=3)
    chosen = [proposal.index for proposal in proposals]
    assert {proposal.reason for proposal in proposals} == {"aleatoric"}
    assert len(set(chosen)) == 5
    assert set(chosen) < set(observations.indices.tolist()) - {waiting}
    scores = dict(zip(observations.indices.tolist(), observations.scores, strict=True))
    assert np.mean([scores[row] for row in chosen]) > np.mean(observations.scores)


def test_aleatoric_queries_of_nothing_or_equals(pool):
    nothing = Observations(np.empty(0, dtype=int), np.empty(0))
    assert propose_again(PaperBoshnas(), nothing, pool, 5, seed=0) == []
    equal = Observations(np.array([4, 7]), np.array([1.0, 1.0]))
    assert [proposal.index for proposal in propose_again(PaperBoshnas(), equal, pool, 5, seed=0)] == [4, 7]


def test_ablations_change_what_they_name(pool, observations):
    whole, first_order, homoscedastic = (
        PaperBoshnas(**settings) for settings in ({}, {"second_order": False}, {"heteroscedastic": False})
    )
    view = whole.predict(observations, pool, 1)
    np.testing.assert_array_equal(first_order.predict(observations, pool, 1).mean, view.mean)
    assert np.ptp(view.aleatoric) > 0
    assert np.ptp(homoscedastic.predict(observations, pool, 1).aleatoric) == 0


def test_settings_of_the_networks_are_followed():
    settings = SurrogateSettings(width=8, noise_steps=1, teacher_steps=1, student_steps=1)
    surrogate = fit_surrogate(torch.zeros(3, 2), torch.arange(3.0), torch.zeros(3, 2), 0, settings=settings)
    assert surrogate.teacher.weights[1].shape == (8, 8)
