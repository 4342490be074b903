"""Hand the settings to flexibert.preflight, which writes them beside the results."""

from flexibert.log import job_log
from flexibert.preflight import write_settings

with job_log(snakemake.log[0]):
    write_settings(snakemake.params.settings, snakemake.output.config, snakemake.output.versions)
