"""BOSHNAS as the paper describes it (Algorithm 1), well executed: the yardstick for our own, and the reproduction.

Bayesian optimisation with second-order gradients and a heteroscedastic surrogate: three networks on the embedding give
a mean loss, aleatoric and epistemic uncertainty; GOBI moves the input down their lower confidence bound.
"""

from dataclasses import dataclass

import numpy as np
import torch

from flexibert.runs import Reason
from flexibert.search.candidates import (
    filled_scores,
    known_networks,
    open_rows,
    proposal_generator,
    standardised,
)
from flexibert.search.interface import Observations, Pool, Prediction, Proposal
from flexibert.search.paper.gobi import minimise_input
from flexibert.search.paper.surrogate import NeuralSurrogate, fit_surrogate
from flexibert.seeds import derive_seed


@dataclass(frozen=True)
class _Fit:
    """A fitted surrogate, its inputs for the whole pool, shape (candidates, dimensions), and the scores' scale."""

    surrogate: NeuralSurrogate
    inputs: torch.Tensor
    mean: float
    scale: float

    def parts(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean loss, aleatoric and epistemic deviation of candidates, standardised; shape (rows,) each."""
        with torch.no_grad():
            mean, aleatoric, epistemic = self.surrogate(self.inputs[torch.as_tensor(rows)])
        return mean.double().numpy(), aleatoric.double().numpy(), epistemic.double().numpy()


@dataclass(frozen=True)
class PaperBoshnas:
    """The paper's BOSHNAS; the naive embedding and the homogeneous space of its ablations are choices of the pool.

    Unlike the paper: losses are standardised instead of divided by their maximum, so that any scale will do; GOBI
    snaps to the nearest candidate that is still open, so that no query is wasted on a known one; and it has more
    starts, which cost nothing in one tensor.

    Attributes:
        second_order: AdaHessian in GOBI; False is the ablation "without second order" (Adam).
        heteroscedastic: False is the ablation "without heteroscedastic modelling".
        uncertainty_probability: alpha: share of queries that go where the uncertainty is largest.
        diversity_probability: beta: share of random queries.
        aleatoric_weight, epistemic_weight: k1 and k2 of the confidence bound.
        starts: Points from which GOBI descends.
    """

    second_order: bool = True
    heteroscedastic: bool = True
    uncertainty_probability: float = 0.1
    diversity_probability: float = 0.1
    aleatoric_weight: float = 0.5
    epistemic_weight: float = 0.5
    starts: int = 32

    def propose(self, observations: Observations, pool: Pool, count: int, seed: int) -> list[Proposal]:
        """Choose `count` candidates, the kind of each query by chance; at random while all scores are equal."""
        generator = proposal_generator("boshnas-paper", observations, seed)
        rows = open_rows(observations, pool, generator)
        if not known_networks(observations, pool).tell_apart:
            return [Proposal(int(row), Reason.INITIAL) for row in rows[:count]]
        fit = self._fit(observations, pool, seed)
        alpha, beta = self.uncertainty_probability, self.diversity_probability
        count = min(count, len(rows))
        kinds = generator.choice(
            [Reason.UNCERTAINTY, Reason.DIVERSITY, Reason.OPTIMISATION], size=count, p=[alpha, beta, 1 - alpha - beta]
        )
        descended = self._descend(fit, rows, int((kinds == Reason.OPTIMISATION).sum()), generator)
        chosen: dict[int, Reason] = dict.fromkeys(descended, Reason.OPTIMISATION)
        for kind in kinds[kinds != Reason.OPTIMISATION]:
            left = rows[~np.isin(rows, list(chosen))]
            uncertain = kind == Reason.UNCERTAINTY  # or any one: the rows are shuffled
            position = int(np.argmax(self._uncertainty(fit, left))) if uncertain else 0
            chosen[int(left[position])] = Reason(kind)
        return self._explained(fit, chosen)

    def predict(self, observations: Observations, pool: Pool, seed: int) -> Prediction | None:
        """Scores and both uncertainties of the whole pool; None while all scores are equal."""
        if not known_networks(observations, pool).tell_apart:
            return None
        fit = self._fit(observations, pool, seed)
        mean, aleatoric, epistemic = fit.parts(np.arange(len(pool)))
        return Prediction(fit.mean - mean * fit.scale, aleatoric * fit.scale, epistemic * fit.scale)

    def _fit(self, observations: Observations, pool: Pool, seed: int) -> _Fit:
        """Train the networks on every evaluation, repeats included: they are what tells the noise."""
        losses, mean, scale = standardised(filled_scores(observations))
        spread = pool.embedding.std(axis=0)
        centred = pool.embedding - pool.embedding.mean(axis=0)
        inputs = torch.as_tensor(centred / np.sqrt((spread**2).mean()), dtype=torch.float32)
        evaluated = inputs[torch.as_tensor(np.asarray(observations.indices, dtype=int))]
        surrogate = fit_surrogate(
            evaluated,
            torch.as_tensor(-losses, dtype=torch.float32),
            inputs[torch.as_tensor(np.argsort(np.asarray(pool.ids), kind="stable"))],
            derive_seed(seed, "surrogate", len(losses)),
            self.heteroscedastic,
        )
        return _Fit(surrogate, inputs, mean, scale)

    def _bound(self, mean, aleatoric, epistemic):
        """Lower confidence bound of the loss (paper, Algorithm 1); arrays or tensors of one shape."""
        return mean - self.aleatoric_weight * aleatoric - self.epistemic_weight * epistemic

    def _uncertainty(self, fit: _Fit, rows: np.ndarray) -> np.ndarray:
        """What uncertainty sampling maximises; shape (rows,)."""
        _, aleatoric, epistemic = fit.parts(rows)
        return self.aleatoric_weight * aleatoric + self.epistemic_weight * epistemic

    def _descend(self, fit: _Fit, rows: np.ndarray, count: int, generator: np.random.Generator) -> list[int]:
        """GOBI: descend from random candidates, snap to the nearest open ones, keep the `count` of lowest bound."""
        if count == 0:
            return []
        drawn = torch.as_tensor(rows[: self.starts])
        ends = minimise_input(
            lambda points: self._bound(*fit.surrogate(points)),
            fit.inputs[drawn],
            fit.inputs.amin(dim=0),
            fit.inputs.amax(dim=0),
            torch.Generator().manual_seed(int(generator.integers(2**31))),
            self.second_order,
        )
        order = torch.cdist(ends, fit.inputs[torch.as_tensor(rows)]).argsort(dim=1, stable=True).numpy()
        width = 1
        while len(nearest := np.unique(order[:, :width])) < count:  # several ends may snap to one candidate
            width *= 2
        candidates = rows[nearest]
        return candidates[np.argsort(self._bound(*fit.parts(candidates)), kind="stable")[:count]].tolist()

    def _explained(self, fit: _Fit, chosen: dict[int, Reason]) -> list[Proposal]:
        """Proposals with predictions on the scale of the scores."""
        mean, aleatoric, epistemic = fit.parts(np.fromiter(chosen, dtype=int))
        bound = self._bound(mean, aleatoric, epistemic)
        return [
            Proposal(
                row,
                reason,
                mean=fit.mean - float(mean[position]) * fit.scale,
                aleatoric=float(aleatoric[position]) * fit.scale,
                epistemic=float(epistemic[position]) * fit.scale,
                acquisition=fit.mean - float(bound[position]) * fit.scale,
            )
            for position, (row, reason) in enumerate(chosen.items())
        ]
