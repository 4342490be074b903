"""The encoder at home in transformers: auto classes, saving, loading, heads, switches."""

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification

from flexibert.encoder import (
    FlexiBertConfig,
    FlexiBertForMaskedLM,
    FlexiBertForSequenceClassification,
    FlexiBertModel,
)
from flexibert.encoder.checkpoint import load_model, save_model
from flexibert.encoder.network import MaskedLanguageModel
from flexibert.encoder.settings import EncoderSettings
from flexibert.errors import DesignSpaceError, ModelError

MODEL = {
    "l": 3,
    "o": ["sa", "l", "c"],
    "h": [16, 16, 24],
    "n": [2, 4, 4],
    "f": [[8, 8], [8], [8]],
    "p": ["wma", "dft", 5],
}
MIXED = {"l": 1, "o": [["sa_sdp_8", "l_dct_8"]], "h": [16], "f": [[8]]}
IDS = torch.tensor([[2, 5, 7, 11], [1, 3, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])


def config(model=MODEL, **changes):
    return FlexiBertConfig.from_model_dict(model, **{"vocab_size": 31, "max_positions": 8} | changes)


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    model = FlexiBertForMaskedLM(config()).eval()
    model.save_pretrained(tmp_path)
    return model, tmp_path


@pytest.mark.parametrize("model", [MODEL, MIXED])
def test_config_returns_from_its_file(tmp_path, model):
    written = config(model, dropout=0.2, num_labels=4)
    written.save_pretrained(tmp_path)
    read = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(read, FlexiBertConfig)
    assert read.to_model_dict() == model
    assert (read.dropout, read.vocab_size, read.num_labels) == (0.2, 31, 4)
    assert (read.hidden_size, read.num_hidden_layers) == (model["h"][-1], model["l"])


def test_config_checks_itself():
    with pytest.raises(DesignSpaceError, match="3 heads"):
        config(MODEL | {"n": [3, 4, 4]})
    with pytest.raises(ModelError, match="dropout"):
        config(dropout=-1)
    with pytest.raises(DesignSpaceError):
        FlexiBertConfig()


def test_auto_classes_read_what_was_saved(saved):
    model, folder = saved
    loaded = AutoModelForMaskedLM.from_pretrained(folder)
    assert isinstance(loaded, FlexiBertForMaskedLM)
    assert torch.equal(loaded(IDS, MASK).logits, model(IDS, MASK).logits)
    encoder = AutoModel.from_pretrained(folder)
    assert isinstance(encoder, FlexiBertModel)
    assert torch.equal(encoder(IDS, MASK).last_hidden_state, model.encoder(IDS, MASK)[-1])
    classifier = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3)
    assert isinstance(classifier, FlexiBertForSequenceClassification)
    assert classifier(IDS, MASK).logits.shape == (2, 3)
    assert 0 < classifier.classification.classifier.weight.std() < 0.1
    assert torch.equal(classifier.encoder(IDS, MASK)[-1], model.encoder(IDS, MASK)[-1])


def test_plain_and_transformers_files_are_the_same(saved, tmp_path):
    model, folder = saved
    plain = load_model(folder, "masked_lm").eval()
    assert torch.equal(plain(IDS, MASK).logits, model(IDS, MASK).logits)
    save_model(tmp_path / "plain", plain)
    again = AutoModelForMaskedLM.from_pretrained(tmp_path / "plain")
    assert torch.equal(again(IDS, MASK).logits, model(IDS, MASK).logits)
    assert set(again.state_dict()) == set(plain.state_dict())


def test_labelled_classifier_keeps_its_names(tmp_path):
    torch.manual_seed(0)
    plain = MaskedLanguageModel(EncoderSettings.from_model_dict(MODEL, vocab_size=31, max_positions=8))
    save_model(tmp_path / "lm", plain)
    classifier = load_model(tmp_path / "lm", "classification", labels=2).eval()
    save_model(tmp_path / "classifier", classifier, ["bad", "good"])
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path / "classifier")
    assert loaded.config.id2label == {0: "bad", 1: "good"}
    labels = torch.tensor([0, 1])
    expected = classifier(IDS, MASK, labels=labels)
    output = loaded(IDS, MASK, labels=labels)
    assert torch.equal(output.logits, expected.logits)
    assert torch.equal(output.loss, expected.loss)


def test_tied_embeddings_stay_tied(tmp_path):
    torch.manual_seed(0)
    model = FlexiBertForMaskedLM(config(MIXED, tie_word_embeddings=True)).eval()
    model.save_pretrained(tmp_path)
    loaded = AutoModelForMaskedLM.from_pretrained(tmp_path)
    assert loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight
    assert torch.equal(loaded(IDS).logits, model(IDS).logits)


def test_outputs_in_every_form():
    model = FlexiBertModel(config()).eval()
    output = model(IDS, MASK, output_hidden_states=True)
    assert [state.shape[-1] for state in output.hidden_states] == [16, 16, 24, 24]
    assert torch.equal(model(IDS, MASK, return_dict=False)[0], output.last_hidden_state)
    words = model.get_input_embeddings()(IDS)
    assert torch.equal(model(inputs_embeds=words, attention_mask=MASK).last_hidden_state, output.last_hidden_state)
    assert model(IDS).hidden_states is None


def test_attention_implementation_can_be_chosen(saved):
    model, folder = saved
    eager = AutoModelForMaskedLM.from_pretrained(folder, attn_implementation="eager")
    assert model.encoder.tokens(torch.zeros(1, 4, 16), None).fused
    assert not eager.encoder.tokens(torch.zeros(1, 4, 16), None).fused
    assert torch.allclose(eager(IDS, MASK).logits, model(IDS, MASK).logits, atol=1e-6)


def test_gradient_checkpointing_gives_the_same_gradients():
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = FlexiBertForMaskedLM(config()).train()
        if checkpointing:
            model.gradient_checkpointing_enable()
            assert model.encoder.gradient_checkpointing
        torch.manual_seed(1)
        model(IDS, MASK, labels=IDS).loss.backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in model.parameters()]))
    assert torch.equal(*gradients)


def test_vocabulary_can_grow():
    model = FlexiBertForMaskedLM(config()).eval()
    model.resize_token_embeddings(40)
    assert model(torch.tensor([[39]])).logits.shape == (1, 1, 40)
