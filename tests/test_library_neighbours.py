"""Neighbours by biased overlap against the definition, slowly."""

from pathlib import Path

import numpy as np
import pytest

from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace
from flexibert.space.library.neighbours import nearest, overlap

SPACES = Path(__file__).parents[1] / "config" / "spaces"


@pytest.mark.parametrize(("name", "level", "count"), [("paper", 1, 700), ("default", 3, 400), ("test", 1, 72)])
def test_neighbours_follow_the_definition(name, level, count):
    models = DesignSpace.from_yaml(SPACES / f"{name}.yaml").sample(count, level, seed=1)
    embedding = np.random.default_rng(0).integers(0, 4, (count, 3)).astype(float)  # with many ties
    found = nearest(models, embedding, 50)
    assert found.shape == (count, 50)
    assert found.dtype == np.int32
    for k in range(0, count, 17):
        separation = np.square(embedding - embedding[k]).sum(axis=1)
        others = [other for other in range(count) if other != k]
        others.sort(key=lambda other: (-overlap(models[k], models[other]), separation[other], other))
        assert found[k].tolist() == others[:50]


def test_overlap_is_the_common_prefix_of_the_operation_lists():
    one = {"l": 2, "o": ["sa", "sa"], "h": [64, 64], "n": [2, 2], "f": [[64], [64]], "p": ["sdp", "sdp"]}
    two = one | {"f": [[64], [64, 64]]}
    other = one | {"p": ["wma", "sdp"]}
    a, b, c = (Architecture.from_model_dict(model) for model in (one, two, other))
    assert overlap(a, a) == len(a.labels) == 12
    assert overlap(a, b) == overlap(b, a) == 10
    assert overlap(a, c) == 1  # the input alone


def test_fewer_models_than_neighbours():
    models = DesignSpace.from_yaml(SPACES / "test.yaml").sample(4, 1, seed=1)
    assert nearest(models, np.zeros((4, 2)), 100).shape == (4, 3)
    assert nearest(models[:1], np.zeros((1, 2)), 100).shape == (1, 0)
