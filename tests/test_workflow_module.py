"""The workflow as a part of another one: as a `module`, from another folder or from a git host."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from test_docs import blocks
from toy import ROOT, TEST_CONFIG, Done

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

PARTS = ("Snakefile", "workflow", "rules", "config", "envs")
HERE = str(ROOT / "workflow/Snakefile")


def write_workflow(
    folder: Path, use: str = "rule * from flexibert", prefix: str = "", source: str = repr(HERE)
) -> None:
    """A workflow of someone else, in the layout that snakedeploy makes, with the toy's settings."""
    (folder / "config").mkdir(parents=True)
    (folder / "workflow").mkdir()
    shutil.copy(TEST_CONFIG, folder / "config/config.yaml")
    (folder / "workflow/Snakefile").write_text(
        f"""
configfile: "config/config.yaml"


module flexibert:
    snakefile:
        {source}
    config:
        config
    {prefix}


use {use}
"""
    )


def call(folder: Path, *arguments: str, **environment: str) -> Done:
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        check=False,
    )
    return Done(folder, done.returncode, done.stdout)


@pytest.mark.parametrize(
    ("use", "name"),
    [("rule * from flexibert", "propose"), ("rule * from flexibert as flexibert_*", "flexibert_propose")],
)
def test_a_search_is_planned(tmp_path, use, name):
    write_workflow(tmp_path, use)
    planned = call(tmp_path, "--dry-run")
    assert planned.ok, planned.text
    assert planned.jobs[name] == 1
    assert "localrules directive" not in planned.text


@pytest.mark.parametrize(
    ("use", "place"),
    [("rule * from flexibert", ""), ("rule * from flexibert as flexibert_*", ""), ("rule * from flexibert", "deep")],
)
def test_a_finished_search_is_found_finished(toy, tmp_path, use, place):
    """All that is known only after the rounds, under other names of the rules and under a prefix."""
    folder = tmp_path / "other"
    write_workflow(folder, use, f'prefix: "{place}"' if place else "")
    shutil.copytree(toy.folder / "results", folder / place / "results")
    if not place:  # Snakemake remembers the params of each file by its path
        shutil.copytree(toy.folder / ".snakemake/metadata", folder / ".snakemake/metadata")
    planned = call(folder, "--dry-run")
    assert planned.ok, planned.text
    assert "Nothing to be done" in planned.text


def test_the_example_of_the_readme_runs_and_asks_who_holds_the_folder(tmp_path):
    folder = tmp_path / "other"
    write_workflow(folder)
    (example,) = blocks(ROOT / "README.md", "snakemake")
    (folder / "workflow/Snakefile").write_text(example)
    (folder / "config/config.yaml").write_text(yaml.safe_dump({"encoders": yaml.safe_load(TEST_CONFIG.read_text())}))
    (tmp_path / "flexibert").symlink_to(ROOT)
    results = folder / "encoders/results/test"
    made = call(folder, "encoders/results/test/config.yaml")
    assert made.ok, made.text
    assert yaml.safe_load((results / "config.yaml").read_text())["name"] == "test"
    assert not (folder / "results").exists()
    holder = {"pid": 1, "started": "1", "host": "elsewhere", "user": "ada", "since": "2023-05-01 12:00:00"}
    (results / ".holder.json").write_text(json.dumps(holder))
    refused = call(folder, "encoders/results/test/text/sotu/documents-0000.parquet")
    assert not refused.ok
    assert "held by process 1 of ada on elsewhere" in refused.text


def test_a_replaced_prefix_is_refused_in_a_sentence(tmp_path):
    write_workflow(tmp_path, prefix='replace_prefix: {"results/": "elsewhere/"}')
    refused = call(tmp_path, "--dry-run")
    assert not refused.ok
    assert "replace_prefix does not reach all files of this workflow; use prefix" in refused.text
    assert "Traceback" not in refused.text


def test_a_module_may_lie_on_a_git_host(tmp_path):
    """As snakedeploy writes it; a git setting lets a repository on this disk stand for the host."""
    repository = tmp_path / "hosts/owner/flexibert"
    repository.mkdir(parents=True)
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, repository / part)
    git = ["git", "-C", str(repository), "-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "all"], ["tag", "v1"]):
        subprocess.run([*git, *words], check=True)
    folder = tmp_path / "deployed"
    write_workflow(folder, source='github("owner/flexibert", path="workflow/Snakefile", tag="v1")')
    shutil.copytree(ROOT / "config/spaces", folder / "config/spaces")  # snakedeploy copies the folder config
    planned = call(
        folder,
        "--dry-run",
        XDG_CACHE_HOME=str(tmp_path / "cache"),
        PYTHONPATH=str(ROOT),  # the package is installed
        GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0=f"url.file://{tmp_path}/hosts/.insteadOf",
        GIT_CONFIG_VALUE_0="https://github.com/",
    )
    assert planned.ok, planned.text
    assert planned.jobs["propose"] == 1
