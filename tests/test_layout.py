"""Where things lie in a results folder: patterns for rules, paths of single things, what is there."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexibert.layout import PARTS, Layout, LibraryFiles, Pattern, RunFiles, round_name


def parts_of(*names: str):
    """Values of some parts, as wildcards match them."""
    values = {name: st.from_regex(f"({PARTS[name]})", fullmatch=True) for name in names}
    return st.fixed_dictionaries(values).filter(
        lambda parts: all(len(value) < 40 and value.isascii() for value in parts.values())
    )


def touch(layout: Layout, pattern: Pattern, **parts: object) -> None:
    path = pattern.path(**parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_a_rule_gets_a_pattern_with_its_wildcards_and_a_reader_a_path(tmp_path):
    card = Layout("<results>").run.card
    assert card == "<results>/models/{model}/{recipe}/card.json"
    assert card.at(model="ab", recipe="scratch") == "<results>/models/ab/scratch/card.json"
    assert Layout(tmp_path).config.path() == tmp_path / "config.yaml"
    assert Layout(tmp_path).folder == str(tmp_path)


def test_braces_above_the_results_are_no_parts(tmp_path):
    layout = Layout(tmp_path / "{model}")
    touch(layout, layout.run.card, model="ab", recipe="final")
    assert [found.parts for found in layout.run.card.found()] == [{"model": "ab", "recipe": "final"}]


@pytest.mark.parametrize("parts", [{}, {"model": "ab"}, {"model": "ab", "recipe": "final", "task": "a-b"}])
def test_a_path_needs_all_its_parts_and_no_others(parts):
    with pytest.raises(TypeError, match="must be given if and only if"):
        Layout("results/x").run.card.at(**parts)


@given(parts_of("model", "recipe", "task"))
def test_what_is_found_has_the_parts_that_it_was_written_with(tmp_path_factory, parts):
    layout = Layout(tmp_path_factory.mktemp("results"))
    touch(layout, layout.tuned.best, **parts)
    ((path, found),) = layout.tuned.best.found()
    assert found == parts
    assert str(path) == layout.tuned.best.at(**found)


def test_rounds_are_found_in_the_order_of_their_numbers(tmp_path):
    layout = Layout(tmp_path)
    for level, number in [(1, 0), (1, 999), (1, 1000), (10, 2), (2, 1)]:
        touch(layout, layout.round.proposal, search="main", level=level, round=round_name(number))
    touch(layout, layout.round.proposal, search="other", level=1, round="000")
    touch(layout, layout.round.proposal, search="main", level="x", round="000")  # not ours
    rounds = [(int(parts["level"]), int(parts["round"])) for _, parts in layout.round.proposal.found(search="main")]
    assert rounds == [(1, 0), (1, 999), (1, 1000), (2, 1), (10, 2)]
    assert len(layout.round.proposal.found()) == 6


def test_what_is_named_otherwise_is_not_ours(tmp_path):
    layout = Layout(tmp_path)
    for recipe in ("scratch", "scratch-old", "retuned-2"):
        touch(layout, layout.score, model="ab", recipe=recipe)
    assert [parts["recipe"] for _, parts in layout.score.found()] == ["retuned-2", "scratch"]


def test_a_single_folder_names_the_same_files(tmp_path):
    run = RunFiles(tmp_path)
    assert run.card.path() == tmp_path / "card.json"
    assert [path.rpartition("/")[2] for path in run.files] == [
        path.rpartition("/")[2] for path in Layout("<results>").run.files
    ]
    assert LibraryFiles(tmp_path).files[-1] == f"{tmp_path}/library.json"


def test_a_pattern_survives_copies():
    pattern = Layout("results/x").score
    for twin in (copy.copy(pattern), pickle.loads(pickle.dumps(pattern))):
        assert (twin, twin.names) == (pattern, ["model", "recipe"])
