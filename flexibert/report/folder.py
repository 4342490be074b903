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
from flexibert.layout import (
    LEASE,
    MARKS,
    MODEL_COST_COLUMNS,
    OBSERVATION_COLUMNS,
    PROGRESS,
    Layout,
    LibraryFiles,
    Pattern,
)
from flexibert.runs import Round, Run, RunName

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SECTIONS = ("name", "seed", "space", "corpus", "pretrain", "finetune", "search")  # that the report reads


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
        self.layout = Layout(path)
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
        path = self.layout.config.path()
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
        return self._json(self.layout.versions.path()) or {}

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The corpus: sources, counts, token totals; with those of the final models once these are prepared."""
        paths = [self.layout.manifest.path(manifest=name) for name in ("manifest-final", "manifest")]
        return next(filter(None, map(self._json, paths)), {})

    @cached_property
    def searches(self) -> list[str]:
        """Names of the searches that have begun, in the order of the settings."""
        begun = {parts["search"] for _, parts in self.layout.level.found()}
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
    def rounds(self) -> dict[str, list[Round]]:
        """The rounds of each search in order."""
        found = self.layout.round.proposal.found
        return {
            search: [Round.from_mapping(self._read(path)) for path, _ in found(search=search)]
            for search in self.searches
        }

    @cached_property
    def runs(self) -> dict[RunName, Run]:
        """Each run that was ever asked for; once it is trained, as its card knows it."""
        trained = [Run.from_mapping(card) for card in self.cards.values()]
        return {run.name: run.alone for run in [*self._asked, *trained]}

    @cached_property
    def _asked(self) -> list[Run]:
        """What the searches asked for, what was trained again to confirm it, and the final models."""
        asked = [run for rounds in self.rounds.values() for each in rounds for run in each.runs]
        asked += [run for search in self.confirmations for run in self.confirming(search)]
        return asked + [run for runs in self.finals.values() for run in runs]

    def asked_by(self, search: str) -> list[RunName]:
        """Runs that a search asked for, to find its models and to confirm them; each once, in order."""
        found = [run.name for each in self.rounds.get(search, []) for run in each.runs]
        return list(dict.fromkeys([*found, *(run.name for run in self.confirming(search))]))

    @cached_property
    def confirmations(self) -> dict[str, dict[str, Any]]:
        """What each search trains again when it has converged: its best `models`, and `baselines`."""
        return self._by_search(self.layout.confirmation)

    def confirming(self, search: str) -> list[Run]:
        """The runs that confirm a search; none before they are chosen."""
        return list(map(Run.from_mapping, self.confirmations.get(search, {}).get("proposals", [])))

    @cached_property
    def winners(self) -> dict[str, dict[str, Any]]:
        """The model that each search ended with."""
        return self._by_search(self.layout.best)

    @cached_property
    def evidence(self) -> dict[str, dict[str, Any]]:
        """What each search has proved: verdict, differences with intervals, scores on rows that were kept away."""
        return self._by_search(self.layout.evidence)

    @cached_property
    def plain(self) -> dict[str, dict[str, Any]]:
        """Scores of what needs no network, `majority` and `tfidf`, on kept-away rows of each task; None without any."""
        cards = {parts["task"]: self._read(path) for path, parts in self.layout.task.plain.found()}
        names = {"majority": "majority", "tfidf": "words"}
        return {
            task: {name: (card[key]["test"] or {}).get("score") for name, key in names.items()}
            for task, card in cards.items()
        }

    def ended(self, search: str) -> bool:
        """Whether a search has ranked its models."""
        return self.layout.leaderboard.path(search=search).exists()

    def ranking(self, search: str) -> "pd.DataFrame | None":
        """The models of a search as it ranked them at its end; None before, and where single runs were ranked."""
        import pandas as pd

        path = self.layout.leaderboard.path(search=search)
        table = pd.read_csv(path, dtype={"model": str, "recipe": str}) if path.exists() else None
        return table if table is not None and "posterior" in table else None

    def _is_shown(self, run: RunName) -> bool:
        """Whether a run belongs to the searches that are looked at; others may have left theirs in the same folder."""
        return self.only is None or run in self._asked_names

    @cached_property
    def _asked_names(self) -> set[RunName]:
        return {run.name for run in self._asked}

    @cached_property
    def cards(self) -> dict[RunName, dict[str, Any]]:
        """Card of each trained run."""
        return self._per_run(self.layout.run.card)

    @cached_property
    def training_costs(self) -> dict[RunName, dict[str, Any]]:
        """What the pre-training or the transfer of each run took."""
        return self._per_run(self.layout.run.cost)

    @cached_property
    def scores(self) -> dict[RunName, dict[str, Any]]:
        """Mean score of each run."""
        return self._per_run(self.layout.score)

    @cached_property
    def tasks(self) -> dict[RunName, dict[str, dict[str, Any]]]:
        """Best trial of each task of each run."""
        return self._per_task(self.layout.tuned.best)

    @cached_property
    def task_costs(self) -> dict[RunName, dict[str, dict[str, Any]]]:
        """What each fine-tuning took."""
        return self._per_task(self.layout.tuned.cost)

    @cached_property
    def finals(self) -> dict[str, list[Run]]:
        """The runs at the final budget of each search: its winner first, then baselines and the scaled pattern."""
        return {search: list(map(Run.from_mapping, entry["proposals"])) for search, entry in self.selections.items()}

    @cached_property
    def selections(self) -> dict[str, dict[str, Any]]:
        """What each search trains at the final budget: its winner, `model`, and `baselines`."""
        return self._by_search(self.layout.final)

    @cached_property
    def progress(self) -> list[dict[str, Any]]:
        """Running jobs, each with its progress and the file's path under `file`."""
        found = []
        for path in sorted(self.layout.resume.path().glob(f"**/{PROGRESS}")):
            try:  # the job may end between the listing and the reading
                found.append({"file": path, **json.loads(path.read_text(encoding="utf-8"))})
            except (FileNotFoundError, json.JSONDecodeError):
                continue
        return found

    @cached_property
    def begun(self) -> list[tuple[str, float]]:
        """Jobs that hold their state and have told no progress yet: name and seconds since the epoch of their begin."""
        found = []
        for path in sorted(self.layout.resume.path().glob(f"**/{LEASE}")):
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):  # as above
                if not path.with_name(PROGRESS).exists():
                    begin = json.loads(path.read_text(encoding="utf-8"))["time"]
                    found.append((" ".join(path.parent.relative_to(self.layout.resume).parts), begin))
        return found

    def observations(self, search: str) -> "pd.DataFrame":
        """All observations of a search in order; columns OBSERVATION_COLUMNS, then one a task (points)."""
        import pandas as pd

        found = self.layout.round.observations.found(search=search)
        last_of_level = {parts["level"]: path for path, parts in found}  # a file repeats the rounds before it
        tables = [pd.read_csv(path, dtype={"model": str, "recipe": str}) for path in last_of_level.values()]
        if not tables:
            return pd.DataFrame(columns=list(OBSERVATION_COLUMNS))
        whole = pd.concat(tables, ignore_index=True)
        return whole.drop_duplicates(["level", "round", "model", "recipe"], ignore_index=True)

    def predictions(self, search: str) -> tuple["pd.DataFrame", LibraryFiles] | None:
        """A surrogate's newest view of a library: its table and the library; None where there is none."""
        import pandas as pd

        for path, parts in reversed(self.layout.round.predictions.found(search=search)):
            table = pd.read_parquet(path)
            if len(table):
                return table, self.library_of(search, int(parts["level"]))
        return None

    def library_of(self, search: str, level: int) -> LibraryFiles:
        """The library of a search's level: its own, or the one that all searches share."""
        own = self.layout.finer_library.at(search=search, level=level)
        return own if own.folder.path().is_dir() else self.layout.library.at(level=level)

    def libraries(self) -> dict[str, LibraryFiles]:
        """All libraries by a name for people."""
        shared, crossed = self.layout.library, self.layout.finer_library
        named = {f"level-{parts['level']}": shared.at(**parts) for _, parts in shared.card.found()}
        return named | {
            f"{parts['search']} level-{parts['level']}": crossed.at(**parts) for _, parts in crossed.card.found()
        }

    def library_card(self, library: LibraryFiles) -> dict[str, Any]:
        """What a library says of itself: how many models, of how many, how well embedded."""
        return self._read(library.card.path())

    @cached_property
    def model_costs(self) -> "pd.DataFrame":
        """Parameters, FLOPs a token and latency of library models; index id."""
        import pandas as pd

        tables = [
            pd.read_parquet(library.costs) for library in self.libraries().values() if library.costs.path().exists()
        ]
        if not tables:
            return pd.DataFrame(columns=list(MODEL_COST_COLUMNS))
        return pd.concat(tables).drop_duplicates("id").set_index("id")

    def embedding(self, library: LibraryFiles) -> tuple[list[str], "np.ndarray"] | None:
        """Names and coordinates (models, dimensions) of a library."""
        import numpy as np
        import pandas as pd

        if not library.embedding.path().exists():
            return None
        names = pd.read_parquet(library.models, columns=["id"])["id"].tolist()
        return names, np.load(library.embedding, allow_pickle=False)

    def curve(self, run: RunName) -> "pd.DataFrame | None":
        """Training curve of a run."""
        import pandas as pd

        path = self.layout.run.curve.path(**run.to_mapping())
        return pd.read_csv(path) if path.exists() else None

    def benchmarks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(rule, record) of each job that Snakemake measured."""
        folder = self.layout.benchmarks.path()
        for path in sorted(folder.glob("**/*.jsonl")):
            rule = path.relative_to(folder).parts[0].removesuffix(".jsonl")
            lines = path.read_text(encoding="utf-8").splitlines()
            yield from ((rule, json.loads(line)) for line in lines if line.strip())

    def _by_search(self, pattern: Pattern) -> dict[str, dict[str, Any]]:
        """A file of each search that is looked at."""
        found = {parts["search"]: path for path, parts in pattern.found()}
        return {name: self._read(path) for name, path in found.items() if self.only is None or name in self.only}

    def _per_run(self, pattern: Pattern) -> dict[RunName, dict[str, Any]]:
        named = [(RunName.from_mapping(parts), path) for path, parts in pattern.found()]
        return {run: self._read(path) for run, path in named if self._is_shown(run)}

    def _per_task(self, pattern: Pattern) -> dict[RunName, dict[str, dict[str, Any]]]:
        found: dict[RunName, dict[str, dict[str, Any]]] = {}
        for path, parts in pattern.found():
            run = RunName.from_mapping(parts)
            if self._is_shown(run):
                found.setdefault(run, {})[parts["task"]] = self._read(path)
        return found

    def _json(self, path: Path) -> Any:
        return self._read(path) if path.exists() else None

    @staticmethod
    def _read(path: Path) -> Any:
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}: not valid JSON ({error}); delete it and run snakemake again") from None


def _is_results_folder(path: Path) -> bool:
    return any((path / mark).exists() for mark in MARKS)
