"""How a search ends: its best models and their baselines are trained again, a winner is chosen and trained longer."""


checkpoint confirm:
    """Choose what is trained again: the best models of a search by posterior mean, and the baselines of each."""
    input:
        observations=lambda wildcards: observed_by(wildcards.search),
        proposals=lambda wildcards: asked_by(wildcards.search),
        vocabulary=PATHS.tokenizer_facts,
    output:
        PATHS.confirmation,
    log:
        "<logs>/confirm/{search}.log",
    benchmark:
        "<benchmarks>/confirm/{search}.jsonl"
    localrule: True
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        # one value, since Snakemake compares the values of all params as a set: 2 and 1 for 1 and 2 is no change to it
        asked={"models": CFG["confirm"]["models"], "seeds": CFG["confirm"]["seeds"], "baselines": CFG["baselines"]},
        space=SPACE,
        max_positions=CFG["model"]["max_positions"],
        length=CFG["tasks"]["length"],
        revision=REVISION["confirm"],
    message:
        "Choosing what search {wildcards.search} trains again"
    script:
        "../workflow/scripts/confirm.py"


rule search:
    """The outcome of a search: all its models, best first, and the winner."""
    input:
        observations=lambda wildcards: observed_by(wildcards.search),
        costs=lambda wildcards: [library_costs(wildcards.search, level) for level in levels_of(wildcards.search)],
        proposals=lambda wildcards: asked_by(wildcards.search),
        confirmation=lambda wildcards: confirmation_of(wildcards.search),
        scores=lambda wildcards: scores_in(confirmation_of(wildcards.search)),
    output:
        leaderboard=PATHS.leaderboard,
        best=PATHS.best,
    log:
        "<logs>/search/{search}.log",
    benchmark:
        "<benchmarks>/search/{search}.jsonl"
    localrule: True
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        suite=lambda wildcards: search_settings(CFG, wildcards.search)["suite"],
        revision=REVISION["rank"],
    message:
        "Ranking the models of search {wildcards.search}"
    script:
        "../workflow/scripts/search.py"


checkpoint final:
    """The models that are trained at the large budget: the winner, its baselines and, where asked, its scaled pattern."""
    input:
        best=PATHS.best,
        leaderboard=PATHS.leaderboard,
        confirmation=lambda wildcards: confirmation_of(wildcards.search),
        proposals=lambda wildcards: asked_by(wildcards.search),
        vocabulary=PATHS.tokenizer_facts,
    output:
        PATHS.final,
    log:
        "<logs>/final/{search}.log",
    benchmark:
        "<benchmarks>/final/{search}.jsonl"
    localrule: True
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        scale_up=CFG["final"]["scale_up"],
        asked={"seeds": CFG["final"]["seeds"], "baselines": CFG["baselines"]},
        space=SPACE,
        max_positions=CFG["model"]["max_positions"],
        length=CFG["tasks"]["length"],
        revision=REVISION["confirm"],
    message:
        "Choosing the final models of search {wildcards.search}"
    script:
        "../workflow/scripts/final.py"
