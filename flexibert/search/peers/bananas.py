"""BANANAS: an ensemble of small networks on the plain encoding, independent Thompson sampling, mutated candidates.

White, Neiswanger, Savani, "BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture Search",
AAAI 2021, Algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from flexibert.runs import Reason
from flexibert.search.candidates import known_networks, nearest_open, open_rows, proposal_generator, standardised
from flexibert.search.interface import Observations, Pool, Prediction, Proposal
from flexibert.seeds import derive_seed


@dataclass(frozen=True)
class Bananas:
    """The candidate near the best networks whose score, drawn from the ensemble's view of it, is highest.

    The members are trained side by side in one tensor. Unlike the paper, the networks read the pool's feature columns
    (a pool of feature tables has no paths), are 3 layers of 64 instead of 10 of 20, and minimise the absolute error of
    standardised scores; its percentage error needs a known upper bound of the score.

    Attributes:
        members: Networks in the ensemble.
        width: Units of each of the three hidden layers.
        steps: Full-batch Adam steps.
        learning_rate: Adam's, as in the paper.
        parents: How many of the best networks are mutated.
        mutations: Nearest open candidates, by edits of properties, taken of each parent.
    """

    members: int = 5
    width: int = 64
    steps: int = 150
    learning_rate: float = 0.01
    parents: int = 10
    mutations: int = 20

    def propose(self, observations: Observations, pool: Pool, count: int, seed: int) -> list[Proposal]:
        """Draw one score a candidate and take the `count` highest; at random while all scores are equal."""
        generator = proposal_generator("bananas", observations, seed)
        rows = open_rows(observations, pool, generator)
        known = known_networks(observations, pool)
        if not known.tell_apart:
            return [Proposal(int(row), Reason.INITIAL) for row in rows[:count]]
        best = known.rows[np.argsort(-known.scores, kind="stable")[: self.parents]]
        near = np.concatenate([nearest_open(row, rows, pool, self.mutations) for row in best])
        candidates = rows[np.isin(rows, near)]
        if len(candidates) < count:
            candidates = rows
        mean, deviation = self._ensemble(observations, pool, candidates, seed)
        draw = mean + deviation * generator.standard_normal(len(mean))
        order = np.argsort(-draw, kind="stable")[:count]
        return [
            Proposal(
                int(candidates[position]),
                Reason.OPTIMISATION,
                mean=float(mean[position]),
                epistemic=float(deviation[position]),
                acquisition=float(draw[position]),
            )
            for position in order
        ]

    def predict(self, observations: Observations, pool: Pool, seed: int) -> Prediction | None:
        """Mean and standard deviation over the ensemble (no noise is modelled); None while all scores are equal."""
        if not known_networks(observations, pool).tell_apart:
            return None
        mean, deviation = self._ensemble(observations, pool, np.arange(len(pool)), seed)
        return Prediction(mean, np.zeros(len(pool)), deviation)

    def _ensemble(
        self, observations: Observations, pool: Pool, rows: np.ndarray, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Train on all evaluated networks; mean and standard deviation over the members, each of shape (rows,)."""
        import torch

        known = known_networks(observations, pool)
        targets, shift, scale = standardised(known.scores)
        spread = pool.features.std(axis=0)
        inputs = (pool.features - pool.features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        train = torch.as_tensor(inputs[known.rows], dtype=torch.float32)
        goal = torch.as_tensor(targets, dtype=torch.float32)
        draw = torch.Generator().manual_seed(derive_seed(seed, "bananas", "weights", len(observations.indices)))
        sizes = [train.shape[1], self.width, self.width, self.width, 1]
        layers = []
        for fan_in, fan_out in pairwise(sizes):
            # He et al. (2015): keeps the variance through rectifiers
            weight = torch.randn(self.members, fan_in, fan_out, generator=draw) * (2.0 / fan_in) ** 0.5
            layers.append((weight.requires_grad_(), torch.zeros(self.members, 1, fan_out).requires_grad_()))

        def forward(values: torch.Tensor) -> torch.Tensor:
            hidden = values.expand(self.members, *values.shape)  # (members, rows, columns)
            for depth, (weight, bias) in enumerate(layers):
                hidden = torch.baddbmm(bias, hidden, weight)
                if depth < len(layers) - 1:
                    hidden = hidden.relu()
            return hidden[..., 0]  # (members, rows)

        optimiser = torch.optim.Adam(
            [tensor for layer in layers for tensor in layer], lr=self.learning_rate, fused=True
        )
        for _ in range(self.steps):
            optimiser.zero_grad()
            # Summed over members, each of which sees its own mean error only
            (forward(train) - goal).abs().mean(dim=1).sum().backward()
            optimiser.step()
        with torch.no_grad():
            outputs = forward(torch.as_tensor(inputs[rows], dtype=torch.float32)).double().numpy()
        return outputs.mean(axis=0) * scale + shift, outputs.std(axis=0, ddof=1) * scale
