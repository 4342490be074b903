"""Models in folders: what is written is read, and what does not fit is told."""

import json

import pytest
import torch

from flexibert.encoder.checkpoint import load_model, save_model
from flexibert.encoder.network import Encoder, MaskedLanguageModel, SequenceClassifier
from flexibert.encoder.settings import EncoderSettings
from flexibert.errors import ModelError

MODEL = {"l": 2, "o": ["sa", "c"], "h": [16, 24], "n": [2, 4], "f": [[8], [8, 8]], "p": ["wma", 5]}
MIXED = {"l": 1, "o": [["sa_sdp_8", "l_dct_8"]], "h": [16], "f": [[8]]}
IDS = torch.tensor([[2, 5, 7, 11], [1, 3, 0, 0]])


def build(kind=MaskedLanguageModel, *arguments, model=MODEL, **changes):
    torch.manual_seed(0)
    return kind(EncoderSettings.from_model_dict(model, **{"vocab_size": 31, "max_positions": 8} | changes), *arguments)


@pytest.mark.parametrize("model", [MODEL, MIXED])
def test_masked_language_model_returns(tmp_path, model):
    saved = build(model=model, paper_padding=True, token_types=2)
    save_model(tmp_path, saved)
    loaded = load_model(tmp_path, "masked_lm", dropout=0.0)
    assert loaded.training
    assert torch.equal(loaded(IDS).logits, saved.eval()(IDS).logits)
    assert loaded.settings.architecture.to_model_dict() == model
    assert loaded.settings.paper_padding
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


def test_tied_model_returns_tied(tmp_path):
    saved = build(model=MIXED, tie_word_embeddings=True).eval()
    save_model(tmp_path, saved)
    loaded = load_model(tmp_path, "masked_lm").eval()
    assert loaded.head.decoder.weight is loaded.encoder.embeddings.words.weight
    assert torch.equal(loaded(IDS).logits, saved(IDS).logits)


def test_encoder_passes_from_head_to_head(tmp_path):
    saved = build().eval()
    save_model(tmp_path / "lm", saved)
    torch.manual_seed(1)
    classifier = load_model(tmp_path / "lm", "classification", labels=3).eval()
    assert torch.equal(classifier.encoder(IDS)[-1], saved.encoder(IDS)[-1])
    save_model(tmp_path / "classifier", classifier, ["no", "maybe", "yes"])
    again = load_model(tmp_path / "classifier", "classification").eval()
    assert torch.equal(again(IDS).logits, classifier(IDS).logits)
    encoder = load_model(tmp_path / "classifier").eval()
    assert isinstance(encoder, Encoder)
    save_model(tmp_path / "encoder", encoder)
    assert torch.equal(load_model(tmp_path / "encoder", "masked_lm").encoder.eval()(IDS)[-1], saved.encoder(IDS)[-1])


def test_fresh_head_follows_the_seed(tmp_path):
    save_model(tmp_path, build())
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        weights.append(load_model(tmp_path, "classification", labels=2).classification.classifier.weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"vocab_size": 32}, r"words.weight is \(31, 16\) where the configuration says \(32, 16\)"),
        ({"model": MODEL | {"p": ["sdp", 5]}}, "mixing is no parameter of the configured model"),
        ({"positions": "absolute"}, "positions.weight is missing"),
        ({"model_type": "bert"}, "does not describe a flexibert model"),
        ({"dropout": 2}, "dropout"),
    ],
)
def test_config_that_disagrees_with_the_weights(tmp_path, changes, told):
    save_model(tmp_path, build())
    change_config(tmp_path, **changes)
    with pytest.raises(ModelError, match=told):
        load_model(tmp_path, "masked_lm")


def test_head_that_disagrees_with_the_weights(tmp_path):
    save_model(tmp_path, build(SequenceClassifier, 3))
    with pytest.raises(ModelError, match=r"classifier\.weight is"):
        load_model(tmp_path, "classification", labels=2)


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        load_model(tmp_path)
    save_model(tmp_path, build())
    with pytest.raises(ModelError, match="needs the number of its labels"):
        load_model(tmp_path, "classification")
    with pytest.raises(ModelError, match="head 'lm'"):
        load_model(tmp_path, "lm")
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="is not JSON"):
        load_model(tmp_path)


def test_label_names_must_fit(tmp_path):
    with pytest.raises(ModelError, match="2 label names for a classifier of 3 outputs"):
        save_model(tmp_path, build(SequenceClassifier, 3), ["no", "yes"])
