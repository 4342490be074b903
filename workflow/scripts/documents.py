"""Hand one shard of a text source to flexibert.data.corpus."""

from pathlib import Path

from flexibert.data.corpus import collect_documents
from flexibert.log import job_log
from flexibert.settings import CorpusSettings, SourceSettings

with job_log(snakemake.log[0]):
    collect_documents(
        source=SourceSettings.from_mapping(snakemake.params.source),
        shard=int(snakemake.wildcards.shard),
        shards=snakemake.params.shards,
        settings=CorpusSettings.from_mapping(snakemake.params.settings),
        out=Path(snakemake.output.documents),
        counts=Path(snakemake.output.counts),
    )
