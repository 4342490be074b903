"""What a task gives away without a neural network."""


rule plain:
    """The majority answer and TF-IDF with a linear model, once a task."""
    input:
        lambda wildcards: download_of_task(wildcards.task),
    output:
        card=PATHS.task.plain,
        answers=[PATHS.task.majority_answers, PATHS.task.words_answers] if CFG["tasks"]["test_share"] else [],
    log:
        "<logs>/plain/{task}.log",
    benchmark:
        "<benchmarks>/plain/{task}.jsonl"
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        suite=lambda wildcards: {**SUITES[wildcards.task.split("-")[0]], "names": None},
        settings=TASK_SETTINGS,
        seed=lambda wildcards: derive_seed(SEED, "task", wildcards.task),
        revision=[REVISION["tasks"], REVISION["plain"]],
    message:
        "Scoring baselines without training on task {wildcards.task}"
    script:
        "../workflow/scripts/plain.py"
