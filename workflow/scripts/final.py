"""Hand the winner of a search to flexibert.outcome.confirmation."""

from flexibert.encoder.library_costs import cost_function
from flexibert.log import job_log
from flexibert.outcome.confirmation import choose_final
from flexibert.settings import ScaleSettings

factors = snakemake.params.scale_up
with job_log(snakemake.log[0]):
    choose_final(
        best=snakemake.input.best,
        confirmation=next(iter(snakemake.input.confirmation), None),
        leaderboard=snakemake.input.leaderboard,
        proposals=snakemake.input.proposals,
        scale_up=factors and ScaleSettings.from_mapping(factors),
        **snakemake.params.asked,
        space=snakemake.params.space,
        costs=cost_function(snakemake.input.vocabulary, snakemake.params.max_positions, snakemake.params.length),
        out=snakemake.output[0],
    )
