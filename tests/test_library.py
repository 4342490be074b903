"""Libraries on disk, crossings between levels, and the commands that make them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flexibert.cli import main
from flexibert.errors import DesignSpaceError
from flexibert.settings import LibrarySettings
from flexibert.space.crossing import cross
from flexibert.space.design_space import DesignSpace
from flexibert.space.edit_distance import all_pairs, blocks, shortest_paths
from flexibert.space.edit_distance.distance import distance
from flexibert.space.edit_distance.ranks import Ranks
from flexibert.space.features import encode
from flexibert.space.library import embedding_quality
from flexibert.space.library.library import Library, build_library, level_library

SPACES = Path(__file__).parents[1] / "config" / "spaces"
TEST = DesignSpace.from_yaml(SPACES / "test.yaml")
PAPER = DesignSpace.from_yaml(SPACES / "paper.yaml")
SETTINGS = LibrarySettings(graphs=50, dimensions=4, metric="euclidean", recipe="fast", neighbours=10)


def test_a_level_s_library_holds_what_it_says(tmp_path):
    library = level_library(TEST.to_mapping(), 1, SETTINGS, 3, tmp_path / "library")
    assert sorted(path.name for path in (tmp_path / "library").iterdir()) == [
        "distances.npy",
        "embedding.npy",
        "library.json",
        "models.parquet",
        "neighbours.npy",
    ]
    assert len(library) == len(set(library.ids)) == 50
    assert [model.id for model in library.architectures] == library.ids
    assert library.distances.shape == (50, 50)
    assert library.embedding.shape == (50, 4)
    assert library.neighbours.shape == (50, 10)
    assert library.features().shape[0] == 50
    card = json.loads((tmp_path / "library" / "library.json").read_text())
    assert set(card["seconds"]) == {"models", "distances", "embedding", "neighbours", "quality"}
    assert card["level_graphs"] == 72
    assert card["space"] == TEST.digest
    assert 0 < card["stress"] < 0.2
    assert card["peak_bytes"] > 0
    assert {"mean_squared_error", "recall"} <= set(card)


def test_equal_arguments_give_equal_files(tmp_path):
    for name in ("one", "two"):
        level_library(TEST, 1, SETTINGS, 3, tmp_path / name)
    for name in ("distances.npy", "embedding.npy", "neighbours.npy", "models.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_library_of_given_models_keeps_each_network_once(tmp_path):
    models = TEST.sample(6, 2, seed=0)
    library = build_library([*models, models[2], models[0]], tmp_path / "library", replace(SETTINGS, dimensions=2))
    assert library.ids == [model.id for model in models]
    with pytest.raises(DesignSpaceError, match="at least one model"):
        build_library([], tmp_path / "none", SETTINGS)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("metric", ["euclidean", "city-block"])
def test_a_new_model_is_placed_in_a_loaded_library(tmp_path, metric):
    level_library(TEST, 1, replace(SETTINGS, metric=metric, graphs=100), 3, tmp_path / "library")
    library = Library.load(tmp_path / "library")
    placement = library.placement()
    assert (
        np.abs(placement.place(library.architectures[7]) - library.embedding[7]).max()
        < 0.2 * np.abs(library.embedding).max()
    )
    assert placement.place(TEST.sample(1, 3, seed=5)[0]).shape == (4,)


def test_features_tell_models_apart():
    models = PAPER.sample(300, 1, seed=1)
    encoded = encode(models).matrix
    assert len(np.unique(encoded, axis=0)) == 300
    assert encoded.min() == 0
    assert encoded.max() == 1
    assert np.ptp(encoded, axis=0).min() > 0


def test_columns_of_features_are_grouped_by_property():
    features = encode(PAPER.sample(300, 1, seed=1))
    for group in np.unique(features.groups):
        shares = features.matrix[:, features.groups == group].sum(axis=1)
        assert set(shares) <= {0, 1}  # one value of a property, or none where the layer is not there


def test_children_take_each_stack_from_one_of_two_parents():
    parents = PAPER.sample(3, 1, seed=2)
    children = cross(parents, PAPER, 2)
    assert len(children) == len({child.digest for child in children}) > 3
    assert set(parents) <= set(children)
    layers = {layer for parent in parents for layer in parent.layers}
    for child in children:
        assert PAPER.level(2).contains(child)
        assert set(child.layers) <= layers
    finer = cross(children[:2], PAPER, 3, limit=500)
    assert all(PAPER.level(3).contains(child) for child in finer)
    assert any(len(set(layer.feed_forward)) > 1 for child in finer for layer in child.layers)
    assert len(finer) <= 502
    assert finer == cross(children[:2], PAPER, 3, limit=500)


def test_crossing_one_or_no_parent():
    parent = PAPER.sample(1, 1, seed=2)
    assert cross(parent, PAPER, 2) == parent
    assert cross([], PAPER, 2) == []


def test_a_library_made_in_small_blocks_equals_one_made_in_memory(tmp_path, monkeypatch):
    models = PAPER.sample(400, 2, seed=4)
    settings = replace(SETTINGS, dimensions=8, neighbours=20)
    whole = build_library(models, tmp_path / "whole", settings, PAPER)
    monkeypatch.setattr(all_pairs, "ROWS", 24)
    monkeypatch.setattr(all_pairs, "PARALLEL", 100)
    monkeypatch.setattr(shortest_paths, "TILE", 32)
    monkeypatch.setattr(shortest_paths, "BLOCK", 96)
    monkeypatch.setattr(blocks, "ROWS", 40)
    parts = build_library(models, tmp_path / "parts", settings, PAPER, processes=2)
    np.testing.assert_array_equal(parts.distances, whole.distances)
    one, two = (embedding_quality.separations(made.embedding, made.embedding) for made in (parts, whole))
    np.testing.assert_allclose(one, two, atol=0.1)  # sums in other orders may mirror coordinates; zeros are roots
    assert np.mean(parts.neighbours == whole.neighbours) > 0.99
    for name in ("stress", "mean_squared_error", "recall"):
        assert parts.card[name] == pytest.approx(whole.card[name], rel=1e-3)


def test_the_commands(tmp_path, capsys):
    assert main(["space", str(SPACES / "paper.yaml")]) == 0
    assert json.loads(capsys.readouterr().out)["graphs"] == 9_312
    out = tmp_path / "library"
    arguments = ["--graphs", "20", "--dimensions", "3", "--processes", "1"]
    assert main(["library", str(SPACES / "test.yaml"), "--out", str(out), *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["graphs"] == 20
    pairs = tmp_path / "pairs.jsonl"
    models = [model.to_model_dict() for model in TEST.sample(2, 1, seed=1)]
    pairs.write_text(json.dumps({"a": models[0], "b": models[1]}) + "\n" + json.dumps({"a": models[0], "b": models[0]}))
    for extra in ([], ["--exact"]):
        found = tmp_path / "found.jsonl"
        assert main(["distance", str(pairs), "--space", str(SPACES / "test.yaml"), "--out", str(found), *extra]) == 0
        rows = [json.loads(line) for line in found.read_text().splitlines()]
        assert rows[0]["distance"] > 0
        assert rows[1] == {"distance": 0.0}


def test_pairs_not_solved_in_time_get_bounds_and_a_warning(tmp_path, caplog):
    pairs, out = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl"
    a, b = PAPER.sample(2, 3, seed=3)
    same = {"a": a.to_model_dict(), "b": a.to_model_dict()}
    pairs.write_text(json.dumps(same) + "\n" + json.dumps(same | {"b": b.to_model_dict()}))
    arguments = ["distance", str(pairs), "--space", str(SPACES / "paper.yaml"), "--out", str(out), "--exact"]
    assert main([*arguments, "--seconds", "0.01"]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows[1]["distance"] == distance(a, b, Ranks.of_space(PAPER)) > rows[1]["at_least"] >= 0
    assert "not proved exact within 0.01 s" in caplog.text
    assert "raise --seconds" in caplog.text.lower()
    assert main([*arguments, "--seconds", "0"]) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1: not JSON"),
        ('{"a": {}}', "line 1: a: key 'l' is missing"),
        ('{"a": {}}', "line 1: key 'b' is missing"),
        ("[]", "line 1: key 'a' is missing"),
    ],
)
def test_pairs_that_cannot_be_read_are_told_and_nothing_is_written(tmp_path, capsys, text, said):
    pairs, out = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl"
    pairs.write_text(text)
    assert main(["distance", str(pairs), "--space", str(SPACES / "test.yaml"), "--out", str(out)]) == 1
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_models_outside_the_ranked_list_are_told(tmp_path, capsys):
    model = {"l": 1, "o": ["sa"], "h": [999], "n": [3], "f": [[7]], "p": ["sdp"]}
    pairs, out = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl"
    pairs.write_text(json.dumps({"a": model, "b": model}))
    assert main(["distance", str(pairs), "--space", str(SPACES / "test.yaml"), "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert "operation sa_h999_p-sdp is not in the ranked list" in said
    assert "operation f7 is not in the ranked list" in said
    assert "f32, f64" in said


def test_a_missing_file_and_a_missing_level_are_told(tmp_path, capsys):
    assert main(["space", str(tmp_path / "none.yaml")]) == 1
    assert "No such file" in capsys.readouterr().err
    assert main(["space", str(SPACES / "test.yaml"), "--level", "8"]) == 1
    assert "allowed: 1 to 3" in capsys.readouterr().err
