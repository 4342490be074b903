"""One training job as a value: made by a rule's script, handed through torchrun, and named by its content."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flexibert.files import file_digest
from flexibert.runs import Run
from flexibert.settings import FinetuneSettings, JobsSettings, ModelSettings, PretrainSettings, Section
from flexibert.training.state import StateKeeper, identity_of


@dataclass(frozen=True)
class Job(Section):
    """What pre-training, transfer and fine-tuning share.

    Attributes:
        seed: Everything random in the job follows from it.
        resume: Folder of the training state; removed when the results are written.
        out: Folder that receives the results.
        jobs: How the work is done; no part of the job's identity.
    """

    seed: int
    resume: Path
    out: Path
    jobs: JobsSettings

    section = "job"

    def keeper(self, identity: str) -> StateKeeper:
        """Keeps the job's states; raises UsageError where the resume folder cannot be written."""
        return StateKeeper(self.resume, identity, self.jobs.save_every_steps, self.jobs.save_every_minutes)


@dataclass(frozen=True)
class PretrainJob(Job):
    """Masked-language modelling of one run, from scratch or from a neighbour's weights.

    Attributes:
        run: What is trained; repeated in the card.
        manifest: corpus/manifest.json.
        tokenizer: tokenizer.json with its facts beside it.
        settings: How it is trained.
        model: What the design space leaves open.
    """

    run: Run
    manifest: Path
    tokenizer: Path
    settings: PretrainSettings
    model: ModelSettings

    def identity(self, revision: int, **further: Any) -> str:
        """Name of all that decides the result; `further` is what a transfer adds."""
        return identity_of(
            run=self.run.to_mapping(),
            settings=self.settings.to_mapping(),
            model=self.model.to_mapping(),
            seed=self.seed,
            revision=revision,
            manifest=file_digest(self.manifest),
            tokenizer=file_digest(self.tokenizer),
            **further,
        )


@dataclass(frozen=True)
class FinetuneJob(Job):
    """Tuning and fine-tuning of one run on one task.

    Attributes:
        run_dir: Folder of the run: card.json, config.json, model.safetensors.
        task_dir: Folder of the task: task.json, train.npz, validation.npz, and test.npz if that is asked for.
        settings: How it is tuned and trained.
        test: Whether the best trial is also scored, once, on the rows kept away.
    """

    run_dir: Path
    task_dir: Path
    settings: FinetuneSettings
    test: bool = False
