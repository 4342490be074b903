"""Break a pre-training on a real Slurm in several ways: it must end with the weights of the unbroken one.

    python tests/benchmarks/slurm_faults.py scancel kill-job node-down time-limit

Needs a running Slurm (`sinfo`) with the partition `main`, and the right to change a node's state for node-down.
Prints for each fault how often the job was started, from which steps it went on, and whether the weights are equal.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy import ROOT, command, run

from flexibert.files import read_json

CHANGES = {"pretrain": {"steps": 1500, "evaluate_every": 500}, "jobs": {"save_every_steps": 50, "minutes": 20}}
SITE = ["slurm_account=dev", "slurm_partition=main", "mem_mb=500", "runtime=10"]
FIRST = "results/test/search/main/level-1/round-000/proposal.json"


def shell(text: str) -> str:
    """Output of a command of Slurm."""
    return subprocess.run(text, shell=True, capture_output=True, text=True, check=False).stdout.strip()


def running_job() -> tuple[str, str]:
    """Number and node of the running pre-training."""
    for line in shell("squeue -h -t R -o '%i %N %k'").splitlines():
        number, node, comment = line.split(maxsplit=2)
        if "pretrain" in comment:
            return number, node
    raise SystemExit("the pre-training is not in Slurm's queue")


def scancel(job: str, node: str, folder: Path) -> None:
    shell(f"scancel {job}")


def kill_job(job: str, node: str, folder: Path) -> None:
    shell(f"pkill -9 -f {folder}/.snakemake/scripts/.*pretrain.py")


def node_down(job: str, node: str, folder: Path) -> None:
    shell(f"scontrol update nodename={node} state=down reason=test")
    time.sleep(20)
    shell(f"scontrol update nodename={node} state=resume")


def time_limit(job: str, node: str, folder: Path) -> None:
    shell(f"scontrol update jobid={job} timelimit=0:01")  # a minute is Slurm's unit, so it ends within one


FAULTS = {"scancel": scancel, "kill-job": kill_job, "node-down": node_down, "time-limit": time_limit}


def break_once(fault: str, base: Path, folder: Path, model: str) -> str:
    """Start the pre-training on Slurm, break it after its first saved state, wait for the end; returns a table row."""
    shutil.copytree(base, folder)
    target = f"results/test/models/{model}/scratch/card.json"
    options = ["--profile", "slurm", "--jobs", "4", "--slurm-init-seconds-before-status-checks", "2"]
    options += ["--rerun-triggers", "mtime", "--default-resources", *SITE]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with open(folder / "call.log", "w") as log:
        arguments = command(target, *options, folder=folder, changes=CHANGES)
        call = subprocess.Popen(arguments, stdout=log, stderr=log, cwd=ROOT, env=environment)
        states = folder / f"results/test/resume/pretrain/{model}/scratch"
        while call.poll() is None and not list(states.glob("*.safetensors")):
            time.sleep(1)
        if call.poll() is None:
            FAULTS[fault](*running_job(), folder)
        call.wait()
    said = (folder / f"results/test/logs/pretrain/{model}-scratch.log").read_text()
    again = re.findall(r"going on from the state saved at step (\d+)", said)
    starts = (folder / "call.log").read_text().count("has been submitted")
    weights = [
        part / f"results/test/models/{model}/scratch/model.safetensors" for part in (base.parent / "local", folder)
    ]
    equal = all(path.exists() for path in weights) and weights[0].read_bytes() == weights[1].read_bytes()
    return f"| {fault} | {starts} | {', '.join(again) or 'none'} | {'equal' if equal else 'DIFFERENT'} |"


def main() -> None:
    """Print a table with a row a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="+", choices=list(FAULTS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch, "base")
        base.mkdir()
        for target in (FIRST, "results/test/corpus/manifest.json"):
            done = run(target, folder=base, changes=CHANGES)
            assert done.ok, done.text
        model = read_json(base / FIRST)["proposals"][0]["model"]
        shutil.copytree(base, Path(scratch, "local"))
        done = run(f"results/test/models/{model}/scratch/card.json", folder=Path(scratch, "local"), changes=CHANGES)
        assert done.ok, done.text
        print("| fault | times submitted | went on from step | weights |\n|---|---|---|---|")
        for fault in options.faults:
            print(break_once(fault, base, Path(scratch, fault), model), flush=True)


if __name__ == "__main__":
    main()
