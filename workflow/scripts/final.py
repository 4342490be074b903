"""Hand the best run of a search to flexibert.search.rounds."""

from flexibert.log import job_log
from flexibert.search.rounds import choose_final

with job_log(snakemake.log[0]):
    choose_final(
        best=snakemake.input.best,
        scale_up=snakemake.params.scale_up,
        out=snakemake.output[0],
    )
