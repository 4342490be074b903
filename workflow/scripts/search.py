"""Hand the observations of a search and of its confirmation to flexibert.outcome.leaderboard."""

from pathlib import Path

from flexibert.log import job_log
from flexibert.outcome.leaderboard import rank_models

with job_log(snakemake.log[0]):
    rank_models(
        name=snakemake.wildcards.search,
        observations=snakemake.input.observations[0],
        libraries=[Path(path).parent for path in snakemake.input.costs],
        proposals=snakemake.input.proposals,
        confirmation=next(iter(snakemake.input.confirmation), None),
        scores=snakemake.input.scores,
        suite=snakemake.params.suite,
        leaderboard=snakemake.output.leaderboard,
        best=snakemake.output.best,
    )
