"""The lock of a results folder: one running search at a time, and a killed one frees it by being dead."""

import errno
import getpass
import json
import os
import time
from pathlib import Path
from typing import Any

from flexibert.errors import UsageError

HOLDER = ".holder.json"


def check_results_folder(folder: str | Path) -> None:
    """Look whether a results folder could be there at all.

    Raises:
        UsageError: A file stands in its place, or in that of a folder above it.
    """
    for path in (Path(folder), *Path(folder).parents):
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path}: is a file, but results must go into a folder of this name; move the file away")


def acquire(folder: str | Path) -> None:
    """Hold a results folder until `release`, or until this process ends.

    Raises:
        UsageError: Another process holds it, or the folder cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = _take(folder / HOLDER)
        if taken is not None and not _alive(taken):
            (folder / HOLDER).unlink(missing_ok=True)  # its process is dead: killed, or the machine went down
            taken = _take(folder / HOLDER)
    except OSError as error:
        remedy = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make it writable"
        raise UsageError(f"{folder}: cannot be written ({error.strerror}); {remedy} or choose another `name`") from None
    if taken is not None:
        raise UsageError(
            f"{folder}: held by process {taken['pid']} of {taken['user']} on {taken['host']} since {taken['since']}; "
            f"wait for it or stop it there (if that machine is gone, delete {folder / HOLDER})"
        )


def release(folder: str | Path, process: int) -> None:
    """Free a folder that `process` holds; does nothing if it does not."""
    path = Path(folder) / HOLDER
    try:
        if json.loads(path.read_text())["pid"] == process == os.getpid():
            path.unlink()
    except (OSError, ValueError, KeyError):
        return


def _take(path: Path) -> dict[str, Any] | None:
    """Become the holder; returns None, or who holds it already. A hard link appears whole or not at all, on NFS too."""
    me = {
        "pid": os.getpid(),
        "started": _started(os.getpid()),
        "host": os.uname().nodename,
        "user": getpass.getuser(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    part = path.with_name(f"{path.name}.{me['host']}.{me['pid']}")
    try:
        part.write_text(json.dumps(me) + "\n")
        os.link(part, path)
        return None
    except FileExistsError:
        return json.loads(path.read_text())
    finally:
        part.unlink(missing_ok=True)


def _alive(holder: dict[str, Any]) -> bool:
    """Whether the holder still runs. Of another machine's process nothing can be known, so it counts as alive."""
    if holder["host"] != os.uname().nodename:
        return True
    return _started(holder["pid"]) == holder["started"]


def _started(process: int) -> str | None:
    """Start time of a process in clock ticks since boot, which tells it from a later one of equal number."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        pass
    try:
        os.kill(process, 0)  # no /proc (macOS): the number alone must do
    except OSError:
        return None
    return "running"
