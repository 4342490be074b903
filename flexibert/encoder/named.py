"""The models that the paper speaks of by name (docs/encoder.md)."""

from pathlib import Path

from flexibert.errors import ModelError
from flexibert.files import read_json
from flexibert.space.architecture import Architecture, Layer


def alike(
    layers: int, operation: str, parameter: str | int, hidden: int, heads: int, *feed_forward: int
) -> tuple[Layer, ...]:
    """Some layers that are all the same."""
    return (Layer.plain(operation, parameter, hidden, heads, feed_forward),) * layers


NAMED_MODELS = {
    "BERT-Tiny": Architecture(alike(2, "sa", "sdp", 128, 2, 512)),
    "BERT-Mini": Architecture(alike(4, "sa", "sdp", 256, 4, 1024)),
    "FNet-Mini": Architecture(alike(4, "l", "dft", 256, 4, 1024)),
    "ConvBERT-Mini": Architecture(alike(4, "c", 9, 256, 4, 1024)),
    "FlexiBERT-Mini": Architecture(
        alike(2, "sa", "sdp", 256, 2, 512, 512, 512) + alike(2, "l", "dct", 128, 4, 1024),
    ),
    "FlexiBERT-Large": Architecture(
        alike(12, "sa", "sdp", 1024, 8, 2048, 2048, 2048) + alike(12, "l", "dct", 512, 16, 4096),
    ),
}


def model_by_name_or_file(model: str) -> Architecture:
    """The model of a name in any case, e.g. "bert-mini", or of a JSON file with a model dictionary.

    Raises:
        ModelError: There is no such name or file, or the file is not JSON.
        DesignSpaceError: The dictionary cannot be built.
    """
    names = {name.lower(): architecture for name, architecture in NAMED_MODELS.items()}
    if model.lower() in names:
        return names[model.lower()]
    if not Path(model).is_file():
        raise ModelError(f"{model}: no such file, and no model of that name (names: {', '.join(NAMED_MODELS)})")
    try:
        dictionary = read_json(model)
    except ValueError as error:
        raise ModelError(f"{model} is not JSON: {error}") from None
    return Architecture.from_model_dict(dictionary)
