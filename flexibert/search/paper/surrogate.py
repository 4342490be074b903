"""The paper's three surrogates: a mean with aleatoric noise, a teacher that doubts, a student that imitates the doubt.

FlexiBERT paper, Algorithm 1. All values are in standardised units: inputs with unit variance, losses (lower is better)
with mean 0 and standard deviation 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import silu, softplus

NOISE_FLOOR = 1e-3  # least variance of one evaluation; without it the likelihood of a fitted point is unbounded


def rectified_moments(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of max(0, x) for Gaussian x; any one shape (Wang, Shi, Yeung, NeurIPS 2016, section 3.2)."""
    deviation = variance.clamp_min(1e-12).sqrt()
    ratio = mean / deviation
    density = torch.exp(-0.5 * ratio**2) / math.sqrt(2 * math.pi)
    above = 0.5 * (1 + torch.erf(ratio / math.sqrt(2)))
    first = mean * above + deviation * density
    second = (mean**2 + variance) * above + mean * deviation * density
    return first, (second - first**2).clamp_min(0)


class NaturalParameterLayer(nn.Module):
    """Linear map whose weights and biases are independent Gaussians (Wang, Shi, Yeung, NeurIPS 2016, eq. 1-2)."""

    def __init__(self, fan_in: int, fan_out: int, generator: torch.Generator, weight_variance: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_in, fan_out, generator=generator) * math.sqrt(2.0 / fan_in))
        self.bias = nn.Parameter(torch.zeros(fan_out))
        raw = math.log(math.expm1(weight_variance / fan_in))  # softplus of it is the variance
        self.raw_weight_variance = nn.Parameter(torch.full((fan_in, fan_out), raw))
        self.raw_bias_variance = nn.Parameter(torch.full((fan_out,), raw))

    def forward(self, mean: Tensor, variance: Tensor | None) -> tuple[Tensor, Tensor]:
        """Moments of the output given those of the input, shape (points, fan_in); None is an input without noise."""
        spread = softplus(self.raw_weight_variance)
        out_variance = mean**2 @ spread + softplus(self.raw_bias_variance)
        if variance is not None:
            out_variance = out_variance + variance @ (spread + self.weight**2)
        return mean @ self.weight + self.bias, out_variance


class NaturalParameterNetwork(nn.Module):
    """Rectified layers through which a Gaussian is passed by its moments; its output is the loss of an evaluation.

    Args:
        sizes: Units of the input, of the hidden layers and of the output (1).
        generator: Source of the initial weights.
        weight_variance: Initial variance of the weights of a unit in all.
    """

    def __init__(self, sizes: list[int], generator: torch.Generator, weight_variance: float = 0.05) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            NaturalParameterLayer(fan_in, fan_out, generator, weight_variance) for fan_in, fan_out in pairwise(sizes)
        )

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and aleatoric variance; shape (points, dimensions) to (points,) each."""
        mean, variance = self.layers[0](inputs, None)
        for layer in self.layers[1:]:
            mean, variance = layer(*rectified_moments(mean, variance))
        return mean[:, 0], variance[:, 0] + NOISE_FLOOR


class Perceptron(nn.Module):
    """Plain network with smooth activations, so that its curvature with respect to the input is not zero.

    With a dropout rate it is the teacher: the hidden units are dropped when it is asked too (Gal, Ghahramani, 2016).
    """

    def __init__(self, sizes: list[int], generator: torch.Generator, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.weights = nn.ParameterList(
            torch.randn(fan_in, fan_out, generator=generator) * math.sqrt(2.0 / fan_in)
            for fan_in, fan_out in pairwise(sizes)
        )
        self.biases = nn.ParameterList(torch.zeros(fan_out) for fan_out in sizes[1:])

    def masks(self, shape: tuple[int, ...], generator: torch.Generator) -> list[Tensor]:
        """Dropout masks of each hidden layer, of shape (*shape, units), kept units scaled up."""
        keep = 1 - self.dropout
        return [(torch.rand(*shape, len(bias), generator=generator) < keep).float() / keep for bias in self.biases[:-1]]

    def forward(self, inputs: Tensor, masks: list[Tensor] | None = None) -> Tensor:
        """Value at each point; shape (..., points, dimensions) to (..., points), masks broadcast on the left."""
        hidden = inputs
        for depth, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = hidden @ weight + bias
            if depth < len(self.weights) - 1:
                hidden = silu(hidden)
                if masks is not None:
                    hidden = hidden * masks[depth]
        return hidden[..., 0]


@dataclass(frozen=True)
class SurrogateSettings:
    """Sizes and lengths of training; unlike the paper's code all data are one batch and all steps one tensor each.

    Attributes:
        width: Units of each hidden layer.
        noise_steps: Steps of Adam for mean and noise without any data, one more for every `noise_rate` evaluations:
            a network that trains longer than its data warrant takes what it has fitted for free of noise.
        noise_rate: See `noise_steps`.
        teacher_steps, student_steps: Steps of Adam for the other networks.
        learning_rate: Of Adam, falling to 0 along a cosine.
        weight_decay: Of AdamW; the data are few.
        dropout: Share of hidden units that the teacher drops.
        samples: Networks drawn from the teacher; the deviation of their answers is the epistemic uncertainty.
        student_points: Library points on which the student hears the teacher.
    """

    width: int = 64
    noise_steps: int = 30
    noise_rate: int = 4
    teacher_steps: int = 100
    student_steps: int = 80
    learning_rate: float = 0.02
    weight_decay: float = 0.3
    dropout: float = 0.5
    samples: int = 50
    student_points: int = 512

    def steps_of(self, evaluations: int) -> int:
        """Steps for the network of mean and noise."""
        return self.noise_steps + evaluations // self.noise_rate


@dataclass(frozen=True)
class NeuralSurrogate:
    """The fitted networks; all of them answer in one differentiable call.

    Attributes:
        noise: f of the paper: mean and aleatoric variance. A plain network in the homoscedastic ablation.
        teacher: g of the paper, with dropout.
        student: h of the paper: the logarithm of the teacher's deviation.
        constant_noise: Standard deviation of the noise in the homoscedastic ablation, else None.
    """

    noise: NaturalParameterNetwork | Perceptron
    teacher: Perceptron
    student: Perceptron
    constant_noise: float | None = None

    def __call__(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean loss, aleatoric and epistemic standard deviation; shape (points, dimensions) to (points,) each."""
        epistemic = self.student(inputs).clamp(-7, 3).exp()
        if self.constant_noise is not None:
            mean = self.noise(inputs)
            return mean, torch.full_like(mean, self.constant_noise), epistemic
        mean, variance = self.noise(inputs)
        return mean, variance.sqrt(), epistemic


def fit_surrogate(
    inputs: Tensor,
    losses: Tensor,
    library: Tensor,
    seed: int,
    heteroscedastic: bool = True,
    settings: SurrogateSettings | None = None,
) -> NeuralSurrogate:
    """Train the three networks.

    Args:
        inputs: Embeddings of the evaluated models, one row an evaluation; shape (evaluations, dimensions).
        losses: Their losses; shape (evaluations,).
        library: Embeddings on which the student learns; shape (points, dimensions).
        seed: Of initial weights and dropout.
        heteroscedastic: False gives the ablation: a plain network trained by least squares and one constant noise.
        settings: Sizes and steps; the defaults suit tens to hundreds of evaluations.
    """
    settings = settings or SurrogateSettings()
    generator = torch.Generator().manual_seed(seed)
    sizes = [inputs.shape[1], settings.width, settings.width, 1]
    noise, constant = (
        (_fit_noise(inputs, losses, sizes, generator, settings), None)
        if heteroscedastic
        else _fit_plain(inputs, losses, sizes, generator, settings)
    )
    teacher = Perceptron(sizes, generator, settings.dropout)
    for _ in _steps(teacher, settings.teacher_steps, settings):
        masks = teacher.masks((len(inputs),), generator)
        (teacher(inputs, masks) - losses).square().mean().backward()
    heard = library[torch.randperm(len(library), generator=generator)[: settings.student_points]]
    heard = torch.cat([inputs, heard])
    doubt = teacher_deviation(teacher, heard, settings.samples, generator).log()
    student = Perceptron(sizes, generator)
    for _ in _steps(student, settings.student_steps, settings):
        (student(heard) - doubt).square().mean().backward()
    for network in (noise, teacher, student):
        network.requires_grad_(False)  # GOBI freezes them and moves the input
    return NeuralSurrogate(noise, teacher, student, constant)


def teacher_deviation(teacher: Perceptron, inputs: Tensor, samples: int, generator: torch.Generator) -> Tensor:
    """Standard deviation over networks drawn by dropout, each the same for all points; shape (points,)."""
    with torch.no_grad():
        answers = teacher(inputs.expand(samples, *inputs.shape), teacher.masks((samples, 1), generator))
        return answers.std(dim=0).clamp_min(1e-3)


def _fit_noise(
    inputs: Tensor, losses: Tensor, sizes: list[int], generator: torch.Generator, settings: SurrogateSettings
) -> NaturalParameterNetwork:
    """Maximise the Gaussian likelihood with the network's own variance (paper, Algorithm 1)."""
    network = NaturalParameterNetwork(sizes, generator)
    for _ in _steps(network, settings.steps_of(len(losses)), settings):
        mean, variance = network(inputs)
        (0.5 * variance.log() + 0.5 * (losses - mean) ** 2 / variance).mean().backward()
    return network


def _fit_plain(
    inputs: Tensor, losses: Tensor, sizes: list[int], generator: torch.Generator, settings: SurrogateSettings
) -> tuple[Perceptron, float]:
    """Least squares, and the deviation of what is left over as the noise of every evaluation."""
    network = Perceptron(sizes, generator)
    for _ in _steps(network, settings.steps_of(len(losses)), settings):
        (network(inputs) - losses).square().mean().backward()
    with torch.no_grad():
        return network, float((network(inputs) - losses).square().mean().add(NOISE_FLOOR).sqrt())


def _steps(network: nn.Module, steps: int, settings: SurrogateSettings) -> Iterator[None]:
    """Yield once a step, before which gradients are empty and after which AdamW moves along those left there."""
    weights = [value for name, value in network.named_parameters() if "weight" in name and "variance" not in name]
    others = [value for name, value in network.named_parameters() if "weight" not in name or "variance" in name]
    # Decay would pull the raw variances to softplus(0), which is not small but large.
    groups: list[dict[str, Any]] = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * (1 + math.cos(math.pi * step / steps)) / 2
        optimiser.zero_grad()
        yield
        nn.utils.clip_grad_norm_(weights + others, 5.0)  # one outlier under a small variance must not undo the training
        optimiser.step()
