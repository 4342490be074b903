"""Hand one run and the run whose weights it takes to flexibert.training.transferred."""

from pathlib import Path

from flexibert.log import job_log
from flexibert.training.transferred import transfer_run

with job_log(snakemake.log[0]):
    transfer_run(
        run=snakemake.params.run,
        source=Path(snakemake.input.source[0]).parent,
        manifest=Path(snakemake.input.manifest),
        tokenizer=Path(snakemake.input.tokenizer),
        settings=snakemake.params.settings,
        transfer_settings=snakemake.params.transfer,
        model_settings=snakemake.params.model,
        seed=snakemake.params.seed,
        resume=Path(snakemake.params.resume),
        out=Path(snakemake.output[0]).parent,
        jobs=snakemake.config["jobs"],
    )
