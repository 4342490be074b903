"""The settings, the tokenizer and the labelled tasks."""


rule settings:
    """The complete settings and the versions of the software, beside the results that they made."""
    output:
        config=PATHS.config,
        versions=PATHS.versions,
    log:
        "<logs>/settings.log",
    benchmark:
        "<benchmarks>/settings.jsonl"
    localrule: True
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=500,
        runtime=5,
    params:
        settings=lasting(CFG),
    message:
        "Writing the settings of experiment {params.settings[name]}"
    script:
        "../workflow/scripts/settings.py"


rule download_tokenizer:
    """The tokenizer of a model on the hub; afterwards it is offline."""
    output:
        PATHS.hub_tokenizer,
    log:
        "<logs>/download/tokenizer.log",
    benchmark:
        "<benchmarks>/download/tokenizer.jsonl"
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        model=CFG["tokenizer"]["path"],
        revision=REVISION["tokenizer"],
    message:
        "Downloading the tokenizer of {params.model}"
    script:
        "../workflow/scripts/download_tokenizer.py"


rule tokenizer:
    """A byte-level BPE trained on the corpus, or the one that the settings name."""
    input:
        documents=of_shards(PATHS.source.documents, "manifest"),
        duplicates=PATHS.duplicates.at(manifest="manifest"),
        fetched=download_of_tokenizer(),
    output:
        tokenizer=PATHS.tokenizer,
        facts=PATHS.tokenizer_facts,
    log:
        "<logs>/tokenizer.log",
    benchmark:
        "<benchmarks>/tokenizer.jsonl"
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        settings=CFG["tokenizer"],
        seed=derive_seed(SEED, "tokenizer"),
        revision=REVISION["tokenizer"],
    message:
        "Making the tokenizer"
    script:
        "../workflow/scripts/tokenizer.py"


rule download_task:
    """The files of one labelled task from the hub; afterwards it is offline."""
    output:
        PATHS.task.download,
    log:
        "<logs>/download/{task}.log",
    benchmark:
        "<benchmarks>/download/{task}.jsonl"
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        source=lambda wildcards: hub_source(wildcards.task),
        revision=REVISION["tasks"],
    message:
        "Downloading task {wildcards.task}"
    script:
        "../workflow/scripts/download.py"


rule task:
    """Tokenised training, validation and test rows of one labelled task."""
    input:
        lambda wildcards: download_of_task(wildcards.task),
        tokenizer=PATHS.tokenizer,
    output:
        train=PATHS.task.train,
        validation=PATHS.task.validation,
        test=[PATHS.task.test] if CFG["tasks"]["test_share"] else [],
        card=PATHS.task.card,
    log:
        "<logs>/task/{task}.log",
    benchmark:
        "<benchmarks>/task/{task}.jsonl"
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        suite=lambda wildcards: {**SUITES[wildcards.task.split("-")[0]], "names": None},
        settings={key: value for key, value in CFG["tasks"].items() if key != "suites"},
        seed=lambda wildcards: derive_seed(SEED, "task", wildcards.task),
        revision=REVISION["tasks"],
    message:
        "Preparing task {wildcards.task}"
    script:
        "../workflow/scripts/task.py"
