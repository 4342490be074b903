"""Hand a model's id on the hub to flexibert.data.download."""

from pathlib import Path

from flexibert.data.download import fetch_tokenizer
from flexibert.log import job_log

with job_log(snakemake.log[0]):
    fetch_tokenizer(snakemake.params.model, Path(snakemake.output[0]))
