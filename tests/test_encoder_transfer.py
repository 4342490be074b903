"""Weight transfer: what passes, what stays, and the overlap that is predicted without weights."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flexibert.encoder.network import MaskedLanguageModel, SequenceClassifier
from flexibert.encoder.settings import EncoderSettings
from flexibert.encoder.transfer import MODES, predicted_overlap, transfer
from flexibert.errors import ModelError
from flexibert.space.architecture import Architecture

SMALL = {"vocab_size": 31, "max_positions": 8}
OPERATIONS = [("sa", "sdp"), ("sa", "wma"), ("l", "dft"), ("l", "dct"), ("c", 3), ("c", 5)]


def model_of(operations, hidden=8, heads=2, widths=(16,)):
    count = len(operations)
    hidden, heads = ([value] * count if isinstance(value, int) else value for value in (hidden, heads))
    kinds = [list(entry) for entry in zip(*operations, strict=True)]
    return Architecture.from_model_dict(
        {"l": count, "o": kinds[0], "h": hidden, "n": heads, "f": [list(widths)] * count, "p": kinds[1]}
    )


def build(model, seed=0, kind=MaskedLanguageModel, *arguments, **changes):
    torch.manual_seed(seed)
    return kind(EncoderSettings(model, **SMALL | changes), *arguments)


@st.composite
def models(draw):
    operations = draw(st.lists(st.sampled_from(OPERATIONS[:3] + OPERATIONS[4:]), min_size=1, max_size=4))
    sizes = st.sampled_from([8, 16])
    hidden = [draw(sizes) for _ in operations]
    heads = [draw(st.sampled_from([2, 4])) for _ in operations]
    return model_of(operations, hidden, heads, draw(st.sampled_from([(16,), (24,), (16, 16, 16)])))


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=25, deadline=None)
@given(source=models(), target=models())
def test_prediction_is_what_transfer_returns(mode, source, target):
    moved = transfer(build(source), build(target, 1), mode)
    assert moved == predicted_overlap(source, target, **SMALL)
    assert 0 <= moved <= 1


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=10, deadline=None)
@given(model=models())
def test_transfer_to_an_equal_model_is_the_identity(mode, model):
    source, target = build(model), build(model, 1)
    assert transfer(source, target, mode) == 1
    assert all(torch.equal(target.state_dict()[name], tensor) for name, tensor in source.state_dict().items())


@pytest.mark.parametrize("mode", MODES)
def test_layers_pass_while_operations_agree(mode):
    first, other = OPERATIONS[0], OPERATIONS[1]
    source, target = build(model_of([first] * 3)), build(model_of([first, other, first]), 1)
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    transfer(source, target, mode)
    for name, tensor in target.state_dict().items():
        kept = name.startswith(("encoder.layers.1.", "encoder.layers.2."))
        assert torch.equal(tensor, before[name] if kept else source.state_dict()[name])


def test_kernel_sizes_must_agree():
    assert predicted_overlap(model_of([("c", 3)]), model_of([("c", 5)]), **SMALL) == 0


def test_deeper_model_gives_a_shallower_one_everything():
    deep, shallow = model_of([OPERATIONS[0]] * 4), model_of([OPERATIONS[0]] * 2)
    assert predicted_overlap(deep, shallow, **SMALL) == 1
    assert predicted_overlap(shallow, deep, **SMALL) == 0.5


def test_ordered_transfer_takes_the_first_rows_and_columns():
    source, target = build(model_of([OPERATIONS[0]], 8)), build(model_of([OPERATIONS[0]], 16), 1)
    before = target.encoder.layers[0].operation_output.weight.detach().clone()
    transfer(source, target)
    after = target.encoder.layers[0].operation_output.weight
    assert torch.equal(after[:8, :8], source.encoder.layers[0].operation_output.weight)
    assert torch.equal(after[8:], before[8:])
    assert torch.equal(after[:8, 8:], before[:8, 8:])
    assert torch.equal(target.encoder.embeddings.words.weight[:, :8], source.encoder.embeddings.words.weight)


def test_random_projection_keeps_products():
    """A layer in the projected basis, applied to projected states, gives the projected output, up to noise."""
    source = build(model_of([OPERATIONS[0]], 8, 2, (64,)))
    target = build(model_of([OPERATIONS[0]], 2048, 2, (64,)), 1)
    transfer(source, target, "random-projection", seed=3)
    words, projected = (model.encoder.embeddings.words.weight.detach() for model in (source, target))
    assert torch.allclose(projected @ projected.T, words @ words.T, atol=0.1 * (words @ words.T).max().item())
    wide = projected @ target.encoder.layers[0].feed_forward.stack[0].weight.T
    narrow = words @ source.encoder.layers[0].feed_forward.stack[0].weight.T
    assert torch.corrcoef(torch.stack([wide.flatten(), narrow.flatten()]))[0, 1] > 0.98


def test_random_projection_follows_its_seed():
    results = []
    for seed in (1, 1, 2):
        target = build(model_of([OPERATIONS[0]], 16), 1)
        transfer(build(model_of([OPERATIONS[0]], 8)), target, "random-projection", seed)
        results.append(target.encoder.layers[0].feed_forward.output.weight.detach().clone())
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_relative_positions_of_narrower_heads_keep_their_offsets():
    source, target = build(model_of([OPERATIONS[0]], 16)), build(model_of([OPERATIONS[0]], 8), 1)
    transfer(source, target)
    table = target.encoder.layers[0].operations[0].relative.weight
    assert torch.equal(table, source.encoder.layers[0].operations[0].relative.weight[:, :4])


def test_models_that_cannot_be_compared():
    model = model_of([OPERATIONS[0]])
    with pytest.raises(ModelError, match="vocab_size is 31 in the source and 32 in the target"):
        transfer(build(model), build(model, vocab_size=32))
    with pytest.raises(ModelError, match="the source is a SequenceClassifier"):
        transfer(build(model, 0, SequenceClassifier, 2), build(model))
    with pytest.raises(ModelError, match="mode 'random'"):
        transfer(build(model), build(model), "random")
