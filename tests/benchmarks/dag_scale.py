"""What Snakemake itself costs: the real rules with stand-in scripts that only write their outputs.

    python tests/benchmarks/dag_scale.py --rounds 30 --batch 10

Prints jobs, wall seconds a job, the time to evaluate the DAG again after the last checkpoint, the time of a dry run of
the finished search, and the peak memory of the Snakemake process.
"""

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]

WRITE = """
import json, os
from pathlib import Path
for path in snakemake.output:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).mkdir(exist_ok=True) if path.endswith("figures") else Path(path).write_text("{}")
"""
PROPOSE = """
import hashlib, json
from pathlib import Path
number, level = int(snakemake.wildcards.round), snakemake.params.level
runs = []
for place in range(level["batch"] if number < level["rounds"] else 0):
    model = hashlib.sha256(f"{number}/{place}".encode()).hexdigest()[:12]
    runs.append({"model": model, "recipe": "scratch", "architecture": {}, "origin": "pretrain", "source": None,
                 "overlap": None})
Path(snakemake.output.proposal).write_text(json.dumps({"proposals": runs, "converged": not runs}))
Path(snakemake.output.predictions).write_text("")
"""
FINAL = """
import json
from pathlib import Path
run = {"model": "0" * 12, "recipe": "final", "architecture": {}, "origin": "final", "source": None, "overlap": None}
Path(snakemake.output[0]).write_text(json.dumps({"proposals": [run]}))
"""
SCRIPTS = {"propose": PROPOSE, "final": FINAL}


def stand_ins(folder: Path) -> None:
    """A copy of the workflow whose scripts compute nothing."""
    for name in ("Snakefile", "rules", "config", "envs", "workflow/schemas", "workflow/report", "workflow/profiles"):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    (folder / "profiles").symlink_to("workflow/profiles")
    (folder / "workflow/scripts").mkdir()
    for script in (ROOT / "workflow/scripts").glob("*.py"):
        (folder / "workflow/scripts" / script.name).write_text(SCRIPTS.get(script.stem, WRITE))


def main() -> None:
    """Run the search with stand-ins and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--batch", type=int, default=10)
    options = parser.parse_args()
    level = {"level": 1, "initial": options.batch, "batch": options.batch, "rounds": options.rounds, "patience": 10**6}
    settings = {
        "name": "scale",
        "search": {"levels": [{**level, "aleatoric": 0, "parents": 2, "parent_neighbours": 0}]},
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        stand_ins(folder)
        (folder / "scale.yaml").write_text(yaml.safe_dump(settings))
        call = [sys.executable, "-m", "snakemake", "--configfile", "scale.yaml"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        start = time.perf_counter()
        done = subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        if done.returncode:
            raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        start = time.perf_counter()
        subprocess.run([*call, "--dry-run"], cwd=folder, env=environment, capture_output=True, check=True)
        dry = time.perf_counter() - start
    text = done.stdout + done.stderr
    jobs = len(re.findall(r"Finished jobid", text))
    print(f"jobs                                    {jobs}")
    print(f"wall seconds                            {seconds:.0f}")
    print(f"wall seconds a job                      {seconds / jobs:.2f}")
    print(f"seconds after the last checkpoint       {last_evaluation(text):.1f}")
    print(f"seconds of a dry run, all done          {dry:.1f}")
    print(f"peak memory of Snakemake, MB            {peak:.0f}")


def last_evaluation(text: str) -> float:
    """Seconds from the end of the last proposal to the start of the next job, from Snakemake's time stamps."""
    stamps = re.findall(r"^\[(\w+ \w+ +\d+ [\d:]+ \d+)\]\n(.*)$", text, flags=re.MULTILINE)
    times = [(datetime.strptime(stamp, "%a %b %d %H:%M:%S %Y"), line) for stamp, line in stamps]
    last = max(place for place, (_, line) in enumerate(times) if "Rule: propose" in line)
    return (times[last + 1][0] - times[last][0]).total_seconds()


if __name__ == "__main__":
    main()
