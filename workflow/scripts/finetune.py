"""Hand one run and one task to flexibert.training.finetune."""

from pathlib import Path

from flexibert.log import job_log
from flexibert.training.finetune import finetune

with job_log(snakemake.log[0]):
    finetune(
        run_dir=Path(snakemake.input.model[0]).parent,
        task_dir=Path(snakemake.input.task[0]).parent,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        resume=Path(snakemake.params.resume),
        out=Path(snakemake.output.best).parent,
        jobs=snakemake.config["jobs"],
    )
