"""The models that the paper speaks of by name (docs/encoder.md)."""

from pathlib import Path
from typing import Any

from flexibert.errors import ModelError
from flexibert.files import read_json


def homogeneous(
    layers: int, operation: str, parameter: str | int, hidden: int, heads: int, width: int
) -> dict[str, Any]:
    """A model dictionary whose layers are all alike, with one feed-forward layer each."""
    return {
        "l": layers,
        "o": [operation] * layers,
        "h": [hidden] * layers,
        "n": [heads] * layers,
        "f": [[width]] * layers,
        "p": [parameter] * layers,
    }


NAMED_MODELS: dict[str, dict[str, Any]] = {
    "BERT-Tiny": homogeneous(2, "sa", "sdp", 128, 2, 512),
    "BERT-Mini": homogeneous(4, "sa", "sdp", 256, 4, 1024),
    "FNet-Mini": homogeneous(4, "l", "dft", 256, 4, 1024),
    "ConvBERT-Mini": homogeneous(4, "c", 9, 256, 4, 1024),
    "FlexiBERT-Mini": {
        "l": 4,
        "o": ["sa", "sa", "l", "l"],
        "h": [256, 256, 128, 128],
        "n": [2, 2, 4, 4],
        "f": [[512, 512, 512], [512, 512, 512], [1024], [1024]],
        "p": ["sdp", "sdp", "dct", "dct"],
    },
    "FlexiBERT-Large": {
        "l": 24,
        "o": ["sa"] * 12 + ["l"] * 12,
        "h": [1024] * 12 + [512] * 12,
        "n": [8] * 12 + [16] * 12,
        "f": [[2048] * 3] * 12 + [[4096]] * 12,
        "p": ["sdp"] * 12 + ["dct"] * 12,
    },
}


def model_by_name_or_file(model: str) -> dict[str, Any]:
    """The model dictionary of a name in any case, e.g. "bert-mini", or of a JSON file.

    Raises:
        ModelError: There is no such name or file, or the file is not JSON.
    """
    names = {name.lower(): dictionary for name, dictionary in NAMED_MODELS.items()}
    if model.lower() in names:
        return names[model.lower()]
    if not Path(model).is_file():
        raise ModelError(f"{model}: no such file, and no model of that name (names: {', '.join(NAMED_MODELS)})")
    try:
        return read_json(model)
    except ValueError as error:
        raise ModelError(f"{model} is not JSON: {error}") from None
