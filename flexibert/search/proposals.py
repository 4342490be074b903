"""Proposals on disk: which runs a search asked for, and what each run is."""

import hashlib
from pathlib import Path
from typing import Any

from flexibert.files import read_json

Run = dict[str, Any]
RUN_KEYS = ("model", "recipe", "architecture", "origin", "source", "overlap")


def transferred_recipe(source: Run) -> str:
    """Recipe of a run that takes its weights from `source`: equal sources give equal names."""
    text = f"{source['model']}/{source['recipe']}"
    return f"from-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


class RunIndex:
    """All runs that the proposals and the final selection of one results folder name.

    A run's entry never changes, since its (model, recipe) follows from its content; so files are read again only
    when an unknown run is asked for.
    """

    def __init__(self, results: str | Path) -> None:
        self._results = Path(results)
        self._runs: dict[tuple[str, str], Run] = {}
        self._read: dict[Path, int] = {}

    def find(self, model: str, recipe: str) -> Run:
        """The run {model, recipe, architecture, origin, source, overlap}.

        Raises:
            KeyError: No proposal names it.
        """
        if (model, recipe) not in self._runs:
            self._scan()
        return self._runs[model, recipe]

    def _scan(self) -> None:
        files = [*self._results.glob("search/*/level-*/round-*/proposal.json"), *self._results.glob("final/*.json")]
        for path in sorted(files):
            changed = path.stat().st_mtime_ns
            if self._read.get(path) != changed:  # new, or made again by a changed search
                for run in read_json(path)["proposals"]:
                    self._runs.setdefault((run["model"], run["recipe"]), {key: run[key] for key in RUN_KEYS})
                self._read[path] = changed
