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
import sys
from pathlib import Path
from typing import Any

import numpy as np

from flexibert.config import read_yaml, resolve, training_settings
from flexibert.encoder.cost import parameters
from flexibert.encoder.named import alike
from flexibert.files import read_json, read_jsonl, write_json, write_jsonl
from flexibert.seeds import derive_seed
from flexibert.space.architecture import Architecture

sys.path.insert(0, str(Path(__file__).parent))
from search_table import trained

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
                    rows.append(trained_afresh(folder, architecture, number))
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


def contestants(folder: Path) -> dict[str, Architecture]:
    """Models by role: the winner of the search `main` and what it is compared with.

    Searches that the folder does not hold are left out.
    """
    found = {}
    for role, search in (("winner", "main"), ("random", "random"), ("homogeneous", "homogeneous")):
        best = folder / "search" / search / "best.json"
        if best.exists():
            found[role] = Architecture.from_model_dict(read_json(best)["architecture"])
    return found | {"bert": plain_bert(folder, found["winner"])}


def plain_bert(folder: Path, winner: Architecture) -> Architecture:
    """The largest plain BERT of the space with at most the winner's parameters; the smallest where all are larger."""
    settings = read_yaml(folder / "config.yaml")
    space = read_yaml(ROOT / settings["space"])
    vocabulary = read_json(folder / "tokenizer/tokenizer.meta.json")["vocabulary"]

    def size(model: Architecture) -> int:
        reach = settings["model"]["max_positions"]
        return parameters(model, vocab_size=vocabulary, max_positions=reach)["total"]

    shapes = [
        Architecture(alike(layers, "sa", "sdp", hidden, heads, width))
        for layers in space["layers"]
        for hidden in space["hidden_sizes"]
        for heads in space["heads"]
        for width in space["feed_forward"]
    ]
    shapes.sort(key=size)
    return ([shape for shape in shapes if size(shape) <= size(winner)] or shapes[:1])[-1]


def known(rows: list[dict[str, Any]], folder: Path, architecture: Architecture, number: int) -> bool:
    """Whether a training is among the rows."""
    return any((row["folder"], row["id"], row["seed"]) == (str(folder), architecture.id, number) for row in rows)


def trained_afresh(folder: Path, architecture: Architecture, number: int) -> dict[str, Any]:
    """Train one model from scratch at the final budget of a results folder; the row of the training, in points."""
    settings = read_yaml(folder / "config.yaml")
    stages = {stage: training_settings(settings, stage, "final") for stage in ("pretrain", "finetune")}
    stages["finetune"]["keep_weights"] = False
    jobs = resolve({}, ROOT)["jobs"] | {"device": "cpu", "threads": 1}
    tasks = [
        path for path in sorted((folder / "tasks").iterdir()) if path.name.split("-")[0] in settings["final"]["suites"]
    ]
    seed = derive_seed(settings["seed"], "pays", number)
    row = trained(architecture, seed, folder, tasks, settings | stages | {"jobs": jobs})
    return {"folder": str(folder), "seed": number, **row}


def tell(models: dict[str, dict[str, Architecture]], rows: list[dict[str, Any]]) -> None:
    """Print each root's means and the differences between the winner and each comparator."""
    scores: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        scores.setdefault((row["folder"], row["id"]), []).append(row["score"])
    differences: dict[str, list[float]] = {role: [] for role in COMPARATORS}
    spreads: dict[str, list[float]] = {role: [] for role in COMPARATORS}
    for folder, roles in models.items():
        values = {role: scores[folder, model.id] for role, model in roles.items()}
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
