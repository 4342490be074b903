"""From one level of a search to the next: crossing the best models (paper: hierarchy), and scaling a pattern up."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flexibert.errors import SearchError
from flexibert.search.boshnas.beyond_library import proposed_beyond
from flexibert.search.observations import read_observations
from flexibert.space.architecture import Architecture
from flexibert.space.crossing import cross
from flexibert.space.design_space import DesignSpace
from flexibert.space.library.library import Library, build_library


def finer_library(
    space: dict[str, Any],
    level: int,
    observations: str | Path,
    library: str | Path,
    proposals: Sequence[str | Path],
    settings: dict[str, Any],
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
        settings: `library` of the configuration, and `parents` and `parent_neighbours` of the level before.
        seed: Of the sampling where the crossing gives more than `graphs` models.
        out_dir: Folder of the new library.

    Raises:
        SearchError: No model of the level before was trained with success.
    """
    known = read_observations(observations)
    coarse = Library.load(library)
    beyond = proposed_beyond(proposals)
    parents = best_parents(known, coarse, beyond, settings["parents"], settings["parent_neighbours"])
    if not parents:
        raise SearchError(
            f"level {level}: no model of the level before was trained with success; there is none to cross"
        )
    design_space = DesignSpace.from_mapping(space)
    models = cross(parents, design_space, level, settings["graphs"], seed)
    build_library(models, out_dir, settings, design_space, seed)


def best_parents(
    known: Any, library: Library, beyond: dict[str, dict[str, Any]], parents: int, neighbours: int
) -> list[Architecture]:
    """The best models by observed score, each followed by its nearest neighbours in the library; without repeats.

    Args:
        known: Observations; models that are neither in the library nor beyond it are left out.
        library: Library of the level.
        beyond: Model dictionaries by name of the observed models beyond the library.
        parents: How many of the best models.
        neighbours: How many neighbours of each.
    """
    rows = {model: row for row, model in enumerate(library.ids)}
    ranked = known[known["score"].notna() & known["model"].isin([*rows, *beyond])]
    ranked = ranked.sort_values("score", ascending=False, kind="stable")
    chosen: dict[Architecture, None] = {}
    for model in list(dict.fromkeys(ranked["model"]))[:parents]:
        own = Architecture.from_model_dict(library.architectures[rows[model]] if model in rows else beyond[model])
        apart = library.distances[rows[model]] if model in rows else _distances(own, library)
        nearest = [int(row) for row in np.argsort(np.asarray(apart), kind="stable")[: neighbours + 1]]
        near = [row for row in nearest if row != rows.get(model)][:neighbours]
        chosen |= dict.fromkeys([own, *(Architecture.from_model_dict(library.architectures[row]) for row in near)])
    return list(chosen)


def _distances(architecture: Architecture, library: Library) -> np.ndarray:
    """Distances in the embedding of a model beyond the library to those in it; shape (models,)."""
    return np.linalg.norm(library.embedding - library.placement().place(architecture), axis=1)


def scaled_pattern(architecture: dict[str, Any], layers: int, widths: int) -> dict[str, Any]:
    """A model dictionary with each layer repeated and each width multiplied.

    The paper's FlexiBERT-Large is FlexiBERT-Mini with `layers=6`, `widths=4` (hidden sizes, heads, feed-forward).
    """
    scaled: dict[str, Any] = {"l": architecture["l"] * layers}
    for key in "ohnfp":
        if key in architecture:
            scaled[key] = [_scaled(key, value, widths) for value in architecture[key] for _ in range(layers)]
    return scaled


def _scaled(key: str, value: Any, widths: int) -> Any:
    if key in "hn":
        return value * widths
    return [width * widths for width in value] if key == "f" else value
