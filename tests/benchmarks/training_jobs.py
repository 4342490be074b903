"""What one training job costs besides its training, and what it costs at the size of the embedded default.

    OMP_NUM_THREADS=1 python tests/benchmarks/training_jobs.py

All times are CPU seconds of one core. Start-up is the import in a fresh interpreter; jobs run in this one, at the
settings of config/config.yaml on made-up text and rows; a state is that of BERT-Mini with the paper's vocabulary
(weights and two moments).
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
import yaml

from flexibert.encoder.named import NAMED_MODELS
from flexibert.encoder.network import MaskedLanguageModel
from flexibert.encoder.settings import EncoderSettings
from flexibert.training.finetune import finetune
from flexibert.training.job import FinetuneJob, PretrainJob
from flexibert.training.optimiser import AdamW, OptimiserSettings
from flexibert.training.pretrain import pretrain
from flexibert.training.state import StateKeeper

sys.path.insert(0, str(Path(__file__).parents[1]))
from training_inputs import RUN, write_corpus, write_task

SETTINGS = yaml.safe_load((Path(__file__).parents[2] / "config" / "config.yaml").read_text(encoding="utf-8"))
MODELS = {  # the smallest and a large one of the default space
    "2 layers, 32 wide": {"l": 2, "o": ["l"] * 2, "h": [32] * 2, "n": [2] * 2, "f": [[64]] * 2, "p": ["dct"] * 2},
    "4 layers, 64 wide": {"l": 4, "o": ["sa"] * 4, "h": [64] * 4, "n": [2] * 4, "f": [[128] * 2] * 4, "p": ["wma"] * 4},
}


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of a piece of work and of the processes it waits for, which a busy machine hardly changes."""
    start = os.times()
    work()
    end = os.times()
    return sum(end[:4]) - sum(start[:4])


def start_up(module: str) -> float:
    """CPU seconds of a fresh interpreter that imports a module; the best of three."""
    return min(
        seconds(lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)) for _ in range(3)
    )


def jobs(folder: Path) -> None:
    """One pre-training and one fine-tuning of each model at the default's settings."""
    manifest, tokenizer = write_corpus(folder, SETTINGS["tokenizer"]["vocabulary"], tokens=400_000)
    task = write_task(folder, rows=SETTINGS["tasks"]["train_rows"])
    for name, architecture in MODELS.items():
        out, shared = folder / name, {"seed": 1, "resume": folder / "resume", "jobs": SETTINGS["jobs"]}
        first = {"run": RUN | {"architecture": architecture}, "settings": SETTINGS["pretrain"], "out": out}
        first |= {"manifest": manifest, "tokenizer": tokenizer, "model": SETTINGS["model"]}
        job = PretrainJob.from_mapping(shared | first)
        print(f"pre-training, {name}: {seconds(lambda job=job: pretrain(job)):.1f} s")
        second = {"run_dir": out, "task_dir": task, "settings": SETTINGS["finetune"], "out": out / "task"}
        job = FinetuneJob.from_mapping(shared | second)
        print(f"fine-tuning on short rows, {name}: {seconds(lambda job=job: finetune(job)):.1f} s")


def states(folder: Path) -> None:
    """Saving and reading one state."""
    network = MaskedLanguageModel(EncoderSettings(NAMED_MODELS["BERT-Mini"]))
    optimiser = AdamW(network, OptimiserSettings(1, 0, 1e-4, (0.9, 0.98), 1e-6, 0.01, None))
    tensors = dict(network.named_parameters()) | optimiser.state()
    keeper = StateKeeper(folder, "benchmark", 1, 1)
    keeper.save(0, tensors, {})
    saving = min(seconds(lambda step=step: keeper.save(step, tensors, {})) for step in range(1, 4))
    reading = min(seconds(keeper.newest) for _ in range(3))
    [newest, _] = sorted(folder.glob("state-*"), reverse=True)
    size = newest.stat().st_size / 1e6
    print(f"state of {size:.0f} MB: {saving:.2f} s to save (checksum and fsync), {reading:.2f} s to read and check")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for module in ("torch", "flexibert.training.pretrain", "flexibert.training.finetune"):
        print(f"start-up, {module}: {start_up(module):.2f} s")
    with tempfile.TemporaryDirectory() as made:
        jobs(Path(made))
        states(Path(made) / "states")
