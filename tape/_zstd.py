"""Cycle files as zstd: frames that stand for themselves, and a table of them behind the last one.

The table is that of zstd's "seekable format", so the ``zstd`` command decompresses such a file as
any other, and passes over the table:

    frame, frame, ...          128 KiB of the cycle file each, with a checksum
    5E 2A 4D 18  length        a frame that decompressors skip
    8 bytes for each frame     its length, and that of what it holds
    count  00  B1 EA 92 8F

So a seek decompresses the few frames it touches.
"""

from __future__ import annotations

import os
import struct
from array import array
from itertools import accumulate
from typing import IO, Any

from .errors import CorruptQueue

__all__ = ["FRAME", "SUFFIX", "Table", "compress", "library", "table"]

SUFFIX = ".zst"
FRAME = 128 << 10
SKIPPED, SEEKABLE = 0x184D2A5E, 0x8F92EAB1
_HEAD, _ROW, _FOOT = struct.Struct("<II"), struct.Struct("<II"), struct.Struct("<IBI")


def module() -> Any:
    """The module ``compression.zstd`` of the standard library, or ``backports.zstd``.

    Raises: ImportError that says what to install.
    """
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        try:
            from backports import zstd  # type: ignore[no-redef,unused-ignore]
        except ImportError:
            raise ImportError("zstd needs Python 3.14, or: pip install 'tape[zstd]'",
                              name="backports.zstd") from None
    return zstd


def compress(source: IO[bytes], target: IO[bytes], level: int) -> None:
    """Copies a cycle file, compressed, to the end of another file."""
    zstd = module()
    options = {zstd.CompressionParameter.compression_level: level,
               zstd.CompressionParameter.checksum_flag: 1}
    rows = []
    while chunk := source.read(FRAME):
        frame = zstd.compress(chunk, options=options)
        target.write(frame)
        rows.append(_ROW.pack(len(frame), len(chunk)))
    foot = _FOOT.pack(len(rows), 0, SEEKABLE)
    target.write(_HEAD.pack(SKIPPED, len(rows) * _ROW.size + len(foot)))
    target.writelines(rows)
    target.write(foot)


class Table:
    """Where each frame stands: ``offsets`` in the file, ``ends`` of what they hold; both begin
    with that of the first frame."""

    def __init__(self, offsets: array[int], ends: array[int]) -> None:
        self.offsets, self.ends = offsets, ends

    @property
    def size(self) -> int:
        """Bytes that the file holds."""
        return self.ends[-1]


def table(descriptor: int, path: str) -> Table | None:
    """The table of a file; ``None`` when it has none: then it is read from its beginning.

    Raises: :class:`tape.CorruptQueue` for one that makes no sense.
    """
    length = os.fstat(descriptor).st_size
    foot = os.pread(descriptor, _FOOT.size, max(length - _FOOT.size, 0))
    if len(foot) < _FOOT.size:
        return None
    count, flags, magic = _FOOT.unpack(foot)
    if magic != SEEKABLE:
        return None
    row = 12 if flags & 0x80 else 8  # with checksums of its own
    size = count * row + _FOOT.size
    at = length - size - _HEAD.size
    head = os.pread(descriptor, _HEAD.size, at) if at >= 0 else b""
    rows = os.pread(descriptor, count * row, at + _HEAD.size) if at >= 0 else b""
    if len(head) < _HEAD.size or _HEAD.unpack(head) != (SKIPPED, size) or len(rows) != count * row:
        raise CorruptQueue(f"{path} ends in a damaged table of its frames", file=path,
                           position=max(at, 0), hint="zstd -d may still decompress it")
    words = array("I", rows)
    step = row // 4
    offsets = array("Q", accumulate(words[0::step], initial=0))
    ends = array("Q", accumulate(words[1::step], initial=0))
    if offsets[-1] != at:
        raise CorruptQueue(f"{path} is shorter or longer than its table of frames says",
                           file=path, position=at, hint="zstd -d may still decompress it")
    return Table(offsets, ends)
