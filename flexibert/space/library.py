"""The library a search chooses from: models, their distances, coordinates and neighbours, in one folder."""

import json
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from flexibert.files import read_json, whole_file, whole_folder, write_json, write_parquet
from flexibert.space.all_pairs import all_distances
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace
from flexibert.space.embedding import embed, stress
from flexibert.space.graph import Ranks
from flexibert.space.neighbours import nearest

NEIGHBOURS = 100  # the paper's number of nearest neighbours a graph keeps


def build_library(
    architectures: Sequence[Architecture],
    out_dir: str | Path,
    ranks: Ranks | None = None,
    dimensions: int = 16,
    seed: int = 0,
    city_block: bool = False,
    processes: int = 1,
    facts: dict[str, Any] | None = None,
) -> "Library":
    """Write a library of given models; equal networks are kept once, at their first place.

    Args:
        architectures: The models.
        out_dir: Folder to make; it appears whole or not at all.
        ranks: The ranked operation list; by default the shortest one that ranks all models.
        dimensions: Coordinates of the embedding.
        seed: Of the embedding.
        city_block: Whether to add `embedding_city_block.npy`.
        processes: Worker processes for the distances.
        facts: Further entries of `library.json`, e.g. the space's digest.
    """
    unique = list(dict.fromkeys(architectures))
    ranks = ranks or Ranks.of_architectures(unique)
    seconds: dict[str, float] = {}
    with whole_folder(out_dir) as folder:
        with _timed(seconds, "models"):
            write_parquet(folder / "models.parquet", _table(unique))
        with _timed(seconds, "distances"):
            distances = all_distances(unique, ranks, folder / "distances.npy", processes)
        with _timed(seconds, "embedding"):
            coordinates = embed(distances, min(dimensions, max(1, len(unique) - 1)), seed)
            _save(folder / "embedding.npy", coordinates)
        with _timed(seconds, "neighbours"):
            _save(folder / "neighbours.npy", nearest(unique, coordinates, NEIGHBOURS))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        card = {"graphs": len(unique), "seconds": seconds, "peak_bytes": peak, "stress": stress(distances, coordinates)}
        write_json(folder / "library.json", {**card, **(facts or {})})
    return Library.load(out_dir)


def build_library_of_space(
    space: DesignSpace,
    out_dir: str | Path,
    level: int = 1,
    sample: int | None = None,
    seed: int = 0,
    **settings: Any,
) -> "Library":
    """Write the library of a level: all of its graphs, or `sample` of them where it has more."""
    count = space.count(level)
    if sample is not None and sample < count:
        architectures = space.sample(sample, level, seed)
    else:
        architectures = list(space.enumerate(level))
    facts = {"space": space.digest, "level": level, "level_graphs": count}
    return build_library(architectures, out_dir, Ranks.of_space(space), seed=seed, facts=facts, **settings)


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
    def architectures(self) -> list[dict[str, Any]]:
        """Model dictionaries."""
        return [json.loads(text) for text in self._column("model")]

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

        return encode([Architecture.from_model_dict(model) for model in self.architectures])

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
