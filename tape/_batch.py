"""Room for many messages, which one call of C fills."""

from __future__ import annotations

import sys

from ._ffi import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["UNSHARED", "Batch", "references"]

_next_many = lib.tape_tailer_next_many


# How often an object is referred to, where that can be told (CPython): a codec that keeps a slice
# of its view would later read memory that has moved away.
references = getattr(sys, "getrefcount", lambda mapped: 0)


def _count_unshared() -> int:
    mapped = ffi.buffer(ffi.new("char[1]"), 1)
    return int(references(mapped))


UNSHARED = _count_unshared()


class Batch:
    """What C copied last: ``bytes`` one message behind the other, and where each ends."""

    __slots__ = ("_buffer", "_ends", "_framings", "_room", "indexes")

    BYTES, COUNT = 256 << 10, 1024

    def __init__(self) -> None:
        self._buffer = ffi.new("uint8_t[]", self.BYTES)
        self._ends = ffi.new("int64_t[]", self.COUNT)
        self.indexes = ffi.new("int64_t[]", self.COUNT)
        self._framings = ffi.new("uint32_t[]", self.COUNT)
        self._room = ffi.new("tape_batch_t *", {
            "buffer": self._buffer, "size": self.BYTES, "ends": self._ends,
            "indexes": self.indexes, "framings": self._framings})
        self.indexes[0] = -1

    def read(self, handle: Any, n: int) -> int:
        """Up to ``n`` messages, or a code. While ``indexes[0]`` is not negative, C has given
        messages that no caller has got."""
        self._room.count = min(n, self.COUNT)
        return int(_next_many(handle, self._room))

    def contents(self, got: int) -> tuple[bytes, list[int], list[int]]:
        """The bytes of ``got`` messages, their ends and their framings."""
        ends = ffi.unpack(self._ends, got)
        return bytes(ffi.buffer(self._buffer, ends[-1])), ends, ffi.unpack(self._framings, got)
