"""Binary wire: codes, stop bits, names, values, blocks (format.md 3)."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .errors import FormatError

DEPTH_MAX = 64
MEMORY = "<bytes>"

_FIXED: dict[int, struct.Struct] = {
    0x90: struct.Struct("<f"), 0x91: struct.Struct("<d"),
    0xA1: struct.Struct("<B"), 0xA2: struct.Struct("<H"), 0xA3: struct.Struct("<I"),
    0xA4: struct.Struct("<b"), 0xA5: struct.Struct("<h"), 0xA6: struct.Struct("<i"),
    0xA7: struct.Struct("<q"), 0xAF: struct.Struct("<q"),
    0xA8: struct.Struct("<b"), 0xA9: struct.Struct("<h"),
    0x9A: struct.Struct("<b"), 0x9B: struct.Struct("<b"), 0x9C: struct.Struct("<b"),
}
_BLOCK_LENGTH = {0x80: struct.Struct("<B"), 0x81: struct.Struct("<H"), 0x82: struct.Struct("<I")}
_DECIMALS = {0x92: 2, 0x94: 4, 0x96: 6}
_U32 = struct.Struct("<I")
_I64 = struct.Struct("<q")


@dataclass(frozen=True)
class Key:
    """What stands before a value: ``kind`` is field, event, number or object."""

    kind: str
    name: Any


@dataclass(frozen=True)
class Value:
    """A value and where it lies: ``position`` is that of its code byte."""

    code: int
    position: int
    end: int
    data: Any

    @property
    def bound_at(self) -> int:
        """Offset of the 8 bytes of a value that is updated in place (format.md 3.6)."""
        return self.position + 1


@dataclass(frozen=True)
class Item:
    """A value with its key, ``None`` when it has none."""

    key: Key | None
    value: Value


@dataclass(frozen=True)
class Typed:
    """A value with a type prefix, like ``!SCQStore { ... }``."""

    name: str
    value: Value


@dataclass(frozen=True)
class Int64Array:
    """An array bound to memory; its entries are not read."""

    capacity: int
    used: int
    entries_at: int


@dataclass(frozen=True)
class Date:
    """One of the four ISO texts B2 to B5."""

    kind: str
    text: str


@dataclass(frozen=True)
class TypeLiteral:
    """The name of a type as a value."""

    name: str


@dataclass(frozen=True)
class Blob:
    """Raw bytes to the end of their block; ``packed`` marks a message history (13.6)."""

    data: bytes
    packed: bool = False


class Cursor:
    """A span of bytes and a place in it; every read is checked against the span's end."""

    def __init__(self, data: Any, position: int = 0, end: int | None = None,
                 file: str = MEMORY) -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end is None else end
        self.file = file
        if not 0 <= position <= self.end <= len(data):
            raise self.error("the span reaches beyond the bytes")

    def error(self, what: str) -> FormatError:
        """The error to raise for the present place."""
        return FormatError(self.file, self.position, what)

    def more(self) -> bool:
        """Whether a byte is left."""
        return self.position < self.end

    def peek(self) -> int:
        """The next byte, which stays."""
        if self.position >= self.end:
            raise self.error("a code byte is missing at the end of its block")
        return int(self.data[self.position])

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        if length < 0 or length > self.end - self.position:
            raise self.error(f"{length} bytes wanted, {self.end - self.position} left")
        start, self.position = self.position, self.position + length
        return bytes(self.data[start:self.position])

    def unpack(self, form: struct.Struct) -> Any:
        """The next number of this form."""
        return form.unpack(self.take(form.size))[0]

    def stop_bit(self) -> int:
        """A stop-bit integer (format.md 3.2)."""
        result, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            if byte < 0x80:
                break
            result |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise self.error("a stop-bit integer is longer than 64 bits")
        if byte == 0 and shift:
            return ~result
        return result | byte << shift

    def length(self) -> int:
        """A stop-bit integer that is a length."""
        length = self.stop_bit()
        if not 0 <= length <= self.end - self.position:
            raise self.error(f"length {length}, {self.end - self.position} bytes left")
        return length

    def skip_padding(self) -> None:
        """Skips padding, comments and hints: allowed before any key and any value."""
        while self.more():
            code = self.peek()
            if code == 0x8F:
                self.position += 1
            elif code == 0x8E:
                self.position += 1
                self.take(self.unpack(_U32))
            elif code in (0xBE, 0xBF):
                self.position += 1
                self.take(self.length())
            else:
                return


def _latin(cursor: Cursor, length: int) -> str:
    return cursor.take(length).decode("latin-1")


def text_of(raw: bytes) -> str:
    """Decodes UTF-8 in which pairs of surrogates may be encoded one by one (format.md 3.4)."""
    if b"\xed" not in raw:
        return raw.decode("utf-8")
    loose = raw.decode("utf-8", "surrogatepass")
    return loose.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _text(cursor: Cursor, length: int) -> str:
    at = cursor.position
    try:
        return text_of(cursor.take(length))
    except UnicodeDecodeError as error:
        raise FormatError(cursor.file, at, "text is not UTF-8") from error


def read_key(cursor: Cursor, depth: int = 0) -> Key | None:
    """The key at the cursor, ``None`` when a value comes at once."""
    code = cursor.peek()
    if 0xC0 <= code <= 0xDF:
        cursor.position += 1
        return Key("field", _latin(cursor, code - 0xC0))
    if code not in (0xB7, 0xB9, 0xBA, 0xBD):
        return None
    cursor.position += 1
    if code == 0xB7:
        return Key("field", _latin(cursor, cursor.length()))
    if code == 0xB9:
        return Key("event", _latin(cursor, cursor.length()))
    if code == 0xBA:
        return Key("number", cursor.stop_bit())
    return Key("object", read_value(cursor, depth + 1).data)


def read_value(cursor: Cursor, depth: int = 0) -> Value:
    """The value at the cursor; padding before it is skipped."""
    if depth > DEPTH_MAX:
        raise cursor.error(f"values nested deeper than {DEPTH_MAX}")
    cursor.skip_padding()
    position = cursor.position
    code = cursor.peek()
    cursor.position += 1
    try:
        data = _value_after(cursor, code, depth)
    except RecursionError as error:
        raise FormatError(cursor.file, position, "values nested too deep") from error
    return Value(code, position, cursor.position, data)


def _value_after(cursor: Cursor, code: int, depth: int) -> Any:
    if code < 0x80:
        return code
    if code in _FIXED:
        return cursor.unpack(_FIXED[code])
    if code in _BLOCK_LENGTH:
        return _block(cursor, cursor.unpack(_BLOCK_LENGTH[code]), depth)
    if code >= 0xE0:
        return _text(cursor, code - 0xE0)
    if code in (0xB0, 0xB1):
        return code == 0xB1
    if code == 0xAE:
        return cursor.stop_bit()
    if code in _DECIMALS:
        return Decimal(cursor.stop_bit()).scaleb(-_DECIMALS[code])
    if code in (0x8A, 0x86):
        return Blob(cursor.take(cursor.end - cursor.position), packed=code == 0x86)
    return _rare_value(cursor, code, depth)


def _rare_value(cursor: Cursor, code: int, depth: int) -> Any:
    if code == 0xB6:
        return Typed(_latin(cursor, cursor.length()), read_value(cursor, depth + 1))
    if code == 0xB8:
        return _text(cursor, cursor.length())
    if code == 0xBB:
        return None
    if code == 0xBC:
        return TypeLiteral(_latin(cursor, cursor.length()))
    if 0xB2 <= code <= 0xB5:
        kind = ("time", "date", "datetime", "zoned datetime")[code - 0xB2]
        return Date(kind, _latin(cursor, cursor.length()))
    if code == 0xA0:
        high, low = cursor.unpack(_I64), cursor.unpack(_I64)
        return uuid.UUID(int=((high & 2**64 - 1) << 64) | (low & 2**64 - 1))
    if code == 0x8D:
        return _array(cursor)
    cursor.position -= 1
    raise cursor.error(f"code {code:02X} where a value is expected")


def _array(cursor: Cursor) -> Int64Array:
    at = cursor.position
    capacity, used = cursor.unpack(_I64), cursor.unpack(_I64)
    if not 0 <= capacity <= (cursor.end - cursor.position) // 8:
        raise FormatError(cursor.file, at, f"array capacity {capacity} beyond its block")
    if not 0 <= used <= capacity:
        raise FormatError(cursor.file, at + 8, f"array used {used} beyond capacity {capacity}")
    array = Int64Array(capacity, used, cursor.position)
    cursor.position += capacity * 8
    return array


def _block(cursor: Cursor, length: int, depth: int) -> Any:
    if length > cursor.end - cursor.position:
        raise cursor.error(f"block of {length} bytes, {cursor.end - cursor.position} left")
    inner = Cursor(cursor.data, cursor.position, cursor.position + length, cursor.file)
    cursor.position += length
    if length and inner.peek() in (0x8A, 0x86):  # raw to the block's end: not an item
        return read_value(inner, depth + 1).data
    return tuple(items(inner, depth + 1))


def items(cursor: Cursor, depth: int = 0) -> Iterator[Item]:
    """All keys and values to the cursor's end."""
    while True:
        cursor.skip_padding()
        if not cursor.more():
            return
        key = read_key(cursor, depth)
        if key is not None:
            cursor.skip_padding()
        yield Item(key, read_value(cursor, depth))


class Fields:
    """The fields of a block by name, in their order; the first of a name wins."""

    def __init__(self, found: tuple[Item, ...], file: str, position: int) -> None:
        self._file, self._position = file, position
        self.by_name: dict[str, Value] = {}
        for item in found:
            if item.key is not None:
                self.by_name.setdefault(str(item.key.name), item.value)

    def names(self) -> list[str]:
        """The names in their order."""
        return list(self.by_name)

    def get(self, name: str) -> Value | None:
        """The value of a field, ``None`` when it is absent."""
        return self.by_name.get(name)

    def need(self, name: str) -> Value:
        """The value of a field that must be there."""
        value = self.by_name.get(name)
        if value is None:
            raise FormatError(self._file, self._position, f"field {name} is missing")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """An integer field in any numeric code (format.md 3.3)."""
        value = self.get(name) if default is not None else self.need(name)
        if value is None:
            assert default is not None
            return default
        number = value.data
        if isinstance(number, float) and number.is_integer():
            number = int(number)
        if isinstance(number, bool) or not isinstance(number, int):
            raise FormatError(self._file, value.position, f"field {name} is not an integer")
        return number

    def text(self, name: str) -> str | None:
        """A text field, or the text of a time; ``None`` when absent."""
        value = self.get(name)
        if value is None:
            return None
        data = value.data.text if isinstance(value.data, Date) else value.data
        if not isinstance(data, str):
            raise FormatError(self._file, value.position, f"field {name} is not text")
        return data


def typed_fields(value: Value, type_name: str, file: str) -> Fields:
    """The fields of a typed block, whose type must be the one named."""
    typed = value.data
    if not isinstance(typed, Typed) or typed.name != type_name:
        raise FormatError(file, value.position, f"type {type_name} expected")
    if not isinstance(typed.value.data, tuple):
        raise FormatError(file, value.position, f"{type_name} is not a block of fields")
    return Fields(typed.value.data, file, value.position)


def header_fields(data: Any, position: int, end: int, type_name: str, file: str) -> Fields:
    """The fields of a file's first document: event ``header``, then the typed block."""
    cursor = Cursor(data, position, end, file)
    cursor.skip_padding()
    key = read_key(cursor) if cursor.more() else None
    if key is None or key.name != "header":
        raise FormatError(file, position, "the first document does not start with 'header'")
    return typed_fields(read_value(cursor), type_name, file)
