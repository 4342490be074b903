"""Cross-entropy over a whole vocabulary, whose gradient takes no memory and one pass.

With 50,000 tokens the logits outweigh everything else in a training step of a small model; PyTorch's own function
goes over them more often (BENCHMARKS.md, "One training step of masked-language modelling").
"""

from typing import Any

import torch
from torch import Tensor

IGNORED = -100  # label of a position that is not predicted, PyTorch's own default


def summed_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Sum of the cross-entropies in nats, a scalar of at least single precision.

    A backward pass may be done once, also with `retain_graph`, and cannot be differentiated itself.

    Args:
        logits: Shape (rows, classes).
        labels: Class of each row; whole numbers of shape (rows,).
    """
    return _SummedCrossEntropy.apply(logits if logits.dtype == torch.float64 else logits.float(), labels)


class _SummedCrossEntropy(torch.autograd.Function):
    """The gradient, softmax minus one-hot, is made in place of the softmax that the forward pass keeps."""

    @staticmethod
    def forward(context: Any, logits: Tensor, labels: Tensor) -> Tensor:
        probabilities = torch.softmax(logits, dim=-1)
        # log sum exp from the likeliest class, whose probability never underflows; logsumexp would pass over all again
        total = logits.amax(-1) - probabilities.amax(-1).log() if len(logits) else logits.new_zeros(0)
        context.save_for_backward(probabilities, labels)
        return (total - logits.gather(-1, labels[:, None]).squeeze(-1)).sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        probabilities, labels = context.saved_tensors
        probabilities.scatter_add_(-1, labels[:, None], probabilities.new_full((len(labels), 1), -1.0))
        return probabilities.mul_(gradient), None
