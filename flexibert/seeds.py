"""A seed has one root and many branches."""

import hashlib


def derive_seed(root: int, *parts: str | int) -> int:
    """Seed of one job from the root seed and the job's own name, stable across machines.

    Args:
        root: The experiment's seed (`seed` in the configuration).
        parts: The job's name, coarse to fine, e.g. ("finetune", model, recipe, task, trial).

    Returns:
        An integer in [0, 2**32), independent of every job that ran before.
    """
    text = "/".join(map(str, (root, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
