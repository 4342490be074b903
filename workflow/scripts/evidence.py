"""Hand the end of a search to flexibert.evidence.collect."""

from pathlib import Path

from flexibert.evidence.collect import Ended, collect_evidence, kept_answers
from flexibert.log import job_log

results, suite = Path(snakemake.output.evidence).parents[1], snakemake.params.suite
with job_log(snakemake.log[0]):
    collect_evidence(
        results=results,
        ended=Ended(
            best=snakemake.input.best,
            leaderboard=snakemake.input.leaderboard,
            observations=snakemake.input.observations[0],
            **{key: next(iter(snakemake.input[key]), None) for key in ("confirmation", "final", "speed")},
        ),
        suite=suite,
        answers=kept_answers(results, suite) if snakemake.params.tested else None,
        seed=snakemake.params.seed,
        out=snakemake.output.evidence,
        table=snakemake.output.table,
    )
