"""Pre-training: masked-language modelling of one architecture on the token shards."""

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from flexibert.data.shards import TokenShards
from flexibert.data.tokenizer import tokenizer_facts
from flexibert.encoder.checkpoint import save_model
from flexibert.encoder.loss import IGNORED
from flexibert.encoder.network import MaskedLanguageModel
from flexibert.encoder.settings import EncoderSettings
from flexibert.files import file_digest, write_json, write_text
from flexibert.log import Progress
from flexibert.seeds import derive_seed
from flexibert.stages import REVISION
from flexibert.training.hardware import Hardware, process_group
from flexibert.training.loop import DivergenceError, MicroBatch, Training
from flexibert.training.masking import Masker
from flexibert.training.optimiser import Recipe
from flexibert.training.processes import needs_launch, run_processes
from flexibert.training.results import whole_results
from flexibert.training.state import StateKeeper, identity_of

logger = logging.getLogger(__name__)

# A lost pre-training is worth an early end. A fine-tuning has no such bound: it is short, small batches can make its
# loss rise for a while, and its score says how it went.
BLOW_UP = 1.5  # times the first loss

HELD_OUT_SEED = 0  # every model is measured on the same held-out sequences with the same masks
CURVE_COLUMNS = ("step", "tokens", "learning_rate", "train_loss", "validation_loss")


def pretrain(
    run: dict[str, Any],
    manifest: str | Path,
    tokenizer: str | Path,
    settings: dict[str, Any],
    model_settings: dict[str, Any],
    seed: int,
    resume: str | Path,
    out: str | Path,
    jobs: dict[str, Any],
) -> None:
    """Train one architecture from scratch and write its results.

    A training that diverges is a result: the card says "failed" and why.

    Args:
        run: model, recipe, architecture (model dictionary), origin, source, overlap; repeated in the card.
        manifest: corpus/manifest.json.
        tokenizer: tokenizer.json with its facts beside it.
        settings: The section `pretrain` of the configuration.
        model_settings: The section `model`.
        seed: Seed of this job; initial weights, batches, masks and dropout follow from it.
        resume: Folder of the training state; removed when the results are written.
        out: Folder that receives config.json, model.safetensors, card.json, curve.csv and cost.json.
        jobs: The section `jobs`.

    Raises:
        ConfigError: A device that is not there.
        UsageError: The results cannot be written.
        SupersededError: Another process has taken over this job.
    """
    if needs_launch(settings["devices"]):
        arguments = (run, manifest, tokenizer, settings, model_settings, seed, resume, out, jobs)
        run_processes("flexibert.training.pretrain:pretrain", arguments, settings["devices"], jobs)
        return
    torch.manual_seed(derive_seed(seed, "weights"))
    network = new_network(run["architecture"], tokenizer, model_settings)
    inputs = {"manifest": file_digest(manifest), "tokenizer": file_digest(tokenizer)}
    identity = identity_of(
        run=run, settings=settings, model=model_settings, seed=seed, revision=REVISION["pretrain"], **inputs
    )
    train_and_write(network, run, Text(manifest, tokenizer, settings), settings, seed, identity, resume, out, jobs)


def new_network(
    architecture: dict[str, Any], tokenizer: str | Path, model_settings: dict[str, Any]
) -> MaskedLanguageModel:
    """A freshly drawn model (from torch's global generator) for a tokenizer's vocabulary."""
    facts = tokenizer_facts(tokenizer)
    settings = EncoderSettings.from_model_dict(
        architecture, vocab_size=facts.vocabulary, pad_token_id=facts.pad, **model_settings
    )
    return MaskedLanguageModel(settings)


class Text:
    """Masked batches of the corpus, each a function of its step.

    Args:
        manifest, tokenizer: As of `pretrain`.
        settings: batch, micro_batch, length, mask_rate, evaluate_sequences of the section `pretrain`.
    """

    def __init__(self, manifest: str | Path, tokenizer: str | Path, settings: dict[str, Any]) -> None:
        facts = tokenizer_facts(tokenizer)
        self.batch, self.micro_batch = settings["batch"], settings["micro_batch"]
        self.masker = Masker(settings["mask_rate"], facts.vocabulary, facts.mask, facts.special)
        self.train = TokenShards(manifest, "train", settings["length"])
        self.held_out = TokenShards(manifest, "validation", settings["length"])
        sequences = min(settings["evaluate_sequences"], len(self.held_out))
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


def train_and_write(
    network: nn.Module,
    run: dict[str, Any],
    text: Text,
    settings: dict[str, Any],
    seed: int,
    identity: str,
    resume: str | Path,
    out: str | Path,
    jobs: dict[str, Any],
) -> None:
    """Train `network` in place by `settings`, from its newest state on, and write a run's results."""
    hardware = Hardware.from_settings(jobs, settings["precision"])
    with process_group(hardware):
        keeper = progress = None
        if hardware.leads:
            keeper = StateKeeper(resume, identity, jobs["save_every_steps"], jobs["save_every_minutes"])
            progress = Progress(f"pretrain {run['model']}", settings["steps"], Path(resume) / "progress.json")
        network.to(hardware.device)
        training = Training(
            network,
            Recipe.from_settings(settings, settings["steps"], settings["warmup_steps"], settings["learning_rate"]),
            lambda step: text.micro_batches(step, seed),
            lambda: {"validation_loss": held_out_loss(network, text, hardware)},
            settings["evaluate_every"],
            hardware,
            seed,
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
            logger.warning("%s/%s %s", run["model"], run["recipe"], reason)
        if keeper is not None:
            progress.close()
            _write(training, run, reason, keeper, out)


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


def _write(training: Training, run: dict[str, Any], reason: str | None, keeper: StateKeeper, out: str | Path) -> None:
    history, last = training.history, (training.history.rows or [{}])[-1]
    card = run | {
        "status": "ok" if reason is None else "failed",
        "reason": reason,
        "steps": history.step,
        "tokens": history.tokens,
        "train_loss": last.get("train_loss"),
        "validation_loss": last.get("validation_loss"),
        "parameters": sum(value.numel() for value in training.network.parameters()),
    }
    training.drop_infinite_weights()
    with whole_results(out, keeper) as folder:
        save_model(folder, training.network)
        write_json(folder / "card.json", card)
        write_json(folder / "cost.json", training.meter.card(history.tokens))
        write_text(folder / "curve.csv", curve(history.rows))


def curve(rows: list[dict[str, float]]) -> str:
    """Rows of a training's history as CSV."""
    lines = [",".join(CURVE_COLUMNS)]
    lines += [",".join("" if row[c] is None else f"{row[c]:.9g}" for c in CURVE_COLUMNS) for row in rows]
    return "\n".join(lines) + "\n"
