"""Candidates beyond the enumerated library: local edits that the second-order search of the acquisition points to.

A level with more graphs than a library can hold is searched from its best known corner: the acquisition is ascended
in the embedding, the best candidates are edited, and the edits that look best or lie nearest to where the ascent
ended join the pool. The method then chooses from the larger pool as from any other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from flexibert.run_index import asked_in
from flexibert.runs import Run
from flexibert.search.boshnas.ascent import ascend
from flexibert.search.boshnas.method import GaussianSurrogate
from flexibert.search.interface import Observations, Pool
from flexibert.search.pool import model_columns
from flexibert.settings import SearchSettings
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace
from flexibert.space.library.library import Library

FRONTIER = 8  # candidates that are edited at first; twice as many of their edits afterwards
EDITS = 3  # times that the best are edited
ADDED = 64  # candidates that join the pool in a round
LEAVING = ("boshnas",)  # methods that leave a library; the peers are compared on what is enumerated

PlaceModel = Callable[[Architecture], np.ndarray]
Costs = Callable[[Sequence[Architecture]], Sequence[Mapping[str, float]]]


@dataclass(frozen=True)
class LibraryExtension:
    """How a round leaves a library that is a part of its level only.

    Attributes:
        space: The design space.
        level: The level of the library.
        place: Coordinates of a model among those of the library; shape (dimensions,).
        costs: What models cost: a dictionary each with the keys of `limits`.
        limits: Largest cost of a candidate by its key.
    """

    space: DesignSpace
    level: int
    place: PlaceModel
    costs: Costs
    limits: dict[str, float]

    @classmethod
    def of_library(
        cls, folder: str | Path, space: Mapping[str, Any], level: int, costs: Costs, search: SearchSettings
    ) -> "LibraryExtension | None":
        """The extension of a library, or None where the search stays in it.

        It stays where the library holds the whole level, for methods not in LEAVING, where the search is `naive`
        (coordinates of new models come from edit distances) or confined to homogeneous models (an edit leaves them),
        and under a limit of latency, which is measured for libraries alone.
        """
        library, design_space = Library.load(folder), DesignSpace.from_mapping(space)
        limits = search.constraints.limits
        confined = search.embedding == "naive" or search.models == "homogeneous" or "latency_ms" in limits
        if confined or search.method not in LEAVING or design_space.count(level) <= len(library):
            return None
        return cls(design_space, level, library.placement().place, costs, limits)

    def rejoin(self, pool: Pool, proposals: Sequence[str | Path]) -> Pool:
        """The pool with the models beyond the library that earlier rounds proposed, in their order."""
        further = {model: self.place(model) for model in proposed_beyond(proposals).values()}
        return self._sized(joined(pool, further), pool)

    def extend(self, pool: Pool, observations: Observations) -> Pool:
        """The pool with further models of the level within the limits (see `extend_pool`)."""
        return self._sized(
            extend_pool(pool, observations, self.space, self.place, self.level, admits=self.admits), pool
        )

    def _sized(self, larger: Pool, pool: Pool) -> Pool:
        """A pool that begins with `pool`, with the sizes of all its candidates where those of `pool` are known."""
        further = [row["parameters"] for row in self.costs(larger.models[len(pool) :])]
        return replace(larger, sizes=None if pool.sizes is None else np.concatenate([pool.sizes, further]))

    def admits(self, models: Sequence[Architecture]) -> list[bool]:
        """Whether each model is within the limits."""
        if not self.limits:
            return [True] * len(models)
        rows = self.costs(models)
        return [all(row[key] <= limit for key, limit in self.limits.items()) for row in rows]

    def mark(self, run: Run, inside: set[str]) -> Run:
        """A run as the proposal holds it: with its costs under `beyond` where the library does not have them."""
        if run.name.model in inside:
            return run
        [costs] = self.costs([Architecture.from_model_dict(run.architecture)])
        return replace(run, further=run.further | {"beyond": dict(costs)})


def proposed_beyond(proposals: Sequence[str | Path]) -> dict[str, Architecture]:
    """By name, the models beyond their library in some proposal.json files, in their order."""
    runs = [run for path in proposals for run in asked_in(path) if "beyond" in run.further]
    return {run.name.model: Architecture.from_model_dict(run.architecture) for run in runs}


def extend_pool(
    pool: Pool,
    observations: Observations,
    space: DesignSpace,
    place: PlaceModel,
    level: int = 1,
    count: int = ADDED,
    admits: Callable[[Sequence[Architecture]], Sequence[bool]] = lambda models: [True] * len(models),
) -> Pool:
    """The pool with up to `count` further graphs of a level, those of the best acquisition that the search found.

    Args:
        pool: Models of the level, embedded by their edit distances.
        observations: At least one.
        space: The design space.
        place: Coordinates of a model in the pool's embedding.
        level: Level of the design space that the edits stay in.
        count: How many candidates to add.
        admits: Which of some models may join.

    Returns:
        The given candidates in their order, then the new ones (see `joined`).

    Raises:
        DesignSpaceError: A promising candidate of the pool is not of the level.
    """
    known = pool.models
    surrogate = GaussianSurrogate.fit(observations, pool)
    first = np.argsort(-surrogate.acquisition(np.arange(len(pool))), kind="stable")[:FRONTIER]
    targets = _targets(surrogate, pool, first)
    frontier = [known[row] for row in first]
    seen = set(known)
    found: dict[Architecture, np.ndarray] = {}
    kept: list[Architecture] = []
    for _ in range(EDITS):
        edited = dict.fromkeys(edit for model in frontier for edit in space.neighbours(model, level))
        edits = [edit for edit in edited if edit not in seen]
        seen.update(edits)
        found |= {edit: place(edit) for edit, fits in zip(edits, admits(edits), strict=True) if fits}
        if not found:
            break
        extended = joined(pool, found)
        values = GaussianSurrogate.fit(observations, extended).acquisition(np.arange(len(pool), len(extended)))
        points = np.array(list(found.values()))
        near = [int(np.argmin(np.linalg.norm(points - target, axis=1))) for target in targets]
        order = dict.fromkeys([*near, *np.argsort(-values, kind="stable").tolist()])
        kept = [list(found)[row] for row in order][:count]
        frontier = kept[: 2 * FRONTIER]
    return joined(pool, {model: found[model] for model in kept})


def _targets(surrogate: GaussianSurrogate, pool: Pool, rows: np.ndarray) -> np.ndarray:
    """Where the ascent from some candidates ends, in the pool's embedding; shape (rows, dimensions)."""
    view = surrogate.views[0]  # of the embedding alone, in which every point is a place that a model could have
    centre = np.asarray(pool.embedding, dtype=float).mean(axis=0)
    own = np.linalg.norm(pool.embedding - centre, axis=1).max()
    scaled = np.linalg.norm(view.coordinates.embedding, axis=1).max()
    ends = ascend(view.process, view.coordinates, view.coordinates.embedding[rows], surrogate.best)
    return ends * (own / scaled if scaled > 0 else 1.0) + centre


def joined(pool: Pool, points: dict[Architecture, np.ndarray]) -> Pool:
    """The pool with further models at given points, all features encoded anew; sizes are not known of all of them.

    Args:
        pool: The candidates.
        points: Coordinates of each further model; shape (dimensions,).
    """
    if not points:
        return pool
    models = list(points)
    return replace(
        pool,
        ids=[*pool.ids, *(model.id for model in models)],
        embedding=np.concatenate([pool.embedding, list(points.values())]),
        identity=np.concatenate([pool.identity, pool.identity.max() + 1 + np.arange(len(models))]),
        sizes=None,
        architectures=[*pool.models, *models],
        **model_columns([*pool.models, *models]),
    )
