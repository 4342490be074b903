"""Parameters counted from the settings are those of the modules, name by name."""

import pytest

from flexibert.encoder.named import NAMED_MODELS
from flexibert.encoder.network import MaskedLanguageModel, SequenceClassifier
from flexibert.encoder.settings import EncoderSettings
from flexibert.encoder.shapes import (
    classification_head_shapes,
    embedding_shapes,
    layer_shapes,
    masked_language_head_shapes,
    relative_reach,
)

VARIED = {
    "l": 5,
    "o": ["sa", "sa", "l", "c", "c"],
    "h": [16, 16, 24, 12, 12],
    "n": [2, 4, 4, 2, 4],
    "f": [[8], [8, 16], [8, 8, 8], [4], [32]],
    "p": ["sdp", "wma", "dct", 5, 9],
}
MIXED = {"l": 2, "o": [["sa_wma_8", "l_dft_8"], ["c_5_4", "l_dct_12"]], "h": [16, 16], "f": [[24], [8, 24]]}
SMALL = {"vocab_size": 31, "max_positions": 8}


def all_shapes(settings):
    shapes = {f"encoder.embeddings.{name}": shape for name, shape in embedding_shapes(settings).items()}
    for index, layer in enumerate(settings.layers):
        for name, shape in layer_shapes(layer, relative_reach(settings)).items():
            shapes[f"encoder.layers.{index}.{name}"] = shape
    return shapes


def modules_own(model):
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("positions", ["relative_key", "absolute"])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(
    "model", [VARIED | {"h": [16, 16, 24, 12, 16]}, MIXED, NAMED_MODELS["BERT-Tiny"].to_model_dict()]
)
def test_masked_language_model(model, tied, positions):
    settings = EncoderSettings.from_model_dict(
        model, **SMALL, token_types=2, positions=positions, tie_word_embeddings=tied
    )
    head = {f"head.{name}": shape for name, shape in masked_language_head_shapes(settings).items()}
    assert all_shapes(settings) | head == modules_own(MaskedLanguageModel(settings))


def test_classifier():
    settings = EncoderSettings.from_model_dict(VARIED, **SMALL)
    head = {f"classification.{name}": shape for name, shape in classification_head_shapes(settings, 3).items()}
    assert all_shapes(settings) | head == modules_own(SequenceClassifier(settings, 3))
