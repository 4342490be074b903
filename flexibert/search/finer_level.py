"""From one level of a search to the next: crossing the best models (paper: hierarchy), and scaling a pattern up."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexibert.errors import SearchError
from flexibert.search.boshnas.beyond_library import proposed_beyond
from flexibert.search.observations import read_observations
from flexibert.settings import LibrarySettings
from flexibert.space.architecture import Architecture, Layer
from flexibert.space.crossing import cross
from flexibert.space.design_space import DesignSpace
from flexibert.space.library.library import Library, build_library

if TYPE_CHECKING:
    import pandas


def finer_library(
    space: Mapping[str, Any],
    level: int,
    observations: str | Path,
    library: str | Path,
    proposals: Sequence[str | Path],
    settings: LibrarySettings,
    parents: int,
    parent_neighbours: int,
    seed: int,
    out_dir: str | Path,
) -> None:
    """Build a level's library from the best models of the level before and their nearest neighbours.

    Args:
        space: Content of the design space's file.
        level: The finer level.
        observations: Observations of the level before.
        library: Library of the level before.
        proposals: proposal.json of all rounds of the level before.
        settings: How a library is built.
        parents, parent_neighbours: Of the level before, see `best_parents`.
        seed: Of the sampling where the crossing gives more than `graphs` models.
        out_dir: Folder of the new library.

    Raises:
        SearchError: No model of the level before was trained with success.
    """
    known = read_observations(observations)
    coarse = Library.load(library)
    beyond = proposed_beyond(proposals)
    best = best_parents(known, coarse, beyond, parents, parent_neighbours)
    if not best:
        raise SearchError(
            f"level {level}: no model of the level before was trained with success; there is none to cross"
        )
    design_space = DesignSpace.from_mapping(space)
    models = cross(best, design_space, level, settings.graphs, seed)
    build_library(models, out_dir, settings, design_space, seed)


def best_parents(
    known: "pandas.DataFrame", library: Library, beyond: Mapping[str, Architecture], parents: int, neighbours: int
) -> list[Architecture]:
    """The best models by observed score, each followed by its nearest neighbours in the library; without repeats.

    Args:
        known: Observations; models that are neither in the library nor beyond it are left out.
        library: Library of the level.
        beyond: By name, the observed models beyond the library.
        parents: How many of the best models.
        neighbours: How many neighbours of each.
    """
    rows = {model: row for row, model in enumerate(library.ids)}
    ranked = known[known["score"].notna() & known["model"].isin([*rows, *beyond])]
    ranked = ranked.sort_values("score", ascending=False, kind="stable")
    chosen: dict[Architecture, None] = {}
    for model in list(dict.fromkeys(ranked["model"]))[:parents]:
        own = library.architectures[rows[model]] if model in rows else beyond[model]
        apart = library.distances[rows[model]] if model in rows else _distances(own, library)
        nearest = [int(row) for row in np.argsort(np.asarray(apart), kind="stable")[: neighbours + 1]]
        near = [row for row in nearest if row != rows.get(model)][:neighbours]
        chosen |= dict.fromkeys([own, *(library.architectures[row] for row in near)])
    return list(chosen)


def _distances(architecture: Architecture, library: Library) -> np.ndarray:
    """Distances in the embedding of a model beyond the library to those in it; shape (models,)."""
    return np.linalg.norm(library.embedding - library.placement().place(architecture), axis=1)


def scaled_pattern(architecture: Architecture, layers: int, widths: int) -> Architecture:
    """A model with each layer repeated and each width (hidden size, number of heads, feed-forward) multiplied.

    The paper's FlexiBERT-Large is FlexiBERT-Mini with `layers=6`, `widths=4`.
    """
    return Architecture(tuple(_widened(layer, widths) for layer in architecture.layers for _ in range(layers)))


def _widened(layer: Layer, factor: int) -> Layer:
    heads = [head for head in layer.heads for _ in range(factor)]
    return Layer.mixed(factor * layer.hidden, heads, tuple(factor * width for width in layer.feed_forward))
