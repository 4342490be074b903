"""Does a transferred candidate start better than a fresh one? Masked-language loss at equal steps, on real text.

    python tests/benchmarks/encoder_transfer.py results/default --source results/default/models/MODEL/scratch

RESULTS is an experiment whose corpus and tokenizer are made; the source is one of its pre-trained models. Each target
differs from the source in one way; it is trained from fresh weights and from transferred ones, with the same seed,
batches and schedule. Losses are in nats, on the held-out text.
"""

import argparse
import csv
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

from flexibert.config import read_yaml
from flexibert.encoder.transfer import predicted_overlap
from flexibert.files import read_json
from flexibert.runs import Run, RunName
from flexibert.settings import JobsSettings, ModelSettings, PretrainSettings
from flexibert.space.architecture import Architecture
from flexibert.training.job import PretrainJob
from flexibert.training.pretrain import pretrain
from flexibert.training.transferred import transfer_run

JOBS = {"device": "cpu", "threads": 1, "save_every_steps": 10**9, "save_every_minutes": 10**6}  # no states


def targets(source: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Neighbours of the source, near to far."""
    last = deepcopy(source)
    last["o"][-1], last["p"][-1] = ("sa", "wma") if source["o"][-1] != "sa" else ("c", 5)
    wider_stack = deepcopy(source)
    wider_stack["f"] = [[2 * width for width in widths] for widths in source["f"]]
    wider = deepcopy(source)
    wider["h"] = [2 * hidden for hidden in source["h"]]
    return {
        "another operation in the last layer": last,
        "feed-forward layers twice as wide": wider_stack,
        "hidden sizes doubled": wider,
    }


def curve(folder: Path) -> dict[int, float]:
    """Held-out loss by step."""
    with open(folder / "curve.csv", encoding="utf-8") as stream:
        return {int(row["step"]): float(row["validation_loss"]) for row in csv.DictReader(stream)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--every", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    defaults = read_yaml("config/config.yaml")
    config = read_yaml(options.results / "config.yaml")
    settings = config["pretrain"] | {"steps": options.steps, "evaluate_every": options.every, "warmup_steps": 6}
    card = read_json(options.source / "card.json")
    manifest, tokenizer = options.results / "corpus" / "manifest.json", options.results / "tokenizer" / "tokenizer.json"
    print(f"source {card['model']}: {card['architecture']}, {card['steps']} steps, loss {card['validation_loss']:.3f}")
    steps = list(range(options.every, options.steps + 1, options.every))
    print("| target | weights | overlap |" + "".join(f" {step} steps |" for step in steps))
    print("|---|---|---|" + "---|" * len(steps))
    for name, target in targets(card["architecture"]).items():
        overlap = predicted_overlap(
            *map(Architecture.from_model_dict, (card["architecture"], target)),
            max_positions=config["model"]["max_positions"],
        )
        for mode in ("fresh", "ordered", "random-projection"):
            if mode == "random-projection" and name != "hidden sizes doubled":
                continue  # equal to ordered transfer where few sizes differ
            run = Run(RunName.of("target", "scratch"), target)
            with tempfile.TemporaryDirectory() as folder:
                job = PretrainJob(
                    seed=options.seed,
                    resume=Path(folder) / "resume",
                    out=Path(folder) / "out",
                    jobs=JobsSettings.from_mapping(defaults["jobs"] | JOBS),
                    run=run,
                    manifest=manifest,
                    tokenizer=tokenizer,
                    settings=PretrainSettings.from_mapping(settings),
                    model=ModelSettings.from_mapping(config["model"]),
                )
                if mode == "fresh":
                    pretrain(job)
                else:
                    transfer_run(job, options.source, mode, options.steps)
                losses = curve(Path(folder) / "out")
            shown = "" if mode == "fresh" else f"{overlap:.2f}"
            print(f"| {name} | {mode} | {shown} |" + "".join(f" {losses[step]:.3f} |" for step in steps), flush=True)


if __name__ == "__main__":
    main()
