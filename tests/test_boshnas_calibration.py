"""Predicted uncertainties against new evaluations: as many lie within one and two deviations as a normal law has."""

import numpy as np
import pytest

from flexibert.search.interface import Observations, Pool
from flexibert.search.methods import method_named

CANDIDATES, OBSERVED, SEEDS = 300, 40, 4


def hills(seed: int) -> tuple[Pool, np.ndarray]:
    """Candidates in four dimensions and one evaluation of each, its noise three times as loud on one side."""
    generator = np.random.default_rng(seed)
    points = generator.normal(size=(CANDIDATES, 4))
    scores = 60 + 5 * (np.sin(1.5 * points[:, 0]) + 0.7 * points[:, 1] - 0.4 * points[:, 2] ** 2)
    noise = np.where(points[:, 1] > 0, 0.5, 1.5)
    pool = Pool([f"c{k}" for k in range(CANDIDATES)], points, points, np.arange(CANDIDATES))
    return pool, scores + noise * generator.normal(size=CANDIDATES)


@pytest.fixture(scope="module", params=["boshnas", "boshnas-paper", "gp"])
def standardised(request) -> np.ndarray:
    """Errors of a method's predictions for unseen candidates in predicted deviations; shape (errors,)."""
    errors = []
    for seed in range(SEEDS):
        pool, scores = hills(seed)
        order = np.random.default_rng(seed).permutation(CANDIDATES)
        known, unseen = order[:OBSERVED], order[OBSERVED:]
        view = method_named(request.param).predict(Observations(known, scores[known]), pool, seed)
        deviation = np.sqrt(view.aleatoric**2 + view.epistemic**2)
        errors.append(((scores - view.mean) / deviation)[unseen])
    return np.concatenate(errors)


# Lowest and highest share within so many predicted deviations; a normal law has 0.68 and 0.95.
BOUNDS = {1: (0.58, 0.78), 2: (0.87, 0.99)}


@pytest.mark.parametrize("deviations", [1, 2])
def test_as_many_evaluations_lie_within_the_uncertainty_as_it_says(standardised, deviations):
    low, high = BOUNDS[deviations]
    assert low <= np.mean(np.abs(standardised) < deviations) <= high


def test_predictions_are_not_biased(standardised):
    assert abs(np.median(standardised)) < 0.3
