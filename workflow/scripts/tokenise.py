"""Hand one shard of documents to flexibert.data.shards."""

from pathlib import Path

from flexibert.data.shards import tokenise
from flexibert.log import job_log

with job_log(snakemake.log[0]):
    tokenise(
        documents=Path(snakemake.input.documents),
        tokenizer=Path(snakemake.input.tokenizer),
        out_train=Path(snakemake.output.train),
        out_validation=Path(snakemake.output.validation),
        summary=Path(snakemake.output.summary),
        duplicates=Path(snakemake.input.duplicates),
    )
