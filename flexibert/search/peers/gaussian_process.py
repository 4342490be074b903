"""Bayesian optimisation with a Gaussian process on the embedding and the logarithm of the expected improvement.

Model and acquisition are BoTorch's: SingleTaskGP with its default priors (Hvarfner, Hellsten, Nardi, ICML 2024) and
LogExpectedImprovement (Ament et al., NeurIPS 2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flexibert.runs import Reason
from flexibert.search.candidates import known_networks, open_rows, proposal_generator, standardised
from flexibert.search.interface import Observations, Pool, Prediction, Proposal

if TYPE_CHECKING:
    import torch
    from botorch.models import SingleTaskGP
    from botorch.models.gpytorch import BatchedMultiOutputGPyTorchModel

# SciPy's own tolerance asks for hundreds of steps that change the likelihood in its sixth digit.
FIT_OPTIONS = {"ftol": 1e-5}


@dataclass(frozen=True)
class _Fit:
    """A fitted process, its inputs for the whole pool, shape (candidates, dimensions), and the scale of its scores."""

    model: SingleTaskGP
    inputs: torch.Tensor
    best: float
    mean: float
    scale: float


@dataclass(frozen=True)
class GaussianProcess:
    """Expected improvement over the best score, maximised over all open candidates.

    Attributes:
        isometric: One scale for all dimensions, so that the embedding keeps its distances; otherwise each dimension
            is stretched to the unit interval, as BoTorch does by habit.
    """

    isometric: bool = True

    def propose(self, observations: Observations, pool: Pool, count: int, seed: int) -> list[Proposal]:
        """Choose `count` candidates one after the other; a pending or chosen one counts as giving its predicted score.

        While fewer than two different scores are known there is nothing to fit, and the choice is random.
        """
        rows = open_rows(observations, pool, proposal_generator("gp", observations, seed))
        if not known_networks(observations, pool).tell_apart:
            return [Proposal(int(row), Reason.INITIAL) for row in rows[:count]]
        fit = self._fit(observations, pool, seed)
        model: BatchedMultiOutputGPyTorchModel = fit.model
        for row in observations.pending:
            model = _believe(model, fit.inputs[[int(row)]])
        proposals: list[Proposal] = []
        while len(proposals) < count and len(rows):
            value = _log_expected_improvement(model, fit.inputs[rows], fit.best)
            row = int(rows[np.argmax(value)])
            prediction = _prediction(model, fit, fit.inputs[[row]])
            means = (float(prediction.mean[0]), float(prediction.aleatoric[0]), float(prediction.epistemic[0]))
            proposals.append(Proposal(row, Reason.OPTIMISATION, *means, acquisition=float(value.max())))
            if len(proposals) < count:
                model = _believe(model, fit.inputs[[row]])
            rows = rows[rows != row]
        return proposals

    def predict(self, observations: Observations, pool: Pool, seed: int) -> Prediction | None:
        """Posterior mean, learned noise and posterior standard deviation; None while there is nothing to fit."""
        if not known_networks(observations, pool).tell_apart:
            return None
        fit = self._fit(observations, pool, seed)
        return _prediction(fit.model, fit, fit.inputs)

    def _fit(self, observations: Observations, pool: Pool, seed: int) -> _Fit:
        """Maximise the marginal likelihood on all evaluated networks, in double precision."""
        import torch
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from gpytorch.mlls import ExactMarginalLogLikelihood

        known = known_networks(observations, pool)
        targets, mean, scale = standardised(known.scores)
        low, high = pool.embedding.min(axis=0), pool.embedding.max(axis=0)
        spread = (high - low).max() if self.isometric else np.where(high > low, high - low, 1.0)
        inputs = torch.as_tensor((pool.embedding - low) / spread, dtype=torch.double)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # a fit that fails is tried again from random values
            model = SingleTaskGP(
                inputs[known.rows], torch.as_tensor(targets, dtype=torch.double)[:, None], outcome_transform=None
            )
            fit_gpytorch_mll(
                ExactMarginalLogLikelihood(model.likelihood, model), optimizer_kwargs={"options": FIT_OPTIONS}
            )
        return _Fit(model, inputs, float(targets.max()), mean, scale)


def _log_expected_improvement(model: BatchedMultiOutputGPyTorchModel, inputs: torch.Tensor, best: float) -> np.ndarray:
    """Acquisition at each input; shape (inputs,)."""
    import torch
    from botorch.acquisition import LogExpectedImprovement

    with torch.no_grad():
        return LogExpectedImprovement(model, best_f=best)(inputs[:, None, :]).numpy()


def _believe(model: BatchedMultiOutputGPyTorchModel, inputs: torch.Tensor) -> BatchedMultiOutputGPyTorchModel:
    """Condition on the predicted mean at `inputs`, the "Kriging believer" of Ginsbourger et al. (2010)."""
    import torch

    with torch.no_grad():
        return model.condition_on_observations(inputs, model.posterior(inputs).mean)


def _prediction(model: BatchedMultiOutputGPyTorchModel, fit: _Fit, inputs: torch.Tensor) -> Prediction:
    """Posterior on the scale of the scores, without keeping the covariance between candidates."""
    import torch

    with torch.no_grad():
        posterior = model.posterior(inputs[:, None, :])
        noise = float(model.likelihood.noise.sqrt().mean())
    mean = posterior.mean.reshape(-1).numpy() * fit.scale + fit.mean
    return Prediction(
        mean, np.full(len(mean), noise * fit.scale), posterior.variance.sqrt().reshape(-1).numpy() * fit.scale
    )
