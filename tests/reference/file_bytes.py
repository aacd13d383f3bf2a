"""A file of a queue as bytes: mapped read-only, bounded by its size, aware of its holes."""

from __future__ import annotations

import mmap
import os
import struct
from types import TracebackType

from .errors import FormatError

# With '<' and a size that the host has natively, CPython loads these in one piece on a
# little-endian host; a word that another process stores in one piece is never seen torn.
WORD = struct.Struct("<I")
CELL = struct.Struct("<q")

PAGE = 4096
_CHUNK = 1 << 20
_ZEROS = bytes(_CHUNK)


class FileBytes:
    """Read-only view of one file.

    Bytes between the end of the file and the end of its last page read as zero, as they do in
    a mapping (format.md 11.3): a file may be cut right behind its last document.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = 0
        self.buffer: mmap.mmap | bytes = b""
        try:
            self.refresh()
        except BaseException:
            os.close(self._fd)
            raise

    def refresh(self) -> bool:
        """Maps the file again if its size has changed; says whether it had."""
        size = os.fstat(self._fd).st_size
        if size == self.size:
            return False
        self.buffer = mmap.mmap(self._fd, size, access=mmap.ACCESS_READ) if size else b""
        self.size = size
        return True

    @property
    def readable_end(self) -> int:
        """First offset that a mapping could not read."""
        return -(-self.size // PAGE) * PAGE

    def _short(self, offset: int, length: int) -> bytes:
        """``length`` bytes at ``offset`` where they reach beyond the file's end."""
        if offset < 0 or offset + length > self.readable_end:
            self.refresh()
            if offset < 0 or offset + length > self.readable_end:
                raise FormatError(self.path, offset,
                                  f"{length} bytes wanted beyond the end of the file "
                                  f"(size 0x{self.size:x})")
        return bytes(self.buffer[offset:offset + length]).ljust(length, b"\0")

    def word(self, offset: int) -> int:
        """The unsigned 32-bit word at ``offset``."""
        if 0 <= offset and offset + 4 <= self.size:
            return int(WORD.unpack_from(self.buffer, offset)[0])
        return int(WORD.unpack(self._short(offset, 4))[0])

    def cell(self, offset: int) -> int:
        """The signed 64-bit word at ``offset``."""
        if 0 <= offset and offset + 8 <= self.size:
            return int(CELL.unpack_from(self.buffer, offset)[0])
        return int(CELL.unpack(self._short(offset, 8))[0])

    def read(self, offset: int, length: int) -> bytes:
        """A copy of ``length`` bytes at ``offset``."""
        if 0 <= offset and 0 <= length and offset + length <= self.size:
            return self.buffer[offset:offset + length]
        return self._short(offset, length)

    def first_nonzero(self, start: int, end: int | None = None) -> int | None:
        """Offset of the first byte that is not 0 in ``[start, end)``; holes are skipped."""
        end = self.size if end is None else min(end, self.size)
        while start < end:
            try:
                start = max(start, os.lseek(self._fd, start, os.SEEK_DATA))
                stop = min(end, os.lseek(self._fd, start, os.SEEK_HOLE))
            except OSError:  # ENXIO: only a hole is left
                return None
            while start < stop:
                chunk = self.buffer[start:min(stop, start + _CHUNK)]
                if chunk != _ZEROS[:len(chunk)]:
                    return start + len(chunk) - len(chunk.lstrip(b"\0"))
                start += len(chunk)
        return None

    def close(self) -> None:
        """Gives the descriptor back; bytes already copied stay valid."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            if isinstance(self.buffer, mmap.mmap):
                self.buffer.close()
            self.buffer = b""
            self.size = 0

    def __enter__(self) -> FileBytes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            self.close()
