"""The paper's surrogates: moments against sampling, uncertainties against what is known of the data."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flexibert.search.paper.surrogate import (
    NOISE_FLOOR,
    NaturalParameterLayer,
    NaturalParameterNetwork,
    NeuralSurrogate,
    fit_surrogate,
    rectified_moments,
    teacher_deviation,
)

DRAWS = 200_000


def sampled_layer(layer: NaturalParameterLayer, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Outputs under weights drawn anew for each row of inputs; shape (draws, fan_in) to (draws, fan_out)."""
    draws, fan_in = inputs.shape
    fan_out = len(layer.bias)
    weight_deviation = torch.nn.functional.softplus(layer.raw_weight_variance).sqrt()
    bias_deviation = torch.nn.functional.softplus(layer.raw_bias_variance).sqrt()
    weights = layer.weight + weight_deviation * torch.randn(draws, fan_in, fan_out, generator=generator)
    biases = layer.bias + bias_deviation * torch.randn(draws, fan_out, generator=generator)
    return torch.einsum("di,dio->do", inputs, weights) + biases


@given(st.floats(-3, 3), st.floats(0.01, 3))
def test_rectified_moments_agree_with_sampling(mean, deviation):
    draws = (mean + deviation * torch.randn(DRAWS, generator=torch.Generator().manual_seed(0))).relu()
    first, second = rectified_moments(torch.tensor(mean), torch.tensor(deviation**2))
    assert float(first) == pytest.approx(float(draws.mean()), abs=0.02 * deviation)
    assert float(second) == pytest.approx(float(draws.var()), abs=0.03 * deviation**2)


def test_rectified_moments_of_a_certain_input():
    first, second = rectified_moments(torch.tensor([-1.0, 2.0]), torch.zeros(2))
    assert first.tolist() == [0.0, 2.0]
    assert second.tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


@torch.no_grad()
def test_network_moments_agree_with_sampled_weights():
    generator = torch.Generator().manual_seed(3)
    network = NaturalParameterNetwork([4, 16, 1], generator, weight_variance=0.5)
    point = torch.randn(1, 4, generator=generator)
    hidden = sampled_layer(network.layers[0], point.expand(DRAWS // 4, 4), generator).relu()
    outputs = sampled_layer(network.layers[1], hidden, generator)[:, 0]
    mean, variance = network(point)
    assert float(mean) == pytest.approx(float(outputs.mean()), abs=0.03)
    assert float(variance) - NOISE_FLOOR == pytest.approx(float(outputs.var()), rel=0.03)


@pytest.fixture(scope="module")
def noisy_line() -> tuple[NeuralSurrogate, torch.Tensor, torch.Tensor]:
    """A fit to 200 points of sin(2x) on [-2, 2] whose noise is 0.05 on the left and 0.5 on the right."""
    generator = torch.Generator().manual_seed(4)
    inputs = torch.rand(200, 1, generator=generator) * 4 - 2
    noise = torch.where(inputs[:, 0] < 0, 0.05, 0.5)
    losses = torch.sin(2 * inputs[:, 0]) + noise * torch.randn(200, generator=generator)
    library = torch.linspace(-6, 6, 300)[:, None]
    return fit_surrogate(inputs, losses, library, seed=0), inputs, losses


def test_mean_follows_the_function(noisy_line):
    surrogate, _, _ = noisy_line
    grid = torch.linspace(-1.8, 1.8, 50)[:, None]
    mean = surrogate(grid)[0]
    assert float((mean - torch.sin(2 * grid[:, 0])).square().mean().sqrt()) < 0.25


def test_aleatoric_uncertainty_is_the_noise_where_it_is(noisy_line):
    surrogate, _, _ = noisy_line
    quiet = surrogate(torch.linspace(-1.8, -0.3, 30)[:, None])[1]
    loud = surrogate(torch.linspace(0.3, 1.8, 30)[:, None])[1]
    assert 0.3 < float(loud.mean()) < 0.75
    assert 0.02 < float(quiet.mean()) < 0.6 * float(loud.mean())


def test_share_of_new_points_within_one_deviation_is_that_of_a_gaussian(noisy_line):
    surrogate, _, _ = noisy_line
    generator = torch.Generator().manual_seed(5)
    inputs = torch.rand(2000, 1, generator=generator) * 3.8 - 1.9
    noise = torch.where(inputs[:, 0] < 0, 0.05, 0.5)
    losses = torch.sin(2 * inputs[:, 0]) + noise * torch.randn(2000, generator=generator)
    mean, aleatoric, epistemic = surrogate(inputs)
    within = ((losses - mean).abs() < (aleatoric**2 + epistemic**2).sqrt()).float().mean()
    assert 0.55 < float(within) < 0.9  # 0.68 for a perfect one


def test_epistemic_uncertainty_grows_away_from_the_data(noisy_line):
    surrogate, inputs, _ = noisy_line
    near = surrogate(inputs)[2].mean()
    far = surrogate(torch.tensor([[-6.0], [-5.0], [5.0], [6.0]]))[2].mean()
    assert float(far) > 1.3 * float(near)


def test_student_repeats_what_the_teacher_doubts(noisy_line):
    surrogate, _, _ = noisy_line
    points = torch.linspace(-5.5, 5.5, 77)[:, None]
    doubt = teacher_deviation(surrogate.teacher, points, 400, torch.Generator().manual_seed(6))
    assert np.corrcoef(doubt.log(), surrogate(points)[2].log())[0, 1] > 0.9


def test_homoscedastic_ablation_has_one_noise_for_all():
    generator = torch.Generator().manual_seed(7)
    inputs = torch.rand(100, 1, generator=generator) * 4 - 2
    losses = inputs[:, 0] + 0.3 * torch.randn(100, generator=generator)
    surrogate = fit_surrogate(inputs, losses, inputs, seed=0, heteroscedastic=False)
    mean, aleatoric, _ = surrogate(inputs)
    assert len(aleatoric.unique()) == 1
    assert 0.15 < float(aleatoric[0]) < 0.4
    assert float((mean - inputs[:, 0]).square().mean().sqrt()) < 0.3


def test_equal_seeds_give_equal_networks_and_the_global_generator_is_left_alone():
    inputs, losses = torch.randn(20, 3, generator=torch.Generator().manual_seed(8)), torch.arange(20.0)
    state = torch.random.get_rng_state()
    first, second, other = (fit_surrogate(inputs, losses, inputs, seed)(inputs) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], other[0])


def test_fit_of_one_repeated_point_is_finite():
    surrogate = fit_surrogate(torch.ones(6, 4), torch.tensor([1.0, -1, 1, -1, 1, -1]), torch.ones(3, 4), seed=0)
    mean, aleatoric, epistemic = surrogate(torch.ones(1, 4))
    assert float(mean) == pytest.approx(0, abs=0.5)
    assert float(aleatoric) == pytest.approx(1, abs=0.4)
    assert np.isfinite(float(epistemic))
