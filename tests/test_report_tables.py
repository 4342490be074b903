"""The tables of the report, and the numbers behind its figures."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from results_folder import MadeUpResults

from flexibert.errors import UsageError
from flexibert.report import figure_tables, methods, tables
from flexibert.report.evidence_tables import final_models
from flexibert.report.folder import ResultsFolder
from flexibert.report.notes import (
    calibration_note,
    frontier_note,
    trace_note,
    transfer_note,
)
from flexibert.report.page_tables import TABLES
from flexibert.runs import RunName


@pytest.fixture(scope="module")
def finished(finished_results) -> ResultsFolder:
    return ResultsFolder(finished_results)


@pytest.fixture(scope="module")
def half(half_results) -> ResultsFolder:
    return ResultsFolder(half_results)


@pytest.fixture(scope="module")
def unconfirmed(unconfirmed_results) -> ResultsFolder:
    return ResultsFolder(unconfirmed_results)


@pytest.fixture
def begun(tmp_path) -> ResultsFolder:
    MadeUpResults(tmp_path / "begun")
    return ResultsFolder(tmp_path / "begun")


def test_a_folder_that_is_none_is_told_with_the_remedy(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        ResultsFolder(tmp_path / "absent")
    MadeUpResults(tmp_path / "results" / "default")
    with pytest.raises(UsageError, match=r"did you mean .*results/default"):
        ResultsFolder(tmp_path / "results")


def test_a_broken_file_is_named(begun):
    path = begun.path / "models" / "0123456789ab" / "scratch" / "card.json"
    path.parent.mkdir(parents=True)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match=r"card\.json: not valid JSON"):
        tables.failures(begun)


@pytest.mark.parametrize("name", [*TABLES, *figure_tables.FIGURE_TABLES])
@pytest.mark.parametrize("state", ["finished", "unconfirmed", "half", "begun"])
def test_every_table_can_be_made_in_every_state(name, state, request):
    folder = request.getfixturevalue(state)
    table = {**TABLES, **figure_tables.FIGURE_TABLES}[name](folder)
    if state == "finished":
        assert len(table)


def test_leaderboard_has_one_row_a_model_best_posterior_first_and_the_failed_last(finished):
    board = tables.leaderboard(finished)
    assert list(board["rank"]) == list(range(1, len(board) + 1))
    assert not board["model"].duplicated().any()
    believed = board["posterior"].to_numpy()
    assert np.isnan(believed[-1])
    assert (np.diff(believed[:-1]) <= 0).all()
    assert board["parameters"].notna().all()
    assert set(board["role"]) == {"winner", "candidate", "bert"}
    again = board[board["trainings"] > 1]
    assert set(again["trainings"]) == {3, 4}  # a baseline's, and a candidate's with that of the search
    transferred = board[board["recipe"].str.startswith("from-")]
    assert len(transferred)
    assert transferred["weights"].str.fullmatch(r"from [0-9a-f]{12} \(87 %\)").all()


def test_hours_of_a_model_are_those_of_all_its_trainings(finished):
    row = tables.leaderboard(finished).iloc[0]
    runs = [run for run in finished.scores if run.model == row["model"] and not tables.is_final(run)]
    assert len(runs) == row["trainings"]
    assert row["core_hours"] == pytest.approx(sum(tables.run_hours(finished, run)[0] for run in runs))


def test_a_lucky_model_is_unmasked_by_its_confirmation(finished):
    """The highest single score of the search was luck; by all its trainings the model is not the winner."""
    single = methods.trace(finished)
    lucky = single.loc[single["score"].idxmax(), "model"]
    board = tables.leaderboard(finished).set_index("model")
    assert board.loc[lucky, "trainings"] == 4
    assert board.loc[lucky, "role"] == "candidate"
    assert board["role"].iloc[0] == "winner"
    assert board["posterior"].iloc[0] > board.loc[lucky, "posterior"]
    assert figure_tables.frontier(finished).set_index("model").loc[lucky, "score"] == board.loc[lucky, "posterior"]


def test_models_are_ranked_while_their_confirmation_goes_on(unconfirmed):
    board = tables.leaderboard(unconfirmed)
    assert set(board["role"]) == {"candidate"}  # no baseline is scored yet, and there is no winner
    assert sorted(board["trainings"], reverse=True)[:3] == [4, 2, 1]


def test_old_results_that_ranked_single_runs_are_ranked_anew(half, tmp_path):
    path = tmp_path / "old"
    shutil.copytree(half.path, path)
    single = half.observations("main").assign(rank=1)
    single.to_csv(path / "search/main/leaderboard.csv", index=False)
    (path / "search/main/best.json").write_text(json.dumps({"model": single["model"][0], "recipe": "scratch"}))
    assert tables.leaderboard(ResultsFolder(path)).equals(tables.leaderboard(half))


def test_failures_tell_the_reason_and_who_asked(finished):
    failed = tables.failures(finished)
    assert set(failed["reason"]) == {"the loss was not finite at step 40"}
    assert set(failed["stage"]) == {"pre-training"}
    assert set(failed["search"]) == {"main"}


def test_costs_add_up_and_split_by_device(begun):
    assert tables.hours_of({"seconds": 7200, "device": "cpu", "threads": 4}) == (8.0, 0.0)
    assert tables.hours_of({"seconds": 7200, "device": "cuda", "threads": 4, "devices": 2}) == (0.0, 4.0)
    folder = begun.path / "models" / "0123456789ab" / "scratch"
    folder.mkdir(parents=True)
    cost = (
        '{"seconds": 3600, "device": "cuda", "devices": 1, "threads": 1, "energy_joules": 7.2e6, "peak_memory_mb": 9.0}'
    )
    (folder / "cost.json").write_text(cost, encoding="utf-8")
    MadeUpResults.benchmark(MadeUpResults(begun.path), "library", 3600.0)
    table = tables.costs(ResultsFolder(begun.path)).set_index("stage")
    assert table.loc["pre-training", "gpu_hours"] == 1.0
    assert table.loc["pre-training", "energy_kwh"] == 2.0
    assert table.loc["library", "core_hours"] == pytest.approx(0.9)
    assert pd.isna(table.loc["library", "energy_kwh"])
    assert table.loc["total", "core_hours"] == pytest.approx(0.9)
    assert table.loc["total", "jobs"] == 2


def test_hyperparameters_are_those_of_the_best_trials(finished):
    table = tables.hyperparameters(finished)
    assert len(table) == 18  # nine tasks of the final model and of the search's best
    row = table.iloc[3]
    assert (
        row["learning_rate"]
        == finished.tasks[RunName.from_mapping(row)][row["task"]]["hyperparameters"]["learning_rate"]
    )


def test_trace_keeps_the_best_over_failures_and_levels(finished):
    trace = methods.trace(finished)
    assert set(trace["level"]) == {1, 2}
    assert trace["best"].is_monotonic_increasing
    assert trace["score"].isna().sum() == 1
    assert trace["best"].iloc[-1] == trace["score"].max()


def test_frontier_is_what_no_smaller_model_beats(finished):
    table = figure_tables.frontier(finished)
    limit = table["parameter_limit"].iloc[0]
    assert limit == 400_000
    assert (table["within_constraints"] == (table["parameters"] <= limit)).all()
    for allowed, column in ((table, "on_frontier"), (table[table["within_constraints"]], "on_frontier_within")):
        for row in allowed.itertuples():
            smaller = allowed[(allowed["parameters"] <= row.parameters) & (allowed["model"] != row.model)]
            assert getattr(row, column) == (not (smaller["score"] >= row.score).any())
    assert table["deviation"].notna().all()
    assert "bert" in set(table["role"])


def test_of_equal_scores_the_smallest_model_alone_is_on_the_frontier():
    by_size = pd.DataFrame({"score": [50.0, 50.0, 49.0, 51.0, 51.0]})
    assert figure_tables._unbeaten(by_size).tolist() == [True, False, False, True, False]


def test_frontier_note_counts_what_cannot_be_told_from_the_best():
    rows = [("a", 50.0, 0.5, 100), ("b", 60.0, 0.5, 400), ("c", 59.0, 0.5, 300), ("d", 59.5, 0.5, 500)]
    table = pd.DataFrame(rows, columns=["model", "score", "deviation", "parameters"])
    assert frontier_note(table) == (
        "2 of the 3 other models cannot be told from the best one, b, by their trainings; "
        "1 of these are smaller than it."
    )
    assert frontier_note(table.iloc[:1]) == ""


def test_map_keeps_the_largest_variance_and_marks_the_evaluated(finished):
    table = figure_tables.embedding_map(finished)
    coordinates = finished.embedding(finished.library_of("main", 2))[1].astype(float)
    values = np.linalg.svd(coordinates - coordinates.mean(axis=0), compute_uv=False)
    assert np.allclose(table[["x", "y"]].std(ddof=0) * len(table) ** 0.5, values[:2], rtol=1e-3)
    seen = finished.observations("main").query("level == 2").dropna(subset=["score"])
    assert set(table.loc[table["observed"].notna(), "id"]) >= set(seen["model"])
    assert table["predicted"].notna().all()


@pytest.mark.parametrize("seed", range(4))
def test_directions_of_the_map_point_where_their_largest_entry_does(seed):
    coordinates = np.random.default_rng(seed).normal(size=(30, 3)) * [3, 2, 1]
    flat = figure_tables._principal_components(coordinates)
    directions = np.linalg.lstsq(coordinates - coordinates.mean(axis=0), flat, rcond=None)[0]
    assert (directions[np.abs(directions).argmax(axis=0), [0, 1]] > 0).all()


def test_map_can_be_drawn_by_tsne(tmp_path):
    made = MadeUpResults(tmp_path / "small", count=25)
    made.search("main", made.library(), rounds=1)
    folder = ResultsFolder(made.path)
    straight = figure_tables.embedding_map(folder)
    folder.settings["report"]["embedding_map"] = "tsne"
    first, second = figure_tables.embedding_map(folder), figure_tables.embedding_map(folder)
    assert first.equals(second)
    assert not np.allclose(first["x"], straight["x"])


def test_calibration_takes_predictions_made_before_the_observation(finished):
    table = figure_tables.calibration(finished)
    rounds = {(each.level, each.number): each for each in finished.rounds["main"]}
    for row in table.itertuples():
        proposed = {run.name.model: run.further["mean"] for run in rounds[row.level, row.round].runs}
        assert proposed[row.model] == row.predicted
        assert finished.scores[RunName.of(row.model, row.recipe)]["score"] == row.observed
    assert "initial" not in set(table["reason"])


def test_calibration_note_counts_what_lies_within():
    table = pd.DataFrame(
        {"predicted": [1.0, 2.0, 9.0], "observed": [1.5, 3.5, 2.0], "aleatoric": 0.6, "epistemic": 0.8}
    )
    assert "3 predictions, mean absolute error 3.00 points; 1 observations lie within one" in calibration_note(table)
    assert "and 2 within two" in calibration_note(table)


def test_trace_note_says_that_the_highest_of_many_is_partly_luck():
    rows = [(1, "initial", 50.0), (2, "initial", None), (3, "optimisation", 55.0), (4, "diversity", 54.0)]
    table = pd.DataFrame(rows, columns=["evaluation", "reason", "score"])
    assert "came with run 3 of 4" in trace_note(table)
    assert "luckiest" in trace_note(table)
    assert trace_note(table.iloc[1:2]) == ""


def test_transfer_note_compares_with_pretraining_alone():
    table = pd.DataFrame({"weights": ["pre-trained", "transferred", "all runs"], "total_hours": [2.0, 1.0, 1.5]})
    assert "25 % less" in transfer_note(table)
    assert transfer_note(table.iloc[:1]) == ""


def test_comparison_averages_the_seeds_of_one_kind(finished):
    table = methods.comparison(finished)
    assert set(table["searches"]) == {"boshnas", "random", "evolution"}
    seeds = [finished.observations(f"random-{seed}")["score"].astype(float).cummax().ffill() for seed in (1, 2)]
    last = table[table["searches"] == "random"].iloc[-1]
    assert last["seeds"] == 2
    assert last["mean"] == pytest.approx(np.mean([best.iloc[-1] for best in seeds]))
    assert last["deviation"] == pytest.approx(np.std([best.iloc[-1] for best in seeds], ddof=1))


def test_searches_that_differ_in_more_than_the_seed_are_kept_apart(tmp_path):
    levels = [{"level": 1, "initial": 2, "batch": 1, "rounds": 1, "patience": 1}]
    searches = {
        "main": {},
        "again": {"seed": 1},
        "short": {"levels": levels},
        "naive": {"embedding": "naive"},
        "plain": {"models": "homogeneous", "method": "random"},
    }
    folder = ResultsFolder(MadeUpResults(tmp_path / "kinds", searches).path)
    assert methods.kinds_of_searches(folder, searches) == {
        "boshnas (main)": ["main", "again"],
        "boshnas (short)": ["short"],
        "boshnas (naive)": ["naive"],
        "random (homogeneous)": ["plain"],
    }


def test_the_comparison_shows_each_search_with_its_levels(finished):
    table = methods.search_traces(finished)
    assert list(table["search"].unique()) == finished.settings["comparison"]
    for search, rows in table.groupby("search"):
        seen = finished.observations(search)
        assert list(rows["evaluation"]) == list(range(1, len(seen) + 1))
        assert list(rows["level"]) == list(seen["level"])
        assert rows["best"].iloc[-1] == seen["score"].max()


def test_a_report_on_one_search_leaves_the_others_out(finished):
    alone = ResultsFolder(finished.path, only=["main"])
    assert len(finished.searches) > 1
    assert list(alone.rounds) == alone.searches == ["main"]
    assert set(tables.proposals(alone)["search"]) == {"main"}
    assert list(tables.searches(alone)["search"]) == ["main"]
    runs = {run.name for each in alone.rounds["main"] for run in each.runs}
    final = {run.name for finals in alone.finals.values() for run in finals}
    again = {run.name for run in alone.confirming("main")}
    assert set(alone.cards) == set(alone.scores) == runs | again | final < set(finished.cards)


def test_one_search_alone_is_not_compared(half):
    assert len(half.searches) == 1
    assert methods.search_traces(half).empty
    assert methods.comparison(half).empty


def test_architecture_lists_heads_and_feed_forward_layers(finished):
    table = figure_tables.architecture(finished)
    final = finished.finals["main"][0].architecture
    assert table["layer"].max() == final["l"]
    heads = table[table["part"] == "head"].groupby("layer").size().tolist()
    assert heads == final["n"]
    widths = table[table["part"] == "feed-forward"].groupby("layer")["width"].apply(list).tolist()
    assert widths == final["f"]


def test_half_finished_search_shows_what_is_there(half):
    assert len(tables.leaderboard(half)) == 6
    assert final_models(half).empty
    assert len(methods.trace(half)) == 6


def test_curves_are_thinned_but_keep_the_held_out_losses(tmp_path):
    made = MadeUpResults(tmp_path / "long")
    made.search("main", made.library(), rounds=1)
    path = sorted(Path(made.path).glob("models/*/scratch/curve.csv"))[0]
    steps = np.arange(1, 5001)
    held_out = np.where(steps % 777 == 0, 3.0, np.nan)
    rows = {"step": steps, "tokens": steps, "learning_rate": 1e-3, "train_loss": 3.0, "validation_loss": held_out}
    pd.DataFrame(rows).to_csv(path, index=False)
    table = figure_tables.pretraining_curves(ResultsFolder(made.path))
    mine = table[table["model"] == path.parts[-3]]
    assert len(mine) <= figure_tables.CURVE_POINTS + 6
    assert mine["validation_loss"].notna().sum() == 6
