"""The training loop, on a network small enough to follow by hand."""

import json
from collections import namedtuple

import pytest
import torch
from torch import nn

from flexibert.log import Progress
from flexibert.training.hardware import Hardware
from flexibert.training.loop import DivergenceError, History, MicroBatch, Training
from flexibert.training.optimiser import OptimiserSettings
from flexibert.training.state import StateKeeper

CPU = Hardware(torch.device("cpu"), "float32", threads=1)
Output = namedtuple("Output", "loss")


class Line(nn.Module):
    """y = w x with dropout on x, and its squared error."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 3))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> Output:
        return Output((self.dropout(x) @ self.weight.T - y).pow(2).mean())


def data_of(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(8, 3, generator=generator)
    return x, x @ torch.tensor([[1.0], [-2.0], [3.0]])


def batches_of(size: int):
    """Eight rows a step, in micro-batches of `size`."""

    def batches(step: int) -> list[MicroBatch]:
        x, y = data_of(step)
        pieces = [slice(first, first + size) for first in range(0, 8, size)]
        return [MicroBatch({"x": x[piece], "y": y[piece]}, size / 8, size) for piece in pieces]

    return batches


def training_of(network: nn.Module, steps: int = 20, **changes) -> Training:
    settings = OptimiserSettings(steps, 2, 0.3, (0.9, 0.98), 1e-6, 0.01, 1.0)
    arguments = {
        "network": network,
        "settings": settings,
        "batches": batches_of(8),
        "evaluate": lambda: {"score": -float((network.weight - torch.tensor([1.0, -2.0, 3.0])).pow(2).sum())},
        "evaluate_every": 5,
        "hardware": CPU,
        "seed": 1,
        "keeper": None,
        "progress": None,
    }
    return Training(**arguments | changes)


def test_it_learns_and_writes_a_row_an_evaluation():
    network = Line()
    history = training_of(network, steps=60).run()
    assert [row["step"] for row in history.rows] == list(range(5, 61, 5))
    assert history.rows[-1]["tokens"] == 60 * 8
    assert history.rows[-1]["train_loss"] < 0.05 * history.rows[0]["train_loss"]
    assert history.rows[-1]["score"] > history.rows[0]["score"]


def test_the_last_step_is_evaluated_too():
    assert [row["step"] for row in training_of(Line(), steps=7).run().rows] == [5, 7]


@pytest.mark.parametrize("size", [1, 4])
def test_accumulated_micro_batches_equal_the_whole_batch(size):
    whole, pieces = Line(), Line()
    training_of(whole).run()
    training_of(pieces, batches=batches_of(size)).run()
    torch.testing.assert_close(pieces.weight, whole.weight, rtol=1e-4, atol=1e-5)


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("at", [1, 7, 10, 19])
def test_a_killed_training_goes_on_to_the_same_bits(tmp_path, at):
    def keeper() -> StateKeeper:
        return StateKeeper(tmp_path, "job", every_steps=3, every_minutes=60)

    unbroken = training_of(Line(dropout=0.5), score="score")
    unbroken.run()

    def dies(step: int) -> list[MicroBatch]:
        if step > at:
            raise Killed
        return batches_of(8)(step)

    with pytest.raises(Killed):
        training_of(Line(dropout=0.5), batches=dies, keeper=keeper(), score="score").run()
    resumed = training_of(Line(dropout=0.5), keeper=keeper(), score="score")
    resumed.run()
    assert torch.equal(resumed.network.weight, unbroken.network.weight)
    assert torch.equal(resumed.best["weight"], unbroken.best["weight"])
    assert resumed.history == unbroken.history


def test_the_best_weights_are_kept():
    network = Line()
    scores = iter([1.0, 3.0, 2.0, 3.0])
    seen = []

    def evaluate() -> dict[str, float]:
        seen.append(network.weight.detach().clone())
        return {"score": next(scores)}

    training = training_of(network, evaluate=evaluate, score="score")
    history = training.run()
    assert history.best_row == 1
    training.use_best()
    assert torch.equal(network.weight, seen[1])


def test_it_stops_when_told():
    history = training_of(Line(), stop=lambda rows: len(rows) == 2).run()
    assert history.step == 10


def test_dropout_is_on_in_training_and_off_in_evaluation():
    network, modes = Line(dropout=0.5), []

    def evaluate() -> dict[str, float]:
        modes.append(network.training)
        return {}

    training_of(network, evaluate=evaluate).run()
    assert modes == [False] * 4
    assert network.training


def test_a_loss_that_is_no_number_is_a_divergence_and_the_weights_stay_finite():
    def batches(step: int) -> list[MicroBatch]:
        x, y = data_of(step)
        return [MicroBatch({"x": x * float("nan") if step == 8 else x, "y": y}, 1.0, 8)]

    training = training_of(Line(), batches=batches)
    with pytest.raises(DivergenceError, match="the loss became nan at step 8"):
        training.run()
    assert training.history.step == 7
    assert training.network.weight.isfinite().all()


def test_a_gradient_that_is_no_number_is_a_divergence():
    class Root(Line):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> Output:
            return Output((self.weight * 0).sum().sqrt())  # its derivative at zero is infinite

    with pytest.raises(DivergenceError, match="gradient"):
        training_of(Root()).run()


def test_a_loss_that_blows_up_is_a_divergence():
    def batches(step: int) -> list[MicroBatch]:
        x, y = data_of(step)
        return [MicroBatch({"x": x, "y": y * 3**step}, 1.0, 8)]

    with pytest.raises(DivergenceError, match="the loss rose from"):
        training_of(Line(), batches=batches, blow_up=1.5).run()
    training_of(Line(), batches=batches).run()


def test_one_bad_step_is_no_divergence():
    history = History()
    for loss in [8.0, 7.0, 30.0, 7.0, 6.0]:
        history.observe(loss, blow_up=1.5)


def test_weights_that_overflow_are_replaced_by_the_initial_ones():
    training = training_of(Line())
    start = training.network.weight.detach().clone()
    with torch.no_grad():
        training.network.weight[0, 1] = float("inf")
    training.drop_infinite_weights()
    assert torch.equal(training.network.weight, start)


def test_progress_tells_step_loss_pace_and_time_left(tmp_path):
    progress = Progress("line", 20, tmp_path / "progress.json", every_seconds=0)
    training_of(Line(), progress=progress).run()
    told = json.loads((tmp_path / "progress.json").read_text())
    assert told["step"] == told["steps"] == 20
    assert told["tokens_per_second"] > 0
    assert told["seconds_left"] == 0
    assert told["loss"] < 30


def test_bfloat16_trains_to_nearly_the_same_weights():
    precise, coarse = Line(), Line()
    training_of(precise, steps=60).run()
    training_of(coarse, steps=60, hardware=Hardware(torch.device("cpu"), "bfloat16", threads=1)).run()
    torch.testing.assert_close(coarse.weight, precise.weight, rtol=0.1, atol=0.1)
    assert coarse.weight.dtype == torch.float32
