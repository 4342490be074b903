"""Small inputs of training jobs, made in milliseconds: token shards with structure to learn, and labelled tasks."""

from pathlib import Path
from typing import Any

import numpy as np

from flexibert.data.shards import fingerprint
from flexibert.files import file_digest, write_json

VOCABULARY, PAD, START, SEPARATOR, MASK = 40, 0, 2, 3, 4
SPECIAL = {"pad": PAD, "unknown": 1, "start": START, "separator": SEPARATOR, "mask": MASK}
LENGTH = 16

ARCHITECTURE = {
    "l": 2,
    "o": ["sa", "c"],
    "h": [16, 8],
    "n": [2, 2],
    "f": [[16], [16, 16]],
    "p": ["wma", 5],
}
RUN = {
    "model": "0a1b2c3d4e5f",
    "recipe": "scratch",
    "architecture": ARCHITECTURE,
    "origin": "pretrain",
    "source": None,
    "overlap": None,
}
MODEL = {"max_positions": LENGTH, "dropout": 0.1, "initializer_width": None, "paper_padding": False}
JOBS = {
    "device": "cpu",
    "threads": 1,
    "save_every_steps": 1000,
    "save_every_minutes": 60,
    "memory_mb": 1500,
    "largest_memory_mb": 1500,
    "minutes": 60,
    "longest_minutes": 60,
}
PRETRAIN = {
    "steps": 12,
    "batch": 8,
    "micro_batch": 4,
    "length": LENGTH,
    "mask_rate": 0.15,
    "learning_rate": 5e-3,
    "warmup_steps": 2,
    "betas": [0.9, 0.98],
    "epsilon": 1e-6,
    "weight_decay": 0.01,
    "gradient_clip": 1.0,
    "evaluate_every": 5,
    "evaluate_sequences": 16,
    "precision": "float32",
    "devices": 1,
}
FINETUNE = {
    "epochs": 2,
    "patience": 2,
    "trials": 1,
    "learning_rate": [1e-3, 1e-2],
    "batch": [8],
    "micro_batch": 128,
    "warmup": 0.1,
    "betas": [0.9, 0.98],
    "epsilon": 1e-6,
    "weight_decay": 0.01,
    "gradient_clip": 1.0,
    "prune": False,
    "precision": "float32",
    "keep_weights": False,
}


def write_corpus(folder: Path, vocabulary: int = VOCABULARY, tokens: int = 8000) -> tuple[Path, Path]:
    """Manifest and tokenizer of a corpus in which each token is followed by its successor, mostly."""
    generator = np.random.default_rng(0)
    steps = generator.choice([1, 2], size=tokens, p=[0.9, 0.1])
    text = (5 + np.cumsum(steps) % (vocabulary - 5)).astype("<u2")
    splits = {"train": text[: tokens * 3 // 4], "validation": text[tokens * 3 // 4 :]}
    source: dict[str, Any] = {"weight": 1.0}
    for split, part in splits.items():
        path = folder / "corpus" / "made" / f"{split}-0.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        part.tofile(path)
        shard = {"file": f"made/{split}-0.bin", "documents": 1, "tokens": len(part)}
        source[split] = {"shards": [shard | {"digest": file_digest(path), "fingerprint": fingerprint(path)}]}
    tokenizer = folder / "tokenizer" / "tokenizer.json"
    write_json(tokenizer, {})
    special = sorted(SPECIAL.values())
    write_json(tokenizer.with_suffix(".meta.json"), {"vocabulary": vocabulary, "special": special, **SPECIAL})
    manifest = folder / "corpus" / "manifest.json"
    facts = {"dtype": "<u2", "vocabulary": vocabulary, "special": SPECIAL, "special_ids": special}
    write_json(manifest, facts | {"sources": {"made": source}})
    return manifest, tokenizer


def write_task(folder: Path, regression: bool = False, rows: int = 60) -> Path:
    """A task whose label is whether token 9 occurs (or, for a regression, how often)."""
    task = folder / "tasks" / ("made-values" if regression else "made-classes")
    task.mkdir(parents=True, exist_ok=True)
    for number, split in enumerate(("train", "validation", "test")):
        generator = np.random.default_rng(number)
        texts = [generator.integers(5, 12, generator.integers(3, LENGTH - 2)) for _ in range(rows)]
        counts = np.array([np.sum(text == 9) for text in texts])
        ids = [np.concatenate([[START], text, [SEPARATOR]]) for text in texts]
        np.savez(
            task / f"{split}.npz",
            input_ids=np.concatenate(ids).astype(np.int32),
            offsets=np.concatenate([[0], np.cumsum([len(row) for row in ids])]).astype(np.int64),
            labels=counts.astype(np.float32) if regression else (counts > 0).astype(np.int64),
            groups=np.arange(rows),
            overlaps=np.zeros(rows, np.float32),
        )
    facts = {
        "task": task.name,
        "outputs": 1 if regression else 2,
        "labels": None if regression else ["no", "yes"],
        "metrics": ["pearson", "spearman"] if regression else ["accuracy", "f1"],
        "pad": PAD,
    }
    write_json(task / "task.json", facts)
    return task


def pretrain_job(corpus: tuple[Path, Path], folder: Path, **changes: Any) -> dict[str, Any]:
    """A small pre-training in `folder` as a mapping, for `PretrainJob.from_mapping`."""
    manifest, tokenizer = map(str, corpus)
    places = {"resume": str(folder / "resume"), "out": str(folder / "out")}
    inputs = {"run": RUN, "manifest": manifest, "tokenizer": tokenizer}
    return inputs | {"settings": PRETRAIN, "model": MODEL, "seed": 3, "jobs": JOBS} | places | changes


def finetune_job(run_dir: Path, task_dir: Path, folder: Path, **changes: Any) -> dict[str, Any]:
    """A small fine-tuning in `folder` as a mapping, for `FinetuneJob.from_mapping`."""
    places = {"resume": str(folder / "resume"), "out": str(folder / "out")}
    inputs = {"run_dir": str(run_dir), "task_dir": str(task_dir)}
    return inputs | {"settings": FINETUNE, "seed": 5, "jobs": JOBS} | places | changes


def contents(folder: Path, *left_out: str) -> dict[str, bytes]:
    """Bytes of every file below `folder`, by its path there; cost.json tells the time and is left out."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in files if path.name not in ("cost.json", *left_out)
    }
