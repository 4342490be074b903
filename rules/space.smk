"""The candidates of a level of the design space: graphs, distances, embedding, neighbours, costs."""


rule library:
    """All models of one level of the design space (a sample of a level that is too large)."""
    output:
        PATHS.library.files,
    log:
        "<logs>/library/level-{level}.log",
    benchmark:
        "<benchmarks>/library/level-{level}.jsonl"
    conda:
        "../envs/flexibert.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        space=SPACE,
        settings=CFG["library"],
        seed=lambda wildcards: derive_seed(SEED, "library", wildcards.level),
        revision=REVISION["library"],
    message:
        "Building the library of level {wildcards.level}"
    script:
        "../workflow/scripts/library.py"


rule costs:
    """Parameters, FLOPs a token and, where a constraint asks for it, latency of each model of a library."""
    input:
        models=PATHS.library.models,
        vocabulary=PATHS.tokenizer_facts,
    output:
        PATHS.library.costs,
    log:
        "<logs>/costs/level-{level}.log",
    benchmark:
        "<benchmarks>/costs/level-{level}.jsonl"
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        max_positions=CFG["model"]["max_positions"],
        length=CFG["tasks"]["length"],
        latency=any(search_settings(CFG, name)["constraints"].get("latency_ms") for name in CFG["searches"]),
        revision=REVISION["costs"],
    message:
        "Counting what the models of level {wildcards.level} cost"
    script:
        "../workflow/scripts/costs.py"
