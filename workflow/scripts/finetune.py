"""Hand one run and one task to flexibert.training.finetune."""

from pathlib import Path

from flexibert.log import job_log
from flexibert.training.finetune import finetune
from flexibert.training.job import FinetuneJob

with job_log(snakemake.log[0]):
    job = {key: snakemake.params[key] for key in ("settings", "seed", "resume", "test")}
    job |= {"run_dir": Path(snakemake.input.model[0]).parent, "task_dir": Path(snakemake.input.task[0]).parent}
    job |= {"out": Path(snakemake.output.best).parent, "jobs": snakemake.config["jobs"]}
    finetune(FinetuneJob.from_mapping(job))
