"""Results folders for the tests of status, report and DAG: laid out as results/README.md says, with made-up numbers.

The numbers follow a simple law (larger and more varied models score better, plus noise), so that figures look like
those of a real search; they stand for nothing.
"""

import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from flexibert.evidence.collect import Ended, collect_evidence
from flexibert.evidence.resampled import TaskAnswers
from flexibert.layout import Layout
from flexibert.outcome.confirmation import choose_confirmed, choose_final
from flexibert.outcome.leaderboard import rank_models
from flexibert.seeds import derive_seed
from flexibert.space.architecture import Architecture

TASKS = ["cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli"]
LUCK = 4.0  # points that a lucky training scores above what its model is worth
NOISE = 0.6  # standard deviation of one training, points
LONGER = 3.0  # points that the final budget adds
ROWS = 200  # kept away of each task
PLAIN = {"majority": 40.0, "tfidf": 44.0}
HOPELESS = "probes-wnli"  # its labels follow from nothing
LUCKY = 0  # number of the lucky proposal
SPACE = Path(__file__).parents[1] / "config" / "spaces" / "default.yaml"
REASONS = ["optimisation", "optimisation", "uncertainty", "diversity"]


@dataclass
class MadeUpResults:
    """Writes one results folder, search by search.

    Args:
        path: The folder to make.
        searches: Name -> changes to the search settings.
        seed: Of all made-up numbers.
        constraints: Limits of all searches.
        count: Models of a library.
    """

    path: Path
    searches: dict[str, dict] = field(default_factory=lambda: {"main": {}})
    seed: int = 1
    constraints: dict = field(default_factory=dict)
    count: int = 150

    def __post_init__(self) -> None:
        self.generator = np.random.default_rng(self.seed)
        levels = [{"level": level, "initial": 4, "batch": 2, "rounds": 6, "patience": 3} for level in (1, 2)]
        settings = {
            "name": self.path.name,
            "seed": self.seed,
            "space": "config/spaces/default.yaml",
            "corpus": {"sources": [{"name": "sotu", "kind": "embedded", "weight": 1.0}]},
            "tokenizer": {"vocabulary": 4096},
            "tasks": {"suites": [{"suite": "probes", "source": "embedded"}], "length": 64},
            "pretrain": {"steps": 200, "batch": 32, "length": 64},
            "finetune": {"epochs": 3, "trials": 4},
            "search": {
                "method": "boshnas",
                "seed": 0,
                "suite": "probes",
                "embedding": "transformer2vec",
                "models": "all",
                "levels": levels,
                "constraints": {"parameters": None, "flops_per_token": None, "latency_ms": None} | self.constraints,
            },
            "searches": self.searches,
            "comparison": [name for name in self.searches if name != "main"],
            "baselines": ["bert"],
            "confirm": {"models": 3, "seeds": 3, "searches": ["main"]},
            "final": {"seeds": 3, "pretrain": {"steps": 600}},
            "report": {"leaderboard_rows": 20, "embedding_map": "pca"},
        }
        self._text("config.yaml", yaml.safe_dump(settings, sort_keys=False))
        self._json("versions.json", {"flexibert": "0.1.0", "torch": "2.13.0"})
        parts = {"train": 241, "validation": 8}
        self._json(
            "corpus/manifest.json",
            {
                "sources": {
                    "sotu": {name: {"documents": count, "tokens": 17_000 * count} for name, count in parts.items()}
                }
            },
        )

    def library(self, folder: str = "library/level-1", stack: int = 2) -> list[dict]:
        """Write a library and its costs; returns its models as {id, architecture, parameters}."""
        models: dict[str, dict] = {}
        while len(models) < self.count:
            architecture = self._architecture(stack)
            models.setdefault(architecture.id, architecture.to_model_dict())
        ids = list(models)
        features = np.array([self._features(models[name]) for name in ids])
        rotation = self.generator.normal(size=(features.shape[1], 16))
        self.path.joinpath(folder).mkdir(parents=True)
        np.save(self.path / folder / "embedding.npy", (features @ rotation).astype(np.float32))
        texts = [json.dumps(models[name]) for name in ids]
        pd.DataFrame({"id": ids, "model": texts}).to_parquet(self.path / folder / "models.parquet")
        self._json(f"{folder}/library.json", {"graphs": self.count, "level_graphs": 40 * self.count, "stress": 0.061})
        parameters = [self._parameters(models[name]) for name in ids]
        costs = {"id": ids, "parameters": parameters, "flops_per_token": [2.0 * value for value in parameters]}
        costs["latency_ms"] = [value / 2e5 for value in parameters]
        pd.DataFrame(costs).to_parquet(self.path / folder / "costs.parquet")
        return [
            {"id": name, "architecture": models[name], "parameters": size}
            for name, size in zip(ids, parameters, strict=True)
        ]

    def search(
        self,
        name: str,
        library: list[dict],
        level: int = 1,
        rounds: int = 5,
        surrogate: bool = True,
        failed: Iterable[int] = (),
        lucky: Iterable[int] = (),
        unscored: int = 0,
        converged: bool = True,
        before: list[dict] | None = None,
    ) -> list[dict]:
        """Write the rounds of one level.

        Args:
            name: The search.
            library: Its models.
            level: Its level.
            rounds: Rounds with proposals.
            surrogate: Whether the method predicts.
            failed: Which proposals, counted over the level, diverge.
            lucky: Which proposals score LUCK points above their model's worth.
            unscored: So many runs of the last round have no score yet.
            converged: Whether a last proposal ends the level.
            before: Observations of the level before.

        Returns:
            All observations so far.
        """
        rows = list(before or [])
        order = self.generator.permutation(len(library))
        number = 0
        for round_number in range(rounds):
            count = 4 if round_number == 0 else 2
            runs = []
            for _ in range(count):
                model = library[order[number]]
                runs.append(self._proposal(model, rows, round_number, surrogate))
                number += 1
            folder = f"search/{name}/level-{level}/round-{round_number:03d}"
            self._propose(name, level, round_number, runs, library, surrogate)
            open_runs = runs[len(runs) - unscored :] if unscored and round_number == rounds - 1 else []
            for position, run in enumerate(runs):
                if run in open_runs:
                    continue
                diverged = number - count + position in set(failed)
                luck = LUCK * (number - count + position in set(lucky))
                score = self._train(run, diverged, steps=200, luck=luck)
                rows.append(
                    {
                        "level": level,
                        "round": round_number,
                        **{key: run[key] for key in ("model", "recipe", "origin", "reason", "overlap")},
                        "source": run["source"] and "{model}/{recipe}".format(**run["source"]),
                        "status": "failed" if diverged else "ok",
                        **score,
                    }
                )
            if not open_runs:
                self._csv(f"{folder}/observations.csv", pd.DataFrame(rows))
        if converged:
            self._propose(name, level, rounds, [], library, surrogate)
        return rows

    def confirm(self, name: str, models: int = 3, seeds: int = 3, scored: int | None = None) -> None:
        """Train the best models of a search and their baselines again; the first `scored` trainings, None for all."""
        known = self._of_search(name)
        out = Layout(self.path).confirmation.path(search=name)
        out.parent.mkdir(exist_ok=True)
        observations, proposals = known["observations"], known["proposals"]
        choose_confirmed(name, observations, proposals, models, seeds, ["bert"], self._space, self._costs, out)
        for run in json.loads(out.read_text())["proposals"][:scored]:
            self._train(run, False, steps=200)

    def finish(self, name: str) -> None:
        """Rank a search's models, as its end does."""
        layout, known = Layout(self.path), self._of_search(name)
        confirmation = layout.confirmation.path(search=name)
        runs = json.loads(confirmation.read_text())["proposals"] if confirmation.exists() else []
        rank_models(
            name=name,
            **known,
            libraries=[path.parent for path in self.path.glob("**/costs.parquet")],
            confirmation=confirmation if confirmation.exists() else None,
            scores=[layout.score.at(model=run["model"], recipe=run["recipe"]) for run in runs],
            suite="probes",
            leaderboard=layout.leaderboard.path(search=name),
            best=layout.best.path(search=name),
        )

    def final(self, name: str, seeds: int = 3, scored: int | None = None) -> None:
        """Train a search's winner and its baselines at the final budget; the first `scored` trainings, None for all."""
        layout = Layout(self.path)
        confirmation, out = layout.confirmation.path(search=name), layout.final.path(search=name)
        out.parent.mkdir(exist_ok=True)
        choose_final(
            best=layout.best.path(search=name),
            confirmation=confirmation if confirmation.exists() else None,
            leaderboard=layout.leaderboard.path(search=name),
            proposals=self._of_search(name)["proposals"],
            baselines=["bert"],
            seeds=seeds,
            scale_up=None,
            space=self._space,
            costs=self._costs,
            out=out,
        )
        for run in json.loads(out.read_text())["proposals"][:scored]:
            self._train(run, False, steps=600)

    def evidence(self, name: str) -> None:
        """Collect what is known of a search's winner."""
        layout = Layout(self.path)
        for task in TASKS:
            scores = {"majority": PLAIN["majority"], "words": PLAIN["tfidf"]}
            card = {name: {"validation": {"score": score}, "test": {"score": score}} for name, score in scores.items()}
            self._json(f"tasks/probes-{task}/plain.json", card)
        files = {
            key: getattr(layout, key).path(search=name) for key in ("best", "leaderboard", "confirmation", "final")
        }
        layout.evidence.path(search=name).parent.mkdir(exist_ok=True)
        collect_evidence(
            self.path,
            Ended(observations=self._of_search(name)["observations"], **files),
            suite="probes",
            answers=self._answers,
            seed=0,
            out=layout.evidence.path(search=name),
            table=layout.evidence_table.path(search=name),
        )

    @property
    def _space(self) -> dict:
        return yaml.safe_load(SPACE.read_text(encoding="utf-8"))

    def _costs(self, models: Iterable[Architecture]) -> list[dict]:
        sizes = [self._parameters(model.to_model_dict()) for model in models]
        return [{"parameters": size, "flops_per_token": 2.0 * size} for size in sizes]

    def _of_search(self, name: str) -> dict:
        """Observations of the last round of a search, and all its proposals."""
        layout = Layout(self.path)
        observations = [path for path, _ in layout.round.observations.found(search=name)]
        proposals = [path for path, _ in layout.round.proposal.found(search=name)]
        return {"observations": observations[-1], "proposals": proposals}

    def _right(self, model: dict, recipe: str, task: str) -> np.ndarray:
        """Which kept-away rows of a task a training answers rightly; shape (ROWS,)."""
        generator = np.random.default_rng(derive_seed(0, Architecture.from_model_dict(model).id, recipe, task))
        worth = PLAIN["majority"] - 2.0 if task == HOPELESS else self._quality(model) + LONGER
        return generator.random(ROWS) < worth / 100.0

    def _tested(self, run: dict, task: str) -> dict:
        """What fine-tuning says of a training on the kept-away rows."""
        score = 100.0 * float(self._right(run["architecture"], run["recipe"], task).mean())
        return {"score": score, "metrics": {"accuracy": score}, "rows": ROWS}

    def _answers(self, model: str, recipes: Iterable[str]) -> dict[str, TaskAnswers]:
        """Answers of a model's trainings to the kept-away rows; class 1 is always right."""
        found = {}
        for task in (f"probes-{task}" for task in TASKS):
            cards = [json.loads((self.path / f"models/{model}/{recipe}/card.json").read_text()) for recipe in recipes]
            right = np.array([self._right(card["architecture"], card["recipe"], task) for card in cards])
            outputs = np.stack([~right, right], axis=2).astype(np.float32)
            found[task] = TaskAnswers(outputs, np.ones(ROWS, dtype=int), ["accuracy"])
        return found

    def running(self, job: str, age: float = 2.0, step: int = 120, steps: int = 200) -> None:
        """Write the progress of a running job of this process, `age` seconds old."""
        state = {
            "name": job,
            "pid": os.getpid(),
            "host": os.uname().nodename,
            "time": time.time() - age,
            "step": step,
            "steps": steps,
            "seconds_left": 41.0,
            "tokens_per_second": 12345.6,
            "loss": 5.4321,
        }
        self._json(f"resume/{job.replace(' ', '/')}/progress.json", state)

    def benchmark(self, rule: str, seconds: float) -> None:
        """Write what Snakemake measured of one job."""
        self._text(
            f"benchmarks/{rule}/job.jsonl",
            json.dumps({"s": seconds, "cpu_time": 0.9 * seconds, "max_rss": 300.0}) + "\n",
        )

    def _proposal(self, model: dict, rows: list[dict], round_number: int, surrogate: bool) -> dict:
        done = [row for row in rows if row["status"] == "ok"]
        transferred = bool(done) and self.generator.random() < 0.3
        source = {key: done[-1][key] for key in ("model", "recipe")} if transferred else None
        reason = "initial" if round_number == 0 else REASONS[int(self.generator.integers(len(REASONS)))]
        guess = self._quality(model["architecture"]) + self.generator.normal(0, 1.0)
        known = surrogate and round_number > 0
        return {
            "model": model["id"],
            "recipe": f"from-{source['model'][:8]}" if source else "scratch",
            "architecture": model["architecture"],
            "origin": "transfer" if source else "pretrain",
            "source": source,
            "overlap": 0.87 if source else None,
            "reason": reason if surrogate else "baseline",
            "explanation": f"chosen by {reason}",
            "mean": guess if known else None,
            "aleatoric": 0.6 if known else None,
            "epistemic": 0.9 if known else None,
            "acquisition": guess + 0.7 if known else None,
        }

    def _propose(
        self, search: str, level: int, number: int, runs: list[dict], library: list[dict], surrogate: bool
    ) -> None:
        folder = f"search/{search}/level-{level}/round-{number:03d}"
        phase = "initial" if number == 0 else "search" if runs else "converged"
        self._json(
            f"{folder}/proposal.json",
            {
                "search": search,
                "level": level,
                "round": number,
                "converged": not runs,
                "phase": phase,
                "best": None,
                "proposals": runs,
            },
        )
        table = pd.DataFrame(columns=["id", "mean", "aleatoric", "epistemic"])
        if surrogate and number:
            means = [self._quality(model["architecture"]) for model in library]
            table = pd.DataFrame(
                {"id": [model["id"] for model in library], "mean": means, "aleatoric": 0.6, "epistemic": 0.9}
            )
        table.to_parquet(self.path / folder / "predictions.parquet")

    def _train(self, run: dict, diverged: bool, steps: int, luck: float = 0.0) -> dict:
        """Write the files of a trained and scored run; returns its score and one score a task."""
        model, recipe = run["model"], run["recipe"]
        folder = f"models/{model}/{recipe}"
        known = self.path / "glue" / model / recipe / "score.json"
        if known.exists():  # another search asked for it: equal work is never done twice
            scored = json.loads(known.read_text())
            return {"score": scored["score"], **scored["tasks"]}
        reason = "the loss was not finite at step 40" if diverged else None
        transferred = run["origin"] == "transfer"
        card = {key: run[key] for key in ("model", "recipe", "architecture", "origin", "source", "overlap")}
        card |= {
            "status": "failed" if diverged else "ok",
            "reason": reason,
            "steps": 0 if transferred else steps,
            "tokens": steps * 2048,
            "train_loss": 5.0,
            "validation_loss": 5.1,
            "parameters": self._parameters(run["architecture"]),
        }
        self._json(f"{folder}/card.json", card)
        at = np.arange(0 if transferred else 20, (0 if transferred else steps) + 1, 20)
        loss = 5.0 + 3.2 * np.exp(-at / 80) + self.generator.normal(0, 0.03, len(at))
        curve = {
            "step": at,
            "tokens": at * 2048,
            "learning_rate": 2e-3,
            "train_loss": loss,
            "validation_loss": np.where(at % 100 == 0, loss + 0.05, np.nan),
        }
        self._csv(f"{folder}/curve.csv", pd.DataFrame(curve))
        self._cost(f"{folder}/cost.json", 0.4 if transferred else steps * 0.03 * (1 + self.generator.random()))
        mean = self._quality(run["architecture"]) + self.generator.normal(0, NOISE) + luck
        final = recipe.startswith("final")
        mean += LONGER * final
        points = {
            f"probes-{task}": None if diverged else round(mean + 4 * np.sin(k * 2.1), 3) for k, task in enumerate(TASKS)
        }
        for task, value in points.items():
            trial = {
                "learning_rate": float(f"{10 ** self.generator.uniform(-3.3, -2.7):.3g}"),
                "batch": 32,
                "epochs": 3,
            }
            self._json(
                f"glue/{model}/{recipe}/{task}/best.json",
                {
                    "task": task,
                    "score": value,
                    "metrics": {},
                    "status": card["status"],
                    "reason": reason,
                    "hyperparameters": trial,
                    "epoch": 2,
                    "trial": 1,
                }
                | ({"test": self._tested(run, task)} if final else {}),
            )
            self._cost(f"glue/{model}/{recipe}/{task}/cost.json", 2 + self.generator.random())
        score = None if diverged else round(float(np.mean(list(points.values()))), 3)
        self._json(
            f"glue/{model}/{recipe}/score.json",
            {
                "model": model,
                "recipe": recipe,
                "status": card["status"],
                "reason": reason,
                "score": score,
                "suites": {"probes": score},
                "tasks": points,
                "eight": score,
            },
        )
        return {"score": score, **points}

    def _cost(self, name: str, seconds: float) -> None:
        self._json(
            name,
            {
                "seconds": seconds,
                "tokens_per_second": 20000.0,
                "device": "cpu",
                "threads": 1,
                "peak_memory_mb": 700.0,
                "energy_joules": None,
            },
        )

    def _architecture(self, stack: int) -> Architecture:
        depth = int(self.generator.choice([2, 4]))
        forms = [("sa", "sdp"), ("sa", "wma"), ("l", "dft"), ("l", "dct"), ("c", 5), ("c", 9)]
        layers = []
        alike = self.generator.random() < 0.1
        for _ in range(1 if alike else depth // stack):
            operation, parameter = forms[self.generator.integers(len(forms))]
            width = int(self.generator.choice([64, 128]))
            layers.append(
                (
                    operation,
                    int(self.generator.choice([32, 64])),
                    2,
                    [width] * int(self.generator.choice([1, 2])),
                    parameter,
                )
            )
        layers = [layer for layer in layers for _ in range(depth // len(layers))]
        columns = dict(zip("ohnfp", map(list, zip(*layers, strict=True)), strict=True))
        return Architecture.from_model_dict({"l": depth, **columns})

    @staticmethod
    def _parameters(model: dict) -> int:
        inside = sum(
            4 * hidden * hidden + sum(2 * hidden * width for width in widths)
            for hidden, widths in zip(model["h"], model["f"], strict=True)
        )
        return 4096 * model["h"][0] + inside

    def _quality(self, model: dict) -> float:
        return (
            48 + 6 * np.log10(self._parameters(model) / 1e5) + 1.2 * len(set(model["o"])) + 0.8 * ("sa" in model["o"])
        )

    def _features(self, model: dict) -> list[float]:
        kinds = [model["o"].count(kind) / model["l"] for kind in ("sa", "l", "c")]
        return [
            float(model["l"]),
            *kinds,
            np.mean(model["h"]) / 32,
            np.mean([sum(widths) for widths in model["f"]]) / 64,
        ]

    def _json(self, name: str, value: object) -> None:
        self._text(name, json.dumps(value, indent=2, sort_keys=True, default=float) + "\n")

    def _csv(self, name: str, table: pd.DataFrame) -> None:
        self._text(name, table.to_csv(index=False))

    def _text(self, name: str, text: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def finished_experiment(path: Path) -> Path:
    """One search over two levels with a failed and a lucky candidate, confirmed, with final models and evidence.

    Beside it five searches to compare, of which none is confirmed.
    """
    names = {"main": {}} | {
        f"{method}-{seed}": {"method": method, "seed": seed} for method in ("boshnas", "random") for seed in (1, 2)
    }
    names["evolution-3"] = {"method": "evolution", "seed": 3}
    made = MadeUpResults(path, names, constraints={"parameters": 400_000})
    library = made.library()
    rows = made.search("main", library, failed=[5], lucky=[LUCKY])
    finer = made.library("search/main/level-2/library", stack=1)
    made.search("main", finer, level=2, rounds=3, before=rows)
    made.confirm("main")
    made.finish("main")
    made.final("main")
    made.evidence("main")
    for name, changes in names.items():
        if name != "main":
            made.search(name, library, rounds=4, surrogate=changes["method"] == "boshnas")
            made.finish(name)
    made.benchmark("library", 12.0)
    made.benchmark("propose", 3.0)
    return path


def unconfirmed_experiment(path: Path) -> Path:
    """A search that has converged, with a part of its confirmation scored."""
    made = MadeUpResults(path)
    made.search("main", made.library(), lucky=[LUCKY])
    made.confirm("main", scored=4)
    return path


def half_finished_experiment(path: Path) -> Path:
    """A search in its third round: one run scored, one running; nothing after it."""
    made = MadeUpResults(path)
    library = made.library()
    made.search("main", library, rounds=3, failed=[1], unscored=1, converged=False)
    made.running("pretrain 0a1b2c3d4e5f-scratch")
    made.running("finetune 0a1b2c3d4e5f-scratch-probes-cola", age=4000.0)
    return path
