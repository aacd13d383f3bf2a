"""The Fressian writer and reader of libtape (tape_fressian.h), called through ctypes."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping
from typing import Any

from tape.codecs.fressian import Keyword

DONE, NIL, BOOL, INT, DOUBLE, STRING, BYTES, KEYWORD, LIST, MAP, END, OTHER = range(12)
ROOM = 1 << 16                  # larger than either struct


class Failed(Exception):
    """A code of libtape."""


class Span(ctypes.Structure):
    """tape_fressian_span_t"""

    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("wire", ctypes.c_void_p),
                ("wire_size", ctypes.c_size_t), ("is_text", ctypes.c_int32),
                ("halved", ctypes.c_int32)]


class Item(ctypes.Structure):
    """tape_fressian_item_t"""

    _fields_ = [("type", ctypes.c_int32), ("code", ctypes.c_int32), ("integer", ctypes.c_int64),
                ("count", ctypes.c_int64), ("number", ctypes.c_double), ("text", Span),
                ("ns", Span), ("wire", ctypes.c_void_p), ("wire_size", ctypes.c_size_t)]


class Other:
    """A value that C steps over: equal to every value of a type that C does not know."""

    def __init__(self, wire: bytes) -> None:
        self.wire = wire

    def __repr__(self) -> str:
        return f"Other({self.wire.hex()})"


class Halved:
    """A text with half a character."""


@functools.cache
def library() -> ctypes.CDLL:
    """tape._native holds libtape, and exports what tape.symbols lists."""
    from tape import _native
    lib = ctypes.CDLL(_native.__file__)
    lib.tape_fressian_put_double.argtypes = [ctypes.c_void_p, ctypes.c_double]
    for name in ("int", "list", "map"):
        getattr(lib, f"tape_fressian_put_{name}").argtypes = [ctypes.c_void_p, ctypes.c_int64]
    for name in ("string", "bytes"):
        getattr(lib, f"tape_fressian_put_{name}").argtypes = [ctypes.c_void_p, ctypes.c_char_p,
                                                              ctypes.c_size_t]
    lib.tape_fressian_write_to.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    lib.tape_fressian_read_from.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    lib.tape_fressian_copy.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    return lib


def _put(lib: Any, w: Any, value: Any, open_ended: bool) -> None:
    if value is None:
        rc = lib.tape_fressian_put_nil(w)
    elif isinstance(value, bool):
        rc = lib.tape_fressian_put_bool(w, int(value))
    elif isinstance(value, int):
        rc = lib.tape_fressian_put_int(w, value)
    elif isinstance(value, float):
        rc = lib.tape_fressian_put_double(w, value)
    elif isinstance(value, str):
        data = value.encode()
        rc = lib.tape_fressian_put_string(w, data, len(data))
    elif isinstance(value, bytes):
        rc = lib.tape_fressian_put_bytes(w, value, len(value))
    elif type(value) is Keyword:
        ns = None if value.ns is None else value.ns.encode()
        rc = lib.tape_fressian_put_keyword(w, ns, value.name.encode())
    else:
        count = -1 if open_ended else len(value)
        begin = lib.tape_fressian_put_map if isinstance(value, dict) else lib.tape_fressian_put_list
        if begin(w, count):
            raise Failed("begin")
        for part in (sum(value.items(), ()) if isinstance(value, dict) else value):
            _put(lib, w, part, open_ended)
        rc = lib.tape_fressian_put_end(w) if open_ended else 0
    if rc:
        raise Failed(rc)


def encode(value: Any, *, open_ended: bool = False, capacity: int = 1 << 21) -> bytes:
    """The bytes of a value, by the writer in C."""
    lib, w = library(), ctypes.create_string_buffer(ROOM)
    out, size = ctypes.create_string_buffer(capacity), ctypes.c_size_t()
    lib.tape_fressian_write_to(w, out, capacity)
    _put(lib, w, value, open_ended)
    rc = lib.tape_fressian_finish(w, ctypes.byref(size))
    if rc:
        raise Failed(rc)
    return out.raw[:size.value]


def _span(lib: Any, span: Span) -> Any:
    if span.halved:
        return Halved()
    out = ctypes.create_string_buffer(span.size + 1)
    rc = lib.tape_fressian_copy(ctypes.byref(span), out, span.size)
    if rc:
        raise Failed(rc)
    raw = out.raw[:span.size]
    if span.data:
        assert ctypes.string_at(span.data, span.size) == raw
    return raw.decode() if span.is_text else raw


class Reader:
    """The values of some bytes, by the reader in C: dicts come as lists of pairs in a tuple."""

    def __init__(self, data: bytes) -> None:
        self.lib, self.r = library(), ctypes.create_string_buffer(ROOM)
        self.data = ctypes.create_string_buffer(data, len(data)) if data else None
        self.lib.tape_fressian_read_from(self.r, self.data, len(data))

    def item(self) -> Item:
        item = Item()
        rc = self.lib.tape_fressian_next(self.r, ctypes.byref(item))
        if rc:
            raise Failed(rc)
        return item

    def value(self, item: Item) -> Any:
        if item.type in (LIST, MAP):
            parts = []
            while (part := self.item()).type != END:
                parts.append(self.value(part))
            if item.count >= 0:
                assert len(parts) == item.count * (2 if item.type == MAP else 1)
            return parts if item.type == LIST else tuple(zip(parts[::2], parts[1::2]))
        if item.type == NIL:
            return None
        if item.type == BOOL:
            return bool(item.integer)
        if item.type in (INT, DOUBLE):
            return item.integer if item.type == INT else item.number
        if item.type in (STRING, BYTES):
            return _span(self.lib, item.text)
        if item.type == KEYWORD:
            name = _span(self.lib, item.text)
            ns = None if not item.ns.wire else _span(self.lib, item.ns)
            halved = isinstance(name, Halved) or isinstance(ns, Halved)
            return Halved() if halved else Keyword(ns, name)
        assert item.type == OTHER
        return Other(ctypes.string_at(item.wire, item.wire_size))

    def all(self) -> list[Any]:
        found = []
        while (item := self.item()).type != DONE:
            found.append(self.value(item))
        return found


def decode(data: bytes) -> list[Any]:
    """All values of the bytes; raises :class:`Failed` with C's code."""
    return Reader(data).all()


def agrees(in_c: Any, wanted: Any) -> bool:
    """Whether C's value is Python's, where C knows its type."""
    if isinstance(in_c, Other):
        referred = 0x80 <= in_c.wire[0] < 0xA0 or in_c.wire[0] in (0xC0, 0xCC)
        return referred or type(wanted) not in (type(None), bool, str, bytes, list, dict, Keyword)
    if isinstance(in_c, Halved):
        return isinstance(wanted, (str, Keyword))
    if isinstance(in_c, tuple):
        return isinstance(wanted, Mapping) and len(in_c) == len(wanted) and all(
            agrees(k, wk) and agrees(v, wv)
            for (k, v), (wk, wv) in zip(in_c, wanted.items(), strict=True))
    if isinstance(in_c, list):
        return isinstance(wanted, (list, tuple)) and len(in_c) == len(wanted) and all(
            map(agrees, in_c, wanted))
    if isinstance(in_c, float):
        return isinstance(wanted, float) and (in_c == wanted or in_c != in_c)
    return type(in_c) is type(wanted) and in_c == wanted
