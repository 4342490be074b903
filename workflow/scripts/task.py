"""Hand one labelled task to flexibert.data.tasks."""

from pathlib import Path

from flexibert.data.tasks import prepare_task
from flexibert.log import job_log
from flexibert.settings import SuiteSettings, TaskSettings

with job_log(snakemake.log[0]):
    prepare_task(
        task=snakemake.wildcards.task,
        suite=SuiteSettings.from_mapping(snakemake.params.suite),
        settings=TaskSettings.from_mapping(snakemake.params.settings),
        tokenizer=Path(snakemake.input.tokenizer),
        seed=snakemake.params.seed,
        out_dir=Path(snakemake.output.card).parent,
    )
