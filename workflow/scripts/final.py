"""Hand the best run of a search to flexibert.search.outcome."""

from flexibert.log import job_log
from flexibert.search.outcome import choose_final
from flexibert.settings import ScaleSettings

factors = snakemake.params.scale_up
with job_log(snakemake.log[0]):
    choose_final(
        best=snakemake.input.best,
        scale_up=factors and ScaleSettings.from_mapping(factors),
        out=snakemake.output[0],
    )
