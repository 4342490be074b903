"""Hand one run to flexibert.training.pretrain."""

from pathlib import Path

from flexibert.log import job_log
from flexibert.training.pretrain import pretrain

with job_log(snakemake.log[0]):
    pretrain(
        run=snakemake.params.run,
        manifest=Path(snakemake.input.manifest),
        tokenizer=Path(snakemake.input.tokenizer),
        settings=snakemake.params.settings,
        model_settings=snakemake.params.model,
        seed=snakemake.params.seed,
        resume=Path(snakemake.params.resume),
        out=Path(snakemake.output[0]).parent,
        jobs=snakemake.config["jobs"],
    )
