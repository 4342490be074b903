"""What the report says is proved: differences, final models by task, and how methods compare."""

import json
import shutil

import pandas as pd
import pytest
from results_folder import HOPELESS, PLAIN, ROWS, TASKS

from flexibert.report.evidence_tables import MEAN, differences, final_models, strongest
from flexibert.report.figure_tables import paired_differences
from flexibert.report.folder import ResultsFolder
from flexibert.report.methods import METHOD_COLUMNS, methods
from flexibert.report.notes import method_sentences
from flexibert.report.page_tables import for_people, interval
from flexibert.report.standing import best_of, ranking


@pytest.fixture(scope="module")
def finished(finished_results) -> ResultsFolder:
    return ResultsFolder(finished_results)


def test_differences_are_those_of_the_evidence_and_of_what_needs_no_network(finished):
    table = differences(finished)
    told = finished.evidence["main"]["differences"]
    assert list(table["against"])[: len(told)] == [entry["against"] for entry in told]
    assert table["mean"].iloc[0] == told[0]["mean"]
    assert {"bert", "runner-up", "tfidf", "majority"} <= set(table["against"])
    plain = table.set_index("against").loc["majority"]
    assert plain["low"] < plain["mean"] < plain["high"]
    assert plain["mean"] == pytest.approx(mean_of(finished, "winner") - PLAIN["majority"])


def mean_of(folder: ResultsFolder, name: str) -> float:
    table = final_models(folder)
    return table.loc[table["name"].eq(name) & table["task"].eq(MEAN), "mean"].iloc[0]


def test_the_figure_shows_the_best_evidence_of_each_pair_once(finished):
    figure = paired_differences(finished)
    assert not figure["label"].duplicated().any()
    assert figure.set_index("against").loc["bert", "split"] == "test"
    assert figure["low"].notna().all()
    outcome = {"better": figure["low"] > 0, "worse": figure["high"] < 0}
    for kind, expected in outcome.items():
        assert (figure["outcome"].eq(kind) == expected).all()


def test_without_kept_away_rows_the_final_budget_tells_more_than_the_search_s(finished):
    table = differences(finished)
    table = table[table["split"].eq("validation") & table["against"].eq("bert")]
    assert list(strongest(table)["budget"]) == ["final"]


def test_final_models_stand_beside_their_baselines_on_kept_away_rows(finished):
    table = final_models(finished)
    assert set(table["split"]) == {"test"}
    assert set(table["name"]) == {"winner", "bert", "tfidf", "majority"}
    assert set(table["task"]) == {MEAN, *(f"probes-{task}" for task in TASKS)}
    trained = table[table["name"].isin(["winner", "bert"])]
    assert (trained["trainings"] == 3).all()
    assert trained["low"].lt(trained["mean"]).all()
    runs = [run.name for run in finished.finals["main"] if run.name.model == finished.winners["main"]["model"]]
    tests = [finished.tasks[run]["probes-cola"]["test"]["score"] for run in runs]
    mine = table[table["name"].eq("winner") & table["task"].eq("probes-cola")]
    assert mine["mean"].iloc[0] == pytest.approx(sum(tests) / len(tests))
    assert all(round(value * ROWS / 100) == pytest.approx(value * ROWS / 100) for value in tests)


def test_a_task_is_hopeless_where_no_model_is_above_the_majority(finished):
    table = final_models(finished)
    assert set(table.loc[table["hopeless"], "task"]) == {HOPELESS}


def test_final_models_without_kept_away_rows_show_means_over_trainings(finished_results, tmp_path):
    path = tmp_path / "results"
    shutil.copytree(finished_results, path)
    for best in path.glob("glue/*/final*/*/best.json"):
        content = json.loads(best.read_text(encoding="utf-8"))
        del content["test"]
        best.write_text(json.dumps(content), encoding="utf-8")
    table = final_models(ResultsFolder(path))
    assert set(table["split"]) == {"validation"}
    assert set(table["name"]) == {"winner", "bert"}


def test_methods_are_compared_on_the_same_search_seeds(finished):
    table = methods(finished).set_index("method")
    ends = {name: best_of(ranking(finished, name))["posterior"] for name in finished.searches}
    expected = sum(ends[f"random-{seed}"] - ends[f"boshnas-{seed}"] for seed in (1, 2)) / 2
    row = table.loc["random"]
    assert (row["reference"], row["paired_seeds"]) == ("boshnas", 2)
    assert row["difference"] == pytest.approx(expected)
    assert row["low"] < row["difference"] < row["high"]
    assert table.loc["evolution", "paired_seeds"] == 0
    assert pd.isna(table.loc["evolution", "low"])


def test_the_compute_of_methods_is_shared_out(finished):
    table = methods(finished)
    assert table["share"].sum() == pytest.approx(100)
    assert table["shared"].between(0, 100).all()
    assert table["shared"].max() > 0  # methods met the same models


def test_one_search_is_no_comparison_of_methods(half_results):
    assert methods(ResultsFolder(half_results)).empty


@pytest.mark.parametrize(
    ("low", "high", "seeds", "told"),
    [
        (0.2, 1.8, 3, "b found better models than a, by 1.0 points (0.2 to 1.8 points; 3 paired seeds)."),
        (-2.0, -0.5, 3, "b found worse models than a, by 1.2 points (-2.0 to -0.5 points; 3 paired seeds)."),
        (-1.0, 2.0, 2, "b cannot be told from a: the difference is within noise (-1.0 to 2.0 points; 2 paired seeds)."),
        (None, None, 1, "Whether b is better than a cannot be told: one paired seed; search with more seeds of both."),
    ],
)
def test_a_method_is_better_only_where_the_interval_says_so(low, high, seeds, told):
    middle = None if low is None else (low + high) / 2
    row = {"method": "b", "reference": "a", "paired_seeds": seeds, "low": low, "high": high, "difference": middle}
    assert method_sentences(pd.DataFrame([row]).reindex(columns=METHOD_COLUMNS)) == [told.replace("-", "\u2212")]


def test_a_number_is_written_with_its_interval():
    assert interval(71.23, 69.0, 73.06) == "71.2 (69.0 to 73.1)"
    assert interval(-0.5, -1.0, 0.04, signed=True) == "\u22120.5 (\u22121.0 to +0.0)"
    assert interval(44.0, float("nan"), float("nan")) == "44.0"


def test_winner_and_baselines_stay_on_a_short_leaderboard(finished):
    from flexibert.report.page_tables import TABLES

    made = {name: make(finished) for name, make in TABLES.items()}
    shown = for_people(made, rows=2)["leaderboard"]
    assert list(shown["rank"])[:2] == [1, 2]
    assert set(shown["role"][2:]) == {"bert"}
