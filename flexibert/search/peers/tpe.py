"""Tree-structured Parzen estimator over the choices that make up a candidate, by Optuna.

Bergstra, Bardenet, Bengio, Kegl, "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flexibert.runs import Reason
from flexibert.search.candidates import filled_scores, open_rows, proposal_generator
from flexibert.search.interface import Observations, Pool, Prediction, Proposal

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


@dataclass(frozen=True)
class Choices:
    """Candidates as choices: what a table's one-hot and numeric columns were before they were encoded.

    Attributes:
        codes: Number of the category, or rank of the numeric value; shape (candidates, choices).
        categorical: Whether a choice has no order; shape (choices,).
        levels: Number of values of each choice; shape (choices,).
    """

    codes: np.ndarray
    categorical: np.ndarray
    levels: np.ndarray


def choices_of(pool: Pool) -> Choices:
    """Each property that the feature columns encode as one choice; those with a single value are left out.

    A property with a quantity is ordered by it. One that has categories only is categorical, and each combination of
    its columns is a category: mixed heads, or a layer that a model does not have, are categories of their own.
    """
    width = pool.features.shape[1]
    groups = np.arange(width) if pool.groups is None else pool.groups
    levels = np.full(width, -1) if pool.levels is None else pool.levels
    codes, categorical = [], []
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        quantities = own[levels[own] < 0]
        values = pool.features[:, quantities[0] if len(quantities) else own]
        code = np.unique(values, axis=0, return_inverse=True)[1].reshape(-1)
        if code.max(initial=0) > 0:
            codes.append(code)
            categorical.append(len(quantities) == 0)
    table = np.stack(codes, axis=1) if codes else np.zeros((len(pool), 0), dtype=int)
    return Choices(table, np.array(categorical, dtype=bool), table.max(axis=0, initial=0) + 1)


@dataclass(frozen=True)
class Tpe:
    """Optuna's sampler asks for a combination of choices, and the nearest open candidate is proposed.

    The study is rebuilt from the observations each time, with the choices of the candidates that were evaluated.
    """

    def propose(self, observations: Observations, pool: Pool, count: int, seed: int) -> list[Proposal]:
        """Ask `count` times, with pending and just proposed candidates as running trials; at random at first."""
        generator = proposal_generator("tpe", observations, seed)
        rows = open_rows(observations, pool, generator)
        choices = choices_of(pool)
        if len(observations.indices) == 0 or len(choices.levels) == 0:
            return [Proposal(int(row), Reason.INITIAL) for row in rows[:count]]
        asked = _Study(choices, int(generator.integers(2**31)))
        for row, score in zip(observations.indices, filled_scores(observations), strict=True):
            asked.add(int(row), float(score))
        for row in observations.pending:
            asked.add(int(row), None)
        proposals: list[Proposal] = []
        while len(proposals) < count and len(rows):
            row = int(rows[np.argmin(asked.apart(asked.ask(), rows))])
            asked.add(row, None)
            proposals.append(Proposal(row, Reason.BASELINE))
            rows = rows[rows != row]
        return proposals

    def predict(self, observations: Observations, pool: Pool, seed: int) -> Prediction | None:
        """Return None: the estimator models densities of good and bad choices, not scores."""
        return None


class _Study:
    """An Optuna study in memory whose trials are candidates of the pool."""

    def __init__(self, choices: Choices, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._choices = choices
        self._study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        self._distributions: dict[str, BaseDistribution] = {}
        for position, (levels, categorical) in enumerate(zip(choices.levels, choices.categorical, strict=True)):
            self._distributions[f"choice{position}"] = (
                optuna.distributions.CategoricalDistribution(list(range(levels)))
                if categorical
                else optuna.distributions.IntDistribution(0, int(levels) - 1)
            )

    def add(self, row: int, score: float | None) -> None:
        """Record a candidate with its score, or as running where it has none yet."""
        import optuna

        params = dict(zip(self._distributions, self._choices.codes[row].tolist(), strict=True))
        state = optuna.trial.TrialState.RUNNING if score is None else optuna.trial.TrialState.COMPLETE
        trial = optuna.trial.create_trial(state=state, params=params, distributions=self._distributions, value=score)
        self._study.add_trial(trial)

    def ask(self) -> np.ndarray:
        """A promising combination of choices, which need not exist; shape (choices,)."""
        import optuna

        trial = self._study.ask(self._distributions)
        codes = np.array([trial.params[name] for name in self._distributions])
        self._study.tell(trial, state=optuna.trial.TrialState.FAIL)  # what is evaluated is the nearest candidate
        return codes

    def apart(self, codes: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Differing categories plus differences of ranks as shares of their range; shape (rows,)."""
        own = self._choices.codes[rows]
        ranked = np.abs(own - codes) / (self._choices.levels - 1)
        return np.where(self._choices.categorical, own != codes, ranked).sum(axis=1)
