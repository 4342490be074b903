"""Candidates beyond the enumerated library: local edits that the second-order search of the acquisition points to.

A level with more graphs than a library can hold is searched from its best known corner: the acquisition is ascended
in the embedding, the best candidates are edited, and the edits that look best or lie nearest to where the ascent
ended join the pool. The method then chooses from the larger pool as from any other.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from flexibert.search.ascent import ascend
from flexibert.search.boshnas import Surrogate
from flexibert.search.interface import Observations, Pool
from flexibert.search.pool import encoder_size
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace
from flexibert.space.distance import Reference
from flexibert.space.features import encode
from flexibert.space.graph import Ranks
from flexibert.space.placing import place

LANDMARKS = 500  # candidates of the pool by whose distances a new one is placed
FRONTIER = 8  # candidates that are edited in each round
ROUNDS = 3


def extend_pool(
    pool: Pool, observations: Observations, space: DesignSpace, level: int = 1, count: int = 64, seed: int = 0
) -> Pool:
    """The pool with up to `count` further graphs of a level, those of the best acquisition that the search found.

    Args:
        pool: Models of the level, embedded by their edit distances.
        observations: At least one.
        space: The design space.
        level: Level of the design space that the edits stay in.
        count: How many candidates to add.
        seed: Of the choice of landmarks.

    Returns:
        The given candidates in their order, then the new ones; without distances and neighbours, and with features
        encoded anew.

    Raises:
        DesignSpaceError: A promising candidate of the pool is not of the level.
    """
    known = [Architecture.from_model_dict(model) for model in pool.architectures]
    placer = _Placer(pool, known, space, seed)
    surrogate = Surrogate.fit(observations, pool)
    values = surrogate.acquisition(np.arange(len(pool)))
    first = np.argsort(-values, kind="stable")[:FRONTIER]
    scale = placer.scale(surrogate)
    targets = ascend(surrogate.process, surrogate.coordinates, surrogate.coordinates.embedding[first], surrogate.best)
    targets = targets / scale + pool.embedding.mean(axis=0)
    frontier = [known[row] for row in first]
    found: dict[Architecture, np.ndarray] = {}
    seen = set(known)
    for _ in range(ROUNDS):
        edits = [edit for model in frontier for edit in space.neighbours(model, level)]
        edits = [edit for edit in dict.fromkeys(edits) if edit not in seen]
        if not edits:
            break
        seen.update(edits)
        found |= dict(zip(edits, placer.place(edits), strict=True))
        extended = _joined(pool, known, list(found), np.array(list(found.values())))
        values = Surrogate.fit(observations, extended).acquisition(np.arange(len(pool), len(extended)))
        best = np.argsort(-values, kind="stable")
        near = [int(np.argmin(np.linalg.norm(np.array(list(found.values())) - target, axis=1))) for target in targets]
        kept = list(dict.fromkeys([*near, *best.tolist()]))[:count]
        models = list(found)
        frontier = [models[place] for place in kept[: 2 * FRONTIER]]
    if not found:
        return pool
    chosen = [models[place] for place in kept]
    return _joined(pool, known, chosen, np.array([found[model] for model in chosen]))


class _Placer:
    """Places further models in the embedding of a pool by their edit distances to some of its candidates."""

    def __init__(self, pool: Pool, known: Sequence[Architecture], space: DesignSpace, seed: int) -> None:
        rows = np.random.default_rng(seed).permutation(len(known))[:LANDMARKS]
        self._points = np.asarray(pool.embedding, dtype=float)[rows]
        self._reference = Reference([known[row] for row in rows], Ranks.of_space(space))
        self._pool = pool

    def scale(self, surrogate: Surrogate) -> float:
        """Units of the surrogate's embedding in one unit of the pool's."""
        own = np.linalg.norm(self._pool.embedding - self._pool.embedding.mean(axis=0), axis=1).max()
        return float(np.linalg.norm(surrogate.coordinates.embedding, axis=1).max() / own) if own > 0 else 1.0

    def place(self, models: Sequence[Architecture]) -> np.ndarray:
        """Coordinates whose distances to the landmarks match the edit distances; shape (models, dimensions)."""
        return np.array([place(self._reference.distances(model), self._points) for model in models])


def _joined(pool: Pool, known: list[Architecture], models: list[Architecture], points: np.ndarray) -> Pool:
    everything = [*known, *models]
    sizes = None if pool.sizes is None else np.concatenate([pool.sizes, [encoder_size(model) for model in models]])
    return replace(
        pool,
        ids=[*pool.ids, *(model.id for model in models)],
        embedding=np.concatenate([pool.embedding, points]),
        features=encode(everything),
        identity=np.concatenate([pool.identity, pool.identity.max() + 1 + np.arange(len(models))]),
        sizes=sizes,
        distances=None,
        neighbours=None,
        architectures=[*pool.architectures, *(model.to_model_dict() for model in models)],
        groups=None,
        levels=None,
    )
