"""What a walk through a .cq4 or .cq4t file is made of: reading, fields, previews of messages."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..codecs._binary_wire import (BYTES, I64_ARRAY, INT64, MAX_DEPTH, STRING, STRING0, Reader,
                                  Typed, text_of)
from ..errors import DecodeError, InvalidArgument

CHUNK = 1 << 16
SHOWN = 48  # bytes of a message that are shown


@dataclass
class Field:
    """One value inside a header, and where it stands: the number itself, or its code byte."""

    offset: int
    name: str
    value: Any
    depth: int = 0


@dataclass
class Record:
    """One document, or one problem (then ``kind`` is ``"problem"``)."""

    offset: int
    kind: str
    word: int | None = None
    length: int | None = None
    sequence: int | None = None
    index: int | None = None
    note: str = ""
    fields: list[Field] = field(default_factory=list)

    def asdict(self) -> dict[str, Any]:
        """What is set, as JSON takes it."""
        shown = {k: v for k, v in vars(self).items() if v not in (None, "", [])}
        if self.fields:
            shown["fields"] = [vars(item) for item in self.fields]
        return shown


class File:
    """A file, read by pread in chunks, of which one is kept."""

    def __init__(self, path: str) -> None:
        self.path = path
        # O_NONBLOCK: a pipe of that name would wait for its writer
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        found = os.fstat(self.fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(self.fd)
            raise InvalidArgument(f"{path} is no regular file", file=path)
        self.size = found.st_size
        self._start, self._chunk = 0, b""

    def close(self) -> None:
        os.close(self.fd)

    def read(self, at: int, size: int) -> bytes:
        """Up to ``size`` bytes (at most CHUNK); fewer at the end of the file."""
        inside = at - self._start
        if not 0 <= inside <= len(self._chunk) - size:
            self._start, self._chunk, inside = at, os.pread(self.fd, max(CHUNK, size), at), 0
        return self._chunk[inside:inside + size]

    def u32(self, at: int, fresh: bool = False) -> int | None:
        """A header word; ``None`` when the file ends before it."""
        data = os.pread(self.fd, 4, at) if fresh else self.read(at, 4)
        return int.from_bytes(data, "little") if len(data) == 4 else None

    def small(self, at: int, size: int) -> bytes:
        """Some bytes from elsewhere: the chunk in hand stays."""
        return os.pread(self.fd, size, at)

    def numbers(self, at: int, count: int) -> Iterator[int]:
        """64-bit numbers, a chunk at a time."""
        while count > 0:
            data = os.pread(self.fd, min(8 * count, CHUNK), at)
            data = data[:len(data) & ~7]
            if not data:
                return
            for (value,) in struct.iter_unpack("<q", data):
                yield value
            at, count = at + len(data), count - len(data) // 8


# What Java's FIELDLESS_BINARY writes without names: the fields in this order.
BY_PLACE = {
    "SCQStore": ("writePosition", "indexing", "dataFormat"),
    "SCQSIndexing": ("indexCount", "indexSpacing", "index2Index", "lastIndex"),
}


def fields_of(reader: Reader, at: int, end: int, origin: int, depth: int = 0,
              unnamed: tuple[str, ...] = ()) -> Iterator[Field]:
    """The fields between two offsets, blocks opened, each with its place in the file.

    ``unnamed``: what the fields are called when they have no names of their own.
    """
    while (at := reader.skip_padding(at, end)) < end:
        named = reader.name(at, end)
        if named is None and unnamed:
            named, unnamed = (unnamed[0], at), unnamed[1:]
        if named is None:
            raise reader.fail("a name is expected", at)
        name, place = named
        place = reader.skip_padding(place, end)
        typed, inside = reader.type_name(place, end), place
        if typed:
            inside = reader.skip_padding(typed[1], end)
        block = reader.block(inside, end)
        by_place = BY_PLACE.get(typed[0], ()) if typed else ()
        if block and depth < MAX_DEPTH and (by_place or not _opaque(reader, *block)):
            yield Field(origin + place, str(name), f"!{typed[0]}" if typed else "", depth)
            yield from fields_of(reader, *block, origin, depth + 1, by_place)
            at = block[1]
        else:
            value, at = reader.value(place, end)
            # what is updated in place is told by the place of its bytes, all else by its code
            shift = {I64_ARRAY: 17, INT64: 1}.get(reader.data[inside])
            where = place if shift is None else inside + shift
            yield Field(origin + where, str(name), value, depth)


def _opaque(reader: Reader, start: int, end: int) -> bool:
    """Whether a block holds no fields: bytes, a history, or values without names."""
    start = reader.skip_padding(start, end)
    return start < end and (reader.data[start] == BYTES or reader.name(start, end) is None)


def plain(value: Any) -> Any:
    """A value of a field as JSON takes it."""
    if isinstance(value, (str, int, float, bool)) or value is None:
        return str(value) if isinstance(value, str) else value
    if isinstance(value, Typed):
        return f"!{value.type} {plain(value.value)}"
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return repr(value)


def preview(body: bytes, length: int) -> str:
    """The beginning of a message of ``length`` bytes: framed bytes, text, or hex."""
    if not body:
        return ""
    kind, data, rest = "document", body, length
    for code, width in ((0x80, 1), (0x81, 2), (0x82, 4)):
        start = width + 3
        if (body[:2] == bytes([0xC0, code]) and body[start - 1:start] == bytes([BYTES])
                and int.from_bytes(body[2:2 + width], "little") == length - width - 2):
            kind, data, rest = "bytes", body[start:], length - start
    start = _text_start(body, length)
    if kind == "document" and start:
        kind, data, rest = "text", body[start:], length - start
    shown = data[:SHOWN]
    more = " ..." if rest > len(shown) else ""
    for cut in range(6 if more else 1):  # the last character may be cut in two
        try:
            text = text_of(shown[:len(shown) - cut])
        except UnicodeError:
            continue
        if text.isprintable():
            return f"{kind} {text!r}{more}"
        break
    return f"{kind} {shown.hex(' ')}{more}"


def _text_start(body: bytes, length: int) -> int:
    """Where the characters begin if a document is one string value; 0: it is none."""
    if body[0] != STRING:
        return 1 if body[0] >= STRING0 and length == body[0] - STRING0 + 1 else 0
    try:
        size, start = Reader(body).stop_bit(1, len(body))
    except DecodeError:
        return 0
    return start if size == length - start else 0
