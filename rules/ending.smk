"""What the jobs that end a search wait for: its confirmation, its final models, and the evidence on them."""


def is_confirmed(search):
    """Whether the best models of a search are trained again."""
    return bool(CFG["confirm"]["models"]) and search in CFG["confirm"]["searches"]


def confirmation_of(search):
    """What a search trains again, as a list of one file; empty where it is not confirmed."""
    return [checkpoints.confirm.get(search=search).output[0]] if is_confirmed(search) else []


def final_of(search):
    """What is trained at the large budget, as a list of one file: for the search `main` alone."""
    return [checkpoints.final.get(search=search).output[0]] if search == "main" else []


def scores_in(files):
    """Scores of all runs that confirmations or final selections name."""
    return [score for path in files for score in scores_of(read_json(path)["proposals"])]


def observed_by(search):
    """Observations of the last round of a search."""
    return last_observations(search, levels_of(search)[-1])


def asked_by(search):
    """Proposals of all rounds of a search."""
    return [path for level in levels_of(search) for path in proposals_of(search, level)]


def trained_files(search):
    """Scores of all runs that the evidence on a search rests on."""
    return scores_in([*confirmation_of(search), *final_of(search)])


def judged(page):
    """The searches of a page whose winners are compared with others: the main one, and all that are confirmed."""
    return [search for search in searches_of(page) if search == "main" or is_confirmed(search)]
