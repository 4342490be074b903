"""The search for one pair's best vertex matching, against the exact distance, and the maps it sets out from."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from flexibert.space.design_space import DesignSpace
from flexibert.space.edit_distance.exact import exact_distance
from flexibert.space.edit_distance.near_exact import _exchanged, _Pair, assigned_distance
from flexibert.space.edit_distance.ranks import Ranks
from flexibert.space.edit_distance.spines import spine_maps

SPACES = Path(__file__).parents[1] / "config" / "spaces"


def _space(name: str, layers: list[int]) -> DesignSpace:
    """The freest level of a space, with other depths, as level 1."""
    content = DesignSpace.from_yaml(SPACES / f"{name}.yaml").to_mapping()
    return DesignSpace.from_mapping(content | {"layers": layers, "levels": content["levels"][-1:]})


@pytest.mark.parametrize("name", ["test", "paper", "mixed-heads"])
def test_models_of_two_and_three_layers_get_the_exact_distance(name):
    space = _space(name, [2, 3])
    ranks = Ranks.of_space(space)
    gaps = [
        assigned_distance(a, b, ranks) / 10 - exact_distance(a, b, ranks)
        for a, b in itertools.pairwise(space.sample(9, seed=2))
    ]
    np.testing.assert_allclose(gaps, 0, atol=1e-3)


def test_both_directions_give_the_same_and_a_model_is_at_distance_zero():
    space = _space("paper", [2, 4])
    ranks = Ranks.of_space(space)
    for a, b in itertools.pairwise(space.sample(6, seed=8)):
        assert assigned_distance(a, b, ranks) == assigned_distance(b, a, ranks) > 0
        assert assigned_distance(a, a, ranks) == 0


def test_deep_models_take_fewer_starts():
    space = _space("largest", [12])
    ranks = Ranks.of_space(space)
    a, b = space.sample(2, seed=1)
    ranked = sum(abs(ranks.rank[one] - ranks.rank[two]) for one, two in zip(a.labels, b.labels, strict=False))
    assert 0 < assigned_distance(a, b, ranks) / 10 < 2 * ranked


@pytest.mark.parametrize("name", ["test", "default"])
def test_no_exchange_of_two_partners_is_left_that_pays(name):
    space = _space(name, [4])
    ranks = Ranks.of_space(space)
    generator = np.random.default_rng(0)
    for a, b in itertools.pairwise(space.sample(5, seed=3)):
        pair = _Pair(a, b, ranks)
        starts = np.array([generator.permutation(pair.size) for _ in range(20)])
        places = np.array(list(itertools.combinations(range(pair.size), 2)))
        rows = np.arange(len(places))[:, None]
        for end in _exchanged(pair, starts, most=10_000):
            others = np.tile(end, (len(places), 1))
            others[rows, places] = others[rows, places[:, ::-1]]
            assert pair.costs(others).min() >= pair.costs(end[None])[0]


@pytest.mark.parametrize(("depths", "most"), [((2, 2), 500), ((2, 4), 500), ((4, 4), 500), ((6, 12), 60)])
def test_maps_of_the_spines_match_a_vertex_at_most_once(depths, most):
    maps = spine_maps(*depths, most)
    assert maps.shape[1:] == (2 * depths[0] + 1, 2 * depths[1] + 1)
    assert 10 < len(maps) <= most
    assert maps.sum(axis=1).max() == maps.sum(axis=2).max() == 1
    assert maps.sum(axis=(1, 2)).min() >= 2 * depths[0] - 1
    assert len(np.unique(maps, axis=0)) == len(maps)


def test_layers_are_permuted_and_shifted_by_halves():
    maps = {tuple(map(tuple, np.argwhere(spine).tolist())) for spine in spine_maps(2, 2, 500)}
    assert ((1, 3), (2, 4), (3, 1), (4, 2)) in maps
    assert ((0, 1), (1, 2), (2, 3), (3, 4)) in maps
