"""Hand the models of a library to flexibert.encoder.cost."""

from pathlib import Path

from flexibert.encoder.cost import write_costs

from flexibert.log import job_log

with job_log(snakemake.log[0]):
    write_costs(
        models=Path(snakemake.input.models),
        tokenizer=Path(snakemake.input.tokenizer),
        model_settings=snakemake.params.model,
        length=snakemake.params.length,
        latency=snakemake.params.latency,
        out=Path(snakemake.output[0]),
    )
