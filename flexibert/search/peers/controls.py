"""Controls without a model of the scores: chance, and the widespread belief that large models are the best."""

import numpy as np

from flexibert.errors import SearchError
from flexibert.runs import Reason
from flexibert.search.candidates import open_rows, proposal_generator
from flexibert.search.interface import Observations, Pool, Prediction, Proposal


class RandomSearch:
    """Each open candidate with equal probability."""

    def propose(self, observations: Observations, pool: Pool, count: int, seed: int) -> list[Proposal]:
        """Choose `count` open candidates uniformly."""
        rows = open_rows(observations, pool, proposal_generator("random", observations, seed))
        return [Proposal(int(row), Reason.BASELINE) for row in rows[:count]]

    def predict(self, observations: Observations, pool: Pool, seed: int) -> Prediction | None:
        """Return None: nothing is predicted."""
        return None


class LargestFirst:
    """The open candidate with the most parameters, ties at random: what a search must beat to be worth its cost."""

    def propose(self, observations: Observations, pool: Pool, count: int, seed: int) -> list[Proposal]:
        """Choose the `count` largest open candidates.

        Raises:
            SearchError: The sizes are not known (a table of feature columns).
        """
        sizes = known_sizes(pool, "largest")
        rows = open_rows(observations, pool, proposal_generator("largest", observations, seed))
        order = np.argsort(-sizes[rows], kind="stable")[:count]
        return [Proposal(int(row), Reason.BASELINE, acquisition=float(sizes[row])) for row in rows[order]]

    def predict(self, observations: Observations, pool: Pool, seed: int) -> Prediction | None:
        """Return None: size orders the candidates but predicts no score."""
        return None


class LargestGroup:
    """At random among the widest and deepest open models: how much of a table mere size explains.

    A group has equal sums of hidden sizes over the layers; the largest is drawn from until none of it is open.
    """

    def propose(self, observations: Observations, pool: Pool, count: int, seed: int) -> list[Proposal]:
        """Choose `count` open candidates, larger groups first, uniformly within a group.

        Raises:
            SearchError: The sizes are not known (a table of feature columns).
        """
        groups = size_groups(pool)
        rows = open_rows(observations, pool, proposal_generator("largest-group", observations, seed))
        order = np.argsort(-groups[rows], kind="stable")[:count]
        return [Proposal(int(row), Reason.BASELINE, acquisition=float(groups[row])) for row in rows[order]]

    def predict(self, observations: Observations, pool: Pool, seed: int) -> Prediction | None:
        """Return None: size orders the candidates but predicts no score."""
        return None


def size_groups(pool: Pool) -> np.ndarray:
    """Sum of the hidden sizes over the layers, or the size itself where no layers are known; shape (candidates,)."""
    if pool.architectures is None:
        return known_sizes(pool, "largest-group")
    return np.array([float(sum(layer.hidden for layer in model.layers)) for model in pool.architectures])


def known_sizes(pool: Pool, method: str) -> np.ndarray:
    """Number of parameters of each candidate; shape (candidates,).

    Raises:
        SearchError: It is not known.
    """
    if pool.sizes is None:
        raise SearchError(
            f"method '{method}' needs models with a size; this table has feature columns only, none called 'parameters'"
        )
    return np.asarray(pool.sizes, dtype=float)
