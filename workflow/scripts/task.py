"""Hand one labelled task to flexibert.data.tasks."""

from pathlib import Path

from flexibert.data.tasks import prepare_task
from flexibert.log import job_log

with job_log(snakemake.log[0]):
    prepare_task(
        task=snakemake.wildcards.task,
        suite=snakemake.params.suite,
        settings=snakemake.params.settings,
        tokenizer=Path(snakemake.input.tokenizer),
        seed=snakemake.params.seed,
        out_dir=Path(snakemake.output.card).parent,
    )
