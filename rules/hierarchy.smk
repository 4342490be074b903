"""Levels of a search: each level's library comes from the best models of the level before (paper: hierarchy)."""


rule finer_library:
    """Cross the best models of the level before, and their neighbours, stack by stack at the finer level."""
    input:
        observations=lambda wildcards: last_observations(
            wildcards.search, level_before(wildcards.search, wildcards.level)
        ),
        library=lambda wildcards: library_files(wildcards.search, level_before(wildcards.search, wildcards.level)),
        proposals=lambda wildcards: proposals_of(wildcards.search, level_before(wildcards.search, wildcards.level)),
    output:
        PATHS.finer_library.files,
    log:
        "<logs>/finer-library/{search}-level-{level}.log",
    benchmark:
        "<benchmarks>/finer-library/{search}-level-{level}.jsonl"
    conda:
        "../envs/flexibert.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        space=SPACE,
        settings=CFG["library"],
        parents=lambda wildcards: parents_settings(wildcards.search, level_before(wildcards.search, wildcards.level)),
        seed=lambda wildcards: derive_seed(SEED, "library", wildcards.search, wildcards.level),
        revision=REVISION["library"],
    message:
        "Building the library of level {wildcards.level} of search {wildcards.search}"
    script:
        "../workflow/scripts/finer_library.py"


use rule costs as finer_costs with:
    input:
        models=PATHS.finer_library.models,
        vocabulary=PATHS.tokenizer_facts,
    output:
        PATHS.finer_library.costs,
    log:
        "<logs>/costs/{search}-level-{level}.log",
    benchmark:
        "<benchmarks>/costs/{search}-level-{level}.jsonl"
    message:
        "Counting what the models of level {wildcards.level} of search {wildcards.search} cost"
