"""Finished cycle files, compressed beside the others, and back: ``Queue.compress`` and ``thaw``.

Compressing: a temporary file is written and synced, linked under its name, the directory synced;
only then the original goes, with the listing told before. Dying anywhere leaves the original, or
the whole compressed file, or both; whoever compresses next takes it from there. Thawing is the
same, the other way round.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any, cast

from . import _side, _zstd
from ._ffi import ffi, lib
from ._units import number_of
from ._unpacking import chunks
from .errors import CorruptQueue, InvalidArgument, ReadOnlyQueue, StateError
from .retention import COMPRESSED, cycle_files, first_that_stays, holders_of, remove, who_needs

if TYPE_CHECKING:
    from .queue import Queue

__all__ = ["compress", "thaw"]

_log = logging.getLogger("tape.tasks")

CHUNK = 1 << 20


class Kind:
    """A way to compress: the ending of its files' names, and the levels there are."""

    def __init__(self, suffix: str, level: int, most: int) -> None:
        self.suffix, self.level, self.most = suffix, level, most

    def check(self, level: int | None) -> int:
        """The level that is wished, or the usual one."""
        level = self.level if level is None else level
        number_of(level, "level", 1, self.most)
        if self.suffix == _zstd.SUFFIX:
            _zstd.module()
        return level

    def pack(self, source: IO[bytes], target: IO[bytes], level: int) -> None:
        """Copies a file, compressed."""
        if self.suffix == _zstd.SUFFIX:
            _zstd.compress(source, target, level)
            return
        name = os.path.basename(source.name)
        with gzip.GzipFile(name, "wb", level, cast(Any, target)) as packed:
            _copy(iter(lambda: source.read(CHUNK), b""), cast("IO[bytes]", packed), holes=False)


KINDS = {"gzip": Kind(".gz", 6, 9), "zstd": Kind(_zstd.SUFFIX, 3, 19)}


def kind_of(name: str) -> Kind:
    """The kind of that name."""
    if name not in KINDS:
        raise InvalidArgument(f"kind={name!r}", hint=f"one of {sorted(KINDS)}")
    return KINDS[name]


def _copy(source: Iterable[bytes], target: IO[bytes], *, holes: bool) -> None:
    """Copies all of it; zeros become holes in a file of a queue."""
    done = 0
    for chunk in source:
        if holes and chunk.count(0) == len(chunk):
            target.seek(len(chunk), os.SEEK_CUR)
        else:
            target.write(chunk)
        done += len(chunk)
    if holes:
        target.truncate(done)


def _same(packed: str, plain: str) -> bool:
    """Whether a compressed file is whole and gives the file. Zeros at the end do not count: Java
    makes files longer when it opens them, and cuts them when it leaves them."""
    try:
        with open(packed, "rb") as left, open(plain, "rb") as right:
            if packed.endswith(_zstd.SUFFIX):
                _zstd.table(left.fileno(), packed)
            for data in chunks(packed, left.fileno()):
                other = right.read(len(data))
                if data != other and data.rstrip(b"\0") != other.rstrip(b"\0"):
                    return False
            return not any(data.strip(b"\0") for data in iter(lambda: right.read(CHUNK), b""))
    except CorruptQueue:
        return False


def _sync_directory(path: str) -> None:
    place = _side.open_directory(path)
    try:
        os.fsync(place[0])
    finally:
        _side.close_directory(place)


def _finished(q: Queue, cycle: int) -> bool:
    info = ffi.new("tape_cycle_info_t *")
    code = lib.tape_queue_cycle_info(q._open_handle(), cycle, info)
    return bool(code == 0 and info.state == lib.TAPE_CYCLE_FINISHED)


def _pack(q: Queue, path: str, kind: Kind, level: int) -> None:
    temporary = os.path.join(q.path, _side.TEMPORARY)
    try:
        with open(path, "rb") as source, open(temporary, "xb") as target:
            kind.pack(source, cast("IO[bytes]", target), level)
            target.flush()
            os.fsync(target.fileno())
        os.replace(temporary, path + kind.suffix)  # over what was cut, if there is something
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def compress(q: Queue, keep: int, unread_by: Any, kind: str = "gzip",
             level: int | None = None) -> list[str]:
    """Compresses finished cycle files that no tailer needs, but for the ``keep`` newest ones.

    Returns: the paths of the new files.
    """
    how, made = kind_of(kind), []
    strength = how.check(level)
    number_of(keep, "keep", most=1 << 62, hint="a number of cycle files")
    _check_writable(q)
    with _side.lease(q.path):
        _side.tidy(q.path)
        files = cycle_files(q)
        plain = [f for f in files if not f.compressed]
        stays, holders = first_that_stays(q, files), holders_of(q, unread_by)
        for file in plain[:max(len(plain) - max(keep, 1), 0)]:
            if file.cycle >= stays or who_needs(q, file.cycle, holders):
                break  # nor what is newer
            if not _finished(q, file.cycle):
                continue
            packed = _whole_beside(file.path, how)
            if packed is None:
                packed = file.path + how.suffix
                _pack(q, file.path, how, strength)
            _sync_directory(q.path)
            remove(q, file.path, file.cycle)
            made.append(packed)
            _log.info("%s was compressed", file.path)
    return made


def _whole_beside(path: str, kind: Kind) -> str | None:
    """A compressed file that is there already, whole; what is cut and of another kind goes: it
    would be read in place of the one that is made."""
    for suffix in COMPRESSED:
        if not os.path.exists(path + suffix):
            continue
        if _same(path + suffix, path):
            return path + suffix
        if suffix != kind.suffix:
            os.unlink(path + suffix)
    return None


def _check_writable(q: Queue) -> None:
    q._open_handle()
    if q.read_only:
        raise ReadOnlyQueue(f"{q.path} was opened read-only", file=q.path,
                            hint="open it for writing")


def drop_oldest(q: Queue, most: int, unread_by: Any, kind: str = "gzip") -> list[str]:
    """Removes all but the ``most`` newest compressed files of the queue's cycles."""
    suffix = kind_of(kind).suffix
    gone = []
    with _side.lease(q.path):
        holders = holders_of(q, unread_by)
        packed = [f for f in cycle_files(q) if f.path.endswith(suffix)]
        for file in packed[:max(len(packed) - most, 0)]:
            if who_needs(q, file.cycle, holders) or os.path.exists(_plain_of(file.path)):
                break
            remove(q, file.path, file.cycle)
            gone.append(file.path)
            _log.info("%s was removed: there are more than %d", file.path, most)
    return gone


def _plain_of(packed: str) -> str:
    return os.path.splitext(packed)[0]


def _unpack(q: Queue, packed: str, plain: str) -> None:
    temporary = os.path.join(q.path, _side.TEMPORARY)
    try:
        with open(packed, "rb") as source, open(temporary, "xb") as target:
            _copy(chunks(packed, source.fileno()), cast("IO[bytes]", target), holes=True)
            target.flush()
            os.fsync(target.fileno())
        try:
            os.link(temporary, plain)
        except FileExistsError:
            raise StateError(f"{plain} was made meanwhile", file=plain,
                             hint="look at both files, and remove one") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def thaw(q: Queue) -> list[str]:
    """See :meth:`tape.Queue.thaw`."""
    _check_writable(q)
    made = []
    with _side.lease(q.path):
        _side.tidy(q.path)
        for file in reversed(cycle_files(q)):  # so that there is never a hole in between
            if not file.compressed or not os.path.exists(file.path):
                continue
            plain = _plain_of(file.path)
            if not os.path.exists(plain):
                _unpack(q, file.path, plain)
                q.refresh()  # Java looks for what the listing names, now, not when all are back
            elif not _same(file.path, plain):
                _log.warning("%s differs from %s: both stay", file.path, plain)
                continue
            _sync_directory(q.path)
            os.unlink(file.path)
            made.append(plain)
            _log.info("%s was thawed", plain)
        q.refresh()  # also what a run that died brought back
    return made
