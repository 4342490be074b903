"""What a person looks at: one page with every figure and table, made from the results folder alone."""


rule report:
    """A page of one search (report) or of all (comparison), its figures (SVG, each from one CSV) and its tables."""
    input:
        settings=PATHS.config,
        leaderboards=lambda wildcards: expand(PATHS.leaderboard, search=searches_of(wildcards.page)),
        final=lambda wildcards: scores_in(final_of("main")),
        plain=expand(PATHS.task.plain, task=tasks_of_recipe("final")),
        evidence=lambda wildcards: [PATHS.evidence.at(search=name) for name in judged(wildcards.page)],
    output:
        page=report(
            PATHS.page,
            caption="../workflow/report/page.rst",
            category="Page",
            labels={"page": "{page}"},
        ),
        tables=report(
            directory(PATHS.tables),
            patterns=["{name}.csv"],
            caption="../workflow/report/table.rst",
            category="Tables",
            labels={"page": "{page}", "table": "{name}"},
        ),
        figures=report(
            directory(PATHS.figures),
            patterns=["{name}.svg"],
            caption="../workflow/report/figure.rst",
            category="Figures",
            labels={"page": "{page}", "figure": "{name}"},
        ),
    log:
        "<logs>/report/{page}.log",
    benchmark:
        "<benchmarks>/report/{page}.jsonl"
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=CFG["report"],
        searches=lambda wildcards: searches_of(wildcards.page),
        revision=REVISION["report"],
    message:
        "Writing the {wildcards.page} page"
    script:
        "../workflow/scripts/report.py"
