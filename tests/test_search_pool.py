"""Pools of candidates: encoding of columns, models, libraries, parts of pools, and candidates beyond a library."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from flexibert.config import read_yaml
from flexibert.encoder.cost import parameter_counts
from flexibert.encoder.library_costs import write_costs
from flexibert.encoder.network import MaskedLanguageModel
from flexibert.encoder.settings import EncoderSettings
from flexibert.errors import DesignSpaceError, SearchError
from flexibert.files import write_json
from flexibert.search.bench.columns import encode_columns
from flexibert.search.bench.pool import edit_distances, pool_from_table, pool_of_models
from flexibert.search.bench.table import Table
from flexibert.search.boshnas.beyond_library import extend_pool
from flexibert.search.boshnas.method import Boshnas
from flexibert.search.interface import Observations
from flexibert.search.methods import method_named
from flexibert.search.pool import pool_from_library
from flexibert.settings import LibrarySettings
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace
from flexibert.space.edit_distance.ranks import Ranks
from flexibert.space.library.library import Library, level_library
from flexibert.space.library.placement import Placement

SPACE = DesignSpace.from_mapping(
    {
        "layers": [2],
        "hidden_sizes": [64, 128],
        "heads": [2, 4],
        "feed_forward": [128, 256],
        "feed_forward_stacks": [1],
        "operations": {"sa": ["sdp", "wma"], "l": ["dft"]},
        "levels": [{"stack": 1}],
    }
)
ROOT = Path(__file__).parents[1]
LIBRARY = LibrarySettings(graphs=150, dimensions=8, metric="euclidean", recipe="fast", neighbours=10)
VOCABULARY, POSITIONS = 1024, 64  # of the default settings
NOTHING = Observations(np.empty(0, dtype=int), np.empty(0))
MODEL = {"l": 1, "o": ["sa"], "h": [128], "n": [2], "f": [[512, 256]], "p": ["wma"]}


@pytest.fixture(scope="module")
def models():
    return [architecture.to_model_dict() for architecture in SPACE.sample(40, seed=1)]


def test_categories_and_quantities():
    encoding = encode_columns({"operation": ["a", "b", "c", "a"], "width": [1.5, 2.5, 3.5, 4.5]})
    assert encoding.matrix[:, :3].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert encoding.matrix[:, 3].mean() == pytest.approx(0)
    assert encoding.matrix[:, 3].std() == pytest.approx(1)
    assert encoding.groups.tolist() == [0, 0, 0, 1]
    assert encoding.levels.tolist() == [0, 1, 2, -1]


def test_properties_share_their_categories():
    encoding = encode_columns({"first": ["a", "b"], "second": ["b", "b"]})
    assert encoding.levels.tolist() == [0, 1, 1]


def test_few_integers_are_both():
    encoding = encode_columns({"code": [0, 1, 2, 0]})
    assert (encoding.levels >= 0).sum() == 3
    assert (encoding.levels == -1).sum() == 1


def sizes_of(models):
    return parameter_counts(map(Architecture.from_model_dict, models))


def between(models):
    networks = [Architecture.from_model_dict(model) for model in models]
    return edit_distances(networks, Ranks.of_architectures(networks))


def test_missing_numbers_are_a_category():
    encoding = encode_columns({"width": [1.5, None, 3.5]})
    assert encoding.matrix[1].tolist() == [0, 1]


def test_distance_of_columns_counts_differences():
    table = Table(list("abc"), np.arange(3.0), None, {"x": ["p", "q", "q"], "y": ["r", "r", "s"]})
    embedding = pool_from_table(table).embedding
    squares = np.square(embedding[:, None] - embedding).sum(axis=2)
    np.testing.assert_allclose(squares, [[0, 1, 2], [1, 0, 1], [2, 1, 0]], atol=1e-12)


def test_isomorphic_models_share_identity_and_embedding():
    heads = {"l": 1, "o": [["sa_sdp_64", "l_dft_64"]], "h": [128], "f": [[256]]}
    turned = {"l": 1, "o": [["l_dft_64", "sa_sdp_64"]], "h": [128], "f": [[256]]}
    pool = pool_of_models(["a", "b", "c"], [heads, turned, MODEL])
    assert pool.identity.tolist() == [0, 0, 1]
    np.testing.assert_array_equal(pool.embedding[0], pool.embedding[1])


def test_embedding_follows_the_edit_distances(models):
    pool = pool_of_models([str(k) for k in range(len(models))], models)
    lengths = np.linalg.norm(pool.embedding[:, None] - pool.embedding, axis=2)
    assert np.corrcoef(lengths.ravel(), between(models).ravel())[0, 1] > 0.95


def test_landmarks_place_what_is_too_much_for_all_pairs(models, monkeypatch):
    ids = [str(k) for k in range(len(models))]
    monkeypatch.setattr("flexibert.search.bench.pool.MOST_DISTANCES", 10)
    monkeypatch.setattr("flexibert.search.bench.pool.LANDMARKS", 25)
    pool = pool_of_models(ids, models)
    lengths = np.linalg.norm(pool.embedding[:, None] - pool.embedding, axis=2)
    assert np.corrcoef(lengths.ravel(), between(models).ravel())[0, 1] > 0.9


def test_wrong_models_are_told_together():
    with pytest.raises(DesignSpaceError) as caught:
        pool_of_models(["a", "b"], [MODEL | {"h": [127]}, MODEL | {"o": ["x"]}])
    assert "a: " in str(caught.value)
    assert "b: " in str(caught.value)


def test_unknown_embedding(models):
    with pytest.raises(SearchError, match="choose one of transformer2vec, naive"):
        pool_of_models(["a"], models[:1], "word2vec")


@pytest.fixture(scope="module")
def default_library(tmp_path_factory):
    """Some models of the default space, with their costs under the default settings."""
    folder = tmp_path_factory.mktemp("library")
    level_library(read_yaml(ROOT / "config/spaces/default.yaml"), 1, LIBRARY, 1, folder)
    write_json(folder / "vocabulary.json", {"vocabulary": VOCABULARY})
    write_costs(folder / "models.parquet", folder / "vocabulary.json", POSITIONS, 64, False, folder / "costs.parquet")
    return folder


def test_a_library_brings_sizes_and_both_embeddings(default_library):
    pool = pool_from_library(default_library)
    assert pool.ids == Library.load(default_library).ids
    assert pool.embedding.shape == (len(pool), 8)
    assert pool_from_library(default_library, "naive").embedding.shape == pool.features.shape


def test_largest_proposes_what_really_is_the_largest(default_library):
    pool = pool_from_library(default_library)
    built = [EncoderSettings(model, vocab_size=VOCABULARY, max_positions=POSITIONS) for model in pool.models]
    with torch.device("meta"):  # shapes without memory
        weights = [sum(weight.numel() for weight in MaskedLanguageModel(each).parameters()) for each in built]
    proposals = method_named("largest").propose(NOTHING, pool, 20, 0)
    assert [weights[proposal.index] for proposal in proposals] == sorted(weights, reverse=True)[:20]


def test_a_table_s_own_count_goes_before_any_other(models):
    ids = [str(k) for k in range(len(models))]
    table = Table(ids, np.arange(len(ids)), architectures=models)
    assert pool_from_table(table, "naive").sizes is None
    assert pool_from_table(table, "naive", parameter_counts).sizes.tolist() == sizes_of(models)
    own = np.arange(len(ids)) + 7
    assert pool_from_table(replace(table, sizes=own), "naive", parameter_counts).sizes.tolist() == own.tolist()


def test_take_keeps_everything_in_step(models):
    pool = pool_of_models([str(k) for k in range(len(models))], models, count_parameters=parameter_counts)
    rows = np.random.default_rng(0).permutation(len(pool))[:17]
    part = pool.take(rows)
    assert part.ids == [pool.ids[row] for row in rows]
    assert part.architectures[3] == pool.architectures[rows[3]]
    np.testing.assert_array_equal(part.embedding, pool.embedding[rows])
    np.testing.assert_array_equal(part.sizes, pool.sizes[rows])


def test_candidates_beyond_the_library(models):
    pool = pool_of_models([str(k) for k in range(len(models))], models)
    wanted = np.log(sizes_of(models))
    rows = np.argsort(wanted)[:30]  # the large ones are not known, many of them not even in the library
    observations = Observations(rows, wanted[rows])
    known = [Architecture.from_model_dict(model) for model in models]
    placement = Placement(known, pool.embedding, Ranks.of_space(SPACE))
    larger = extend_pool(pool, observations, SPACE, placement.place, count=20)
    assert larger.ids[: len(pool)] == pool.ids
    assert 0 < len(larger) - len(pool) <= 20
    assert len(np.unique(larger.identity)) == len(larger)
    new = larger.models[len(pool) :]
    assert not set(new) & {Architecture.from_model_dict(model) for model in models}
    assert all(SPACE.level_of(architecture) == 1 for architecture in new)
    sizes = parameter_counts(larger.models)
    assert np.mean(sizes[len(pool) :]) > np.median(sizes[: len(pool)])
    assert Boshnas().propose(observations, larger, 1, 0)[0].index not in rows
