"""Hand one hub source to flexibert.data.download."""

from pathlib import Path

from flexibert.data.download import HubData, fetch
from flexibert.log import job_log

with job_log(snakemake.log[0]):
    fetch(HubData.from_mapping(snakemake.params.source), Path(snakemake.output[0]).parent)
