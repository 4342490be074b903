"""How a search ends: its best models and their baselines are trained again, a winner is chosen and trained longer."""


def is_confirmed(search):
    """Whether the best models of a search are trained again."""
    return bool(CFG["confirm"]["models"]) and search in CFG["confirm"]["searches"]


def confirmation_of(search):
    """What a search trains again, as a list of one file; empty where it is not confirmed."""
    return [checkpoints.confirm.get(search=search).output[0]] if is_confirmed(search) else []


def final_of(search):
    """What is trained at the large budget, as a list of one file: for the search `main` alone."""
    return [checkpoints.final.get(search=search).output[0]] if search == "main" else []


def scores_in(files):
    """Scores of all runs that confirmations or final selections name."""
    return [score for path in files for score in scores_of(read_json(path)["proposals"])]


def observed_by(search):
    """Observations of the last round of a search."""
    return last_observations(search, levels_of(search)[-1])


def asked_by(search):
    """Proposals of all rounds of a search."""
    return [path for level in levels_of(search) for path in proposals_of(search, level)]


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
        models=CFG["confirm"]["models"],
        seeds=CFG["confirm"]["seeds"],
        baselines=CFG["baselines"],
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
        seeds=CFG["final"]["seeds"],
        scale_up=CFG["final"]["scale_up"],
        baselines=CFG["baselines"],
        space=SPACE,
        max_positions=CFG["model"]["max_positions"],
        length=CFG["tasks"]["length"],
        revision=REVISION["confirm"],
    message:
        "Choosing the final models of search {wildcards.search}"
    script:
        "../workflow/scripts/final.py"
