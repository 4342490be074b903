"""Hand what a search has observed to flexibert.outcome.confirmation."""

from flexibert.encoder.library_costs import cost_function
from flexibert.log import job_log
from flexibert.outcome.confirmation import choose_confirmed

with job_log(snakemake.log[0]):
    choose_confirmed(
        name=snakemake.wildcards.search,
        observations=snakemake.input.observations[0],
        proposals=snakemake.input.proposals,
        **snakemake.params.asked,
        space=snakemake.params.space,
        costs=cost_function(snakemake.input.vocabulary, snakemake.params.max_positions, snakemake.params.length),
        out=snakemake.output[0],
    )
