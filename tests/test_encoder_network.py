"""The encoder with its heads: losses, errors, reproducibility, and the ways PyTorch may run it."""

import subprocess
import sys

import pytest
import torch

from flexibert.encoder.network import ClassificationHead, Encoder, MaskedLanguageModel, SequenceClassifier
from flexibert.encoder.settings import EncoderSettings
from flexibert.errors import ModelError

MODEL = {
    "l": 3,
    "o": ["sa", "l", "c"],
    "h": [16, 16, 24],
    "n": [2, 4, 4],
    "f": [[32, 8], [40], [32]],
    "p": ["wma", "dft", 5],
}


def build(kind=MaskedLanguageModel, *arguments, **changes):
    torch.manual_seed(0)
    return kind(EncoderSettings.from_model_dict(MODEL, **{"vocab_size": 61, "max_positions": 12} | changes), *arguments)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, 61, (4, 9), generator=generator)
    mask = torch.ones(4, 9)
    mask[1, 5:] = 0
    labels = torch.where(torch.rand(4, 9, generator=generator) < 0.3, ids, -100)
    return ids, mask, labels


def test_loss_is_the_mean_over_predicted_positions(batch):
    ids, mask, labels = batch
    model = build().eval()
    output = model(ids, mask, labels)
    everywhere = model(ids, mask).logits
    expected = torch.nn.functional.cross_entropy(everywhere.flatten(0, 1), labels.flatten())
    assert torch.allclose(output.loss, expected, atol=1e-6)
    assert torch.allclose(output.logits, everywhere[labels != -100], atol=1e-6)


def test_nothing_to_predict_is_no_loss(batch):
    output = build()(batch[0], batch[1], torch.full_like(batch[0], -100))
    output.loss.backward()
    assert output.loss == 0


def test_classifier_losses(batch):
    ids, mask, _ = batch
    regression = build(SequenceClassifier, 1).eval()(ids, mask, labels=torch.tensor([0.0, 1.0, 2.0, 3.0]))
    assert torch.allclose(regression.loss, ((regression.logits[:, 0] - torch.arange(4)) ** 2).mean())
    classes = build(SequenceClassifier, 3).eval()(ids, mask, labels=torch.tensor([0, 1, 2, 0]))
    assert torch.allclose(classes.loss, torch.nn.functional.cross_entropy(classes.logits, torch.tensor([0, 1, 2, 0])))
    several = build(SequenceClassifier, 3).eval()(ids, mask, labels=torch.ones(4, 3))
    assert torch.allclose(several.loss, -several.logits.sigmoid().log().mean())


def test_classification_head_reads_the_first_token():
    head = ClassificationHead(build().settings, 2).eval()
    hidden = torch.randn(2, 5, 24)
    changed = hidden.clone()
    changed[:, 1:] = 0
    assert torch.equal(head(hidden).logits, head(changed).logits)


def test_token_types_are_added(batch):
    ids, mask, _ = batch
    model = build(SequenceClassifier, 2, token_types=2).eval()
    plain = model(ids, mask).logits
    assert torch.equal(model(ids, mask, torch.zeros_like(ids)).logits, plain)
    assert not torch.equal(model(ids, mask, torch.ones_like(ids)).logits, plain)


@pytest.mark.parametrize(
    ("ids", "types", "told"),
    [
        (torch.zeros(1, 13, dtype=torch.long), None, "13 tokens is longer than the model's max_positions 12"),
        (torch.tensor([[5, 61]]), None, "token id 61 is outside the model's 61 tokens"),
        (torch.tensor([[5, -1]]), None, "token id -1"),
        (torch.tensor([[5, 6]]), torch.tensor([[0, 1]]), "token type id 1 is outside"),
        (None, None, "a model needs input_ids or inputs_embeds"),
    ],
)
def test_bad_input_is_told(ids, types, told):
    with pytest.raises(ModelError, match=told):
        build(Encoder)(ids, token_type_ids=types)


def test_padding_embedding_starts_at_zero_and_stays(batch):
    model = build(pad_token_id=3)
    model(*batch).loss.backward()
    words = model.encoder.embeddings.words.weight
    assert not words[3].any()
    assert not words.grad[3].any()


def test_initial_weights_are_bert_s():
    model = build(initializer_range=0.5)
    named = dict(model.named_parameters())
    assert named["encoder.layers.0.operations.0.mixing"].abs().max() <= 0.1
    assert 0.4 < named["encoder.layers.2.feed_forward.output.weight"].std() < 0.6
    assert not named["encoder.layers.0.operations.0.query.bias"].any()
    assert (named["encoder.layers.0.operation_norm.weight"] == 1).all()


def test_narrow_layers_start_with_larger_weights():
    model = build(initializer_range=0.02, initializer_width=256)
    linear = [part for part in model.modules() if isinstance(part, torch.nn.Linear)]
    assert {part.in_features for part in linear} >= {8, 16, 24, 40}
    for part in linear:
        expected = 0.02 * (256 / part.in_features) ** 0.5
        assert part.weight.std().item() == pytest.approx(expected, rel=0.3)
    assert model.encoder.embeddings.words.weight.std().item() == pytest.approx(0.02, rel=0.15)


def train(model, batch, steps=3):
    torch.manual_seed(5)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(steps):
        model(*batch).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_training_repeats_to_the_bit(batch):
    first, second = build().train(), build().train()
    assert torch.equal(train(first, batch), train(second, batch))


def gradients(model, batch):
    torch.manual_seed(5)
    model(*batch).loss.backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def test_gradient_checkpointing_changes_nothing(batch):
    plain, checkpointed = build().train(), build().train()
    checkpointed.encoder.gradient_checkpointing = True
    assert torch.equal(gradients(plain, batch), gradients(checkpointed, batch))


def test_autocast_bfloat16_stays_close(batch):
    model = build().eval()
    exact = model(*batch).loss
    with torch.autocast("cpu", torch.bfloat16):
        output = model(*batch)
    output.loss.backward()
    assert output.logits.dtype == torch.bfloat16
    assert abs(output.loss - exact) < 0.05
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_bfloat16_weights_run(batch):
    assert build().to(torch.bfloat16)(*batch).loss.isfinite()


@pytest.mark.slow
def test_compiled_model_gives_the_same(batch):
    model = build().eval()
    compiled = torch.compile(model, backend="eager")
    output = compiled(*batch)
    assert torch.allclose(output.loss, model(*batch).loss, atol=1e-6)
    output.loss.backward()
    assert torch.allclose(compiled(*batch[:2]).logits, model(*batch[:2]).logits, atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_gives_the_cpu_s_numbers(batch):
    model = build().eval()
    expected = model(*batch).loss
    on_gpu = model.cuda()(*(tensor.cuda() for tensor in batch)).loss
    assert torch.allclose(on_gpu.cpu(), expected, atol=1e-4)


def test_network_and_costs_do_without_slow_imports():
    code = (
        "import sys; import flexibert.encoder.cost, flexibert.encoder.transfer; assert 'torch' not in sys.modules; "
        "import flexibert.encoder.network, flexibert.encoder.checkpoint; assert 'transformers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
