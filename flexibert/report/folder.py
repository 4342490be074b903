"""A results folder as its files tell it: finished, half-finished or just begun.

Nothing here needs Snakemake or a running process, so that it works on a cluster's shared file system from anywhere.
A file that is not there yet is nothing special; a file that cannot be read is named.
"""

import contextlib
import json
from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexibert.config import merge, read_yaml
from flexibert.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Run = tuple[str, str]  # (model, recipe)
OBSERVATION_KEYS = (
    "level", "round", "model", "recipe", "origin", "source", "overlap", "reason", "status", "score",
)  # fmt: skip
SECTIONS = ("name", "seed", "space", "corpus", "pretrain", "finetune", "search")  # that the report reads
MARKS = ("config.yaml", "search", "models", "glue")  # what tells a results folder from any other


class ResultsFolder:
    """The folder of one experiment, e.g. results/default.

    Args:
        path: The folder.
        only: Look at these searches alone; None for all that have begun.

    Raises:
        UsageError: It is not a results folder.
    """

    def __init__(self, path: str | Path, only: Collection[str] | None = None) -> None:
        self.path, self.only = Path(path), only
        if not self.path.is_dir():
            raise UsageError(f"{self.path}: no such folder; give the folder of one experiment, e.g. results/default")
        if not _is_results_folder(self.path):
            inside = sorted(child.name for child in self.path.iterdir() if child.is_dir() and _is_results_folder(child))
            remedy = f"did you mean {self.path / inside[0]}?" if inside else "give one such as results/default"
            raise UsageError(f"{self.path}: not a results folder (it has no config.yaml); {remedy}")

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The experiment's settings; empty where config.yaml is not written yet.

        Raises:
            UsageError: It is not the whole of an experiment's settings, as Snakemake writes them.
        """
        path = self.path / "config.yaml"
        content = (read_yaml(path) or {}) if path.exists() else {}
        lacking = set(SECTIONS) - set(content) if isinstance(content, dict) else set(SECTIONS)
        if content and lacking:
            raise UsageError(
                f"{path}: not all the settings of an experiment (it lacks {', '.join(sorted(lacking))}); "
                "a folder of results holds those that Snakemake wrote, which Snakemake writes again once it is deleted"
            )
        return content

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.settings.get("name", self.path.resolve().name)

    @cached_property
    def versions(self) -> dict[str, Any]:
        """What made the results: versions of the software."""
        return self._json("versions.json") or {}

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The corpus: sources, counts, token totals; with those of the final models once these are prepared."""
        return self._json("corpus/manifest-final.json") or self._json("corpus/manifest.json") or {}

    @cached_property
    def searches(self) -> list[str]:
        """Names of the searches that have begun, in the order of the settings."""
        begun = {path.parent.name for path in self.path.glob("search/*/level-*")}
        if self.only is not None:
            begun &= set(self.only)
        ordered = [name for name in self.settings.get("searches", {}) if name in begun]
        return ordered + sorted(begun - set(ordered))

    @property
    def main_search(self) -> str | None:
        """The search whose best model is trained longer: `main`, or the first that has begun."""
        return "main" if "main" in self.searches else next(iter(self.searches), None)

    def search_settings(self, search: str) -> dict[str, Any]:
        """Settings of one search."""
        return merge(self.settings.get("search", {}), self.settings.get("searches", {}).get(search) or {})

    @cached_property
    def proposals(self) -> dict[str, list[dict[str, Any]]]:
        """The rounds of each search in order: the content of its proposal files."""
        return {
            search: [self._read(path) for path in self._round_files(search, "proposal.json")]
            for search in self.searches
        }

    @cached_property
    def run_facts(self) -> dict[Run, dict[str, Any]]:
        """What is known of each run that was ever asked for: architecture, origin, source, overlap."""
        facts: dict[Run, dict[str, Any]] = {}
        for entry in [*self._asked, *self.cards.values()]:
            known = {key: entry[key] for key in ("architecture", "origin", "source", "overlap") if key in entry}
            facts.setdefault((entry["model"], entry["recipe"]), {}).update(known)
        return facts

    @cached_property
    def _asked(self) -> list[dict[str, Any]]:
        """What the searches asked for, and the final models."""
        asked = [proposal for rounds in self.proposals.values() for each in rounds for proposal in each["proposals"]]
        for final in self.finals.values():
            asked += final.get("proposals", [final] if "architecture" in final else [])
        return asked

    def _is_shown(self, run: Run) -> bool:
        """Whether a run belongs to the searches that are looked at; others may have left theirs in the same folder."""
        return self.only is None or run in self._asked_runs

    @cached_property
    def _asked_runs(self) -> set[Run]:
        return {(entry["model"], entry["recipe"]) for entry in self._asked}

    @cached_property
    def cards(self) -> dict[Run, dict[str, Any]]:
        """Card of each trained run."""
        return dict(self._runs_with("models", "card.json"))

    @cached_property
    def training_costs(self) -> dict[Run, dict[str, Any]]:
        """What the pre-training or the transfer of each run took."""
        return dict(self._runs_with("models", "cost.json"))

    @cached_property
    def scores(self) -> dict[Run, dict[str, Any]]:
        """Mean score of each run."""
        return dict(self._runs_with("glue", "score.json"))

    @cached_property
    def tasks(self) -> dict[Run, dict[str, dict[str, Any]]]:
        """Best trial of each task of each run."""
        return self._per_task("best.json")

    @cached_property
    def task_costs(self) -> dict[Run, dict[str, dict[str, Any]]]:
        """What each fine-tuning took."""
        return self._per_task("cost.json")

    @cached_property
    def finals(self) -> dict[str, dict[str, Any]]:
        """Which run is the final one of each search."""
        return {path.stem: self._read(path) for path in sorted(self.path.glob("final/*.json"))}

    @cached_property
    def progress(self) -> list[dict[str, Any]]:
        """Running jobs, each with its progress and the file's path under `file`."""
        found = []
        for path in sorted(self.path.glob("resume/**/progress.json")):
            try:  # the job may end between the listing and the reading
                found.append({"file": path, **json.loads(path.read_text(encoding="utf-8"))})
            except (FileNotFoundError, json.JSONDecodeError):
                continue
        return found

    @cached_property
    def begun(self) -> list[tuple[str, float]]:
        """Jobs that hold their state and have told no progress yet: name and seconds since the epoch of their begin."""
        found = []
        for path in sorted(self.path.glob("resume/**/lease.json")):
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):  # as above
                if not path.with_name("progress.json").exists():
                    begin = json.loads(path.read_text(encoding="utf-8"))["time"]
                    found.append((" ".join(path.parent.relative_to(self.path / "resume").parts), begin))
        return found

    def observations(self, search: str) -> "pd.DataFrame":
        """All observations of a search in order; columns OBSERVATION_KEYS, then one a task (points)."""
        import pandas as pd

        paths = self._round_files(search, "observations.csv")
        last_of_level = {path.parts[-3]: path for path in paths}  # a file repeats the rounds before it
        tables = [pd.read_csv(path, dtype={"model": str, "recipe": str}) for path in last_of_level.values()]
        if not tables:
            return pd.DataFrame(columns=list(OBSERVATION_KEYS))
        whole = pd.concat(tables, ignore_index=True)
        return whole.drop_duplicates(["level", "round", "model", "recipe"], ignore_index=True)

    def predictions(self, search: str) -> tuple["pd.DataFrame", Path] | None:
        """A surrogate's newest view of a library: its table and the library's folder; None where there is none."""
        import pandas as pd

        for path in reversed(self._round_files(search, "predictions.parquet")):
            table = pd.read_parquet(path)
            if len(table):
                return table, self.library_of(search, path.parts[-3])
        return None

    def library_of(self, search: str, level: str) -> Path:
        """Folder of the library of a search's level ("level-1"): its own, or the one that all searches share."""
        own = self.path / "search" / search / level / "library"
        return own if own.is_dir() else self.path / "library" / level

    def libraries(self) -> dict[str, Path]:
        """All libraries by a name for people."""
        shared = {path.parent.name: path.parent for path in sorted(self.path.glob("library/*/library.json"))}
        crossed = sorted(self.path.glob("search/*/level-*/library/library.json"))
        return shared | {f"{path.parts[-4]} {path.parts[-3]}": path.parent for path in crossed}

    def library_card(self, library: Path) -> dict[str, Any]:
        """What a library says of itself: how many models, of how many, how well embedded."""
        return self._read(library / "library.json")

    @cached_property
    def model_costs(self) -> "pd.DataFrame":
        """Parameters, FLOPs a token and latency of library models; index id."""
        import pandas as pd

        tables = [
            pd.read_parquet(folder / "costs.parquet")
            for folder in self.libraries().values()
            if (folder / "costs.parquet").exists()
        ]
        if not tables:
            return pd.DataFrame(columns=["parameters", "flops_per_token", "latency_ms"])
        return pd.concat(tables).drop_duplicates("id").set_index("id")

    def embedding(self, library: Path) -> tuple[list[str], "np.ndarray"] | None:
        """Names and coordinates (models, dimensions) of a library."""
        import numpy as np
        import pandas as pd

        if not (library / "embedding.npy").exists():
            return None
        names = pd.read_parquet(library / "models.parquet", columns=["id"])["id"].tolist()
        return names, np.load(library / "embedding.npy", allow_pickle=False)

    def curve(self, run: Run) -> "pd.DataFrame | None":
        """Training curve of a run."""
        import pandas as pd

        path = self.path / "models" / run[0] / run[1] / "curve.csv"
        return pd.read_csv(path) if path.exists() else None

    def benchmarks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(rule, record) of each job that Snakemake measured."""
        for path in sorted(self.path.glob("benchmarks/**/*.jsonl")):
            rule = path.relative_to(self.path / "benchmarks").parts[0].removesuffix(".jsonl")
            lines = path.read_text(encoding="utf-8").splitlines()
            yield from ((rule, json.loads(line)) for line in lines if line.strip())

    def _round_files(self, search: str, name: str) -> list[Path]:
        """One file of each round of a search, in order."""
        return sorted(self.path.glob(f"search/{search}/level-*/round-*/{name}"), key=_level_and_round)

    def _runs_with(self, stage: str, name: str) -> Iterator[tuple[Run, dict[str, Any]]]:
        for path in sorted(self.path.glob(f"{stage}/*/*/{name}")):
            run = (path.parts[-3], path.parts[-2])
            if self._is_shown(run):
                yield run, self._read(path)

    def _per_task(self, name: str) -> dict[Run, dict[str, dict[str, Any]]]:
        found: dict[Run, dict[str, dict[str, Any]]] = {}
        for path in sorted(self.path.glob(f"glue/*/*/*/{name}")):
            run = (path.parts[-4], path.parts[-3])
            if self._is_shown(run):
                found.setdefault(run, {})[path.parts[-2]] = self._read(path)
        return found

    def _json(self, name: str) -> Any:
        path = self.path / name
        return self._read(path) if path.exists() else None

    @staticmethod
    def _read(path: Path) -> Any:
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}: not valid JSON ({error}); delete it and run snakemake again") from None


def _is_results_folder(path: Path) -> bool:
    return any((path / mark).exists() for mark in MARKS)


def _level_and_round(path: Path) -> tuple[int, int]:
    """Order of rounds: level, round; as numbers, since rounds may pass 999."""
    level, round_name = path.parts[-3], path.parts[-2]
    return int(level.removeprefix("level-")), int(round_name.removeprefix("round-"))
