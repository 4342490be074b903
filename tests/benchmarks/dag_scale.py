"""What Snakemake itself costs: the real rules with stand-in scripts that only write their outputs.

    python tests/benchmarks/dag_scale.py --rounds 30 --batch 10

Prints a row for each round: jobs so far, seconds a job, seconds from the end of the proposal to the start of the next
job (the DAG is evaluated again), and the memory of the Snakemake process; then the time of a dry run of the
finished search. With --folder the run is kept, and a broken one goes on where it stopped. Needs Linux (/proc).
"""

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
STAMP = re.compile(r"\[\w+ \w+ +\d+ [\d:]+ \d+\]")  # stands above each job that starts or ends

WRITE = """
import json, os
from pathlib import Path
for path in snakemake.output:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("{}") if Path(path).suffix else Path(path).mkdir(exist_ok=True)
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


def memory_mb(process: int) -> float:
    """Memory that a process holds."""
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())[1]) / 1024


def processor_seconds(process: int) -> float:
    """Processor time of a process without its children: on a busy machine it tells more than wall time."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watch(call: subprocess.Popen, log: Path) -> None:
    """Print a row a round while Snakemake runs; what it says is kept in `log`."""
    jobs, before, stamped, most = 0, 0, False, 0.0
    last = (time.perf_counter(), processor_seconds(call.pid))
    proposed: tuple[float, float] | None = None
    with open(log, "a", encoding="utf-8") as kept:
        for line in call.stdout:
            kept.write(line)
            if stamped and proposed is not None:
                now, most = (time.perf_counter(), processor_seconds(call.pid)), max(most, memory_mb(call.pid))
                pace = [(proposed[i] - last[i]) / max(1, jobs - before) for i in (0, 1)]
                again = [now[i] - proposed[i] for i in (0, 1)]
                print(
                    f"| {jobs} | {pace[0]:.2f}, {pace[1]:.2f} | {again[0]:.1f}, {again[1]:.1f} | {most:.0f} |",
                    flush=True,
                )
                before, last, proposed = jobs, now, None
            if "Finished jobid" in line:
                jobs += 1
                if "Rule: propose" in line:
                    proposed = (time.perf_counter(), processor_seconds(call.pid))
            stamped = STAMP.match(line) is not None


def main() -> None:
    """Run the search with stand-ins and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--folder", type=Path, help="keep the run here, or go on with the one that is here")
    options = parser.parse_args()
    level = {"level": 1, "initial": options.batch, "batch": options.batch, "rounds": options.rounds, "patience": 10**6}
    settings = {
        "name": "scale",
        "search": {"levels": [{**level, "aleatoric": 0, "parents": 2, "parent_neighbours": 0}]},
    }
    scratch = contextlib.nullcontext(options.folder) if options.folder else tempfile.TemporaryDirectory()
    with scratch as place:
        folder = Path(place)
        if not (folder / "Snakefile").exists():
            stand_ins(folder)
        (folder / "scale.yaml").write_text(yaml.safe_dump(settings))
        run(folder)


def run(folder: Path) -> None:
    """One call of Snakemake, and a dry run after it."""
    call = [sys.executable, "-m", "snakemake", "--configfile", "scale.yaml"]
    how = {"cwd": folder, "env": {**os.environ, "PYTHONPATH": str(ROOT)}, "text": True, "stderr": subprocess.STDOUT}
    log, start = folder / "call.log", time.perf_counter()
    print("| jobs | seconds a job (wall, Snakemake's own CPU) | seconds after the checkpoint (wall, CPU) | MB |")
    print("|---|---|---|---|", flush=True)
    with subprocess.Popen([*call], stdout=subprocess.PIPE, **how) as started:
        watch(started, log)
    if started.returncode:
        raise SystemExit(log.read_text()[-2000:])
    seconds = time.perf_counter() - start
    jobs = len(re.findall("Finished jobid", log.read_text()))
    print(f"{jobs} jobs, {seconds:.0f} wall seconds in this call, {seconds / jobs:.2f} a job")
    start = time.perf_counter()
    subprocess.run([*call, "--dry-run"], stdout=subprocess.DEVNULL, check=True, **how)
    print(f"{time.perf_counter() - start:.1f} seconds of a dry run, all done")


if __name__ == "__main__":
    main()
