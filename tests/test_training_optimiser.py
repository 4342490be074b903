"""Schedule and AdamW."""

import pytest
import torch
from torch import nn

from flexibert.training.optimiser import AdamW, OptimiserSettings


def settings(**changes) -> OptimiserSettings:
    values = {
        "steps": 10,
        "warmup_steps": 4,
        "learning_rate": 0.1,
        "betas": (0.9, 0.98),
        "epsilon": 1e-6,
        "weight_decay": 0.01,
        "gradient_clip": None,
    }
    return OptimiserSettings(**values | changes)


def test_the_rate_rises_to_the_peak_and_falls_to_nothing():
    rates = [settings().rate(step) for step in range(1, 12)]
    # Warm-up: quarters of 0.1; then seven equal steps down from 0.1 at step 4 to 0 at step 11.
    expected = [0.025, 0.05, 0.075, 0.1, 0.6 / 7, 0.5 / 7, 0.4 / 7, 0.3 / 7, 0.2 / 7, 0.1 / 7, 0.0]
    assert rates == pytest.approx(expected)


def test_without_warm_up_the_first_step_has_the_peak_rate():
    assert settings(warmup_steps=0).rate(1) == 0.1
    assert settings(warmup_steps=0, steps=1).rate(1) == 0.1


def test_updates_equal_those_of_torch_optim():
    """`torch.optim.AdamW` is the reference; three steps on a module with matrices and vectors."""
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.Linear(4, 1))
    theirs = nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.Linear(4, 1))
    theirs.load_state_dict(ours.state_dict())
    optimiser = AdamW(ours, settings(weight_decay=0.3))
    matrices = [value for value in theirs.parameters() if value.ndim == 2]
    vectors = [value for value in theirs.parameters() if value.ndim == 1]
    reference = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.3}, {"params": vectors, "weight_decay": 0.0}],
        betas=(0.9, 0.98),
        eps=1e-6,
    )
    for step in range(1, 4):
        data = torch.randn(7, 5)
        for group in reference.param_groups:
            group["lr"] = settings().rate(step)
        for module in (ours, theirs):
            module(data).pow(2).mean().backward()
        optimiser.update(step)
        reference.step()
        reference.zero_grad()
    for left, right in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(left, right)


def test_decay_shrinks_matrices_and_spares_biases_and_norms():
    module = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    optimiser = AdamW(module, settings(weight_decay=0.5))
    for value in module.parameters():
        value.grad = torch.zeros_like(value)
    optimiser.update(4)  # at the peak rate
    for name, value in module.named_parameters():
        factor = 1 - 0.1 * 0.5 if value.ndim == 2 else 1.0
        torch.testing.assert_close(value.detach(), before[name] * factor)


def test_clipping_scales_the_whole_gradient_and_tells_its_norm():
    module = nn.Linear(2, 1, bias=False)
    module.weight.grad = torch.tensor([[3.0, 4.0]])
    assert AdamW(module, settings(gradient_clip=1.0)).clip().item() == pytest.approx(5.0)
    torch.testing.assert_close(module.weight.grad, torch.tensor([[0.6, 0.8]]), rtol=1e-5, atol=1e-5)


def test_a_gradient_below_the_limit_stays_as_it_is():
    module = nn.Linear(2, 1, bias=False)
    module.weight.grad = torch.tensor([[0.3, 0.4]])
    AdamW(module, settings(gradient_clip=1.0)).clip()
    assert torch.equal(module.weight.grad, torch.tensor([[0.3, 0.4]]))


def test_a_loaded_optimiser_goes_on_as_the_one_it_came_from():
    torch.manual_seed(0)
    modules = [nn.Linear(3, 2), nn.Linear(3, 2)]
    first, second = (AdamW(module, settings()) for module in modules)
    data = torch.randn(4, 3)
    modules[0](data).sum().backward()
    first.update(1)
    modules[1].load_state_dict(modules[0].state_dict())
    second.load(first.state())
    for module, optimiser in zip(modules, (first, second), strict=True):
        module(data).sum().backward()
        optimiser.update(2)
    for left, right in zip(modules[0].parameters(), modules[1].parameters(), strict=True):
        assert torch.equal(left, right)
