"""The candidates of a library as arrays: what a search method is given."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flexibert.errors import SearchError
from flexibert.layout import LibraryFiles
from flexibert.search.interface import Pool
from flexibert.space.architecture import Architecture
from flexibert.space.features import encode

EMBEDDINGS = ("transformer2vec", "naive")


def pool_from_library(folder: str | Path, embedding: str = "transformer2vec") -> Pool:
    """The candidates of a library (see `flexibert.space.library.library`) that has a table of costs.

    Raises:
        SearchError: An embedding that does not exist.
        FileNotFoundError: There is no costs.parquet.
    """
    import pandas

    from flexibert.space.library.library import Library

    check_embedding(embedding)
    library = Library.load(folder)
    costs = pandas.read_parquet(LibraryFiles(folder).costs, columns=["id", "parameters"]).set_index("id")
    columns = model_columns(library.architectures)
    return Pool(
        ids=library.ids,
        embedding=columns["features"] if embedding == "naive" else library.embedding,
        identity=np.arange(len(library)),
        sizes=costs["parameters"].loc[library.ids].to_numpy(),
        architectures=library.architectures,
        **columns,
    )


def model_columns(architectures: Sequence[Architecture]) -> dict[str, np.ndarray]:
    """The fields `features`, `groups` and `levels` of a pool of models.

    No category counts as shared between properties: what is alike in different layers is for the embedding to tell.
    """
    features = encode(architectures)
    return {"features": features.matrix, "groups": features.groups, "levels": np.arange(len(features.groups))}


def check_embedding(embedding: str | None) -> None:
    """Raise SearchError for an embedding that does not exist; None stands for the best there is."""
    if embedding is not None and embedding not in EMBEDDINGS:
        raise SearchError(f"embedding '{embedding}' does not exist; choose one of {', '.join(EMBEDDINGS)}")
