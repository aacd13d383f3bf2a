"""What a message's body may hold (format.md 13)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from . import wire
from .errors import FormatError


def frame(data: bytes) -> bytes:
    """The body that ``wire.write().bytes(data)`` makes (format.md 13.1)."""
    size = len(data) + 1
    if size <= 0xFF:
        return b"\xc0\x80" + struct.pack("<B", size) + b"\x8a" + data
    if size <= 0xFFFF:
        return b"\xc0\x81" + struct.pack("<H", size) + b"\x8a" + data
    return b"\xc0\x82" + struct.pack("<I", size) + b"\x8a" + data


_PREFIX = {0x80: struct.Struct("<B"), 0x81: struct.Struct("<H"), 0x82: struct.Struct("<I")}


def unframe(body: bytes) -> bytes | None:
    """The data of a body made exactly as in 13.1, ``None`` for any other body."""
    if len(body) < 4 or body[0] != 0xC0 or body[1] not in _PREFIX:
        return None
    form = _PREFIX[body[1]]
    start = 2 + form.size
    if len(body) <= start or body[start] != 0x8A:
        return None
    size = form.unpack_from(body, 2)[0]
    return body[start + 1:] if size == len(body) - start else None


def read_bytes(body: bytes) -> bytes | None:
    """What ``wire.read().bytes()`` gives, ``None`` for a null (format.md 13.1)."""
    cursor = wire.Cursor(body)
    cursor.skip_padding()
    if cursor.more():
        wire.read_key(cursor)
    value: Any = wire.read_value(cursor).data
    if isinstance(value, wire.Typed) and value.name == "byte[]":
        value = value.value.data
    if value is None:
        return None
    if not isinstance(value, wire.Blob) or value.packed:
        raise cursor.error("the value is not bytes")
    return value.data


@dataclass(frozen=True)
class Payload:
    """``kind`` is bytes (13.1), text (13.3), wire (13.4 to 13.6) or raw (13.2)."""

    kind: str
    value: Any


def present(body: bytes) -> Payload:
    """The most telling reading of a body (format.md 13.7)."""
    framed = unframe(body)
    if framed is not None:
        return Payload("bytes", framed)
    try:
        found = tuple(wire.items(wire.Cursor(body)))
    except FormatError:
        return Payload("raw", body)
    if len(found) == 1 and found[0].key is None and isinstance(found[0].value.data, str):
        return Payload("text", found[0].value.data)
    if found and all(item.key is not None for item in found):
        return Payload("wire", found)
    return Payload("raw", body)


@dataclass(frozen=True)
class History:
    """A packed message history (format.md 13.6)."""

    sources: tuple[tuple[int, int], ...]
    timings: tuple[int, ...]


def read_history(packed: bytes) -> History:
    """Decodes the bytes behind code 86."""
    cursor = wire.Cursor(packed)
    number = cursor.take(1)[0]
    ids = struct.unpack(f"<{number}i", cursor.take(4 * number))
    indexes = struct.unpack(f"<{number}q", cursor.take(8 * number))
    timings = cursor.take(1)[0]
    return History(tuple(zip(ids, indexes)),
                   struct.unpack(f"<{timings}q", cursor.take(8 * timings)))
