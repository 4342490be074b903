"""A run whose weights come from a trained neighbour instead of a pre-training (paper: weight transfer)."""

from dataclasses import replace
from pathlib import Path

from flexibert.encoder.checkpoint import load_model
from flexibert.encoder.transfer import transfer
from flexibert.files import file_digest
from flexibert.seeds import derive_seed
from flexibert.settings import TransferMode
from flexibert.stages import REVISION
from flexibert.training.job import PretrainJob
from flexibert.training.pretrain import new_network, train_and_write
from flexibert.training.processes import needs_launch, run_processes

WARMUP_SHARE = 0.1  # of the steps after a transfer, where that is less than the warm-up of a pre-training


def transfer_run(job: PretrainJob, source: str | Path, mode: TransferMode, steps: int) -> None:
    """Give an architecture its neighbour's weights, train on, write a run's results.

    Args:
        job: As of `pretrain`; the card's `overlap` becomes the share of parameters that was in fact transferred, and
            the settings' `steps` and, where too long, `warmup_steps` are replaced.
        source: Folder of the source run (config.json, model.safetensors).
        mode: How weights pass between layers of other sizes (see `encoder.transfer`).
        steps: Optimiser steps of continued pre-training.

    Raises:
        ModelError: The source cannot be read.
        ConfigError, UsageError, SupersededError: As of `pretrain`.
    """
    if steps and needs_launch(job.settings.devices):
        further = {"source": str(source), "mode": mode, "steps": steps}
        run_processes("flexibert.training.transferred:transfer_run", job, **further)
        return
    network = new_network(job)
    overlap = transfer(load_model(source, head="masked_lm"), network, mode, derive_seed(job.seed, "transfer"))
    warmup = min(job.settings.warmup_steps, round(WARMUP_SHARE * steps))
    continued = replace(job, settings=replace(job.settings, steps=steps, warmup_steps=warmup))
    inputs = {name: file_digest(Path(source) / name) for name in ("config.json", "model.safetensors")}
    identity = continued.identity(REVISION["transfer"], transfer={"mode": mode, "steps": steps}, **inputs)
    train_and_write(replace(continued, run=replace(job.run, overlap=overlap)), network, identity)
