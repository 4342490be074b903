"""Hand the documents of all shards to flexibert.data.duplicates."""

from pathlib import Path

from flexibert.data.duplicates import find_duplicates
from flexibert.log import job_log

with job_log(snakemake.log[0]):
    find_duplicates(
        documents=[Path(path) for path in snakemake.input],
        kind=snakemake.params.settings["duplicates"],
        out=Path(snakemake.output.marks),
        counts=Path(snakemake.output.counts),
    )
