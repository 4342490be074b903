"""Hand a results folder to flexibert.report.page."""

from pathlib import Path

from flexibert.report.page import write_report

from flexibert.log import job_log

with job_log(snakemake.log[0]):
    write_report(results=Path(snakemake.input.settings).parent, settings=snakemake.params.settings)
