"""Our BOSHNAS, the default search: the paper's structure with parts that learn from a few dozen models.

Bayesian Optimisation using Second-order gradients and a Heteroscedastic surrogate model for NAS (paper, Algorithm 1)
has three parts. Here they are

- the mean with its *aleatoric* noise: Gaussian processes with learned noise on two views of the models, the graph
  embedding and embedding and features side by side, and on warped scores whose noise is therefore wider where scores
  are bad (`gaussian_process`, `kernel`, `score_warp`), instead of a natural-parameter network;
- the *epistemic* uncertainty: their posterior variance over all plausible hyperparameters and both views, instead of a
  student that imitates a teacher's dropout;
- the *second-order search* of the acquisition: the exact maximum over the candidates that are enumerated, and
  quasi-Newton ascent in the embedding and local edits beyond them (`beyond_library`), instead of AdaHessian from
  cold starts.

What was tried, and what helped, stands in docs/search-evidence.md.
"""

from dataclasses import dataclass, replace

import numpy as np

from flexibert.runs import Reason
from flexibert.search.boshnas.acquisition import log_expected_improvement
from flexibert.search.boshnas.gaussian_process import GaussianProcess, Posterior
from flexibert.search.boshnas.kernel import Coordinates, views_of_pool
from flexibert.search.boshnas.score_warp import ScoreWarp
from flexibert.search.candidates import open_rows, proposal_generator
from flexibert.search.interface import Observations, Pool, Prediction, Proposal


@dataclass(frozen=True)
class View:
    """One way to see which candidates are alike, and a Gaussian process in it.

    Attributes:
        coordinates: All candidates of the pool as points.
        process: Fitted to the warped scores of the observed ones.
    """

    coordinates: Coordinates
    process: GaussianProcess

    def posteriors(self, rows: np.ndarray) -> list[Posterior]:
        """Predictions of each hypothesis for candidates."""
        return self.process.posteriors(self.coordinates.take(rows))

    def believing(self, rows: np.ndarray) -> "View":
        """The view after it has seen its own predictions for candidates."""
        return View(self.coordinates, self.process.believing(self.coordinates.take(rows)))


@dataclass(frozen=True)
class GaussianSurrogate:
    """What the observations say of the pool.

    Attributes:
        views: Equally probable views of the candidates.
        warp: The map between scores and warped scores.
        best: Best warped score, believed ones included.
    """

    views: list[View]
    warp: ScoreWarp
    best: float

    @classmethod
    def fit(cls, observations: Observations, pool: Pool) -> "GaussianSurrogate":
        """Learn from at least one observation; pending candidates count as giving what is predicted for them."""
        warp = ScoreWarp.learn(observations.scores)
        warped = warp.warp(observations.scores)
        views = [
            View(coordinates, GaussianProcess.fit(coordinates.take(observations.indices), warped))
            for coordinates in views_of_pool(pool)
        ]
        surrogate = cls(views, warp, float(warped.max()))
        return surrogate.believing(observations.pending) if len(observations.pending) else surrogate

    def believing(self, rows: np.ndarray) -> "GaussianSurrogate":
        """The surrogate while candidates are evaluated: sure of its own predictions for them."""
        rows = np.asarray(rows)
        believed, _, _ = mixture(self.posteriors(rows))
        views = [view.believing(rows) for view in self.views]
        return GaussianSurrogate(views, self.warp, max(self.best, float(believed.max())))

    def posteriors(self, rows: np.ndarray) -> list[Posterior]:
        """Predictions of each hypothesis of each view for candidates; the weights sum to one."""
        return [
            replace(posterior, weight=posterior.weight / len(self.views))
            for view in self.views
            for posterior in view.posteriors(rows)
        ]

    def acquisition(self, rows: np.ndarray) -> np.ndarray:
        """Logarithm of the expected improvement, on the warped scale; shape (rows,)."""
        return log_expected_improvement(self.posteriors(rows), self.best)

    def predict(self, rows: np.ndarray) -> Prediction:
        """Mean and both standard deviations on the scale of the scores; arrays of shape (rows,)."""
        mean, epistemic, aleatoric = mixture(self.posteriors(rows))
        return Prediction(
            mean=self.warp.score(mean),
            aleatoric=self.warp.spread(mean, np.sqrt(aleatoric)),
            epistemic=self.warp.spread(mean, np.sqrt(epistemic)),
        )


def mixture(posteriors: list[Posterior]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, epistemic and aleatoric variance over all hypotheses; where they disagree, that is epistemic too."""
    nothing = np.zeros(len(posteriors[0].mean))
    mean = sum((posterior.weight * posterior.mean for posterior in posteriors), nothing)
    epistemic = sum((p.weight * (p.epistemic + (p.mean - mean) ** 2) for p in posteriors), nothing)
    aleatoric = sum(posterior.weight * posterior.aleatoric for posterior in posteriors)
    return mean, epistemic, np.full(len(mean), aleatoric)


@dataclass(frozen=True)
class Boshnas:
    """Bayesian optimisation over the pool.

    Attributes:
        uncertainty: Share of proposals by largest uncertainty (the paper's alpha, 0.1 there).
        diversity: Share of proposals at random (the paper's beta, 0.1 there).
    """

    uncertainty: float = 0.0
    diversity: float = 0.0

    def propose(self, observations: Observations, pool: Pool, count: int, seed: int) -> list[Proposal]:
        """Choose `count` candidates one after the other, each believing the predictions for those before it."""
        generator = proposal_generator("boshnas", observations, seed)
        rows = open_rows(observations, pool, generator)
        if len(observations.indices) == 0:
            return [Proposal(int(row), Reason.INITIAL) for row in rows[:count]]
        surrogate = GaussianSurrogate.fit(observations, pool)
        proposals: list[Proposal] = []
        while len(proposals) < count and len(rows):
            if proposals:
                surrogate = surrogate.believing(np.array([proposals[-1].index]))
            proposals.append(self._choose(surrogate, rows, generator))
            rows = rows[pool.identity[rows] != pool.identity[proposals[-1].index]]
        return proposals

    def _choose(self, surrogate: GaussianSurrogate, rows: np.ndarray, generator: np.random.Generator) -> Proposal:
        """One proposal of a kind drawn with the paper's probabilities (Algorithm 1)."""
        draw = generator.random()
        if draw < self.diversity:
            reason, values = Reason.DIVERSITY, generator.random(len(rows))
        elif draw < self.diversity + self.uncertainty:
            _, epistemic, aleatoric = mixture(surrogate.posteriors(rows))
            reason, values = Reason.UNCERTAINTY, np.sqrt(epistemic) + np.sqrt(aleatoric)
        else:
            reason, values = Reason.OPTIMISATION, surrogate.acquisition(rows)
        position = int(np.argmax(values))
        prediction = surrogate.predict(rows[[position]])
        return Proposal(
            index=int(rows[position]),
            reason=reason,
            mean=float(prediction.mean[0]),
            aleatoric=float(prediction.aleatoric[0]),
            epistemic=float(prediction.epistemic[0]),
            acquisition=float(values[position]),
        )

    def predict(self, observations: Observations, pool: Pool, seed: int) -> Prediction | None:
        """Predictions for the whole pool from at least one observation, else None."""
        if len(observations.indices) == 0:
            return None
        return GaussianSurrogate.fit(observations, pool).predict(np.arange(len(pool)))
