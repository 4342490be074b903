"""The jobs of an experiment as Snakemake sees them: what each makes, what it needs, and whether it is done.

Snakemake prints its DAG without files and without telling an outdated result from a missing one; its Python interface
has both, so that it is asked here in place of its command line.
"""

import contextlib
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flexibert.errors import ConfigError
from flexibert.files import read_json
from flexibert.layout import PROGRESS
from flexibert.report.status import is_alive

STATES = ("done", "running", "stale", "to do")


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        rule: Its rule.
        wildcards: What tells it from the rule's other jobs.
        outputs: Files that it makes.
        needs: Positions of the jobs whose results it reads, in the list of all jobs.
        state: "done", "running", "stale" (its results are there, but will be made again) or "to do".
    """

    rule: str
    wildcards: dict[str, str]
    outputs: tuple[str, ...]
    needs: tuple[int, ...]
    state: str


def read_jobs(
    configfiles: Sequence[Path] = (), targets: Sequence[str] = (), snakefile: Path | None = None
) -> list[Job]:
    """All jobs of the targets that are known now; what follows a checkpoint is known when it has run.

    Args:
        configfiles: As `snakemake --configfile` takes them.
        targets: Rules or files; none for the default target.
        snakefile: The workflow; None for the one in the working directory.

    Raises:
        ConfigError: Snakemake cannot plan the jobs; the message says why.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.settings.enums import Quietness
    from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings

    missing = [f"{path}: no such file" for path in configfiles if not path.is_file()]
    if missing:
        raise ConfigError(missing)
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as snakemake:
        try:
            workflow = snakemake.workflow(
                resource_settings=ResourceSettings(cores=1),
                config_settings=ConfigSettings(configfiles=list(configfiles)),
                snakefile=snakefile,
            )
            planned = workflow.dag(dag_settings=DAGSettings(targets=set(targets)))
            with contextlib.redirect_stdout(io.StringIO()):
                planned.summary()
            graph = workflow._workflow.dag
        except Exception as error:  # a Snakefile may raise anything, and Snakemake wraps it
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ConfigError(f"Snakemake cannot plan the jobs: {reason}") from error
        return _jobs(graph)


def _jobs(graph: Any) -> list[Job]:
    ordered = sorted(graph.jobs, key=lambda job: (job.rule.name, [str(path) for path in job.output]))
    position = {job: number for number, job in enumerate(ordered)}
    found = []
    for job in ordered:
        needs = sorted(position[other] for other in graph.job_dependencies(job))
        outputs = tuple(str(path) for path in job.output)
        found.append(Job(job.rule.name, dict(job.wildcards_dict), outputs, tuple(needs), _state(graph, job, outputs)))
    return found


def _state(graph: Any, job: Any, outputs: tuple[str, ...]) -> str:
    if not graph.needrun(job):
        return "done"
    if _is_running(job.params.get("resume")):
        return "running"
    return "stale" if outputs and all(Path(path).exists() for path in outputs) else "to do"


def _is_running(resume: str | None) -> bool:
    """Whether a training job tells its progress in its resume folder."""
    path = Path(resume) / PROGRESS if resume else None
    return path is not None and path.exists() and is_alive(read_json(path), time.time())
