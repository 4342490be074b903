"""A job's result files appear whole, under the name of one writer, or not at all."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from flexibert.errors import UsageError
from flexibert.training.state import StateKeeper


@contextmanager
def whole_results(out: str | Path, keeper: StateKeeper) -> Iterator[Path]:
    """Yield a new folder to fill; on success all that stands in it is renamed into `out`, then the state is removed.

    Two writers of one result never mix their bytes: each fills a folder of its own, and one that has lost its lease
    leaves nothing.

    Raises:
        UsageError: The disk is full or read-only; the training state is kept, so that nothing is lost.
        SupersededError: Another process has taken over the job.
    """
    out = Path(out)
    part = out.parent / f".{out.name}.{keeper.writer}.part"
    try:
        part.mkdir(parents=True)
        yield part
        keeper.check_lease()
        out.mkdir(parents=True, exist_ok=True)
        for path in sorted(part.iterdir()):
            if path.is_dir():
                shutil.rmtree(out / path.name, ignore_errors=True)
            os.replace(path, out / path.name)
    except (OSError, SafetensorError) as error:
        raise UsageError(_cannot_write(out, error)) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    keeper.clear()


def _cannot_write(out: Path, error: Exception) -> str:
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
    remedy = "free some space" if full else "make the folder writable"
    return f"{out}: results could not be written ({error}); {remedy} and start again, training continues where it was"
