"""Hand the observations of a search to flexibert.search.outcome."""

from pathlib import Path

from flexibert.log import job_log
from flexibert.search.outcome import rank_runs

with job_log(snakemake.log[0]):
    rank_runs(
        name=snakemake.wildcards.search,
        observations=snakemake.input.observations[0],
        libraries=[Path(path).parent for path in snakemake.input.costs],
        proposals=snakemake.input.proposals,
        leaderboard=snakemake.output.leaderboard,
        best=snakemake.output.best,
    )
