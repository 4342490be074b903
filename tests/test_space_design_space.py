"""Design spaces from YAML: counts, sampling, membership, neighbours, mistakes."""

from collections import Counter
from pathlib import Path

import pytest

from flexibert.errors import DesignSpaceError
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace

SPACES = Path(__file__).parents[1] / "config" / "spaces"
PAPER = DesignSpace.from_yaml(SPACES / "paper.yaml")
TEST = DesignSpace.from_yaml(SPACES / "test.yaml")
SMALL = {
    "operations": {"sa": ["sdp", "wma"], "c": [5]},
    "hidden_sizes": [32, 64],
    "heads": [2],
    "feed_forward": [64],
    "feed_forward_stacks": [1],
    "layers": [2],
    "levels": [{"stack": 1}],
}


def test_the_paper_s_counts_are_exact():
    assert [PAPER.count(level) for level in (1, 2, 3)] == [9_312, 84_943_872, 3_317_817_600]
    assert PAPER.summary(3)["layer_forms"] == 240


@pytest.mark.parametrize("path", sorted(SPACES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_space_samples_models_of_its_own(path):
    space = DesignSpace.from_yaml(path)
    for level in range(1, len(space.levels) + 1):
        wanted = min(3, space.count(level))
        models = space.sample(wanted, level, seed=1)
        assert len(set(models)) == wanted
        for model in models:
            assert space.problems(model) == []
            assert space.level_of(model) <= level
            assert Architecture.from_model_dict(model.to_model_dict()) == model


def test_enumeration_counts_each_graph_once():
    for level in (1, 2):
        models = list(TEST.enumerate(level))
        assert len(models) == len({model.digest for model in models}) == TEST.count(level)
        assert models == [TEST.level(level).architecture(index) for index in range(len(models))]


def test_level_one_of_the_paper_has_no_digest_twice():
    assert len({model.digest for model in PAPER.enumerate(1)}) == 9_312


def test_mixed_heads_are_counted_as_sets():
    space = DesignSpace.from_mapping(SMALL | {"levels": [{"stack": 1, "heads": "mixed"}]})
    assert space.count() == (2 * 6) ** 2  # two hidden sizes, six multisets of two out of three forms
    assert len({model.digest for model in space.enumerate()}) == space.count()


def test_models_whose_layers_are_all_equal():
    space = DesignSpace.from_mapping(SMALL | {"layers": [2, 4], "levels": [{"stack": "all"}]})
    assert space.count() == 2 * 6
    assert all(model.homogeneous for model in space.enumerate())


def test_samples_are_uniform_distinct_and_follow_the_seed():
    counts = Counter()
    for seed in range(300):
        drawn = TEST.sample(12, 1, seed)
        assert len(set(drawn)) == 12
        counts.update(model.digest for model in drawn)
    assert len(counts) == TEST.count()
    assert max(abs(count - 50) for count in counts.values()) < 6 * 50**0.5
    assert TEST.sample(5, 3, 7) == TEST.sample(5, 3, 7) != TEST.sample(5, 3, 8)


def test_a_sample_of_all_is_the_level():
    assert set(TEST.sample(72, 1, 0)) == set(TEST.enumerate(1))
    with pytest.raises(DesignSpaceError, match="allowed: 0 to 72"):
        TEST.sample(73, 1, 0)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_neighbours_are_of_the_level_and_mutual(level):
    for model in PAPER.sample(5, level, seed=3):
        near = PAPER.neighbours(model, level)
        assert model not in near
        assert len(near) == len(set(near)) > 10
        for other in near:
            assert PAPER.level(level).contains(other)
            if len(other.layers) == len(model.layers) and _same_stacks(model, other):
                assert model in PAPER.neighbours(other, level)


def _same_stacks(a: Architecture, b: Architecture) -> bool:
    """Number of feed-forward layers is unchanged: cutting a mixed stack short cannot be undone by one edit."""
    return all(len(x.feed_forward) == len(y.feed_forward) for x, y in zip(a.layers, b.layers, strict=True))


def test_models_outside_say_which_field_and_what_is_allowed():
    model = {
        "l": 3,
        "o": ["sa"] * 3,
        "h": [512, 128, 128],
        "n": [2, 8, 2],
        "f": [[512], [2048], [512] * 2],
        "p": ["sdp"] * 3,
    }
    found = PAPER.problems(Architecture.from_model_dict(model))
    for said in (
        "l: 3 layers are not in the space (allowed: 2, 4)",
        "h[0]: 512 is not in the space (allowed: 128, 256)",
        "n[1]: 8 heads are not in the space (allowed: 2, 4)",
        "f[1]: width 2048 is not in the space (allowed: 512, 1024)",
        "f[2]: a stack of 2 is not in the space (allowed: 1, 3)",
    ):
        assert said in found


def test_a_model_that_no_level_has_is_outside():
    space = DesignSpace.from_mapping(SMALL | {"layers": [4], "levels": [{"stack": 2}]})
    model = {"l": 4, "o": ["sa", "c", "c", "c"], "h": [32] * 4, "n": [2] * 4, "f": [[64]] * 4, "p": ["sdp", 5, 5, 5]}
    assert "in a way that no level allows" in space.problems(Architecture.from_model_dict(model))[0]
    with pytest.raises(DesignSpaceError):
        space.neighbours(Architecture.from_model_dict(model), 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"operations": {"sa": ["sdp"], "x": [1]}}, "operations: unknown operation 'x' (allowed: sa, l, c)"),
        ({"operations": {"c": [4]}}, "operations.c: 4 is no kernel size"),
        ({"operations": {"sa": ["sdp", "sdp"]}}, "operations.sa: 'sdp' is given more than once"),
        ({"operations": {}}, "operations: {} is not a mapping"),
        ({"hidden_sizes": [32, 32]}, "hidden_sizes: 32 is given more than once"),
        ({"hidden_sizes": []}, "hidden_sizes: [] is not a list of values"),
        ({"heads": [3]}, "heads: 3 heads do not divide hidden size 32"),
        ({"heads": [0]}, "heads: 0 is not a size"),
        ({"layers": [3], "levels": [{"stack": 2}]}, "levels[0].stack: 2 does not divide a depth of 3 layers"),
        ({"levels": []}, "levels: [] is not a list of levels"),
        ({"levels": [{}]}, "levels[0]: key 'stack' is missing"),
        ({"levels": [{"stack": 1, "feed_foward": "mixed"}]}, "did you mean 'feed_forward'?"),
        ({"levels": [{"stack": 1, "heads": "some"}]}, "levels[0].heads: 'some' is unknown (allowed: equal, mixed)"),
        ({"hiden_sizes": [1]}, "did you mean 'hidden_sizes'?"),
    ],
)
def test_mistakes_in_a_space_name_key_value_and_remedy(change, said):
    with pytest.raises(DesignSpaceError) as error:
        DesignSpace.from_mapping(SMALL | change)
    assert said in str(error.value)


@pytest.mark.parametrize("key", list(SMALL))
def test_every_key_is_needed(key):
    with pytest.raises(DesignSpaceError, match=f"key '{key}' is missing"):
        DesignSpace.from_mapping({other: value for other, value in SMALL.items() if other != key})


def test_a_key_given_twice_is_told_with_its_line(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text((SPACES / "paper.yaml").read_text() + "\nheads: [2]\n")
    with pytest.raises(DesignSpaceError, match="'heads' is given a second time on line"):
        DesignSpace.from_yaml(path)
    path.write_text("a: [1")
    with pytest.raises(DesignSpaceError, match="not readable as YAML"):
        DesignSpace.from_yaml(path)


def test_the_digest_ignores_the_order_of_the_file():
    turned = {key: SMALL[key] for key in reversed(SMALL)} | {"hidden_sizes": [64, 32]}
    assert DesignSpace.from_mapping(turned).digest == DesignSpace.from_mapping(SMALL).digest
    other = DesignSpace.from_mapping(SMALL | {"hidden_sizes": [32]})
    assert other.digest != DesignSpace.from_mapping(SMALL).digest


@pytest.mark.parametrize("level", [0, 4, "1", True])
def test_levels_that_do_not_exist(level):
    with pytest.raises(DesignSpaceError, match="allowed: 1 to 3"):
        PAPER.count(level)
