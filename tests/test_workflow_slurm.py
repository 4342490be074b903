"""Slurm: what each job asks of it, and the toy search on a real one."""

import os
import shutil
from pathlib import Path

import pandas
import pytest
from toy import Done, run

pytestmark = pytest.mark.xdist_group("workflow")

LEVEL = {"level": 1, "initial": 2, "batch": 1, "rounds": 2, "patience": 1, "aleatoric": 0, "parents": 2}
# Each stage waits for the next look of the plugin at the queue, which comes ever more seldom: so no confirmation.
SHORTER = {
    "search": {"levels": [{**LEVEL, "parent_neighbours": 0}]},
    "confirm": {"models": 0, "seeds": 0},
    "baselines": [],
    "final": {"seeds": 1},
}
SITE = ["slurm_account=dev", "slurm_partition=main", "mem_mb=500", "runtime=10"]
QUICK = ["--slurm-init-seconds-before-status-checks", "2"]

SBATCH = """#!/bin/sh
# Writes down what it is asked for, an argument a line, and answers with a job's number.
number=$(($(ls "$(dirname "$0")"/asked | wc -l) + 1))
printf '%s\\n' "$@" > "$(dirname "$0")/asked/$number"
cat > "$(dirname "$0")/command-$number"
echo $number
"""
STATES = """#!/bin/sh
# Every job that was submitted has failed.
for path in "$(dirname "$0")"/asked/*; do echo "$(basename "$path")|FAILED"; done
"""
SETTINGS = """#!/bin/sh
# The controller remembers ended jobs long enough for squeue to tell of them.
echo "MinJobAge               = 300 sec"
"""
SILENT = "#!/bin/sh\n"
ANSWERS = {  # of all that Slurm's plugin calls; sacctmgr and sshare know no account, as where none are kept
    "sbatch": SBATCH,
    "squeue": STATES,
    "sacct": STATES,
    "scontrol": SETTINGS,
    **dict.fromkeys(["sinfo", "scancel", "sacctmgr", "sshare"], SILENT),
}


@pytest.fixture
def asked(tmp_path, monkeypatch) -> Path:
    """Folder with what was asked of an `sbatch` whose jobs all fail at once.

    All that is called of Slurm is replaced: the machine may have none, or another cluster, which hears nothing of it.
    """
    programs = tmp_path / "programs"
    (programs / "asked").mkdir(parents=True)
    for name, text in ANSWERS.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    for name in [name for name in os.environ if name.startswith(("SLURM_", "SNAKEMAKE_SLURM_"))]:
        monkeypatch.delenv(name)  # of a job in which the tests run, or of the site
    return programs / "asked"


def copy_without(toy: Done, folder: Path, part: str) -> None:
    """A copy of a finished search in which a part of the results is missing."""
    shutil.copytree(toy.folder, folder, symlinks=True)
    shutil.rmtree(folder / "results" / "test" / part)


@pytest.mark.workflow
def test_a_training_asks_for_its_gpu_and_its_threads_and_at_each_try_for_more(toy, tmp_path, asked):
    model = toy.read_json("search/main/best.json")["model"]
    copy_without(toy, tmp_path / "copy", f"models/{model}/final")
    jobs = {"threads": 64, "memory_mb": 1000, "largest_memory_mb": 2500, "minutes": 30, "longest_minutes": 70}
    words = [f"results/test/models/{model}/final/card.json", "--profile", "slurm", "--retries", "2", *QUICK]
    done = run(*words, "--rerun-triggers", "mtime", folder=tmp_path / "copy", changes={"jobs": jobs})
    assert done.returncode == 1
    tries = [path.read_text().splitlines() for path in sorted(asked.iterdir())]
    assert len(tries) == 3, done.text
    wanted = [("1000", "30"), ("2000", "60"), ("2500", "70")]
    assert [(words[words.index("--mem") + 1], words[words.index("-t") + 1]) for words in tries] == wanted
    for words in tries:
        assert "--gres=gpu:1" in words
        assert "--cpus-per-task=64" in words  # more than this machine has: a login node's cores are no limit
        assert words[words.index("-A") + 1] == "default"
        assert words[words.index("-p") + 1] == "main"


@pytest.mark.workflow
def test_other_jobs_ask_for_no_gpu_and_no_word_reaches_a_shell(toy, tmp_path, asked):
    copy_without(toy, tmp_path / "a copy", "library")
    account = "a>executed"  # the plugin takes spaces and commas for a list
    words = ["results/test/library/level-1/models.parquet", "--profile", "slurm", "--retries", "0", *QUICK]
    site = ["--default-resources", f"slurm_account='{account}'", "slurm_partition=main", "mem_mb=500", "runtime=10"]
    done = run(*words, "--rerun-triggers", "mtime", *site, folder=tmp_path / "a copy")
    assert done.returncode == 1
    (words,) = [path.read_text().splitlines() for path in asked.iterdir()]
    assert words[words.index("-A") + 1] == account
    assert not [word for word in words if "--gres" in word or "--gpu" in word]
    assert not [path for place in (tmp_path, tmp_path / "a copy", Path.cwd()) for path in place.glob("executed*")]


@pytest.mark.workflow
@pytest.mark.parametrize("name", ["a $(touch executed)", "a `touch executed`", 'a "b"'])
def test_a_folder_whose_name_a_shell_would_read_is_refused_on_a_cluster(tmp_path, asked, name):
    folder = tmp_path / name
    folder.mkdir()
    done = run("results/test/library/level-1/models.parquet", "--profile", "slurm", *QUICK, folder=folder)
    assert done.returncode == 1
    assert "in this name; rename the folder" in done.text
    assert list(asked.iterdir()) == []
    assert not list(tmp_path.glob("**/executed*"))


@pytest.mark.usefixtures("slurm")
def test_a_search_on_slurm_gives_the_leaderboard_of_the_local_run(tmp_path):
    options = ["--profile", "slurm", "--jobs", "8", *QUICK]
    (tmp_path / "slurm").mkdir()
    (tmp_path / "local").mkdir()
    board = "results/test/search/main/leaderboard.csv"
    done = run(board, *options, "--default-resources", *SITE, folder=tmp_path / "slurm", changes=SHORTER)
    assert done.ok, done.text
    local = run(board, folder=tmp_path / "local", changes=SHORTER)
    assert local.ok, local.text
    boards = [pandas.read_csv(part.results / "search/main/leaderboard.csv") for part in (done, local)]
    pandas.testing.assert_frame_equal(*boards)
    assert "slurm" in done.text.lower()
    assert list((tmp_path / "slurm" / ".snakemake" / "slurm_logs").rglob("*.log"))
