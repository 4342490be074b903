"""Hand the best models of one level to flexibert.search.finer_level, which builds the next level's library."""

from pathlib import Path

from flexibert.log import job_log
from flexibert.search.finer_level import finer_library
from flexibert.settings import LibrarySettings

with job_log(snakemake.log[0]):
    finer_library(
        space=snakemake.params.space,
        level=int(snakemake.wildcards.level),
        observations=Path(snakemake.input.observations[0]),
        library=Path(snakemake.input.library[0]).parent,
        proposals=snakemake.input.proposals,
        settings=LibrarySettings.from_mapping(snakemake.params.settings),
        **snakemake.params.parents,
        seed=snakemake.params.seed,
        out_dir=Path(snakemake.output[0]).parent,
    )
