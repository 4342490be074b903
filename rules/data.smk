"""Text and labelled tasks: documents, tokenizer, token shards, tokenised tasks."""


rule settings:
    """The complete settings and the versions of the software, beside the results that they made."""
    output:
        config="<results>/config.yaml",
        versions="<results>/versions.json",
    log:
        "<logs>/settings.log",
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=500,
        runtime=5,
    params:
        settings=CFG,
    message:
        "Writing the settings of experiment {params.settings[name]}"
    script:
        "../workflow/scripts/settings.py"


rule download:
    """Everything of a hub data set that is needed; afterwards the experiment is offline."""
    output:
        "<results>/text/{source}/download.json",
    log:
        "<logs>/download/{source}.log",
    benchmark:
        "<benchmarks>/download/{source}.jsonl"
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=4000,
        runtime=720,
    params:
        source=lambda wildcards: SOURCES[wildcards.source],
        revision=REVISION["corpus"],
    message:
        "Downloading {wildcards.source}"
    script:
        "../workflow/scripts/download.py"


def download_of(wildcards):
    """The download that a hub source's documents wait for."""
    hub = SOURCES[wildcards.source]["kind"] == "hub"
    return [f"{RESULTS}/text/{wildcards.source}/download.json"] if hub else []


rule documents:
    """Clean documents of one shard of a source, each assigned to training or validation by its content."""
    input:
        download_of,
    output:
        documents="<results>/text/{source}/documents-{shard}.parquet",
        counts="<results>/text/{source}/documents-{shard}.json",
    log:
        "<logs>/documents/{source}-{shard}.log",
    benchmark:
        "<benchmarks>/documents/{source}-{shard}.jsonl"
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        source=lambda wildcards: SOURCES[wildcards.source],
        shards=lambda wildcards: len(shard_names(wildcards.source)),
        settings={key: CFG["corpus"][key] for key in ("validation", "duplicates")},
        revision=REVISION["corpus"],
    message:
        "Collecting documents of {wildcards.source}, shard {wildcards.shard}"
    script:
        "../workflow/scripts/documents.py"


def documents_of(manifest):
    """Documents of all shards of the sources in a manifest."""
    return [
        f"{RESULTS}/text/{source}/documents-{shard}.parquet"
        for source in sources_of(manifest)
        for shard in shard_names(source)
    ]


def duplicates_of(wildcards):
    """Marks of the duplicates of a source; those of the final models come after the search's sources."""
    final = SOURCES[wildcards.source].get("final_only")
    return f"{RESULTS}/text/duplicates-{'manifest-final' if final else 'manifest'}.npz"


rule duplicates:
    """Equal and similar documents of all shards and sources; one of each lot stays."""
    input:
        lambda wildcards: documents_of(wildcards.manifest),
    output:
        marks="<results>/text/duplicates-{manifest}.npz",
        counts="<results>/text/duplicates-{manifest}.json",
    log:
        "<logs>/duplicates/{manifest}.log",
    benchmark:
        "<benchmarks>/duplicates/{manifest}.jsonl"
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        settings={"duplicates": CFG["corpus"]["duplicates"]},
        revision=REVISION["corpus"],
    message:
        "Looking for duplicates among the documents of {wildcards.manifest}"
    script:
        "../workflow/scripts/duplicates.py"


rule tokenizer:
    """A byte-level BPE trained on the corpus, or the one that the settings name."""
    input:
        documents=documents_of("manifest"),
        duplicates="<results>/text/duplicates-manifest.npz",
    output:
        "<results>/tokenizer/tokenizer.json",
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


rule tokenise:
    """Token shards of one shard of documents."""
    input:
        documents="<results>/text/{source}/documents-{shard}.parquet",
        duplicates=duplicates_of,
        tokenizer="<results>/tokenizer/tokenizer.json",
    output:
        train="<results>/corpus/{source}/train-{shard}.bin",
        validation="<results>/corpus/{source}/validation-{shard}.bin",
        summary="<results>/corpus/{source}/{shard}.json",
    log:
        "<logs>/tokenise/{source}-{shard}.log",
    benchmark:
        "<benchmarks>/tokenise/{source}-{shard}.jsonl"
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        revision=REVISION["corpus"],
    message:
        "Tokenising {wildcards.source}, shard {wildcards.shard}"
    script:
        "../workflow/scripts/tokenise.py"


rule corpus:
    """The manifest of token shards: sources, weights, counts and digests."""
    input:
        summaries=lambda wildcards: [
            f"{RESULTS}/corpus/{source}/{shard}.json"
            for source in sources_of(wildcards.manifest)
            for shard in shard_names(source)
        ],
        counts=lambda wildcards: [
            path.removesuffix("parquet") + "json" for path in documents_of(wildcards.manifest)
        ],
        tokenizer="<results>/tokenizer/tokenizer.json",
    output:
        "<results>/corpus/{manifest}.json",
    log:
        "<logs>/corpus/{manifest}.log",
    conda:
        "../envs/flexibert.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        sources=lambda wildcards: [SOURCES[name] for name in sources_of(wildcards.manifest)],
        revision=REVISION["corpus"],
    message:
        "Writing the corpus manifest"
    script:
        "../workflow/scripts/corpus.py"


rule download_task:
    """The files of one labelled task from the hub; afterwards it is offline."""
    output:
        "<results>/tasks/{task}/download.json",
    log:
        "<logs>/download/{task}.log",
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


def download_of_task(wildcards):
    """The download that a task from the hub waits for."""
    hub = SUITES[wildcards.task.split("-")[0]]["source"] == "hub"
    return [f"{RESULTS}/tasks/{wildcards.task}/download.json"] if hub else []


rule task:
    """Tokenised training and validation rows of one labelled task."""
    input:
        download_of_task,
        tokenizer="<results>/tokenizer/tokenizer.json",
    output:
        train="<results>/tasks/{task}/train.npz",
        validation="<results>/tasks/{task}/validation.npz",
        card="<results>/tasks/{task}/task.json",
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
