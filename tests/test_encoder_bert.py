"""Absolute positions and sa/sdp are BERT: Hugging Face's weights give Hugging Face's outputs."""

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification

from flexibert.encoder.bert import load_bert_weights, name_from_bert
from flexibert.encoder.named import alike
from flexibert.encoder.network import MaskedLanguageModel, SequenceClassifier
from flexibert.encoder.settings import EncoderSettings
from flexibert.errors import ModelError
from flexibert.space.architecture import Architecture

MODEL = Architecture(alike(3, "sa", "sdp", 32, 4, 64))


@pytest.fixture(scope="module")
def bert_config():
    return BertConfig(
        vocab_size=99,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=20,
        initializer_range=0.3,
        pad_token_id=0,
    )


@pytest.fixture(scope="module")
def settings():
    return EncoderSettings(MODEL, vocab_size=99, max_positions=20, token_types=2, positions="absolute", pad_token_id=0)


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, 99, (3, 11), generator=generator)
    mask = torch.ones(3, 11, dtype=torch.long)
    mask[2, 6:] = 0
    return ids, mask, torch.randint(0, 2, (3, 11), generator=generator)


def test_masked_language_model_equals_hugging_face_s(bert_config, settings, batch):
    torch.manual_seed(0)
    theirs = BertForMaskedLM(bert_config).eval()
    ours = MaskedLanguageModel(settings).eval()
    load_bert_weights(ours, theirs.state_dict())
    ids, mask, types = batch
    labels = torch.where(ids % 5 == 0, ids, -100)
    expected = theirs(input_ids=ids, attention_mask=mask, token_type_ids=types, labels=labels)
    assert torch.allclose(ours(ids, mask, token_type_ids=types).logits, expected.logits, atol=1e-5)
    loss = ours(ids, mask, labels, types).loss
    assert torch.allclose(loss, expected.loss, atol=1e-5)
    loss.backward()
    expected.loss.backward()
    for name, parameter in theirs.named_parameters():
        if name == "bert.embeddings.word_embeddings.weight":  # tied to the decoder there
            continue
        own = ours.get_parameter(name_from_bert(name)).grad
        assert torch.allclose(own, parameter.grad, atol=1e-5), name


def test_classifier_equals_hugging_face_s(bert_config, settings, batch):
    torch.manual_seed(0)
    theirs = BertForSequenceClassification(bert_config).eval()
    ours = SequenceClassifier(settings, labels=2).eval()
    load_bert_weights(ours, theirs.state_dict())
    ids, mask, types = batch
    expected = theirs(input_ids=ids, attention_mask=mask, token_type_ids=types).logits
    assert torch.allclose(ours(ids, mask, types).logits, expected, atol=1e-5)


def test_weights_of_another_shape_are_refused(bert_config, settings):
    bert_config.num_hidden_layers = 2
    with pytest.raises(ModelError, match="is missing"):
        load_bert_weights(MaskedLanguageModel(settings), BertForMaskedLM(bert_config).state_dict())
