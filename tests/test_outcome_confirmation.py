"""Confirmation and ranking on made-up trainings: who is trained again, who wins, and luck that does not last."""

from pathlib import Path

import numpy as np
import pandas
import pytest

from flexibert.config import read_yaml
from flexibert.encoder.cost import cost_table
from flexibert.errors import SearchError
from flexibert.files import read_json, write_csv, write_json, write_parquet
from flexibert.layout import LEADERBOARD_COLUMNS, OBSERVATION_COLUMNS
from flexibert.outcome.baselines import plain_berts
from flexibert.outcome.confirmation import choose_confirmed, choose_final, sizes
from flexibert.outcome.leaderboard import rank_models, ranked
from flexibert.run_index import RunIndex
from flexibert.runs import Recipe, Run, RunName
from flexibert.settings import ScaleSettings
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace

ROOT = Path(__file__).parents[1]
CONTENT = read_yaml(ROOT / "config/spaces/default.yaml")
SPACE = DesignSpace.from_mapping(CONTENT)
ALIKE = [model for model in SPACE.enumerate(1) if model.homogeneous and model not in plain_berts(SPACE)][:2]
MODELS = [*SPACE.sample(10, 1, seed=3), *ALIKE]
NOISE = 1.2  # of one training of the embedded default


def costs(models: list[Architecture]) -> list[dict]:
    return cost_table(models, vocab_size=1024, max_positions=64)


class Toy:
    """A search over MODELS that has converged, with a true score for each model and noise of its trainings.

    Args:
        folder: Results folder.
        truth: True score by the model's name; models without one have 60.
        luck: What the search's own training of a model had by luck.
    """

    def __init__(self, folder: Path, truth: dict[str, float], luck: dict[str, float]) -> None:
        self.folder, self.truth, self.generator = folder, truth, np.random.default_rng(1)
        self.observations = folder / "observations.csv"
        self.proposal = folder / "search/main/level-1/round-000/proposal.json"
        runs = [Run(RunName.of(model.id, "scratch"), model.to_model_dict()) for model in MODELS]
        rows = []
        for run in runs:
            score = self.truth.get(run.name.model, 60.0) + luck.get(run.name.model, 0.0)
            row = {"level": 1, "round": 0, **run.to_mapping(), "source": None, "reason": "initial", "status": "ok"}
            rows.append({key: (row | {"score": score})[key] for key in OBSERVATION_COLUMNS} | {"probes-cola": score})
        write_csv(self.observations, pandas.DataFrame(rows))
        write_json(self.proposal, {"proposals": [run.to_mapping() for run in runs]})
        library = pandas.DataFrame({"id": [model.id for model in MODELS]})
        library["parameters"] = sizes(costs)(MODELS)
        (folder / "library").mkdir()
        write_parquet(folder / "library/costs.parquet", library)

    def confirm(self, models: int = 3, seeds: int = 3, baselines: tuple = ("bert",)) -> dict:
        self.confirmation = self.folder / "confirm/main.json"
        choose_confirmed(
            "main", self.observations, [self.proposal], models, seeds, baselines, CONTENT, costs, self.confirmation
        )
        return read_json(self.confirmation)

    def train(self, failed: tuple = ()) -> list[Path]:
        """Scores of all runs of the confirmation."""
        scores = []
        for run in read_json(self.confirmation)["proposals"]:
            points = float(self.truth.get(run["model"], 60.0) + self.generator.normal(0, NOISE))
            points = None if run["model"] in failed else points
            status = "ok" if points is not None else "failed"
            content = {"model": run["model"], "recipe": run["recipe"], "status": status, "score": points}
            scores.append(self.folder / f"{run['model']}-{run['recipe']}.json")
            write_json(scores[-1], content | {"suites": {"probes": points}, "tasks": {"probes-cola": points}})
        return scores

    def rank(self, scores: list[Path], confirmed: bool = True) -> tuple[pandas.DataFrame, dict]:
        board, best = self.folder / "leaderboard.csv", self.folder / "best.json"
        rank_models(
            "main", self.observations, [self.folder / "library"], [self.proposal],
            self.confirmation if confirmed else None, scores, "probes", board, best,
        )  # fmt: skip
        return pandas.read_csv(board, dtype={"model": str}), read_json(best)

    def final(self, baselines: tuple = ("bert",), seeds: int = 3, scale_up: ScaleSettings | None = None) -> dict:
        confirmation = getattr(self, "confirmation", None)
        out = self.folder / "final/main.json"
        choose_final(
            self.folder / "best.json", confirmation, self.folder / "leaderboard.csv", [self.proposal],
            baselines, seeds, scale_up, CONTENT, costs, out,
        )  # fmt: skip
        return read_json(out)


GOOD, LUCKY = MODELS[4].id, MODELS[7].id


@pytest.fixture
def lucky(tmp_path) -> Toy:
    """One model is truly better than the others; another was lucky in its only training."""
    return Toy(tmp_path, truth={GOOD: 66.0}, luck={LUCKY: 7.0, MODELS[1].id: 1.0, MODELS[2].id: -1.0})


def test_a_lucky_winner_is_unmasked_by_its_confirmation(lucky):
    before, winner = lucky.rank([], confirmed=False)
    assert winner["model"] == before["model"][0] == LUCKY
    made = lucky.confirm()
    assert {LUCKY, GOOD} < {model["model"] for model in made["models"]}
    after, winner = lucky.rank(lucky.train())
    assert winner["model"] == GOOD
    assert winner["trainings"] == 4
    assert abs(winner["posterior"] - 66.0) < 3 * NOISE / 2
    fallen = after[after["model"] == LUCKY].iloc[0]
    assert fallen["posterior"] < 64.0 < winner["posterior"]
    assert fallen["score"] < 67.0 - 3.0  # the mean of all four, no longer the lucky one


@pytest.mark.parametrize("luck", [7.0, 12.0, 30.0])
def test_luck_of_any_size_is_unmasked(tmp_path, luck):
    toy = Toy(tmp_path, truth={GOOD: 66.0}, luck={LUCKY: luck})
    toy.confirm()
    _, winner = toy.rank(toy.train())
    assert winner["model"] == GOOD


def test_what_was_confirmed_is_surer_than_what_was_not(lucky):
    lucky.confirm()
    board, _ = lucky.rank(lucky.train())
    often = board["trainings"] > 1
    assert board.loc[often, "posterior_deviation"].max() < board.loc[~often, "posterior_deviation"].min()
    assert board.loc[often, "deviation"].notna().all()
    assert board.loc[~often, "deviation"].isna().all()


def test_the_best_candidates_are_confirmed_with_the_bert_of_each(lucky):
    made = lucky.confirm(models=3, seeds=2)
    assert [model["model"] for model in made["models"]][:2] == [LUCKY, GOOD]
    assert [model["posterior"] for model in made["models"]] == sorted(
        (model["posterior"] for model in made["models"]), reverse=True
    )
    berts = {bert.id for bert in plain_berts(SPACE)}
    assert {baseline["model"] for baseline in made["baselines"]} <= berts
    assert {baseline["name"] for baseline in made["baselines"]} == {"bert"}
    models = dict.fromkeys(entry["model"] for entry in [*made["models"], *made["baselines"]])
    runs = [(run["model"], run["recipe"]) for run in made["proposals"]]
    assert runs == [(model, f"confirm-{number}") for model in models for number in (1, 2)]
    assert {run["origin"] for run in made["proposals"]} == {"confirmed"}


def test_runs_of_the_confirmation_are_found_by_name(lucky):
    lucky.confirm()
    found = RunIndex(lucky.folder).find(GOOD, "confirm-2")
    assert found.architecture == MODELS[4].to_model_dict()


def test_a_model_that_is_candidate_and_baseline_is_trained_once_and_stays_a_candidate(tmp_path):
    toy = Toy(tmp_path, truth={GOOD: 66.0}, luck={})
    made = toy.confirm(models=1, seeds=2, baselines=(MODELS[4].to_model_dict(), "bert"))
    assert len({run["model"] for run in made["proposals"]}) * 2 == len(made["proposals"])
    board, winner = toy.rank(toy.train())
    assert winner["model"] == GOOD
    assert set(board["role"]) == {"candidate", "bert"}


def test_a_baseline_may_be_best_but_the_winner_is_a_candidate(tmp_path):
    berts = {bert.id: 75.0 for bert in plain_berts(SPACE)}
    toy = Toy(tmp_path, truth={GOOD: 66.0, **berts}, luck={})
    toy.confirm()
    board, winner = toy.rank(toy.train())
    assert board["role"][0] == "bert"
    assert winner["model"] == GOOD
    assert list(board.columns[: len(LEADERBOARD_COLUMNS) + 1]) == [*LEADERBOARD_COLUMNS, "parameters"]
    assert board["parameters"].notna().all()
    assert board["probes-cola"].notna().all()
    assert list(board["rank"]) == list(range(1, len(board) + 1))


def test_a_candidate_whose_confirmation_fails_does_not_win(lucky):
    lucky.confirm()
    board, winner = lucky.rank(lucky.train(failed=(LUCKY,)))
    assert winner["model"] == GOOD
    fallen = board[board["model"] == LUCKY].iloc[0]
    assert (fallen["trainings"], fallen["failed"]) == (4, 3)


def test_tuned_runs_stay_apart_and_models_that_failed_stand_last():
    rows = [
        ("aa", "scratch", 60.0),
        ("bb", "scratch", 62.0),
        ("bb", "confirm-1", 64.0),
        ("bb", "retuned-1", 90.0),
        ("cc", "scratch", None),
    ]
    table = pandas.DataFrame(rows, columns=["model", "recipe", "score"]).assign(level=1, round=0, status="ok")
    table = table.reindex(columns=OBSERVATION_COLUMNS)
    found = ranked(table)
    assert list(zip(found["model"], found["recipe"], strict=True)) == [
        ("bb", "confirm-1"), ("aa", "scratch"), ("bb", "retuned-1"), ("cc", "scratch"),
    ]  # fmt: skip
    assert list(found["trainings"]) == [2, 1, 1, 1]
    assert found["score"][0] == 63.0
    assert list(found["posterior"].isna()) == [False, False, True, True]


def test_nothing_is_confirmed_of_a_search_in_which_all_failed(lucky):
    table = pandas.read_csv(lucky.observations, dtype={"model": str})
    write_csv(lucky.observations, table.assign(score=float("nan"), status="failed"))
    with pytest.raises(SearchError, match="all 12 candidates failed"):
        lucky.confirm()


def test_the_winner_and_the_bert_of_its_size_are_trained_longer(lucky):
    made = lucky.confirm(baselines=("bert", "homogeneous"))
    lucky.rank(lucky.train())
    final = lucky.final(baselines=("bert", "homogeneous"), seeds=3)
    assert (final["model"], final["recipe"]) == (GOOD, "final")
    confirmed = {(baseline["name"], baseline["model"]) for baseline in made["baselines"]}
    assert {(baseline["name"], baseline["model"]) for baseline in final["baselines"]} <= confirmed
    runs = [(run["model"], run["recipe"]) for run in final["proposals"]]
    assert runs[:3] == [(GOOD, "final"), (GOOD, "final-2"), (GOOD, "final-3")]
    assert len(runs) == 3 * len({model for model, _ in runs})
    assert {model for model, _ in runs[3:]} == {baseline["model"] for baseline in final["baselines"]} - {GOOD}


def test_the_scaled_pattern_is_trained_once(lucky):
    lucky.rank([], confirmed=False)
    final = lucky.final(baselines=(), seeds=2, scale_up=ScaleSettings(layers=2, widths=3))
    assert [run["recipe"] for run in final["proposals"]] == ["final", "final-2", "final"]
    assert final["proposals"][2]["architecture"]["l"] == 2 * final["proposals"][0]["architecture"]["l"]
    assert RunIndex(lucky.folder).find(final["proposals"][2]["model"], "final").name.recipe == Recipe.parse("final")


def test_without_a_confirmation_the_homogeneous_baseline_is_the_best_of_the_leaderboard(tmp_path):
    toy = Toy(tmp_path, truth={GOOD: 66.0, ALIKE[1].id: 63.0}, luck={})
    toy.rank([], confirmed=False)
    final = toy.final(baselines=("homogeneous",))
    [baseline] = final["baselines"]
    assert (baseline["name"], baseline["model"], baseline["beside"]) == ("homogeneous", ALIKE[1].id, [GOOD])
    assert baseline["parameters"] == sizes(costs)([ALIKE[1]])[0]
