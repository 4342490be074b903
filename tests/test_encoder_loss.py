"""The cross-entropy over a vocabulary against PyTorch's."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from flexibert.encoder.loss import summed_cross_entropy


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(0, 5),
    classes=st.integers(1, 300),
    scale=st.sampled_from([1e-3, 1.0, 30.0, 1e4]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 2**31),
)
def test_loss_and_gradient_are_pytorchs(rows, classes, scale, dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = (torch.randn(rows, classes, generator=generator, dtype=dtype) * scale).requires_grad_()
    labels = torch.randint(0, classes, (rows,), generator=generator)
    expected = cross_entropy(logits, labels, reduction="sum")
    loss = summed_cross_entropy(logits, labels)
    torch.testing.assert_close(loss, expected)
    wanted = torch.autograd.grad(3 * expected, logits)
    torch.testing.assert_close(torch.autograd.grad(3 * loss, logits), wanted)


def test_half_precision_is_summed_in_single():
    logits = torch.randn(7, 90).bfloat16().requires_grad_()
    loss = summed_cross_entropy(logits, torch.arange(7))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, cross_entropy(logits.float(), torch.arange(7), reduction="sum"))
    loss.backward()
    assert logits.grad.dtype == torch.bfloat16


def test_a_second_backward_is_refused_rather_than_wrong():
    loss = summed_cross_entropy(torch.randn(2, 5, requires_grad=True), torch.tensor([1, 2]))
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_values_that_are_not_finite_reach_the_loss():
    logits = torch.zeros(2, 4)
    logits[1, 2] = float("nan")
    assert summed_cross_entropy(logits, torch.tensor([0, 1])).isnan()
