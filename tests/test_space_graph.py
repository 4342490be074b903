"""Graphs for people, and the ranked operation list."""

from pathlib import Path

import networkx
import pytest

from flexibert.errors import DesignSpaceError
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace
from flexibert.space.edit_distance.ranks import Ranks
from flexibert.space.graph import to_networkx

SPACES = Path(__file__).parents[1] / "config" / "spaces"
PAPER = DesignSpace.from_yaml(SPACES / "paper.yaml")
MIXED = DesignSpace.from_yaml(SPACES / "mixed-heads.yaml")


def test_the_graph_of_one_layer():
    model = {"l": 1, "o": ["sa"], "h": [128], "n": [2], "f": [[512, 1024]], "p": ["sdp"]}
    graph = to_networkx(Architecture.from_model_dict(model))
    labels = [label for _, label in graph.nodes(data="label")]
    assert labels == ["input", "sa_h128_p-sdp", "sa_h128_p-sdp", "add_norm", "f512", "f1024", "add_norm", "output"]
    assert set(graph.edges) == {(0, 1), (0, 2), (1, 3), (2, 3), (0, 3), (3, 4), (4, 5), (5, 6), (3, 6), (6, 7)}


def test_graphs_are_isomorphic_exactly_where_digests_are_equal():
    models = MIXED.sample(12, 4, seed=2) + PAPER.sample(6, 1, seed=2)
    turned = []
    for model in models:
        written = model.to_model_dict()
        if isinstance(written["o"][0], list):
            written["o"] = [heads[::-1] for heads in written["o"]]
        turned.append(Architecture.from_model_dict(written))
    models += turned
    same_label = networkx.algorithms.isomorphism.categorical_node_match("label", None)
    graphs = [to_networkx(model) for model in models]
    for i in range(len(models)):
        for j in range(i):
            isomorphic = networkx.is_isomorphic(graphs[i], graphs[j], node_match=same_label)
            assert isomorphic == (models[i].digest == models[j].digest)


def test_the_paper_s_list_is_the_given_one():
    given = (
        "input, output, add_norm, , f512, f1024, , l_h128_p-dft, l_h128_p-dct, l_h256_p-dft, l_h256_p-dct, , "
        "sa_h128_p-sdp, sa_h128_p-wma, sa_h256_p-sdp, sa_h256_p-wma, , c_h128_p-5, c_h128_p-9, c_h256_p-5, c_h256_p-9"
    )
    assert Ranks.of_space(PAPER).operations == given.split(", ")


def test_the_list_of_given_models_has_their_operations_in_the_same_order():
    models = PAPER.sample(200, 1, seed=0)
    assert Ranks.of_architectures(models).operations == Ranks.of_space(PAPER).operations


def test_operations_outside_the_list_are_told():
    model = {"l": 1, "o": ["sa"], "h": [512], "n": [2], "f": [[512]], "p": ["sdp"]}
    with pytest.raises(DesignSpaceError, match="sa_h512_p-sdp is not in the ranked list of the design space"):
        Ranks.of_space(PAPER).check(Architecture.from_model_dict(model))
