"""The candidates of a search as arrays: from a table of columns, from model dictionaries, or from a library folder."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from flexibert.errors import DesignSpaceError, SearchError
from flexibert.search.encoding import Encoding, encode_columns
from flexibert.search.interface import Pool
from flexibert.search.table import Table
from flexibert.space.architecture import Architecture

EMBEDDINGS = ("graph", "naive")


def pool_from_table(table: Table, embedding: str | None = None) -> Pool:
    """Candidates of a table, in the table's order.

    Args:
        table: Model dictionaries or feature columns.
        embedding: "graph" (from graph edit distances, models only), "naive" (the features themselves), or None for
            the best there is.

    Raises:
        SearchError: An embedding that does not exist, or "graph" for candidates that are not models.
        DesignSpaceError: A model dictionary that cannot be built.
    """
    if embedding is not None and embedding not in EMBEDDINGS:
        raise SearchError(f"embedding '{embedding}' does not exist; choose one of {', '.join(EMBEDDINGS)}")
    if table.architectures is not None:
        return pool_of_models(table.ids, table.architectures, embedding or "graph")
    if embedding == "graph":
        raise SearchError("embedding 'graph' needs model dictionaries in the table; use 'naive' for feature columns")
    encoding = encode_columns(table.columns)
    return Pool(
        ids=list(table.ids),
        embedding=_naive_embedding(encoding),
        features=encoding.matrix,
        groups=encoding.groups,
        levels=encoding.levels,
        identity=np.arange(len(table)),
    )


def pool_of_models(ids: Sequence[str], models: Sequence[dict], embedding: str = "graph") -> Pool:
    """Candidates from model dictionaries, in the given order; isomorphic ones share their identity.

    Raises:
        DesignSpaceError: Every model dictionary that cannot be built.
    """
    architectures = _architectures(ids, models)
    digests = {digest: number for number, digest in enumerate(dict.fromkeys(a.digest for a in architectures))}
    encoding = encode_columns(model_columns(models))
    return Pool(
        ids=list(ids),
        embedding=_naive_embedding(encoding),
        features=encoding.matrix,
        groups=encoding.groups,
        levels=encoding.levels,
        identity=np.array([digests[architecture.digest] for architecture in architectures]),
        sizes=np.array([encoder_size(architecture) for architecture in architectures]),
        architectures=list(models),
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


def encoder_size(architecture: Architecture) -> int:
    """Weights in the matrices of the layers: what distinguishes the sizes of models of one vocabulary.

    Query, key and value, output of an attention (a linear transform needs no query and key), one square matrix a
    weighted attention, the feed-forward chain, and the projection to a next layer of another hidden size.
    """
    total = 0
    for place, layer in enumerate(architecture.layers):
        for head in layer.heads:
            matrices = 2 if head.operation == "l" else 4
            total += matrices * layer.hidden * head.size + (head.size**2 if head.parameter == "wma" else 0)
        widths = (layer.hidden, *layer.feed_forward, layer.hidden)
        total += sum(before * after for before, after in pairwise(widths))
        following = architecture.layers[place + 1 : place + 2]
        total += sum(layer.hidden * after.hidden for after in following if after.hidden != layer.hidden)
    return total


def shuffled(pool: Pool, order: np.ndarray) -> Pool:
    """The same candidates with row `order[i]` as row i; `order` is a permutation of all rows."""
    order = np.asarray(order)
    place = np.empty(len(order), dtype=int)
    place[order] = np.arange(len(order))
    return replace(
        pool,
        ids=[pool.ids[row] for row in order],
        embedding=pool.embedding[order],
        features=pool.features[order],
        identity=pool.identity[order],
        sizes=None if pool.sizes is None else pool.sizes[order],
        distances=None if pool.distances is None else pool.distances[np.ix_(order, order)],
        neighbours=None if pool.neighbours is None else place[pool.neighbours[order]],
        architectures=None if pool.architectures is None else [pool.architectures[row] for row in order],
    )


def _naive_embedding(encoding: Encoding) -> np.ndarray:
    """Features scaled so that the squared distance of two candidates counts the categories in which they differ."""
    return np.where(encoding.levels >= 0, encoding.matrix / np.sqrt(2), encoding.matrix)


def model_columns(architectures: Sequence[dict]) -> dict[str, list[Any]]:
    """The paper's naive description of models: the dictionary layer by layer, without any notion of a graph.

    Layers that a model does not have are None. Works for the layer form (`o`, `p`, `n`, `h`, `f`) and for the form
    whose heads each have an operation of their own.
    """
    rows = []
    for model in architectures:
        row: dict[str, Any] = {"layers": model["l"]}
        for layer in range(model["l"]):
            operation = model["o"][layer]
            if isinstance(operation, list):
                row |= {f"{layer}.head.{head}": name for head, name in enumerate(operation)}
            else:
                row |= {f"{layer}.operation": f"{operation}-{model['p'][layer]}", f"{layer}.heads": model["n"][layer]}
            widths = model["f"][layer]
            row |= {f"{layer}.hidden": model["h"][layer], f"{layer}.depth": len(widths)}
            row |= {f"{layer}.width.{place}": width for place, width in enumerate(widths)}
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    varying = {name: values for name, values in columns.items() if len(set(values)) > 1}
    return varying or columns
