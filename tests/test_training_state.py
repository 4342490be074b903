"""States on disk: whole or not at all, checked when read, one writer at a time."""

import logging
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from flexibert.errors import UsageError
from flexibert.files import read_json, write_json
from flexibert.training.state import KEEP, StateKeeper, SupersededError, identity_of


def keeper_in(folder: Path, identity: str = "job") -> StateKeeper:
    return StateKeeper(folder, identity, every_steps=10, every_minutes=60)


def save_some(folder: Path, steps: list[int]) -> list[Path]:
    """States of `steps`; paths newest first."""
    keeper = keeper_in(folder)
    for step in steps:
        keeper.save(step, {"weight": torch.full((100,), float(step))}, {"step": step})
    return sorted(folder.glob("state-*"), reverse=True)


def test_the_newest_state_comes_back_with_its_tensors_and_facts(tmp_path):
    save_some(tmp_path, [5, 10])
    tensors, facts = keeper_in(tmp_path).newest()
    assert facts == {"step": 10}
    assert torch.equal(tensors["weight"], torch.full((100,), 10.0))


def test_only_the_newest_states_are_kept(tmp_path):
    paths = save_some(tmp_path, [1, 2, 3, 4])
    assert len(paths) == KEEP
    assert [path.name.split("-")[1] for path in paths] == ["0000000004", "0000000003"]


def test_floats_in_facts_come_back_exactly(tmp_path):
    keeper = keeper_in(tmp_path)
    value = 0.1 + 0.2
    keeper.save(1, {}, {"loss": value, "none": None})
    assert keeper.newest()[1] == {"loss": value, "none": None}


@pytest.mark.parametrize("seed", range(8))
def test_a_state_cut_at_a_random_byte_falls_back_to_the_one_before(tmp_path, seed, caplog):
    newest, _ = save_some(tmp_path, [5, 10])
    with open(newest, "r+b") as stream:
        stream.truncate(random.Random(seed).randrange(newest.stat().st_size))
    with caplog.at_level(logging.WARNING):
        _, facts = keeper_in(tmp_path).newest()
    assert facts == {"step": 5}
    assert "damaged" in caplog.text


@pytest.mark.parametrize("seed", range(4))
def test_a_state_with_a_flipped_bit_falls_back_to_the_one_before(tmp_path, seed):
    newest, _ = save_some(tmp_path, [5, 10])
    content = bytearray(newest.read_bytes())
    content[random.Random(seed).randrange(len(content))] ^= 1
    newest.write_bytes(content)
    assert keeper_in(tmp_path).newest()[1] == {"step": 5}


def test_when_every_state_is_damaged_the_job_starts_anew(tmp_path):
    for path in save_some(tmp_path, [5, 10]):
        path.write_bytes(b"")
    assert keeper_in(tmp_path).newest() is None
    assert not list(tmp_path.glob("state-*"))


def test_a_state_of_other_settings_is_not_taken_up(tmp_path):
    save_some(tmp_path, [5])
    assert keeper_in(tmp_path, identity_of(learning_rate=0.1)).newest() is None


def test_identities_tell_settings_apart_and_ignore_their_order():
    assert identity_of(a=1, b={"c": 2, "d": 3}) == identity_of(b={"d": 3, "c": 2}, a=1)
    assert identity_of(a=1) != identity_of(a=2)


def test_a_second_writer_takes_over_and_the_first_one_stops(tmp_path):
    first = keeper_in(tmp_path)
    first.save(1, {}, {"by": "first"})
    second = keeper_in(tmp_path)
    with pytest.raises(SupersededError, match="taken over"):
        first.save(2, {}, {"by": "first"})
    assert second.newest()[1] == {"by": "first"}
    second.save(3, {}, {"by": "second"})
    assert second.newest()[1] == {"by": "second"}


def test_a_new_writer_removes_half_written_states_of_others(tmp_path):
    half = tmp_path / ".state-0000000001.elsewhere-1-aa.part"
    keeper_in(tmp_path)
    half.write_bytes(b"half")
    keeper_in(tmp_path)
    assert not half.exists()


def test_a_resume_folder_that_someone_deletes_is_made_again(tmp_path):
    keeper = keeper_in(tmp_path / "resume")
    keeper.clear()
    keeper.save(1, {}, {"step": 1})
    assert keeper.newest()[1] == {"step": 1}


def test_a_lease_that_is_no_json_is_no_claim(tmp_path):
    keeper = keeper_in(tmp_path)
    keeper.lease.write_text("{")
    keeper.check_lease()
    write_json(keeper.lease, {"writer": "another"})
    with pytest.raises(SupersededError):
        keeper.check_lease()
    assert read_json(keeper.lease)["writer"] == "another"


def test_a_resume_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="resume folder cannot be written"):
        keeper_in(tmp_path / "file" / "resume")


def test_states_are_due_by_steps_and_by_time(tmp_path):
    keeper = StateKeeper(tmp_path, "job", every_steps=10, every_minutes=60)
    assert [step for step in range(1, 31) if keeper.due(step)] == [10, 20, 30]
    assert StateKeeper(tmp_path, "job", every_steps=10, every_minutes=0).due(3)


FULL_DISK = """
import logging, resource, sys, torch
from flexibert.training.state import StateKeeper
logging.basicConfig()
keeper = StateKeeper(sys.argv[1], "job", 10, 60)
keeper.save(1, {"weight": torch.zeros(10)}, {"step": 1})
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))  # the kernel refuses to write more
keeper.save(2, {"weight": torch.zeros(100_000)}, {"step": 2})
"""


def test_a_state_that_does_not_fit_is_a_warning_and_leaves_the_one_before(tmp_path):
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "the training state of step 2 could not be saved" in done.stderr
    assert keeper_in(tmp_path).newest()[1] == {"step": 1}
    assert not list(tmp_path.glob(".state-*"))
