"""Fine-tuning: one run on one labelled task, its hyperparameters tuned, stopped early on the task's own score."""

import logging
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from flexibert.data.tasks import TaskData
from flexibert.encoder.checkpoint import load_model, save_model
from flexibert.encoder.network import SequenceClassifier
from flexibert.errors import TaskError
from flexibert.files import file_digest, read_json, write_json, write_text
from flexibert.log import Progress
from flexibert.runs import Status
from flexibert.seeds import derive_seed
from flexibert.stages import REVISION
from flexibert.training.answers import answers_of, scored, summary, write_answers
from flexibert.training.hardware import CostMeter, Hardware
from flexibert.training.job import FinetuneJob
from flexibert.training.labelled import Epochs
from flexibert.training.loop import DivergenceError, Row, Training
from flexibert.training.metrics import Answers
from flexibert.training.optimiser import OptimiserSettings
from flexibert.training.results import whole_results
from flexibert.training.state import identity_of
from flexibert.training.tuning import Trial, Tuner, as_rows, best_of

logger = logging.getLogger(__name__)

TRIAL_COLUMNS = ("number", "state", "score", "learning_rate", "batch", "epochs")
RUN_FILES = ("card.json", "config.json", "model.safetensors")
TASK_FILES = ("task.json", "train.npz", "validation.npz")
TEST_FILE, ANSWERS_FILE = "test.npz", "answers.npz"


def finetune(job: FinetuneJob) -> None:
    """Tune and fine-tune a classifier from a run's weights; keep the best validation score.

    A run that has failed, or whose every trial diverges, has the status "failed" and no score. The folder `job.out`
    receives best.json, trials.csv, cost.json, with `keep_weights` model/, and with `job.test` answers.npz: the best
    trial's answers to the rows kept away, on which it is scored once, when all trials are done.

    Args:
        job: The classifier's initial weights, order, dropout and trials follow from its seed.

    Raises:
        ModelError: The run's weights cannot be read.
        TaskError: The task asks for an unknown metric, or keeps no rows away that `job.test` could score.
        ConfigError, UsageError, SupersededError: As of `pretrain`.
    """
    Tuning(job).run()


class Tuning:
    """All trials of one run on one task, one after the other."""

    def __init__(self, job: FinetuneJob) -> None:
        self.job, self.settings, self.seed, self.resume = job, job.settings, job.seed, job.resume
        task_files = [*TASK_FILES, TEST_FILE] if job.test else TASK_FILES
        if job.test and not (job.task_dir / TEST_FILE).is_file():
            raise TaskError(f"{job.task_dir / TEST_FILE}: no such file; set tasks.test_share above 0 to keep rows away")
        paths = [job.run_dir / name for name in RUN_FILES] + [job.task_dir / name for name in task_files]
        self.identity = identity_of(
            inputs=[file_digest(path) for path in paths],
            settings=job.settings.to_mapping(),
            seed=job.seed,
            revision=REVISION["finetune"],
        )
        self.card = read_json(job.run_dir / "card.json")
        self.task = read_json(job.task_dir / "task.json")
        self.hardware = Hardware.from_settings(job.jobs, job.settings.precision)
        self.keeper = job.keeper(self.identity)
        self.train, self.validation = (TaskData.load(job.task_dir, split) for split in ("train", "validation"))
        self.trials = self._done()

    @property
    def name(self) -> str:
        """What is fine-tuned on what, for people."""
        return f"{self.card['model']} {self.task['task']}"

    def run(self) -> None:
        """Do the trials that are left and write the results."""
        while self.card["status"] == Status.OK and len(self.trials) < self.settings.trials:
            trial = Tuner(self.settings, self.seed, self.trials).next()
            self._train(trial)
            self.trials.append(trial)
            with suppress(OSError):  # on a full disk the trial is repeated after a resume
                write_json(self._record, {"identity": self.identity, "trials": as_rows(self.trials)})
        best = best_of(self.trials)
        answers = self._answers(best) if best is not None and self.job.test else None
        best = best_of(self.trials)
        # Of an earlier job: no rule's outputs, so nobody else removes them.
        shutil.rmtree(self.job.out / "model", ignore_errors=True)
        (self.job.out / ANSWERS_FILE).unlink(missing_ok=True)
        with whole_results(self.job.out, self.keeper) as folder:
            write_json(folder / "best.json", self._result(best, answers))
            if answers is not None:
                write_answers(folder / ANSWERS_FILE, answers, self.task["metrics"])
            write_text(folder / "trials.csv", trials_table(self.trials))
            write_json(folder / "cost.json", self._meter().card(sum(trial.tokens for trial in self.trials)))
            if self.settings.keep_weights and best is not None:
                shutil.copytree(self._weights(best), folder / "model")

    def _answers(self, best: Trial) -> Answers | None:
        """The best trial's answers to the rows kept away; a model that gives no finite ones has failed after all."""
        network = load_model(self._weights(best), head="classification").to(self.hardware.device).eval()
        try:
            with torch.inference_mode():
                return answers_of(network, TaskData.load(self.job.task_dir, "test"), self.hardware)
        except DivergenceError as divergence:
            for trial in self.trials:
                trial.score = None
            best.state, best.reason = "failed", f"diverged on the rows kept away: {divergence}"
            return None

    @property
    def _keeps_weights(self) -> bool:
        """Whether the best trial's weights are needed when all trials are done."""
        return self.settings.keep_weights or self.job.test

    @property
    def _record(self) -> Path:
        """File of the trials done."""
        return self.resume / "trials.json"

    def _weights(self, trial: Trial) -> Path:
        """Folder of a trial's best weights, while it is the best trial."""
        return self.resume / f"weights-{trial.number}"

    def _done(self) -> list[Trial]:
        """Trials done before this process started."""
        try:
            record = read_json(self._record)
        except (OSError, ValueError):
            return []
        if record["identity"] != self.identity:
            return []
        trials = [Trial(**row) for row in record["trials"]]
        best = best_of(trials)
        if self._keeps_weights and best is not None and not self._weights(best).is_dir():
            return []
        return trials

    def _meter(self) -> CostMeter:
        joules = [trial.joules for trial in self.trials if trial.joules is not None]
        return CostMeter(self.hardware, sum(trial.seconds for trial in self.trials), sum(joules) if joules else None)

    def _train(self, trial: Trial) -> None:
        """Fine-tune with a trial's hyperparameters and fill in how it went."""
        seed = derive_seed(self.seed, "trial", trial.number)
        self.keeper.identity = identity_of(tuning=self.identity, trial=trial.number)
        epochs = Epochs(self.train, trial.batch, self.settings.micro_batch, seed)
        steps = self.settings.epochs * epochs.steps
        warmup = round(self.settings.warmup * steps)
        network = self._classifier(seed)
        label = f"finetune {self.name}" + (f" trial {trial.number}" if self.settings.trials > 1 else "")
        progress = Progress(label, steps, self.resume / "progress.json")
        training = Training(
            network,
            OptimiserSettings.of_section(self.settings, steps, warmup, trial.learning_rate),
            epochs.micro_batches,
            lambda: score(network, self.validation, self.task["metrics"], self.hardware),
            epochs.steps,
            self.hardware,
            seed,
            self.keeper,
            progress,
            score="score",
            stop=lambda rows: self._stop(trial, rows),
        )
        try:
            training.run()
            trial.state = "pruned" if trial.state == "pruned" else "complete"
        except DivergenceError as divergence:
            trial.state, trial.reason = "failed", f"diverged: {divergence}"
            logger.warning("%s: %s", label, trial.reason)
        progress.close()
        self._fill_in(trial, training, network)

    def _classifier(self, seed: int) -> SequenceClassifier:
        """The run's encoder under a fresh classifier, whose regression starts at the mean of the training labels."""
        torch.manual_seed(derive_seed(seed, "classifier"))
        network = load_model(self.job.run_dir, head="classification", labels=self.task["outputs"])
        if self.task["outputs"] == 1:
            with torch.no_grad():
                network.classification.classifier.bias.fill_(float(self.train.labels.mean()))
        return network.to(self.hardware.device)

    def _stop(self, trial: Trial, rows: list[Row]) -> bool:
        """Whether to stop after the latest epoch: no better score for `patience` epochs, or a hopeless trial."""
        trial.scores = [row["score"] for row in rows]
        if len(rows) - 1 - int(np.argmax(trial.scores)) >= self.settings.patience:
            return True
        if Tuner(self.settings, self.seed, self.trials).hopeless(trial):
            trial.state = "pruned"
            return True
        return False

    def _fill_in(self, trial: Trial, training: Training, network: SequenceClassifier) -> None:
        history = training.history
        trial.scores = [row["score"] for row in history.rows]
        trial.epochs, trial.tokens = len(history.rows), history.tokens
        trial.seconds, trial.joules = training.meter.seconds(), training.meter.joules()
        if trial.state == "failed" or history.best_row is None:
            return
        row = history.rows[history.best_row]
        trial.score, trial.epoch = row["score"], history.best_row + 1
        trial.metrics = {name: row[name] for name in self.task["metrics"]}
        if self._keeps_weights and best_of([*self.trials, trial]) is trial:
            training.use_best()
            save_model(self._weights(trial), network, self.task["labels"])
            for before in self.trials:
                shutil.rmtree(self._weights(before), ignore_errors=True)

    def _result(self, best: Trial | None, answers: Answers | None) -> dict[str, Any]:
        """Content of best.json."""
        reason = None
        if best is None:
            failed = [trial for trial in self.trials if trial.reason]
            reason = self.card["reason"] or "; ".join(f"trial {trial.number} {trial.reason}" for trial in failed)
        kept = ("epochs", "warmup", "weight_decay")
        return {
            "model": self.card["model"],
            "recipe": self.card["recipe"],
            "task": self.task["task"],
            "status": Status.FAILED if best is None else Status.OK,
            "reason": reason,
            "score": None if best is None else best.score,
            "metrics": {} if best is None else best.metrics,
            "test": None if answers is None else summary(answers, self.task["metrics"]),
            "epoch": None if best is None else best.epoch,
            "trial": None if best is None else best.number,
            "hyperparameters": {}
            if best is None
            else {
                "learning_rate": best.learning_rate,
                "batch": best.batch,
                **{name: getattr(self.settings, name) for name in kept},
            },
        }


def score(network: SequenceClassifier, data: TaskData, metrics: Sequence[str], hardware: Hardware) -> dict[str, float]:
    """Each metric of the present weights on `data`, and their mean as "score", in points.

    Raises:
        DivergenceError: An output is not finite.
        TaskError: A metric is unknown.
    """
    return scored(answers_of(network, data, hardware), metrics)


def trials_table(trials: list[Trial]) -> str:
    """Trials as CSV, one a row."""
    lines = [",".join(TRIAL_COLUMNS)]
    for row in as_rows(trials):
        cells = [row[column] for column in TRIAL_COLUMNS]
        lines.append(
            ",".join("" if cell is None else f"{cell:.9g}" if isinstance(cell, float) else str(cell) for cell in cells)
        )
    return "\n".join(lines) + "\n"
