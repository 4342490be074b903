"""The loop of a search, one round at a time: what to train next, where its weights come from, when to stop.

A round is a pure function of the observations before it and of the seed (paper, Algorithm 1; the query kinds and the
surrogates are the method's). Nothing is remembered between rounds but the files that they write.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexibert.errors import SearchError
from flexibert.files import write_json, write_parquet
from flexibert.search.boshnas.beyond_library import Costs, WayOut
from flexibert.search.interface import Observations, Pool, Prediction, Proposal
from flexibert.search.methods import method_named
from flexibert.search.observations import best_run, read_observations
from flexibert.search.pool import pool_from_library
from flexibert.search.proposals import Run, transferred_recipe
from flexibert.search.retuning import propose_again
from flexibert.seeds import derive_seed
from flexibert.space.architecture import Architecture

if TYPE_CHECKING:
    import pandas

Overlap = Callable[[dict, dict], float]

# Proposals that are meant to find a better model; others explore and say nothing about convergence.
OPTIMISING = ("optimisation", "baseline")


@dataclass(frozen=True)
class Level:
    """What one round of one level knows.

    Attributes:
        keys: Settings of the level (`search.levels` in the configuration).
        pool: The candidates within the constraints.
        history: Observations of this level and of the levels before, oldest first.
        round_number: 0 for the initial design.
    """

    keys: dict[str, Any]
    pool: Pool
    history: "pandas.DataFrame"
    round_number: int

    @property
    def own(self) -> "pandas.DataFrame":
        """Observations of this level alone."""
        return self.history[self.history["level"] == self.keys["level"]]

    @property
    def observations(self) -> Observations:
        """Observed candidates of the pool; models of a level before that are not in this library are left out."""
        rows = {model: row for row, model in enumerate(self.pool.ids)}
        known = self.history[self.history["model"].isin(rows)]
        indices = np.array([rows[model] for model in known["model"]], dtype=int)
        return Observations(indices, known["score"].to_numpy(dtype=float))

    @property
    def phase(self) -> str:
        """ "initial", "search", "aleatoric" or "converged"."""
        if self.round_number == 0:
            return "initial"
        if (self.own["reason"] == "aleatoric").any():
            return "converged"
        if self.round_number < self.keys["rounds"] and stalled(self.own) < self.keys["patience"]:
            return "search"
        return "aleatoric" if self.keys["aleatoric"] and self.own["score"].notna().any() else "converged"


def stalled(observations: "pandas.DataFrame") -> int:
    """Optimising proposals in a row, up to the last, that did not improve on the best score before them."""
    best, count = -np.inf, 0
    for reason, score in zip(observations["reason"], observations["score"], strict=True):
        if score > best:  # false for a failed model, whose score is NaN
            best, count = score, 0
        elif reason in OPTIMISING:
            count += 1
    return count


def propose_round(
    name: str,
    round_number: int,
    search: dict[str, Any],
    level: dict[str, Any],
    transfer: dict[str, Any],
    library: str | Path,
    observations: str | Path | None,
    proposals: Sequence[str | Path],
    space: dict[str, Any],
    overlap: Overlap,
    costs: Costs,
    seed: int,
    out: str | Path,
    predictions: str | Path,
) -> None:
    """Choose the models of one round and write them with the reason for each.

    Args:
        name: The search's name.
        round_number: 0 for the initial design.
        search: Method, embedding, candidates and constraints (`search` in the configuration).
        level: Settings of the level.
        transfer: Least overlap for a transfer.
        library: Folder of the level's library.
        observations: Table of the round before, of the level before, or None.
        proposals: proposal.json of the rounds before, oldest first.
        space: Content of the design space's file.
        overlap: Share of the second model's parameters that the first can give; arguments are model dictionaries.
        costs: `parameters` and `flops_per_token` of model dictionaries.
        seed: The search's seed.
        out, predictions: Where the proposal (JSON) and the surrogate's view of the candidates (parquet) are written.

    Raises:
        SearchError: No candidate lies within the constraints.
    """
    pool = constrained(pool_from_library(library, search["embedding"]), Path(library), search)
    inside = set(pool.ids)
    way_out = WayOut.of_library(library, space, level["level"], costs, search)
    if way_out:
        pool = way_out.rejoin(pool, proposals)
    state = Level(level, pool, read_observations(observations), round_number)
    method = method_named(search["method"])
    phase = state.phase
    known = state.observations
    if phase == "initial":
        drawn = method_named("random").propose(known, pool, level["initial"], derive_seed(seed, level["level"]))
        chosen = [Proposal(proposal.index, "initial") for proposal in drawn]
    elif phase == "search":
        if way_out:
            pool = way_out.extend(pool, known)
        chosen = method.propose(known, pool, level["batch"], seed)
    elif phase == "aleatoric":
        chosen = propose_again(method, known, pool, level["aleatoric"], seed)
    else:
        chosen = []
    view = method.predict(known, pool, seed) if np.isfinite(known.scores).sum() >= 2 else None
    runs = [_run(proposal, pool, state.history, transfer, overlap) for proposal in chosen]
    if way_out:
        runs = [way_out.mark(run, inside) for run in runs]
    best = best_run(state.history)
    write_parquet(predictions, _prediction_table(pool, view))
    write_json(
        out,
        {
            "search": name,
            "level": level["level"],
            "round": round_number,
            "phase": phase if runs else "converged",
            "converged": not runs and round_number > 0,
            "best": best,
            "proposals": runs,
        },
    )


def constrained(pool: Pool, library: Path, search: dict[str, Any]) -> Pool:
    """The candidates that the search may propose: within its constraints, homogeneous where it says so.

    Raises:
        SearchError: There is none; the smallest value in the library is told.
    """
    import pandas

    costs = pandas.read_parquet(library / "costs.parquet").set_index("id").loc[pool.ids]
    keep = np.ones(len(pool), dtype=bool)
    problems = []
    for key, limit in search["constraints"].items():
        if limit is None:
            continue
        within = costs[key].to_numpy() <= limit
        if not within.any():
            problems.append(
                f"search.constraints.{key}: no model of the library is within {limit}; "
                f"the smallest has {costs[key].min():g}"
            )
        keep &= within
    if search["models"] == "homogeneous":
        keep &= np.array([Architecture.from_model_dict(model).homogeneous for model in pool.architectures])
    if not keep.any() and not problems:
        problems.append("search: no model of the library meets all of search.constraints and search.models; relax one")
    if problems:
        raise SearchError(problems)
    return pool.take(np.flatnonzero(keep))


def _run(proposal: Proposal, pool: Pool, history: "pandas.DataFrame", transfer: dict, overlap: Overlap) -> Run:
    """What is to be trained: a proposal with the origin of its weights."""
    model, architecture = pool.ids[proposal.index], pool.architectures[proposal.index]
    run = {
        "model": model,
        "architecture": architecture,
        "recipe": "scratch",
        "origin": "pretrain",
        "source": None,
        "overlap": None,
    }
    if proposal.reason == "aleatoric":
        again = int(history[history["model"] == model]["recipe"].str.startswith("retuned").sum())
        run |= {"recipe": f"retuned-{again + 1}", "origin": "retuned"}
    else:  # the very first models find no trained one: they are what the others take from
        source, share = best_source(architecture, pool, history, overlap)
        if source is not None and share >= transfer["overlap"]:
            run |= {"recipe": transferred_recipe(source), "origin": "transfer", "source": source, "overlap": share}
    figures = {key: getattr(proposal, key) for key in ("mean", "aleatoric", "epistemic", "acquisition")}
    figures = {key: None if value is None else round(float(value), 6) for key, value in figures.items()}
    return run | figures | {"reason": proposal.reason, "explanation": _explanation(proposal, run)}


def best_source(
    architecture: dict, pool: Pool, history: "pandas.DataFrame", overlap: Overlap
) -> tuple[Run | None, float]:
    """The trained run that can give a model the largest share of its parameters, and that share.

    Among equal shares the better score wins, then the older run.
    """
    rows = {model: row for row, model in enumerate(pool.ids)}
    best: tuple[float, float] = (-1.0, -np.inf)
    source = None
    for known in history[history["status"] == "ok"].itertuples():
        if known.model not in rows or known.recipe.startswith("retuned"):
            continue
        value = (overlap(pool.architectures[rows[known.model]], architecture), known.score)
        if value > best:
            best, source = value, {"model": known.model, "recipe": known.recipe}
    return source, round(best[0], 6)


def _explanation(proposal: Proposal, run: Run) -> str:
    """One sentence for a person who asks why this model was proposed."""
    why = {
        "initial": "drawn at random for the initial design",
        "optimisation": "best acquisition value among the candidates",
        "uncertainty": "the surrogate knows least about it",
        "diversity": "drawn at random, so that no region is forgotten",
        "aleatoric": "re-run of a good model with a tuned recipe",
        "baseline": "chosen by the search method",
    }[proposal.reason]
    if proposal.mean is not None:
        noise = "" if proposal.aleatoric is None else f", noise of one training {proposal.aleatoric:.2f}"
        doubt = "" if proposal.epistemic is None else f" +- {proposal.epistemic:.2f}"
        why += f"; predicted score {proposal.mean:.2f}{doubt}{noise}"
    if run["origin"] == "transfer":
        why += f"; {100 * run['overlap']:.0f} % of its weights come from {run['source']['model']}"
    return why


def _prediction_table(pool: Pool, view: Prediction | None) -> "pandas.DataFrame":
    import pandas

    if view is None:
        return pandas.DataFrame({"id": [], "mean": [], "aleatoric": [], "epistemic": []}).astype({"id": str})
    return pandas.DataFrame(
        {"id": pool.ids, "mean": view.mean, "aleatoric": view.aleatoric, "epistemic": view.epistemic}
    )
