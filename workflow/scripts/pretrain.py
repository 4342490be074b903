"""Hand one run to flexibert.training.pretrain."""

from pathlib import Path

from flexibert.log import job_log
from flexibert.training.job import PretrainJob
from flexibert.training.pretrain import pretrain

with job_log(snakemake.log[0]):
    job = {key: snakemake.params[key] for key in ("run", "settings", "model", "seed", "resume")}
    job |= {key: snakemake.input[key] for key in ("manifest", "tokenizer")}
    job |= {"out": Path(snakemake.output[0]).parent, "jobs": snakemake.config["jobs"]}
    pretrain(PretrainJob.from_mapping(job))
