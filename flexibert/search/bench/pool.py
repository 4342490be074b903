"""The candidates of a table as a pool: from its model dictionaries, or from its columns."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from flexibert.errors import DesignSpaceError, SearchError
from flexibert.search.bench.columns import Encoding, encode_columns
from flexibert.search.bench.table import Table
from flexibert.search.interface import Pool
from flexibert.search.pool import check_embedding, model_columns
from flexibert.space.architecture import Architecture
from flexibert.space.edit_distance.distance import Reference
from flexibert.space.edit_distance.ranks import Ranks
from flexibert.space.library.embedding import embed

DIMENSIONS = 64  # of the embedding of a table's models; the paper's 16 lose too much (docs/search-evidence.md)
MOST_DISTANCES = 4000  # models that are embedded by the distances of all pairs (64 MB)
LEAST_AXIS = 0.003  # variance of a kept axis relative to the first: smaller ones magnify what is not Euclidean
LANDMARKS = 1000  # models whose distances place a table's models that are too many for all pairs


Counts = Callable[[Sequence[Architecture]], Sequence[int]]  # numbers of parameters of models


def pool_from_table(table: Table, embedding: str | None = None, count_parameters: Counts | None = None) -> Pool:
    """Candidates of a table, in the table's order.

    Args:
        table: Model dictionaries or feature columns.
        embedding: "transformer2vec" (from graph edit distances, models only), "naive" (the features themselves), or
            None for the best there is.
        count_parameters: Counts the parameters of models whose table has no column `parameters`; without it their
            sizes are not known.

    Raises:
        SearchError: An embedding that does not exist, or "transformer2vec" for candidates that are not models.
        DesignSpaceError: A model dictionary that cannot be built.
    """
    check_embedding(embedding)
    if table.architectures is not None:
        pool = pool_of_models(table.ids, table.architectures, embedding or "transformer2vec", count_parameters)
        return pool if table.sizes is None else replace(pool, sizes=table.sizes)
    if embedding == "transformer2vec":
        raise SearchError("embedding 'transformer2vec' needs model dictionaries; use 'naive' for feature columns")
    assert table.columns is not None  # a table has the one or the other
    encoding = encode_columns(table.columns)
    return Pool(
        ids=list(table.ids),
        embedding=_naive_embedding(encoding),
        features=encoding.matrix,
        groups=encoding.groups,
        levels=encoding.levels,
        identity=np.arange(len(table)),
        sizes=table.sizes,
    )


def pool_of_models(
    ids: Sequence[str],
    models: Sequence[dict],
    embedding: str = "transformer2vec",
    count_parameters: Counts | None = None,
) -> Pool:
    """Candidates from model dictionaries, in the given order; isomorphic ones share identity and embedding.

    Args:
        ids: Their names.
        models: The model dictionaries.
        embedding: "transformer2vec" or "naive".
        count_parameters: Counts their parameters; without it their sizes are not known.

    Raises:
        SearchError: An embedding that does not exist.
        DesignSpaceError: Every model dictionary that cannot be built.
    """
    check_embedding(embedding)
    architectures = _architectures(ids, models)
    networks = list(dict.fromkeys(architectures))
    number = {architecture: position for position, architecture in enumerate(networks)}
    identity = np.array([number[architecture] for architecture in architectures])
    columns = model_columns(architectures)
    if embedding == "naive":
        coordinates = columns["features"]
    elif len(networks) <= MOST_DISTANCES:
        distances = edit_distances(networks, Ranks.of_architectures(networks))
        coordinates = embed(distances, min(DIMENSIONS, max(1, len(networks) - 1)))[identity]
    else:
        coordinates = _embed_by_landmarks(networks)[identity]
    return Pool(
        ids=list(ids),
        embedding=coordinates,
        identity=identity,
        sizes=None if count_parameters is None else np.array(count_parameters(architectures)),
        architectures=architectures,
        **columns,
    )


def _architectures(ids: Sequence[str], models: Sequence[dict]) -> list[Architecture]:
    """Canonical architectures; the mistakes of all dictionaries are told at once."""
    architectures, problems = [], []
    for name, model in zip(ids, models, strict=True):
        try:
            architectures.append(Architecture.from_model_dict(model, name))
        except DesignSpaceError as error:
            problems += error.problems
    if problems:
        raise DesignSpaceError(problems, heading="model dictionaries are not usable")
    return architectures


def _naive_embedding(encoding: Encoding) -> np.ndarray:
    """Features scaled so that the squared distance of two candidates counts the categories in which they differ."""
    return np.where(encoding.levels >= 0, encoding.matrix / np.sqrt(2), encoding.matrix)


def edit_distances(networks: Sequence[Architecture], ranks: Ranks) -> np.ndarray:
    """Edit distances of a few thousand models, in memory; shape (networks, networks)."""
    reference = Reference(networks, ranks)
    return np.array([reference.distances(network) for network in networks])


def _embed_by_landmarks(networks: Sequence[Architecture]) -> np.ndarray:
    """Embed some models by their distances and place the others by theirs to them.

    Landmark multidimensional scaling (de Silva and Tenenbaum, 2004): the coordinates of a further model are a linear
    function of its squared distances to the landmarks.

    Returns:
        Coordinates; shape (networks, up to DIMENSIONS).
    """
    ranks = Ranks.of_architectures(networks)
    chosen = np.random.default_rng(0).permutation(len(networks))[:LANDMARKS]
    landmarks = [networks[position] for position in chosen]
    squares = np.square(edit_distances(landmarks, ranks), dtype=np.float64)
    mean = squares.mean(axis=0)
    centred = -0.5 * (squares - mean - mean[:, None] + mean.mean())
    values, vectors = np.linalg.eigh(centred)
    values, vectors = values[::-1][:DIMENSIONS], vectors[:, ::-1][:, :DIMENSIONS]
    large = values > LEAST_AXIS * values[0]
    axes = vectors[:, large] / np.sqrt(values[large])
    reference = Reference(landmarks, ranks)
    coordinates = [-0.5 * (np.square(reference.distances(network)) - mean) @ axes for network in networks]
    return np.array(coordinates, dtype=np.float32)
