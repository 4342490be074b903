"""The encoder against fixtures made with the paper's released code, in double and single precision."""

import json

import numpy as np
import pytest
import torch

from flexibert.encoder.bert import load_bert_weights, name_from_bert, renamed_from_bert
from flexibert.encoder.network import MaskedLanguageModel
from flexibert.encoder.settings import EncoderSettings

OPERATIONS = ("sa_sdp", "sa_wma", "l_dft", "l_dct", "c_5", "c_9")
LAYERS = [f"{operation}_ff{widths}" for operation in OPERATIONS for widths in ("32", "32-32")]
MODELS = ["mix3", "mix4", "conv_grow"]
PRECISIONS = [("64", torch.float64, 1e-10), ("32", torch.float32, 1e-5)]
PADDING_TOKEN = 0  # of the fixtures' models; its embedding takes no gradient


@pytest.fixture(scope="module")
def read_fixture(shared_data):
    """Reads one file of arrays and its model dictionary."""
    index = json.loads((shared_data / "golden" / "index.json").read_text())

    def read(name):
        with np.load(shared_data / "golden" / f"{name}.npz", allow_pickle=False) as arrays:
            return index.get(name, {}).get("model_dict"), {key: torch.from_numpy(arrays[key]) for key in arrays.files}

    return read


def build(model_dict, dtype, implementation="eager"):
    settings = EncoderSettings.from_model_dict(
        model_dict,
        vocab_size=61,
        max_positions=32,
        dropout=0.0,
        paper_padding=True,
        pad_token_id=PADDING_TOKEN,
        attn_implementation=implementation,
    )
    return MaskedLanguageModel(settings).to(dtype)


@pytest.mark.parametrize(("tag", "dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("name", LAYERS)
def test_layer_equals_the_released_code_s(read_fixture, name, implementation, tag, dtype, tolerance):
    model_dict, arrays = read_fixture(name)
    model = build(model_dict, dtype, implementation)
    layer_weights = {f"encoder.layer.0.{key[2:]}": value for key, value in arrays.items() if key.startswith("w/")}
    missing, unknown = model.load_state_dict(renamed_from_bert(model, layer_weights), strict=False)
    assert not unknown
    assert not [key for key in missing if key.startswith("encoder.layers.")]
    x = arrays["x"].to(dtype)
    output = model.encoder.layers[0](x, model.encoder.tokens(x, arrays["mask"]))
    assert (output - arrays[f"layer_output{tag}"]).abs().max() <= tolerance


@pytest.mark.parametrize(("tag", "dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("name", MODELS)
def test_model_equals_the_released_code_s(read_fixture, name, tag, dtype, tolerance):
    model_dict, arrays = read_fixture(f"mlm_{name}")
    model = build(model_dict, dtype)
    load_bert_weights(model, {key[2:]: value for key, value in arrays.items() if key.startswith("w/")}, name)
    states = model.encoder(arrays["input_ids"], arrays["mask"])
    for depth, state in enumerate(states):
        expected = arrays[f"hidden{depth}_{tag}"]
        assert (state - expected).abs().max() <= tolerance * max(1, expected.abs().max())
    # Logits reach 20 here, where the reference's own float32 is 2e-5 away from its float64.
    logits, expected = model.head(states[-1]).logits, arrays[f"logits{tag}"]
    assert (logits - expected).abs().max() <= tolerance * expected.abs().max()
    loss = model(arrays["input_ids"], arrays["mask"], arrays["labels"]).loss
    assert abs(loss - arrays[f"loss{tag}"]) <= tolerance


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("name", MODELS)
def test_gradients_equal_the_released_code_s(read_fixture, name, implementation, dtype, tolerance):
    model_dict, arrays = read_fixture(f"mlm_{name}")
    _, gradients = read_fixture(f"grad_{name}")
    model = build(model_dict, dtype, implementation)
    load_bert_weights(model, {key[2:]: value for key, value in arrays.items() if key.startswith("w/")}, name)
    model(arrays["input_ids"], arrays["mask"], arrays["labels"]).loss.backward()
    own = {name: parameter.grad for name, parameter in model.named_parameters()}
    scale = max(expected.abs().max() for expected in gradients.values())  # 2.6 to 4.6
    for theirs, expected in gradients.items():
        difference = (own[name_from_bert(theirs)].reshape(expected.shape) - expected).abs().max()
        assert difference <= tolerance * scale, theirs
    assert set(own) == {name_from_bert(theirs) for theirs in gradients}, "all have a gradient in the released code"
