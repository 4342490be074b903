"""How sure the answer is: the speed of the final models, and the winner beside all that it is compared with."""

# Snakemake gives a job no more than `--cores`; on a cluster a job's cores are asked for one by one.
EVERY_CORE = 10**4 if workflow.local_exec else CFG["jobs"]["threads"]


rule speed:
    """Time the winner of a search and its baselines in turns, with the machine to themselves."""
    input:
        final=PATHS.final,
        vocabulary=PATHS.tokenizer_facts,
    output:
        PATHS.speed,
    log:
        "<logs>/speed/{search}.log",
    benchmark:
        "<benchmarks>/speed/{search}.jsonl"
    conda:
        "../envs/flexibert.yaml"
    threads: EVERY_CORE
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        max_positions=CFG["model"]["max_positions"],
        length=CFG["tasks"]["length"],
        revision=REVISION["speed"],
    message:
        "Timing the final models of search {wildcards.search}"
    script:
        "../workflow/scripts/speed.py"


rule evidence:
    """Differences between the winner and what it is compared with, their intervals, and the verdict."""
    input:
        best=PATHS.best,
        leaderboard=PATHS.leaderboard,
        observations=lambda wildcards: observed_by(wildcards.search),
        confirmation=lambda wildcards: confirmation_of(wildcards.search),
        final=lambda wildcards: final_of(wildcards.search),
        speed=lambda wildcards: [PATHS.speed.at(search=wildcards.search) for _ in final_of(wildcards.search)],
        scores=lambda wildcards: trained_files(wildcards.search),
    output:
        evidence=PATHS.evidence,
        table=PATHS.evidence_table,
    log:
        "<logs>/evidence/{search}.log",
    benchmark:
        "<benchmarks>/evidence/{search}.jsonl"
    localrule: True
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        tested=CFG["tasks"]["test_share"] > 0,
        suite=lambda wildcards: search_settings(CFG, wildcards.search)["suite"],
        seed=lambda wildcards: derive_seed(SEED, "evidence", wildcards.search),
        revision=REVISION["evidence"],
    message:
        "Comparing the winner of search {wildcards.search}"
    script:
        "../workflow/scripts/evidence.py"
