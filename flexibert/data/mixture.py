"""The order in which training sees the windows of several sources: a pure function of the seed and the position.

Nothing is stored, so a resumed run, a run on more processes, and an unbroken run see the same sequences.
"""

import numpy as np

from flexibert.seeds import derive_seed

CYCLE = 1000  # positions after which the sources' shares repeat; shares are exact to 0.1 %
FEISTEL_ROUNDS = 4  # enough for a pseudo-random permutation (Luby and Rackoff 1988)


class Mixture:
    """Which window of which source stands at which position of training.

    Every cycle of 1,000 positions holds each source in proportion to its weight, in shuffled order. Inside a source
    the windows come in an order shuffled anew each epoch; all are used before any is used again.

    Args:
        windows: Number of windows of each source.
        weights: Weight of each source; those without windows get no share.
        seed: Seed of the order.
    """

    def __init__(self, windows: list[int], weights: list[float], seed: int) -> None:
        self.windows = np.array(windows, np.int64)
        self.seed = seed
        quota = _quota(np.array(weights, float) * (self.windows > 0))
        self._quota = quota
        cycle = np.repeat(np.arange(len(quota)), quota)
        self._cycle = np.random.default_rng(derive_seed(seed, "mixture")).permutation(cycle)
        rank = np.empty(CYCLE, np.int64)  # how often the source stood before, in this cycle
        for source, count in enumerate(quota):
            rank[self._cycle == source] = np.arange(count)
        self._rank = rank

    def at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(source, window) at each position; integers of the shape of `positions`, which counts sequences from 0."""
        source = self._cycle[positions % CYCLE]
        ordinal = positions // CYCLE * self._quota[source] + self._rank[positions % CYCLE]
        window = np.empty_like(ordinal)
        for number in np.unique(source):
            here = source == number
            epochs, inside = np.divmod(ordinal[here], self.windows[number])
            chosen = np.empty_like(inside)
            for epoch in np.unique(epochs):
                key = derive_seed(self.seed, "epoch", int(number), int(epoch))
                chosen[epochs == epoch] = permuted(inside[epochs == epoch], int(self.windows[number]), key)
            window[here] = chosen
        return source, window


def _quota(weights: np.ndarray) -> np.ndarray:
    """Positions of each source in a cycle: by largest remainder, at least one where the weight is positive."""
    shares = weights / weights.sum() * CYCLE
    quota = np.floor(shares).astype(np.int64)
    quota[(weights > 0) & (quota == 0)] = 1
    order = np.argsort(-(shares - np.floor(shares)), kind="stable")
    for source in order[: max(0, CYCLE - quota.sum())]:
        quota[source] += 1
    quota[np.argmax(quota)] += CYCLE - quota.sum()
    return quota


def permuted(positions: np.ndarray, count: int, key: int) -> np.ndarray:
    """Where a pseudo-random permutation of 0..count-1 takes each position, without a table.

    A Feistel network permutes the next power of four; a value outside the range is sent through it again until it falls
    inside (cycle walking, Black and Rogaway 2002), which keeps the map one to one.
    """
    half = max(1, (int(count - 1).bit_length() + 1) // 2)
    mask = np.uint64((1 << half) - 1)
    keys = np.random.default_rng(key).integers(0, 2**64, FEISTEL_ROUNDS, dtype=np.uint64)
    values = positions.astype(np.uint64)
    outside = np.ones(values.shape, bool)
    while outside.any():
        left, right = values[outside] >> np.uint64(half), values[outside] & mask
        for round_key in keys:
            mixed = (right + round_key) * np.uint64(0x9E3779B97F4A7C15)
            mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
            left, right = right, left ^ ((mixed ^ (mixed >> np.uint64(32))) & mask)
        values[outside] = left << np.uint64(half) | right
        outside = values >= np.uint64(count)
    return values.astype(np.int64)
