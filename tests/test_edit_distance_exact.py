"""The exact edit distance against a brute-force search on small graphs."""

from pathlib import Path

import networkx
import pytest

from flexibert.errors import DesignSpaceError
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace
from flexibert.space.edit_distance.exact import exact_distance
from flexibert.space.edit_distance.ranks import Ranks
from flexibert.space.graph import to_networkx

PAPER = DesignSpace.from_yaml(Path(__file__).parents[1] / "config" / "spaces" / "paper.yaml")
RANKS = Ranks.of_space(PAPER)


def _model(operation: str, parameter: str | int, hidden: int, heads: int, widths: list[int]) -> Architecture:
    return Architecture.from_model_dict(
        {"l": 1, "o": [operation], "h": [hidden], "n": [heads], "f": [widths], "p": [parameter]}
    )


PAIRS = [
    (_model("sa", "sdp", 128, 2, [512]), _model("sa", "wma", 128, 2, [512])),
    (_model("sa", "sdp", 128, 2, [512]), _model("l", "dft", 256, 2, [1024, 512])),
    (_model("c", 5, 256, 2, [1024]), _model("l", "dct", 128, 1, [512])),
]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_the_programme_finds_what_networkx_finds_by_exhaustive_search(a, b):
    def rank(attributes: dict) -> int:
        return RANKS.rank[attributes["label"]]

    expected = networkx.graph_edit_distance(
        to_networkx(a),
        to_networkx(b),
        node_subst_cost=lambda one, two: abs(rank(one) - rank(two)),
        node_del_cost=rank,
        node_ins_cost=rank,
        edge_del_cost=lambda _: 0.1,
        edge_ins_cost=lambda _: 0.1,
    )
    assert exact_distance(a, b, RANKS) == pytest.approx(expected)


def test_equal_graphs_are_at_distance_zero():
    model = PAPER.sample(1, 1, 3)[0]
    assert exact_distance(model, model, RANKS) == 0


def test_a_time_limit_that_is_too_short_is_told():
    a, b = PAPER.sample(2, 3, 3)
    with pytest.raises(DesignSpaceError, match="no proof of the exact distance within"):
        exact_distance(a, b, RANKS, seconds=1e-6)
