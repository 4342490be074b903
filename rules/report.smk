"""What a person looks at: one page with every figure and table, made from the results folder alone."""


def final_scores(wildcards):
    """Scores of the final models of the search `main`."""
    runs = read_json(checkpoints.final.get(search="main").output[0])["proposals"]
    return [f"{RESULTS}/glue/{run['model']}/{run['recipe']}/score.json" for run in runs]


rule report:
    """The report page, its figures (SVG, each from one CSV) and its tables."""
    input:
        settings="<results>/config.yaml",
        leaderboards=expand("<results>/search/{search}/leaderboard.csv", search=sorted({"main", *CFG["comparison"]})),
        final=final_scores,
    output:
        page="<results>/report/index.html",
        leaderboard=report(
            "<results>/report/tables/leaderboard.csv",
            caption="../workflow/report/leaderboard.rst",
            category="Leaderboard",
        ),
        figures=report(
            directory("<results>/report/figures"),
            patterns=["{name}.svg"],
            caption="../workflow/report/figure.rst",
            category="Figures",
        ),
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.jsonl"
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=CFG["report"],
        revision=REVISION["report"],
    message:
        "Writing the report of experiment {NAME}"
    script:
        "../workflow/scripts/report.py"
