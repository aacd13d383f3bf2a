"""What compressed cycle files hold, kept in files without a name while a queue reads it.

Of a ``.zst`` with a table only the frames that are asked for are decompressed, of other files all
at once; each once, as long as all together takes no more than ``MOST_BYTES`` of disk. Then what was
used longest ago goes. C maps these files, so one that goes takes nothing from under a reader.
"""

from __future__ import annotations

import bisect
import os
import tempfile
import threading
import zlib
from collections.abc import Iterator
from typing import Any

from . import _zstd
from .errors import CorruptQueue, DiskFull, Error

__all__ = ["MOST_BYTES", "Unpacked", "chunks", "pieces"]

#: On disk, in the folder for temporary files, for each open queue.
MOST_BYTES = 512 << 20
CHUNK = 1 << 20


def _damaged(path: str, error: BaseException) -> CorruptQueue:
    return CorruptQueue(f"{path} cannot be decompressed: {error}", file=path,
                        hint="it was cut or damaged; its original may be elsewhere")


def _gzip_chunks(descriptor: int) -> Iterator[bytes]:
    at, machine = 0, zlib.decompressobj(wbits=31)
    while data := os.pread(descriptor, CHUNK // 4, at):
        at += len(data)
        while data:
            if machine.eof:  # another member, or zeros up to the end of a block
                data = data.lstrip(b"\0")
                if not data:
                    break
                machine = zlib.decompressobj(wbits=31)
            yield machine.decompress(data, CHUNK)
            data = machine.unconsumed_tail or machine.unused_data
    if not machine.eof:
        raise EOFError("it ends too early")


def _zstd_chunks(descriptor: int) -> Iterator[bytes]:
    zstd = _zstd.module()
    at, machine, begun = 0, zstd.ZstdDecompressor(), False
    while data := os.pread(descriptor, CHUNK // 4, at):
        at += len(data)
        while data or not (machine.needs_input or machine.eof):
            begun = True
            yield machine.decompress(data, CHUNK)
            data = b""
            if machine.eof:
                data, machine, begun = machine.unused_data, zstd.ZstdDecompressor(), False
    if begun or at == 0:
        raise EOFError("it ends too early")


def chunks(path: str | bytes, descriptor: int) -> Iterator[bytes]:
    """What a compressed file holds, piece by piece.

    Raises: :class:`tape.CorruptQueue`, ImportError.
    """
    name = os.fsdecode(path)
    packed = name.endswith(_zstd.SUFFIX)
    bad = (EOFError, _zstd.module().ZstdError) if packed else (EOFError, zlib.error)
    try:
        yield from (_zstd_chunks if packed else _gzip_chunks)(descriptor)
    except bad as error:
        raise _damaged(name, error) from error


def _frame(zstd: Any, path: str, descriptor: int, table: _zstd.Table, number: int) -> bytes:
    """What one frame holds."""
    begin, end = table.offsets[number:number + 2]
    length = table.ends[number + 1] - table.ends[number]
    try:
        data: bytes = zstd.decompress(os.pread(descriptor, end - begin, begin))
        if len(data) != length:
            raise EOFError(f"frame {number} holds {len(data)} bytes, not {length}")
    except (EOFError, zstd.ZstdError) as error:
        raise _damaged(path, error) from error
    return data


def pieces(path: str, descriptor: int) -> Iterator[bytes]:
    """As :func:`chunks`, but by the table of frames where there is one, as tailers read.

    Raises: :class:`tape.CorruptQueue`, for the table, too, and ImportError.
    """
    table = _zstd.table(descriptor, path) if path.endswith(_zstd.SUFFIX) else None
    if table is None:
        yield from chunks(path, descriptor)
        return
    zstd = _zstd.module()
    for number in range(len(table.offsets) - 1):
        yield _frame(zstd, path, descriptor, table, number)


def _nameless(size: int) -> int:
    """A descriptor of a file of zeros that goes when the last one who has it mapped goes."""
    folder = tempfile.gettempdir()
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:  # not on every file system
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, size)
    return descriptor


def _put(descriptor: int, data: bytes, at: int) -> None:
    """Writes all of it; zeros stay holes."""
    if data.count(0) == len(data):
        return
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, at)
        view, at = view[done:], at + done


class _Whole:
    """A file that is decompressed from beginning to end."""

    def __init__(self, path: str, source: int) -> None:
        self.descriptor, at = _nameless(0), 0
        try:
            for data in chunks(path, source):
                _put(self.descriptor, data, at)
                at += len(data)
            os.truncate(self.descriptor, at)
        except BaseException:
            os.close(self.descriptor)
            raise
        os.close(source)

    def fill(self, at: int, size: int) -> None:
        """All is there."""

    def close(self) -> None:
        os.close(self.descriptor)


class _Framed:
    """A file whose frames are decompressed when they are asked for."""

    def __init__(self, path: str, source: int, table: _zstd.Table) -> None:
        self.path, self.source, self.table = path, source, table
        self.descriptor = _nameless(table.size)
        self.done = bytearray(len(table.offsets) - 1)
        self.zstd = _zstd.module()

    def fill(self, at: int, size: int) -> None:
        """Makes these bytes right."""
        ends = self.table.ends
        if os.fstat(self.descriptor).st_blocks * 512 > MOST_BYTES:  # windows keep the old one
            os.close(self.descriptor)
            self.descriptor = -1
            self.descriptor, self.done = _nameless(self.table.size), bytearray(len(self.done))
        frame = bisect.bisect_right(ends, at) - 1
        while frame < len(self.done) and ends[frame] < at + size:
            if not self.done[frame]:
                _put(self.descriptor, self._frame(frame), ends[frame])
                self.done[frame] = 1
            frame += 1

    def _frame(self, number: int) -> bytes:
        return _frame(self.zstd, self.path, self.source, self.table, number)

    def close(self) -> None:
        os.close(self.source)
        if self.descriptor >= 0:
            os.close(self.descriptor)


class _Plain(_Whole):
    """A file that needs no decompressing."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor


class Unpacked:
    """What one queue has decompressed. For many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[bytes, tuple[Any, _Whole | _Framed]] = {}  # used last comes last
        self.opened = 0  # how many files were begun, for tests

    def descriptor(self, path: bytes, at: int, size: int) -> int:
        """A new descriptor of what the file at ``path`` holds, with ``size`` bytes from ``at``.

        Raises: :class:`tape.CorruptQueue`, :class:`tape.DiskFull`, ``OSError``, ImportError.
        """
        with self._lock:
            file = self._file(path, size == 0)
            try:
                file.fill(at, size)
                found = os.dup(file.descriptor)
            except OSError as error:
                raise _full(error) from None
            self._trim(path)
            return found

    def _file(self, path: bytes, look: bool) -> _Whole | _Framed:
        """The file, opened anew when somebody replaced it (asked when C opens it)."""
        known = self._files.pop(path, None)
        if known is not None and look and known[0] != _identity(os.stat(path)):
            known[1].close()
            known = None
        if known is None:
            known = self._open(path)
        self._files[path] = known
        return known[1]

    def _open(self, path: bytes) -> tuple[Any, _Whole | _Framed]:
        name = os.fsdecode(path)
        try:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # thawed while it was read: the same bytes
            return None, _Plain(os.open(os.path.splitext(path)[0], os.O_RDONLY | os.O_CLOEXEC))
        try:
            table = _zstd.table(source, name) if name.endswith(_zstd.SUFFIX) else None
            file: _Whole | _Framed = (_Whole(name, source) if table is None
                                      else _Framed(name, source, table))
            self.opened += 1
            return _identity(os.stat(path)), file
        except BaseException as error:
            os.close(source)
            raise _full(error) if isinstance(error, OSError) else error  # noqa: B904

    def _trim(self, newest: bytes) -> None:
        taken = {path: 0 if isinstance(file, _Plain)
                 else os.fstat(file.descriptor).st_blocks * 512
                 for path, (_, file) in self._files.items()}
        total = sum(taken.values())
        for path in list(self._files):
            if total <= MOST_BYTES or path == newest:
                return
            self._files.pop(path)[1].close()
            total -= taken[path]

    def close(self) -> None:
        """Gives back the disk, but for what is still mapped."""
        with self._lock:
            for _, file in self._files.values():
                file.close()
            self._files.clear()


def _identity(stat: os.stat_result) -> tuple[int, int, int, int]:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def _full(error: OSError) -> Error | OSError:
    import errno
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"{tempfile.gettempdir()}: no room for what is decompressed",
                        hint="make room there, or set TMPDIR")
    return error
