"""Hand one level of the design space to flexibert.space.library.library."""

from pathlib import Path

from flexibert.log import job_log
from flexibert.settings import LibrarySettings
from flexibert.space.library.library import level_library

with job_log(snakemake.log[0]):
    level_library(
        space=snakemake.params.space,
        level=int(snakemake.wildcards.level),
        settings=LibrarySettings.from_mapping(snakemake.params.settings),
        seed=snakemake.params.seed,
        out_dir=Path(snakemake.output[0]).parent,
        processes=snakemake.threads,
    )
