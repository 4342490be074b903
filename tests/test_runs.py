"""Runs and their names: one parser, one formatter, one spelling of each kind and state."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexibert.errors import UsageError
from flexibert.runs import (
    PRETRAINED,
    Origin,
    Phase,
    Reason,
    Recipe,
    RecipeKind,
    Round,
    Run,
    RunName,
    recipe_pattern,
)

digests = st.text("0123456789abcdef", min_size=1, max_size=12)
numbers = st.integers(1, 10**6)
recipes = st.one_of(
    st.just(Recipe(RecipeKind.SCRATCH)),
    digests.map(lambda digest: Recipe(RecipeKind.TRANSFER, digest=digest)),
    st.builds(Recipe, st.sampled_from([RecipeKind.RETUNED, RecipeKind.CONFIRM, RecipeKind.FINAL]), numbers),
)
names = st.builds(RunName, digests, recipes)
numbers_or_none = st.none() | st.floats(0, 1)
runs = st.builds(
    Run,
    names,
    st.fixed_dictionaries({"l": st.just(2), "o": st.lists(st.sampled_from(["sa", "l"]))}),
    st.none() | names,
    numbers_or_none,
    st.dictionaries(st.sampled_from(["reason", "mean", "explanation"]), st.sampled_from(list(Reason)).map(str)),
)


@given(recipes)
def test_a_recipe_reads_what_it_writes(recipe):
    text = str(recipe)
    assert Recipe.parse(text) == recipe
    assert Recipe.parse(recipe) is recipe
    assert [kind for kind in RecipeKind if re.fullmatch(kind.pattern, text)] == [recipe.kind]
    assert re.fullmatch(recipe_pattern(), text)


@given(st.from_regex(f"({recipe_pattern()})", fullmatch=True))
def test_what_a_wildcard_matches_is_read_and_written_alike(text):
    if text.isascii():
        assert str(Recipe.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "fine", "scratch-1", "from", "from-", "from-xyz", "retuned", "retuned-0", "retuned-01", "confirm", "final-1"],
)
def test_an_unknown_recipe_is_refused_in_a_sentence(text):
    with pytest.raises(UsageError, match=re.escape(f"recipe {text!r} does not exist; there are")):
        Recipe.parse(text)


@pytest.mark.parametrize(
    ("text", "section", "origin"),
    [
        ("scratch", None, "pretrain"),
        ("from-1a2b3c4d", None, "transfer"),
        ("retuned-2", "retune", "retuned"),
        ("confirm-3", None, "confirmed"),
        ("final", "final", "final"),
        ("final-2", "final", "final"),
    ],
)
def test_a_kind_tells_its_settings_and_the_origin_of_its_weights(text, section, origin):
    kind = Recipe.parse(text).kind
    assert (kind.section, kind.origin) == (section, origin)
    assert (kind in PRETRAINED) == (kind.origin != Origin.TRANSFERRED)


def test_equal_sources_give_equal_names():
    """The name is a part of results on disk: it may never change."""
    assert str(Recipe.transferred_from(RunName.of("0a1b2c3d4e5f", "scratch"))) == "from-ba40f92e"
    assert str(Recipe.transferred_from(RunName.of("0a1b2c3d4e5f", "from-ba40f92e"))) != "from-0c5ad8f7"


@given(runs)
def test_a_run_reads_what_it_writes(run):
    written = run.to_mapping()
    assert Run.from_mapping(json.loads(json.dumps(written))) == run
    assert list(written)[:6] == ["model", "recipe", "architecture", "origin", "source", "overlap"]
    assert {type(value) for key, value in written.items() if key in ("model", "recipe", "origin")} == {str}


@given(
    st.builds(
        Round,
        search=st.just("main"),
        level=numbers,
        number=numbers,
        phase=st.sampled_from(Phase),
        converged=st.booleans(),
        best=st.none() | st.just({"model": "ab", "recipe": "scratch", "score": 1.5}),
        runs=st.lists(runs, max_size=3).map(tuple),
    )
)
def test_a_round_reads_what_it_writes(made):
    assert Round.from_mapping(json.loads(json.dumps(made.to_mapping()))) == made


def test_runs_are_sorted_by_model_then_by_kind_and_number():
    texts = ["retuned-10", "final-10", "final", "scratch", "retuned-2", "final-2", "from-00"]
    found = sorted([RunName.of("b", "final"), *(RunName.of("a", text) for text in texts)])
    in_order = ["final", "final-2", "final-10", "from-00", "retuned-2", "retuned-10", "scratch"]
    assert list(map(str, found)) == [*(f"a/{text}" for text in in_order), "b/final"]
