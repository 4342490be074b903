"""Pre-training and transfer as jobs: results, resumption, divergence, several processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training_inputs import JOBS, MODEL, PRETRAIN, RUN, VOCABULARY, contents, pretrain_job, write_corpus

from flexibert.encoder.checkpoint import load_model
from flexibert.errors import ConfigError, UsageError
from flexibert.files import file_digest, read_json, write_json
from flexibert.settings import PretrainSettings
from flexibert.training.job import PretrainJob
from flexibert.training.pretrain import Text, pretrain
from flexibert.training.results import whole_results
from flexibert.training.state import StateKeeper, SupersededError, identity_of
from flexibert.training.transferred import transfer_run

PATIENCE = 300.0  # seconds for another process to get going, on however busy a machine
FILES = {"config.json", "model.safetensors", "card.json", "curve.csv", "cost.json"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("data"))


def train(corpus, folder: Path, run=RUN, seed: int = 3, jobs=JOBS, model=MODEL, **settings) -> Path:
    """Pre-train in `folder`; returns the folder of the results."""
    own = {"run": run, "settings": PRETRAIN | settings, "model": model, "seed": seed, "jobs": jobs}
    pretrain(PretrainJob.from_mapping(pretrain_job(corpus, folder, **own)))
    return folder / "out"


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """A finished run."""
    return train(corpus, tmp_path_factory.mktemp("trained"))


def test_a_run_leaves_its_files_and_no_state(trained):
    assert {path.name for path in trained.iterdir()} == FILES
    assert not (trained.parent / "resume").exists()
    assert not list(trained.parent.glob(".*"))


def test_the_card_tells_what_was_done(trained):
    card = read_json(trained / "card.json")
    weights = load_file(trained / "model.safetensors")
    assert {key: card[key] for key in RUN} == RUN
    assert (card["status"], card["reason"], card["steps"], card["tokens"]) == ("ok", None, 12, 12 * 8 * 16)
    assert card["parameters"] == sum(value.numel() for value in weights.values())
    assert load_model(trained, head="masked_lm").settings.vocab_size == VOCABULARY


def test_the_curve_ends_where_the_card_does(trained):
    header, *rows = (trained / "curve.csv").read_text().splitlines()
    assert header == "step,tokens,learning_rate,train_loss,validation_loss"
    assert [row.split(",")[0] for row in rows] == ["5", "10", "12"]
    assert float(rows[-1].split(",")[-1]) == pytest.approx(read_json(trained / "card.json")["validation_loss"])


def test_the_cost_is_told(trained):
    cost = read_json(trained / "cost.json")
    assert cost["device"] == "cpu"
    assert cost["energy_joules"] is None
    assert cost["peak_memory_mb"] > 50
    assert cost["tokens_per_second"] == pytest.approx(12 * 8 * 16 / cost["seconds"], rel=0.01)


def test_it_learns_what_follows_what(corpus, tmp_path):
    settings = {"steps": 100, "batch": 16, "micro_batch": 16, "learning_rate": 3e-2}
    card = read_json(train(corpus, tmp_path, model=MODEL | {"dropout": 0.0}, **settings) / "card.json")
    assert card["validation_loss"] < 0.85 * np.log(VOCABULARY - 5)  # the frequencies of the tokens alone give 1.0


def test_equal_jobs_give_equal_bytes_and_other_seeds_other_weights(corpus, trained, tmp_path):
    again = train(corpus, tmp_path / "again")
    assert contents(again) == contents(trained)
    other = train(corpus, tmp_path / "other", seed=4)
    assert contents(other)["model.safetensors"] != contents(trained)["model.safetensors"]


def test_the_micro_batch_changes_nothing_but_rounding(corpus, tmp_path):
    """Without dropout, whose draws are of a micro-batch."""
    still = MODEL | {"dropout": 0.0}
    whole = train(corpus, tmp_path / "whole", model=still, micro_batch=8)
    pieces = train(corpus, tmp_path / "pieces", model=still, micro_batch=2)
    assert_nearly_equal(whole, pieces)


JOB = """
import json, sys
from flexibert.training.job import PretrainJob
from flexibert.settings import PretrainSettings
from flexibert.training.job import PretrainJob
from flexibert.training.pretrain import pretrain
pretrain(PretrainJob.from_mapping(json.loads(sys.argv[1])))
"""


def test_a_job_killed_with_sigkill_goes_on_to_the_same_bytes(corpus, tmp_path):
    steps = {"steps": 60, "evaluate_every": 25}
    unbroken = train(corpus, tmp_path / "unbroken", **steps)
    folder = tmp_path / "killed"
    jobs = JOBS | {"save_every_steps": 4}
    started = pretrain_job(corpus, folder, settings=PRETRAIN | steps, jobs=jobs)
    with subprocess.Popen([sys.executable, "-c", JOB, json.dumps(started)]) as job:
        deadline = time.monotonic() + PATIENCE
        while not list((folder / "resume").glob("state-*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        job.send_signal(signal.SIGKILL)
    assert job.returncode == -signal.SIGKILL
    assert not (folder / "out").exists()
    assert contents(train(corpus, folder, jobs=jobs, **steps)) == contents(unbroken)


def test_states_of_other_settings_are_not_taken_up(corpus, tmp_path):
    """A resume folder left by a job whose learning rate was then changed."""

    def killed_late(keeper_jobs):
        return train(corpus, tmp_path, jobs=keeper_jobs, learning_rate=1e-3)

    expected = contents(train(corpus, tmp_path / "fresh", learning_rate=2e-3))
    out = tmp_path / "out"
    out.mkdir()
    out.chmod(0o500)  # the first job trains, saves and cannot write its results
    if os.access(out, os.W_OK):
        out.rmdir()
        out.write_text("a file where a folder is needed")
    with pytest.raises(UsageError, match="could not be written"):
        killed_late(JOBS | {"save_every_steps": 4})
    assert list((tmp_path / "resume").glob("state-*"))
    out.unlink() if out.is_file() else out.rmdir()
    assert contents(train(corpus, tmp_path, learning_rate=2e-3)) == expected


def test_an_absurd_learning_rate_is_a_failed_run_not_a_failed_job(corpus, tmp_path):
    out = train(corpus, tmp_path, steps=60, learning_rate=1e30, gradient_clip=None)
    card = read_json(out / "card.json")
    assert card["status"] == "failed"
    assert card["reason"].startswith("diverged: the ")
    assert card["steps"] < 60
    assert all(value.isfinite().all() for value in load_file(out / "model.safetensors").values())
    assert {path.name for path in out.iterdir()} == FILES


def assert_nearly_equal(left: Path, right: Path) -> None:
    ours, theirs = load_file(left / "model.safetensors"), load_file(right / "model.safetensors")
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.slow
def test_two_processes_train_what_one_would(corpus, trained, tmp_path):
    """With dropout: its draws belong to the micro-batch, whichever process computes it."""
    out = train(corpus, tmp_path, devices=2)
    assert_nearly_equal(trained, out)
    one, two = (read_json(folder / "card.json") for folder in (trained, out))
    assert two["validation_loss"] == pytest.approx(one["validation_loss"], rel=1e-4)
    assert {key: two[key] for key in ("status", "steps", "tokens")} == {
        key: one[key] for key in ("status", "steps", "tokens")
    }
    assert read_json(out / "cost.json")["devices"] == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_an_error_of_use(corpus, tmp_path):
    with pytest.raises(ConfigError, match=r"jobs\.device: cuda"):
        train(corpus, tmp_path, jobs=JOBS | {"device": "cuda"})


def test_every_model_is_measured_on_the_same_held_out_sequences(corpus):
    first, second = (
        list(Text(*corpus, PretrainSettings.from_mapping(PRETRAIN)).held_out_micro_batches()) for _ in range(2)
    )
    assert len(first) == 4
    for (left, count), (right, _) in zip(first, second, strict=True):
        assert torch.equal(left["input_ids"], right["input_ids"])
        assert count == int((left["labels"] != -100).sum())


def test_shares_of_a_step_sum_to_one_by_predicted_tokens(corpus):
    pieces = Text(*corpus, PretrainSettings.from_mapping(PRETRAIN)).micro_batches(1, seed=5)
    counts = [int((piece.inputs["labels"] != -100).sum()) for piece in pieces]
    assert [piece.share for piece in pieces] == pytest.approx([count / sum(counts) for count in counts])


def test_a_job_is_named_by_what_decides_its_result_alone(corpus, tmp_path):
    """States of jobs that were saved before keep their names: the digest is of the plain settings."""
    manifest, tokenizer = corpus
    job = PretrainJob.from_mapping(pretrain_job(corpus, tmp_path))
    parts = {"run": RUN, "settings": PRETRAIN, "model": MODEL, "seed": 3, "revision": 7}
    digests = {"manifest": file_digest(manifest), "tokenizer": file_digest(tokenizer)}
    assert job.identity(7) == identity_of(**parts, **digests)
    elsewhere = pretrain_job(corpus, tmp_path / "elsewhere", jobs=JOBS | {"threads": 2})
    assert PretrainJob.from_mapping(elsewhere).identity(7) == job.identity(7)
    assert PretrainJob.from_mapping(pretrain_job(corpus, tmp_path, seed=4)).identity(7) != job.identity(7)


def test_a_job_comes_back_from_json_as_it_was(corpus, tmp_path):
    job = PretrainJob.from_mapping(pretrain_job(corpus, tmp_path))
    assert PretrainJob.from_mapping(json.loads(json.dumps(job.to_mapping()))) == job


def transferred(corpus, source: Path, folder: Path, steps: int, architecture: dict) -> dict:
    origin = {"model": RUN["model"], "recipe": "scratch"}
    run = RUN | {"architecture": architecture, "recipe": "from-00000000", "origin": "transfer", "source": origin}
    transfer_run(PretrainJob.from_mapping(pretrain_job(corpus, folder, run=run)), source, "ordered", steps)
    return read_json(folder / "out" / "card.json")


def test_a_transfer_to_the_same_architecture_takes_all_weights(corpus, trained, tmp_path):
    card = transferred(corpus, trained, tmp_path, 0, RUN["architecture"])
    assert card["overlap"] == 1.0
    assert (card["steps"], card["tokens"], card["train_loss"]) == (0, 0, None)
    assert card["validation_loss"] == pytest.approx(read_json(trained / "card.json")["validation_loss"])
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (tmp_path / "out", trained))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_transfer_to_a_neighbour_may_be_trained_on(corpus, trained, tmp_path):
    neighbour = RUN["architecture"] | {"f": [[16], [24, 16]]}
    card = transferred(corpus, trained, tmp_path, 6, neighbour)
    assert 0.5 < card["overlap"] < 1.0
    assert (card["status"], card["steps"]) == ("ok", 6)
    assert (tmp_path / "out" / "curve.csv").read_text().count("\n") == 3  # header, steps 5 and 6


def test_results_that_cannot_be_written_are_told_in_a_sentence(corpus, tmp_path):
    (tmp_path / "out").write_text("a file where the results should go")
    with pytest.raises(UsageError, match="results could not be written"):
        train(corpus, tmp_path)
    assert not list(tmp_path.glob(".out*"))


def test_a_job_that_was_taken_over_leaves_no_result(corpus, tmp_path):
    """A twin claims the resume folder while the job runs, as a resumed search does."""
    old = StateKeeper(tmp_path / "resume", "job", 10, 60)
    StateKeeper(tmp_path / "resume", "job", 10, 60)

    def write() -> None:
        with whole_results(tmp_path / "out", old) as folder:
            write_json(folder / "card.json", {})

    with pytest.raises(SupersededError):
        write()
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "resume").exists()
