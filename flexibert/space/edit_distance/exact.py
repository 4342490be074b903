"""The exact graph edit distance of one pair, by mixed-integer programming with SciPy's HiGHS.

The programme is the edge formulation of Lerouge et al. (2017), "New binary linear programming formulation to compute
the graph edit distance", with one change: heads of a layer with the same label are twins, so their substitutions are
counted by one integer variable each instead of one binary variable a pair. That loses nothing and shortens minutes to
tenths of a second.
"""

import math
from dataclasses import dataclass

import numpy as np

from flexibert.errors import DesignSpaceError
from flexibert.space.architecture import Architecture
from flexibert.space.edit_distance.ranks import EDGE, RANK, TENTHS, Ranks

ROUNDING = 1e-6  # of the solver's bounds


@dataclass(frozen=True)
class _Graph:
    """A graph whose twin heads are one vertex with a count; edges are (source, target, multiplicity)."""

    ranks: np.ndarray
    counts: np.ndarray
    edges: list[tuple[int, int, int]]


def exact_distance(a: Architecture, b: Architecture, ranks: Ranks, seconds: float | None = None) -> float:
    """Exact graph edit distance over a ranked operation list.

    Args:
        a, b: The models.
        ranks: The ranked operation list.
        seconds: Time limit, or None.

    Raises:
        DesignSpaceError: If a model has an operation that is not in the list, or if optimality was not proved in time.
    """
    lower, upper = exact_bounds(a, b, ranks, seconds)
    if lower < upper:
        raise DesignSpaceError(
            f"models {a.id} and {b.id}: no proof of the exact distance within {seconds} s (it is at least {lower}); "
            "allow more time, or use the near-exact distance"
        )
    return upper


def exact_bounds(a: Architecture, b: Architecture, ranks: Ranks, seconds: float | None = None) -> tuple[float, float]:
    """What the exact distance is not below and not above: the same number unless time ran out.

    Without any solution in time the upper bound is that of deleting one graph and inserting the other. Arguments and
    errors as for `exact_distance`.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    ranks.check(a)
    ranks.check(b)
    one, two = _graph(a, ranks), _graph(b, ranks)
    matrix, most = _constraints(one, two)
    substitution = RANK * (
        np.abs(one.ranks[:, None] - two.ranks) - one.ranks[:, None] - two.ranks  # against deleting and inserting
    )
    edge_pairs = len(one.edges) * len(two.edges)
    gain = np.concatenate([substitution.ravel(), np.full(edge_pairs, -2 * EDGE)])
    multiplicities = np.minimum.outer([edge[2] for edge in one.edges], [edge[2] for edge in two.edges])
    bound = np.concatenate([np.minimum.outer(one.counts, two.counts).ravel(), multiplicities.ravel()])
    found = milp(
        gain,
        constraints=LinearConstraint(matrix, -np.inf, most),
        bounds=Bounds(0, bound),
        integrality=np.arange(len(gain)) < substitution.size,
        options={"mip_rel_gap": 0, **({} if seconds is None else {"time_limit": seconds})},
    )
    size = _size(one) + _size(two)
    upper = size if found.fun is None else size + round(found.fun)
    if found.status == 0:
        return upper / TENTHS, upper / TENTHS
    proved = found.mip_dual_bound
    lower = 0 if proved is None else max(0, math.ceil(size + proved - ROUNDING))
    return min(lower, upper) / TENTHS, upper / TENTHS


def _size(graph: _Graph) -> int:
    """Cost of deleting the graph, in tenths."""
    return int(RANK * graph.ranks @ graph.counts + EDGE * sum(edge[2] for edge in graph.edges))


def _graph(architecture: Architecture, ranks: Ranks) -> _Graph:
    labels, counts, edges = ["input"], [1], []
    source = 0
    for layer in architecture.layers:
        heads = layer.labels[: len(layer.heads)]
        kinds = list(dict.fromkeys(heads))
        first = source + len(kinds) + 1
        for vertex, kind in enumerate(kinds, source + 1):
            multiplicity = heads.count(kind)
            labels.append(kind)
            counts.append(multiplicity)
            edges += [(source, vertex, multiplicity), (vertex, first, multiplicity)]
        rest = layer.labels[len(heads) :]
        labels += rest
        counts += [1] * len(rest)
        second = first + len(rest) - 1
        edges += [(source, first, 1), *((k, k + 1, 1) for k in range(first, second)), (first, second, 1)]
        source = second
    edges.append((source, source + 1, 1))
    return _Graph(np.array([ranks.rank[label] for label in [*labels, "output"]]), np.array([*counts, 1]), edges)


def _constraints(one: _Graph, two: _Graph) -> tuple:
    """Each vertex is substituted at most once; an edge only along with both of its ends."""
    from scipy.sparse import coo_array

    width, second_edges = len(two.ranks), len(two.edges)
    substitutions = len(one.ranks) * width
    rows: list[tuple[list[int], list[int], int]] = []  # (columns, coefficients, upper bound)
    for i, count in enumerate(one.counts.tolist()):
        rows.append(([i * width + k for k in range(width)], [1] * width, count))
    for k, count in enumerate(two.counts.tolist()):
        rows.append(([i * width + k for i in range(len(one.ranks))], [1] * len(one.ranks), count))
    at_end: list[dict[int, list[int]]] = [{}, {}]  # edges of `two` by source and by target
    for f, edge in enumerate(two.edges):
        for end in (0, 1):
            at_end[end].setdefault(edge[end], []).append(f)
    for e, edge in enumerate(one.edges):
        for end in (0, 1):
            many = edge[2] if one.counts[edge[end]] == 1 else 1  # a bundle hangs on this single vertex
            for k, found in at_end[end].items():
                columns = [substitutions + e * second_edges + f for f in found] + [edge[end] * width + k]
                rows.append((columns, [1] * len(found) + [-many], 0))
    row_numbers = np.repeat(np.arange(len(rows)), [len(row[0]) for row in rows])
    column_numbers = np.concatenate([row[0] for row in rows])
    values = np.concatenate([row[1] for row in rows])
    shape = (len(rows), substitutions + len(one.edges) * second_edges)
    return coo_array((values, (row_numbers, column_numbers)), shape=shape).tocsr(), np.array([row[2] for row in rows])
