"""The toy search on a real Slurm: `snakemake --profile slurm` gives the leaderboard of the local run."""

import shutil
import subprocess

import pandas
import pytest
from toy import run

pytestmark = [pytest.mark.slurm, pytest.mark.xdist_group("workflow")]

LEVEL = {"level": 1, "initial": 2, "batch": 1, "rounds": 2, "patience": 1, "aleatoric": 0, "parents": 2}
SHORTER = {"search": {"levels": [{**LEVEL, "parent_neighbours": 0}]}}
SITE = ["slurm_account=dev", "slurm_partition=main", "mem_mb=500", "runtime=10"]


@pytest.fixture(scope="module")
def cluster() -> None:
    """Skips, with the reason, where no Slurm answers."""
    if shutil.which("sinfo") is None:
        pytest.skip("no Slurm on this machine (sinfo is not installed)")
    answer = subprocess.run(["sinfo", "-h", "-o", "%t"], capture_output=True, text=True, timeout=60, check=False)
    if "idle" not in answer.stdout and "mix" not in answer.stdout:
        pytest.skip(f"no Slurm node is ready: {answer.stdout or answer.stderr}")


@pytest.mark.usefixtures("cluster")
def test_a_search_on_slurm_gives_the_leaderboard_of_the_local_run(tmp_path):
    options = ["--profile", "slurm", "--jobs", "8", "--slurm-init-seconds-before-status-checks", "2"]
    (tmp_path / "slurm").mkdir()
    (tmp_path / "local").mkdir()
    done = run(*options, "--default-resources", *SITE, folder=tmp_path / "slurm", changes=SHORTER)
    assert done.ok, done.text
    local = run(folder=tmp_path / "local", changes=SHORTER)
    assert local.ok, local.text
    boards = [pandas.read_csv(part.results / "search/main/leaderboard.csv") for part in (done, local)]
    pandas.testing.assert_frame_equal(*boards)
    assert "slurm" in done.text.lower()
    assert list((tmp_path / "slurm" / ".snakemake" / "slurm_logs").rglob("*.log"))
