"""One run: pre-training or transfer, a fine-tuning for each task, and their mean."""


rule pretrain:
    """Train one model from scratch with masked-language modelling."""
    input:
        manifest=manifest_of,
        tokenizer="<results>/tokenizer/tokenizer.json",
    output:
        [f"<results>/models/{{model}}/{{recipe}}/{name}" for name in MODEL_FILES],
    log:
        "<logs>/pretrain/{model}-{recipe}.log",
    benchmark:
        "<benchmarks>/pretrain/{model}-{recipe}.jsonl"
    wildcard_constraints:
        recipe=r"scratch|final|retuned-\d+",
    conda:
        "../envs/flexibert.yaml"
    threads: CFG["jobs"]["threads"]
    resources:
        mem_mb=training_memory,
        runtime=training_minutes,
    params:
        run=run_of,
        settings=lambda wildcards: training_settings(CFG, "pretrain", wildcards.recipe),
        model=CFG["model"],
        seed=lambda wildcards: derive_seed(SEED, "pretrain", wildcards.model, wildcards.recipe),
        revision=REVISION["pretrain"],
        resume=f"{PLACE}/resume/pretrain/{{model}}/{{recipe}}",
    message:
        "Pre-training {wildcards.model} ({wildcards.recipe}) for {params.settings[steps]} steps"
    script:
        "../workflow/scripts/pretrain.py"


rule transfer:
    """Give one model the weights of a trained neighbour in place of a pre-training."""
    input:
        source=source_model,
        manifest="<results>/corpus/manifest.json",
        tokenizer="<results>/tokenizer/tokenizer.json",
    output:
        [f"<results>/models/{{model}}/{{recipe}}/{name}" for name in MODEL_FILES],
    log:
        "<logs>/transfer/{model}-{recipe}.log",
    benchmark:
        "<benchmarks>/transfer/{model}-{recipe}.jsonl"
    wildcard_constraints:
        recipe="from-[0-9a-f]+",
    conda:
        "../envs/flexibert.yaml"
    threads: CFG["jobs"]["threads"]
    resources:
        mem_mb=training_memory,
        runtime=training_minutes,
    params:
        run=run_of,
        settings=CFG["pretrain"],
        transfer={key: CFG["transfer"][key] for key in ("mode", "steps")},
        model=CFG["model"],
        seed=lambda wildcards: derive_seed(SEED, "transfer", wildcards.model, wildcards.recipe),
        revision=REVISION["transfer"],
        resume=f"{PLACE}/resume/transfer/{{model}}/{{recipe}}",
    message:
        "Transferring the weights of {params.run[source][model]} to {wildcards.model}"
    script:
        "../workflow/scripts/transfer.py"


rule finetune:
    """Fine-tune one run on one task and keep its best validation score."""
    input:
        model=expand("<results>/models/{{model}}/{{recipe}}/{name}", name=MODEL_FILES[:3]),
        task=expand("<results>/tasks/{{task}}/{name}", name=["train.npz", "validation.npz", "task.json"]),
    output:
        best="<results>/glue/{model}/{recipe}/{task}/best.json",
        trials="<results>/glue/{model}/{recipe}/{task}/trials.csv",
        cost="<results>/glue/{model}/{recipe}/{task}/cost.json",
    log:
        "<logs>/finetune/{model}-{recipe}-{task}.log",
    benchmark:
        "<benchmarks>/finetune/{model}-{recipe}-{task}.jsonl"
    conda:
        "../envs/flexibert.yaml"
    threads: CFG["jobs"]["threads"]
    resources:
        mem_mb=training_memory,
        runtime=training_minutes,
    params:
        settings=lambda wildcards: training_settings(CFG, "finetune", wildcards.recipe),
        seed=lambda wildcards: derive_seed(SEED, "finetune", wildcards.model, wildcards.recipe, wildcards.task),
        revision=REVISION["finetune"],
        resume=f"{PLACE}/resume/finetune/{{model}}/{{recipe}}/{{task}}",
    message:
        "Fine-tuning {wildcards.model} ({wildcards.recipe}) on {wildcards.task}"
    script:
        "../workflow/scripts/finetune.py"


rule glue:
    """Mean score of one run over its tasks."""
    input:
        lambda wildcards: expand(
            "<results>/glue/{model}/{recipe}/{task}/best.json",
            model=wildcards.model,
            recipe=wildcards.recipe,
            task=tasks_of_recipe(wildcards.recipe),
        ),
    output:
        "<results>/glue/{model}/{recipe}/score.json",
    log:
        "<logs>/glue/{model}-{recipe}.log",
    benchmark:
        "<benchmarks>/glue/{model}-{recipe}.jsonl"
    localrule: True
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=500,
        runtime=10,
    params:
        suite=lambda wildcards: suites_of(wildcards.recipe)[0],
        revision=REVISION["glue"],
    message:
        "Scoring {wildcards.model} ({wildcards.recipe})"
    script:
        "../workflow/scripts/glue.py"
