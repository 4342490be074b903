"""Embeddings: what they keep of the distances, in sample and out of it."""

from pathlib import Path

import numpy as np
import pytest

from flexibert.errors import DesignSpaceError
from flexibert.space.design_space import DesignSpace
from flexibert.space.edit_distance.all_pairs import all_distances
from flexibert.space.edit_distance.ranks import Ranks
from flexibert.space.library.embedding import embed, scale_classically, threshold_counts
from flexibert.space.library.embedding_quality import quality, separations
from flexibert.space.library.placement import Placement, best_point

PAPER = DesignSpace.from_yaml(Path(__file__).parents[1] / "config" / "spaces" / "paper.yaml")
RANKS = Ranks.of_space(PAPER)


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> tuple[list, np.ndarray]:
    models = PAPER.sample(400, 1, seed=2)
    return models, np.array(all_distances(models, RANKS, tmp_path_factory.mktemp("library") / "distances.npy"))


def test_points_that_have_an_exact_embedding_get_it():
    points = np.random.default_rng(0).normal(size=(120, 5)).astype(np.float32)
    figures = quality(separations(points, points), embed(separations(points, points), dimensions=5))
    assert figures["stress"] < 1e-3
    assert figures["recall"] > 0.98


def test_classical_scaling_pads_what_it_does_not_need():
    points = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
    found = scale_classically(separations(points, points), 6, np.random.default_rng(0))
    assert found.shape == (4, 6)
    np.testing.assert_allclose(separations(found, found), separations(points, points), atol=1e-3)


def test_the_fast_recipes_keep_the_distances(library):
    models, distances = library
    euclidean = quality(distances, embed(distances, 16))
    assert euclidean["stress"] < 0.07
    assert euclidean["recall"] > 0.7
    start = threshold_counts(models, RANKS, 16)
    city = quality(distances, embed(distances, 16, metric="city-block", start=start), "city-block")
    assert city["stress"] < 0.016
    assert city["recall"] > 0.85
    alone = quality(distances, embed(distances, 16, metric="city-block"), "city-block")
    assert city["stress"] < alone["stress"] < 0.5


def test_the_paper_s_recipe_is_there_for_comparison(library):
    _, distances = library
    figures = quality(distances[:150, :150], embed(distances[:150, :150], 8, recipe="paper"))
    assert figures["stress"] < 0.2


@pytest.mark.parametrize("metric", ["euclidean", "city-block"])
def test_equal_seeds_give_equal_coordinates(library, metric):
    _, distances = library
    part = distances[:100, :100]
    np.testing.assert_array_equal(embed(part, 4, seed=3, metric=metric), embed(part, 4, seed=3, metric=metric))


def test_threshold_counts_are_the_least_vertex_cost():
    models = PAPER.sample(20, 1, seed=1)
    counts = threshold_counts(models, RANKS, 20)
    costs = [np.sort([RANKS.rank[label] for label in model.labels])[::-1] for model in models]
    for i in range(20):
        for j in range(i):
            size = max(len(costs[i]), len(costs[j]))
            a, b = (np.pad(cost, (0, size - len(cost))) for cost in (costs[i], costs[j]))
            assert np.abs(counts[i] - counts[j]).sum() == pytest.approx(np.abs(a - b).sum())
    assert threshold_counts(models, RANKS, 6).shape == (20, 6)


def test_quality_of_a_small_case_by_hand():
    distances = np.array([[0, 1, 2], [1, 0, 4], [2, 4, 0]], float)
    coordinates = np.array([[0.0], [1.0], [3.0]], np.float32)
    figures = quality(distances, coordinates, nearest=1)
    assert figures["mean_squared_error"] == pytest.approx((0 + 1 + 4) / 3)
    assert figures["stress"] == pytest.approx((5 / 21) ** 0.5)
    assert figures["recall"] == pytest.approx(2 / 3)  # the third's nearest is the second, which is truly its farther


def test_ties_count_as_found():
    distances = np.array([[0, 1, 1], [1, 0, 2], [1, 2, 0]], float)
    coordinates = np.array([[0.0], [5.0], [1.0]], np.float32)
    assert quality(distances, coordinates, nearest=1)["recall"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("metric", ["euclidean", "city-block"])
def test_new_models_are_placed_nearly_as_well_as_those_inside(library, metric):
    models, distances = library
    inside, outside = models[:350], models[350:]
    start = threshold_counts(inside, RANKS, 16) if metric == "city-block" else None
    embedding = embed(distances[:350, :350], 16, metric=metric, start=start)
    placement = Placement(inside, embedding, RANKS, metric)
    placed = np.array([placement.place(model) for model in outside])
    errors = separations(placed, embedding, metric) - distances[350:, :350]
    stress = (np.square(errors).sum() / np.square(distances[350:, :350]).sum()) ** 0.5
    assert stress < 1.4 * quality(distances[:350, :350], embedding, metric)["stress"]


def test_a_point_with_exact_distances_is_found_again():
    points = np.random.default_rng(1).normal(size=(60, 4))
    for metric in ("euclidean", "city-block"):
        wanted = separations(points[:1].astype(np.float32), points[1:].astype(np.float32), metric)[0]
        np.testing.assert_allclose(best_point(wanted, points[1:], metric), points[0], atol=0.02)


@pytest.mark.parametrize("choice", [{"metric": "cosine"}, {"recipe": "slow"}])
def test_metrics_and_recipes_that_do_not_exist(choice):
    with pytest.raises(DesignSpaceError, match="does not exist"):
        embed(np.zeros((3, 3)), 2, **choice)
