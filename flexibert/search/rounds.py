"""The loop of a search, one round at a time: what to train next, where its weights come from, when to stop.

A round is a pure function of the observations before it and of the seed (paper, Algorithm 1; the query kinds and the
surrogates are the method's). Nothing is remembered between rounds but the files that they write.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexibert.errors import SearchError
from flexibert.files import write_json, write_parquet
from flexibert.layout import PREDICTION_COLUMNS, LibraryFiles
from flexibert.runs import Phase, Reason, Recipe, RecipeKind, Round, Run, RunName, Status
from flexibert.search.boshnas.beyond_library import Costs, LibraryExtension
from flexibert.search.interface import Observations, Pool, Prediction, Proposal
from flexibert.search.methods import method_named
from flexibert.search.observations import best_run, read_observations
from flexibert.search.pool import pool_from_library
from flexibert.search.retuning import propose_again
from flexibert.seeds import derive_seed
from flexibert.settings import LevelSettings, SearchSettings, TransferSettings
from flexibert.space.architecture import Architecture

if TYPE_CHECKING:
    import pandas

Overlap = Callable[[Architecture, Architecture], float]

# Proposals that are meant to find a better model; others explore and say nothing about convergence.
OPTIMISING = (Reason.OPTIMISATION, Reason.BASELINE)
WHY = {
    Reason.INITIAL: "drawn at random for the initial design",
    Reason.OPTIMISATION: "best acquisition value among the candidates",
    Reason.UNCERTAINTY: "the surrogate knows least about it",
    Reason.DIVERSITY: "drawn at random, so that no region is forgotten",
    Reason.RETUNING: "re-run of a good model with a tuned recipe",
    Reason.BASELINE: "chosen by the search method",
}


@dataclass(frozen=True)
class LevelState:
    """What one round of one level knows.

    Attributes:
        settings: How the level is searched.
        pool: The candidates within the constraints.
        history: Observations of this level and of the levels before, oldest first.
        round_number: 0 for the initial design.
    """

    settings: LevelSettings
    pool: Pool
    history: "pandas.DataFrame"
    round_number: int

    @property
    def own(self) -> "pandas.DataFrame":
        """Observations of this level alone."""
        return self.history[self.history["level"] == self.settings.level]

    @property
    def observations(self) -> Observations:
        """Observed candidates of the pool; models of a level before that are not in this library are left out."""
        rows = {model: row for row, model in enumerate(self.pool.ids)}
        known = self.history[self.history["model"].isin(rows)]
        indices = np.array([rows[model] for model in known["model"]], dtype=int)
        return Observations(indices, known["score"].to_numpy(dtype=float))

    @property
    def phase(self) -> Phase:
        """What the round is for."""
        if self.round_number == 0:
            return Phase.INITIAL
        if (self.own["reason"] == Reason.RETUNING).any():
            return Phase.CONVERGED
        if self.round_number < self.settings.rounds and stalled(self.own) < self.settings.patience:
            return Phase.SEARCH
        return Phase.RETUNING if self.settings.aleatoric and self.own["score"].notna().any() else Phase.CONVERGED


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
    search: SearchSettings,
    level: LevelSettings,
    transfer: TransferSettings,
    library: str | Path,
    observations: str | Path | None,
    proposals: Sequence[str | Path],
    space: Mapping[str, Any],
    overlap: Overlap,
    costs: Costs,
    seed: int,
    proposal: str | Path,
    predictions: str | Path,
) -> None:
    """Choose the models of one round and write them with the reason for each.

    Args:
        name: The search's name.
        round_number: 0 for the initial design.
        search: Method, embedding, candidates and constraints.
        level: How the level is searched.
        transfer: Tells the least overlap for a transfer.
        library: Folder of the level's library.
        observations: Table of the round before, of the level before, or None.
        proposals: proposal.json of the rounds before, oldest first.
        space: Content of the design space's file.
        overlap: Share of the second model's parameters that the first can give.
        costs: `parameters` and `flops_per_token` of models.
        seed: The search's seed.
        proposal: Where the proposal is written (JSON).
        predictions: Where the surrogate's view of the candidates is written (parquet).

    Raises:
        SearchError: No candidate lies within the constraints.
    """
    pool = constrained(pool_from_library(library, search.embedding), Path(library), search)
    inside = set(pool.ids)
    extension = LibraryExtension.of_library(library, space, level.level, costs, search)
    if extension:
        pool = extension.rejoin(pool, proposals)
    state = LevelState(level, pool, read_observations(observations), round_number)
    method = method_named(search.method)
    phase = state.phase
    known = state.observations
    if phase == Phase.INITIAL:
        drawn = method_named("random").propose(known, pool, level.initial, derive_seed(seed, level.level))
        chosen = [Proposal(candidate.index, Reason.INITIAL) for candidate in drawn]
    elif phase == Phase.SEARCH:
        if extension:
            pool = extension.extend(pool, known)
        chosen = method.propose(known, pool, level.batch, seed)
    elif phase == Phase.RETUNING:
        chosen = propose_again(method, known, pool, level.aleatoric, seed)
    else:
        chosen = []
    view = method.predict(known, pool, seed) if np.isfinite(known.scores).sum() >= 2 else None
    runs = [_run(candidate, pool, state.history, transfer, overlap) for candidate in chosen]
    if extension:
        runs = [extension.mark(run, inside) for run in runs]
    best = best_run(state.history)
    write_parquet(predictions, _prediction_table(pool, view))
    made = Round(
        search=name,
        level=level.level,
        number=round_number,
        phase=phase if runs else Phase.CONVERGED,
        converged=not runs and round_number > 0,
        best=best,
        runs=tuple(runs),
    )
    write_json(proposal, made.to_mapping())


def constrained(pool: Pool, library: Path, search: SearchSettings) -> Pool:
    """The candidates that the search may propose: within its constraints, homogeneous where it says so.

    Raises:
        SearchError: There is none; the smallest value in the library is told.
    """
    import pandas

    costs = pandas.read_parquet(LibraryFiles(library).costs).set_index("id").loc[pool.ids]
    keep = np.ones(len(pool), dtype=bool)
    problems = []
    for key, limit in search.constraints.limits.items():
        within = costs[key].to_numpy() <= limit
        if not within.any():
            problems.append(
                f"search.constraints.{key}: no model of the library is within {limit}; "
                f"the smallest has {costs[key].min():g}"
            )
        keep &= within
    if search.models == "homogeneous":
        keep &= np.array([model.homogeneous for model in pool.models])
    if not keep.any() and not problems:
        problems.append("search: no model of the library meets all of search.constraints and search.models; relax one")
    if problems:
        raise SearchError(problems)
    return pool.take(np.flatnonzero(keep))


def _run(
    proposal: Proposal, pool: Pool, history: "pandas.DataFrame", transfer: TransferSettings, overlap: Overlap
) -> Run:
    """What is to be trained: a proposal with the origin of its weights."""
    model, architecture = pool.ids[proposal.index], pool.models[proposal.index]
    source, share = None, None
    if proposal.reason == Reason.RETUNING:
        recipe = Recipe(RecipeKind.RETUNED, 1 + _times_retuned(model, history))
    else:  # the very first models find no trained one: they are what the others take from
        recipe = Recipe(RecipeKind.SCRATCH)
        found, given = best_source(architecture, pool, history, overlap)
        if found is not None and given >= transfer.overlap:
            recipe, source, share = Recipe.transferred_from(found), found, given
    run = Run(RunName(model, recipe), architecture.to_model_dict(), source, share)
    figures = {key: getattr(proposal, key) for key in ("mean", "aleatoric", "epistemic", "acquisition")}
    figures = {key: None if value is None else round(float(value), 6) for key, value in figures.items()}
    return replace(run, further=figures | {"reason": proposal.reason, "explanation": _explanation(proposal, run)})


def _times_retuned(model: str, history: "pandas.DataFrame") -> int:
    own = history.loc[history["model"] == model, "recipe"]
    return sum(Recipe.parse(text).kind == RecipeKind.RETUNED for text in own)


def best_source(
    architecture: Architecture, pool: Pool, history: "pandas.DataFrame", overlap: Overlap
) -> tuple[RunName | None, float]:
    """The trained run that can give a model the largest share of its parameters, and that share.

    Among equal shares the better score wins, then the older run.
    """
    rows = {model: row for row, model in enumerate(pool.ids)}
    best: tuple[float, float] = (-1.0, -np.inf)
    source = None
    for known in history[history["status"] == Status.OK].itertuples():
        name = RunName.of(known.model, known.recipe)
        if name.model not in rows or name.recipe.kind == RecipeKind.RETUNED:
            continue
        value = (overlap(pool.models[rows[name.model]], architecture), known.score)
        if value > best:
            best, source = value, name
    return source, round(best[0], 6)


def _explanation(proposal: Proposal, run: Run) -> str:
    """One sentence for a person who asks why this model was proposed."""
    why = WHY[proposal.reason]
    if proposal.mean is not None:
        noise = "" if proposal.aleatoric is None else f", noise of one training {proposal.aleatoric:.2f}"
        doubt = "" if proposal.epistemic is None else f" +- {proposal.epistemic:.2f}"
        why += f"; predicted score {proposal.mean:.2f}{doubt}{noise}"
    if run.source is not None:
        why += f"; {100 * (run.overlap or 0.0):.0f} % of its weights come from {run.source.model}"
    return why


def _prediction_table(pool: Pool, view: Prediction | None) -> "pandas.DataFrame":
    import pandas

    if view is None:
        return pandas.DataFrame({name: [] for name in PREDICTION_COLUMNS}).astype({"id": str})
    columns = (pool.ids, view.mean, view.aleatoric, view.epistemic)
    return pandas.DataFrame(dict(zip(PREDICTION_COLUMNS, columns, strict=True)))
