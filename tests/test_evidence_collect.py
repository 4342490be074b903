"""What is said of a winner at the end of a search, from made-up trainings."""

from itertools import chain
from pathlib import Path

import numpy as np
import pandas
import pytest

from flexibert.evidence.collect import COLUMNS, EQUAL_LAYERS, RUNNER_UP, SCRATCH, Ended, collect_evidence, kept_answers
from flexibert.evidence.resampled import TaskAnswers
from flexibert.files import read_json, write_csv, write_json
from flexibert.layout import Layout
from flexibert.space.architecture import Architecture


def model(operations: str, width: int) -> dict:
    parameters = {"s": ("sa", "sdp"), "c": ("c", 5), "l": ("l", "dct")}
    kinds = [parameters[letter] for letter in operations]
    shape = {"l": len(kinds), "h": [64] * len(kinds), "n": [2] * len(kinds), "f": [[width]] * len(kinds)}
    return shape | {"o": [kind[0] for kind in kinds], "p": [kind[1] for kind in kinds]}


WINNER, SECOND, BERT, ALIKE = (model(*shape) for shape in (("scl", 64), ("lcs", 64), ("sss", 64), ("ccc", 256)))
NAMES = {key: Architecture.from_model_dict(value).id for key, value in
         {"winner": WINNER, "second": SECOND, "bert": BERT, "alike": ALIKE}.items()}  # fmt: skip
PARAMETERS = {"winner": 1000, "second": 1010, "bert": 950, "alike": 3000}


def entry(which: str, **further) -> dict:
    architecture = {"winner": WINNER, "second": SECOND, "bert": BERT, "alike": ALIKE}[which]
    return {
        "model": NAMES[which], "architecture": architecture, "parameters": PARAMETERS[which], "flops_per_token": 10.0
    } | further  # fmt: skip


class Folder:
    """A results folder in which a search has ended.

    Args:
        path: Where.
        confirmed, final: Scores of the trainings by model; None for one that failed.
        beside: Names of the baselines and which model each is.
    """

    def __init__(self, path: Path, confirmed: dict, final: dict, beside: dict | None = None) -> None:
        self.path = path
        beside = {"bert": "bert"} if beside is None else beside
        rivals = [NAMES["winner"], NAMES["second"]]
        baselines = [entry(value, name=key, why="so", beside=rivals) for key, value in beside.items()]
        asked = [self._train(name, "confirm-{}", scores) for name, scores in confirmed.items()]
        write_json(path / "confirm.json", {
            "models": [entry("winner"), entry("second")], "baselines": baselines, "proposals": list(chain(*asked)),
        })  # fmt: skip
        longer = [self._train(name, "final-{}", scores) for name, scores in final.items()]
        proposals = {"recipe": "final", "baselines": baselines, "proposals": list(chain(*longer))}
        write_json(path / "final.json", entry("winner") | proposals)
        write_json(path / "best.json", {"search": "main", **entry("winner")})
        board = [NAMES[name] for name in ("winner", "second", "bert", "alike")]
        write_csv(path / "board.csv", pandas.DataFrame({"rank": range(1, 5), "model": board}))
        seen = {"model": board[:2], "recipe": ["scratch", "from-0123abcd"], "score": [70.0, 74.0]}
        write_csv(path / "seen.csv", pandas.DataFrame(seen))
        timed = dict.fromkeys(beside.values(), 0.8) | {"winner": 1.0}
        speeds = [{"model": NAMES[name], "ratio": ratio} for name, ratio in timed.items()]
        write_json(path / "speed.json", {"models": speeds})

    def _train(self, name: str, recipe: str, scores: list) -> list[dict]:
        runs = []
        for number, score in enumerate(scores, start=1):
            run = {"model": NAMES[name], "recipe": recipe.format(number).replace("final-1", "final")}
            path = Layout(self.path).score.path(**run)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, run | {"score": score, "suites": {"probes": score}})
            runs.append(run)
        return runs

    def collect(self, answers=None, **without: None) -> tuple[dict, dict, pandas.DataFrame]:
        """The content, the comparisons by (budget, split, against), and the table."""
        files = {"confirmation": "confirm.json", "final": "final.json", "speed": "speed.json"}
        ended = Ended(
            self.path / "best.json", self.path / "board.csv", self.path / "seen.csv",
            **{key: None if key in without else self.path / value for key, value in files.items()},
        )  # fmt: skip
        collect_evidence(self.path, ended, "probes", answers, 1, self.path / "out.json", self.path / "out.csv")
        found = read_json(self.path / "out.json")
        told = {(each["budget"], each["split"], each["against"]): each for each in found["differences"]}
        return found, told, pandas.read_csv(self.path / "out.csv")


CONFIRMED = {"winner": [74.0, 75.0, 76.0], "second": [72.0, 73.0, 74.0], "bert": [70.0, 71.0, 72.0]}
FINAL = {"winner": [80.0, 81.0, 82.0], "bert": [76.0, 77.0, 78.0]}


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path, CONFIRMED, FINAL)


def test_the_winner_stands_beside_its_baseline_at_both_budgets(folder):
    found, told, table = folder.collect()
    for budget, mean in (("search", 4.0), ("final", 4.0)):
        each = told[budget, "validation", "bert"]
        assert (each["mean"], each["first"], each["second"]) == (mean, NAMES["winner"], NAMES["bert"])
        assert each["low"] < mean < each["high"]
        assert (each["first_seeds"], each["second_seeds"]) == (3, 3)
        assert each["size_ratio"] == pytest.approx(1000 / 950, abs=1e-4)
        assert each["latency_ratio"] == 1.25
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == len(found["differences"])
    assert found["verdict"][0].startswith("The winner is better than a plain BERT of its size by 4.0 points (")
    assert "25 % slower" in found["verdict"][0]


def test_the_trainings_that_chose_a_model_are_not_compared(folder):
    """The search's own score of 74 for the second model stands in the observations alone."""
    _, told, _ = folder.collect()
    assert told["search", "validation", RUNNER_UP]["mean"] == 2.0
    assert told["search", "validation", RUNNER_UP]["second"] == NAMES["second"]


def test_a_transfer_is_compared_with_trainings_from_scratch_of_the_same_model(folder):
    _, told, _ = folder.collect()
    each = told["search", "validation", SCRATCH]
    assert each["mean"] == 1.0  # 74 once, 73 on average
    assert each["low"] is None  # a single model tells no noise


def test_unequal_layers_are_compared_with_equal_ones_of_the_same_size(folder, tmp_path):
    _, told, _ = folder.collect()
    assert told["search", "validation", EQUAL_LAYERS]["second"] == NAMES["bert"]
    other = tmp_path / "other"
    other.mkdir()
    confirmed = {"winner": [1.0, 2.0], "second": [1.0, 2.0], "alike": [3.0, 4.0]}
    _, told, _ = Folder(other, confirmed, {"winner": [1.0], "alike": [1.0]}, {"homogeneous": "alike"}).collect()
    assert ("search", "validation", EQUAL_LAYERS) not in told  # three times the size
    assert ("search", "validation", "homogeneous") in told


def test_without_a_confirmation_or_a_final_training_the_rest_is_told(folder):
    _, told, _ = folder.collect(confirmation=None)
    assert {budget for budget, _, _ in told} == {"final"}
    found, told, _ = folder.collect(final=None, speed=None)
    assert {budget for budget, _, _ in told} == {"search"}
    assert told["search", "validation", "bert"]["latency_ratio"] is None
    assert "plain BERT" in found["verdict"][0]


def test_failed_trainings_are_left_out_and_a_baseline_of_which_all_failed_is_told(tmp_path):
    confirmed = CONFIRMED | {"bert": [None, None, None], "second": [72.0, None, 74.0]}
    _, told, _ = Folder(tmp_path, confirmed, FINAL | {"bert": [None, 77.0, 78.0]}).collect()
    assert told["search", "validation", "bert"]["missing"] == "no training went well"
    assert told["search", "validation", RUNNER_UP]["second_seeds"] == 2
    assert told["final", "validation", "bert"]["second_seeds"] == 2


def test_a_baseline_that_won_is_not_compared_with_itself(tmp_path):
    _, told, _ = Folder(tmp_path, CONFIRMED, FINAL, {"homogeneous": "winner"}).collect()
    assert told["final", "validation", "homogeneous"]["missing"] == "it is the winner itself"
    assert told["final", "validation", "homogeneous"]["difference"] is None


def test_rows_that_chose_nothing_decide_the_first_sentence(folder):
    labels = np.arange(200) % 2

    def answers(name: str, recipes: list[str]) -> dict[str, TaskAnswers]:
        right = 0.9 if name == NAMES["winner"] else 0.6
        generator = np.random.default_rng(len(recipes))
        hit = generator.random((len(recipes), 200)) < right
        shown = np.where(hit, labels, 1 - labels)
        return {"probes-cola": TaskAnswers(np.eye(2)[shown], labels, ["accuracy"])}

    found, told, _ = folder.collect(answers)
    each = told["final", "test", "bert"]
    assert each["rows"] == 200
    assert 20 < each["low"] < each["mean"] < each["high"] < 40
    assert f"by {each['mean']:.1f} points" in found["verdict"][0]


def test_answers_of_whole_trainings_on_the_suite_are_read(tmp_path):
    layout = Layout(tmp_path)
    for recipe, tasks in (("final", ["probes-cola", "glue-rte"]), ("final-2", ["glue-rte"])):
        score = layout.score.path(model="aa", recipe=recipe)
        score.parent.mkdir(parents=True)
        write_json(score, {"tasks": {"probes-cola": 1.0, "glue-rte": None}})
        for task in tasks:
            path = layout.tuned.answers.path(model="aa", recipe=recipe, task=task)
            path.parent.mkdir()
            shape = {"labels": np.arange(3) % 2, "groups": np.arange(3), "overlaps": np.zeros(3)}
            np.savez(path, outputs=np.ones((3, 2)), metrics=np.array(["accuracy"]), **shape)
    found = kept_answers(tmp_path, "probes")("aa", ["final", "final-2"])
    assert set(found) == {"probes-cola"}
    assert found["probes-cola"].outputs.shape == (1, 3, 2)  # the second training failed on the task
    assert set(kept_answers(tmp_path, "superglue")("aa", ["final"])) == {"probes-cola", "glue-rte"}
