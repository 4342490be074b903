"""A run whose weights come from a trained neighbour instead of a pre-training (paper: weight transfer)."""

from pathlib import Path
from typing import Any

import torch

from flexibert.encoder.checkpoint import load_model
from flexibert.encoder.transfer import transfer
from flexibert.files import file_digest
from flexibert.seeds import derive_seed
from flexibert.stages import REVISION
from flexibert.training.pretrain import Text, new_network, train_and_write
from flexibert.training.processes import needs_launch, run_processes
from flexibert.training.state import identity_of

WARMUP_SHARE = 0.1  # of the steps after a transfer, where that is less than the warm-up of a pre-training


def transfer_run(
    run: dict[str, Any],
    source: str | Path,
    manifest: str | Path,
    tokenizer: str | Path,
    settings: dict[str, Any],
    transfer_settings: dict[str, Any],
    model_settings: dict[str, Any],
    seed: int,
    resume: str | Path,
    out: str | Path,
    jobs: dict[str, Any],
) -> None:
    """Give an architecture its neighbour's weights, train on for `transfer.steps` steps, write a run's results.

    Args:
        run: As of `pretrain`; the card's `overlap` becomes the share of parameters that was in fact transferred.
        source: Folder of the source run (config.json, model.safetensors).
        manifest, tokenizer, model_settings, seed, resume, out, jobs: As of `pretrain`.
        settings: The section `pretrain`; its `steps` and, where too long, `warmup_steps` are replaced.
        transfer_settings: The section `transfer`: mode, steps.

    Raises:
        ModelError: The source cannot be read.
        ConfigError, UsageError, SupersededError: As of `pretrain`.
    """
    steps = transfer_settings["steps"]
    if steps and needs_launch(settings["devices"]):
        arguments = (
            run,
            source,
            manifest,
            tokenizer,
            settings,
            transfer_settings,
            model_settings,
            seed,
            resume,
            out,
            jobs,
        )
        run_processes("flexibert.training.transferred:transfer_run", arguments, settings["devices"], jobs)
        return
    torch.manual_seed(derive_seed(seed, "weights"))
    network = new_network(run["architecture"], tokenizer, model_settings)
    neighbour = load_model(source, head="masked_lm")
    overlap = transfer(neighbour, network, transfer_settings["mode"], derive_seed(seed, "transfer"))
    warmup = min(settings["warmup_steps"], round(WARMUP_SHARE * steps))
    continued = settings | {"steps": steps, "warmup_steps": warmup}
    inputs = {name: file_digest(Path(source) / name) for name in ("config.json", "model.safetensors")}
    inputs |= {"manifest": file_digest(manifest), "tokenizer": file_digest(tokenizer)}
    identity = identity_of(
        run=run,
        settings=continued,
        transfer=transfer_settings,
        model=model_settings,
        seed=seed,
        revision=REVISION["transfer"],
        **inputs,
    )
    text = Text(manifest, tokenizer, settings)
    train_and_write(network, run | {"overlap": overlap}, text, continued, seed, identity, resume, out, jobs)
