"""The two peak learning rates of the paper, 1e-5 (its text) and 1e-4 (its released code), at equal small budgets.

    OMP_NUM_THREADS=1 python tests/benchmarks/training_rates.py RESULTS [--steps 600 --device cuda ...]

RESULTS is the folder of any experiment whose corpus is made, e.g. results/default. Warm-up is 1 % of the steps, as in
the paper (10,000 of 1,000,000); the rest of the recipe is the paper's.
"""

import argparse
import tempfile
from pathlib import Path

import yaml

from flexibert.encoder.named import NAMED_MODELS
from flexibert.files import read_json
from flexibert.runs import Run, RunName
from flexibert.training.job import PretrainJob
from flexibert.training.pretrain import pretrain

SETTINGS = yaml.safe_load((Path(__file__).parents[2] / "config" / "config.yaml").read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--model", default="BERT-Tiny", choices=list(NAMED_MODELS))
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--rates", type=float, nargs="+", default=[1e-5, 1e-4, 1e-3])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    options = parser.parse_args()
    settings = SETTINGS["pretrain"] | {
        "steps": options.steps,
        "batch": options.batch,
        "micro_batch": options.batch,
        "length": options.length,
        "warmup_steps": options.steps // 100,
        "evaluate_every": max(1, options.steps // 4),
        "precision": options.precision,
    }
    run = Run(RunName.of(options.model, "scratch"), NAMED_MODELS[options.model].to_model_dict()).to_mapping()
    shared = {"run": run, "model": SETTINGS["model"] | {"max_positions": options.length}}
    shared |= {"manifest": options.results / "corpus" / "manifest.json", "jobs": SETTINGS["jobs"]}
    shared |= {"tokenizer": options.results / "tokenizer" / "tokenizer.json"}
    shared["jobs"] |= {"device": options.device}
    print("peak rate   seed   loss on held-out text   seconds")
    for rate in options.rates:
        for seed in range(options.seeds):
            with tempfile.TemporaryDirectory() as made:
                job = shared | {"settings": settings | {"learning_rate": rate}, "seed": seed}
                job |= {"resume": Path(made) / "resume", "out": Path(made) / "out"}
                pretrain(PretrainJob.from_mapping(job))
                card, cost = (read_json(job["out"] / name) for name in ("card.json", "cost.json"))
            told = card["reason"] or f"{card['validation_loss']:.3f}"
            print(f"{rate:9.0e}   {seed:4d}   {told:>21}   {cost['seconds']:7.1f}", flush=True)


if __name__ == "__main__":
    main()
