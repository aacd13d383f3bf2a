"""The MessagePack codec, on nothing but the standard library; loaded when imported by name.

>>> encode({"a": [1, None, b"x"]}).hex()
'81a1619301c0c40178'
>>> decode(memoryview(encode([Ext(5, b"ab"), -1, 1.5])))
[Ext(code=5, data=b'ab'), -1, 1.5]
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from ..errors import DecodeError, EncodeError
from ._shown import shown

__all__ = ["MAX_DEPTH", "Ext", "decode", "encode", "framing", "name"]

name = "msgpack"
framing = "bytes"

MAX_DEPTH = 64


class Ext(NamedTuple):
    """An extension value: a type code from -128 to 127 and its bytes."""

    code: int
    data: bytes


# ---- writing: for each kind its headers, the smallest first, as (limit, code, width) ----

_STR = [(0x1F, 0xA0, 0), (0xFF, 0xD9, 1), (0xFFFF, 0xDA, 2), (0xFFFFFFFF, 0xDB, 4)]
_BIN = [(0xFF, 0xC4, 1), (0xFFFF, 0xC5, 2), (0xFFFFFFFF, 0xC6, 4)]
_ARRAY = [(0x0F, 0x90, 0), (0xFFFF, 0xDC, 2), (0xFFFFFFFF, 0xDD, 4)]
_MAP = [(0x0F, 0x80, 0), (0xFFFF, 0xDE, 2), (0xFFFFFFFF, 0xDF, 4)]
_EXT = [(0xFF, 0xC7, 1), (0xFFFF, 0xC8, 2), (0xFFFFFFFF, 0xC9, 4)]
_FIXED_EXT = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}
_UNSIGNED = [(0x7F, "B", None), (0xFF, ">B", 0xCC), (0xFFFF, ">H", 0xCD), (0xFFFFFFFF, ">I", 0xCE),
             (0xFFFFFFFFFFFFFFFF, ">Q", 0xCF)]
_SIGNED = [(-0x20, "b", None), (-0x80, ">b", 0xD0), (-0x8000, ">h", 0xD1),
           (-0x80000000, ">i", 0xD2), (-0x8000000000000000, ">q", 0xD3)]


def _header(headers: list[tuple[int, int, int]], length: int) -> bytes:
    for limit, code, width in headers:
        if length <= limit:
            return bytes([code]) + length.to_bytes(width, "big") if width else bytes(
                [code | length])
    raise EncodeError(f"{length} elements or bytes are more than MessagePack can hold",
                      hint="write them as several messages")


def _integer(number: int) -> bytes:
    for limit, form, code in _UNSIGNED if number >= 0 else _SIGNED:
        if abs(number) <= abs(limit):
            return (b"" if code is None else bytes([code])) + struct.pack(form, number)
    raise EncodeError(f"{shown(number)} is longer than 64 bits",
                      hint="write it as text, or as bytes in an Ext")


def _ext(value: Ext) -> bytes:
    if not -128 <= value.code <= 127:
        raise EncodeError(f"{value.code} is no extension code", hint="-128 to 127")
    data = bytes(value.data)
    fixed = _FIXED_EXT.get(len(data))
    header = _header(_EXT, len(data)) if fixed is None else bytes([fixed])
    return header + struct.pack("b", value.code) + data


def _put(value: Any, out: list[bytes], path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise EncodeError(f"{shown(path)}: values nest deeper than {MAX_DEPTH}", path=path,
                          hint="write its parts as several messages, or break the circle")
    if value is None or isinstance(value, bool):
        out.append(b"\xc0" if value is None else b"\xc3" if value else b"\xc2")
    elif isinstance(value, int):
        out.append(_integer(value))
    elif isinstance(value, float):
        out.append(struct.pack(">Bd", 0xCB, value))
    elif isinstance(value, str):
        try:
            data = value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise EncodeError(f"{shown(path)}: no UTF-8 for it: {error}", path=path,
                              hint="replace the unpaired surrogates, or write bytes") from error
        out += [_header(_STR, len(data)), data]
    elif isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        out += [_header(_BIN, len(data)), data]
    elif isinstance(value, Ext):
        out.append(_ext(value))
    elif isinstance(value, (list, tuple)):
        out.append(_header(_ARRAY, len(value)))
        for i, item in enumerate(value):
            _put(item, out, f"{path}[{i}]", depth + 1)
    elif isinstance(value, dict):
        out.append(_header(_MAP, len(value)))
        for key, item in value.items():
            inside = f"{path}.{shown(key)}"
            if isinstance(key, (tuple, memoryview)) and not isinstance(key, Ext):
                raise EncodeError(f"{shown(inside)}: a {type(key).__name__} comes back as no "
                                  "key", path=inside, hint="write it as text or bytes")
            _put(key, out, inside, depth + 1)
            _put(item, out, inside, depth + 1)
    else:
        raise EncodeError(f"{shown(path)}: {type(value).__name__} has no form in MessagePack",
                          path=path,
                          hint="dicts, lists, str, bytes, int, float, bool, None and Ext")


def encode(obj: Any) -> bytes:
    """The MessagePack bytes; raises :class:`tape.EncodeError` for what it has not."""
    out: list[bytes] = []
    _put(obj, out, "$", 0)
    return b"".join(out)


# ---- reading ----

_NUMBERS = {code: struct.Struct(">" + form) for code, form in {
    0xCA: "f", 0xCB: "d", 0xCC: "B", 0xCD: "H", 0xCE: "I", 0xCF: "Q", 0xD0: "b", 0xD1: "h",
    0xD2: "i", 0xD3: "q"}.items()}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_SIZED = {code: (kind, width) for kind, table in
          {"str": _STR, "bin": _BIN, "array": _ARRAY, "map": _MAP, "ext": _EXT}.items()
          for _, code, width in table if width}
_FIXED_EXT_SIZE = {code: size for size, code in _FIXED_EXT.items()}


class _Reader:
    """Reads values one after the other; a length counts only as far as the bytes reach."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def fail(self, message: str, at: int) -> DecodeError:
        return DecodeError(f"{message} at offset {at}", offset=at,
                           hint="the raw codec shows the bytes")

    def take(self, size: int) -> bytes:
        at = self.at
        if size > len(self.data) - at:
            raise self.fail(f"{size} bytes do not fit into the {len(self.data) - at} left", at)
        self.at = at + size
        return self.data[at:self.at]

    def value(self, depth: int = 0) -> Any:
        at = self.at
        code = self.take(1)[0]
        if depth > MAX_DEPTH:
            raise self.fail(f"values nest deeper than {MAX_DEPTH}", at)
        if code < 0x80 or code >= 0xE0:
            return code if code < 0x80 else code - 0x100
        if code in _CONSTANTS:
            return _CONSTANTS[code]
        if code in _NUMBERS:
            return _NUMBERS[code].unpack(self.take(_NUMBERS[code].size))[0]
        if code in _FIXED_EXT_SIZE:
            return self.sized("ext", _FIXED_EXT_SIZE[code], at, depth)
        if code in _SIZED:
            kind, width = _SIZED[code]
            return self.sized(kind, int.from_bytes(self.take(width), "big"), at, depth)
        if code >= 0xC0:
            raise self.fail(f"byte {code:02X} begins no value", at)
        if code >= 0xA0:
            return self.sized("str", code & 0x1F, at, depth)
        return self.sized("array" if code >= 0x90 else "map", code & 0x0F, at, depth)

    def sized(self, kind: str, length: int, at: int, depth: int) -> Any:
        if kind == "bin":
            return self.take(length)
        if kind == "ext":
            return Ext(struct.unpack("b", self.take(1))[0], self.take(length))
        if kind == "array":
            return [self.value(depth + 1) for _ in range(length)]
        if kind == "map":
            return self.map(length, depth)
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise self.fail("a text is not UTF-8", at) from None

    def map(self, length: int, depth: int) -> dict[Any, Any]:
        found = {}
        for _ in range(length):
            at = self.at
            key = self.value(depth + 1)
            try:
                hash(key)
            except TypeError:
                raise self.fail(f"a {type(key).__name__} is a key", at) from None
            found[key] = self.value(depth + 1)
        return found


def decode(view: memoryview) -> Any:
    """The value; raises :class:`tape.DecodeError` with the ``offset`` of what cannot be read."""
    reader = _Reader(bytes(view))
    value = reader.value()
    if reader.at != len(reader.data):
        raise reader.fail("bytes behind the value", reader.at)
    return value
