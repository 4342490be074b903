"""Hand what a search knows to flexibert.search.rounds."""

from functools import partial
from pathlib import Path

from flexibert.encoder.library_costs import costs_of
from flexibert.encoder.transfer import predicted_overlap
from flexibert.log import job_log
from flexibert.search.rounds import propose_round

with job_log(snakemake.log[0]):
    propose_round(
        name=snakemake.wildcards.search,
        round_number=int(snakemake.wildcards.round),
        **{key: snakemake.params[key] for key in ("search", "level", "transfer", "space", "seed")},
        library=Path(snakemake.input.library[0]).parent,
        observations=next(iter(snakemake.input.observations), None),
        proposals=snakemake.input.proposals,
        overlap=partial(predicted_overlap, max_positions=snakemake.params.max_positions),
        costs=costs_of(snakemake.input.vocabulary, snakemake.params.max_positions, snakemake.params.length),
        out=snakemake.output.proposal,
        predictions=snakemake.output.predictions,
    )
