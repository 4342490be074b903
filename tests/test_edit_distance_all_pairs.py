"""All pairs of a list: the same as pair by pair or better, a metric, the same in any number of processes."""

from pathlib import Path

import numpy as np
import pytest

from flexibert.space.design_space import DesignSpace
from flexibert.space.edit_distance import all_pairs
from flexibert.space.edit_distance.all_pairs import all_distances
from flexibert.space.edit_distance.distance import Reference
from flexibert.space.edit_distance.exact import exact_distance
from flexibert.space.edit_distance.ranks import Ranks
from flexibert.space.edit_distance.shortest_paths import close, close_strip

SPACES = Path(__file__).parents[1] / "config" / "spaces"
PAPER = DesignSpace.from_yaml(SPACES / "paper.yaml")
RANKS = Ranks.of_space(PAPER)
ROUNDING = 1e-3


@pytest.fixture(scope="module")
def models() -> list:
    near = [other for model in PAPER.sample(8, 1, 5) for other in PAPER.neighbours(model, 1)]
    return list(dict.fromkeys(PAPER.sample(40, 1, 5) + near + PAPER.sample(10, 3, 5)))


def test_distances_are_a_metric_between_the_exact_and_the_aligned_value(models, tmp_path):
    found = np.array(all_distances(models, RANKS, tmp_path / "distances.npy"))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, found.T)
    assert np.all((found == 0) == np.eye(len(models), dtype=bool))
    tenths = np.rint(found * 10).astype(int)
    for k in range(len(models)):
        assert np.all(tenths <= tenths[:, k, None] + tenths[k])
    generator = np.random.default_rng(0)
    reference = Reference(models, RANKS)
    for a in generator.integers(0, len(models), 40):
        assert np.all(found[a] <= reference.distances(models[a]) + ROUNDING)
    for a, b in generator.integers(0, 40, (4, 2)):
        assert found[a, b] >= exact_distance(models[a], models[b], RANKS) - ROUNDING
    assert list(tmp_path.iterdir()) == [tmp_path / "distances.npy"]


def test_processes_and_blocks_do_not_matter(models, tmp_path, monkeypatch):
    one = np.array(all_distances(models, RANKS, tmp_path / "one.npy"))
    monkeypatch.setattr(all_pairs, "PARALLEL", 10)
    monkeypatch.setattr(all_pairs, "ROWS", 16)
    two = np.array(all_distances(models, RANKS, tmp_path / "two.npy", processes=2))
    np.testing.assert_array_equal(one, two)


def test_beyond_the_largest_library_distances_are_those_of_the_alignments(models, tmp_path, monkeypatch):
    monkeypatch.setattr(all_pairs, "LARGEST", 5)
    found = all_distances(models[:12], RANKS, tmp_path / "distances.npy")
    reference = Reference(models[:12], RANKS)
    np.testing.assert_allclose(found, [reference.distances(model) for model in models[:12]], atol=ROUNDING)


def test_shortest_ways_equal_those_of_floyd_and_warshall():
    generator = np.random.default_rng(0)
    matrix = generator.integers(1, 1000, (700, 700)).astype(np.int16)
    matrix = np.minimum(matrix, matrix.T)
    np.fill_diagonal(matrix, 0)
    expected = matrix.copy()
    for k in range(len(matrix)):
        expected = np.minimum(expected, expected[:, k, None] + expected[k])
    close(matrix, lambda over, starts: [close_strip(matrix, over, start) for start in starts])
    np.testing.assert_array_equal(matrix, expected)
