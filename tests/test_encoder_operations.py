"""Each operation against a slow reference in double precision, and the independence of padding."""

import pytest
import scipy.fft
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flexibert.encoder.network import Encoder
from flexibert.encoder.operations import RelativePositions, convolve_dynamically, drop, sequence_basis, transform
from flexibert.encoder.settings import EncoderSettings

OPERATIONS = [("sa", "sdp"), ("sa", "wma"), ("l", "dft"), ("l", "dct"), ("c", 5), ("c", 9)]
MIXED = {"l": 2, "o": [["sa_wma_8", "l_dft_8"], ["c_5_4", "l_dct_12"]], "h": [16, 16], "f": [[24], [8, 24]]}


def one_operation(operation, parameter):
    return {"l": 2, "o": [operation] * 2, "h": [16, 12], "n": [2, 2], "f": [[24], [8, 24]], "p": [parameter] * 2}


MODELS = {f"{operation}-{parameter}": one_operation(operation, parameter) for operation, parameter in OPERATIONS}
MODELS["mixed"] = MIXED


def encoder(model, seed=0, **changes):
    torch.manual_seed(seed)
    built = Encoder(EncoderSettings.from_model_dict(model, **{"vocab_size": 50, "max_positions": 16} | changes))
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return built.double().eval()


@pytest.mark.parametrize("length", [1, 2, 7, 16])
def test_relative_scores_equal_the_definition(length):
    torch.manual_seed(length)
    relative = RelativePositions(16, 5).double()
    torch.nn.init.normal_(relative.weight)
    query = torch.randn(2, 3, length, 5, dtype=torch.double)
    index = torch.arange(length)
    table = relative.weight[index[:, None] - index[None, :] + 15]  # (length, length, head_size)
    expected = torch.einsum("bhid,ijd->bhij", query, table)
    assert torch.allclose(relative(query), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 7, 6), (3, 8, 5), (1, 5, 1), (2, 1, 2)])
def test_transforms_equal_scipy_s(shape):
    x = torch.randn(shape, dtype=torch.double)
    fourier = transform(x, "dft", sequence_basis("dft", None, shape[1], torch.double, x.device))
    assert torch.allclose(fourier, torch.fft.fft2(x).real, atol=1e-10)
    cosine = transform(x, "dct", sequence_basis("dct", None, shape[1], torch.double, x.device))
    assert torch.allclose(cosine, torch.from_numpy(scipy.fft.dctn(x.numpy(), type=2, axes=(1, 2))), atol=1e-10)


def test_long_transform_stays_exact_in_single_precision():
    x = torch.randn(1, 512, 64, dtype=torch.double)
    exact = torch.fft.fft2(x).real
    single = transform(x.float(), "dft", sequence_basis("dft", None, 512, torch.float, x.device))
    assert (single - exact).abs().max() / exact.abs().max() < 1e-5


@pytest.mark.parametrize("size", [1, 3, 9])
@pytest.mark.parametrize("length", [1, 6])
def test_dynamic_convolution_equals_the_definition(length, size):
    values = torch.randn(2, 3, length, 4, dtype=torch.double)
    kernel = torch.randn(2, 3, length, size, dtype=torch.double)
    expected = torch.zeros_like(values)
    for place in range(length):
        for tap in range(size):
            seen = place + tap - size // 2
            if 0 <= seen < length:
                expected[:, :, place] += kernel[:, :, place, tap, None] * values[:, :, seen]
    assert torch.allclose(convolve_dynamically(values, kernel), expected, atol=1e-12)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5])
def test_dropout_drops_its_share_and_keeps_the_mean(rate):
    torch.manual_seed(0)
    dropped = drop(torch.ones(1001, 999), rate)
    assert (dropped == 0).float().mean() == pytest.approx(rate, abs=0.002)
    assert dropped.mean() == pytest.approx(1, abs=0.003)
    assert torch.allclose(dropped[dropped > 0], torch.tensor(1 / (1 - rate)), rtol=1e-4)
    neighbours = (dropped[:, :-1] == 0) & (dropped[:, 1:] == 0)  # lanes of one number do not go together
    assert neighbours.float().mean() == pytest.approx(rate**2, abs=0.002)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    extra=st.integers(0, 7),
    left=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_output_does_not_depend_on_the_batch(name, lengths, extra, left, seed):
    model = encoder(MODELS[name], seed)
    width = max(lengths) + extra
    ids, mask = torch.randint(0, 50, (len(lengths), width)), torch.zeros(len(lengths), width)
    places = [slice(width - length, width) if left else slice(length) for length in lengths]
    for row, place in enumerate(places):
        mask[row, place] = 1
    together = model(ids, mask)[-1]
    for row, place in enumerate(places):
        alone = model(ids[row : row + 1, place])[-1]
        assert torch.allclose(together[row : row + 1, place], alone, atol=1e-10)


@pytest.mark.parametrize("name", ["l-dft", "l-dct", "c-5"])
def test_paper_padding_lets_padding_be_seen(name):
    ids, mask = torch.randint(0, 50, (1, 8)), torch.tensor([[1, 1, 1, 1, 1, 0, 0, 0]])
    for paper, equal in ((False, True), (True, False)):
        model = encoder(MODELS[name], paper_padding=paper)
        alone, padded = model(ids[:, :5])[-1], model(ids, mask)[-1][:, :5]
        assert torch.allclose(alone, padded, atol=1e-10) is equal


@pytest.mark.parametrize("positions", ["relative_key", "absolute"])
@pytest.mark.parametrize("name", MODELS)
def test_fused_attention_equals_eager(name, positions):
    ids, mask = torch.randint(0, 50, (2, 6)), torch.tensor([[1] * 6, [1] * 3 + [0] * 3])
    outputs = [
        encoder(MODELS[name], positions=positions, attn_implementation=implementation)(ids, mask)[-1]
        for implementation in ("sdpa", "eager")
    ]
    assert torch.allclose(*outputs, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_empty_sequence_in_a_batch_gives_numbers(name):
    output = encoder(MODELS[name])(torch.zeros(2, 4, dtype=torch.long), torch.tensor([[1, 1, 1, 1], [0, 0, 0, 0]]))[-1]
    assert output.isfinite().all()


@pytest.mark.parametrize(("operation", "parameter"), OPERATIONS)
def test_heterogeneous_form_of_equal_heads_is_the_plain_form(operation, parameter):
    plain = {"l": 1, "o": [operation], "h": [16], "n": [2], "f": [[8]], "p": [parameter]}
    heads = {"l": 1, "o": [[f"{operation}_{parameter}_8"] * 2], "h": [16], "f": [[8]]}
    first, second = encoder(plain), encoder(heads)
    second.load_state_dict(first.state_dict())
    ids = torch.randint(0, 50, (2, 6))
    assert torch.equal(first(ids)[-1], second(ids)[-1])


def test_mixed_heads_stand_side_by_side():
    model = {"l": 1, "o": [["sa_sdp_8", "l_dct_8"]], "h": [16], "f": [[8]]}
    built = encoder(model)
    x = torch.randn(2, 5, 16, dtype=torch.double)
    tokens = built.tokens(x, None)
    attention, linear = built.layers[0].operations
    assert torch.allclose(
        linear(x, tokens, 8) - linear(x, tokens, 0),
        transform(x, "dct", tokens.bases["dct"])[..., 8:] - transform(x, "dct", tokens.bases["dct"])[..., :8],
    )
    context = torch.cat([attention(x, tokens, 0), linear(x, tokens, 8)], dim=-1)
    layer = built.layers[0]
    mixed = layer.operation_norm(layer.operation_output(context) + x)
    assert torch.allclose(layer(x, tokens), layer.feed_forward_norm(layer.feed_forward(mixed) + mixed))
