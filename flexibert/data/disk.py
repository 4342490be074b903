"""Enough room on a disk is asked for before the work, not discovered in the middle of it."""

import shutil
from pathlib import Path

from flexibert.errors import CorpusError


def require_space(folder: str | Path, needed: int, what: str) -> None:
    """Check that the disk of `folder` has room for a result.

    Args:
        folder: Where the result goes; its nearest existing parent decides which disk.
        needed: Bytes, estimated from above.
        what: The result's name in the sentence, e.g. "the token shard train-000.bin".

    Raises:
        CorpusError: Less than `needed` bytes are free.
    """
    there = Path(folder).absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < needed:
        raise CorpusError(
            f"{there}: {free / 1e6:,.0f} MB are free, {what} needs about {needed / 1e6:,.0f} MB; free some space or "
            "put the results folder on a larger disk"
        )
