"""A training job's state on disk: written whole, checked when read, owned by one writer at a time.

States live in a resume folder that is no output of any rule, since Snakemake deletes outputs before a job starts.
Everything random in a job follows from its seed and the number of the step, so the step is all the random state
there is.
"""

import hashlib
import json
import logging
import os
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from flexibert.errors import UsageError
from flexibert.files import file_digest, read_json, write_json

logger = logging.getLogger(__name__)

KEEP = 2  # newest states on disk: one to continue from, one to fall back to
LEASE_SECONDS = 5.0  # least time between two looks at the lease
DIGEST_LENGTH = 16  # hexadecimal digits of a state's SHA-256 in its name


class SupersededError(RuntimeError):
    """Another process has taken over this job; this one must stop without writing a result."""


def identity_of(**parts: Any) -> str:
    """Digest of all that decides a job's result; a state with another identity is of another job."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


class StateKeeper:
    """Keeps the newest states of one job in `folder`.

    Args:
        folder: The job's resume folder; made when first needed, removed by `clear`.
        identity: What decides the job's result, see `identity_of`.
        every_steps: Steps between two states.
        every_minutes: Longest time between two states.

    Raises:
        UsageError: The folder cannot be written.
    """

    def __init__(self, folder: str | Path, identity: str, every_steps: int, every_minutes: float) -> None:
        self.folder = Path(folder)
        self.identity = identity
        self.every_steps, self.every_seconds = every_steps, 60.0 * every_minutes
        self.writer = f"{os.uname().nodename}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._last_save = self._last_look = time.monotonic()
        self._claim()

    @property
    def lease(self) -> Path:
        """File that names the one process that may write here."""
        return self.folder / "lease.json"

    def _claim(self) -> None:
        """Take the folder over: a twin left by a killed run finds out at its next look and stops."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(self.lease, {"writer": self.writer, "time": time.time()})
        except OSError as error:
            raise UsageError(
                f"{self.folder}: the resume folder cannot be written ({error}); make it writable"
            ) from error
        for part in self.folder.glob(".state-*.part"):  # half a state of a writer that is gone, or must go
            part.unlink(missing_ok=True)

    def check_lease(self) -> None:
        """Raises SupersededError if another process has claimed the folder since. A deleted folder is not a claim."""
        self._last_look = time.monotonic()
        try:
            holder = read_json(self.lease)["writer"]
        except (OSError, ValueError, KeyError):
            return
        if holder != self.writer:
            raise SupersededError(f"{self.folder}: this job was taken over by {holder}; stopping without a result")

    def due(self, step: int) -> bool:
        """Whether a state should be saved after `step`; looks at the lease now and then."""
        now = time.monotonic()
        if now - self._last_look >= LEASE_SECONDS:
            self.check_lease()
        return step % self.every_steps == 0 or now - self._last_save >= self.every_seconds

    def save(self, step: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Save a state; a failure (a full disk) is a warning, and the older states stay as they are.

        Args:
            step: Number of steps done; orders the states.
            tensors: Named tensors that share no memory.
            facts: Anything JSON can hold.
        """
        self.check_lease()
        self._last_save = time.monotonic()
        part = self.folder / f".state-{step:010d}.{self.writer}.part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            header = {"identity": self.identity, "step": str(step), "facts": json.dumps(facts)}
            save_file({name: value.detach().contiguous().cpu() for name, value in tensors.items()}, part, header)
            with open(part, "rb") as stream:
                os.fsync(stream.fileno())
            digest = file_digest(part)[:DIGEST_LENGTH]
            os.replace(part, self.folder / f"state-{step:010d}-{digest}.safetensors")
        except (OSError, SafetensorError) as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            logger.warning("the training state of step %d could not be saved (%s); going on without it", step, error)
            return
        for old in self._states()[KEEP:]:
            old.unlink(missing_ok=True)

    def newest(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Tensors and facts of the newest sound state, or None; damaged ones are removed with a warning."""
        for path in self._states():
            try:
                state = self._read(path)
                logger.info("going on from the state saved at step %d", int(path.stem.split("-")[1]))
                return state
            except (OSError, SafetensorError, ValueError, KeyError) as error:
                logger.warning("%s is damaged (%s); trying the state before it", path, error)
            except _ForeignStateError:
                logger.info("%s was made with other settings or data; starting anew", path)
            path.unlink(missing_ok=True)
        return None

    def _states(self) -> list[Path]:
        """Paths of the states, newest first."""
        return sorted(self.folder.glob("state-*.safetensors"), reverse=True)

    def _read(self, path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
        if file_digest(path)[:DIGEST_LENGTH] != path.stem.rpartition("-")[2]:
            raise ValueError("its checksum does not match")
        with safe_open(path, framework="pt") as stream:
            header = stream.metadata()
            if header["identity"] != self.identity:
                raise _ForeignStateError
            return {name: stream.get_tensor(name) for name in stream.keys()}, json.loads(header["facts"])  # noqa: SIM118

    def clear(self) -> None:
        """Remove the folder: the job's results are written."""
        shutil.rmtree(self.folder, ignore_errors=True)


class _ForeignStateError(Exception):
    """A sound state of another job."""
