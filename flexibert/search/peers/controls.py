"""Controls without a model of the scores: chance, and the widespread belief that the largest model is the best."""

import numpy as np

from flexibert.errors import SearchError
from flexibert.search.candidates import open_rows, proposal_generator
from flexibert.search.interface import Observations, Pool, Prediction, Proposal


class RandomSearch:
    """Each open candidate with equal probability."""

    def propose(self, observations: Observations, pool: Pool, count: int, seed: int) -> list[Proposal]:
        """Choose `count` open candidates uniformly."""
        rows = open_rows(observations, pool, proposal_generator("random", observations, seed))
        return [Proposal(int(row), "baseline") for row in rows[:count]]

    def predict(self, observations: Observations, pool: Pool, seed: int) -> Prediction | None:
        """Return None: nothing is predicted."""
        return None


class LargestFirst:
    """The open candidate with the most parameters, ties at random: what a search must beat to be worth its cost."""

    def propose(self, observations: Observations, pool: Pool, count: int, seed: int) -> list[Proposal]:
        """Choose the `count` largest open candidates.

        Raises:
            SearchError: The pool has no sizes (a table of feature columns).
        """
        if pool.sizes is None:
            raise SearchError("method 'largest' needs models with a size; this table has feature columns only")
        rows = open_rows(observations, pool, proposal_generator("largest", observations, seed))
        order = np.argsort(-np.asarray(pool.sizes)[rows], kind="stable")[:count]
        return [Proposal(int(row), "baseline", acquisition=float(pool.sizes[row])) for row in rows[order]]

    def predict(self, observations: Observations, pool: Pool, seed: int) -> Prediction | None:
        """Return None: size orders the candidates but predicts no score."""
        return None
