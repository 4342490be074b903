"""REINFORCE: a policy over architectures whose expected score is raised by the policy gradient.

Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning", 1992; for
architectures Zoph and Le, ICLR 2017, and, with a policy of plain categorical choices, Ying et al., ICML 2019.
"""

from dataclasses import dataclass

import numpy as np

from flexibert.runs import Reason
from flexibert.search.candidates import filled_scores, open_rows, proposal_generator, standardised
from flexibert.search.interface import Observations, Pool, Prediction, Proposal


@dataclass(frozen=True)
class Reinforce:
    """A policy proportional to exp(theta . features) over the pool, trained by replaying the observations in order.

    Where the pool is a full product of one-hot choices this is the policy of independent categorical choices of the
    NAS-Bench papers; in a sparse pool it gives no probability to what is not there. It starts uniform, so that random
    initial observations are samples of it.

    Attributes:
        learning_rate: Step along the policy gradient of one observation (rewards are standardised).
        baseline_decay: Of the moving average of rewards that is subtracted to lower the variance.
    """

    learning_rate: float = 0.3
    baseline_decay: float = 0.9

    def propose(self, observations: Observations, pool: Pool, count: int, seed: int) -> list[Proposal]:
        """Draw `count` open candidates from the policy, without replacement."""
        generator = proposal_generator("reinforce", observations, seed)
        rows = open_rows(observations, pool, generator)
        if len(rows) == 0:
            return []
        logits = self._logits(observations, pool)[rows]
        # The largest of Gumbel-perturbed logits are a sample without replacement (Kool et al., ICML 2019).
        order = np.argsort(-(logits + generator.gumbel(size=len(rows))), kind="stable")[:count]
        shifted = np.exp(logits - logits.max())
        probability = shifted / shifted.sum()
        reason = Reason.BASELINE if len(observations.indices) else Reason.INITIAL
        return [Proposal(int(rows[position]), reason, acquisition=float(probability[position])) for position in order]

    def predict(self, observations: Observations, pool: Pool, seed: int) -> Prediction | None:
        """Return None: a policy prefers candidates but predicts no score."""
        return None

    def _logits(self, observations: Observations, pool: Pool) -> np.ndarray:
        """Replay: one policy-gradient step an observation; shape (candidates,)."""
        low, high = pool.features.min(axis=0), pool.features.max(axis=0)
        columns = ((pool.features - low) / np.where(high > low, high - low, 1.0)).astype(np.float32)
        theta = np.zeros(columns.shape[1], dtype=np.float32)
        if len(observations.indices) == 0:
            return columns @ theta
        rewards, _, _ = standardised(filled_scores(observations))
        baseline = 0.0
        for row, reward in zip(observations.indices, rewards, strict=True):
            logits = columns @ theta
            policy = np.exp(logits - logits.max())
            policy /= policy.sum()
            score_function = columns[row] - policy @ columns  # gradient of log policy(row)
            theta += self.learning_rate * np.float32(reward - baseline) * score_function
            baseline = self.baseline_decay * baseline + (1 - self.baseline_decay) * reward
        return columns @ theta
