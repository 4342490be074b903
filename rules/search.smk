"""The search: propose models (a checkpoint a round), observe their scores, until it converges."""


checkpoint propose:
    """Choose the models of one round, and say why; a round without proposals ends the level."""
    input:
        library=lambda wildcards: library_files(wildcards.search, wildcards.level),
        observations=lambda wildcards: known_before(wildcards.search, wildcards.level, int(wildcards.round)),
        proposals=lambda wildcards: first_proposals(wildcards.search, wildcards.level, int(wildcards.round)),
        vocabulary=PATHS.tokenizer_facts,
    output:
        proposal=PATHS.round.proposal,
        predictions=PATHS.round.predictions,
    log:
        "<logs>/propose/{search}-level-{level}-round-{round}.log",
    benchmark:
        "<benchmarks>/propose/{search}-level-{level}-round-{round}.jsonl"
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        search=lambda wildcards: {
            key: value for key, value in search_settings(CFG, wildcards.search).items() if key != "levels"
        },
        level=lambda wildcards: level_keys(wildcards.search, wildcards.level),
        space=SPACE,
        transfer=CFG["transfer"],
        max_positions=CFG["model"]["max_positions"],
        length=CFG["tasks"]["length"],
        seed=lambda wildcards: derive_seed(SEED, "search", search_settings(CFG, wildcards.search)["seed"]),
        revision=REVISION["propose"],
    message:
        "Round {wildcards.round} of search {wildcards.search}, level {wildcards.level}: proposing models"
    script:
        "../workflow/scripts/propose.py"


rule observe:
    """Add a round's scores to what the search knows."""
    input:
        proposal=PATHS.round.proposal,
        before=lambda wildcards: known_before(wildcards.search, wildcards.level, int(wildcards.round)),
        scores=lambda wildcards: scores_of_round(wildcards.search, wildcards.level, int(wildcards.round)),
    output:
        PATHS.round.observations,
    log:
        "<logs>/observe/{search}-level-{level}-round-{round}.log",
    benchmark:
        "<benchmarks>/observe/{search}-level-{level}-round-{round}.jsonl"
    localrule: True
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        suite=lambda wildcards: search_settings(CFG, wildcards.search)["suite"],
        revision=REVISION["observe"],
    message:
        "Round {wildcards.round} of search {wildcards.search}, level {wildcards.level}: observing scores"
    script:
        "../workflow/scripts/observe.py"
