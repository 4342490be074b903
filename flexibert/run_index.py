"""The runs of a results folder that were asked for: by the proposals, the confirmations and the
final selections of its searches."""

from pathlib import Path

from flexibert.files import read_json
from flexibert.layout import Layout
from flexibert.runs import Run, RunName


def asked_in(path: str | Path) -> list[Run]:
    """The runs that a proposal.json or a final/SEARCH.json asks for."""
    return [Run.from_mapping(entry) for entry in read_json(path)["proposals"]]


class RunIndex:
    """All runs that the proposals and the final selections of one results folder name.

    A run never changes, since its name follows from its content; so files are read again only when an unknown run is
    asked for.
    """

    def __init__(self, results: str | Path) -> None:
        self._layout = Layout(results)
        self._runs: dict[RunName, Run] = {}
        self._read: dict[Path, int] = {}

    def find(self, model: str, recipe: str) -> Run:
        """The run, without what a proposal says of it.

        Raises:
            KeyError: Nothing asks for it.
        """
        name = RunName.of(model, recipe)
        if name not in self._runs:
            self._scan()
        return self._runs[name]

    def _scan(self) -> None:
        asking = (self._layout.final, self._layout.confirmation, self._layout.round.proposal)
        for path in [found.path for pattern in asking for found in pattern.found()]:
            changed = path.stat().st_mtime_ns
            if self._read.get(path) != changed:  # new, or made again by a changed search
                for run in asked_in(path):
                    self._runs.setdefault(run.name, run.alone)
                self._read[path] = changed
