"""Hand the scores of a round to flexibert.search.observations."""

from flexibert.log import job_log
from flexibert.search.observations import observe_round

with job_log(snakemake.log[0]):
    observe_round(
        proposal=snakemake.input.proposal,
        before=next(iter(snakemake.input.before), None),
        scores=snakemake.input.scores,
        suite=snakemake.params.suite,
        out=snakemake.output[0],
    )
