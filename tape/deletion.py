"""Removing a whole queue."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .errors import QueueBusy, QueueNotFound

__all__ = ["delete"]

# What a queue consists of: Java's files, and tape's beside them. Anything else stays.
OURS = re.compile(r"metadata\.cq4t|directory-listing\.cq4t|tape\.(?:side|parked|tasks|codec)"
                  r"|.+\.cq4(?:\.gz|\.zst|\.times)?|.+\.precreated"
                  r"|.+\.cq4t?-\d+\.(?:discard|damaged)|\.tape-.*\.tmp")


def _users(directory: Path) -> list[int]:
    """Processes that have a file of the directory mapped, as far as this user may see."""
    prefix, found = f" {directory}{os.sep}".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if prefix in (process / "maps").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue  # it ended, or is somebody else's
    return found


def delete(path: str | os.PathLike[str]) -> None:
    """Removes a queue with all its messages and named positions, and its directory if then empty.

    Args:
        path: the queue's directory. Files in it that are not a queue's stay.

    Raises: :class:`tape.QueueNotFound` when there is no queue; :class:`tape.QueueBusy` while a live
        process, this one included, has it open.

    >>> import tape, tempfile
    >>> path = tempfile.mkdtemp()
    >>> q = tape.open(path)
    >>> try: tape.delete(path)
    ... except tape.QueueBusy: q.close()
    >>> tape.delete(path)
    >>> os.path.exists(path)
    False
    """
    directory = Path(os.fsdecode(path)).resolve()
    names = [e.name for e in os.scandir(directory)] if directory.is_dir() else []
    if not any(name == "metadata.cq4t" or name.endswith(".cq4") for name in names):
        raise QueueNotFound(f"there is no queue at {directory}", file=str(directory),
                            hint="check the path")
    if users := _users(directory):
        raise QueueBusy(f"{directory} is open in process {', '.join(map(str, users))}",
                        file=str(directory), hint="close it there first")
    for name in names:
        if OURS.fullmatch(name):
            (directory / name).unlink(missing_ok=True)
    if not any(directory.iterdir()):
        directory.rmdir()
