"""One run: pre-training or transfer, a fine-tuning for each task, and their mean."""


rule pretrain:
    """Train one model from scratch with masked-language modelling."""
    input:
        manifest=lambda wildcards: manifest_of(wildcards.recipe),
        tokenizer=PATHS.tokenizer,
    output:
        PATHS.run.files,
    log:
        "<logs>/pretrain/{model}-{recipe}.log",
    benchmark:
        "<benchmarks>/pretrain/{model}-{recipe}.jsonl"
    wildcard_constraints:
        recipe=recipe_pattern(*PRETRAINED),
    conda:
        "../envs/flexibert.yaml"
    threads: CFG["jobs"]["threads"]
    resources:
        mem_mb=training_memory,
        runtime=training_minutes,
    params:
        run=lambda wildcards: run_of(wildcards.model, wildcards.recipe),
        settings=lambda wildcards: training_settings(CFG, "pretrain", wildcards.recipe),
        model=CFG["model"],
        seed=lambda wildcards: derive_seed(SEED, "pretrain", wildcards.model, wildcards.recipe),
        revision=REVISION["pretrain"],
        resume=DISK.pretraining_state,
    message:
        "Pre-training {wildcards.model} ({wildcards.recipe}) for {params.settings[steps]} steps"
    script:
        "../workflow/scripts/pretrain.py"


rule transfer:
    """Give one model the weights of a trained neighbour in place of a pre-training."""
    input:
        source=lambda wildcards: source_model(wildcards.model, wildcards.recipe),
        manifest=PATHS.manifest.at(manifest="manifest"),
        tokenizer=PATHS.tokenizer,
    output:
        PATHS.run.files,
    log:
        "<logs>/transfer/{model}-{recipe}.log",
    benchmark:
        "<benchmarks>/transfer/{model}-{recipe}.jsonl"
    wildcard_constraints:
        recipe=recipe_pattern(RecipeKind.TRANSFER),
    conda:
        "../envs/flexibert.yaml"
    threads: CFG["jobs"]["threads"]
    resources:
        mem_mb=training_memory,
        runtime=training_minutes,
    params:
        run=lambda wildcards: run_of(wildcards.model, wildcards.recipe),
        settings=CFG["pretrain"],
        transfer={key: CFG["transfer"][key] for key in ("mode", "steps")},
        model=CFG["model"],
        seed=lambda wildcards: derive_seed(SEED, "transfer", wildcards.model, wildcards.recipe),
        revision=REVISION["transfer"],
        resume=DISK.transfer_state,
    message:
        "Transferring the weights of {params.run[source][model]} to {wildcards.model}"
    script:
        "../workflow/scripts/transfer.py"


rule finetune:
    """Fine-tune one run on one task and keep its best validation score."""
    input:
        model=[PATHS.run.config, PATHS.run.weights, PATHS.run.card],
        task=PATHS.task.files,
        test=lambda wildcards: PATHS.task.test.at(task=wildcards.task) if is_tested(wildcards.recipe) else [],
    output:
        best=PATHS.tuned.best,
        trials=PATHS.tuned.trials,
        cost=PATHS.tuned.cost,
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
        test=lambda wildcards: is_tested(wildcards.recipe),
        seed=lambda wildcards: derive_seed(SEED, "finetune", wildcards.model, wildcards.recipe, wildcards.task),
        revision=REVISION["finetune"],
        resume=DISK.tuning_state,
    message:
        "Fine-tuning {wildcards.model} ({wildcards.recipe}) on {wildcards.task}"
    script:
        "../workflow/scripts/finetune.py"


rule glue:
    """Mean score of one run over its tasks."""
    input:
        lambda wildcards: expand(
            PATHS.tuned.best,
            model=wildcards.model,
            recipe=wildcards.recipe,
            task=tasks_of_recipe(wildcards.recipe),
        ),
    output:
        PATHS.score,
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
