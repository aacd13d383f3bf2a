"""Bodies of messages one behind the other, and fixed-size records as numpy arrays."""

from __future__ import annotations

from array import array

from ._arguments import not_negative
from ._batch import Batch
from ._ffi import check, ffi, lib
from .errors import DecodeError, InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Bodies", "record"]


def record(dtype: Any) -> Any:
    """The numpy type of a record, which must have a size and no objects."""
    try:
        import numpy
    except ImportError as missing:
        raise ImportError("read_columns() needs numpy: pip install numpy",
                          name="numpy") from missing
    kind = numpy.dtype(dtype)
    if kind.hasobject or kind.itemsize == 0:
        raise InvalidArgument(f"records of {kind!r}",
                              hint="a dtype of fixed size without objects, such as 'f8,i8,S8'")
    return kind


class Bodies:
    """What one call reads: at most ``wanted`` bodies, all of numpy's ``kind`` if that is given."""

    __slots__ = ("_cursor", "_kind", "_size", "_wanted", "offsets", "parts")

    def __init__(self, cursor: Any, wanted: int, kind: Any) -> None:
        self._cursor, self._wanted, self._kind = cursor, not_negative(wanted), kind
        self._size = None if kind is None else kind.itemsize
        self.parts: list[bytes] = []
        self.offsets = array("q", [0])

    def _usable(self, ends: list[int], framings: list[int]) -> int:
        """How many of a batch, from its begin on, are as they shall be."""
        begin = 0
        for n, (end, framing) in enumerate(zip(ends, framings, strict=True)):
            if framing != self._cursor._framing or self._size not in (None, end - begin):
                return n
            begin = end
        return len(ends)

    def result(self) -> Any:
        """Bytes and offsets, or an array of records."""
        if self._kind is not None:
            import numpy

            from ._arrow import Columns
            return numpy.frombuffer(bytearray().join(self.parts), self._kind).view(Columns)
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts), self.offsets

    def fill(self, out: Any) -> None:
        """Reads until there are enough, or none is left, or one is not as it shall be."""
        cursor = self._cursor
        while (left := self._wanted + 1 - len(self.offsets)) > 0:
            batch = cursor._batch = cursor._batch or Batch()
            got = batch.read(cursor._handle, left)
            if got < 0 and got != lib.TAPE_ETOOBIG and len(self.offsets) > 1:
                lib.tape_tailer_unread(cursor._handle)  # a gap; the next call tells it
                return
            if got == lib.TAPE_EGAP:
                got = cursor._behind_gap(Batch.read, batch, cursor._handle, left)
            if got == 0 or not (self._add(batch, got) if got > 0 else self._single(out, got)):
                return

    def _add(self, batch: Batch, got: int) -> bool:
        cursor = self._cursor
        if cursor._first < 0:
            cursor._first = int(batch.indexes[0])
        data, ends, framings = batch.contents(got)
        good = self._usable(ends, framings)
        if good < got:
            check(lib.tape_tailer_unread_many(cursor._handle, good))
        if good == 0 and len(self.offsets) == 1:
            batch.indexes[0] = cursor._first = -1
            return self._single(cursor._out, 1)
        if good > 0:
            base = self.offsets[-1]
            self.parts.append(data if good == got else data[:ends[good - 1]])
            self.offsets.extend([base + end for end in ends[:good]])
        return good == got

    def _single(self, out: Any, code: int) -> bool:
        """A message by itself: too large for a batch, or not as it shall be."""
        cursor = self._cursor
        if code < 0 and code != lib.TAPE_ETOOBIG:
            cursor._fail(code)
        if cursor._advance(out) != 1:
            return False
        size = int(out.size)
        if out.framing == cursor._framing and self._size in (None, size):
            if cursor._first < 0:
                cursor._first = int(out.index)
            self.parts.append(bytes(ffi.buffer(out.data, size)))
            self.offsets.append(self.offsets[-1] + size)
            return True
        if len(self.offsets) > 1:
            lib.tape_tailer_unread(cursor._handle)  # the next call tells it
            out.index = -1
            return False
        why = ("the document is not framed as the codec expects" if out.framing != cursor._framing
               else f"it has {size} bytes, and a record {self._size}")
        error = cursor._poisoned(out, cursor._handle, DecodeError(why, hint="skip() moves on"))
        if cursor._on_error is None:
            raise error
        cursor._tell(cursor._on_error, error)
        cursor._advance(out)
        out.index = -1
        return True
