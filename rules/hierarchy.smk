"""Levels of a search: each level's library comes from the best models of the level before (paper, section 3.4)."""


def levels_of(search):
    """Levels of a search as path parts, coarse to fine."""
    return [str(keys["level"]) for keys in search_settings(CFG, search)["levels"]]


def level_before(search, level):
    """The level that a level's library is built from; None for the first."""
    position = levels_of(search).index(level)
    return levels_of(search)[position - 1] if position else None


def level_folder(search, level):
    """Where the rounds of a level are."""
    return f"{RESULTS}/search/{search}/level-{level}"


def library_folder(search, level):
    """The library of a search's level: the first level's is shared by all searches."""
    if level_before(search, level) is None:
        return f"{RESULTS}/library/level-{level}"
    return f"{level_folder(search, level)}/library"


def library_files(search, level):
    """All files of a level's library."""
    return [f"{library_folder(search, level)}/{name}" for name in [*LIBRARY_FILES, "costs.parquet"]]


def keys_before(wildcards):
    """Settings of the level that the library is built from."""
    before = level_before(wildcards.search, wildcards.level)
    return level_keys(type(wildcards)(fromdict={"search": wildcards.search, "level": before}))


rule finer_library:
    """Cross the best models of the level before, and their neighbours, stack by stack at the finer level."""
    input:
        observations=lambda wildcards: last_observations(
            wildcards.search, level_before(wildcards.search, wildcards.level)
        ),
        library=lambda wildcards: library_files(wildcards.search, level_before(wildcards.search, wildcards.level)),
    output:
        [f"<results>/search/{{search}}/level-{{level}}/library/{name}" for name in LIBRARY_FILES],
    log:
        "<logs>/finer-library/{search}-level-{level}.log",
    benchmark:
        "<benchmarks>/finer-library/{search}-level-{level}.jsonl"
    conda:
        "../envs/flexibert.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        space=SPACE,
        settings=CFG["library"],
        parents=lambda wildcards: {key: keys_before(wildcards)[key] for key in ("parents", "parent_neighbours")},
        seed=lambda wildcards: derive_seed(SEED, "library", wildcards.search, wildcards.level),
        revision=REVISION["library"],
    message:
        "Building the library of level {wildcards.level} of search {wildcards.search}"
    script:
        "../workflow/scripts/finer_library.py"
