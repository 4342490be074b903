"""Hand the final models of a search to flexibert.encoder.turns."""

from flexibert.encoder.turns import write_speed
from flexibert.log import job_log

with job_log(snakemake.log[0]):
    write_speed(
        final=snakemake.input.final,
        vocabulary=snakemake.input.vocabulary,
        max_positions=snakemake.params.max_positions,
        length=snakemake.params.length,
        out=snakemake.output[0],
    )
