"""Kill a toy search at random moments and resume it: the leaderboard must equal that of an unbroken run.

    python tests/benchmarks/kill_and_resume.py --kills 10 --what all

`--what all` kills Snakemake and its jobs (a machine that goes down), `--what snakemake` Snakemake alone, so that
orphaned jobs go on while the search is resumed, `--what job` one random job.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy import ROOT, command, run

LEADERBOARD = Path("results/test/search/main/leaderboard.csv")


def children(process: int) -> list[int]:
    """All processes started by a process, and by those."""
    found = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True, check=False).stdout.split()
    return [child for text in found for child in (int(text), *children(int(text)))]


def kill(process: int, what: str, generator: random.Random) -> str:
    """Send SIGKILL as asked; returns what was hit."""
    below = children(process)
    targets = {"all": [process, *below], "snakemake": [process], "job": [generator.choice(below)] if below else []}[
        what
    ]
    for target in targets:
        try:
            os.kill(target, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return f"{len(targets)} of {1 + len(below)} processes"


def main() -> int:
    """Compare a killed and resumed search with an unbroken one; exits 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--what", choices=["all", "snakemake", "job"], default="all")
    parser.add_argument("--longest", type=float, default=12.0, help="most seconds between start and kill")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        unbroken, broken = Path(scratch, "unbroken"), Path(scratch, "broken")
        unbroken.mkdir()
        assert run(folder=unbroken).ok
        wanted = (unbroken / LEADERBOARD).read_bytes()
        kills, searches, same = 0, 0, True
        while kills < options.kills or broken.exists():
            broken.mkdir(exist_ok=True)
            hit = call_and_kill(broken, options, generator, kills < options.kills)
            kills += hit is not None
            if hit is not None:
                print(f"kill {kills}: {hit}", flush=True)
            else:  # it came to its end
                equal = (broken / LEADERBOARD).read_bytes() == wanted
                searches, same = searches + 1, same and equal
                print(f"search {searches} ended, its leaderboard is {'equal' if equal else 'DIFFERENT'}", flush=True)
                shutil.rmtree(broken)
    return 0 if same else 1


def call_and_kill(folder: Path, options: argparse.Namespace, generator: random.Random, killing: bool) -> str | None:
    """Start or resume the search and kill it after a while; returns what was hit, or None where the search ended."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with open(folder / "call.log", "w") as log:
        call = subprocess.Popen(command(folder=folder), stdout=log, stderr=log, cwd=ROOT, env=environment)
        wait = generator.uniform(3.0, options.longest)
        hit = None
        try:
            call.wait(wait if killing else None)
        except subprocess.TimeoutExpired:
            while options.what == "job" and call.poll() is None and not children(call.pid):
                time.sleep(0.02)
            if call.poll() is None:
                hit = f"after {wait:.1f} s, {kill(call.pid, options.what, generator)}"
                call.wait()
    if hit is None and call.returncode:
        raise SystemExit((folder / "call.log").read_text()[-2000:])
    return hit


if __name__ == "__main__":
    raise SystemExit(main())
