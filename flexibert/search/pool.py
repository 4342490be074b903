"""The candidates of a library as arrays: what a search method is given."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from flexibert.errors import SearchError
from flexibert.search.interface import Pool
from flexibert.space.architecture import Architecture
from flexibert.space.features import encode

EMBEDDINGS = ("transformer2vec", "naive")


def pool_from_library(folder: str | Path, embedding: str = "transformer2vec") -> Pool:
    """The candidates of a library (see `flexibert.space.library.library`).

    Raises:
        SearchError: An embedding that does not exist.
    """
    from flexibert.space.library.library import Library

    check_embedding(embedding)
    library = Library.load(folder)
    columns = model_columns(library.architectures)
    return Pool(
        ids=library.ids,
        embedding=columns["features"] if embedding == "naive" else library.embedding,
        identity=np.arange(len(library)),
        sizes=np.array([encoder_size(architecture) for architecture in library.architectures]),
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


def encoder_size(architecture: Architecture) -> int:
    """Weights in the matrices of the layers: what distinguishes the sizes of models of one vocabulary.

    Query, key and value, output of an attention (a linear transform needs no query and key), one square matrix a
    weighted attention, the feed-forward chain, and the projection to a next layer of another hidden size.
    """
    total = 0
    for layer in architecture.layers:
        for head in layer.heads:
            matrices = 2 if head.operation == "l" else 4
            total += matrices * layer.hidden * head.size + (head.size**2 if head.parameter == "wma" else 0)
        total += sum(a * b for a, b in pairwise((layer.hidden, *layer.feed_forward, layer.hidden)))
    total += sum(a.hidden * b.hidden for a, b in pairwise(architecture.layers) if a.hidden != b.hidden)
    return total
