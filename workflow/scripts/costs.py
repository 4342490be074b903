"""Hand the models of a library to flexibert.encoder.library_costs."""

from flexibert.encoder.library_costs import write_costs
from flexibert.log import job_log

with job_log(snakemake.log[0]):
    write_costs(
        models=snakemake.input.models,
        vocabulary=snakemake.input.vocabulary,
        max_positions=snakemake.params.max_positions,
        length=snakemake.params.length,
        latency=snakemake.params.latency,
        out=snakemake.output[0],
    )
