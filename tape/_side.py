"""What tape keeps beside a queue's files: a lease, and small facts in files of their own.

    the directory  whoever has it locked (flock) collects or compresses: one on a host. No file is
                   needed for it, since a full disk may have no room for one
    tape.parked    JSON: the position of each parked tailer when it was parked
    tape.tasks     JSON: the cycle for which each cycle task was done last

A file of facts is replaced as a whole. Losing any of these loses no message: a lost tape.parked
makes parked tailers hold their files again, a lost tape.tasks may make a task be done twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from ._ffi import ffi, lib
from .errors import QueueBusy, QueueNotFound

__all__ = ["PARKED", "TASKS", "TEMPORARY", "close_directory", "lease", "load", "open_directory",
           "store", "tidy"]

PARKED, TASKS = "tape.parked", "tape.tasks"
#: What becomes a file as a whole: one at a time, with the lease held.
TEMPORARY = ".tape-side.tmp"


def open_directory(path: str) -> Any:
    """A place with a descriptor of it, for :func:`close_directory`; an interrupt anywhere in
    between leaves nothing open, as the place closes what is in it when it goes.

    Raises: OSError.
    """
    place = ffi.gc(ffi.new("int *", -1), lib.tape_end_descriptor)
    code = lib.tape_open_to_read(os.fsencode(path), place)
    if code < 0:
        raise OSError(-code, os.strerror(-code), path)
    return place


def close_directory(place: Any) -> None:
    """Closes it now."""
    lib.tape_end_descriptor(place)


@contextlib.contextmanager
def lease(directory: str, timeout: float = 10.0) -> Iterator[None]:
    """Holds the lease of a queue's directory for the time of the block; 0 does not wait.

    The kernel gives it back when its process dies, however it dies.

    Raises: :class:`tape.QueueBusy` when another process, or thread, has it for that long.
    """
    try:
        place = open_directory(directory)
    except FileNotFoundError:
        raise QueueNotFound(f"{directory} was deleted", file=directory,
                            hint="the queue is gone: open it again to make a new one") from None
    owner, until = os.getpid(), time.monotonic() + timeout
    try:
        while True:
            try:
                fcntl.flock(place[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise QueueBusy(
                        f"{directory}: another process or thread removes or compresses files",
                        file=directory, hint="wait until it is done") from None
                time.sleep(0.02)
        yield
    finally:
        # A child that was forked meanwhile has the lock, too, which closing alone leaves to it.
        if os.getpid() == owner:
            fcntl.flock(place[0], fcntl.LOCK_UN)
        close_directory(place)


def tidy(directory: str) -> None:
    """Removes what a process left that died with the lease. Such a file is never written to: it
    may be a second name of a cycle file that was just thawed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(directory, TEMPORARY))


def load(directory: str, name: str) -> dict[str, Any]:
    """The facts of a file; none when it is not there or makes no sense."""
    try:
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            facts = json.load(file)
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def store(directory: str, name: str, facts: dict[str, Any]) -> None:
    """Replaces a file of facts, with the lease held."""
    temporary = os.path.join(directory, TEMPORARY)
    tidy(directory)
    try:
        with open(temporary, "x", encoding="utf-8") as file:
            json.dump(facts, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, os.path.join(directory, name))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
