"""From one level of a search to the next: crossing the best models (paper, section 3.4), and scaling a pattern up."""

from pathlib import Path
from typing import Any

import numpy as np

from flexibert.errors import SearchError
from flexibert.space.architecture import Architecture
from flexibert.space.crossing import cross
from flexibert.space.design_space import DesignSpace
from flexibert.space.library import Library, build_library


def finer_library(
    space: dict[str, Any],
    level: int,
    observations: str | Path,
    library: str | Path,
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
        settings: `library` of the configuration, and `parents` and `parent_neighbours` of the level before.
        seed: Of the sampling where the crossing gives more than `graphs` models.
        out_dir: Folder of the new library.

    Raises:
        SearchError: No model of the level before was trained with success.
    """
    from flexibert.search.rounds import read_observations

    known = read_observations(observations)
    coarse = Library.load(library)
    parents = best_parents(known, coarse, settings["parents"], settings["parent_neighbours"])
    if not parents:
        raise SearchError(
            f"level {level}: no model of the level before was trained with success; there is none to cross"
        )
    design_space = DesignSpace.from_mapping(space)
    models = cross(parents, design_space, level, settings["graphs"], seed)
    build_library(models, out_dir, settings, design_space, seed)


def best_parents(known: Any, library: Library, parents: int, neighbours: int) -> list[Architecture]:
    """The best models of a library by observed score, each followed by its nearest neighbours; without repeats."""
    rows = {model: row for row, model in enumerate(library.ids)}
    ranked = known[known["score"].notna() & known["model"].isin(rows)].sort_values(
        "score", ascending=False, kind="stable"
    )
    chosen: dict[int, None] = {}
    for model in list(dict.fromkeys(ranked["model"]))[:parents]:
        row = rows[model]
        nearest = np.argsort(np.asarray(library.distances[row]), kind="stable")
        near = [int(other) for other in nearest[: neighbours + 1] if other != row][:neighbours]
        chosen |= dict.fromkeys([row, *near])
    return [Architecture.from_model_dict(library.architectures[row]) for row in chosen]


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
