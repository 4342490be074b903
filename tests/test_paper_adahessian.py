"""AdaHessian and GOBI against functions whose curvature and minimum are known."""

import pytest
import torch

from flexibert.search.paper.adahessian import AdaHessian, hessian_diagonal
from flexibert.search.paper.gobi import minimise_input


def quadratic(hessian: torch.Tensor):
    return lambda point: 0.5 * point @ hessian @ point


def set_gradient(point: torch.Tensor, value: torch.Tensor) -> None:
    """What `value.backward(create_graph=True)` does, without its warning of a reference cycle."""
    point.grad = torch.autograd.grad(value, point, create_graph=True)[0]


def test_estimate_is_exact_for_a_diagonal_hessian():
    exact = torch.tensor([1.0, 20.0, 300.0], dtype=torch.double)
    point = torch.randn(3, dtype=torch.double, requires_grad=True)
    gradient = torch.autograd.grad(quadratic(exact.diag())(point), point, create_graph=True)
    estimate = hessian_diagonal(list(gradient), [point], torch.Generator().manual_seed(1))[0]
    torch.testing.assert_close(estimate, exact)


def test_estimate_is_unbiased_for_a_dense_hessian():
    generator = torch.Generator().manual_seed(2)
    root = torch.randn(5, 5, generator=generator, dtype=torch.double)
    hessian = root @ root.T
    point = torch.randn(5, generator=generator, dtype=torch.double).requires_grad_()
    gradient = torch.autograd.grad(quadratic(hessian)(point), point, create_graph=True)
    estimate = hessian_diagonal(list(gradient), [point], generator, samples=4000)[0]
    off_diagonal = hessian - hessian.diagonal().diag()
    deviation = off_diagonal.square().sum(dim=1).sqrt() / 4000**0.5  # of the estimate's mean, for random signs
    assert ((estimate - hessian.diagonal()).abs() < 4.5 * deviation).all()


def test_estimate_of_several_points_keeps_them_apart():
    curvature = torch.tensor([[1.0, 2.0], [30.0, 40.0]])
    points = torch.ones(2, 2, requires_grad=True)
    gradient = torch.autograd.grad((0.5 * curvature * points**2).sum(), points, create_graph=True)
    torch.testing.assert_close(hessian_diagonal(list(gradient), [points], torch.Generator())[0], curvature)


def test_estimate_is_zero_for_a_straight_function():
    point = torch.ones(3, requires_grad=True)
    gradient = torch.autograd.grad((point * point.detach()).sum() + 0 * point.pow(2).sum(), point, create_graph=True)
    assert hessian_diagonal(list(gradient), [point], torch.Generator())[0].tolist() == [0, 0, 0]


def test_one_step_without_averages_is_newtons():
    point = torch.tensor([3.0, -2.0, 1.0], requires_grad=True)
    optimiser = AdaHessian([point], learning_rate=1.0, betas=(0.0, 0.0), epsilon=0.0)
    set_gradient(point, quadratic(torch.tensor([1.0, 20.0, 300.0]).diag())(point))
    optimiser.step()
    torch.testing.assert_close(point.detach(), torch.zeros(3), atol=1e-6, rtol=0)


def test_hessian_power_zero_is_gradient_descent():
    point = torch.tensor([1.0, 1.0], requires_grad=True)
    optimiser = AdaHessian([point], learning_rate=0.1, betas=(0.0, 0.0), epsilon=0.0, hessian_power=0.0)
    set_gradient(point, quadratic(torch.tensor([1.0, 3.0]).diag())(point))
    optimiser.step()
    torch.testing.assert_close(point.detach(), torch.tensor([0.9, 0.7]))


def test_badly_scaled_valley_is_descended_evenly():
    point = torch.tensor([1.0, 1.0], requires_grad=True)
    optimiser = AdaHessian([point], learning_rate=0.1)
    for _ in range(100):
        optimiser.zero_grad()
        set_gradient(point, quadratic(torch.tensor([1e-2, 1e2]).diag())(point))
        optimiser.step()
    assert point.detach().abs().max() < 0.05


@pytest.mark.parametrize("second_order", [True, False])
def test_gobi_finds_the_minimum_inside_the_box_and_the_corner_outside_it(second_order):
    target = torch.tensor([0.5, 3.0])

    def bound(points: torch.Tensor) -> torch.Tensor:
        return ((points - target) ** 2 * torch.tensor([1.0, 5.0])).sum(dim=1)

    starts = torch.tensor([[-1.0, -1.0], [1.0, 0.0], [0.9, 0.9]])
    ends = minimise_input(
        bound, starts, torch.tensor([-1.0, -1.0]), torch.tensor([1.0, 1.0]), torch.Generator(), second_order, 60
    )
    torch.testing.assert_close(ends, torch.tensor([0.5, 1.0]).expand(3, 2), atol=0.1, rtol=0)
    assert starts[0].tolist() == [-1.0, -1.0]  # the starts are not moved themselves
