"""What each job waits for, in the order of the DAG. The helpers take values: a rule hands them what its wildcards say."""

# text and tasks


def download_of(source):
    """The download that a hub source's documents wait for."""
    return [PATHS.source.download.at(source=source)] if SOURCES[source]["kind"] == "hub" else []


def download_of_tokenizer():
    """The download that a tokenizer from the hub waits for."""
    return [PATHS.hub_tokenizer] if CFG["tokenizer"]["kind"] == "hub" else []


def of_shards(pattern, manifest):
    """Paths of one kind for all shards of the sources in a manifest."""
    return [pattern.at(source=source, shard=shard) for source in sources_of(manifest) for shard in shard_names(source)]


def duplicates_of(source):
    """Marks of the duplicates of a source; those of the final models come after the search's sources."""
    return PATHS.duplicates.at(manifest="manifest-final" if SOURCES[source].get("final_only") else "manifest")


def download_of_task(task):
    """The download that a task from the hub waits for."""
    return [PATHS.task.download.at(task=task)] if SUITES[task.split("-")[0]]["source"] == "hub" else []


# levels of a search


def levels_of(search):
    """Levels of a search as path parts, coarse to fine."""
    return [str(keys["level"]) for keys in search_settings(CFG, search)["levels"]]


def level_keys(search, level):
    """Settings of a level of a search."""
    return next(keys for keys in search_settings(CFG, search)["levels"] if keys["level"] == int(level))


def parents_settings(search, level):
    """How the best models of a level become parents of the next level's."""
    return {key: level_keys(search, level)[key] for key in ("parents", "parent_neighbours")}


def level_before(search, level):
    """The level that a level's library is built from; None for the first."""
    position = levels_of(search).index(level)
    return levels_of(search)[position - 1] if position else None


def library_costs(search, level):
    """Costs of the models of a search's level; the first level's library is shared by all searches."""
    if level_before(search, level) is None:
        return PATHS.library.costs.at(level=level)
    return PATHS.finer_library.costs.at(search=search, level=level)


def library_files(search, level):
    """All files of the library of a search's level, the costs at the end."""
    if level_before(search, level) is None:
        files = [path.at(level=level) for path in PATHS.library.files]
    else:
        files = [path.at(search=search, level=level) for path in PATHS.finer_library.files]
    return [*files, library_costs(search, level)]


# rounds of a search


def known_before(search, level, number):
    """Observations before a round: of the round before, or of the level before, or none."""
    if number:
        return [PATHS.round.observations.at(search=search, level=level, round=round_name(number - 1))]
    before = level_before(search, level)
    return last_observations(search, before) if before else []


def proposal(search, level, number):
    """A proposal's content; makes Snakemake wait until it is there."""
    made = checkpoints.propose.get(search=search, level=level, round=round_name(number))
    return read_json(made.output.proposal)


def scores_of_round(search, level, number):
    """Scores of all runs that a round proposed."""
    return scores_of(proposal(search, level, number)["proposals"])


def first_proposals(search, level, rounds):
    """Proposals of the first rounds of a level."""
    return [PATHS.round.proposal.at(search=search, level=level, round=round_name(number)) for number in range(rounds)]


def rounds_of(search, level):
    """How many rounds a level took that has converged, without the empty one that ended it."""
    number = 0
    while not proposal(search, level, number)["converged"]:
        number += 1
    return number


def proposals_of(search, level):
    """Proposals of a level that has converged."""
    return first_proposals(search, level, rounds_of(search, level))


def last_observations(search, level):
    """Observations of a level that has converged."""
    return known_before(search, level, rounds_of(search, level))


# runs


def source_model(model, recipe):
    """Files of the run whose weights a transfer takes."""
    source = RUNS.find(model, recipe).source
    return [path.at(model=source.model, recipe=source.recipe) for path in PATHS.run.files]


def scores_of(runs):
    """Scores of the runs that a proposal or a final selection names."""
    return [PATHS.score.at(model=run["model"], recipe=run["recipe"]) for run in runs]


# pages


def searches_of(page):
    """The searches that a page shows: the main one, or all that are compared."""
    return ["main"] if page == "report" else sorted({"main", *CFG["comparison"]})
