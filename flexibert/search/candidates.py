"""Which candidates may still be proposed, what is known of the others, and ties that favour no row."""

from dataclasses import dataclass

import numpy as np

from flexibert.search.interface import Observations, Pool
from flexibert.seeds import derive_seed


def proposal_generator(name: str, observations: Observations, seed: int) -> np.random.Generator:
    """Random numbers of one proposal: new ones after each observation although the search's seed stays."""
    return np.random.default_rng(derive_seed(seed, name, len(observations.indices), len(observations.pending)))


def open_rows(observations: Observations, pool: Pool, generator: np.random.Generator) -> np.ndarray:
    """Rows that may be proposed, one a network, none observed or pending nor isomorphic to one that is.

    They come in a random order that depends on the names of the candidates and not on their rows: whoever breaks
    ties by this order (stable sort, first maximum) favours no row, and a shuffled pool gives the same choice.

    Returns:
        Rows of the pool; shape (open,).
    """
    order = np.argsort(np.asarray(pool.ids), kind="stable")[generator.permutation(len(pool))]
    used = np.concatenate([observations.indices, observations.pending]).astype(int)
    order = order[~np.isin(pool.identity[order], pool.identity[used])]
    first = np.unique(pool.identity[order], return_index=True)[1]
    return order[np.sort(first)]


def filled_scores(observations: Observations) -> np.ndarray:
    """Scores with each failed one (NaN or infinite) counted as the worst that was seen; shape (observations,).

    A failure must repel the search, but by no more than the worst success, or it would hide all other differences.
    """
    scores = np.asarray(observations.scores, dtype=float)
    finite = np.isfinite(scores)
    return np.where(finite, scores, scores[finite].min() if finite.any() else 0.0)


@dataclass(frozen=True)
class Known:
    """The evaluated networks, each once, in the order of their first evaluation.

    Attributes:
        rows: Row of the pool under which each network was first evaluated; shape (networks,).
        scores: Mean of its scores; of a network that only failed, the worst score seen; shape (networks,).
        evaluations: How often it was evaluated; shape (networks,).
    """

    rows: np.ndarray
    scores: np.ndarray
    evaluations: np.ndarray

    @property
    def tell_apart(self) -> bool:
        """Whether the scores differ at all, so that there is something to learn from them."""
        return len(self.scores) > 0 and bool(standardised(self.scores)[0].any())


def known_networks(observations: Observations, pool: Pool) -> Known:
    """Average the repeated evaluations of equal networks, failures among successes left out."""
    indices = np.asarray(observations.indices, dtype=int)
    if len(indices) == 0:
        return Known(indices, np.empty(0), indices)
    _, first, network = np.unique(pool.identity[indices], return_index=True, return_inverse=True)
    finite = np.isfinite(np.asarray(observations.scores, dtype=float))
    succeeded = np.bincount(network[finite], minlength=len(first))
    # A network that never succeeded takes its filled score, so each of its failures weighs as one success.
    weights = np.where(finite | (succeeded[network] == 0), 1.0, 0.0)
    totals = np.bincount(network, weights * filled_scores(observations))
    scores = totals / np.bincount(network, weights)
    order = np.argsort(first)
    return Known(indices[first[order]], scores[order], np.bincount(network)[order])


def standardised(scores: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Scores with mean 0 and standard deviation 1 (all 0 where they are equal), their mean and their deviation."""
    mean, scale = float(scores.mean()), float(scores.std(ddof=1)) if len(scores) > 1 else 0.0
    if not scale > 1e-12 * max(1.0, float(np.abs(scores).max())):
        return np.zeros(len(scores)), mean, 1.0
    return (scores - mean) / scale, mean, scale


def edits_from(row: int, rows: np.ndarray, pool: Pool) -> np.ndarray:
    """How many properties must be edited to turn one candidate into others, by the plain encoding; shape (rows,).

    It is half the squared distance of the features: a category that differs counts one, a quantity half the square of
    its difference in standard deviations. The peers walk by it as their authors do, who change one choice at a time.
    """
    return np.square(pool.features[rows] - pool.features[row]).sum(axis=1) / 2


def nearest_open(row: int, rows: np.ndarray, pool: Pool, count: int) -> np.ndarray:
    """The `count` of `rows` fewest edits away from candidate `row`, nearest first, ties in the order of `rows`."""
    return rows[np.argsort(edits_from(row, rows, pool), kind="stable")[:count]]
