"""Finished cycle files as ``.gz`` beside the queue's, and back: the task ``Gzip``, ``Queue.thaw``.

Compressing: a temporary file is written and synced, linked under its name, the directory synced;
only then the original goes, with the listing told before. Dying anywhere leaves the original, or
the whole ``.gz``, or both; whoever compresses next takes it from there. Thawing is the same, the
other way round.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import zlib
from typing import IO, TYPE_CHECKING, Any, cast

from . import _side
from ._ffi import ffi, lib
from .errors import CorruptQueue, ReadOnlyQueue, StateError
from .retention import cycle_files, first_that_stays, holders_of, remove, who_needs

if TYPE_CHECKING:
    from .queue import Queue

__all__ = ["compress", "thaw"]

_log = logging.getLogger("tape.tasks")

CHUNK = 1 << 20
TEMPORARY = ".tape-gzip.tmp"  # one at a time: with the lease held


def step(name: str) -> None:
    """A moment at which tests kill the process."""


def _copy(source: IO[bytes], target: IO[bytes], size: int | None = None) -> int:
    """Copies to the end; zeros become holes where `size` is None (a file of a queue). Bytes."""
    done = 0
    while chunk := source.read(CHUNK):
        if size is None and not chunk.strip(b"\0"):
            target.seek(len(chunk), os.SEEK_CUR)
        else:
            target.write(chunk)
        done += len(chunk)
    if size is None:
        target.truncate(done)
    return done


def _same(packed: str, plain: str) -> bool:
    """Whether a ``.gz`` is whole and gives the file."""
    try:
        with gzip.open(packed) as left, open(plain, "rb") as right:
            while True:
                a, b = left.read(CHUNK), right.read(CHUNK)
                if a != b:
                    return False
                if not a:
                    return True
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return False


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _tidy(q: Queue) -> None:
    """Removes what a dead process left. Never written to: it may be a second name of a cycle file
    that was just thawed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(q.path, TEMPORARY))


def _finished(q: Queue, cycle: int) -> bool:
    info = ffi.new("tape_cycle_info_t *")
    code = lib.tape_queue_cycle_info(q._open_handle(), cycle, info)
    return bool(code == 0 and info.state == lib.TAPE_CYCLE_FINISHED)


def _pack(q: Queue, path: str, level: int) -> None:
    temporary = os.path.join(q.path, TEMPORARY)
    try:
        with open(path, "rb") as source, open(temporary, "xb") as raw:
            step("opened")
            with gzip.GzipFile(os.path.basename(path), "wb", level, cast(Any, raw)) as target:
                _copy(source, cast("IO[bytes]", target), os.fstat(source.fileno()).st_size)
            raw.flush()
            step("written")
            os.fsync(raw.fileno())
        step("synced")
        os.replace(temporary, path + ".gz")  # over what was cut, if there is something
        step("linked")
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def compress(q: Queue, keep: int, unread_by: Any, level: int = 6) -> list[str]:
    """Compresses finished cycle files that no tailer needs, but for the ``keep`` newest ones.

    Returns: the paths of the new files.
    """
    made = []
    with _side.lease(q.path):
        _tidy(q)
        files = cycle_files(q)
        plain = [f for f in files if not f.compressed]
        stays, holders = first_that_stays(q, files), holders_of(q, unread_by)
        for file in plain[:len(plain) - max(keep, 1)]:
            if file.cycle >= stays or who_needs(q, file.cycle, holders):
                break  # nor what is newer
            if not _finished(q, file.cycle):
                continue
            if not _same_if_there(file.path):
                _pack(q, file.path, level)
            _sync_directory(q.path)
            step("kept")
            remove(q, file.path, file.cycle)
            step("removed")
            made.append(file.path + ".gz")
            _log.info("%s was compressed", file.path)
    return made


def _same_if_there(path: str) -> bool:
    return os.path.exists(path + ".gz") and _same(path + ".gz", path)


def drop_oldest(q: Queue, most: int, unread_by: Any) -> list[str]:
    """Removes all but the ``most`` newest ``.gz`` of the queue's cycles."""
    gone = []
    with _side.lease(q.path):
        holders = holders_of(q, unread_by)
        packed = [f for f in cycle_files(q) if f.path.endswith(".gz")]
        for file in packed[:max(len(packed) - most, 0)]:
            if who_needs(q, file.cycle, holders) or os.path.exists(file.path[:-3]):
                break
            os.unlink(file.path)
            gone.append(file.path)
            _log.info("%s was removed: there are more than %d", file.path, most)
    return gone


def _unpack(q: Queue, packed: str, plain: str) -> None:
    temporary = os.path.join(q.path, TEMPORARY)
    try:
        try:
            with gzip.open(packed) as source, open(temporary, "xb") as target:
                _copy(cast("IO[bytes]", source), target)
                target.flush()
                os.fsync(target.fileno())
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise CorruptQueue(f"{packed} cannot be decompressed: {error}", file=packed,
                               hint="it was cut or damaged; its original may be elsewhere"
                               ) from error
        step("thawed")
        try:
            os.link(temporary, plain)
        except FileExistsError:
            raise StateError(f"{plain} was made meanwhile", file=plain,
                             hint="look at both files, and remove one") from None
        step("linked")
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def thaw(q: Queue) -> list[str]:
    """See :meth:`tape.Queue.thaw`."""
    q._open_handle()
    if q.read_only:
        raise ReadOnlyQueue(f"{q.path} was opened read-only", file=q.path,
                            hint="open it for writing")
    made = []
    with _side.lease(q.path):
        _tidy(q)
        for file in reversed(cycle_files(q)):  # so that there is never a hole in between
            if not file.path.endswith(".gz"):
                continue
            plain = file.path[:-3]
            if not os.path.exists(plain):
                _unpack(q, file.path, plain)
            elif not _same(file.path, plain):
                _log.warning("%s differs from %s: both stay", file.path, plain)
                continue
            _sync_directory(q.path)
            os.unlink(file.path)
            made.append(plain)
            _log.info("%s was thawed", plain)
        q.refresh()
    return made
