"""Queries after convergence: known models that are run again with a tuned recipe (paper, Algorithm 1)."""

import numpy as np

from flexibert.runs import Reason
from flexibert.search.candidates import known_networks
from flexibert.search.interface import Method, Observations, Pool, Proposal

ALEATORIC_WEIGHT = 0.5  # k1 of the paper's bound


def propose_again(method: Method, observations: Observations, pool: Pool, count: int, seed: int) -> list[Proposal]:
    """The `count` known networks with the highest upper bound of mean and aleatoric noise.

    They are good already, and the noise is what another recipe may still win. A method without a surrogate gives the
    best observed ones. Networks that only ever failed, or that are pending, are left out.
    """
    known = known_networks(observations, pool)
    finite = np.asarray(observations.indices)[np.isfinite(observations.scores)]
    waiting = pool.identity[np.asarray(observations.pending, dtype=int)]
    use = np.isin(pool.identity[known.rows], pool.identity[finite]) & ~np.isin(pool.identity[known.rows], waiting)
    rows, scores = known.rows[use], known.scores[use]
    view = method.predict(observations, pool, seed)
    if view is None:
        order = np.argsort(-scores, kind="stable")[:count]
        return [
            Proposal(int(rows[position]), Reason.RETUNING, acquisition=float(scores[position])) for position in order
        ]
    bound = view.mean[rows] + ALEATORIC_WEIGHT * view.aleatoric[rows]
    order = np.argsort(-bound, kind="stable")[:count]
    return [
        Proposal(
            index=int(rows[position]),
            reason=Reason.RETUNING,
            mean=float(view.mean[rows[position]]),
            aleatoric=float(view.aleatoric[rows[position]]),
            epistemic=float(view.epistemic[rows[position]]),
            acquisition=float(bound[position]),
        )
        for position in order
    ]
