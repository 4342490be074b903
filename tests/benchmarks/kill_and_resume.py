"""Kill a toy search at random moments and resume it: the leaderboard must equal that of an unbroken run.

    python tests/benchmarks/kill_and_resume.py --kills 10 --what all

`--what all` kills Snakemake and its jobs (a machine that goes down), `--what snakemake` Snakemake alone, so that
orphaned jobs go on while the search is resumed, `--what job` one random job.
"""

import argparse
import os
import random
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
    parser.add_argument("--longest", type=float, default=20.0, help="most seconds between start and kill")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        unbroken, broken = Path(scratch, "unbroken"), Path(scratch, "broken")
        unbroken.mkdir()
        broken.mkdir()
        assert run(folder=unbroken).ok
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        for number in range(options.kills):
            with open(broken / f"call-{number}.log", "w") as log:
                call = subprocess.Popen(command(folder=broken), stdout=log, stderr=log, cwd=ROOT, env=environment)
                wait = generator.uniform(3.0, options.longest)
                time.sleep(wait)
                hit = kill(call.pid, options.what, generator) if call.poll() is None else "nothing: it had ended"
                if options.what != "job":
                    call.wait()
            print(f"kill {number + 1}: after {wait:.1f} s, {hit}", flush=True)
            if options.what == "job":
                call.wait()
        last = run(folder=broken)
        same = last.ok and (broken / LEADERBOARD).read_bytes() == (unbroken / LEADERBOARD).read_bytes()
        print(last.text[-2000:] if not last.ok else f"leaderboards are {'equal' if same else 'DIFFERENT'}")
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
