"""Hand the summaries of all shards to flexibert.data.shards."""

from pathlib import Path

from flexibert.data.shards import write_manifest
from flexibert.log import job_log

with job_log(snakemake.log[0]):
    write_manifest(
        summaries=[Path(path) for path in snakemake.input.summaries],
        weights={source["name"]: source["weight"] for source in snakemake.params.sources},
        tokenizer=Path(snakemake.input.tokenizer),
        out=Path(snakemake.output[0]),
        counts=[Path(path) for path in snakemake.input.counts],
    )
