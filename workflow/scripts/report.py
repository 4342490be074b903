"""Hand a results folder to flexibert.report.page."""

from pathlib import Path

from flexibert.log import job_log
from flexibert.report.page import write_report

with job_log(snakemake.log[0]):
    write_report(
        results=Path(snakemake.input.settings).parent,
        out=Path(snakemake.output.page).parent,
        settings=snakemake.params.settings,
        searches=snakemake.params.searches,
    )
