"""Hand one labelled task to flexibert.training.plain."""

from pathlib import Path

from flexibert.log import job_log
from flexibert.settings import SuiteSettings, TaskSettings
from flexibert.training.plain import plain_baselines

with job_log(snakemake.log[0]):
    plain_baselines(
        task=snakemake.wildcards.task,
        suite=SuiteSettings.from_mapping(snakemake.params.suite),
        settings=TaskSettings.from_mapping(snakemake.params.settings),
        seed=snakemake.params.seed,
        downloaded=Path(snakemake.output.card).parent,
        out_dir=Path(snakemake.output.card).parent,
    )
