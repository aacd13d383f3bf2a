"""metadata.cq4t: the queue's settings and its named 64-bit cells (format.md 5)."""

from __future__ import annotations

import os
from dataclasses import dataclass

from . import header, wire
from .errors import FormatError, NotReady
from .file_bytes import FileBytes

FILE_NAME = "metadata.cq4t"
MIN64 = -2**63
UNLOCKED = MIN64
FULL_AT = 0x10000  # an entry may not start beyond the first 64 KiB (format.md 5.2)
LENGTH_MAX = 65536


@dataclass(frozen=True)
class Cell:
    """One entry: ``position`` is its header word, ``offset`` its 8 bytes."""

    key: str
    position: int
    offset: int
    value: int


@dataclass(frozen=True)
class Settings:
    """What the table store says about the queue (format.md 1.2 and 5.1)."""

    length_ms: int
    pattern: str
    epoch: int
    roll_time: str | None
    roll_time_zone: str | None
    delta_checkpoint_interval: int | None
    source_id: int


@dataclass(frozen=True)
class TableStore:
    """A parsed table store. ``settings`` is ``None`` in the 4.x form without SCQMeta."""

    path: str
    settings: Settings | None
    cells: tuple[Cell, ...]
    end: int
    end_word: int
    size: int

    def cell(self, key: str) -> Cell | None:
        """The first entry with this key; case is ignored (format.md 5.2)."""
        wanted = key.lower()
        return next((cell for cell in self.cells if cell.key.lower() == wanted), None)

    def value(self, key: str) -> int | None:
        """The value of a key, ``None`` when there is no such entry."""
        cell = self.cell(key)
        return None if cell is None else cell.value


def read_table_store(path: str | os.PathLike[str]) -> TableStore:
    """Reads a table store; FormatError when it is damaged, NotReady when it is half made."""
    with FileBytes(path) as file:
        return parse_table_store(file)


def parse_table_store(file: FileBytes) -> TableStore:
    """Parses the file: header document, then entries up to a word that is not a document."""
    word = file.word(0) if file.size >= header.HEADER_SIZE else 0
    if header.kind(word) in (header.Kind.FREE, header.Kind.RESERVED):
        raise NotReady(file.path, 0, f"the header is not written yet (word 0x{word:08x})")
    if header.kind(word) is not header.Kind.METADATA or header.length(word) > LENGTH_MAX:
        raise FormatError(file.path, 0, f"word 0x{word:08x} does not begin a table store")
    settings = _settings(file, header.length(word))
    cells: list[Cell] = []
    position = header.next_position(0, word, aligned=True)
    while True:
        word = file.word(position) if position + 4 <= file.size else 0
        if not header.is_complete(word):
            return TableStore(file.path, settings, tuple(cells), position, word, file.size)
        if header.kind(word) is header.Kind.METADATA:
            raise FormatError(file.path, position, "a metadata document among the entries")
        cells.append(_cell(file, position, header.length(word)))
        position = header.next_position(position, word, aligned=True)


def _settings(file: FileBytes, length: int) -> Settings | None:
    if header.HEADER_SIZE + length > file.size:
        raise FormatError(file.path, 0, f"header of {length} bytes beyond the file's end")
    body = file.read(header.HEADER_SIZE, length)
    data = bytes(header.HEADER_SIZE) + body  # so that positions are file offsets
    store = wire.header_fields(data, header.HEADER_SIZE, len(data), "STStore", file.path)
    wire_type = store.get("wireType")
    if wire_type is not None and (not isinstance(wire_type.data, wire.Typed)
                                  or wire_type.data.value.data != "BINARY_LIGHT"):
        raise FormatError(file.path, wire_type.position, "wire type is not BINARY_LIGHT")
    metadata = store.get("metadata")
    if metadata is None:
        store.need("recovery")  # the 4.x form
        return None
    meta = wire.typed_fields(metadata, "SCQMeta", file.path)
    roll = wire.typed_fields(meta.need("roll"), "SCQSRoll", file.path)
    pattern = roll.text("format")
    length_ms = roll.integer("length")
    if pattern is None or length_ms <= 0:
        raise FormatError(file.path, meta.need("roll").position, "roll without format or length")
    interval = (meta.integer("deltaCheckpointInterval")
                if meta.get("deltaCheckpointInterval") else None)
    return Settings(length_ms, pattern, roll.integer("epoch", 0), roll.text("rollTime"),
                    roll.text("rollTimeZone"), interval, meta.integer("sourceId", 0))


def _cell(file: FileBytes, position: int, length: int) -> Cell:
    start = position + header.HEADER_SIZE
    if start + length > file.size:
        raise FormatError(file.path, position, f"entry of {length} bytes beyond the file's end")
    cursor = wire.Cursor(file.buffer, start, start + length, file.path)
    cursor.skip_padding()
    key = wire.read_key(cursor) if cursor.more() else None
    if key is None or key.kind != "event":
        raise FormatError(file.path, position, "entry without a key")
    value = wire.read_value(cursor)
    if value.code != 0xA7:
        raise FormatError(file.path, value.position, "entry's value is not a 64-bit cell")
    return Cell(str(key.name), position, value.bound_at, int(value.data))
