"""What a job says while it works: its log file, its progress, and its mistakes in one sentence."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flexibert.errors import UsageError
from flexibert.files import write_json

FORMAT = "%(asctime)s %(name)s: %(message)s"


@contextmanager
def job_log(path: str | Path) -> Iterator[None]:
    """Send the job's logging to `path` and to standard error.

    A `UsageError` ends the job with exit code 1 and its sentences, without a traceback; anything else is a
    bug and keeps its traceback, in the log too.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [
        logging.FileHandler(path, mode="a", encoding="utf-8"),
        logging.StreamHandler(sys.stderr),
    ]
    logging.basicConfig(level=logging.INFO, format=FORMAT, datefmt="%Y-%m-%d %H:%M:%S", handlers=handlers, force=True)
    logger = logging.getLogger("flexibert")
    try:
        yield
    except UsageError as error:
        logger.error("%s", error)
        raise SystemExit(1) from None
    except Exception:
        logger.exception("the job failed")
        raise
    finally:
        logging.shutdown()


class Progress:
    """Progress of one long piece of work: a bar on a terminal, a line now and then in a log, a file for `status`.

    Args:
        name: What is being done, e.g. "pretrain 0a1b2c3d4e5f".
        total: Number of steps in all.
        file: Where the latest state is written for `flexibert status` (progress.json), or None.
        every_seconds: Least time between two lines or two writes of the file.
    """

    def __init__(self, name: str, total: int, file: str | Path | None = None, every_seconds: float = 10.0) -> None:
        self.name, self.total, self.file, self.every_seconds = name, total, file, every_seconds
        self._start = self._last = time.monotonic()
        self._first_step: int | None = None
        self._bar = None
        self._logger = logging.getLogger("flexibert.progress")
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=name, leave=False)

    def update(self, step: int, tokens_per_second: float | None = None, **figures: float) -> None:
        """Tell that `step` of `total` steps are done; `figures` (e.g. loss=3.2) are shown as they are."""
        if self._first_step is None:
            self._first_step = step - 1  # a resumed job starts in the middle
        if self._bar is not None:
            self._bar.n = step
            self._bar.set_postfix({key: f"{value:.4g}" for key, value in figures.items()})
        now = time.monotonic()
        if now - self._last < self.every_seconds and step < self.total:
            return
        self._last = now
        pace = (now - self._start) / max(1, step - self._first_step)
        seconds_left = round(pace * (self.total - step), 1)
        state = {"step": step, "steps": self.total, "seconds_left": seconds_left, **figures}
        if tokens_per_second is not None:
            state["tokens_per_second"] = round(tokens_per_second, 1)
        if self._bar is None:
            shown = ", ".join(f"{key} {value:.4g}" for key, value in state.items() if key not in ("step", "steps"))
            self._logger.info("%s: step %d of %d, %s", self.name, step, self.total, shown)
        if self.file is not None:
            host = os.uname().nodename
            write_json(self.file, {"name": self.name, "pid": os.getpid(), "host": host, "time": time.time(), **state})

    def close(self) -> None:
        """Remove the bar and the progress file: the work is over."""
        if self._bar is not None:
            self._bar.close()
        if self.file is not None:
            Path(self.file).unlink(missing_ok=True)
