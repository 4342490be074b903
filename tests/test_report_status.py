"""One screen on a search, from the files alone."""

import json
import re
import shutil
import time
from pathlib import Path

import pytest
from results_folder import MadeUpResults

from flexibert.cli import main
from flexibert.files import write_json
from flexibert.report.folder import ResultsFolder
from flexibert.report.status import is_alive, screen, search_states


@pytest.fixture
def half(half_results):
    return half_results


@pytest.fixture
def finished(finished_results, tmp_path):
    path = tmp_path / "finished"
    shutil.copytree(finished_results, path)
    return path


def put_report(path: Path) -> None:
    (path / "report").mkdir()
    (path / "report" / "index.html").write_text("<html></html>", encoding="utf-8")


def test_half_finished_search_tells_counts_jobs_best_failures_and_what_is_missing(half):
    folder = ResultsFolder(half)
    text = screen(folder, width=200, height=60)
    state = search_states(folder)[0]
    assert (state.done, state.running, state.failed) == (6, 1, 1)
    highest = max(score["score"] for score in folder.scores.values() if score["score"] is not None)
    assert state.best.belief.mean < highest  # one training each: the highest is partly luck
    counts = "6 done, 1 to score (0 tasks done), 1 failed"
    assert f"main  boshnas  level 1, round 2 of 5  best {state.best.text}  {counts}" in text
    assert "12,346 tokens/s  0:41 left  loss 5.432" in text
    assert "the loss was not finite at step 40" in text
    assert "search main (not converged)" in text
    assert ": running" in text.splitlines()[0]


def test_a_job_without_a_sign_of_life_is_told_as_stopped(half):
    lines = screen(ResultsFolder(half), width=200, height=60).splitlines()
    assert any(re.search(r"finetune .* stopped, last sign of life 1:\d\d:\d\d ago", line) for line in lines)


def test_a_job_that_has_just_begun_is_listed(tmp_path):
    made = MadeUpResults(tmp_path / "begun")
    write_json(made.path / "resume/finetune/a/scratch/cola/lease.json", {"writer": "x", "time": time.time() - 65})
    text = screen(ResultsFolder(made.path))
    assert "finetune a scratch cola  begun 1:0" in text
    assert ": running" in text.splitlines()[0]


def test_a_job_whose_process_has_ended_is_not_alive(half):
    job = next(job for job in ResultsFolder(half).progress if job["name"].startswith("pretrain"))
    assert is_alive(job, time.time())
    assert not is_alive(job | {"pid": 2**22 + 1}, time.time())
    assert is_alive(job | {"pid": 2**22 + 1, "host": "another-node"}, time.time())
    assert not is_alive(job | {"host": "another-node"}, time.time() + 3600)


def test_screen_fits_the_terminal(half):
    text = screen(ResultsFolder(half), width=60, height=24)
    assert max(map(len, text.splitlines())) <= 60
    assert len(text.splitlines()) <= 30


def test_finished_experiment_lacks_nothing(finished):
    assert "the report" in screen(ResultsFolder(finished))
    put_report(finished)
    text = screen(ResultsFolder(finished))
    assert ": finished" in text.splitlines()[0]
    assert "converged at level 2" in text
    shutil.rmtree(finished / "glue")
    assert "no score" in screen(ResultsFolder(finished))


def test_confirmation_and_final_trainings_are_counted(finished):
    text = screen(ResultsFolder(finished), width=200, height=90)
    assert re.search(r"main  candidates \(3 models\) +9 of 9\n", text)
    assert re.search(r"main  bert \(\d models\) +\d of \d\n", text)
    assert re.search(r"main  winner +3 of 3\n +main  bert +3 of 3\n", text)
    winner = json.loads((finished / "search/main/best.json").read_text(encoding="utf-8"))
    told = f"{winner['posterior']:.2f} ± {winner['posterior_deviation']:.2f} (4 trainings)  {winner['model']}"
    assert told in text
    assert "The winner" in text


def test_what_confirmation_and_evidence_lack_is_missing(finished, unconfirmed_results):
    put_report(finished)
    lacking = screen(ResultsFolder(unconfirmed_results), width=200, height=90)
    assert "the confirmation of main (candidates: 5 of 9 trainings without a score)" in lacking
    assert "main  candidates (3 models)  4 of 9" in lacking
    (finished / "evidence/main.json").unlink()
    assert "the evidence of main (not collected)" in screen(ResultsFolder(finished), height=90)
    next(finished.glob("glue/*/final-2/score.json")).unlink()
    assert "1 of 3 without a score" in screen(ResultsFolder(finished), height=90)
    (finished / "confirm/main.json").unlink()
    assert "the confirmation of main (not chosen)" in screen(ResultsFolder(finished), height=90)


def test_command_prints_the_screen_and_watching_ends_with_the_experiment(finished, capsys):
    put_report(finished)
    assert main(["status", str(finished), "--watch", "0.01"]) == 0
    assert "Best so far" in capsys.readouterr().out


def test_watching_ends_quietly_by_interrupt(half, monkeypatch, capsys):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    assert main(["status", str(half), "--watch"]) == 0
    assert "Searches" in capsys.readouterr().out


def test_no_results_folder_is_one_sentence(tmp_path, capsys):
    assert main(["status", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "not a results folder" in told


@pytest.mark.parametrize("content", ["[1, 2]", "name: mine\nseed: 1"])
@pytest.mark.parametrize("command", ["status", "report"])
def test_settings_that_are_no_experiment_s_are_told(tmp_path, capsys, command, content):
    (tmp_path / "config.yaml").write_text(content)
    assert main([command, str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "config.yaml: not all the settings of an experiment (it lacks corpus, finetune," in told
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize("seconds", ["0", "-3", "soon", "nan"])
def test_watching_wants_a_positive_number_of_seconds(half, capsys, seconds):
    with pytest.raises(SystemExit):
        main(["status", str(half), "--watch", seconds])
    assert "--watch" in capsys.readouterr().err


def test_begun_experiment_is_told_as_such(tmp_path):
    MadeUpResults(tmp_path / "begun")
    text = screen(ResultsFolder(tmp_path / "begun"))
    assert "none has begun" in text
    assert "search main (not begun)" in text
