"""The edit distance of one pair as a quadratic assignment problem, solved by local search from many starts.

Both graphs are filled up with vertices of rank 0 to the same number, so that an edit path is a permutation: vertex i
of a becomes vertex p[i] of b. It costs the differences of ranks, and a tenth for every edge of either graph that is
not preserved. The search sets out from the maps of `spines`: each says which edges of the spine's vertices may count,
and a linear assignment finds the cheapest permutation for these. The best of them are improved by the Frank-Wolfe steps
of Vogelstein et al. (2015), "Fast approximate quadratic programming for graph matching", and then by exchanging the
partners of two vertices as long as that pays. A second round sets out from the best results, with the partners of two
vertices of the spine exchanged.

All numbers are integers, or sums of a few powers of two, so that results do not depend on the order of summation.
"""

from itertools import combinations

import numpy as np

from flexibert.space.architecture import Architecture
from flexibert.space.edit_distance.ranks import EDGE, RANK, Ranks
from flexibert.space.edit_distance.spines import spine_maps
from flexibert.space.graph import edges

WORK = 1e8  # starts and moves times the cube of the vertices: about 20 ms for four layers, a second for 24
FEWEST_STARTS, FEWEST_IMPROVED, MOST_IMPROVED = 16, 4, 48
VARIED = 2  # results from which the second round sets out
STEPS = 5  # Frank-Wolfe steps
STEP_PARTS = 8  # step sizes are multiples of an eighth
CACHED = 65_536  # matrix entries that are handled at a time


def assigned_distance(a: Architecture, b: Architecture, ranks: Ranks) -> int:
    """Cost in tenths of the best edit path that was found; the same in both directions, never below the exact cost."""
    a, b = sorted((a, b), key=lambda architecture: (len(architecture.layers), architecture.labels))
    if a.labels == b.labels:
        return 0
    pair = _Pair(a, b, ranks)
    effort = int(WORK / pair.size**3)
    improved = min(max(effort // 10, FEWEST_IMPROVED), MOST_IMPROVED)
    exchanges = max(effort, FEWEST_STARTS)
    found = _search(pair, spine_maps(len(a.layers), len(b.layers), exchanges), improved, exchanges)
    varied = _varied(pair, found[:VARIED])[:exchanges]
    if len(varied):
        again = _search(pair, varied, max(improved // 2, FEWEST_IMPROVED), exchanges)
        found = np.concatenate([found[:1], again[:1]])
    return round(pair.costs(found).min())


class _Pair:
    """Two graphs of equally many vertices.

    Attributes:
        size: Number of vertices.
        first, second: Adjacency matrices of a and b; shape (size, size).
        substitution: Cost of matching a vertex of a with one of b; shape (size, size).
        spines: The vertices of each spine.
    """

    def __init__(self, a: Architecture, b: Architecture, ranks: Ranks) -> None:
        self.size = max(len(a.labels), len(b.labels))
        self.first, self._edges, first_ranks = self._graph(a, ranks)
        self.second, other_edges, second_ranks = self._graph(b, ranks)
        self.substitution = RANK * np.abs(first_ranks[:, None] - second_ranks)
        self._all_edges = EDGE * (len(self._edges) + len(other_edges))
        self.spines = _spine(a), _spine(b)

    def _graph(self, architecture: Architecture, ranks: Ranks) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        ranked = np.zeros(self.size)
        ranked[: len(architecture.labels)] = [ranks.rank[label] for label in architecture.labels]
        found = np.array(edges(architecture))
        matrix = np.zeros((self.size, self.size))
        matrix[found[:, 0], found[:, 1]] = 1
        return matrix, found, ranked

    def costs(self, partners: np.ndarray) -> np.ndarray:
        """Cost of permutations, shape (permutations, size), in tenths; shape (permutations,)."""
        preserved = self.second[partners[:, self._edges[:, 0]], partners[:, self._edges[:, 1]]].sum(axis=1)
        substituted = self.substitution[np.arange(self.size), partners].sum(axis=1)
        return substituted + self._all_edges - 2 * EDGE * preserved

    def gains(self, partners: np.ndarray) -> np.ndarray:
        """Edges that vertex i of a preserves as vertex j of b if the others stay; shape (permutations, size, size)."""
        return self.first @ self.second.T[partners] + self.first.T @ self.second[partners]

    def gains_of_spines(self, maps: np.ndarray) -> np.ndarray:
        """The same where only spine vertices are matched; shape (maps, size, size)."""
        mine, theirs = self.spines
        gains = self.first[:, mine] @ maps @ self.second.T[theirs]
        gains += self.first.T[:, mine] @ maps @ self.second[theirs]
        return gains


def _spine(architecture: Architecture) -> np.ndarray:
    """Places of the input and of the add_norms among the labels."""
    spine = [0]
    for layer in architecture.layers:
        first = spine[-1] + len(layer.heads) + 1
        spine += [first, first + len(layer.feed_forward) + 1]
    return np.array(spine)


def _assign(values: np.ndarray) -> np.ndarray:
    """The permutation of largest value for each matrix; shape (matrices, size)."""
    from scipy.optimize import linear_sum_assignment

    return np.array([linear_sum_assignment(value, maximize=True)[1] for value in values])


def _search(pair: _Pair, maps: np.ndarray, improved: int, exchanges: int) -> np.ndarray:
    """Permutations from maps of the spines, the best `improved` of them improved; cheapest first."""
    starts = _starts(pair, maps)
    starts = starts[np.argsort(pair.costs(starts), kind="stable")[:improved]]
    found = np.concatenate([starts, _exchanged(pair, _relaxed(pair, starts), exchanges)])
    return found[np.argsort(pair.costs(found), kind="stable")]


def _starts(pair: _Pair, maps: np.ndarray) -> np.ndarray:
    """The cheapest permutation along each map of the spines; shape (distinct ones, size)."""
    mine, theirs = pair.spines
    together = max(1, CACHED // pair.size**2)
    found = []
    for first in range(0, len(maps), together):
        some = maps[first : first + together]
        values = 2 * EDGE * pair.gains_of_spines(some) - pair.substitution
        values[:, mine[:, None], theirs] += some  # between equals, what the map says
        found.append(_assign(values))
    return np.unique(np.concatenate(found), axis=0)


def _varied(pair: _Pair, partners: np.ndarray) -> np.ndarray:
    """Maps of the spines in permutations, with the partners of any two vertices exchanged; as `spine_maps`."""
    mine, theirs = pair.spines
    maps = np.unique((partners[:, mine, None] == theirs).astype(float), axis=0)
    found = []
    for spine in maps:
        for one, two in combinations(range(len(mine)), 2):
            if (spine[one] != spine[two]).any():
                exchanged = spine.copy()
                exchanged[[one, two]] = spine[[two, one]]
                found.append(exchanged)
    return np.unique(np.array(found), axis=0) if found else maps[:0]


def _relaxed(pair: _Pair, starts: np.ndarray) -> np.ndarray:
    """Permutations near the doubly stochastic matrices that Frank-Wolfe steps reach; shape (distinct ones, size)."""
    rows, vertices = np.arange(len(starts))[:, None], np.arange(pair.size)
    matrices = np.zeros((len(starts), pair.size, pair.size))
    matrices[rows, vertices, starts] = 1
    gains = pair.gains(starts)
    open_ = np.arange(len(starts))
    for _ in range(STEPS):
        slopes = 2 * EDGE * gains[open_] - pair.substitution
        corners = _assign(slopes)
        moves = -matrices[open_]
        moves[rows[: len(open_)], vertices, corners] += 1
        turns = pair.gains(corners) - gains[open_]
        linear = np.einsum("kij,kij->k", moves, slopes)
        quadratic = EDGE * np.einsum("kij,kij->k", moves, turns)
        sizes = np.ones(len(open_))
        inside = quadratic < 0
        best = -linear[inside] / (2 * quadratic[inside])
        sizes[inside] = np.clip(np.round(best * STEP_PARTS), 1, STEP_PARTS) / STEP_PARTS
        rising = linear > 0
        open_, sizes = open_[rising], sizes[rising, None, None]
        if not len(open_):
            break
        matrices[open_] += sizes * moves[rising]
        gains[open_] += sizes * turns[rising]
    return np.unique(_assign(matrices), axis=0)


def _exchanged(pair: _Pair, starts: np.ndarray, most: int) -> np.ndarray:
    """Permutations after exchanging two partners at a time, the best two first, at most `most` times."""
    partners = starts.copy()
    either = pair.first + pair.first.T
    open_ = np.arange(len(partners))
    for _ in range(most):
        now = partners[open_]
        placed = pair.second[now[:, :, None], now[:, None, :]]
        values = 2 * EDGE * pair.gains(now) - pair.substitution
        values = np.take_along_axis(values, np.broadcast_to(now[:, None, :], values.shape), axis=2)
        own = np.einsum("kii->ki", values)
        # `values` counts an edge between the two as if one of them stayed.
        between = 2 * EDGE * either * (placed + placed.transpose(0, 2, 1))
        better = values + values.transpose(0, 2, 1) - own[:, :, None] - own[:, None, :] + between
        better = better.reshape(len(now), -1)
        best = better.argmax(axis=1)
        rising = better[np.arange(len(now)), best] > 0
        open_ = open_[rising]
        if not len(open_):
            break
        one, two = np.divmod(best[rising], pair.size)
        partners[open_, one], partners[open_, two] = partners[open_, two], partners[open_, one]
    return partners
