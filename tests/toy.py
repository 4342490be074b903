"""Run the workflow in a scratch folder as a user would: `snakemake` in a process of its own."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flexibert.files import read_json

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"  # real data beside the checkout, which the project does not ship
TEST_CONFIG = ROOT / "config" / "test.yaml"


@dataclass(frozen=True)
class Done:
    """A finished call of Snakemake."""

    folder: Path
    returncode: int
    text: str

    @property
    def ok(self) -> bool:
        return self.returncode == 0

    @property
    def results(self) -> Path:
        return self.folder / "results" / "test"

    def read_json(self, path: str) -> Any:
        return read_json(self.results / path)

    @property
    def jobs(self) -> dict[str, int]:
        """Planned jobs by rule, from the table that Snakemake prints."""
        table = re.findall(r"^([a-z_]+) +(\d+)$", self.text.split("Job stats:")[-1], flags=re.MULTILINE)
        return {rule: int(count) for rule, count in table if rule not in ("all", "total")}


def command(*arguments: str, folder: Path, changes: dict | None = None, config: Path = TEST_CONFIG) -> list[str]:
    """The command line of one call; `changes` are laid over the configuration as a second file."""
    files = [str(config)]
    if changes:
        extra = folder / "changes.yaml"
        extra.write_text(yaml.safe_dump(changes))
        files.append(str(extra))
    program = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    return [*program, *arguments, "--configfile", *files]


def run(*arguments: str, folder: Path, changes: dict | None = None, config: Path = TEST_CONFIG) -> Done:
    """Call Snakemake and wait for it."""
    called = subprocess.run(
        command(*arguments, folder=folder, changes=changes, config=config),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        check=False,
    )
    return Done(folder, called.returncode, called.stdout)
