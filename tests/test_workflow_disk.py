"""Results that cannot be written: one sentence, nothing half-written, and nothing lost once there is room."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from toy import run

from flexibert.results_lock import HOLDER

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

KEPT_FREE = 200_000  # bytes: enough for a log, too little for weights


@contextmanager
def disk(folder: Path, options: str) -> Iterator[None]:
    """A small disk of its own at `folder`; permissions alone would not stop root."""
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_search_in_a_read_only_folder_says_so_and_leaves_nothing(tmp_path):
    results = tmp_path / "results" / "test"
    with disk(results, "ro,size=1m"):
        done = run(folder=tmp_path)
        assert list(results.iterdir()) == []
    assert done.returncode == 1
    assert "results/test: cannot be written (Read-only file system); make it writable or choose another" in done.text
    assert "Traceback" not in done.text


@pytest.mark.parametrize("place", ["results", "results/test"])
def test_a_file_in_the_place_of_the_results_is_named_and_kept(tmp_path, place):
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    done = run(folder=tmp_path)
    assert done.returncode == 1
    assert f"{place}: is a file, but results must go into a folder of this name; move the file away" in done.text
    assert "Traceback" not in done.text
    assert path.read_text() == "mine"


def fill(folder: Path, free: int) -> Path:
    """A file that takes all but `free` bytes of a disk."""
    filler = folder / "filler"
    with open(filler, "wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, shutil.disk_usage(folder).free - free)
    return filler


def test_a_full_disk_stops_a_training_with_a_sentence_and_room_lets_it_go_on(toy, tmp_path):
    results = tmp_path / "results" / "test"
    model = toy.read_json("search/main/best.json")["model"]
    weights = Path("models", model, "final", "model.safetensors")
    target = ("results/test/models/" + model + "/final/card.json", "--rerun-triggers", "mtime")
    with disk(results, "size=200m"):
        shutil.copytree(toy.results, results, dirs_exist_ok=True)
        shutil.rmtree((results / weights).parent)
        filler = fill(results, 0)
        refused = run(*target, folder=tmp_path)
        assert refused.returncode == 1
        assert "results/test: cannot be written (No space left on device); free some space" in refused.text
        assert not list(results.glob(f"{HOLDER}*"))
        filler.unlink()
        filler = fill(results, KEPT_FREE)
        failed = run(*target, folder=tmp_path)
        assert failed.returncode == 1
        log = (results / "logs" / "pretrain" / f"{model}-final.log").read_text()
        assert "the training state of step 5 could not be saved" in log
        assert "results could not be written" in log
        assert "free some space and start again, training continues where it was" in log
        assert not (results / weights).parent.exists()
        filler.unlink()
        done = run(*target, folder=tmp_path)
        assert done.ok, done.text
        assert (results / weights).read_bytes() == (toy.results / weights).read_bytes()
