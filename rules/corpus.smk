"""Text for pre-training: documents, duplicates, token shards, manifest."""


rule download:
    """Everything of a hub data set that is needed; afterwards the experiment is offline."""
    output:
        PATHS.source.download,
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


rule documents:
    """Clean documents of one shard of a source, each assigned to training or validation by its content."""
    input:
        lambda wildcards: download_of(wildcards.source),
    output:
        documents=PATHS.source.documents,
        counts=PATHS.source.counts,
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


rule duplicates:
    """Equal and similar documents of all shards and sources; one of each lot stays."""
    input:
        lambda wildcards: of_shards(PATHS.source.documents, wildcards.manifest),
    output:
        marks=PATHS.duplicates,
        counts=PATHS.duplicate_counts,
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


rule tokenise:
    """Token shards of one shard of documents."""
    input:
        documents=PATHS.source.documents,
        duplicates=lambda wildcards: duplicates_of(wildcards.source),
        tokenizer=PATHS.tokenizer,
    output:
        train=PATHS.tokens.train,
        validation=PATHS.tokens.validation,
        summary=PATHS.tokens.summary,
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
        summaries=lambda wildcards: of_shards(PATHS.tokens.summary, wildcards.manifest),
        counts=lambda wildcards: of_shards(PATHS.source.counts, wildcards.manifest),
        tokenizer=PATHS.tokenizer,
    output:
        PATHS.manifest,
    log:
        "<logs>/corpus/{manifest}.log",
    benchmark:
        "<benchmarks>/corpus/{manifest}.jsonl"
    localrule: True
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
