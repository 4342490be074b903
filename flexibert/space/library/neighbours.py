"""Nearest models by biased overlap: the longer the common beginning of two models, the nearer they are.

The overlap of two graphs is the length of the common prefix of their operation lists, from the input on, because
weights can be transferred up to the first difference (paper: weight transfer); ties are broken by embedding distance.
"""

from collections.abc import Sequence

import numpy as np

from flexibert.space.architecture import Architecture


def overlap(a: Architecture, b: Architecture) -> int:
    """Length of the common prefix of two operation lists; at most the length of the shorter one."""
    length = 0
    for mine, theirs in zip(a.labels, b.labels, strict=False):
        if mine != theirs:
            break
        length += 1
    return length


def nearest(architectures: Sequence[Architecture], embedding: np.ndarray, count: int = 100) -> np.ndarray:
    """For each model the `count` others of greatest overlap, ties by embedding distance, then by position.

    Models are sorted by their operation lists, which puts those with a common prefix side by side; each model then
    looks only at the run around it that holds enough others.

    Args:
        architectures: The models, all different.
        embedding: Their coordinates; shape (models, dimensions).
        count: Neighbours wanted; fewer are given where there are not so many models.

    Returns:
        Positions of the neighbours, nearest first; int32, shape (models, min(count, models - 1)).
    """
    total = len(architectures)
    count = min(count, total - 1)
    if count < 1:
        return np.empty((total, 0), np.int32)
    codes: dict[str, int] = {}
    lists = [tuple(codes.setdefault(label, len(codes)) for label in a.labels) for a in architectures]
    order = np.array(sorted(range(total), key=lists.__getitem__))
    shared = np.array([_prefix(lists[order[k]], lists[order[k + 1]]) for k in range(total - 1)], dtype=np.int64)
    coordinates = np.asarray(embedding, dtype=np.float64)
    found = np.empty((total, count), np.int32)
    for k in range(total):
        left, right, overlaps = _run(shared, k, count)
        near = order[np.r_[left:k, k + 1 : right + 1]]
        separation = np.square(coordinates[near] - coordinates[order[k]]).sum(axis=1)
        found[order[k]] = near[np.lexsort((near, separation, -overlaps))[:count]]
    return found


def _prefix(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    return next((k for k, (mine, theirs) in enumerate(zip(a, b, strict=False)) if mine != theirs), min(len(a), len(b)))


def _run(shared: np.ndarray, k: int, count: int) -> tuple[int, int, np.ndarray]:
    """The sorted models around position k that can be among its neighbours: first, last, and their overlaps with it."""
    reach = count
    while True:
        start, stop = max(0, k - reach), min(len(shared), k + reach)
        left = np.minimum.accumulate(shared[start:k][::-1])[::-1]
        right = np.minimum.accumulate(shared[k:stop])
        both = np.concatenate([left, right])
        least = np.partition(both, len(both) - count)[len(both) - count]
        closed_left = start == 0 or left[0] < least
        closed_right = stop == len(shared) or right[-1] < least
        if closed_left and closed_right:
            first = int(np.searchsorted(left, least))
            last = int(np.searchsorted(-right, -least, side="right"))
            return start + first, k + last, np.concatenate([left[first:], right[:last]])
        reach *= 2
