"""Break a pre-training on a real Slurm in several ways: it must end with the weights of the unbroken one.

    python tests/benchmarks/slurm_faults.py scancel kill-job node-down
    python tests/benchmarks/slurm_faults.py time-limit --steps 8000
    python tests/benchmarks/slurm_faults.py out-of-memory

Needs a running Slurm (`sinfo`) with the partition `main`; the right to change a node's state for node-down; a training
of more than a minute for time-limit (Slurm's least); and for out-of-memory a Slurm that watches memory (cgroups, or
`JobAcctGatherParams=OverMemoryKill`). Prints for each fault what was asked of Slurm at each try, from which steps the
training went on, and whether the weights are equal.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy import ROOT, command, run

from flexibert.files import read_json

SITE = ["slurm_account=dev", "slurm_partition=main", "mem_mb=500", "runtime=10"]
FIRST = "results/test/search/main/level-1/round-000/proposal.json"
SECONDS_DOWN = 20


def slurm(*words: str) -> str:
    """Output of a command of Slurm."""
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60).stdout.strip()


def pretrainings() -> dict[str, tuple[str, str, str, str]]:
    """Pre-trainings that Slurm knows: number -> (state, node, memory, time limit)."""
    found = {}
    for line in slurm("squeue", "-h", "-t", "all", "-o", "%i|%T|%N|%m|%l|%k").splitlines():
        number, state, node, memory, limit, comment = line.split("|", maxsplit=5)
        if "rule_pretrain" in comment:
            found[number] = (state, node, memory, limit)
    return found


def scancel(job: str, node: str, folder: Path) -> None:
    slurm("scancel", job)


def kill_job(job: str, node: str, folder: Path) -> None:
    slurm("pkill", "-9", "-f", f"{folder}/.snakemake/scripts/.*pretrain.py")


def node_down(job: str, node: str, folder: Path) -> None:
    slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    time.sleep(SECONDS_DOWN)
    slurm("scontrol", "update", f"nodename={node}", "state=resume")


# What is done to a running job that has saved a state, and what is asked for from the start.
FAULTS: dict[str, tuple[Callable | None, dict]] = {
    "scancel": (scancel, {}),
    "kill-job": (kill_job, {}),
    "node-down": (node_down, {}),
    "time-limit": (None, {"minutes": 1, "longest_minutes": 1}),
    "out-of-memory": (None, {"memory_mb": 150}),
}


def settings(steps: int, jobs: dict) -> dict:
    """Changes to the settings of the tests."""
    every = {"save_every_steps": max(1, steps // 50), "minutes": 20, "memory_mb": 1500}
    return {"pretrain": {"steps": steps, "evaluate_every": steps // 3}, "jobs": every | jobs}


def break_once(fault: str, base: Path, folder: Path, model: str, options: argparse.Namespace) -> str:
    """Run the pre-training on Slurm, break it after its first saved state, wait for the end; returns a table row."""
    shutil.copytree(base, folder)
    act, jobs = FAULTS[fault]
    target = f"results/test/models/{model}/scratch/card.json"
    words = ["--profile", "slurm", "--jobs", "4", "--slurm-init-seconds-before-status-checks", "2"]
    words += ["--rerun-triggers", "mtime", "--default-resources", *SITE]
    states = folder / f"results/test/resume/pretrain/{model}/scratch"
    earlier, tries, ended = set(pretrainings()), {}, True
    deadline = time.monotonic() + options.patience
    with open(folder / "call.log", "w") as log:
        arguments = command(target, *words, folder=folder, changes=settings(options.steps, jobs))
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        call = subprocess.Popen(arguments, stdout=log, stderr=log, cwd=ROOT, env=environment)
        while call.poll() is None:
            time.sleep(1)
            mine = {number: job for number, job in pretrainings().items() if number not in earlier}
            tries |= {number: f"{memory}, {limit}" for number, (_, _, memory, limit) in mine.items()}
            running = [(number, node) for number, (state, node, _, _) in mine.items() if state == "RUNNING"]
            if act and running and list(states.glob("*.safetensors")):
                act(*running[0], folder)
                act = None
            if ended and time.monotonic() > deadline:
                ended = False
                call.send_signal(signal.SIGINT)  # cancels its jobs
    said = (folder / f"results/test/logs/pretrain/{model}-scratch.log").read_text()
    again = re.findall(r"going on from the state saved at step (\d+)", said)
    weights = [
        part / f"results/test/models/{model}/scratch/model.safetensors" for part in (base.parent / "local", folder)
    ]
    equal = all(path.exists() for path in weights) and weights[0].read_bytes() == weights[1].read_bytes()
    outcome = "equal" if equal else "DIFFERENT" if ended else f"NOT ENDED in {options.patience} s"
    return f"| {fault} | {'; '.join(tries.values())} | {', '.join(again) or 'none'} | {outcome} |"


def main() -> None:
    """Print a table with a row a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="+", choices=list(FAULTS))
    parser.add_argument("--steps", type=int, default=1500, help="steps of the pre-training")
    parser.add_argument("--patience", type=float, default=600, help="most seconds of one fault")
    options = parser.parse_args()
    changes = settings(options.steps, {})
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch, "base")
        base.mkdir()
        for target in (FIRST, "results/test/corpus/manifest.json"):
            done = run(target, folder=base, changes=changes)
            assert done.ok, done.text
        model = read_json(base / FIRST)["proposals"][0]["model"]
        shutil.copytree(base, Path(scratch, "local"))
        done = run(f"results/test/models/{model}/scratch/card.json", folder=Path(scratch, "local"), changes=changes)
        assert done.ok, done.text
        print("| fault | tries: memory, time limit | went on from step | weights |\n|---|---|---|---|", flush=True)
        for fault in options.faults:
            print(break_once(fault, base, Path(scratch, fault), model, options), flush=True)


if __name__ == "__main__":
    main()
