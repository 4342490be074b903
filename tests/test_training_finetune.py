"""Fine-tuning as a job: results, resumption within an epoch and between trials, failures."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from training_inputs import FINETUNE, JOBS, RUN, contents, finetune_job, pretrain_job, write_corpus, write_task

from flexibert.data.tasks import TaskData
from flexibert.encoder.checkpoint import load_model
from flexibert.errors import SearchError, TaskError
from flexibert.evidence.differences import difference_of_answers
from flexibert.evidence.resampled import TaskAnswers, task_scores
from flexibert.files import read_json, write_json
from flexibert.training.finetune import finetune, score
from flexibert.training.hardware import Hardware
from flexibert.training.job import FinetuneJob, PretrainJob
from flexibert.training.labelled import Epochs, by_length, inputs_of
from flexibert.training.pretrain import pretrain

PATIENCE = 300.0  # seconds for another process to get going, on however busy a machine
CPU = Hardware(torch.device("cpu"), "float32", threads=1)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory) -> Path:
    """A trained run."""
    folder = tmp_path_factory.mktemp("run")
    pretrain(PretrainJob.from_mapping(pretrain_job(write_corpus(folder), folder)))
    return folder / "out"


@pytest.fixture(scope="module")
def task_dir(tmp_path_factory) -> Path:
    return write_task(tmp_path_factory.mktemp("task"))


def tune(run_dir: Path, task_dir: Path, folder: Path, seed: int = 5, jobs=JOBS, test: bool = False, **settings) -> Path:
    """Fine-tune in `folder`; returns the folder of the results."""
    job = finetune_job(run_dir, task_dir, folder, settings=FINETUNE | settings, seed=seed, jobs=jobs, test=test)
    finetune(FinetuneJob.from_mapping(job))
    return folder / "out"


def test_a_run_is_scored_and_its_state_removed(run_dir, task_dir, tmp_path):
    out = tune(run_dir, task_dir, tmp_path)
    best = read_json(out / "best.json")
    assert (best["model"], best["recipe"], best["task"]) == (RUN["model"], "scratch", "made-classes")
    assert (best["status"], best["reason"], best["trial"]) == ("ok", None, 0)
    assert best["score"] == pytest.approx(np.mean(list(best["metrics"].values())))
    assert best["hyperparameters"]["learning_rate"] == pytest.approx(10**-2.5)
    assert best["epoch"] in (1, 2)
    assert {path.name for path in out.iterdir()} == {"best.json", "trials.csv", "cost.json"}
    assert not (tmp_path / "resume").exists()
    assert read_json(out / "cost.json")["tokens_per_second"] > 0


def test_it_learns_a_simple_task(run_dir, tmp_path):
    task = write_task(tmp_path, rows=300)
    best = read_json(
        tune(run_dir, task, tmp_path, epochs=8, patience=8, batch=[16], learning_rate=[2e-2, 2e-2]) / "best.json"
    )
    majority = 100 * max(np.bincount(TaskData.load(task, "validation").labels)) / 300
    assert best["metrics"]["accuracy"] > majority + 15


def test_it_learns_a_simple_regression(run_dir, tmp_path):
    task = write_task(tmp_path, regression=True, rows=300)
    best = read_json(
        tune(run_dir, task, tmp_path, epochs=8, patience=8, batch=[16], learning_rate=[2e-2, 2e-2]) / "best.json"
    )
    assert set(best["metrics"]) == {"pearson", "spearman"}
    assert best["score"] > 50


def test_equal_jobs_give_equal_bytes(run_dir, task_dir, tmp_path):
    first, second = (tune(run_dir, task_dir, tmp_path / name) for name in "ab")
    assert contents(first) == contents(second)


JOB = """
import json, sys
from flexibert.training.finetune import finetune
from flexibert.training.job import FinetuneJob
finetune(FinetuneJob.from_mapping(json.loads(sys.argv[1])))
"""


def killed_when(condition, run_dir: Path, task_dir: Path, folder: Path, settings: dict, jobs: dict) -> None:
    """Start the job in a process of its own and kill it as soon as its resume folder meets the condition."""
    started = finetune_job(run_dir, task_dir, folder, settings=FINETUNE | settings, jobs=jobs)
    with subprocess.Popen([sys.executable, "-c", JOB, json.dumps(started)]) as job:
        deadline = time.monotonic() + PATIENCE
        while not condition(folder / "resume") and time.monotonic() < deadline and job.poll() is None:
            time.sleep(0.005)
        job.send_signal(signal.SIGKILL)
    assert job.returncode == -signal.SIGKILL
    assert not (folder / "out").exists()


def test_a_job_killed_within_an_epoch_goes_on_to_the_same_bytes(run_dir, task_dir, tmp_path):
    settings = {"epochs": 10, "patience": 10, "keep_weights": True}  # 8 steps an epoch
    unbroken = tune(run_dir, task_dir, tmp_path / "unbroken", **settings)
    jobs = JOBS | {"save_every_steps": 5}
    killed_when(
        lambda resume: len(list(resume.glob("state-*"))) > 1, run_dir, task_dir, tmp_path / "killed", settings, jobs
    )
    resumed = tune(run_dir, task_dir, tmp_path / "killed", jobs=jobs, **settings)
    assert contents(resumed) == contents(unbroken)


def test_a_job_killed_between_trials_goes_on_to_the_same_trials(run_dir, task_dir, tmp_path):
    settings = {"trials": 4, "keep_weights": True, "batch": [4, 8]}
    unbroken = tune(run_dir, task_dir, tmp_path / "unbroken", **settings)
    killed_when(
        lambda resume: (resume / "trials.json").exists(), run_dir, task_dir, tmp_path / "killed", settings, JOBS
    )
    resumed = tune(run_dir, task_dir, tmp_path / "killed", **settings)
    assert contents(resumed) == contents(unbroken)
    assert (resumed / "trials.csv").read_text().count("\n") == 5


def test_of_two_jobs_on_one_result_the_older_stops_and_the_newer_writes(run_dir, task_dir, tmp_path):
    """A job of a killed search still runs when the resumed search starts the same job again."""
    settings = {"epochs": 15, "patience": 15}
    jobs = JOBS | {"save_every_steps": 10}
    started = json.dumps(finetune_job(run_dir, task_dir, tmp_path, settings=FINETUNE | settings, jobs=jobs))
    with subprocess.Popen([sys.executable, "-c", JOB, started], stderr=subprocess.PIPE, text=True) as older:
        deadline = time.monotonic() + PATIENCE
        while not list((tmp_path / "resume").glob("state-*")) and time.monotonic() < deadline:
            time.sleep(0.005)
        out = tune(run_dir, task_dir, tmp_path, jobs=jobs, **settings)
        said = older.stderr.read()
    assert older.returncode != 0
    assert "SupersededError" in said
    assert contents(out) == contents(tune(run_dir, task_dir, tmp_path / "alone", **settings))
    assert not list(tmp_path.glob(".*"))


def test_a_failed_run_is_carried_on_without_training(run_dir, task_dir, tmp_path):
    failed = tmp_path / "run"
    failed.mkdir()
    for name in ("config.json", "model.safetensors"):
        (failed / name).write_bytes((run_dir / name).read_bytes())
    write_json(failed / "card.json", read_json(run_dir / "card.json") | {"status": "failed", "reason": "diverged: why"})
    out = tune(failed, task_dir, tmp_path)
    best = read_json(out / "best.json")
    assert (best["status"], best["score"], best["reason"]) == ("failed", None, "diverged: why")
    assert (out / "trials.csv").read_text() == "number,state,score,learning_rate,batch,epochs\n"


def test_a_fine_tuning_that_diverges_is_a_failed_score(run_dir, task_dir, tmp_path):
    out = tune(run_dir, task_dir, tmp_path, learning_rate=[1e30, 1e30], gradient_clip=None, keep_weights=True)
    best = read_json(out / "best.json")
    assert (best["status"], best["score"]) == ("failed", None)
    assert "trial 0 diverged" in best["reason"]
    assert "0,failed,,1e+30,8," in (out / "trials.csv").read_text()


def test_kept_weights_give_the_score_that_is_told(run_dir, task_dir, tmp_path):
    out = tune(run_dir, task_dir, tmp_path, keep_weights=True, epochs=4)
    network = load_model(out / "model", head="classification").eval()
    data = TaskData.load(task_dir, "validation")
    with torch.inference_mode():
        assert score(network, data, ["accuracy", "f1"], CPU)["score"] == read_json(out / "best.json")["score"]
    assert read_json(out / "model" / "config.json")["id2label"] == {"0": "no", "1": "yes"}


def test_the_best_trial_is_scored_on_the_rows_kept_away_by_its_answers(run_dir, task_dir, tmp_path):
    out = tune(run_dir, task_dir, tmp_path, test=True, keep_weights=True, trials=3, epochs=3)
    told = read_json(out / "best.json")["test"]
    network = load_model(out / "model", head="classification").eval()
    with torch.inference_mode():
        expected = score(network, TaskData.load(task_dir, "test"), ["accuracy", "f1"], CPU)
    assert told == {"score": expected.pop("score"), "metrics": expected, "rows": 60}
    answers = TaskAnswers.load([out / "answers.npz"])
    assert answers.metrics == ["accuracy", "f1"]
    assert task_scores(answers, np.ones((1, 60)))[0, 0] == pytest.approx(told["score"])
    assert np.array_equal(answers.labels, TaskData.load(task_dir, "test").labels)


def test_only_a_job_that_is_asked_to_touches_the_rows_kept_away(run_dir, task_dir, tmp_path):
    tested = tune(run_dir, task_dir, tmp_path / "tested", test=True)
    assert {path.name for path in tested.iterdir()} == {"best.json", "trials.csv", "cost.json", "answers.npz"}
    task = tmp_path / "task"
    shutil.copytree(task_dir, task)
    (task / "test.npz").unlink()
    plain = tune(run_dir, task, tmp_path / "tested")
    assert not (plain / "answers.npz").exists()
    with pytest.raises(TaskError, match=r"test\.npz: no such file; set tasks\.test_share above 0"):
        tune(run_dir, task, tmp_path / "asked", test=True)
    one, other = read_json(tested / "best.json"), read_json(plain / "best.json")
    assert other["test"] is None
    assert one["score"] == other["score"]


def test_answers_of_several_trainings_are_joined_and_must_be_to_the_same_rows(run_dir, task_dir, tmp_path):
    files = [tune(run_dir, task_dir, tmp_path / str(seed), seed=seed, test=True) / "answers.npz" for seed in (1, 2)]
    assert TaskAnswers.load(files).outputs.shape == (2, 60, 2)
    assert difference_of_answers(*[{"made": TaskAnswers.load(files)}] * 2, seed=0, resamples=50).mean == 0
    longer = tune(run_dir, write_task(tmp_path, rows=80), tmp_path / "longer", test=True) / "answers.npz"
    with pytest.raises(SearchError, match=r"longer.*answers other rows than"):
        TaskAnswers.load([*files, longer])


def test_the_score_is_that_of_the_best_epoch(run_dir, task_dir, tmp_path, monkeypatch):
    scores = iter([40.0, 70.0, 60.0])
    each_epoch = (dict.fromkeys(("score", "accuracy", "f1"), points) for points in scores)
    monkeypatch.setattr("flexibert.training.finetune.score", lambda *_: next(each_epoch))
    best = read_json(tune(run_dir, task_dir, tmp_path, epochs=3, patience=3) / "best.json")
    assert (best["score"], best["epoch"]) == (70.0, 2)
    assert best["metrics"] == {"accuracy": 70.0, "f1": 70.0}


def test_it_stops_after_epochs_without_a_better_score(run_dir, task_dir, tmp_path):
    """A rate of nearly nothing never changes the score: the second epoch is the last."""
    out = tune(run_dir, task_dir, tmp_path, learning_rate=[1e-12, 1e-12], epochs=9, patience=1)
    assert read_json(out / "best.json")["epoch"] == 1
    assert (out / "trials.csv").read_text().splitlines()[1].endswith(",2")


def test_padding_and_grouping_do_not_change_the_outputs(run_dir, task_dir):
    """One row alone, unpadded, as the slow reference."""
    torch.manual_seed(0)
    network = load_model(run_dir, head="classification", labels=2).eval()
    data = TaskData.load(task_dir, "validation")
    with torch.inference_mode():
        for rows in by_length(data, 25):
            inputs = inputs_of(data, rows)
            labels = inputs.pop("labels")
            together = network(**inputs).logits
            assert torch.equal(labels, torch.from_numpy(data.labels[rows]))
            for place, row in enumerate(rows):
                alone = inputs_of(data, np.array([row]))
                assert "attention_mask" not in alone
                torch.testing.assert_close(network(alone["input_ids"]).logits[0], together[place], rtol=1e-4, atol=1e-5)


def test_an_epoch_holds_every_row_once_in_a_new_order(task_dir):
    data = TaskData.load(task_dir, "train")
    epochs = Epochs(data, batch=8, micro_batch=3, seed=1)
    assert epochs.steps == 8
    seen = []
    for epoch in range(2):
        batches = [epochs.micro_batches(epoch * 8 + place + 1) for place in range(8)]
        assert all(sum(piece.share for piece in batch) == pytest.approx(1.0) for batch in batches)
        assert sum(piece.tokens for batch in batches for piece in batch) == len(data.input_ids)
        seen.append(np.concatenate([piece.inputs["labels"].numpy() for batch in batches for piece in batch]))
    assert sorted(seen[0]) == sorted(data.labels)
    assert not np.array_equal(*seen)
    again = Epochs(data, batch=8, micro_batch=3, seed=1).micro_batches(12)
    assert torch.equal(again[0].inputs["input_ids"], epochs.micro_batches(12)[0].inputs["input_ids"])


def test_rows_of_like_length_stand_together(task_dir):
    data = TaskData.load(task_dir, "train")
    epochs = Epochs(data, batch=8, micro_batch=8, seed=1)
    padded = sum(piece.inputs["input_ids"].numel() for step in range(1, 9) for piece in epochs.micro_batches(step))
    assert padded < 1.15 * len(data.input_ids)
