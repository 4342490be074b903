"""What each job waits for: the input functions of all rules, in the order of the DAG."""

LIBRARY_FILES = ["models.parquet", "distances.npy", "embedding.npy", "neighbours.npy", "library.json"]
MODEL_FILES = ["config.json", "model.safetensors", "card.json", "curve.csv", "cost.json"]


# text and tasks


def download_of(wildcards):
    """The download that a hub source's documents wait for."""
    hub = SOURCES[wildcards.source]["kind"] == "hub"
    return [f"{RESULTS}/text/{wildcards.source}/download.json"] if hub else []


def download_of_tokenizer():
    """The download that a tokenizer from the hub waits for."""
    return [f"{RESULTS}/tokenizer/hub/tokenizer.json"] if CFG["tokenizer"]["kind"] == "hub" else []


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


def download_of_task(wildcards):
    """The download that a task from the hub waits for."""
    hub = SUITES[wildcards.task.split("-")[0]]["source"] == "hub"
    return [f"{RESULTS}/tasks/{wildcards.task}/download.json"] if hub else []


# levels of a search


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


# rounds of a search


def level_keys(wildcards):
    """Settings of the search's level."""
    levels = search_settings(CFG, wildcards.search)["levels"]
    return next(keys for keys in levels if keys["level"] == int(wildcards.level))


def known_before(wildcards):
    """Observations before a round: of the round before, or of the level before, or none."""
    if int(wildcards.round):
        return [
            f"{level_folder(wildcards.search, wildcards.level)}/round-{int(wildcards.round) - 1:03d}/observations.csv"
        ]
    before = level_before(wildcards.search, wildcards.level)
    return last_observations(wildcards.search, before) if before else []


def proposal(search, level, round_number):
    """A proposal's content; makes Snakemake wait until it is there."""
    made = checkpoints.propose.get(search=search, level=level, round=f"{round_number:03d}")
    return read_json(made.output.proposal)


def scores_of_round(wildcards):
    """Scores of all runs that a round proposed."""
    runs = proposal(wildcards.search, wildcards.level, int(wildcards.round))["proposals"]
    return [f"{RESULTS}/glue/{run['model']}/{run['recipe']}/score.json" for run in runs]


def proposal_files(search, level, rounds):
    """Proposals of the first rounds of a level."""
    return [f"{level_folder(search, level)}/round-{number:03d}/proposal.json" for number in range(rounds)]


def proposals_of(search, level):
    """Proposals of a level that has converged, without the empty one that ended it."""
    number = 0
    while not proposal(search, level, number)["converged"]:
        number += 1
    return proposal_files(search, level, number)


def last_observations(search, level):
    """Observations of a level that has converged."""
    return [proposals_of(search, level)[-1].replace("proposal.json", "observations.csv")]


# runs


def source_model(wildcards):
    """Files of the run whose weights a transfer takes."""
    source = run_of(wildcards)["source"]
    return [f"{RESULTS}/models/{source['model']}/{source['recipe']}/{name}" for name in MODEL_FILES]


# pages


def final_scores(wildcards):
    """Scores of the final models of the search `main`."""
    runs = read_json(checkpoints.final.get(search="main").output[0])["proposals"]
    return [f"{RESULTS}/glue/{run['model']}/{run['recipe']}/score.json" for run in runs]


def searches_of(wildcards):
    """The searches that a page shows: the main one, or all that are compared."""
    return ["main"] if wildcards.page == "report" else sorted({"main", *CFG["comparison"]})
