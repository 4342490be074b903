"""The one training loop, of pre-training and of fine-tuning alike.

A step is a function of the weights and of its number alone: batches, masks and dropout are drawn from seeds derived
from the step. So a job that continues from a saved state goes the way of the unbroken one, bit for bit on a CPU, and
several processes compute the step that one process would.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from flexibert.log import Progress
from flexibert.seeds import derive_seed
from flexibert.training.hardware import CostMeter, Hardware
from flexibert.training.optimiser import AdamW, OptimiserSettings
from flexibert.training.state import StateKeeper

MEMORY = 0.9  # weight of the past in that running mean: it looks back about ten steps
LAST_STATE_SECONDS = 60.0  # a job that took longer saves its last state too, lest writing the results should fail


Row = dict[str, Any]  # of a history: numbers by name, None where there is none yet


class DivergenceError(RuntimeError):
    """Training has left all finite or useful values; the text says when and how."""


@dataclass(frozen=True)
class MicroBatch:
    """What one forward pass reads.

    Attributes:
        inputs: Arguments of the network; each tensor has shape (batch, ...).
        share: Weight of this pass's mean loss in the step's loss; the shares of a step sum to one.
        tokens: Tokens read, padding left out.
    """

    inputs: dict[str, Tensor]
    share: float
    tokens: int


@dataclass
class History:
    """What a job knows about its own past; JSON can hold it.

    Attributes:
        step: Optimiser steps done.
        tokens: Tokens read.
        rows: One a evaluation: step, tokens, learning_rate, train_loss (mean since the row before) and its figures.
        best_row: Position in `rows` of the best evaluation, or None where nothing is compared.
        first_loss, running_loss: For the detection of a divergence.
        loss_sum, loss_steps: Of the steps since the last evaluation.
    """

    step: int = 0
    tokens: int = 0
    rows: list[Row] = field(default_factory=list)
    best_row: int | None = None
    first_loss: float | None = None
    running_loss: float = 0.0
    loss_sum: float = 0.0
    loss_steps: int = 0

    def observe(self, loss: float, blow_up: float = math.inf) -> None:
        """Take in one step's loss; `blow_up` as in `Training`.

        Raises:
            DivergenceError: The loss is not finite or has blown up.
        """
        step = self.step + 1
        if not math.isfinite(loss):
            raise DivergenceError(f"the loss became {loss} at step {step}")
        if self.first_loss is None:
            self.first_loss = self.running_loss = loss
        self.running_loss = MEMORY * self.running_loss + (1 - MEMORY) * loss
        if self.running_loss > blow_up * self.first_loss + 1.0:  # + 1: a first loss near zero is no measure
            raise DivergenceError(f"the loss rose from {self.first_loss:.3g} to {loss:.3g} by step {step}")
        self.loss_sum += loss
        self.loss_steps += 1


class Training:
    """One job's training: `run` goes from the newest state, or the start, to the end.

    Args:
        network: Called with a micro-batch's inputs, returns something with a scalar `loss`; already on the device.
        settings: Steps, rates, clipping.
        batches: Micro-batches of optimiser step 1, 2, ...; over several processes, the same list in each.
        evaluate: Figures of the present weights (e.g. validation_loss), called after every `evaluate_every` steps
            and after the last.
        evaluate_every: Steps between evaluations.
        hardware: Where it runs.
        seed: Of the dropout.
        keeper: Where states are kept; None in all processes but the first.
        progress: Shown to people; None in all processes but the first.
        score: Name of the figure to maximise, whose best weights are kept; None keeps none.
        stop: Told the rows after each evaluation; True ends the training early.
        blow_up: Running mean of the loss, as a multiple of the first loss, that counts as a divergence.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: OptimiserSettings,
        batches: Callable[[int], list[MicroBatch]],
        evaluate: Callable[[], dict[str, float]],
        evaluate_every: int,
        hardware: Hardware,
        seed: int,
        keeper: StateKeeper | None,
        progress: Progress | None,
        score: str | None = None,
        stop: Callable[[list[Row]], bool] = lambda rows: False,
        blow_up: float = math.inf,
    ) -> None:
        self.network, self.settings, self.hardware, self.seed = network, settings, hardware, seed
        self.batches, self.evaluate, self.evaluate_every = batches, evaluate, evaluate_every
        self.keeper, self.progress, self.score = keeper, progress, score
        self.stop, self.blow_up = stop, blow_up
        self.optimiser = AdamW(network, settings)
        self.history = History()
        self.best: dict[str, Tensor] = {}
        self.start = {name: value.detach().cpu().clone() for name, value in self._weights().items()}
        self.meter = CostMeter(hardware)
        self._wrapped: nn.Module = network
        self._preparing: ThreadPoolExecutor | None = None

    def run(self) -> History:
        """Train to the end.

        Raises:
            DivergenceError: The history up to then stays in `history`; the weights are those before the failing step.
            SupersededError: Another process has taken over the job.
        """
        try:
            return self._run()
        finally:
            if self._preparing is not None:
                self._preparing.shutdown()

    def _run(self) -> History:
        self._resume()
        if self.hardware.processes > 1:
            self._wrapped = nn.parallel.DistributedDataParallel(self.network)
        self.network.train()
        while self.history.step < self.settings.steps and not self._stopped():
            self._step()
            if self.history.step % self.evaluate_every == 0 or self.history.step == self.settings.steps:
                self._evaluate()
            if self.keeper is not None and self.keeper.due(self.history.step):
                self._save(self.keeper)
        if self.keeper is not None and self.meter.seconds() > LAST_STATE_SECONDS:
            self._save(self.keeper)
        return self.history

    def use_best(self) -> None:
        """Put the best evaluated weights in place."""
        self._put(self.best)

    def drop_infinite_weights(self) -> None:
        """After a divergence, put the initial weights in place of weights that are not finite."""
        if not all(bool(value.isfinite().all()) for value in self._weights().values()):
            self._put(self.start)

    @torch.no_grad()
    def _put(self, weights: dict[str, Tensor]) -> None:
        for name, value in self._weights().items():
            value.copy_(weights[name])

    def _stopped(self) -> bool:
        rows = self.history.rows
        return bool(rows) and rows[-1]["step"] == self.history.step and self.stop(rows)

    def _step(self) -> None:
        """One optimiser step over this process's share of the micro-batches."""
        step = self.history.step + 1
        micro_batches = self._batches_of(step)
        mine = range(self.hardware.rank, len(micro_batches), self.hardware.processes)
        total = torch.zeros((), device=self.hardware.device)
        for position in mine:
            micro_batch = micro_batches[position]
            torch.manual_seed(derive_seed(self.seed, "dropout", step, position))
            inputs = {name: value.to(self.hardware.device) for name, value in micro_batch.inputs.items()}
            with self._apart() if position != mine[-1] else nullcontext():
                with self.hardware.autocast():
                    loss = self._wrapped(**inputs).loss.float() * micro_batch.share
                # Processes average their gradients, but shares are of the whole step.
                (loss * self.hardware.processes).backward()
            total += loss.detach()
        self._check_and_update(step, self._sum_over_processes(total))
        tokens = sum(micro_batch.tokens for micro_batch in micro_batches)
        self.history.step, self.history.tokens = step, self.history.tokens + tokens
        if self.progress is not None:
            pace = self.history.tokens / max(self.meter.seconds(), 1e-9)
            with suppress(OSError):  # progress.json on a full disk is no reason to stop
                self.progress.update(step, tokens_per_second=pace, loss=self.history.running_loss)

    def _apart(self) -> AbstractContextManager[Any]:
        """Context in which the processes do not yet exchange their gradients."""
        if isinstance(self._wrapped, nn.parallel.DistributedDataParallel):
            return self._wrapped.no_sync()
        return nullcontext()

    def _batches_of(self, step: int) -> list[MicroBatch]:
        """The micro-batches of a step; a GPU works on one step while the CPU prepares the next."""
        if self.hardware.device.type == "cpu":
            return self.batches(step)
        if self._preparing is None:
            self._preparing = ThreadPoolExecutor(1)
            self._next = self._preparing.submit(self.batches, step)
        ready = self._next.result()
        self._next = self._preparing.submit(self.batches, step + 1)
        return ready

    def _check_and_update(self, step: int, loss: Tensor) -> None:
        norm = self.optimiser.clip()
        self.history.observe(loss.item(), self.blow_up)
        if not math.isfinite(norm.item()):
            raise DivergenceError(f"the gradient's norm became {norm.item()} at step {step}")
        self.optimiser.update(step)

    def _sum_over_processes(self, value: Tensor) -> Tensor:
        if self.hardware.processes > 1:
            torch.distributed.all_reduce(value)
        return value

    def measure(self) -> Row:
        """Figures of the present weights, and where the training stands: a row of the history."""
        self.network.eval()
        with torch.inference_mode():
            figures = self.evaluate()
        self.network.train()
        history = self.history
        return {
            "step": history.step,
            "tokens": history.tokens,
            "learning_rate": self.settings.rate(history.step),
            "train_loss": history.loss_sum / history.loss_steps if history.loss_steps else None,
            **figures,
        }

    def _evaluate(self) -> None:
        """Add a row to the history; keep the weights if they are the best so far."""
        history, row = self.history, self.measure()
        history.rows.append(row)
        history.loss_sum, history.loss_steps = 0.0, 0
        if self.score is None:
            return
        if history.best_row is None or row[self.score] > history.rows[history.best_row][self.score]:
            history.best_row = len(history.rows) - 1
            self.best = {name: value.detach().clone() for name, value in self._weights().items()}

    def _weights(self) -> dict[str, Tensor]:
        """Parameters and buffers by name, shared ones once."""
        return dict(self.network.named_parameters()) | dict(self.network.named_buffers())

    def _save(self, keeper: StateKeeper) -> None:
        tensors = {f"network.{name}": value for name, value in self._weights().items()}
        tensors |= {f"optimiser.{name}": value for name, value in self.optimiser.state().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        facts = {"history": vars(self.history), "seconds": self.meter.seconds(), "joules": self.meter.joules()}
        keeper.save(self.history.step, tensors, facts)

    def _resume(self) -> None:
        """Take up the newest state, the same in every process."""
        found = self.keeper.newest() if self.keeper is not None else None
        if self.hardware.processes > 1:
            shared = [found]
            torch.distributed.broadcast_object_list(shared, src=0)
            found = shared[0]
        if found is None:
            return
        tensors, facts = found
        self._put(_under("network.", tensors))
        self.optimiser.load(_under("optimiser.", tensors))
        self.best = {name: value.to(self.hardware.device) for name, value in _under("best.", tensors).items()}
        self.history = History(**facts["history"])
        self.meter = CostMeter(self.hardware, facts["seconds"], facts["joules"])


def _under(prefix: str, tensors: dict[str, Any]) -> dict[str, Any]:
    """Entries whose name starts with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
