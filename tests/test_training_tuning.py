"""Hyperparameter trials: ranges, replay after a resume, pruning."""

import math
from dataclasses import replace

import pytest
from training_inputs import FINETUNE

from flexibert.settings import FinetuneSettings
from flexibert.training.tuning import Trial, Tuner, best_of

SETTINGS = FinetuneSettings.from_mapping(
    FINETUNE | {"trials": 8, "learning_rate": [2e-5, 5e-4], "batch": [32, 64, 128], "prune": False}
)


def done(number: int, learning_rate: float = 1e-4, batch: int = 32, score: float | None = 50.0, **more) -> Trial:
    return Trial(number, learning_rate, batch, state="complete" if score is not None else "failed", score=score, **more)


def objective(trial: Trial) -> float:
    """Best at 1e-4 and 64."""
    return 80.0 - 10 * abs(math.log10(trial.learning_rate / 1e-4)) - (trial.batch != 64)


def tuned(trials: list[Trial], seed: int = 1, until: int = 8) -> list[Trial]:
    trials = list(trials)
    while len(trials) < until:
        trial = Tuner(SETTINGS, seed, trials).next()
        trial.state, trial.score = "complete", objective(trial)
        trials.append(trial)
    return trials


def test_a_single_trial_is_the_middle_of_the_ranges():
    trial = Tuner(replace(SETTINGS, trials=1), 0, []).next()
    assert trial.learning_rate == pytest.approx(1e-4)  # the geometric mean of 2e-5 and 5e-4
    assert trial.batch == 64


def test_trials_stay_in_the_ranges_and_differ():
    trials = tuned([])
    assert all(2e-5 <= trial.learning_rate <= 5e-4 and trial.batch in (32, 64, 128) for trial in trials)
    assert len({trial.learning_rate for trial in trials}) == 8
    assert [trial.number for trial in trials] == list(range(8))


@pytest.mark.parametrize("interrupted_after", [1, 5])
def test_a_resumed_tuning_proposes_the_same_trials(interrupted_after):
    unbroken = tuned([])
    assert tuned(tuned([], until=interrupted_after)) == unbroken


def test_another_seed_proposes_other_trials():
    assert tuned([], seed=2) != tuned([], seed=1)


def test_the_sampler_keeps_away_from_where_training_diverged():
    """High rates fail; after many failures hardly any trial is proposed there."""
    settings = replace(SETTINGS, trials=40, batch=(32,))
    trials: list[Trial] = []
    while len(trials) < 40:
        trial = Tuner(settings, 3, trials).next()
        good = trial.learning_rate < 1e-4
        trial.state, trial.score = ("complete", 50.0 + 1e5 * trial.learning_rate) if good else ("failed", None)
        trials.append(trial)
    assert sum(trial.state == "failed" for trial in trials[20:]) < sum(trial.state == "failed" for trial in trials[:20])


def test_a_trial_behind_the_median_is_hopeless_and_one_ahead_is_not():
    settings = replace(SETTINGS, prune=True)
    others = [done(number, score=60.0, scores=[50.0, 55.0, 60.0]) for number in range(5)]
    tuner = Tuner(settings, 0, others)
    assert tuner.hopeless(Trial(5, 1e-4, 32, scores=[20.0, 21.0]))
    assert not tuner.hopeless(Trial(5, 1e-4, 32, scores=[52.0, 57.0]))
    assert not tuner.hopeless(Trial(5, 1e-4, 32, scores=[20.0]))  # the first epoch decides nothing
    assert not Tuner(SETTINGS, 0, others).hopeless(Trial(5, 1e-4, 32, scores=[20.0, 21.0]))


def test_the_first_trials_are_never_pruned():
    settings = replace(SETTINGS, prune=True)
    others = [done(number, score=60.0, scores=[50.0, 55.0, 60.0]) for number in range(3)]
    assert not Tuner(settings, 0, others).hopeless(Trial(3, 1e-4, 32, scores=[20.0, 21.0]))


def test_the_best_trial_is_the_first_of_the_highest_score():
    trials = [done(0, score=50.0), done(1, score=70.0), done(2, score=None), done(3, score=70.0)]
    assert best_of(trials).number == 1
    assert best_of([done(0, score=None)]) is None
