"""A table of trained candidates for `flexibert bench`, made from a results folder's text and tasks.

    python tests/benchmarks/search_table.py results/default --candidates 36 --out flexibert/search/tables

Draws candidates uniformly from a level of the results' design space, pre-trains each from scratch and fine-tunes it on
every task, all with the results' own settings, in one process on one core. The score is the mean over the tasks in
points. Every --repeat-every-th candidate is trained again with other seeds, which tells the noise. `NAME.jsonl` holds
a row a candidate, `NAME-repeats.jsonl` the repeated trainings; a second call continues.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from flexibert.config import read_yaml, resolve
from flexibert.files import read_json, read_jsonl, write_jsonl
from flexibert.seeds import derive_seed
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace
from flexibert.training.finetune import finetune
from flexibert.training.job import FinetuneJob, PretrainJob
from flexibert.training.pretrain import pretrain

ROOT = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="folder with config.yaml, corpus, tokenizer and tasks")
    parser.add_argument("--candidates", type=int, default=36)
    parser.add_argument("--repeat-every", type=int, default=8)
    parser.add_argument("--level", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="probes")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    jobs = resolve({}, ROOT)["jobs"] | {"device": "cpu", "threads": 1}
    settings = read_yaml(options.results / "config.yaml") | {"jobs": jobs}
    space = DesignSpace.from_mapping(read_yaml(Path(settings["space"])))
    drawn = space.sample(options.candidates, options.level, options.seed)
    tasks = sorted((options.results / "tasks").iterdir())
    table, repeats = (Rows(options.out / f"{options.name}{suffix}.jsonl") for suffix in ("", "-repeats"))
    for number, architecture in enumerate(drawn):
        table.add(architecture, options.seed, options.results, tasks, settings)
        if number % options.repeat_every == 0:
            repeats.add(architecture, options.seed + 1, options.results, tasks, settings)
    tell(table.rows, repeats.rows)


class Rows:
    """A JSONL file that grows by a trained candidate at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = read_jsonl(path) if path.exists() else []

    def add(self, architecture: Architecture, seed: int, results: Path, tasks: list[Path], settings: dict) -> None:
        """Train a candidate that is not in the file."""
        if architecture.id not in {row["id"] for row in self.rows}:
            self.rows.append(trained(architecture, seed, results, tasks, settings))
            write_jsonl(self.path, self.rows)


def trained(
    architecture: Architecture, seed: int, results: Path, tasks: list[Path], settings: dict[str, Any]
) -> dict[str, Any]:
    """Pre-train and fine-tune one candidate; the row of the table. Higher scores are better."""
    started = time.process_time()
    run = {"model": architecture.id, "recipe": "scratch", "architecture": architecture.to_model_dict()}
    run |= {"origin": "pretrain", "source": None, "overlap": None}
    text = {"manifest": results / "corpus/manifest.json", "tokenizer": results / "tokenizer/tokenizer.json"}
    with tempfile.TemporaryDirectory() as scratch:
        folder, resume = Path(scratch) / "model", Path(scratch) / "resume"
        job = text | {"run": run, "settings": settings["pretrain"], "model": settings["model"]}
        job |= {"seed": derive_seed(seed, "table", architecture.id, "pretrain"), "jobs": settings["jobs"]}
        pretrain(PretrainJob.from_mapping(job | {"resume": resume / "pretrain", "out": folder}))
        scores = {}
        for task in tasks:
            out = Path(scratch) / task.name
            own_seed = derive_seed(seed, "table", architecture.id, task.name)
            job = {"run_dir": folder, "task_dir": task, "settings": settings["finetune"], "jobs": settings["jobs"]}
            finetune(FinetuneJob.from_mapping(job | {"seed": own_seed, "resume": resume / task.name, "out": out}))
            scores[task.name.partition("-")[2]] = round(read_json(out / "best.json")["score"], 3)
        card = read_json(folder / "card.json")
    return {
        "id": architecture.id,
        "model": run["architecture"],
        "score": round(float(np.mean(list(scores.values()))), 4),
        "scores": scores,
        "pretraining_loss": round(card["validation_loss"], 4),
        "parameters": card["parameters"],
        "train_seconds": round(time.process_time() - started, 1),
    }


def tell(rows: list[dict[str, Any]], repeats: list[dict[str, Any]]) -> None:
    """Print the spread of the table and the noise of one training."""
    scores = {row["id"]: row["score"] for row in rows}
    differences = np.array([row["score"] - scores[row["id"]] for row in repeats])
    values = np.array(list(scores.values()))
    print(f"{len(values)} candidates, mean {values.mean():.3f}, deviation {values.std():.3f}, best {values.max():.3f}")
    if len(differences):
        print(f"noise of one training {np.sqrt(np.mean(differences**2) / 2):.3f} (from {len(differences)} repeats)")
    print(f"{np.mean([row['train_seconds'] for row in rows + repeats]):.0f} s a training")


if __name__ == "__main__":
    main()
