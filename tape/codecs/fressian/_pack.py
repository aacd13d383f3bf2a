"""Integers, floats, texts and byte strings as bytes: what the writer in Python is made of."""

from __future__ import annotations

import re as _re
from struct import Struct as _Struct

from . import codes

__all__ = ["SMALL", "pack_bytes", "pack_double", "pack_float", "pack_int", "pack_text"]

_double = _Struct(">Bd").pack
_float = _Struct(">Bf").pack
_ASTRAL = _re.compile("[\U00010000-\U0010ffff]")
_DOUBLE_NAN = bytes.fromhex("fa7ff8000000000000")
_FLOAT_NAN = bytes.fromhex("f97fc00000")


# -- integers

def _pack_int(n: int) -> bytes:
    """The shortest form of a 64-bit integer."""
    if -1 <= n < 64:
        return bytes((n & 0xFF,))
    if -524288 <= n < 524288:               # the code's zero is added above the payload
        if -4096 <= n < 4096:
            return (0x5000 + n).to_bytes(2, "big")
        return (0x680000 + n).to_bytes(3, "big")
    if -33554432 <= n < 33554432:
        return (0x72000000 + n).to_bytes(4, "big")
    if -8589934592 <= n < 8589934592:
        return (0x7600000000 + n).to_bytes(5, "big")
    if -2199023255552 <= n < 2199023255552:
        return (0x7A0000000000 + n).to_bytes(6, "big")
    if -562949953421312 <= n < 562949953421312:
        return (0x7E000000000000 + n).to_bytes(7, "big")
    return b"\xf8" + n.to_bytes(8, "big", signed=True)


SMALL = {n: _pack_int(n) for n in range(-4096, 4096)}


def pack_int(n: int) -> bytes:
    """The bytes of an integer that fits 64 bits."""
    return SMALL.get(n) or _pack_int(n)


# -- floats

def pack_double(value: float, negative_zero: bool = False) -> bytes:
    """A double; minus zero loses its sign, as in Java, unless asked otherwise."""
    if value == 0.0 and not (negative_zero and str(value)[0] == "-"):
        return b"\xfb"
    if value == 1.0:
        return b"\xfc"
    if value != value:
        return _DOUBLE_NAN
    return _double(codes.DOUBLE, value)


def pack_float(value: float) -> bytes:
    """A float of four bytes."""
    return _FLOAT_NAN if value != value else _float(codes.FLOAT, value)


# -- text and bytes

def _surrogates(match: _re.Match[str]) -> str:
    n = ord(match.group()) - 0x10000
    return chr(0xD800 + (n >> 10)) + chr(0xDC00 + (n & 0x3FF))


def pack_text(text: str) -> bytes:
    """A string: each UTF-16 unit by itself, cut into parts of at most 65536 bytes."""
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) != len(text) and _ASTRAL.search(text):
        raw = _ASTRAL.sub(_surrogates, text).encode("utf-8", "surrogatepass")
    size = len(raw)
    if size < 8:
        return bytes((codes.STRING_PACKED + size,)) + raw
    if size <= codes.STRING_PART_MAX:
        return b"\xe3" + pack_int(size) + raw
    parts: list[bytes] = []
    start = 0
    while size - start > codes.STRING_PART_MAX:
        cut = start + codes.STRING_PART_MAX
        while raw[cut] & 0xC0 == 0x80:          # a unit that does not fit starts the next part
            cut -= 1
        parts += (b"\xe2", pack_int(cut - start), raw[start:cut])
        start = cut
    rest = size - start
    if rest < 8:
        parts += (bytes((codes.STRING_PACKED + rest,)), raw[start:])
    else:
        parts += (b"\xe3", pack_int(rest), raw[start:])
    return b"".join(parts)


def pack_bytes(raw: bytes) -> bytes:
    """A byte string, cut into parts of 65535 bytes; the last part is never packed."""
    size = len(raw)
    if size < 8:
        return bytes((codes.BYTES_PACKED + size,)) + raw
    parts: list[bytes] = []
    start = 0
    while size - start > codes.BYTES_PART_MAX:
        parts += (b"\xd8", pack_int(codes.BYTES_PART_MAX),
                  raw[start:start + codes.BYTES_PART_MAX])
        start += codes.BYTES_PART_MAX
    parts += (b"\xd9", pack_int(size - start), raw[start:])
    return b"".join(parts)
