"""Batches of a labelled task: rows of like length together, padded to the longest of the batch; and its answers."""

import numpy as np
import torch
from torch import Tensor

from flexibert.data.tasks import TaskData
from flexibert.encoder.network import SequenceClassifier
from flexibert.seeds import derive_seed
from flexibert.training.hardware import Hardware
from flexibert.training.loop import DivergenceError, MicroBatch
from flexibert.training.metrics import Answers

EVALUATION_ROWS = 256  # rows a forward pass of an evaluation
POOL = 16  # batches' worth of rows that are sorted by length together: little padding, yet well mixed


class Epochs:
    """The training rows in batches, shuffled anew each epoch; every batch is a function of seed and step.

    Args:
        data: Training rows.
        batch: Rows an optimiser step; the last of an epoch may have fewer.
        micro_batch: Rows a forward pass, at most.
        seed: Of the order.
    """

    def __init__(self, data: TaskData, batch: int, micro_batch: int, seed: int) -> None:
        self.data, self.batch, self.micro_batch, self.seed = data, batch, micro_batch, seed
        self.lengths = np.diff(data.offsets)
        self.steps = -(-len(data) // batch)
        self._order: tuple[int, list[np.ndarray]] = (-1, [])

    def micro_batches(self, step: int) -> list[MicroBatch]:
        """The micro-batches of optimiser step `step`, counted from 1 over all epochs; a row weighs the same in any."""
        epoch, batch = divmod(step - 1, self.steps)
        if self._order[0] != epoch:
            self._order = (epoch, self._shuffled(epoch))
        rows = self._order[1][batch]
        return [
            MicroBatch(inputs_of(self.data, piece), len(piece) / len(rows), int(self.lengths[piece].sum()))
            for piece in _pieces(rows, self.micro_batch)
        ]

    def _shuffled(self, epoch: int) -> list[np.ndarray]:
        """Row numbers of each batch of an epoch."""
        generator = np.random.default_rng(derive_seed(self.seed, "order", epoch))
        order = generator.permutation(len(self.data))
        pools = [pool[np.argsort(self.lengths[pool], kind="stable")] for pool in _pieces(order, POOL * self.batch)]
        batches = _pieces(np.concatenate(pools), self.batch)
        return [batches[number] for number in generator.permutation(len(batches))]


def inputs_of(data: TaskData, rows: np.ndarray) -> dict[str, Tensor]:
    """input_ids, attention_mask (absent where nothing is padded) and labels of some rows."""
    ids, mask = data.batch(rows)
    inputs = {"input_ids": torch.from_numpy(ids), "labels": torch.from_numpy(data.labels[rows])}
    if not mask.all():
        inputs["attention_mask"] = torch.from_numpy(mask)
    return inputs


def by_length(data: TaskData, batch: int) -> list[np.ndarray]:
    """Row numbers of the batches of an evaluation: every row once, the longest first."""
    return _pieces(np.argsort(-np.diff(data.offsets), kind="stable"), batch)


def answers_of(network: SequenceClassifier, data: TaskData, hardware: Hardware) -> Answers:
    """What the present weights answer to every row, in the order of the rows.

    Raises:
        DivergenceError: An output is not finite.
    """
    outputs = np.empty((len(data), data.facts["outputs"]), dtype=np.float32)
    for rows in by_length(data, EVALUATION_ROWS):
        inputs = {name: value.to(hardware.device) for name, value in inputs_of(data, rows).items() if name != "labels"}
        with hardware.autocast():
            logits = network(**inputs).logits
        outputs[rows] = logits.float().cpu().numpy()
    if not np.isfinite(outputs).all():
        raise DivergenceError("outputs of an evaluation are not finite")
    return Answers(outputs, data.labels, data.groups, data.overlaps)


def _pieces(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[first : first + size] for first in range(0, len(rows), size)]
