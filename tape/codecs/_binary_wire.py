"""The values of BinaryWire in memory: a reader and a writer of bytes (docs/format.md 3).

The reader trusts no length: each is compared with the end of the block it stands in before
anything is read or made, and blocks nest at most :data:`MAX_DEPTH` deep. The reader works on any
buffer; :mod:`tape.dump` uses its parts to tell where each field stands.
"""

from __future__ import annotations

import datetime
import re
import struct
import uuid
from typing import Any, NamedTuple

from ..errors import DecodeError, EncodeError
from ._shown import shown

MAX_DEPTH = 64

BLOCK8, BLOCK16, BLOCK32, HISTORY = 0x80, 0x81, 0x82, 0x86
FIELD_ANCHOR, UPDATED_ALIAS = 0x87, 0x89
BYTES, I64_ARRAY, PADDING32, PADDING = 0x8A, 0x8D, 0x8E, 0x8F
FLOAT32, FLOAT64, UUID, INT64 = 0x90, 0x91, 0xA0, 0xA7
FALSE, TRUE, TIME, DATE, DATE_TIME, ZONED = 0xB0, 0xB1, 0xB2, 0xB3, 0xB4, 0xB5
TYPE, FIELD, STRING, EVENT, NUMBER, NULL = 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xBB
TYPE_LITERAL, EVENT_OBJECT, COMMENT, HINT, FIELD0, STRING0 = 0xBC, 0xBD, 0xBE, 0xBF, 0xC0, 0xE0

# Values of a fixed size; the "set low" integers of delta wires are read as Java reads them.
_FIXED = {code: struct.Struct("<" + form) for code, form in {
    FLOAT32: "f", FLOAT64: "d", 0xA1: "B", 0xA2: "H", 0xA3: "I", 0xA4: "b", 0xA5: "h", 0xA6: "i",
    INT64: "q", 0xA8: "B", 0xA9: "H", 0xAF: "q"}.items()}
_DECIMALS = {0x92: 10**2, 0x94: 10**4, 0x96: 10**6}
_BLOCKS = {BLOCK8: 1, BLOCK16: 2, BLOCK32: 4}
_DELTA = {*range(FIELD_ANCHOR, UPDATED_ALIAS + 1), 0x9A, 0x9B, 0x9C}

HISTORY_NAME = "history"
HISTORY_ID = -1


class Typed(NamedTuple):
    """A value with the name of its Java type: a class name or an alias.

    >>> Typed("Order", {"id": 1}).type
    'Order'
    """

    type: str
    value: Any


class TypeLiteral(str):
    """The name of a Java type that is itself the value."""

    __slots__ = ()


class Pairs(tuple[tuple[Any, Any], ...]):
    """The fields of a block in which a name comes twice, in order, as (name, value)."""

    __slots__ = ()


class History(NamedTuple):
    """Where a message came from: ``sources`` are (source id, index), ``timings`` nanoseconds."""

    sources: tuple[tuple[int, int], ...] = ()
    timings: tuple[int, ...] = ()


def text_of(data: bytes) -> str:
    """Java's text: UTF-8 in which a character beyond U+FFFF may come as two surrogates."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        units = data.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass")
        return units.decode("utf-16-le", "surrogatepass")


def _surrogates(match: re.Match[str]) -> str:
    high, low = struct.unpack("<HH", match[0].encode("utf-16-le"))
    return chr(high) + chr(low)


def bytes_of_text(text: str) -> bytes:
    """The inverse of :func:`text_of`, always with surrogates: Java reads nothing else."""
    return re.sub("[\U00010000-\U0010FFFF]", _surrogates, text).encode("utf-8", "surrogatepass")


SERVICE_NAME_SIZE = 8  # of a packed history


class Reader:
    """Reads the values of one document; every method takes and gives offsets in ``data``."""

    def __init__(self, data: bytes | memoryview, origin: int = 0) -> None:
        self.data = memoryview(data)
        self.origin = origin  # added to the offsets in errors

    def fail(self, message: str, at: int) -> DecodeError:
        return DecodeError(f"{message} at offset {at + self.origin}", offset=at + self.origin,
                           hint="read it with the document codec, or skip()")

    def need(self, at: int, size: int, end: int) -> int:
        """The offset behind ``size`` bytes, which must lie before ``end``."""
        if not 0 <= size <= end - at:
            raise self.fail(f"{size} bytes do not fit into the {max(end - at, 0)} left", at)
        return at + size

    def code(self, at: int, end: int) -> int:
        self.need(at, 1, end)
        return self.data[at]

    def stop_bit(self, at: int, end: int) -> tuple[int, int]:
        """A stop-bit number: 7 bits a byte, lowest first; a last byte 0 inverts the rest."""
        result = 0
        for count in range(10):
            byte = self.code(at + count, end)
            if byte == 0 and count:
                return ~result, at + count + 1
            result |= (byte & 0x7F) << 7 * count
            if byte < 0x80:
                if result >> 63:
                    break
                return result, at + count + 1
        raise self.fail("a number is longer than 63 bits", at)

    def sized(self, at: int, end: int) -> tuple[bytes, int]:
        """Bytes after a stop-bit length."""
        length, start = self.stop_bit(at, end)
        stop = self.need(start, length, end)
        return bytes(self.data[start:stop]), stop

    def utf8(self, data: bytes, at: int) -> str:
        try:
            return text_of(data)
        except UnicodeError:
            raise self.fail("a text is not UTF-8", at) from None

    def skip_padding(self, at: int, end: int) -> int:
        """The offset behind padding, comments and hints."""
        while at < end:
            code = self.data[at]
            if code in (PADDING, HINT):
                at += 1
            elif code == PADDING32:
                self.need(at + 1, 4, end)
                at = self.need(at + 5, int.from_bytes(self.data[at + 1:at + 5], "little"), end)
            elif code == COMMENT:
                at = self.sized(at + 1, end)[1]
            else:
                break
        return at

    def name(self, at: int, end: int, depth: int = 0) -> tuple[Any, int] | None:
        """A field or event name, a method id or an event object; ``None`` when there is none."""
        code = self.code(at, end)
        if FIELD0 <= code < STRING0:
            stop = self.need(at + 1, code - FIELD0, end)
            return str(self.data[at + 1:stop], "latin-1"), stop
        if code in (FIELD, EVENT):
            name, stop = self.sized(at + 1, end)
            return name.decode("latin-1"), stop
        if code == NUMBER:
            return self.stop_bit(at + 1, end)
        if code == EVENT_OBJECT:
            value, stop = self.value(at + 1, end, depth + 1)
            return _hashable(value), stop
        return None

    def type_name(self, at: int, end: int) -> tuple[str, int] | None:
        """The type prefix of a value; ``None`` when there is none."""
        if self.code(at, end) != TYPE:
            return None
        name, stop = self.sized(at + 1, end)
        return self.utf8(name, at), stop

    def block(self, at: int, end: int) -> tuple[int, int] | None:
        """Start and end of a length-prefixed block; ``None`` when there is none."""
        width = _BLOCKS.get(self.code(at, end))
        if width is None:
            return None
        start = self.need(at + 1, width, end)
        length = int.from_bytes(self.data[at + 1:start], "little")
        return start, self.need(start, length, end)

    def value(self, at: int, end: int, depth: int = 0) -> tuple[Any, int]:
        """One value and the offset behind it."""
        at = self.skip_padding(at, end)
        code = self.code(at, end)
        if code < 0x80:
            return code, at + 1
        if code in _BLOCKS or code == TYPE:
            if depth >= MAX_DEPTH:
                raise self.fail(f"blocks nest deeper than {MAX_DEPTH}", at)
            return self._typed(at, end, depth) if code == TYPE else self._block(at, end, depth)
        if code >= STRING0:
            stop = self.need(at + 1, code - STRING0, end)
            return self.utf8(bytes(self.data[at + 1:stop]), at), stop
        return self._scalar(code, at, end)

    def _typed(self, at: int, end: int, depth: int) -> tuple[Any, int]:
        found = self.type_name(at, end)
        assert found is not None
        value, stop = self.value(found[1], end, depth + 1)
        if found[0] == "byte[]" and isinstance(value, (bytes, type(None))):
            return value, stop
        return Typed(found[0], value), stop

    def _block(self, at: int, end: int, depth: int) -> tuple[Any, int]:
        found = self.block(at, end)
        assert found is not None
        start, stop = found
        if start < stop and self.data[start] == BYTES:
            return bytes(self.data[start + 1:stop]), stop
        if start < stop and self.data[start] == HISTORY:
            return self._history(start + 1, stop), stop
        return self.content(start, stop, depth + 1, []), stop

    def _scalar(self, code: int, at: int, end: int) -> tuple[Any, int]:
        fixed = _FIXED.get(code)
        if fixed is not None:
            stop = self.need(at + 1, fixed.size, end)
            return fixed.unpack_from(self.data, at + 1)[0], stop
        if code in _DECIMALS:
            number, stop = self.stop_bit(at + 1, end)
            return number / _DECIMALS[code], stop
        if code in (FALSE, TRUE, NULL):
            return {FALSE: False, TRUE: True, NULL: None}[code], at + 1
        if TIME <= code <= ZONED or code in (STRING, TYPE_LITERAL):
            data, stop = self.sized(at + 1, end)
            text = self.utf8(data, at)
            return TypeLiteral(text) if code == TYPE_LITERAL else text, stop
        if code == I64_ARRAY:
            return self._array(at, end)
        if code == UUID:
            stop = self.need(at + 1, 16, end)
            high, low = struct.unpack_from("<QQ", self.data, at + 1)
            return uuid.UUID(int=high << 64 | low), stop
        if code in _DELTA:
            raise self.fail(f"code {code:02X} is of delta wires, which tape does not read,", at)
        raise self.fail(f"byte {code:02X} begins no value", at)

    def _array(self, at: int, end: int) -> tuple[list[int], int]:
        start = self.need(at + 1, 16, end)
        capacity, used = struct.unpack_from("<qq", self.data, at + 1)
        stop = self.need(start, capacity * 8, end)
        if not 0 <= used <= capacity:
            raise self.fail(f"{used} of {capacity} elements are used", at)
        return list(struct.unpack_from(f"<{used}q", self.data, start)), stop

    def _history(self, at: int, end: int) -> History:
        """Packed: a count, ids, indexes, a count, timings; nothing behind it, but that some
        releases (5.26ea6) add a service's name there, 8 bytes that no other one has."""
        count = self.code(at, end)
        middle = self.need(at + 1, 12 * count, end)
        ids = struct.unpack_from(f"<{count}i", self.data, at + 1)
        indexes = struct.unpack_from(f"<{count}q", self.data, at + 1 + 4 * count)
        timed = self.code(middle, end)
        if end - self.need(middle + 1, 8 * timed, end) not in (0, SERVICE_NAME_SIZE):
            raise self.fail("bytes behind the message history", middle + 1 + 8 * timed)
        timings = struct.unpack_from(f"<{timed}q", self.data, middle + 1)
        return History(tuple(zip(ids, indexes, strict=True)), timings)

    def content(self, at: int, end: int, depth: int, empty: Any) -> Any:
        """All between two offsets: fields become a dict (or :class:`Pairs`), values a list."""
        pairs: list[tuple[Any, Any]] = []
        values: list[Any] = []
        while (at := self.skip_padding(at, end)) < end:
            named = self.name(at, end, depth)
            if bool(named) if values else not named and bool(pairs):
                raise self.fail("names and bare values are mixed", at)
            value, stop = self.value(named[1] if named else at, end, depth)
            if named is None:
                values.append(value)
            else:
                known = isinstance(value, History) and named[0] == HISTORY_ID
                pairs.append((HISTORY_NAME if known else named[0], value))
            at = stop
        if not pairs:
            return values or empty
        fields = dict(pairs)
        return fields if len(fields) == len(pairs) else Pairs(pairs)


def _hashable(value: Any) -> Any:
    """The value as it can be a key of a dict."""
    if isinstance(value, Typed):
        return Typed(value.type, _hashable(value.value))
    if isinstance(value, (list, Pairs)):
        return tuple(_hashable(item) for item in value)
    if isinstance(value, dict):
        return tuple((name, _hashable(item)) for name, item in value.items())
    return value


# ---- writing ----

_INTEGERS = [(0, 0xFF, 0xA1, "<BB"), (-0x80, -1, 0xA4, "<Bb"), (-0x8000, 0x7FFF, 0xA5, "<Bh"),
             (0x8000, 0xFFFF, 0xA2, "<BH"), (-0x80000000, 0x7FFFFFFF, 0xA6, "<Bi"),
             (0x80000000, 0xFFFFFFFF, 0xA3, "<BI"), (-1 << 63, (1 << 63) - 1, INT64, "<Bq")]
_JAVA_INTEGER = re.compile(r"-?[0-9]{1,18}\Z")


def stop_bit(number: int) -> bytes:
    """The inverse of :meth:`Reader.stop_bit`."""
    rest, out = (~number if number < 0 else number), bytearray()
    while rest > 0x7F or (number < 0 and (rest or not out)):
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(0 if number < 0 else rest)
    return bytes(out)


def _sized(code: int, data: bytes) -> bytes:
    return bytes([code]) + stop_bit(len(data)) + data


def write_text(text: str) -> bytes:
    """A string value."""
    data = bytes_of_text(text)
    return bytes([STRING0 + len(data)]) + data if len(data) < 32 else _sized(STRING, data)


def _block(data: bytes) -> bytes:
    return struct.pack("<BI", BLOCK32, len(data)) + data


def _bytes(data: bytes) -> bytes:
    for code, width in _BLOCKS.items():
        if len(data) + 1 < 1 << 8 * width:
            return (bytes([code]) + (len(data) + 1).to_bytes(width, "little") + bytes([BYTES])
                    + data)
    raise EncodeError(f"{len(data)} bytes are more than a block can hold",
                      hint="write them as several messages")


def _float(number: float) -> bytes:
    try:
        short = struct.pack("<Bf", FLOAT32, number)
    except OverflowError:
        return struct.pack("<Bd", FLOAT64, number)
    exact = number != number or struct.unpack_from("<f", short, 1)[0] == number
    return short if exact else struct.pack("<Bd", FLOAT64, number)


class Writer:
    """Writes values as Java's ``writeDocument`` does."""

    def fail(self, message: str, path: str) -> EncodeError:
        return EncodeError(f"{shown(path)}: {message}", path=path,
                           hint="dicts, lists, str, bytes, int, float, bool, None, and the types "
                                "of tape.codecs.wire")

    def name(self, name: Any, path: str) -> bytes:
        """A field name; an integer, or text that Java takes for one, as a field number."""
        if isinstance(name, str) and _JAVA_INTEGER.match(name) and name[0] != "-":
            name = int(name)
        if isinstance(name, int) and not isinstance(name, bool):
            if not -1 << 63 <= name < 1 << 63:
                raise self.fail(f"the name {shown(name)} is longer than 64 bits", path)
            return bytes([NUMBER]) + stop_bit(name)
        if not isinstance(name, str):
            raise self.fail(f"a name is {type(name).__name__}, not str or int", path)
        try:
            data = name.encode("latin-1")
        except UnicodeEncodeError:
            raise self.fail(f"the name {shown(repr(name))} is not Latin-1", path) from None
        return bytes([FIELD0 + len(data)]) + data if len(data) < 32 else _sized(FIELD, data)

    def fields(self, pairs: Any, path: str, depth: int) -> bytes:
        """Names and values, one after the other."""
        out = []
        for name, value in pairs:
            if isinstance(value, History) and name == HISTORY_NAME:
                name = HISTORY_ID
            inside = f"{path}.{shown(name)}"
            out += [self.name(name, inside), self.value(value, inside, depth)]
        return b"".join(out)

    def value(self, value: Any, path: str, depth: int = 0) -> bytes:
        """One value; ``path`` says in errors where it stands."""
        if depth > MAX_DEPTH:
            raise self.fail(f"values nest deeper than {MAX_DEPTH}", path)
        if isinstance(value, Typed):
            return (_sized(TYPE, bytes_of_text(value.type))
                    + self.value(value.value, path, depth + 1))
        if isinstance(value, History):
            return self._history(value, path)
        if isinstance(value, dict):
            return _block(self.fields(value.items(), path, depth + 1))
        if isinstance(value, Pairs):
            return _block(self.fields(value, path, depth + 1))
        if isinstance(value, (list, tuple)):
            return _block(b"".join(self.value(item, f"{path}[{i}]", depth + 1)
                                   for i, item in enumerate(value)))
        return self._scalar(value, path)

    def _scalar(self, value: Any, path: str) -> bytes:
        if value is None or isinstance(value, bool):
            return bytes([NULL if value is None else TRUE if value else FALSE])
        if isinstance(value, int):
            for low, high, code, form in _INTEGERS:
                if low <= value <= high:
                    return struct.pack(form, code, value)
            raise self.fail(f"{shown(value)} is longer than 64 bits", path)
        if isinstance(value, float):
            return _float(value)
        if isinstance(value, TypeLiteral):
            return _sized(TYPE_LITERAL, bytes_of_text(value))
        if isinstance(value, str):
            return write_text(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return _bytes(bytes(value))
        if isinstance(value, uuid.UUID):
            return struct.pack("<BQQ", UUID, value.int >> 64, value.int & (1 << 64) - 1)
        if isinstance(value, (datetime.date, datetime.time)):
            return _sized(_time_code(value), value.isoformat().encode())
        raise self.fail(f"{type(value).__name__} has no form in BinaryWire", path)

    def _history(self, history: History, path: str) -> bytes:
        sources, timings = history
        try:
            data = struct.pack(f"<BB{len(sources)}i{len(sources)}qB{len(timings)}q", HISTORY,
                               len(sources), *(s for s, _ in sources), *(i for _, i in sources),
                               len(timings), *timings)
        except (struct.error, TypeError, ValueError) as error:
            raise self.fail(f"no message history: {error}", path) from None
        return struct.pack("<BH", BLOCK16, len(data)) + data


def _time_code(value: datetime.date | datetime.time) -> int:
    if isinstance(value, datetime.time):
        return TIME
    if not isinstance(value, datetime.datetime):
        return DATE
    return DATE_TIME if value.tzinfo is None else ZONED
