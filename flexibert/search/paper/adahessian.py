"""AdaHessian: Adam with the diagonal of the Hessian in place of the squared gradient.

Yao, Gholami, Shen, Mustafa, Keutzer, Mahoney, "ADAHESSIAN: An Adaptive Second Order Optimizer for Machine Learning",
AAAI 2021, Algorithm 1.
"""

from collections.abc import Iterable

import torch
from torch import Tensor


def hessian_diagonal(
    gradients: list[Tensor], parameters: list[Tensor], generator: torch.Generator, samples: int = 1
) -> list[Tensor]:
    """Hutchinson's estimate z * (H z) of the Hessian's diagonal, z of random signs (paper, eq. 7).

    Exact for a diagonal Hessian whatever z is; otherwise unbiased, with a variance of the off-diagonal part.

    Args:
        gradients: Gradients of one scalar, made with `create_graph=True`; any shapes.
        parameters: What they are gradients with respect to; same shapes.
        generator: Source of the signs.
        samples: Estimates that are averaged.

    Returns:
        One tensor a parameter, of its shape.
    """
    totals = [torch.zeros_like(parameter) for parameter in parameters]
    for _ in range(samples):
        signs = [
            torch.randint(0, 2, gradient.shape, generator=generator).to(gradient.dtype) * 2 - 1
            for gradient in gradients
        ]
        products = torch.autograd.grad(gradients, parameters, signs, retain_graph=True, materialize_grads=True)
        for total, sign, product in zip(totals, signs, products, strict=True):
            total += sign * product / samples
    return totals


class AdaHessian(torch.optim.Optimizer):
    """Second-order optimiser; the gradients it finds must have been made with `create_graph=True`.

    Unlike the paper there is no averaging over blocks of parameters: here the parameters are points in an embedding,
    whose coordinates are not alike.

    Args:
        parameters: Tensors to optimise.
        learning_rate: Step size where gradient and curvature are of equal size.
        betas: Decay of the moving averages of the gradient and of the squared Hessian diagonal.
        epsilon: Added to the curvature, which bounds the step where the function is straight.
        hessian_power: 1 is Newton-like, 0 is gradient descent (paper, section "Hessian power").
        generator: Source of Hutchinson's signs, for results that can be repeated.
        samples: Hutchinson estimates a step.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float = 0.15,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-4,
        hessian_power: float = 1.0,
        generator: torch.Generator | None = None,
        samples: int = 1,
    ) -> None:
        super().__init__(
            parameters, {"lr": learning_rate, "betas": betas, "epsilon": epsilon, "hessian_power": hessian_power}
        )
        self.generator = generator if generator is not None else torch.Generator().manual_seed(0)
        self.samples = samples

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter by its averaged gradient over its averaged curvature (paper, eq. 10 and 11)."""
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not moved:
                continue
            diagonals = hessian_diagonal([p.grad for p in moved], moved, self.generator, self.samples)
            first, second = group["betas"]
            with torch.no_grad():
                for parameter, diagonal in zip(moved, diagonals, strict=True):
                    state = self.state[parameter]
                    if not state:
                        state["steps"] = 0
                        state["gradient"] = torch.zeros_like(parameter)
                        state["curvature"] = torch.zeros_like(parameter)
                    state["steps"] += 1
                    state["gradient"].lerp_(parameter.grad, 1 - first)
                    state["curvature"].lerp_(diagonal**2, 1 - second)
                    gradient = state["gradient"] / (1 - first ** state["steps"])
                    curvature = (state["curvature"] / (1 - second ** state["steps"])).sqrt() ** group["hessian_power"]
                    parameter -= group["lr"] * gradient / (curvature + group["epsilon"])
