"""Settings of an encoder: read from model dictionaries, checked, and told what is wrong."""

import json

import pytest

from flexibert.encoder.named import NAMED_MODELS, model_by_name_or_file
from flexibert.encoder.settings import EncoderSettings, HeadGroup
from flexibert.errors import DesignSpaceError, ModelError
from flexibert.space.architecture import Architecture

TINY = NAMED_MODELS["BERT-Tiny"].to_model_dict()


def mixed(*heads, hidden=32):
    return {"l": 1, "o": [list(heads)], "h": [hidden], "f": [[16]]}


def test_layers_follow_the_dictionary():
    first, second, third, last = EncoderSettings(NAMED_MODELS["FlexiBERT-Mini"]).layers
    assert first == EncoderSettings(NAMED_MODELS["FlexiBERT-Mini"]).layers[0]
    assert first.groups == (HeadGroup("sa", "sdp", 2, 128),)
    assert (first.next_hidden, second.next_hidden, third.next_hidden, last.next_hidden) == (None, 128, None, None)
    assert last.feed_forward == (1024,)


def test_a_config_file_s_content_gives_the_settings_back():
    settings = EncoderSettings.from_model_dict(TINY, vocab_size=10, dropout=0.2, attn_implementation="eager")
    config = settings.to_config()
    assert config["model"] == TINY
    assert "attn_implementation" not in config
    read = EncoderSettings.from_config(config | {"model_type": "flexibert"}, attn_implementation="eager")
    assert read == settings
    with pytest.raises(DesignSpaceError, match="expected a model dictionary"):
        EncoderSettings.from_config({})


def test_equal_heads_form_one_group_in_any_order():
    groups = EncoderSettings.from_model_dict(mixed("sa_sdp_8", "c_5_8", "sa_sdp_8", "l_dct_8")).layers[0].groups
    assert {(group.operation, group.heads) for group in groups} == {("sa", 2), ("l", 1), ("c", 1)}
    shuffled = EncoderSettings.from_model_dict(mixed("l_dct_8", "sa_sdp_8", "sa_sdp_8", "c_5_8")).layers[0].groups
    assert shuffled == groups


@pytest.mark.parametrize(("heads", "split"), [(4, (2, 8)), (1, (1, 4)), (3, (3, 4))])
def test_convolution_takes_half_of_the_width(heads, split):
    assert HeadGroup("c", 5, heads, 8).split == split


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (TINY | {"n": [3, 2]}, "3 heads do not divide hidden size 128"),
        (TINY | {"o": ["sa", "rnn"]}, "rnn"),
        ({"l": 1}, "'o' is missing"),
        (mixed("c_5_9", "sa_sdp_23"), "cannot be halved"),
    ],
)
def test_dictionary_that_cannot_be_built(model, told):
    with pytest.raises(DesignSpaceError, match=told):
        EncoderSettings.from_model_dict(model)


def test_every_wrong_setting_is_told_at_once():
    with pytest.raises(ModelError) as error:
        EncoderSettings(
            NAMED_MODELS["FlexiBERT-Mini"],
            vocab_size=0,
            positions="rotary",
            dropout=1.0,
            tie_word_embeddings=True,
            attn_implementation="flash",
        )
    told = str(error.value)
    for name in ("vocab_size", "positions", "dropout", "tie_word_embeddings", "attn_implementation"):
        assert name in told
    with pytest.raises(ModelError, match="unknown setting 'vocabulary'"):
        EncoderSettings.from_model_dict(TINY, vocabulary=10)
    with pytest.raises(ModelError, match="pad_token_id"):
        EncoderSettings.from_model_dict(TINY, vocab_size=10, pad_token_id=10)


def test_model_by_name_or_file(tmp_path):
    assert model_by_name_or_file("bert-tiny") == NAMED_MODELS["BERT-Tiny"]
    path = tmp_path / "model.json"
    path.write_text(json.dumps(TINY))
    assert model_by_name_or_file(str(path)) == NAMED_MODELS["BERT-Tiny"]
    path.write_text('{"l": 1}')
    with pytest.raises(DesignSpaceError, match="'o' is missing"):
        model_by_name_or_file(str(path))
    path.write_text("l: 1")
    with pytest.raises(ModelError, match="is not JSON"):
        model_by_name_or_file(str(path))
    with pytest.raises(ModelError, match="no model of that name"):
        model_by_name_or_file("bert-huge")


@pytest.mark.parametrize("name", NAMED_MODELS)
def test_named_models_can_be_built(name):
    model = NAMED_MODELS[name]
    assert len(EncoderSettings(model).layers) == len(model.layers)
    assert Architecture.from_model_dict(model.to_model_dict()) == model
