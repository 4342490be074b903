"""Hand the scores of one run's tasks to flexibert.training.glue."""

from pathlib import Path

from flexibert.log import job_log
from flexibert.training.glue import aggregate

with job_log(snakemake.log[0]):
    aggregate(
        results=[Path(path) for path in snakemake.input],
        suite=snakemake.params.suite,
        out=Path(snakemake.output[0]),
        leave_out=snakemake.params.leave_out,
    )
