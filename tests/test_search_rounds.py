"""The loop of a search without any training: proposals, origins of weights, convergence, ranking."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest

from flexibert.config import read_yaml
from flexibert.errors import SearchError
from flexibert.files import read_json, write_csv, write_json, write_parquet
from flexibert.outcome.leaderboard import rank_models
from flexibert.run_index import RunIndex
from flexibert.runs import Phase, Recipe, RunName
from flexibert.search.boshnas.beyond_library import proposed_beyond
from flexibert.search.finer_level import best_parents, scaled_pattern
from flexibert.search.interface import Observations, Pool, Prediction
from flexibert.search.methods import method_named
from flexibert.search.observations import observe_round, read_observations
from flexibert.search.pool import pool_from_library
from flexibert.search.retuning import propose_again
from flexibert.search.rounds import LevelState, best_source, propose_round, stalled
from flexibert.settings import (
    ConstraintSettings,
    LevelSettings,
    LibrarySettings,
    SearchSettings,
    TransferSettings,
)
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace
from flexibert.space.library.library import Library, level_library

ROOT = Path(__file__).parents[1]
LEVEL = LevelSettings(level=1, initial=3, batch=2, rounds=9, patience=3, aleatoric=0, parents=2, parent_neighbours=1)
FREE = ConstraintSettings(parameters=None, flops_per_token=None, latency_ms=None)
SEARCH = SearchSettings(
    method="random", seed=0, suite="probes", embedding="transformer2vec", models="all", constraints=FREE
)
TRANSFER = TransferSettings(overlap=0.8, mode="ordered", steps=0)
SETTINGS = LibrarySettings(graphs=100, dimensions=4, metric="euclidean", recipe="fast", neighbours=10)


def built(folder: Path, graphs: int) -> Path:
    """A library of the test space's first level, which has 72 graphs, with made-up costs."""
    level_library(read_yaml(ROOT / "config/spaces/test.yaml"), 1, replace(SETTINGS, graphs=graphs), 0, folder)
    ids = Library.load(folder).ids
    costs = {"id": ids, "parameters": 1000 + np.arange(len(ids)), "flops_per_token": 1.0, "latency_ms": 1.0}
    write_parquet(folder / "costs.parquet", pandas.DataFrame(costs))
    return folder


def rank(loop: "Loop", library: Path, folder: Path) -> None:
    """Write board.csv and best.json of a search that is not confirmed."""
    rank_models(
        "main", loop.last, [library], loop.proposals, None, [], "probes", folder / "board.csv", folder / "best.json"
    )


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    return built(tmp_path_factory.mktemp("library"), 100)


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    """Less than half of the level."""
    return built(tmp_path_factory.mktemp("sample"), 30)


def costs(models: Sequence[Architecture]) -> list[dict]:
    """The more layers and the wider, the dearer."""
    return [
        {
            "parameters": 10 * sum(layer.hidden for layer in model.layers),
            "flops_per_token": 20.0 * len(model.layers),
        }
        for model in models
    ]


class Loop:
    """A search whose trainings are a function of the model."""

    def __init__(self, library: Path, folder: Path, search: dict, level: dict, overlap: float = 0.0) -> None:
        self.library, self.folder, self.search = library, folder, replace(SEARCH, **search)
        self.level = replace(LEVEL, **level)
        self.overlap = overlap
        self.space = read_yaml(ROOT / "config/spaces/test.yaml")
        self.rounds: list[dict] = []
        self.proposals: list[Path] = []

    def run(self, score=lambda run: 50.0) -> list[dict]:
        before = None
        while not self.rounds or not self.rounds[-1]["converged"]:
            folder = self.folder / "search" / "main" / "level-1" / f"round-{len(self.rounds):03d}"
            propose_round(
                "main", len(self.rounds), self.search, self.level, TRANSFER, self.library, before,
                self.proposals, self.space, lambda source, target: self.overlap, costs, 1,
                folder / "proposal.json", folder / "predictions.parquet",
            )  # fmt: skip
            self.rounds.append(read_json(folder / "proposal.json"))
            if self.rounds[-1]["converged"]:
                break
            self.proposals.append(folder / "proposal.json")
            before = self.observe(folder, score, before)
        self.last = before
        return self.rounds

    def observe(self, folder: Path, score, before: Path | None) -> Path:
        paths = []
        for run in read_json(folder / "proposal.json")["proposals"]:
            value = score(run)
            status = "failed" if value is None else "ok"
            card = {"model": run["model"], "recipe": run["recipe"], "status": status}
            paths.append(self.folder / f"{run['model']}-{run['recipe']}.json")
            write_json(paths[-1], card | {"suites": {"probes": value}, "tasks": {"probes-cola": value}})
        out = folder / "observations.csv"
        observe_round(folder / "proposal.json", before, paths, "probes", out)
        return out


def test_a_search_runs_until_it_stalls(library, tmp_path):
    rounds = Loop(library, tmp_path, {}, {}).run()
    assert [made["phase"] for made in rounds] == ["initial", "search", "search", "converged"]
    runs = [run["model"] for made in rounds for run in made["proposals"]]
    assert len(runs) == len(set(runs)) == 3 + 2 + 2  # equal scores: the first stalls at once, patience is 3
    assert rounds[1]["best"]["score"] == 50.0


@pytest.mark.parametrize("patience", [1, 2, 4])
def test_a_search_ends_after_as_many_vain_proposals_as_it_has_patience(library, tmp_path, patience):
    rounds = Loop(library, tmp_path, {}, {"batch": 1, "patience": patience}).run()
    assert [made["phase"] for made in rounds] == ["initial", *["search"] * patience, "converged"]


def test_the_largest_number_of_rounds_ends_a_search_that_still_improves(library, tmp_path):
    scores = iter(range(100))
    rounds = Loop(library, tmp_path, {}, {"rounds": 3}).run(lambda run: float(next(scores)))
    assert [made["converged"] for made in rounds] == [False, False, False, True]


def test_a_search_ends_where_the_library_does(library, tmp_path):
    scores = iter(range(100))
    rounds = Loop(library, tmp_path, {}, {"batch": 50, "rounds": 50}).run(lambda run: float(next(scores)))
    assert sum(len(made["proposals"]) for made in rounds) == len(Library.load(library))
    assert rounds[-1]["converged"]


def test_equal_calls_write_equal_bytes(library, tmp_path):
    for name in ("a", "b"):
        Loop(library, tmp_path / name, {"method": "boshnas"}, {"rounds": 3}).run(lambda run: int(run["model"], 16) % 97)
    for path in (tmp_path / "a" / "search").rglob("*.json"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_failed_candidates_are_kept_and_the_search_goes_on(library, tmp_path):
    loop = Loop(library, tmp_path, {"method": "boshnas"}, {"rounds": 4})
    loop.run(lambda run: None if int(run["model"], 16) % 2 else 60.0)
    table = pandas.read_csv(loop.last)
    assert set(table["status"]) == {"ok", "failed"}
    assert table.loc[table["status"] == "failed", "score"].isna().all()
    rank(loop, library, tmp_path)
    board = pandas.read_csv(tmp_path / "board.csv")
    assert list(board["status"]) == sorted(board["status"], reverse=True)  # ok before failed
    assert "architecture" in read_json(tmp_path / "best.json")


def test_a_search_in_which_all_fail_says_so(library, tmp_path):
    loop = Loop(library, tmp_path, {}, {"rounds": 2})
    loop.run(lambda run: None)
    with pytest.raises(SearchError, match="all 5 candidates failed"):
        rank(loop, library, tmp_path)
    assert not (tmp_path / "board.csv").exists()


def test_weights_come_from_a_neighbour_that_can_give_enough(library, tmp_path):
    rounds = Loop(library, tmp_path / "much", {}, {}, overlap=0.9).run()
    assert {run["origin"] for run in rounds[0]["proposals"]} == {"pretrain"}
    taken = rounds[1]["proposals"]
    known = {(run["model"], run["recipe"]) for run in rounds[0]["proposals"]}
    for run in taken:
        assert (run["origin"], run["overlap"]) == ("transfer", 0.9)
        assert (run["source"]["model"], run["source"]["recipe"]) in known
        assert run["recipe"] == str(Recipe.transferred_from(RunName.from_mapping(run["source"])))
    little = Loop(library, tmp_path / "little", {}, {}, overlap=0.7).run()
    assert {run["origin"] for made in little for run in made["proposals"]} == {"pretrain"}


def test_the_source_is_the_run_that_can_give_the_target_most_then_the_better_one(library):
    pool = pool_from_library(library, "transformer2vec")
    ids, target = pool.ids, pool.models[9]
    gives = {ids[0]: 0.4, ids[1]: 0.8, ids[2]: 0.8, ids[3]: 0.8, ids[4]: 1.0}

    def overlap(source: Architecture, of: Architecture) -> float:
        assert of is target
        return gives[source.id]

    rows = [
        (0, "scratch", 70.0),
        (1, "scratch", 50.0),
        (2, "scratch", 60.0),
        (3, "scratch", 60.0),
        (4, "retuned-1", 90.0),
    ]
    history = pandas.DataFrame([(ids[row], recipe, score, "ok") for row, recipe, score in rows])
    history.columns = ["model", "recipe", "score", "status"]
    source, share = best_source(target, pool, history, overlap)
    assert (source, share) == (RunName.of(ids[2], "scratch"), 0.8)


def test_a_failed_run_gives_no_weights(library, tmp_path):
    first: dict[str, None] = {}

    def score(run: dict) -> float | None:
        first.setdefault(run["model"])
        return None if list(first).index(run["model"]) < 3 else 50.0

    rounds = Loop(library, tmp_path, {}, {}, overlap=1.0).run(score)
    assert {run["origin"] for run in rounds[1]["proposals"]} == {"pretrain"}


def test_aleatoric_queries_run_known_models_again(library, tmp_path):
    loop = Loop(library, tmp_path, {"method": "boshnas"}, {"rounds": 2, "aleatoric": 2})
    rounds = loop.run(lambda run: int(run["model"], 16) % 97)
    assert [made["phase"] for made in rounds] == ["initial", "search", "aleatoric", "converged"]
    known = {run["model"] for made in rounds[:2] for run in made["proposals"]}
    again = rounds[2]["proposals"]
    assert len(again) == 2
    assert {run["model"] for run in again} <= known
    assert {(run["recipe"], run["origin"], run["reason"]) for run in again} == {("retuned-1", "retuned", "aleatoric")}


def test_methods_without_a_surrogate_run_the_best_again(library):
    pool = pool_from_library(library, "transformer2vec")
    observed = Observations(np.array([3, 9, 20]), np.array([1.0, np.nan, 5.0]))
    chosen = propose_again(method_named("random"), observed, pool, 3, 0)
    assert [proposal.index for proposal in chosen] == [20, 3]


class Foreseeing:
    """A method that expects the same of all candidates, and that some vary more from training to training."""

    def predict(self, observations: Observations, pool: Pool, seed: int) -> Prediction:
        flat = np.ones(len(pool))
        return Prediction(flat, np.arange(len(pool), dtype=float), flat)


def test_of_equally_good_models_the_noisiest_is_run_again_unless_it_is_pending(library):
    pool = pool_from_library(library, "transformer2vec")
    observed = Observations(np.array([3, 9, 20]), np.array([5.0, 5.0, 5.0]))
    assert [proposal.index for proposal in propose_again(Foreseeing(), observed, pool, 2, 0)] == [20, 9]
    waiting = replace(observed, pending=np.array([20]))
    assert [proposal.index for proposal in propose_again(Foreseeing(), waiting, pool, 2, 0)] == [9, 3]


def test_constraints_bound_what_is_proposed(library, tmp_path):
    pool = pool_from_library(library, "transformer2vec")
    allowed = set(pool.ids[:20])
    loop = Loop(library, tmp_path, {"constraints": replace(FREE, parameters=1019)}, {"rounds": 4})
    assert {run["model"] for made in loop.run() for run in made["proposals"]} <= allowed
    too_small = Loop(library, tmp_path / "none", {"constraints": replace(FREE, parameters=10)}, {})
    with pytest.raises(SearchError, match=r"search.constraints.parameters: .* within 10; the smallest has 1000"):
        too_small.run()


def test_homogeneous_models_alone(library, tmp_path):
    rounds = Loop(library, tmp_path, {"models": "homogeneous", "embedding": "naive"}, {"rounds": 3}).run()
    assert all(
        Architecture.from_model_dict(run["architecture"]).homogeneous for made in rounds for run in made["proposals"]
    )


def test_stalling_counts_optimising_proposals_since_the_last_better_score():
    def table(*rows):
        return pandas.DataFrame(rows, columns=["reason", "score"])

    assert stalled(table()) == 0
    assert (
        stalled(table(("initial", 5.0), ("optimisation", 4.0), ("uncertainty", 4.0), ("baseline", float("nan")))) == 2
    )
    assert stalled(table(("initial", 5.0), ("optimisation", 4.0), ("diversity", 6.0))) == 0


def test_a_level_has_patience_of_its_own(library):
    pool = pool_from_library(library, "transformer2vec")
    vain = [(level, "optimisation", 50.0 - level) for level in (1, 1, 1, 1, 2)]
    history = pandas.DataFrame(vain, columns=["level", "reason", "score"])
    assert LevelState(replace(LEVEL, level=2), pool, history, 1).phase == Phase.SEARCH
    assert LevelState(LEVEL, pool, history, 1).phase == Phase.CONVERGED


def test_of_equal_scores_the_smaller_model_ranks_first_and_a_run_of_two_levels_once(library, tmp_path):
    loop = Loop(library, tmp_path, {}, {})
    loop.run()
    table = read_observations(loop.last)
    write_csv(tmp_path / "both.csv", pandas.concat([table, table.assign(level=2)]))
    board, best = tmp_path / "board.csv", tmp_path / "best.json"
    rank_models("main", tmp_path / "both.csv", [library], loop.proposals, None, [], "probes", board, best)
    board = pandas.read_csv(board)
    assert len(board) == len(table)
    assert board["parameters"].is_monotonic_increasing
    assert list(board["rank"]) == list(range(1, len(table) + 1))


def test_runs_are_found_by_name(library, tmp_path):
    rounds = Loop(library, tmp_path, {}, {}).run()
    index = RunIndex(tmp_path)
    for run in rounds[1]["proposals"]:
        found = index.find(run["model"], run["recipe"]).to_mapping()
        assert found == {key: run[key] for key in ("model", "recipe", "architecture", "origin", "source", "overlap")}
        assert list(found) == ["model", "recipe", "architecture", "origin", "source", "overlap"]
    with pytest.raises(KeyError):
        index.find("0" * 12, "scratch")


def test_large_is_the_scaled_pattern_of_mini():
    from flexibert.encoder.named import NAMED_MODELS

    scaled = scaled_pattern(NAMED_MODELS["FlexiBERT-Mini"], layers=6, widths=4)
    assert scaled == NAMED_MODELS["FlexiBERT-Large"]


def test_a_pattern_of_mixed_heads_is_scaled_head_by_head():
    mixed = {"l": 1, "o": [["sa_sdp_8", "l_dct_8"]], "h": [16], "f": [[32]]}
    scaled = scaled_pattern(Architecture.from_model_dict(mixed), layers=2, widths=2)
    heads = ["sa_sdp_8", "sa_sdp_8", "l_dct_8", "l_dct_8"]
    assert scaled.to_model_dict() == {"l": 2, "o": [heads] * 2, "h": [32] * 2, "f": [[64]] * 2}


def test_parents_are_the_best_models_and_their_neighbours(library):
    loaded = Library.load(library)
    known = pandas.DataFrame({"model": [loaded.ids[4], loaded.ids[8], "ffffffffffff"], "score": [1.0, 2.0, 9.0]})
    parents = best_parents(known, loaded, {}, parents=1, neighbours=2)
    assert parents[0].id == loaded.ids[8]
    nearest = np.argsort(np.asarray(loaded.distances[8]), kind="stable")[:3]
    assert {parent.id for parent in parents} == {loaded.ids[row] for row in nearest}


def hill(run: dict) -> float:
    """Best for four layers of sa, 32 wide, with narrow feed-forward first: a model that the sample lacks."""
    model = run["architecture"]
    widths = [width for layer in model["f"] for width in layer]
    return float(sum(model["h"]) / 4 + 10 * model["o"].count("sa") - sum(widths) / 20 + widths[0] / 50)


def beyond(loop: Loop) -> list[dict]:
    inside = set(Library.load(loop.library).ids)
    return [run for made in loop.rounds for run in made["proposals"] if run["model"] not in inside]


@pytest.fixture(scope="module")
def outside(sample, tmp_path_factory) -> Loop:
    """A search whose library is a sample of its level."""
    loop = Loop(sample, tmp_path_factory.mktemp("outside"), {"method": "boshnas"}, {"rounds": 8, "patience": 9})
    loop.run(hill)
    return loop


def test_a_search_leaves_a_library_that_is_a_sample(outside):
    new = beyond(outside)
    assert new
    assert all(
        DesignSpace.from_mapping(outside.space).level_of(Architecture.from_model_dict(r["architecture"])) == 1
        for r in new
    )
    assert all(run["model"] == Architecture.from_model_dict(run["architecture"]).id for run in new)
    assert all(run["beyond"] == costs([Architecture.from_model_dict(run["architecture"])])[0] for run in new)
    runs = [run["model"] for made in outside.rounds for run in made["proposals"]]
    assert len(runs) == len(set(runs))
    inside = max(hill({"architecture": model.to_model_dict()}) for model in Library.load(outside.library).architectures)
    assert pandas.read_csv(outside.last)["score"].max() > inside


def test_a_model_beyond_the_library_can_win_and_be_a_parent(outside, tmp_path):
    rank(outside, outside.library, tmp_path)
    best, board = read_json(tmp_path / "best.json"), pandas.read_csv(tmp_path / "board.csv")
    [winner] = [run for run in beyond(outside) if run["model"] == best["model"]]
    assert best["architecture"] == winner["architecture"]
    assert board["parameters"].notna().all()
    assert board.loc[0, "parameters"] == winner["beyond"]["parameters"]
    known = read_observations(outside.last)
    parents = best_parents(known, Library.load(outside.library), proposed_beyond(outside.proposals), 1, 3)
    assert parents[0].id == best["model"]
    assert {parent.id for parent in parents[1:]} < set(Library.load(outside.library).ids)
    assert len(parents) == 4


def test_predictions_cover_the_library_and_the_models_beyond(outside):
    table = pandas.read_parquet(outside.proposals[-1].with_name("predictions.parquet")).set_index("id")
    earlier = {run["model"] for run in beyond(outside)}
    assert {*Library.load(outside.library).ids, *earlier} <= set(table.index)
    assert table.notna().all().all()
    assert table.index.is_unique


def test_a_search_that_left_its_library_is_resumed_as_it_was(outside, sample, tmp_path):
    again = Loop(sample, tmp_path, vars(outside.search), vars(outside.level))
    again.run(hill)
    assert again.rounds == outside.rounds


def test_limits_hold_beyond_the_library_too(sample, tmp_path):
    limits = replace(FREE, parameters=10**6, flops_per_token=40.0)  # two layers at most
    loop = Loop(sample, tmp_path, {"method": "boshnas", "constraints": limits}, {"rounds": 6, "patience": 9})
    loop.run(hill)
    assert beyond(loop)
    assert {run["architecture"]["l"] for run in beyond(loop)} == {2}


@pytest.mark.parametrize(
    "change", [{"method": "gp"}, {"embedding": "naive"}, {"constraints": replace(FREE, latency_ms=1e9)}]
)
def test_a_search_that_cannot_leave_its_library_stays(sample, tmp_path, change):
    loop = Loop(sample, tmp_path, {"method": "boshnas"} | change, {"rounds": 3})
    loop.run(hill)
    assert not beyond(loop)


def test_a_search_stays_in_a_library_that_is_the_whole_level(library, tmp_path):
    loop = Loop(library, tmp_path, {"method": "boshnas"}, {"rounds": 5, "patience": 9})
    loop.run(hill)
    assert not beyond(loop)
    assert all("beyond" not in run for made in loop.rounds for run in made["proposals"])
