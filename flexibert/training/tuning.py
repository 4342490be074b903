"""Which hyperparameters to try next for one model and task: Optuna's TPE (Watanabe, 2023), trial by trial."""

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from flexibert.seeds import derive_seed
from flexibert.settings import FinetuneSettings

if TYPE_CHECKING:
    import optuna

FAILED_POINTS = -100.0  # no metric is lower; tells the sampler to keep away from where training diverges
UNPRUNED_TRIALS, FIRST_PRUNED_EPOCH = 4, 2  # earlier ones are never pruned: too soon to call any hopeless


@dataclass
class Trial:
    """One setting of the hyperparameters and how it went.

    Attributes:
        number: From 0.
        learning_rate: Peak rate.
        batch: Sequences an optimiser step.
        state: "running", "complete", "pruned" or "failed" (diverged).
        score: Best validation score in points; None where there is none.
        epochs: Epochs done.
        epoch: Epoch of the best score, from 1; None where there is none.
        metrics: Points by metric at the best epoch.
        scores: Validation score after each epoch.
        reason: Why it failed.
        tokens, seconds, joules: What it took.
    """

    number: int
    learning_rate: float
    batch: int
    state: str = "running"
    score: float | None = None
    epochs: int = 0
    epoch: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    scores: list[float] = field(default_factory=list)
    reason: str | None = None
    tokens: int = 0
    seconds: float = 0.0
    joules: float | None = None


class Tuner:
    """Proposes trials; all it knows is the trials done, so that a resumed tuning proposes what the unbroken one would.

    Args:
        settings: trials, learning_rate (range), batch (choices), prune of the section `finetune`.
        seed: Of this model and task.
        trials: The trials done, in order.
    """

    def __init__(self, settings: FinetuneSettings, seed: int, trials: list[Trial]) -> None:
        self.settings, self.seed, self.trials = settings, seed, trials

    def next(self) -> Trial:
        """The trial after those done; a single trial is the middle of the ranges (geometric for the rate)."""
        low, high = self.settings.learning_rate
        choices = sorted(self.settings.batch)
        number = len(self.trials)
        if self.settings.trials == 1:
            return Trial(number, math.sqrt(low * high), choices[len(choices) // 2])
        asked = self._study(number).ask(self._distributions())
        return Trial(number, asked.params["learning_rate"], asked.params["batch"])

    def hopeless(self, trial: Trial) -> bool:
        """Whether a running trial is worse, after its latest epoch, than the median of the others at that epoch."""
        if not self.settings.prune or self.settings.trials == 1:
            return False
        import optuna

        study = self._study(trial.number)
        running = study.ask(self._distributions())
        for epoch, score in enumerate(trial.scores, 1):
            running.report(score, epoch)
        return optuna.pruners.MedianPruner(UNPRUNED_TRIALS, FIRST_PRUNED_EPOCH).prune(
            study, study.trials[running.number]
        )

    def _distributions(self) -> dict[str, "optuna.distributions.BaseDistribution"]:
        from optuna.distributions import CategoricalDistribution, FloatDistribution

        low, high = self.settings.learning_rate
        return {
            "learning_rate": FloatDistribution(low, high, log=True),
            "batch": CategoricalDistribution(sorted(self.settings.batch)),
        }

    def _study(self, number: int) -> "optuna.Study":
        """A study that has seen the trials done, with a sampler seeded for trial `number` alone."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=derive_seed(self.seed, "trial", number))
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for trial in self.trials[:number]:
            study.add_trial(
                optuna.trial.create_trial(
                    state=getattr(optuna.trial.TrialState, "PRUNED" if trial.state == "pruned" else "COMPLETE"),
                    value={"complete": trial.score, "failed": FAILED_POINTS}.get(trial.state),
                    params={"learning_rate": trial.learning_rate, "batch": trial.batch},
                    distributions=self._distributions(),
                    intermediate_values=dict(enumerate(trial.scores, 1)),
                )
            )
        return study


def best_of(trials: list[Trial]) -> Trial | None:
    """The trial of the best score, the first of equals; None where all failed."""
    scored = [trial for trial in trials if trial.score is not None]
    return max(scored, key=lambda trial: (trial.score, -trial.number), default=None)


def as_rows(trials: list[Trial]) -> list[dict[str, Any]]:
    """Trials as JSON can hold them."""
    return [asdict(trial) for trial in trials]
