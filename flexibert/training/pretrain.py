"""Pre-training: masked-language modelling of one architecture on the token shards."""

import logging
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from flexibert.data.shards import TokenShards
from flexibert.data.tokenizer import tokenizer_facts
from flexibert.encoder.checkpoint import save_model
from flexibert.encoder.loss import IGNORED
from flexibert.encoder.network import MaskedLanguageModel
from flexibert.encoder.settings import EncoderSettings
from flexibert.files import write_json, write_text
from flexibert.log import Progress
from flexibert.runs import Status
from flexibert.seeds import derive_seed
from flexibert.settings import PretrainSettings
from flexibert.stages import REVISION
from flexibert.training.hardware import Hardware, process_group
from flexibert.training.job import PretrainJob
from flexibert.training.loop import DivergenceError, MicroBatch, Row, Training
from flexibert.training.masking import Masker
from flexibert.training.optimiser import OptimiserSettings
from flexibert.training.processes import needs_launch, run_processes
from flexibert.training.results import whole_results
from flexibert.training.state import StateKeeper

logger = logging.getLogger(__name__)

# A lost pre-training is worth an early end. A fine-tuning has no such bound: it is short, small batches can make its
# loss rise for a while, and its score says how it went.
BLOW_UP = 1.5  # times the first loss

HELD_OUT_SEED = 0  # every model is measured on the same held-out sequences with the same masks
CURVE_COLUMNS = ("step", "tokens", "learning_rate", "train_loss", "validation_loss")


def pretrain(job: PretrainJob) -> None:
    """Train one architecture from scratch and write its results.

    A training that diverges is a result: the card says "failed" and why. The folder `job.out` receives config.json,
    model.safetensors, card.json, curve.csv and cost.json.

    Args:
        job: Initial weights, batches, masks and dropout follow from its seed.

    Raises:
        ConfigError: A device that is not there.
        UsageError: The results cannot be written.
        SupersededError: Another process has taken over this job.
    """
    if needs_launch(job.settings.devices):
        run_processes("flexibert.training.pretrain:pretrain", job)
        return
    train_and_write(job, new_network(job), job.identity(REVISION["pretrain"]))


def new_network(job: PretrainJob) -> MaskedLanguageModel:
    """A job's model, freshly drawn for its tokenizer's vocabulary."""
    torch.manual_seed(derive_seed(job.seed, "weights"))
    facts = tokenizer_facts(job.tokenizer)
    settings = EncoderSettings.from_model_dict(
        job.run.architecture, vocab_size=facts.vocabulary, pad_token_id=facts.pad, **job.model.to_mapping()
    )
    return MaskedLanguageModel(settings)


class Text:
    """Masked batches of the corpus, each a function of its step.

    Args:
        manifest, tokenizer: As of `PretrainJob`.
        settings: Its batch, micro_batch, length, mask_rate and evaluate_sequences count.
    """

    def __init__(self, manifest: str | Path, tokenizer: str | Path, settings: PretrainSettings) -> None:
        facts = tokenizer_facts(tokenizer)
        self.batch, self.micro_batch = settings.batch, settings.micro_batch
        self.masker = Masker(settings.mask_rate, facts.vocabulary, facts.mask, facts.special)
        self.train = TokenShards(manifest, "train", settings.length)
        self.held_out = TokenShards(manifest, "validation", settings.length)
        sequences = min(settings.evaluate_sequences, len(self.held_out))
        self.held_out_batches = math.ceil(sequences / self.micro_batch)

    def micro_batches(self, step: int, seed: int) -> list[MicroBatch]:
        """The micro-batches of optimiser step `step` (from 1); a token weighs the same in whichever it stands."""
        tokens = self.train.batch(step - 1, self.batch, seed)
        inputs, labels = self.masker(tokens, derive_seed(seed, "mask", step))
        predicted = max(1, int(np.sum(labels != IGNORED)))
        pieces = [slice(first, first + self.micro_batch) for first in range(0, self.batch, self.micro_batch)]
        return [
            MicroBatch(
                {"input_ids": torch.from_numpy(inputs[piece]), "labels": torch.from_numpy(labels[piece])},
                share=float(np.sum(labels[piece] != IGNORED)) / predicted,
                tokens=inputs[piece].size,
            )
            for piece in pieces
        ]

    def held_out_micro_batches(self) -> Iterator[tuple[dict[str, Tensor], int]]:
        """Inputs and number of predicted tokens of each held-out batch; always the same."""
        for number in range(self.held_out_batches):
            tokens = self.held_out.batch(number, self.micro_batch, HELD_OUT_SEED)
            inputs, labels = self.masker(tokens, derive_seed(HELD_OUT_SEED, "held-out", number))
            predicted = int(np.sum(labels != IGNORED))
            yield {"input_ids": torch.from_numpy(inputs), "labels": torch.from_numpy(labels)}, predicted


def train_and_write(job: PretrainJob, network: MaskedLanguageModel, identity: str) -> None:
    """Train `network` in place as the job says, from its newest state on, and write the run's results."""
    settings, hardware = job.settings, Hardware.from_settings(job.jobs, job.settings.precision)
    text = Text(job.manifest, job.tokenizer, settings)
    with process_group(hardware):
        keeper = job.keeper(identity) if hardware.leads else None
        progress = None
        if hardware.leads:
            progress = Progress(f"pretrain {job.run.name.model}", settings.steps, job.resume / "progress.json")
        network.to(hardware.device)
        training = Training(
            network,
            OptimiserSettings.of_section(settings, settings.steps, settings.warmup_steps, settings.learning_rate),
            lambda step: text.micro_batches(step, job.seed),
            lambda: {"validation_loss": held_out_loss(network, text, hardware)},
            settings.evaluate_every,
            hardware,
            job.seed,
            keeper,
            progress,
            blow_up=BLOW_UP,
        )
        reason = None
        try:
            training.run()
            if not training.history.rows:  # no step was asked for
                training.history.rows.append(training.measure())
        except DivergenceError as divergence:
            reason = f"diverged: {divergence}"
            logger.warning("%s %s", job.run.name, reason)
        if progress is not None:
            progress.close()
        if keeper is not None:
            _write(job, network, training, reason, keeper)


def held_out_loss(network: nn.Module, text: Text, hardware: Hardware) -> float:
    """Mean loss over the predicted tokens of the held-out sequences, in nats.

    Raises:
        DivergenceError: It is not finite.
    """
    total = torch.zeros((), device=hardware.device)
    tokens = 0
    for inputs, predicted in text.held_out_micro_batches():
        with hardware.autocast():
            loss = network(**{name: value.to(hardware.device) for name, value in inputs.items()}).loss
        total += loss.float() * predicted
        tokens += predicted
    mean = total.item() / max(1, tokens)
    if not math.isfinite(mean):
        raise DivergenceError(f"the loss on held-out text became {mean}")
    return mean


def _write(
    job: PretrainJob, network: MaskedLanguageModel, training: Training, reason: str | None, keeper: StateKeeper
) -> None:
    history, last = training.history, (training.history.rows or [{}])[-1]
    card = job.run.to_mapping() | {
        "status": Status.OK if reason is None else Status.FAILED,
        "reason": reason,
        "steps": history.step,
        "tokens": history.tokens,
        "train_loss": last.get("train_loss"),
        "validation_loss": last.get("validation_loss"),
        "parameters": sum(value.numel() for value in network.parameters()),
    }
    training.drop_infinite_weights()
    with whole_results(job.out, keeper) as folder:
        save_model(folder, network)
        write_json(folder / "card.json", card)
        write_json(folder / "cost.json", training.meter.card(history.tokens))
        write_text(folder / "curve.csv", curve(history.rows))


def curve(rows: list[Row]) -> str:
    """Rows of a training's history as CSV."""
    lines = [",".join(CURVE_COLUMNS)]
    lines += [",".join("" if row[c] is None else f"{row[c]:.9g}" for c in CURVE_COLUMNS) for row in rows]
    return "\n".join(lines) + "\n"
