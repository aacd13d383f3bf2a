"""Room for many messages, which one call of C fills."""

from __future__ import annotations

import os
import sys
from _weakrefset import WeakSet

from ._ffi import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["LOOKING_AHEAD", "SHOWN", "UNSHARED", "Batch", "gap_in_doubt", "references",
           "show_to_debuggers"]

_next_many = lib.tape_tailer_next_many


# How often an object is referred to, where that can be told (CPython): a codec that keeps a slice
# of its view would later read memory that has moved away.
references = getattr(sys, "getrefcount", lambda mapped: 0)


def show_to_debuggers() -> None:
    """Copies the variables of who calls into the dictionary that debuggers and tracers look into,
    where there is one (up to Python 3.12): it refers to each of them once more, and whether
    somebody made it cannot be asked, so it is made before one counts again."""
    sys._getframe(1).f_locals  # noqa: B018


def _count_unshared() -> tuple[int, int]:
    mapped = ffi.buffer(ffi.new("char[1]"), 1)
    show_to_debuggers()
    shown = int(references(mapped))
    return shown - (1 if shown and type(sys._getframe().f_locals) is dict else 0), shown


#: References to a buffer that nobody keeps: by themselves, and when debuggers may see it.
UNSHARED, SHOWN = _count_unshared()

# What was copied before a fork is the parent's to give.
LOOKING_AHEAD: WeakSet[Any] = WeakSet()


def _forget_what_is_ahead() -> None:
    for cursor in list(LOOKING_AHEAD):
        cursor._ahead = None


os.register_at_fork(after_in_child=_forget_what_is_ahead)


def gap_in_doubt(handle: Any) -> bool:
    """Whether C told a gap that nobody heard of: its answer and an interrupt came together."""
    facts, ends = ffi.new("tape_error_facts_t *"), ffi.new("int64_t[2]")
    lib.tape_error_last(facts)
    return facts.code == lib.TAPE_EGAP and bool(lib.tape_tailer_gap(handle, ends, ends + 1) == 1)


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
