"""Whether the default's search pays: its winner against BERT, random search and homogeneous models, all trained afresh.

    python tests/benchmarks/search_pays.py --roots 1 2 3 4 5 --work pays --out pays.jsonl
    python tests/benchmarks/search_pays.py --results results/default --out pays.jsonl

For each root seed the default is run by Snakemake in the folder --work, with a random search and one over homogeneous
models beside the search `main`; --results takes finished folders instead. Then four models are trained --seeds times
from scratch at the final budget, with seeds that no search has used: the winner, the largest plain BERT of the space
that is no larger than it, and the best models of the other two searches. `--out` keeps a row a training; a second call
trains what is missing. Printed are the differences, paired over roots, with 95 % intervals of Student's t over the
roots, or for a single root over its trainings.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from flexibert.config import read_yaml, resolve, training_settings
from flexibert.data.tasks import tasks_of
from flexibert.encoder.cost import parameters
from flexibert.encoder.named import homogeneous
from flexibert.files import read_json, read_jsonl, write_json, write_jsonl
from flexibert.seeds import derive_seed
from flexibert.space.architecture import Architecture
from flexibert.training.finetune import finetune
from flexibert.training.pretrain import pretrain

ROOT = Path(__file__).parents[2]
SEARCHES = {"main": {}, "random": {"method": "random", "seed": 1}, "homogeneous": {"models": "homogeneous", "seed": 2}}
COMPARATORS = {"bert": 1.0, "random": 0.0, "homogeneous": None}  # bound that the lower end of the interval must pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--roots", type=int, nargs="*", default=[], help="root seeds to run the default with")
    parser.add_argument("--results", type=Path, nargs="*", default=[], help="finished results folders")
    parser.add_argument("--work", type=Path, default=Path("pays"), help="folder in which Snakemake runs")
    parser.add_argument("--configfile", type=Path, default=ROOT / "config" / "config.yaml")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each model")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    folders = [run_default(seed, options.work, options.configfile) for seed in options.roots] + options.results
    rows = read_jsonl(options.out) if options.out.exists() else []
    models = {str(folder): contestants(folder) for folder in folders}
    for number in range(options.seeds):
        for folder in folders:
            for architecture in models[str(folder)].values():
                if not known(rows, folder, architecture, number):
                    rows.append(trained(folder, architecture, number))
                    write_jsonl(options.out, rows)
    tell(models, rows)


def run_default(seed: int, work: Path, configfile: Path) -> Path:
    """Search with one root seed by Snakemake; what is finished stays. Returns the results folder."""
    name = f"pays-{seed}"
    own = work / f"{name}.yaml"
    write_json(own, {"name": name, "seed": seed, "searches": SEARCHES})  # JSON is YAML
    targets = [f"results/{name}/search/{search}/best.json" for search in SEARCHES]
    command = ["snakemake", *targets, "--snakefile", ROOT / "Snakefile", "--directory", work, "--cores", "2"]
    subprocess.run([*map(str, command), "--configfile", str(configfile), str(own.resolve())], check=True)
    return work / "results" / name


def contestants(folder: Path) -> dict[str, dict[str, Any]]:
    """Model dictionaries by role: the winner of the search `main` and what it is compared with.

    Searches that the folder does not hold are left out.
    """
    found = {}
    for role, search in (("winner", "main"), ("random", "random"), ("homogeneous", "homogeneous")):
        best = folder / "search" / search / "best.json"
        if best.exists():
            found[role] = read_json(best)["architecture"]
    return found | {"bert": plain_bert(folder, found["winner"])}


def plain_bert(folder: Path, winner: dict[str, Any]) -> dict[str, Any]:
    """The largest plain BERT of the space with at most the winner's parameters; the smallest where all are larger."""
    settings = read_yaml(folder / "config.yaml")
    space = read_yaml(ROOT / settings["space"])
    sizes = {
        "vocab_size": read_json(folder / "tokenizer/tokenizer.meta.json")["vocabulary"],
        "max_positions": settings["model"]["max_positions"],
    }
    shapes = [
        homogeneous(layers, "sa", "sdp", hidden, heads, width)
        for layers in space["layers"]
        for hidden in space["hidden_sizes"]
        for heads in space["heads"]
        for width in space["feed_forward"]
    ]
    shapes.sort(key=lambda shape: parameters(shape, **sizes)["total"])
    limit = parameters(winner, **sizes)["total"]
    return ([shape for shape in shapes if parameters(shape, **sizes)["total"] <= limit] or shapes[:1])[-1]


def known(rows: list[dict[str, Any]], folder: Path, architecture: dict[str, Any], number: int) -> bool:
    """Whether a training is among the rows."""
    wanted = (str(folder), Architecture.from_model_dict(architecture).id, number)
    return any((row["folder"], row["model"], row["seed"]) == wanted for row in rows)


def trained(folder: Path, architecture: dict[str, Any], number: int) -> dict[str, Any]:
    """Train one model from scratch at the final budget of a results folder; the row of the training, in points."""
    settings = read_yaml(folder / "config.yaml")
    jobs = resolve({}, ROOT)["jobs"] | {"device": "cpu", "threads": 1}
    model = Architecture.from_model_dict(architecture).id
    seed = derive_seed(settings["seed"], "pays", model, number)
    run = {"model": model, "recipe": "final", "architecture": architecture, "origin": "final"}
    suites = [suite for suite in settings["tasks"]["suites"] if suite["suite"] in settings["final"]["suites"]]
    scores = {}
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "model"
        pretrain(
            run | {"source": None, "overlap": None},
            folder / "corpus/manifest.json",
            folder / "tokenizer/tokenizer.json",
            training_settings(settings, "pretrain", "final"),
            settings["model"],
            derive_seed(seed, "pretrain"),
            Path(scratch) / "resume",
            out,
            jobs,
        )
        keys = training_settings(settings, "finetune", "final") | {"keep_weights": False}
        for task in (task for suite in suites for task in tasks_of(suite)):
            tuned = Path(scratch) / task
            finetune(out, folder / "tasks" / task, keys, derive_seed(seed, task), tuned / "resume", tuned, jobs)
            scores[task] = read_json(tuned / "best.json")["score"]
        size = read_json(out / "card.json")["parameters"]
    score = float(np.mean(list(scores.values())))
    return {"folder": str(folder), "model": model, "seed": number, "score": score, "scores": scores, "parameters": size}


def tell(models: dict[str, dict[str, dict[str, Any]]], rows: list[dict[str, Any]]) -> None:
    """Print each root's means and the differences between the winner and each comparator."""
    scores: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        scores.setdefault((row["folder"], row["model"]), []).append(row["score"])
    differences: dict[str, list[float]] = {role: [] for role in COMPARATORS}
    spreads: dict[str, list[float]] = {role: [] for role in COMPARATORS}
    for folder, roles in models.items():
        values = {role: scores[folder, Architecture.from_model_dict(model).id] for role, model in roles.items()}
        print(folder, *(f"{role} {np.mean(each):.2f} ({len(each)})" for role, each in values.items()))
        for role in differences.keys() & values.keys():
            differences[role].append(float(np.mean(values["winner"]) - np.mean(values[role])))
            spreads[role].append(float(np.sqrt(sum(np.var(values[key], ddof=1) for key in ("winner", role)))))
    for role, bound in COMPARATORS.items():
        if differences[role]:
            low, high = interval(differences[role], spreads[role], len(values["winner"]))
            goal = "" if bound is None else f"; lower end above {bound}: {'yes' if low > bound else 'no'}"
            print(f"winner - {role}: {np.mean(differences[role]):+.2f} ({low:+.2f} to {high:+.2f}){goal}")


def interval(differences: list[float], spreads: list[float], trainings: int) -> tuple[float, float]:
    """95 % interval of the mean difference: over roots, or over the trainings of a single one."""
    from scipy.stats import t

    count = len(differences)
    if count > 1:
        half = t.ppf(0.975, count - 1) * np.std(differences, ddof=1) / np.sqrt(count)
    else:
        half = t.ppf(0.975, 2 * trainings - 2) * spreads[0] / np.sqrt(trainings)
    return float(np.mean(differences) - half), float(np.mean(differences) + half)


if __name__ == "__main__":
    main()
