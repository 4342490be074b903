"""The library a search chooses from: models, their distances, coordinates and neighbours, in one folder."""

import json
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexibert.errors import DesignSpaceError
from flexibert.files import read_json, whole_file, write_json, write_parquet
from flexibert.seeds import derive_seed
from flexibert.settings import LibrarySettings
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace
from flexibert.space.edit_distance.all_pairs import all_distances
from flexibert.space.edit_distance.ranks import Ranks
from flexibert.space.library.embedding import embed, threshold_counts
from flexibert.space.library.embedding_quality import quality
from flexibert.space.library.neighbours import nearest

if TYPE_CHECKING:
    from flexibert.space.library.placement import Placement


def build_library(
    architectures: Sequence[Architecture],
    out_dir: str | Path,
    settings: LibrarySettings,
    space: DesignSpace | None = None,
    seed: int = 0,
    processes: int | None = 1,
    facts: Mapping[str, Any] | None = None,
) -> "Library":
    """Write a library of given models; equal networks are kept once, at their first position.

    Every file appears whole or not at all; `library.json` comes last and is absent while the others are made.

    Args:
        architectures: The models.
        out_dir: Folder to write to.
        settings: How it is built; `graphs` does not matter here.
        space: Gives the ranked operation list; without it the shortest list that ranks all models is used.
        seed: Of the embedding.
        processes: Worker processes for the distances; None for one a core.
        facts: Further entries of `library.json`.

    Raises:
        DesignSpaceError: If there is no model, or one has an operation that the space does not rank.
    """
    first: dict[str, Architecture] = {}
    for architecture in architectures:
        first.setdefault(architecture.digest, architecture)
    unique = list(first.values())
    if not unique:
        raise DesignSpaceError("a library needs at least one model")
    ranks = Ranks.of_space(space) if space else Ranks.of_architectures(unique)
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "library.json").unlink(missing_ok=True)
    seconds: dict[str, float] = {}
    with _timed(seconds, "models"):
        write_parquet(folder / "models.parquet", _table(unique))
    with _timed(seconds, "distances"):
        distances = all_distances(unique, ranks, folder / "distances.npy", processes)
    with _timed(seconds, "embedding"):
        start = threshold_counts(unique, ranks, settings.dimensions) if settings.metric == "city-block" else None
        coordinates = embed(distances, settings.dimensions, seed, settings.metric, settings.recipe, start)
        _save(folder / "embedding.npy", coordinates)
    with _timed(seconds, "neighbours"):
        _save(folder / "neighbours.npy", nearest(unique, coordinates, settings.neighbours))
    with _timed(seconds, "quality"):
        figures = quality(distances, coordinates, settings.metric)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    card = {
        "graphs": len(unique),
        "space": space.digest if space else None,
        "operations": ranks.operations,
        "seed": seed,
        **{key: getattr(settings, key) for key in ("dimensions", "metric", "recipe", "neighbours")},
        "seconds": seconds,
        "peak_bytes": peak,
        **figures,
        **(facts or {}),
    }
    write_json(folder / "library.json", card)
    return Library.load(folder)


def level_library(
    space: Mapping[str, Any] | DesignSpace,
    level: int,
    settings: LibrarySettings,
    seed: int,
    out_dir: str | Path,
    processes: int | None = 1,
) -> "Library":
    """Write the library of a level: all of its graphs, or a uniform sample where it has more than `graphs`.

    Args:
        space: A design space or the content of its file.
        level: Number of the level, from 1 on.
        settings: How it is built; `graphs` is how many models there are at most.
        seed: Of the sample and of the embedding.
        out_dir: Folder to write to.
        processes: Worker processes for the distances; None for one a core.
    """
    design_space = space if isinstance(space, DesignSpace) else DesignSpace.from_mapping(space)
    count = design_space.count(level)
    if count <= settings.graphs:
        architectures = list(design_space.enumerate(level))
    else:
        architectures = design_space.sample(settings.graphs, level, derive_seed(seed, "sample"))
    facts = {"level": level, "level_graphs": count}
    return build_library(architectures, out_dir, settings, design_space, seed, processes, facts)


class Library:
    """A library read from its folder; large arrays are mapped, not read."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.card: dict[str, Any] = read_json(self.folder / "library.json")

    @classmethod
    def load(cls, folder: str | Path) -> "Library":
        """Open the library in a folder."""
        return cls(folder)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def ids(self) -> list[str]:
        """Name of each model."""
        return self._column("id")

    @cached_property
    def architectures(self) -> list[Architecture]:
        """The models."""
        return [Architecture.from_model_dict(json.loads(text)) for text in self._column("model")]

    @cached_property
    def distances(self) -> np.ndarray:
        """All edit distances, mapped; float32, shape (models, models)."""
        return np.load(self.folder / "distances.npy", mmap_mode="r", allow_pickle=False)

    @cached_property
    def embedding(self) -> np.ndarray:
        """Euclidean coordinates; float32, shape (models, dimensions)."""
        return np.load(self.folder / "embedding.npy", allow_pickle=False)

    @cached_property
    def neighbours(self) -> np.ndarray:
        """Nearest models by biased overlap; int32, shape (models, up to 100)."""
        return np.load(self.folder / "neighbours.npy", allow_pickle=False)

    def features(self) -> np.ndarray:
        """The naive encoding of each model (see `features.encode`); float32, shape (models, columns)."""
        from flexibert.space.features import encode

        return encode(self.architectures).matrix

    @cached_property
    def ranks(self) -> Ranks:
        """The ranked operation list of the distances."""
        return Ranks(self.card["operations"])

    def placement(self) -> "Placement":
        """Gives coordinates to models that are not in the library."""
        from flexibert.space.library.placement import Placement

        return Placement(self.architectures, self.embedding, self.ranks, self.card["metric"], self.card["seed"])

    def _column(self, name: str) -> list[str]:
        import pyarrow.parquet

        return pyarrow.parquet.read_table(self.folder / "models.parquet", columns=[name]).column(name).to_pylist()


def _table(architectures: Sequence[Architecture]) -> Any:
    import pandas

    return pandas.DataFrame(
        {
            "id": [a.id for a in architectures],
            "model": [json.dumps(a.to_model_dict()) for a in architectures],
            "layers": [len(a.layers) for a in architectures],
            "hidden_sizes": ["-".join(str(layer.hidden) for layer in a.layers) for a in architectures],
            "operations": [
                " ".join(
                    "+".join(dict.fromkeys(head.text.rpartition("_")[0] for head in layer.heads)) for layer in a.layers
                )
                for a in architectures
            ],
            "homogeneous": [a.homogeneous for a in architectures],
            "digest": [a.digest for a in architectures],
        }
    )


def _save(path: Path, array: np.ndarray) -> None:
    with whole_file(path) as part, open(part, "wb") as stream:
        np.save(stream, array, allow_pickle=False)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - start, 3)
