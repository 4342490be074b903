"""The workflow as a user meets it: one finished toy search, and what happens after it."""

import os
import shutil
import subprocess
import sys

import pandas
import pytest
from toy import ROOT, run

from flexibert.layout import Layout
from flexibert.results_lock import HOLDER, acquire, release

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

PREPARATION = {"download", "documents", "duplicates", "tokenizer", "tokenise", "corpus"}
ROUNDS = {"observe", "propose", "search", "report"}
TRAININGS = {"pretrain", "transfer", "finetune", "glue"}


def test_a_search_leaves_models_scores_rounds_and_a_report(toy):
    table = pandas.read_csv(toy.results / "search/main/leaderboard.csv", dtype={"model": str})
    assert table["level"].notna().sum() == 4  # asked for by the search itself
    assert table["posterior"].is_monotonic_decreasing
    assert table["model"].is_unique
    assert list(table["rank"]) == list(range(1, len(table) + 1))
    for run_ in table.itertuples():
        for name in ("config.json", "model.safetensors", "card.json", "curve.csv", "cost.json"):
            assert (toy.results / "models" / run_.model / run_.recipe / name).is_file()
        if run_.trainings == 1:
            score = toy.read_json(f"glue/{run_.model}/{run_.recipe}/score.json")
            assert score["score"] == pytest.approx(run_.score, abs=1e-6)
    best = toy.read_json("search/main/best.json")
    assert best["model"] == table.loc[table["trainings"] == 3, "model"].iloc[0]
    final = toy.read_json(f"models/{best['model']}/final/card.json")
    assert (final["steps"], final["status"]) == (15, "ok")
    assert "</html>" in (toy.results / "report/index.html").read_text()


def test_a_search_is_confirmed_and_its_winner_stands_beside_a_plain_bert(toy):
    """Two candidates and their baseline by two fresh trainings each, winner and baseline by two longer ones."""
    made, best = toy.read_json("confirm/main.json"), toy.read_json("search/main/best.json")
    assert len(made["models"]) == 2
    assert best["model"] in [model["model"] for model in made["models"]]
    assert best["trainings"] == 3
    cards = [toy.read_json(f"models/{run_['model']}/{run_['recipe']}/card.json") for run_ in made["proposals"]]
    assert {(card["origin"], card["steps"]) for card in cards} == {("confirmed", 10)}
    digests = [
        (toy.results / f"models/{card['model']}/{card['recipe']}/model.safetensors").read_bytes() for card in cards
    ]
    assert len(set(digests)) == len(digests)  # each by random numbers of its own
    final, found = toy.read_json("final/main.json"), toy.read_json("evidence/main.json")
    [bert] = final["baselines"]
    assert bert["name"] == "bert"
    assert {(run_["model"], run_["recipe"]) for run_ in final["proposals"]} == {
        (model, recipe) for model in (best["model"], bert["model"]) for recipe in ("final", "final-2")
    }
    assert [row["model"] for row in toy.read_json("speed/main.json")["models"]] == [best["model"], bert["model"]]
    told = {(each["budget"], each["against"]): each for each in found["differences"]}
    assert {("search", "bert"), ("search", "runner-up"), ("final", "bert")} <= set(told)
    assert all(each["difference"]["seeds"] == [2, 2] for each in told.values() if each["first"])
    assert found["verdict"]
    table = pandas.read_csv(toy.results / "evidence/main.csv")
    assert len(table) == len(found["differences"])


def test_every_round_says_what_was_proposed_and_why(toy):
    rounds = sorted((toy.results / "search/main/level-1").glob("round-*/proposal.json"))
    assert len(rounds) >= 3
    proposals = [toy.read_json(str(path.relative_to(toy.results))) for path in rounds]
    assert [made["converged"] for made in proposals] == [False] * (len(rounds) - 1) + [True]
    for made in proposals[:-1]:
        for run_ in made["proposals"]:
            assert run_["reason"] in ("initial", "optimisation", "uncertainty", "diversity")
            assert run_["explanation"]
            assert (run_["origin"] == "transfer") == (run_["source"] is not None)


def test_every_job_has_a_log_and_training_jobs_a_benchmark(toy):
    table = pandas.read_csv(toy.results / "search/main/leaderboard.csv", dtype={"model": str})
    assert set(table["origin"]) <= {"pretrain", "transfer", "confirmed"}
    for run_ in table.itertuples():
        transferred = run_.origin == "transfer"
        stage, end = ("transfer", "step 4 of 4") if transferred else ("pretrain", "step 10 of 10")
        name = f"{run_.model}-{run_.recipe}"
        assert (toy.results / f"benchmarks/{stage}/{name}.jsonl").is_file()
        assert end in (toy.results / f"logs/{stage}/{name}.log").read_text()
        for task in ("probes-cola", "probes-stsb"):
            assert (toy.results / f"benchmarks/finetune/{name}-{task}.jsonl").is_file()
            assert "step 4 of 4" in (toy.results / f"logs/finetune/{name}-{task}.log").read_text()


def test_a_library_holds_its_files_alone_and_its_costs_are_measured_like_every_job(toy):
    library = Layout(toy.results).library.at(level=1)
    assert {str(path) for path in library.folder.path().iterdir()} == {*library.files, library.costs}
    assert (toy.results / "logs/costs/level-1.log").is_file()
    assert "costs" in set(pandas.read_csv(toy.results / "report/tables/costs.csv")["stage"])


def test_settings_and_versions_stand_beside_the_results(toy):
    versions = toy.read_json("versions.json")
    assert versions["torch"]
    assert versions["python"]
    assert "pretrain:" in (toy.results / "config.yaml").read_text()


def test_a_second_run_has_nothing_to_do(toy):
    again = run(folder=toy.folder)
    assert again.ok
    assert "Nothing to be done" in again.text


@pytest.mark.parametrize(
    ("changes", "again", "not_again"),
    [
        ({"finetune": {"epochs": 2}}, {"finetune", "glue"} | ROUNDS, {"pretrain", "transfer", "task"} | PREPARATION),
        (
            {"pretrain": {"steps": 11}},
            {"pretrain", "finetune", "glue"} | ROUNDS,
            {"task", "library", "costs"} | PREPARATION,
        ),
        ({"tasks": {"train_rows": 32}}, {"task", "finetune", "glue"} | ROUNDS, {"pretrain", "library"} | PREPARATION),
        ({"corpus": {"validation": 0.05}}, {"documents", "duplicates", "tokenizer", "propose"}, {"library"}),
        ({"library": {"dimensions": 5}}, {"library", "propose"}, {"pretrain", "finetune", "task"} | PREPARATION),
        ({"search": {"method": "random"}}, {"propose"}, {"pretrain", "finetune", "task", "library"} | PREPARATION),
        ({"confirm": {"models": 1}}, {"confirm"}, {"pretrain", "finetune", "propose", "observe"} | PREPARATION),
        ({"baselines": []}, {"confirm"}, {"pretrain", "finetune", "propose", "observe"} | PREPARATION),
        ({"report": {"leaderboard_rows": 3}}, {"report"}, {"pretrain", "finetune", "propose", "search"} | PREPARATION),
        (
            {"jobs": {"memory_mb": 3000, "minutes": 5, "threads": 2, "save_every_steps": 2}},
            set(),
            {"report", "pretrain"},
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_changed_key_makes_again_what_reads_it_and_nothing_else(toy, changes, again, not_again):
    planned = run("--dry-run", folder=toy.folder, changes=changes)
    assert planned.ok, planned.text
    if again:
        assert again <= set(planned.jobs), planned.jobs
        assert "was made with other settings" in planned.text
    else:
        assert "Nothing to be done" in planned.text
    assert not (not_again & set(planned.jobs)), planned.jobs


def test_a_larger_final_budget_trains_the_final_models_alone(toy):
    planned = run("--dry-run", folder=toy.folder, changes={"final": {"pretrain": {"steps": 20}}})
    models = len({run_["model"] for run_ in toy.read_json("final/main.json")["proposals"]})
    assert planned.jobs["pretrain"] == 2 * models  # two trainings of each
    assert planned.jobs["finetune"] == 4 * models
    assert "propose" not in planned.jobs
    assert "confirm" not in planned.jobs


def test_a_raised_revision_makes_its_stage_again(toy, monkeypatch, tmp_path):
    changed = tmp_path / "sitecustomize.py"
    changed.write_text("import flexibert.stages\nflexibert.stages.REVISION['glue'] += 1\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    planned = run("--dry-run", folder=toy.folder)
    assert "glue" in planned.jobs
    assert not ({"finetune", "pretrain"} & set(planned.jobs))


def test_snakemake_sums_up_its_files(toy):
    """One line a file: path, date, rule, log, status, plan."""
    listed = run("--summary", folder=toy.folder)
    assert listed.ok
    rows = [line.split("\t") for line in listed.text.splitlines() if line.startswith("results/test/")]
    assert {tuple(row[4:]) for row in rows} == {("ok", "no update")}
    assert all((toy.folder / row[0]).exists() for row in rows)
    assert {row[2] for row in rows} >= PREPARATION - {"download"} | ROUNDS | TRAININGS | {"library", "costs", "task"}


def test_status_tells_a_finished_search_on_one_screen(toy):
    command = [sys.executable, "-m", "flexibert.cli", "status", str(toy.results)]
    called = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "finished" in called.stdout
    assert len(called.stdout.splitlines()) < 40


@pytest.mark.parametrize("name", ["config", "test", "paper"])
def test_every_shipped_configuration_can_be_planned_offline(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    planned = run("--dry-run", folder=tmp_path, config=ROOT / "config" / f"{name}.yaml")
    assert planned.ok, planned.text
    assert "propose" in planned.jobs


def test_a_wrong_configuration_stops_before_the_first_job(tmp_path):
    done = run(folder=tmp_path, changes={"pretrain": {"mask_rat": 0.1, "steps": 0}})
    assert done.returncode == 1
    assert "unknown key 'mask_rat'; did you mean 'mask_rate'?" in done.text
    assert "pretrain.steps: 0 is less than the minimum of 1" in done.text
    assert "Traceback" not in done.text
    assert not (tmp_path / "results").exists()


def test_a_second_snakemake_refuses_and_says_who_holds_the_results(tmp_path):
    results = tmp_path / "results" / "test"
    acquire(results)
    try:
        done = run("results/test/config.yaml", folder=tmp_path)
        assert done.returncode == 1
        assert f"results/test: held by process {os.getpid()} of" in done.text
        assert not (results / "config.yaml").exists()
        assert run("--dry-run", folder=tmp_path).ok  # looking is free
    finally:
        release(results, os.getpid())
    assert run("results/test/config.yaml", folder=tmp_path).ok
    assert not (results / HOLDER).exists()


def test_results_hold_what_a_failed_candidate_said(toy, tmp_path):
    """A re-run with an absurd learning rate diverges; it is recorded, and the search and the report go on."""
    shutil.copytree(toy.folder, tmp_path / "copy", symlinks=True)
    level = {"level": 1, "initial": 2, "batch": 1, "rounds": 1, "patience": 1, "aleatoric": 1, "parents": 2}
    changes = {
        "search": {"levels": [{**level, "parent_neighbours": 0}]},
        "retune": {"pretrain": {"learning_rate": 1.0e30, "gradient_clip": None}},
    }
    done = run(folder=tmp_path / "copy", changes=changes)
    assert done.ok, done.text
    table = pandas.read_csv(done.results / "search/main/leaderboard.csv", dtype={"model": str})
    failed = table[table["status"] == "failed"]
    assert list(failed["recipe"]) == ["retuned-1"]
    assert failed["rank"].item() == len(table)
    card = done.read_json(f"models/{failed['model'].item()}/retuned-1/card.json")
    assert card["status"] == "failed"
    assert card["reason"]
    page = (done.results / "report/index.html").read_text()
    assert card["reason"].split(";")[0][:20] in page


def test_a_tokenizer_of_the_hub_is_fetched_by_a_job_of_its_own_and_used_offline(toy, tmp_path, monkeypatch):
    """The hub's own cache stands for the hub; without it the second call could not fetch anything."""
    shutil.copytree(toy.folder, tmp_path / "copy", symlinks=True)
    snapshot = tmp_path / "hub/hub/models--someone--model/snapshots/0123"
    snapshot.mkdir(parents=True)
    shutil.copy(toy.results / "tokenizer/tokenizer.json", snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs/main").write_text("0123")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    changes = {"tokenizer": {"kind": "hub", "path": "someone/model"}}
    fetched = run("--until", "download_tokenizer", folder=tmp_path / "copy", changes=changes)
    assert fetched.ok, fetched.text
    assert fetched.jobs == {"download_tokenizer": 1}
    shutil.rmtree(tmp_path / "hub")
    done = run("results/test/tokenizer/tokenizer.json", folder=tmp_path / "copy", changes=changes)
    assert done.ok, done.text
    assert done.read_json("tokenizer/tokenizer.meta.json")["kind"] == "hub"
    assert done.read_json("tokenizer/tokenizer.json") == toy.read_json("tokenizer/tokenizer.json")
    (done.results / "tokenizer/hub/tokenizer.json").unlink()
    failed = run("--until", "download_tokenizer", "--forcerun", "tokenizer", folder=tmp_path / "copy", changes=changes)
    assert failed.returncode == 1
    assert "tokenizer.path: 'someone/model' cannot be read from the Hugging Face hub" in failed.text
