"""What the reader in Python is made of: integers, texts, byte strings, arrays, caches, footers.

Positions in errors are offsets in the input: of the code of the object that is wrong, or of the
first byte that is wrong in a text.
"""

from __future__ import annotations

import re as _re
from struct import Struct as _Struct
from typing import Any, NoReturn
from zlib import adler32 as _adler32

from ...errors import DecodeError
from . import _convert, codes
from ._options import Options
from .types import BoolArray, Float32

__all__ = ["FROZEN", "HASHED", "Primitives", "ended", "fail", "join_surrogates", "part_text"]

_double = _Struct(">d").unpack_from
_float = _Struct(">f").unpack_from

HASHED, FROZEN = 2, 1                 # bits: in a key or member position; frozen=True
_PENDING: Any = object()                # a cache entry under construction
_CHARGE = 8                             # a shared value in a hashed position counts so much

_ARRAY_NAMES = {codes.LONG_ARRAY: "long", codes.DOUBLE_ARRAY: "double",
                codes.INT_ARRAY: "int", codes.FLOAT_ARRAY: "float",
                codes.BOOLEAN_ARRAY: "boolean"}
_PACK_ITEM = {codes.LONG_ARRAY: _Struct("=q").pack, codes.DOUBLE_ARRAY: _Struct("=d").pack,
              codes.INT_ARRAY: _Struct("=i").pack, codes.FLOAT_ARRAY: _Struct("=f").pack,
              codes.BOOLEAN_ARRAY: _Struct("=?").pack}
_ELEMENT_TYPES = {codes.DOUBLE_ARRAY: float, codes.FLOAT_ARRAY: Float32,
                  codes.BOOLEAN_ARRAY: bool}

_SURROGATE = _re.compile("[\ud800-\udfff]")
_FOUR_BYTES = _re.compile(b"[\xf0-\xff]")


def fail(message: str, offset: int) -> NoReturn:
    raise DecodeError(f"{message} at byte {offset}", offset=offset)


def ended(offset: int) -> NoReturn:
    fail("the input ends inside an object", offset)


# -- text

def part_text(raw: bytes, offset: int) -> str:
    """One part of a string; halves of surrogate pairs are not joined yet."""
    try:
        text = str(raw, "utf-8")
        if len(text) == len(raw) or _FOUR_BYTES.search(raw) is None:
            return text
    except UnicodeDecodeError:
        pass
    wrong = _first_wrong(raw)
    if wrong >= 0:
        fail("not Fressian text", offset + wrong)
    return str(raw.replace(b"\xc0\x80", b"\0"), "utf-8", "surrogatepass")


def _first_wrong(raw: bytes) -> int:
    """Offset of the first unit that is no Fressian text, or -1.

    Java takes overlong forms and any byte as continuation; only its two-byte NUL is taken here.
    """
    at, size = 0, len(raw)
    while at < size:
        lead = raw[at]
        width = 1 if lead < 0x80 else 2 if 0xC0 <= lead < 0xE0 else 3 if 0xE0 <= lead < 0xF0 else 0
        if width == 0 or at + width > size:
            return at
        if any(byte & 0xC0 != 0x80 for byte in raw[at + 1:at + width]):
            return at
        if (lead == 0xC0 and raw[at + 1] != 0x80) or lead == 0xC1 or (
                lead == 0xE0 and raw[at + 1] < 0xA0):
            return at
        at += width
    return -1


def join_surrogates(text: str) -> str:
    """Pairs of surrogates as one character; unpaired ones stay."""
    if text.isascii() or _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


class Primitives:
    """Reads the objects of one stream.

    Attributes:
        pos: offset of the next byte.
    """

    def __init__(self, data: Any, options: Options, checksum: bool) -> None:
        self._data = data
        self._end = len(data)
        self._options = options
        self._checksum = checksum
        self._cache: list[Any] = []
        self._sizes: list[int] = []
        self._structs: list[tuple[Any, int]] = []
        self._pending = 0
        self._expanded = 0
        self._budget = 4 * self._end + 65536
        self._memo: dict[int, Any] = {}
        self._start = 0                     # where the bytes of the next footer begin
        self.pos = 0

    # -- footers and resets

    def _footer(self) -> None:
        at, data = self.pos, self._data
        if at + codes.FOOTER_SIZE > self._end:
            ended(self._end)
        if bytes(data[at:at + 4]) != codes.FOOTER_MAGIC:
            fail("wrong footer magic", at)
        length = int.from_bytes(data[at + 4:at + 8], "big")
        if length != at - self._start & 0xFFFFFFFF:
            fail(f"the footer's length is {length}, not {at - self._start & 0xFFFFFFFF}", at)
        if self._checksum:
            made = _adler32(data[self._start:at + 8])
            given = int.from_bytes(data[at + 8:at + 12], "big")
            if made != given:
                fail(f"the footer's checksum is {given:08x}, not {made:08x}", at)
        self.pos = self._start = at + codes.FOOTER_SIZE
        self._reset(at)

    def _reset(self, at: int) -> None:
        if self._pending:
            fail("the caches are emptied inside a value that is being cached", at)
        self._cache.clear()
        self._sizes.clear()
        self._structs.clear()

    # -- integers inside other forms

    def _integer(self) -> int:
        """A 64-bit integer: directly, or by way of the cache; resets may stand in front."""
        waiting: list[tuple[int, int]] = []     # (entry, offset) of puts; entry -1: of a get
        while True:
            at = self.pos
            if at >= self._end:
                ended(at)
            code = self._data[at]
            self.pos = at + 1
            if code < 0x80 or code in (codes.INT, codes.INT_MINUS_1):
                value = self._packed(code)
            elif code < codes.STRUCT_CACHE_PACKED:
                value = self._cached_int(code - codes.PRIORITY_CACHE_PACKED, at)
            elif code in (codes.PUT_PRIORITY_CACHE, codes.GET_PRIORITY_CACHE):
                if len(waiting) >= self._options.max_depth:
                    self._too_deep(at)
                entry = -1
                if code == codes.PUT_PRIORITY_CACHE:
                    entry = self._reserve()
                waiting.append((entry, at))
                continue
            elif code == codes.RESET_CACHES:
                self._reset(at)
                continue
            else:
                fail("an integer was expected", at)
            break
        for entry, at in reversed(waiting):
            if entry >= 0:
                self._fill(entry, value, 0)
            else:
                value = self._cached_int(value, at)
        return value

    def _packed(self, code: int) -> int:
        """The integer that begins with ``code``; ``pos`` is behind the code."""
        if code < 0x40:
            return code
        if code == codes.INT_MINUS_1:
            return -1
        for limit, zero, size in ((0x60, 0x50, 1), (0x70, 0x68, 2), (0x74, 0x72, 3),
                                  (0x78, 0x76, 4), (0x7C, 0x7A, 5), (0x80, 0x7E, 6)):
            if code < limit:
                return (code - zero << 8 * size) | int.from_bytes(self._take(size), "big")
        return int.from_bytes(self._take(8), "big", signed=True)

    def _take(self, size: int) -> Any:
        at = self.pos
        if at + size > self._end:
            ended(self._end)
        self.pos = at + size
        return self._data[at:at + size]

    def _cached_int(self, entry: int, at: int) -> int:
        value = self._entry(entry, at)
        if type(value) is not int or not codes.LONG_MIN <= value <= codes.LONG_MAX:
            fail("an integer was expected", at)
        return value

    def _count(self, elements: str) -> int:
        """A count of things of at least one byte each."""
        at = self.pos
        count = self._integer()
        if count < 0:
            fail(f"a negative count of {elements}", at)
        if count > self._end - self.pos or count > codes.COUNT_MAX:
            fail(f"{count} {elements} in {self._end - self.pos} bytes", at)
        if count > self._options.max_count and elements not in ("bytes", "components"):
            fail(f"{count} {elements}; the limit is max_count={self._options.max_count}", at)
        return count

    def _too_deep(self, at: int) -> NoReturn:
        fail(f"nested deeper than {self._options.max_depth} levels", at)

    # -- the priority cache

    def _reserve(self) -> int:
        self._cache.append(_PENDING)
        self._sizes.append(0)
        self._pending += 1
        return len(self._cache) - 1

    def _fill(self, entry: int, value: Any, size: int) -> None:
        self._cache[entry] = value
        self._sizes[entry] = size
        self._pending -= 1

    def _entry(self, entry: int, at: int) -> Any:
        if not 0 <= entry < len(self._cache):
            fail(f"no cache entry {entry}", at)
        value = self._cache[entry]
        if value is _PENDING:
            fail(f"cache entry {entry} is under construction", at)
        return value

    def _refer(self, entry: int, at: int, flags: int) -> Any:
        """A cached value, charged as if it were written out again."""
        value = self._entry(entry, at)
        size = self._sizes[entry]
        if size:
            self._expanded += size * _CHARGE if flags & HASHED else size
            if self._expanded > self._options.max_expanded:
                fail("shared values that are too large when written out: the limit is "
                      f"max_expanded={self._options.max_expanded}", at)
            if flags:
                value = _convert.freeze(value, self._memo)
        return value

    # -- strings and bytes

    def _string(self, code: int) -> str:
        """The string that begins with ``code``; ``pos`` is behind the code."""
        if code <= 0xE1:
            raw, at = self._take(code - codes.STRING_PACKED), self.pos
            return join_surrogates(part_text(bytes(raw), at - len(raw)))
        parts = []
        while True:
            size = code - codes.STRING_PACKED if code <= 0xE1 else self._count("bytes")
            at = self.pos
            parts.append(part_text(bytes(self._take(size)), at))
            if code != codes.STRING_CHUNK:
                return join_surrogates("".join(parts))
            at = self.pos
            if at >= self._end:
                ended(at)
            code = self._data[at]
            if not codes.STRING_PACKED <= code <= codes.STRING:
                fail("the next part of a string was expected", at)
            self.pos = at + 1

    def _bytes(self, code: int) -> bytes:
        if code < codes.BYTES_CHUNK:
            return bytes(self._take(code - codes.BYTES_PACKED))
        parts = []
        while True:
            parts.append(bytes(self._take(self._count("bytes"))))
            if code == codes.BYTES:
                return b"".join(parts)
            at = self.pos
            if at >= self._end:
                ended(at)
            code = self._data[at]
            if code not in (codes.BYTES_CHUNK, codes.BYTES):
                fail("the next part of a byte string was expected", at)
            self.pos = at + 1

    # -- arrays of numbers

    def _numbers(self, code: int) -> Any:
        """int[], long[], float[], double[], boolean[]; elements may come from the cache."""
        count = self._count("elements")
        pack: Any = _PACK_ITEM[code]
        items: list[Any] = []
        for _ in range(count):
            at = self.pos
            if code in (codes.LONG_ARRAY, codes.INT_ARRAY):
                item: Any = self._integer()
                if code == codes.INT_ARRAY and not -2**31 <= item < 2**31:
                    fail("an int[] element that does not fit 32 bits", at)
            else:
                item = self._element(code)
            items.append(item)
        if code == codes.BOOLEAN_ARRAY and not self._options.numpy:
            return BoolArray(items)
        raw = b"".join(map(pack, items))
        return (_convert.make_numpy if self._options.numpy else _convert.make_array)(code, raw)

    def _element(self, array: int) -> Any:
        """One element of float[], double[] or boolean[]: its code, or by way of the cache."""
        entries: list[int] = []
        while True:
            at = self.pos
            if at >= self._end:
                ended(at)
            code = self._data[at]
            self.pos = at + 1
            if code == codes.PUT_PRIORITY_CACHE:
                if len(entries) >= self._options.max_depth:
                    self._too_deep(at)
                entries.append(self._reserve())
                continue
            if code == codes.RESET_CACHES:
                self._reset(at)
                continue
            break
        value = self._scalar_or_entry(code, at)
        wanted = _ELEMENT_TYPES[array]
        if type(value) is not wanted:
            fail(f"an element of a {_ARRAY_NAMES[array]}[] was expected", at)
        for entry in reversed(entries):
            self._fill(entry, value, 0)
        return value

    def _scalar_or_entry(self, code: int, at: int) -> Any:
        if code == codes.TRUE or code == codes.FALSE:
            return code == codes.TRUE
        if code == codes.DOUBLE:
            return _double(self._take(8))[0]
        if code == codes.FLOAT:
            return Float32(_float(self._take(4))[0])
        if code == codes.DOUBLE_0 or code == codes.DOUBLE_1:
            return float(code - codes.DOUBLE_0)
        if codes.PRIORITY_CACHE_PACKED <= code < codes.STRUCT_CACHE_PACKED:
            return self._entry(code - codes.PRIORITY_CACHE_PACKED, at)
        if code == codes.GET_PRIORITY_CACHE:
            return self._entry(self._integer(), at)
        return None
