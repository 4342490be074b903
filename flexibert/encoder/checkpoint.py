"""Models in a folder: `config.json` and `model.safetensors`, laid out as transformers' `from_pretrained` reads them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from flexibert.encoder.network import Encoder, MaskedLanguageModel, SequenceClassifier
from flexibert.encoder.settings import EncoderSettings
from flexibert.errors import ModelError
from flexibert.files import read_json, whole_file, write_json

MODEL_TYPE = "flexibert"
CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
ARCHITECTURES = {
    Encoder: "FlexiBertModel",
    MaskedLanguageModel: "FlexiBertForMaskedLM",
    SequenceClassifier: "FlexiBertForSequenceClassification",
}
ENCODER_PREFIX = "encoder."
HEAD_PREFIXES = ("head.", "classification.")
TIED = "head.decoder.weight"
SHOWN = 5  # of the parameters that disagree

Head = Literal["encoder", "masked_lm", "classification"]
PlainModel = Encoder | MaskedLanguageModel | SequenceClassifier


def save_model(folder: str | Path, model: PlainModel, label_names: Sequence[str] | None = None) -> None:
    """Write a plain model so that `load_model` and transformers' `AutoModel*.from_pretrained` read it.

    Args:
        folder: Where `config.json` and `model.safetensors` appear, each whole or not at all.
        model: A model of `network` (one of transformers saves itself).
        label_names: Names of a classifier's classes, in order; default LABEL_0, LABEL_1 ...
    """
    folder = Path(folder)
    prefix = ENCODER_PREFIX if isinstance(model, Encoder) else ""
    weights = {prefix + name: tensor.detach().contiguous().cpu() for name, tensor in model.state_dict().items()}
    settings = model.settings
    assert isinstance(settings, EncoderSettings)
    if settings.tie_word_embeddings:
        weights.pop(TIED, None)
    config = {"model_type": MODEL_TYPE} | settings.to_config() | {"architectures": [ARCHITECTURES[type(model)]]}
    config["dtype"] = str(next(model.parameters()).dtype).removeprefix("torch.")
    if isinstance(model, SequenceClassifier):
        config |= label_settings(model.classification.classifier.out_features, label_names)
    with whole_file(folder / WEIGHTS_FILE) as part:
        part.write_bytes(save(weights, metadata={"format": "pt"}))  # save_file would hide it from others
    write_json(folder / CONFIG_FILE, config)


@overload
def load_model(folder: str | Path, head: Literal["encoder"] = "encoder", **settings: Any) -> Encoder: ...
@overload
def load_model(folder: str | Path, head: Literal["masked_lm"], **settings: Any) -> MaskedLanguageModel: ...
@overload
def load_model(
    folder: str | Path, head: Literal["classification"], labels: int | None = None, **settings: Any
) -> SequenceClassifier: ...
def load_model(folder: str | Path, head: Head = "encoder", labels: int | None = None, **settings: Any) -> PlainModel:
    """Read a model written by `save_model` or by transformers; it is in training mode, on the CPU.

    A head that the folder does not hold is drawn from PyTorch's global generator (seed it first); one that is not asked
    for is left out.

    Args:
        folder: Holds `config.json` and `model.safetensors`.
        head: What stands on the encoder.
        labels: Number of a classifier's outputs; None takes the folder's own.
        settings: Attributes of `EncoderSettings` to change where they do not change the shape, e.g. dropout=0.0.

    Raises:
        ModelError: A file is missing or unreadable, or the configuration disagrees with the weights.
    """
    folder = Path(folder)
    config = read_config(folder)
    model = build(EncoderSettings.from_config(config, **settings), head, labels or label_count(config))
    try:
        weights = load_file(folder / WEIGHTS_FILE)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{folder / WEIGHTS_FILE} cannot be read: {error}") from None
    put_weights(model, weights, folder)
    return model


def build(settings: EncoderSettings, head: Head, labels: int | None = None) -> PlainModel:
    """A freshly drawn model with the head asked for."""
    if head == "encoder":
        return Encoder(settings)
    if head == "masked_lm":
        return MaskedLanguageModel(settings)
    if head != "classification":
        raise ModelError(f"head {head!r} is not one of encoder, masked_lm, classification")
    if not labels:
        raise ModelError("a classifier needs the number of its labels (1 for a regression)")
    return SequenceClassifier(settings, labels)


def put_weights(model: nn.Module, weights: Mapping[str, Tensor], source: str | Path) -> None:
    """Copy `weights` into `model`; heads that only one of the two has are left as they are.

    Raises:
        ModelError: Another parameter is missing, unknown or of another shape; `source` names where they came from.
    """
    if isinstance(model, Encoder):
        weights = {
            name.removeprefix(ENCODER_PREFIX): tensor
            for name, tensor in weights.items()
            if name.startswith(ENCODER_PREFIX)
        }
    own = dict(model.named_parameters())
    own_heads = {name.split(".")[0] for name in own}
    held_heads = {name.split(".")[0] for name in weights}
    problems = [
        f"{name} is missing"
        for name in own
        if name not in weights and not (_is_head(name) and name.split(".")[0] not in held_heads)
    ]
    for name, tensor in weights.items():
        if name not in own:
            if not _is_head(name) or (name.split(".")[0] in own_heads and name != TIED):
                problems.append(f"{name} is no parameter of the configured model")
        elif own[name].shape != tensor.shape:
            problems.append(f"{name} is {tuple(tensor.shape)} where the configuration says {tuple(own[name].shape)}")
    if problems:
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise ModelError(problems[:SHOWN] + more, heading=f"{source}: the configuration disagrees with the weights")
    with torch.no_grad():
        for name, parameter in own.items():
            if name in weights:
                parameter.copy_(weights[name])


def _is_head(name: str) -> bool:
    return name.startswith(HEAD_PREFIXES)


def read_config(folder: str | Path) -> dict[str, Any]:
    """Read and check a folder's `config.json`."""
    path = Path(folder) / CONFIG_FILE
    try:
        config = read_json(path)
    except FileNotFoundError:
        raise ModelError(f"{path} does not exist; a model's folder holds {CONFIG_FILE} and {WEIGHTS_FILE}") from None
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from None
    if not isinstance(config, dict) or config.get("model_type") != MODEL_TYPE:
        raise ModelError(f"{path} does not describe a {MODEL_TYPE} model")
    return config


def label_settings(count: int, names: Sequence[str] | None = None) -> dict[str, Any]:
    """The part of `config.json` that describes a classifier's outputs."""
    names = list(names) if names is not None else [f"LABEL_{index}" for index in range(count)]
    if len(names) != count:
        raise ModelError(f"{len(names)} label names for a classifier of {count} outputs")
    return {
        "id2label": {str(index): name for index, name in enumerate(names)},
        "label2id": {name: index for index, name in enumerate(names)},
    }


def label_count(config: Mapping[str, Any]) -> int | None:
    """Number of a classifier's outputs that a `config.json` tells, or None."""
    return len(config["id2label"]) if "id2label" in config else None
