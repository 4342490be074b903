"""Hand the documents to flexibert.data.tokenizer."""

from pathlib import Path

from flexibert.data.tokenizer import make_tokenizer
from flexibert.log import job_log
from flexibert.settings import TokenizerSettings

with job_log(snakemake.log[0]):
    make_tokenizer(
        settings=TokenizerSettings.from_mapping(snakemake.params.settings),
        documents=[Path(path) for path in snakemake.input.documents],
        out=Path(snakemake.output[0]),
        seed=snakemake.params.seed,
        duplicates=Path(snakemake.input.duplicates),
    )
