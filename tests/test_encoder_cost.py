"""Parameters, FLOPs, latency; the command that prints them."""

import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from flexibert.cli import main
from flexibert.encoder.cost import cost_table, flops_per_token, measure_latency, parameters
from flexibert.encoder.named import NAMED_MODELS
from flexibert.encoder.network import Encoder, MaskedLanguageModel, SequenceClassifier
from flexibert.encoder.settings import EncoderSettings
from flexibert.errors import ModelError
from flexibert.space.architecture import Architecture

DICTIONARY = {
    "l": 3,
    "o": ["sa", "l", "c"],
    "h": [16, 16, 24],
    "n": [2, 4, 4],
    "f": [[8, 8], [8], [8]],
    "p": ["wma", "dft", 5],
}
MODEL = Architecture.from_model_dict(DICTIONARY)
SMALL = {"vocab_size": 31, "max_positions": 8}


def size(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("model", [MODEL, NAMED_MODELS["BERT-Tiny"], NAMED_MODELS["FlexiBERT-Mini"]])
def test_total_is_the_model_s(model):
    settings = EncoderSettings(model, **SMALL)
    assert parameters(model, **SMALL)["total"] == size(MaskedLanguageModel(settings))
    assert parameters(model, None, **SMALL)["total"] == size(Encoder(settings))
    assert parameters(model, "classification", labels=3, **SMALL)["total"] == size(SequenceClassifier(settings, 3))


def test_components_of_bert_tiny_by_hand():
    counts = parameters(NAMED_MODELS["BERT-Tiny"], vocab_size=100, max_positions=10)
    assert counts == {
        "embeddings": (100 + 1 + 2) * 128,
        "operations": 2 * 4 * (128 * 128 + 128),
        "relative_positions": 2 * 19 * 64,
        "feed_forward": 2 * (2 * 128 * 512 + 128 + 512),
        "norms": 2 * 2 * 256,
        "projections": 0,
        "masked_lm_head": 128 * 128 + 128 + 256 + 128 * 100 + 100,
        "total": counts["total"],
    }


def test_flexibert_mini_is_about_three_percent_smaller_than_bert_mini():
    """The paper's "3 % fewer" (abstract), as transformers counts a BERT: with a pooler and absolute positions."""
    bert, flexibert = (
        parameters(NAMED_MODELS[name], "classification", labels=1, positions="absolute")["total"]
        for name in ("BERT-Mini", "FlexiBERT-Mini")
    )
    assert 0.025 < 1 - flexibert / bert < 0.035


@pytest.mark.parametrize("model", [MODEL, *(NAMED_MODELS[name] for name in ("BERT-Tiny", "FlexiBERT-Mini"))])
def test_flops_equal_pytorch_s_count(model):
    """PyTorch counts products of matrices as executed; ours leave out what a token does not need."""
    length = 8
    settings = EncoderSettings(model, vocab_size=31, max_positions=length, attn_implementation="eager")
    ids = torch.zeros(1, length, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        Encoder(settings).eval()(ids)
    beyond = sum(
        2 * (length - 1) * group.split[0] * group.split[1] for layer in settings.layers for group in layer.groups
    )
    band = sum(  # the dynamic convolution is executed as a product with a band matrix
        2 * (length - 1) * group.width // 2
        for layer in settings.layers
        for group in layer.groups
        if group.operation == "c"
    )
    counted = counter.get_total_flops() / length
    assert flops_per_token(model, length) == pytest.approx(counted - beyond - band, rel=0.02)


def test_flops_grow_with_length():
    assert flops_per_token(MODEL, 128) < flops_per_token(MODEL, 256)


def test_table_has_a_row_for_each_model():
    rows = cost_table([MODEL, NAMED_MODELS["BERT-Tiny"]], length=16, **SMALL)
    assert rows[0] == {"parameters": parameters(MODEL, **SMALL)["total"], "flops_per_token": flops_per_token(MODEL, 16)}
    assert len(rows) == 2


def test_wrong_models_are_told():
    with pytest.raises(ModelError, match="head 'lm'"):
        parameters(MODEL, "lm")
    with pytest.raises(ModelError, match="could not be measured"):
        measure_latency(MODEL, device="nowhere", **SMALL)


def test_latency_is_measured():
    measured = measure_latency(MODEL, batch=2, length=8, repeats=3, **SMALL)
    assert 0 < measured["latency_ms"] <= measured["latency_ms_p90"]
    assert measured["peak_memory_mb"] >= 0
    assert measured["tokens_per_second"] == pytest.approx(16_000 / measured["latency_ms"], rel=0.01)


def test_command_prints_the_counts(tmp_path, capsys):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(DICTIONARY))
    assert main(["params", str(path), "--vocabulary", "31", "--max-positions", "8", "--length", "16"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == parameters(MODEL, **SMALL) | {"flops_per_token": flops_per_token(MODEL, 16)}
    assert main(["params", "bert-mini", "--head", "none"]) == 0
    assert main(["params", "bert-mega"]) == 1
    path.write_text(json.dumps(DICTIONARY | {"n": [3, 4, 4]}))
    assert main(["params", str(path)]) == 1
    assert "3 heads do not divide hidden size 16" in capsys.readouterr().err
