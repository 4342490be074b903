"""Baselines: the plain BERT nearest in size, models by name, and what is told of those that cannot be trained."""

import copy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexibert.config import read_yaml
from flexibert.encoder.cost import cost_table
from flexibert.encoder.named import NAMED_MODELS
from flexibert.errors import ConfigError
from flexibert.outcome.baselines import baseline_name, baseline_problems, baselines_of, nearest_bert, plain_berts
from flexibert.preflight import check_experiment
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace

ROOT = Path(__file__).parents[1]
CONTENT = read_yaml(ROOT / "config/spaces/default.yaml")
SPACE = DesignSpace.from_mapping(CONTENT)
PAPER = DesignSpace.from_yaml(ROOT / "config/spaces/paper.yaml")
DICTIONARY = {"l": 2, "o": ["c"] * 2, "h": [64] * 2, "n": [2] * 2, "f": [[64]] * 2, "p": [5, 5]}


def sizes(models: list[Architecture]) -> list[int]:
    return [row["parameters"] for row in cost_table(models, vocab_size=1024, max_positions=64)]


def test_plain_berts_are_all_attention_all_equal_and_have_one_feed_forward_layer():
    shapes = plain_berts(SPACE)
    assert len(set(shapes)) == 2 * 2 * 2  # layers, hidden sizes, widths
    for shape in shapes:
        assert shape.homogeneous
        assert {(head.operation, head.parameter) for layer in shape.layers for head in layer.heads} == {("sa", "sdp")}
        assert {len(layer.feed_forward) for layer in shape.layers} == {1}
        assert not SPACE.problems(shape)


def test_a_space_without_single_feed_forward_layers_has_berts_of_its_smallest_stack():
    space = DesignSpace.from_mapping(CONTENT | {"feed_forward_stacks": [3, 2]})
    assert {len(layer.feed_forward) for shape in plain_berts(space) for layer in shape.layers} == {2}


def test_the_papers_space_has_bert_tiny_and_bert_mini_among_its_berts():
    known = {NAMED_MODELS[name] for name in ("BERT-Tiny", "BERT-Mini")}
    assert known <= set(plain_berts(PAPER))


@given(st.integers(0, SPACE.count(1) - 1))
def test_no_plain_bert_is_nearer_in_size_than_the_nearest(number):
    model = SPACE.level(1).architecture(number)
    nearest = nearest_bert(model, SPACE, sizes)
    own, found, *others = sizes([model, nearest, *plain_berts(SPACE)])
    assert abs(found - own) == min(abs(size - own) for size in others)


def test_of_two_berts_equally_near_the_smaller_is_taken():
    by_layers = {2: 10, 4: 30}
    model = SPACE.level(1).architecture(0)
    nearest = nearest_bert(model, SPACE, lambda models: [20] + [by_layers[len(each.layers)] for each in models[1:]])
    assert len(nearest.layers) == 2


def test_a_bert_is_its_own_nearest_bert():
    for shape in plain_berts(SPACE):
        assert nearest_bert(shape, SPACE, sizes) == shape


def test_each_rival_has_its_bert_and_equal_ones_stand_once():
    small, large = plain_berts(SPACE)[0], plain_berts(SPACE)[-1]
    found = baselines_of(["bert"], [small, large, small], [], SPACE, sizes)
    assert [(each.name, each.architecture) for each in found] == [("bert", small), ("bert", large)]
    assert [each.beside for each in found] == [(small.id,), (large.id,)]
    assert small.id in found[0].why


def test_the_homogeneous_baseline_is_the_best_that_was_seen():
    mixed = next(model for model in SPACE.enumerate(1) if not model.homogeneous)
    best, worse = plain_berts(SPACE)[:2]
    found = baselines_of(["homogeneous"], [mixed], [mixed, best, worse], SPACE, sizes)
    assert [each.architecture for each in found] == [best]
    assert baselines_of(["homogeneous"], [mixed], [mixed], SPACE, sizes) == []


def test_names_are_known_in_any_case_and_dictionaries_by_their_model():
    found = baselines_of(["bert-MINI", DICTIONARY], [], [], PAPER, sizes)
    assert [each.name for each in found] == ["BERT-Mini", Architecture.from_model_dict(DICTIONARY).id]
    assert baseline_name("BERT") == "bert"


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("bertt", "baselines[0]: there is no model 'bertt' .*; did you mean 'bert'?"),
        ("BERT-Mni", "did you mean 'BERT-Mini'?"),
        ("BERT-Tiny", "BERT-Tiny is no model of the space: h[0]: 128 is not in the space (allowed: 32, 64)"),
        (DICTIONARY | {"p": [5, 7]}, "o[1], p[1]: c 7 is not in the space"),
        (DICTIONARY | {"o": ["c"]}, "baselines[0]: model: o: has 1 entries, but l is 2"),
        (DICTIONARY | {"n": [3, 2]}, "n[0]: 3 heads do not divide hidden size 64"),
    ],
)
def test_a_baseline_that_cannot_be_trained_is_told_with_the_remedy(wanted, sentence):
    [problem] = baseline_problems([wanted], SPACE, 64, 1024)
    assert all(part in problem for part in sentence.split(".*"))


def test_bert_needs_attention_by_dot_products():
    without = DesignSpace.from_mapping(CONTENT | {"operations": {"c": [5], "sa": ["wma"]}})
    [problem] = baseline_problems(["bert"], without, 64, 1024)
    assert "needs attention by scaled dot products" in problem
    assert list(baseline_problems(["homogeneous"], without, 64, 1024)) == []
    assert nearest_bert(plain_berts(SPACE)[0], without, sizes) is None


def test_what_no_model_of_the_settings_can_hold_is_told():
    problems = list(baseline_problems([DICTIONARY], SPACE, 0, 1024))
    assert problems == ["baselines[0]: model: max_positions: 0 is not a positive whole number"]


def test_all_problems_of_all_baselines_are_told_at_once_before_the_first_job():
    with pytest.raises(ConfigError) as caught:
        check_experiment({"baselines": ["bertt", "BERT-Tiny", "bert", "BERT"]}, ROOT)
    text = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 3
    assert "did you mean 'bert'?" in text
    assert "BERT-Tiny is no model of the space" in text
    assert "baselines: bert stands 2 times; remove the repetition" in text


def test_baselines_do_not_change_what_they_are_given():
    before = copy.deepcopy(DICTIONARY)
    baselines_of([DICTIONARY], [], [], SPACE, sizes)
    assert before == DICTIONARY
