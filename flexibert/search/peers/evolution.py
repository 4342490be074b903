"""Regularised evolution: the oldest die, not the worst.

Real, Aggarwal, Huang, Le, "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019, Algorithm 1.
"""

from dataclasses import dataclass

import numpy as np

from flexibert.runs import Reason
from flexibert.search.candidates import filled_scores, nearest_open, open_rows, proposal_generator
from flexibert.search.interface import Observations, Pool, Prediction, Proposal


@dataclass(frozen=True)
class RegularisedEvolution:
    """A tournament among the latest evaluations chooses a parent; its child is a near, open candidate.

    Unlike the paper, whose search trains twenty thousand models with a population of 100 and a sample of 25, the
    numbers suit tens of evaluations, and a mutation is a draw among the open candidates that differ in the fewest
    properties, since a one-edit neighbour need not be in the pool.

    Attributes:
        population: Number of latest evaluations that may become parents.
        sample: Number of them drawn for a tournament.
        mutations: Number of nearest open candidates, by edits, among which the child is drawn.
    """

    population: int = 50
    sample: int = 10
    mutations: int = 5

    def propose(self, observations: Observations, pool: Pool, count: int, seed: int) -> list[Proposal]:
        """Hold `count` tournaments in the present population; at random while nothing is evaluated."""
        generator = proposal_generator("evolution", observations, seed)
        rows = open_rows(observations, pool, generator)
        if len(observations.indices) == 0:
            return [Proposal(int(row), Reason.INITIAL) for row in rows[:count]]
        living = np.asarray(observations.indices, dtype=int)[-self.population :]
        scores = filled_scores(observations)[-self.population :]
        proposals: list[Proposal] = []
        while len(proposals) < count and len(rows):
            drawn = generator.permutation(len(living))[: self.sample]
            parent = living[drawn[np.argmax(scores[drawn])]]
            child = generator.choice(nearest_open(parent, rows, pool, self.mutations))
            proposals.append(Proposal(int(child), Reason.BASELINE))
            rows = rows[rows != child]
        return proposals

    def predict(self, observations: Observations, pool: Pool, seed: int) -> Prediction | None:
        """Return None: evolution has no surrogate."""
        return None
