"""Seeds, whole files, the job log, and who holds a results folder."""

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from flexibert.errors import ConfigError, UsageError
from flexibert.files import read_json, whole_file, whole_folder, write_json
from flexibert.log import Progress, job_log
from flexibert.provenance import commit
from flexibert.results_lock import HOLDER, acquire, release
from flexibert.seeds import derive_seed


def test_seeds_depend_on_the_name_alone():
    assert derive_seed(1, "finetune", "a", 2) == derive_seed(1, "finetune", "a", 2) == 3412330946
    assert len({derive_seed(root, "x", part) for root in range(20) for part in range(20)}) == 400


def fail_after(part: Path) -> None:
    part.write_text("half")
    raise RuntimeError


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "value.json"
    write_json(path, {"b": 1, "a": [1.5]})
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, {"a": float("nan")})
    with pytest.raises(RuntimeError), whole_file(path) as part:
        fail_after(part)
    assert read_json(path) == {"a": [1.5], "b": 1}
    assert [item.name for item in path.parent.iterdir()] == ["value.json"]


def test_a_folder_appears_whole_and_replaces_the_old_one(tmp_path):
    for text in ("old", "new"):
        with whole_folder(tmp_path / "made") as part:
            (part / text).write_text(text)
    assert [item.name for item in (tmp_path / "made").iterdir()] == ["new"]
    assert [item.name for item in tmp_path.iterdir()] == ["made"]


def test_a_folder_that_fails_leaves_the_old_one_and_nothing_beside_it(tmp_path):
    with whole_folder(tmp_path / "made") as part:
        (part / "old").write_text("old")
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "made") as part:
        fail_after(part / "new")
    assert [item.name for item in (tmp_path / "made").iterdir()] == ["old"]
    assert [item.name for item in tmp_path.iterdir()] == ["made"]


def test_a_mistake_of_use_ends_a_job_with_its_sentences_and_no_traceback(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught, job_log(tmp_path / "job.log"):
        raise ConfigError(["a is wrong; write b", "c is missing"], "config is not usable")
    assert caught.value.code == 1
    text = (tmp_path / "job.log").read_text()
    assert "config is not usable:\n  - a is wrong; write b\n  - c is missing" in text
    assert "Traceback" not in text + capsys.readouterr().err


def test_a_bug_keeps_its_traceback_in_the_log(tmp_path):
    with pytest.raises(ZeroDivisionError), job_log(tmp_path / "job.log"):
        _ = 1 / 0
    assert "Traceback" in (tmp_path / "job.log").read_text()


def test_progress_tells_lines_and_a_file_for_status(tmp_path, caplog):
    file = tmp_path / "progress.json"
    with caplog.at_level(logging.INFO, "flexibert.progress"):
        progress = Progress("pretrain abc", 10, file, every_seconds=0.0)
        progress.update(5, tokens_per_second=1000.0, loss=3.25)
    state = read_json(file)
    assert (state["step"], state["steps"], state["loss"], state["pid"]) == (5, 10, 3.25, os.getpid())
    assert "step 5 of 10" in caplog.text
    assert "loss 3.25" in caplog.text
    progress.close()
    assert not file.exists()


def test_a_held_folder_refuses_a_second_holder_and_says_who_has_it(tmp_path):
    code = "import time; from flexibert.results_lock import acquire; "
    code += f"acquire({str(tmp_path)!r}); print('held', flush=True); time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    with pytest.raises(UsageError, match=f"held by process {other.pid} of .* since"):
        acquire(tmp_path)
    other.kill()
    other.wait()
    acquire(tmp_path)  # a killed holder frees it
    assert read_json(tmp_path / HOLDER)["pid"] == os.getpid()
    release(tmp_path, os.getpid())
    assert list(tmp_path.iterdir()) == []


def test_a_holder_on_another_machine_counts_as_alive(tmp_path):
    holder = {"pid": 1, "started": "1", "host": "elsewhere", "user": "ada", "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    (tmp_path / HOLDER).write_text(json.dumps(holder))
    with pytest.raises(UsageError, match="process 1 of ada on elsewhere"):
        acquire(tmp_path)


def test_the_conda_environment_has_the_pinned_requirements():
    folder = Path(__file__).parents[1] / "envs"
    pinned = [line for line in (folder / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    environment = yaml.safe_load((folder / "flexibert.yaml").read_text())
    assert environment["dependencies"][-1]["pip"] == pinned
    assert all("==" in line for line in pinned)


def test_a_commit_is_told_of_this_checkout_only(tmp_path, monkeypatch):
    import flexibert.provenance

    def package_in(folder):
        (folder / "flexibert").mkdir(parents=True)
        monkeypatch.setattr(flexibert.provenance, "__file__", str(folder / "flexibert" / "provenance.py"))
        return folder

    def git(*words):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=ada", "-c", "user.email=ada@example.org", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True)

    package_in(tmp_path)
    assert commit() is None
    git("init")
    (tmp_path / "flexibert" / "provenance.py").write_text("")
    git("add", ".")
    git("commit", "-m", "First")
    head = git("rev-parse", "HEAD").stdout.strip()
    assert commit() == head
    (tmp_path / "flexibert" / "provenance.py").write_text("changed")
    assert commit() == head + "+"
    package_in(tmp_path / "site-packages")
    assert commit() is None
