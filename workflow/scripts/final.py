"""Hand the best run of a search to flexibert.search.outcome."""

from flexibert.log import job_log
from flexibert.search.outcome import choose_final

with job_log(snakemake.log[0]):
    choose_final(
        best=snakemake.input.best,
        scale_up=snakemake.params.scale_up,
        out=snakemake.output[0],
    )
