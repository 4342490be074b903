"""Hand one shard of a text source to flexibert.data.corpus."""

from pathlib import Path

from flexibert.data.corpus import collect_documents
from flexibert.log import job_log

with job_log(snakemake.log[0]):
    collect_documents(
        source=snakemake.params.source,
        shard=int(snakemake.wildcards.shard),
        shards=snakemake.params.shards,
        settings=snakemake.params.settings,
        out=Path(snakemake.output.documents),
        counts=Path(snakemake.output.counts),
    )
