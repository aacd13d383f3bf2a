"""Which cycle files may go, and their going: :class:`tape.Keep`, :meth:`tape.Queue.gc`."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import enum
import logging
import os
import time
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _side
from ._ffi import ffi, lib
from ._units import (bytes_of, names_of, number_of, seconds_of, share_of, show_bytes,
                     show_seconds)
from .errors import Error, InvalidArgument, QueueNotFound, ReadOnlyQueue

if TYPE_CHECKING:
    from .queue import Queue

__all__ = ["ALL", "Keep", "Verdict", "collect", "park", "parked"]

_log = logging.getLogger("tape.retention")

COMPRESSED = (".gz", ".zst")
TIMES = ".times"  # behind the name of a cycle file: when its messages were written


class _All(enum.Enum):
    """The type of :data:`tape.ALL`."""

    ALL = "every named tailer"

    def __repr__(self) -> str:
        return "tape.ALL"


ALL = _All.ALL


class Verdict(NamedTuple):
    """What :meth:`tape.Queue.gc` says of one cycle file.

    ``goes`` and the ``reason``; ``bytes`` on disk; ``held_by``: processes that have it mapped, so
    that its blocks come back only when they let go (for files that go, as far as one may see).
    """

    path: str
    cycle: int
    goes: bool
    reason: str
    bytes: int = 0
    held_by: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Keep:
    """How much of a queue to keep; a file goes when any of the limits says so.

    Never goes what is written now, nor what a named tailer has yet to read, unless told so.

    Args:
        max_bytes: on disk, all cycle files together: a number, ``"20GB"``, ``"512MiB"``.
        max_age: since the end of a cycle: seconds, ``"7d"``, ``"12h"``, or a ``timedelta``.
        max_cycles: how many cycle files, the current one included; at least 1.
        min_free: of the file system: bytes, ``"10GB"``, or a part of it, ``"5%"``.
        unread_by: whose unread messages stay: ``tape.ALL`` named tailers; the names of some; or
            ``None``: nobody's. A name that is not in the queue yet has read nothing. Parked
            tailers (:meth:`tape.Queue.park`) hold nothing.

    As a cycle task (``on_released=[Keep(max_age="7d")]``) it collects after every roll.

    >>> Keep(max_bytes="20GB", max_age="7d").max_bytes
    20000000000
    """

    max_bytes: int | str | None = None
    max_age: float | str | datetime.timedelta | None = None
    max_cycles: int | None = None
    min_free: int | str | None = None
    unread_by: Any = ALL

    def __post_init__(self) -> None:
        put = object.__setattr__
        if self.max_bytes is not None:
            put(self, "max_bytes", bytes_of(self.max_bytes, "max_bytes"))
        if self.max_age is not None:
            put(self, "max_age", seconds_of(self.max_age, "max_age"))
        if self.max_cycles is not None:
            number_of(self.max_cycles, "max_cycles", 1, 1 << 62,
                      hint="at least 1: the current cycle always stays")
        if self.min_free is not None:
            share_of(self.min_free, 100, "min_free")
        if self.unread_by is not None and self.unread_by is not ALL:
            put(self, "unread_by", names_of(self.unread_by, "unread_by"))

    def __call__(self, event: Any) -> None:
        """As a cycle task."""
        event.queue.gc(self)


class _File(NamedTuple):
    cycle: int
    path: str
    bytes: int

    @property
    def compressed(self) -> bool:
        return self.path.endswith(COMPRESSED)


def cycle_files(q: Queue) -> list[_File]:
    """The cycle files of a queue, compressed ones included, oldest first; its own directory only.

    Sub-directories, links, ``.discard`` files and whatever else lies there is none.
    """
    handle, found = q._open_handle(), []
    try:
        entries = list(os.scandir(q.path))
    except FileNotFoundError:
        raise QueueNotFound(f"{q.path} was deleted", file=q.path,
                            hint="the queue is gone: open it again to make a new one") from None
    for entry in entries:
        name = entry.name
        for suffix in COMPRESSED:
            name = name.removesuffix(suffix)
        cycle = lib.tape_queue_cycle_of_name(handle, os.fsencode(name))
        if cycle < 0:
            continue
        try:
            if entry.is_file(follow_symlinks=False):
                blocks = entry.stat(follow_symlinks=False).st_blocks
                found.append(_File(int(cycle), os.path.join(q.path, entry.name), blocks * 512))
        except FileNotFoundError:
            continue  # deleted meanwhile
    return sorted(found)


def _now(q: Queue) -> float:
    """Seconds by the queue's clock."""
    return time.time() if q._clock is None else q._clock.clock.now_ms() / 1000


def first_that_stays(q: Queue, files: Iterable[_File]) -> int:
    """The cycle from which on nothing goes: what is written now, by the files or by the clock."""
    plain = [f.cycle for f in files if not f.compressed]
    now = int((_now(q) * 1000 - q._effective_epoch()) // q.roll_cycle.length_ms)
    last = q.last_index  # an empty newer file may be somebody's who is early: the one before counts
    if not plain or last is None:
        return 0
    return min(max(plain), last >> q.roll_cycle.shift, now)


# ---- named tailers ----


def parked(q: Queue) -> set[str]:
    """Names, in small letters, of the tailers that are parked and have not read since."""
    positions = {name.lower(): index for name, index in q.tailers().items()}
    return {name for name, index in _side.load(q.path, _side.PARKED).items()
            if positions.get(name) == index}


def park(q: Queue, name: str) -> None:
    """See :meth:`tape.Queue.park`."""
    q._open_handle()
    if q.read_only:
        raise ReadOnlyQueue(f"{q.path} was opened read-only", file=q.path,
                            hint="open it for writing")
    positions = {known.lower(): index for known, index in q.tailers().items()}
    if not isinstance(name, str) or name.lower() not in positions:
        raise InvalidArgument(f"{q.path} has no tailer named {name!r}",
                              hint=f"there are {sorted(q.tailers())}")
    with _side.lease(q.path):
        facts = {known: index for known, index in _side.load(q.path, _side.PARKED).items()
                 if positions.get(known) == index}
        facts[name.lower()] = positions[name.lower()]
        _side.store(q.path, _side.PARKED, facts)
    _log.info("%s: tailer %r was parked at %#x", q.path, name, positions[name.lower()])


def holders_of(q: Queue, unread_by: Any) -> dict[str, int]:
    """Who holds files, and the index that each reads next; 0: has read nothing."""
    if unread_by is None:
        return {}
    positions, resting = q.tailers(), parked(q)
    if unread_by is not ALL:
        known = {name.lower(): (name, index) for name, index in positions.items()}
        positions = dict(known.get(name.lower(), (name, 0)) for name in unread_by)
    return {name: index for name, index in positions.items() if name.lower() not in resting}


def who_needs(q: Queue, cycle: int, holders: dict[str, int]) -> str:
    """Why a cycle is still needed; empty when it is not. A position in it holds it as well."""
    for name, index in sorted(holders.items(), key=lambda item: item[1]):
        if index == 0:
            return f"tailer {name!r} has read nothing yet"
        if index >> q.roll_cycle.shift <= cycle:
            return f"tailer {name!r} reads {index:#x} next"
    return ""


# ---- the plan ----


class _Budget:
    """What is there, and what goes from it."""

    def __init__(self, q: Queue, keep: Keep, files: Collection[_File]) -> None:
        self.q, self.keep = q, keep
        self.bytes, self.count = sum(f.bytes for f in files), len(files)
        self.now = _now(q)
        self.free = self.wanted_free = 0
        if keep.min_free is not None:
            disk = os.statvfs(q.path)
            self.free = disk.f_bavail * disk.f_frsize
            self.wanted_free = share_of(keep.min_free, disk.f_blocks * disk.f_frsize, "min_free")

    def why(self, file: _File) -> str:
        """Why the oldest file that is left should go; empty when nothing says so."""
        keep, row = self.keep, self.q.roll_cycle
        ended = ((file.cycle + 1) * row.length_ms + self.q._effective_epoch()) / 1000
        age = self.now - ended
        if keep.max_age is not None and age > keep.max_age:  # type: ignore[operator]
            return (f"it ended {show_seconds(age)} ago, "
                    f"max_age is {show_seconds(keep.max_age)}")  # type: ignore[arg-type]
        if keep.max_cycles is not None and self.count > keep.max_cycles:
            return f"there are {self.count} cycle files, max_cycles is {keep.max_cycles}"
        if keep.max_bytes is not None and self.bytes > keep.max_bytes:  # type: ignore[operator]
            return (f"all take {show_bytes(self.bytes)}, "
                    f"max_bytes is {show_bytes(keep.max_bytes)}")  # type: ignore[arg-type]
        if keep.min_free is not None and self.free < self.wanted_free:
            return (f"{show_bytes(self.free)} are free, "
                    f"min_free is {show_bytes(self.wanted_free)}")
        return ""

    def take(self, file: _File) -> None:
        self.bytes -= file.bytes
        self.free += file.bytes
        self.count -= 1


def _half_made(q: Queue, cycle: int) -> bool:
    info = ffi.new("tape_cycle_info_t *")
    code = lib.tape_queue_cycle_info(q._open_handle(), cycle, info)
    return bool(code == 0 and info.state == lib.TAPE_CYCLE_HALF_MADE)


def plan(q: Queue, keep: Keep) -> list[Verdict]:
    """Each cycle file, oldest first, whether it goes and why."""
    files = cycle_files(q)
    stays_from, holders = first_that_stays(q, files), holders_of(q, keep.unread_by)
    budget, held, verdicts = _Budget(q, keep, files), "", []
    for file in files:
        wish, goes = budget.why(file), False
        if file.cycle >= stays_from:
            reason = "it is the current cycle, or a newer one"
        elif not wish:
            reason = "it is within the limits"
        elif held or (held := who_needs(q, file.cycle, holders)):
            reason = f"{held} ({wish})"
        elif not file.compressed and _half_made(q, file.cycle):
            reason = "it is half-made: the next writer moves it aside"
        else:
            goes, reason = True, wish
            budget.take(file)
        verdicts.append(Verdict(file.path, file.cycle, goes, reason, file.bytes))
    users = _users({v.path for v in verdicts if v.goes})
    return [v._replace(held_by=users.get(v.path, ())) for v in verdicts]


def _users(paths: set[str]) -> dict[str, tuple[int, ...]]:
    """The processes that have each file mapped, as far as this user may see."""
    inodes = {}
    for path in paths:
        try:
            inodes[str(os.stat(path).st_ino).encode()] = path
        except OSError:
            continue
    found: dict[str, set[int]] = {}
    for process in os.listdir("/proc") if inodes else ():
        if not process.isdecimal():
            continue
        try:
            with open(f"/proc/{process}/maps", "rb") as maps:
                lines = maps.read().splitlines()
        except OSError:
            continue  # it ended, or is somebody else's
        for parts in (line.split(None, 5) for line in lines):
            path = inodes.get(parts[4], "")
            if path and len(parts) > 5 and os.path.basename(path).encode() in parts[5]:
                found.setdefault(path, set()).add(int(process))
    return {path: tuple(sorted(pids)) for path, pids in found.items()}


# ---- doing it ----


def remove(q: Queue, path: str, cycle: int) -> None:
    """Removes one cycle file, with the lease held; that it is gone already is no error. What was
    noted of its times goes with the last file of the cycle."""
    if path.endswith(COMPRESSED):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        plain = os.path.splitext(path)[0]
        if not any(os.path.exists(plain + suffix) for suffix in ("", *COMPRESSED)):
            with contextlib.suppress(OSError):
                os.unlink(plain + TIMES)
        return
    code = lib.tape_queue_remove_cycle(q._open_handle(), cycle)
    if code != lib.TAPE_ENOTFOUND:
        q._check(code)


def _remove_orphans(q: Queue, files: Iterable[_File]) -> None:
    """What was noted of the times of cycles older than all that there are: others, Java say,
    removed those, and know nothing of it."""
    oldest = min((f.cycle for f in files), default=0)
    for name in os.listdir(q.path):
        if name.endswith(TIMES):
            plain = os.fsencode(name.removesuffix(TIMES))
            cycle = lib.tape_queue_cycle_of_name(q._open_handle(), plain)
            if 0 <= cycle < oldest:
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(q.path, name))


def _carry_out(q: Queue, keep: Keep, verdict: Verdict) -> Verdict:
    """Removes the file, unless somebody came to need it since the plan."""
    needed = who_needs(q, verdict.cycle, holders_of(q, keep.unread_by))
    if needed:
        return verdict._replace(goes=False, reason=f"{needed} ({verdict.reason})")
    try:
        remove(q, verdict.path, verdict.cycle)
    except (Error, OSError) as error:
        _log.error("%s could not be removed: %s", verdict.path, error)
        return verdict._replace(goes=False, reason=f"it could not be removed: {error}")
    _log.info("%s was removed: %s", verdict.path, verdict.reason)
    others = [pid for pid in verdict.held_by if pid != os.getpid()]
    if others:
        _log.warning("%s: its %s come back when process %s lets go of it", verdict.path,
                     show_bytes(verdict.bytes), ", ".join(map(str, others)))
    return verdict


def collect(q: Queue, keep: Keep, *, dry_run: bool = False) -> list[Verdict]:
    """See :meth:`tape.Queue.gc`."""
    if not isinstance(keep, Keep):
        raise TypeError(f"a tape.Keep is wanted, not {keep!r}")
    q._open_handle()
    if dry_run:
        return plan(q, keep)
    if q.read_only:
        raise ReadOnlyQueue(f"{q.path} was opened read-only", file=q.path,
                            hint="open it for writing, or ask with dry_run=True")
    with _side.lease(q.path):
        _side.tidy(q.path)
        _remove_orphans(q, cycle_files(q))
        done, stopped = [], ""
        for verdict in plan(q, keep):
            if verdict.goes and stopped:  # never a hole between older and newer messages
                verdict = verdict._replace(goes=False, reason=stopped)
            elif verdict.goes:
                verdict = _carry_out(q, keep, verdict)
                stopped = "" if verdict.goes else f"an older one stays: {verdict.reason}"
            done.append(verdict)
    return done
