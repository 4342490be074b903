"""AdamW and its schedule, as BERT's descendants use them."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from flexibert.settings import FinetuneSettings, PretrainSettings


@dataclass(frozen=True)
class OptimiserSettings:
    """How weights are updated.

    Attributes:
        steps: Optimiser steps in all; the rate decays linearly to zero over them.
        warmup_steps: Steps of linear warm-up to the peak.
        learning_rate: Peak rate.
        betas: Decay of the running mean and of the running square of the gradient; each in [0, 1).
        epsilon: Added to the root of the running square.
        weight_decay: Decoupled decay (Loshchilov and Hutter, 2019), not on biases and LayerNorm.
        gradient_clip: Largest norm of the whole gradient, or None.
    """

    steps: int
    warmup_steps: int
    learning_rate: float
    betas: tuple[float, float]
    epsilon: float
    weight_decay: float
    gradient_clip: float | None

    @classmethod
    def of_section(
        cls, settings: PretrainSettings | FinetuneSettings, steps: int, warmup_steps: int, learning_rate: float
    ) -> "OptimiserSettings":
        """What a section says of all trainings alike, with the steps and the peak rate of one."""
        return cls(
            steps=steps,
            warmup_steps=warmup_steps,
            learning_rate=learning_rate,
            betas=settings.betas,
            epsilon=settings.epsilon,
            weight_decay=settings.weight_decay,
            gradient_clip=settings.gradient_clip,
        )

    def rate(self, step: int) -> float:
        """Learning rate of optimiser step `step`, counted from 1 to `steps`.

        It rises linearly to the peak at step `warmup_steps` (or 1) and then falls linearly, so that it would be zero
        at step `steps` + 1: the first and the last update are never wasted on a rate of zero.
        """
        if step < self.warmup_steps:
            return self.learning_rate * step / self.warmup_steps
        peak_step = max(1, self.warmup_steps)
        return self.learning_rate * max(0, self.steps - step + 1) / max(1, self.steps - peak_step + 1)


class AdamW:
    """AdamW over a module's trainable parameters, whose state is plain named tensors.

    It calls torch's own fused kernel through `torch.optim.adamw.adamw`. The class `torch.optim.AdamW` is not used
    because its constructor imports the compiler (measured: 1.5 s, in every one of a search's many jobs).
    """

    def __init__(self, module: nn.Module, settings: OptimiserSettings) -> None:
        self.settings = settings
        self.parameters = {name: value for name, value in module.named_parameters() if value.requires_grad}
        self.first = {name: torch.zeros_like(value) for name, value in self.parameters.items()}
        self.second = {name: torch.zeros_like(value) for name, value in self.parameters.items()}
        self.counts = {
            name: torch.zeros((), dtype=torch.float32, device=value.device) for name, value in self.parameters.items()
        }
        # Vectors are biases and the scales and shifts of LayerNorm.
        self.groups = [
            ([name for name, value in self.parameters.items() if value.ndim >= 2], settings.weight_decay),
            ([name for name, value in self.parameters.items() if value.ndim < 2], 0.0),
        ]

    def clip(self) -> Tensor:
        """Norm of the whole gradient before clipping (a scalar tensor); the gradient is scaled down in place."""
        gradients = [value.grad for value in self.parameters.values() if value.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if self.settings.gradient_clip is not None:
            torch.nn.utils.clip_grads_with_norm_(self.parameters.values(), self.settings.gradient_clip, norm)
        return norm

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Apply the gradients as optimiser step `step` (counted from 1) and forget them."""
        for names, decay in self.groups:
            moved = {name: grad for name in names if (grad := self.parameters[name].grad) is not None}
            adamw(
                [self.parameters[name] for name in moved],
                list(moved.values()),
                [self.first[name] for name in moved],
                [self.second[name] for name in moved],
                [],
                [self.counts[name] for name in moved],
                fused=True,
                amsgrad=False,
                beta1=self.settings.betas[0],
                beta2=self.settings.betas[1],
                lr=self.settings.rate(step),
                weight_decay=decay,
                eps=self.settings.epsilon,
                maximize=False,
            )
        for value in self.parameters.values():
            value.grad = None

    def state(self) -> dict[str, Tensor]:
        """The optimiser's tensors, named; not copies."""
        moments = {f"first.{name}": value for name, value in self.first.items()}
        moments |= {f"second.{name}": value for name, value in self.second.items()}
        return moments | {f"count.{name}": value for name, value in self.counts.items()}

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        """Take back what `state` gave; other names in `state` are ignored."""
        for name, value in self.state().items():
            value.copy_(state[name])
