"""Hand what a search knows to flexibert.search.rounds."""

from functools import partial
from pathlib import Path

from flexibert.encoder.library_costs import cost_function
from flexibert.encoder.transfer import predicted_overlap
from flexibert.log import job_log
from flexibert.search.rounds import propose_round
from flexibert.settings import LevelSettings, SearchSettings, TransferSettings

SECTIONS = {"search": SearchSettings, "level": LevelSettings, "transfer": TransferSettings}
with job_log(snakemake.log[0]):
    propose_round(
        name=snakemake.wildcards.search,
        round_number=int(snakemake.wildcards.round),
        **{key: section.from_mapping(snakemake.params[key]) for key, section in SECTIONS.items()},
        **{key: snakemake.params[key] for key in ("space", "seed")},
        library=Path(snakemake.input.library[0]).parent,
        observations=next(iter(snakemake.input.observations), None),
        proposals=snakemake.input.proposals,
        overlap=partial(predicted_overlap, max_positions=snakemake.params.max_positions),
        costs=cost_function(snakemake.input.vocabulary, snakemake.params.max_positions, snakemake.params.length),
        **dict(snakemake.output.items()),
    )
