"""Fine-tune an exported encoder on your own CSV, with transformers and PyTorch alone.

    flexibert export results/default/models/MODEL/final --to my-encoder
    python examples/finetune_csv.py my-encoder reviews.csv --to my-classifier

The CSV has a header with the columns `text` and `label` (and `text_pair`, for pairs of texts). Labels are names of
classes; with --regression they are numbers. A share of the rows is held out, the best epoch on it is kept, and
the folder written loads like any transformers model:

    pipeline("text-classification", "my-classifier", trust_remote_code=True)("Worth every penny.")
"""

import argparse
import csv
import math
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer


@dataclass(frozen=True)
class Row:
    """One labelled text, or pair of texts."""

    text: str
    pair: str | None
    label: str


def read_rows(path: Path, regression: bool) -> list[Row]:
    """Read the CSV; ends the program with a sentence where it cannot be used."""
    if not path.is_file():
        sys.exit(f"{path}: no such file")
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns = reader.fieldnames or []
            lines = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        sys.exit(f"{path}: not a CSV file in UTF-8 ({error})")
    missing = [name for name in ("text", "label") if name not in columns]
    if missing:
        sys.exit(f"{path}: the column {' and '.join(missing)} is missing (found: {', '.join(columns) or 'nothing'})")
    for number, line in enumerate(lines, 1):
        empty = [name for name in ("text", "label") if not line[name]]
        if empty or ("text_pair" in columns and line["text_pair"] is None):
            sys.exit(f"{path}: row {number} after the header has no {empty[0] if empty else 'text_pair'}")
        if regression and not is_number(line["label"]):
            sys.exit(f"{path}: row {number} after the header: --regression needs numbers, not {line['label']!r}")
    if len(lines) < 2:
        sys.exit(f"{path}: {len(lines)} rows are too few to train on some and hold some out")
    if not regression and len({line["label"] for line in lines}) < 2:
        sys.exit(f"{path}: every label is {lines[0]['label']!r}; there is nothing to tell apart")
    return [Row(line["text"], line.get("text_pair"), line["label"]) for line in lines]


def is_number(text: str) -> bool:
    """Whether a label is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def batches(rows: list[Row], size: int, tokenizer, classes: list[str] | None, length: int):
    """Tokenised batches with their labels, in the order of the rows."""
    for start in range(0, len(rows), size):
        chosen = rows[start : start + size]
        pairs = [row.pair for row in chosen] if chosen[0].pair is not None else None
        texts = [row.text for row in chosen]
        batch = tokenizer(texts, pairs, padding=True, truncation=True, max_length=length, return_tensors="pt")
        labels = [float(row.label) if classes is None else classes.index(row.label) for row in chosen]
        yield batch | {"labels": torch.tensor(labels)}


@torch.no_grad()
def evaluate(model, held_out: list[Row], size: int, tokenizer, classes: list[str] | None, length: int) -> float:
    """Accuracy, or minus the mean squared error of a regression: higher is better."""
    model.eval()
    total = 0.0
    for batch in batches(held_out, size, tokenizer, classes, length):
        labels = batch.pop("labels").to(model.device)
        logits = model(**{name: tensor.to(model.device) for name, tensor in batch.items()}).logits
        total += ((logits.argmax(-1) == labels) if classes else -((logits[:, 0] - labels) ** 2)).sum().item()
    return total / len(held_out)


def parse() -> argparse.Namespace:
    """The command line; ends the program with a sentence where it cannot be followed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of `flexibert export`")
    parser.add_argument("table", type=Path, help="CSV with the columns text, label and perhaps text_pair")
    parser.add_argument("--to", type=Path, required=True, help="folder to write; it must not exist")
    parser.add_argument("--regression", action="store_true", help="labels are numbers")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=5e-4, help="small encoders learn well from 2e-4 to 2e-3")
    parser.add_argument("--held-out", type=float, default=0.1, help="share of the rows to validate on (0.1)")
    parser.add_argument("--length", type=int, help="longest text in tokens (default: the model's limit)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if min(options.epochs, options.batch) < 1 or not 0 < options.held_out < 1:
        parser.error("--epochs and --batch start at 1, --held-out lies between 0 and 1")
    if options.to.exists():
        sys.exit(f"{options.to} exists already; choose a new folder")
    if not (options.model / "config.json").is_file():
        sys.exit(f"{options.model}: no exported model (it has no config.json); `flexibert export` makes one")
    return options


def main() -> None:
    options = parse()
    random.seed(options.seed)
    torch.manual_seed(options.seed)
    rows = read_rows(options.table, options.regression)
    random.shuffle(rows)
    count = min(max(1, round(options.held_out * len(rows))), len(rows) - 1)
    held_out, training = rows[:count], rows[count:]
    classes = None if options.regression else sorted({row.label for row in rows})

    tokenizer = AutoTokenizer.from_pretrained(options.model, trust_remote_code=True)
    names = {"id2label": dict(enumerate(classes))} if classes else {"num_labels": 1}
    if classes:
        names["label2id"] = {name: number for number, name in enumerate(classes)}
    model = AutoModelForSequenceClassification.from_pretrained(
        options.model, trust_remote_code=True, ignore_mismatched_sizes=True, **names
    )
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    length = min(options.length or tokenizer.model_max_length, tokenizer.model_max_length)

    optimiser = torch.optim.AdamW(model.parameters(), options.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    steps = options.epochs * -(-len(training) // options.batch)
    warmup = max(1, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warmup, (steps - step) / max(1, steps - warmup))
    )
    best = float("-inf")
    for epoch in range(1, options.epochs + 1):
        random.shuffle(training)
        model.train()
        for batch in batches(training, options.batch, tokenizer, classes, length):
            loss = model(**{name: tensor.to(model.device) for name, tensor in batch.items()}).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
        score = evaluate(model, held_out, options.batch, tokenizer, classes, length)
        print(f"epoch {epoch}: {'accuracy' if classes else 'minus squared error'} {score:.4f} on {count} held-out rows")
        if score > best:
            best = score
            model.save_pretrained(options.to)
            tokenizer.save_pretrained(options.to)
    if best == float("-inf"):
        sys.exit(f"the training diverged and nothing was written; --learning-rate {options.learning_rate} is too high")


if __name__ == "__main__":
    main()
