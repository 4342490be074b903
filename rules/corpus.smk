"""Text for pre-training: documents, duplicates, token shards, manifest."""


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
        counts=lambda wildcards: [path.removesuffix("parquet") + "json" for path in documents_of(wildcards.manifest)],
        tokenizer="<results>/tokenizer/tokenizer.json",
    output:
        "<results>/corpus/{manifest}.json",
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
