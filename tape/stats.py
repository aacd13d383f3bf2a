"""How a queue fares: :meth:`tape.Queue.stats`, exact, from outside as well, and read-only."""

from __future__ import annotations

import dataclasses
import os
import time
from typing import TYPE_CHECKING, Any

from ._ffi import ffi, lib
from .retention import cycle_files, parked

if TYPE_CHECKING:
    from .queue import Queue

__all__ = ["QueueStats", "TailerStats", "gather"]


@dataclasses.dataclass(frozen=True)
class TailerStats:
    """A named tailer, by the position that it stored; ``messages``, ``bytes`` and ``seconds`` as
    of :class:`tape.Lag`. ``index``: of its next read, 0 when it has read nothing."""

    name: str
    index: int
    messages: int
    bytes: int
    seconds: float
    parked: bool


@dataclasses.dataclass(frozen=True)
class QueueStats:
    """How a queue fares at ``at`` (seconds since 1970).

    Attributes:
        messages: in all cycle files.
        cycles, compressed: files, and those of them that are compressed.
        bytes, bytes_on_disk: their lengths, mostly holes, and what they take.
        lock_holder: the process that has the write lock, or ``None``.
        lock_held_for: seconds for which this ``Queue`` object has seen that process hold it with
            no message added in between: 0.0 when it is first seen.
        messages_per_second, bytes_per_second: added (and, on disk, freed) since this object's
            ``stats()`` before; ``None`` at the first, or when a message's file went meanwhile.
        disk_free, disk_size: of the file system, in bytes, for users without privileges.
        seconds_to_full: how long the disk lasts at that pace; ``None`` when it does not shrink.
        tailers: a :class:`tape.TailerStats` for each name.

    >>> import tape, tempfile
    >>> with tape.open(tempfile.mkdtemp()) as q:
    ...     i = q.appender().write("a")
    ...     s = q.stats()
    ...     s.messages, s.cycles, s.lock_holder
    (1, 1, None)
    """

    path: str
    at: float
    messages: int
    first_index: int | None
    last_index: int | None
    cycles: int
    compressed: int
    bytes: int
    bytes_on_disk: int
    lock_holder: int | None
    lock_held_for: float | None
    messages_per_second: float | None
    bytes_per_second: float | None
    disk_free: int
    disk_size: int
    seconds_to_full: float | None
    tailers: dict[str, TailerStats]

    def asdict(self) -> dict[str, Any]:
        """The fields as a plain dict."""
        return dataclasses.asdict(self)

    def openmetrics(self) -> str:
        """The numbers as OpenMetrics text, for Prometheus and its kin.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     "tape_queue_messages{" in q.stats().openmetrics()
        True
        """
        from .metrics import openmetrics
        return openmetrics([self])


class Memory:
    """What a ``Queue`` object remembers between two ``stats()``."""

    def __init__(self) -> None:
        self.counts: dict[int, tuple[tuple[int, int], int]] = {}  # of finished cycles
        self.before: tuple[float, int | None, int, int] | None = None
        self.holder: tuple[int, int | None, float] | None = None


def _count(q: Queue, memory: Memory, cycle: int, path: str) -> int:
    """The messages of a file; a finished one is looked into once."""
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        return 0
    known = memory.counts.get(cycle)
    if known and known[0] == (stat.st_ino, stat.st_size):
        return known[1]
    info = ffi.new("tape_cycle_info_t *")
    code = lib.tape_queue_cycle_info(q._open_handle(), cycle, info)
    if code == lib.TAPE_ENOTFOUND:
        return 0
    q._check(code)
    if info.state == lib.TAPE_CYCLE_FINISHED or info.compressed:
        memory.counts[cycle] = (stat.st_ino, stat.st_size), int(info.count)
    return int(info.count)


def _length(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _tailers(q: Queue) -> dict[str, TailerStats]:
    names = q.tailers()
    if not names:
        return {}
    resting, found = parked(q), {}
    with q.tailer(on_gap="skip") as scout:
        for name, index in names.items():
            scout.seek_start()
            if index:
                scout.seek(index)
            # Where the position's file is gone, all that is further on is what it has yet to read.
            elsewhere = index and scout.index != index
            messages = q.count(index, (1 << 63) - 1) if elsewhere else 0
            if elsewhere and messages == 0:
                scout.seek_end()
            lag = scout.lag()
            found[name] = TailerStats(name, index, messages if elsewhere else lag.messages,
                                      lag.bytes, lag.seconds, name.lower() in resting)
    return found


def _lock(memory: Memory, holder: int | None, last: int | None) -> float | None:
    now = time.monotonic()
    if holder is None:
        memory.holder = None
        return None
    if memory.holder is None or memory.holder[:2] != (holder, last):
        memory.holder = holder, last, now
    return now - memory.holder[2]


def _rates(memory: Memory, messages: int, first: int | None,
           on_disk: int) -> tuple[float | None, float | None]:
    """Of messages and bytes since the last time."""
    now, before = time.monotonic(), memory.before
    memory.before = now, first, messages, on_disk
    if before is None or now <= before[0]:
        return None, None
    passed = now - before[0]
    added = messages - before[2]
    return (added / passed if added >= 0 and first == before[1] or before[1] is None else None,
            (on_disk - before[3]) / passed)


def gather(q: Queue, memory: Memory) -> QueueStats:
    """What :meth:`tape.Queue.stats` gives."""
    at, files = time.time(), cycle_files(q)
    readable = {f.cycle: f.path for f in reversed(files)}  # the file itself before compressed ones
    messages = sum(_count(q, memory, cycle, path) for cycle, path in readable.items())
    memory.counts = {c: memory.counts[c] for c in readable if c in memory.counts}
    on_disk = sum(f.bytes for f in files)
    first, last = q.first_index, q.last_index
    holder = q._info().lock_holder_pid or None
    rate, pace = _rates(memory, messages, first, on_disk)
    disk = os.statvfs(q.path)
    free = disk.f_bavail * disk.f_frsize
    return QueueStats(
        path=q.path, at=at, messages=messages, first_index=first, last_index=last,
        cycles=len(files), compressed=sum(f.compressed for f in files),
        bytes=sum(_length(f.path) for f in files), bytes_on_disk=on_disk,
        lock_holder=holder, lock_held_for=_lock(memory, holder, last),
        messages_per_second=rate, bytes_per_second=pace, disk_free=free,
        disk_size=disk.f_blocks * disk.f_frsize,
        seconds_to_full=free / pace if pace and pace > 0 else None, tailers=_tailers(q))
