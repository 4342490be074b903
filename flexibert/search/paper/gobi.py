"""GOBI: gradient-based optimisation of a surrogate with respect to its input.

Tuli, Poojara, Srirama, Casale, Jennings, "COSCO", IEEE TPDS 2022; for architectures the FlexiBERT paper, Algorithm 1.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from flexibert.search.paper.adahessian import AdaHessian


def minimise_input(
    bound: Callable[[Tensor], Tensor],
    starts: Tensor,
    low: Tensor,
    high: Tensor,
    generator: torch.Generator,
    second_order: bool = True,
    steps: int = 40,
    learning_rate: float = 0.3,
) -> Tensor:
    """Walk downhill from all starts at once, under a cosine schedule, clipped to a box after each step.

    Args:
        bound: Value at each point, shape (points, dimensions) to (points,); each point's own, so that their sum has
            one gradient and one curvature a point.
        starts: Points to start from; shape (points, dimensions).
        low, high: Corners of the box; shape (dimensions,).
        generator: Source of the Hessian's random signs.
        second_order: AdaHessian; otherwise Adam, the paper's ablation.
        steps: Number of steps.
        learning_rate: At the first step; it falls to 0 along a cosine.

    Returns:
        Where each start ended; shape (points, dimensions), without gradient.
    """
    points = starts.clone().requires_grad_()
    optimiser: torch.optim.Optimizer
    if second_order:
        # The curvature of a bound passes through 0; epsilon keeps a step there from leaving the library at once.
        optimiser = AdaHessian([points], learning_rate, betas=(0.9, 0.99), epsilon=0.1, generator=generator)
    else:
        optimiser = torch.optim.Adam([points], lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=steps)
    for _ in range(steps):
        points.grad = torch.autograd.grad(bound(points).sum(), points, create_graph=second_order)[0]
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            points.copy_(points.clamp(low, high))
    return points.detach()
