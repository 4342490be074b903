"""Local search: walk to better neighbours until there is none.

White, Nolen, Savani, "Exploring the Loss Landscape in Neural Architecture Search", UAI 2021, Algorithm 1.
"""

from dataclasses import dataclass

import numpy as np

from flexibert.runs import Reason
from flexibert.search.candidates import Known, edits_from, known_networks, open_rows, proposal_generator
from flexibert.search.interface import Observations, Pool, Prediction, Proposal


@dataclass(frozen=True)
class LocalSearch:
    """The nearest open neighbour of the best network; where its neighbourhood is exhausted, of the next best.

    Moves at once to a better neighbour (the "query until lower" form). Unlike the paper, which restarts from a random
    network at a local optimum, the walk goes back to the next best one: the pool's neighbourhoods overlap, so a restart
    would throw away what is known.

    Attributes:
        neighbourhood: How many nearest candidates, by edits of properties, count as neighbours of a network; ties too.
    """

    neighbourhood: int = 20

    def propose(self, observations: Observations, pool: Pool, count: int, seed: int) -> list[Proposal]:
        """Take `count` steps from the networks known so far; at random while nothing is evaluated."""
        generator = proposal_generator("local", observations, seed)
        rows = open_rows(observations, pool, generator)
        if len(observations.indices) == 0:
            return [Proposal(int(row), Reason.INITIAL) for row in rows[:count]]
        chosen = self._steps(known_networks(observations, pool), rows, pool, min(count, len(rows)))
        return [Proposal(int(row), Reason.BASELINE) for row in chosen]

    def _steps(self, known: Known, rows: np.ndarray, pool: Pool, count: int) -> list[int]:
        """Open neighbours of the best networks in turn, nearest first, as many as `count`."""
        chosen: list[int] = []
        everyone = np.arange(len(pool))
        for start in known.rows[np.argsort(-known.scores, kind="stable")]:
            apart = edits_from(start, everyone, pool)
            reach = np.partition(apart, min(self.neighbourhood, len(pool) - 1))[: self.neighbourhood + 1].max()
            near = rows[apart[rows] <= reach]
            near = near[np.argsort(apart[near], kind="stable")]
            chosen += [row for row in near.tolist() if row not in chosen]
            if len(chosen) >= count:
                return chosen[:count]
        return chosen + [row for row in rows.tolist() if row not in chosen][: count - len(chosen)]

    def predict(self, observations: Observations, pool: Pool, seed: int) -> Prediction | None:
        """Return None: local search has no surrogate."""
        return None
