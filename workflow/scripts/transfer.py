"""Hand one run and the run whose weights it takes to flexibert.training.transferred."""

from pathlib import Path

from flexibert.log import job_log
from flexibert.training.job import PretrainJob
from flexibert.training.transferred import transfer_run

with job_log(snakemake.log[0]):
    job = {key: snakemake.params[key] for key in ("run", "settings", "model", "seed", "resume")}
    job |= {key: snakemake.input[key] for key in ("manifest", "tokenizer")}
    job |= {"out": Path(snakemake.output[0]).parent, "jobs": snakemake.config["jobs"]}
    source = Path(snakemake.input.source[0]).parent
    transfer_run(PretrainJob.from_mapping(job), source, **snakemake.params.transfer)
