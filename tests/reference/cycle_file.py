"""One ``.cq4`` file: its header and its chain of documents (format.md 2 and 4)."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from . import header, wire
from .errors import FormatError, NotReady
from .file_bytes import WORD, FileBytes
from .roll_cycles import sequence_shift

HEADER_LENGTH_MAX = 65536  # Java refuses a longer first document (format.md 9.3)
_U64 = 2**64 - 1


def encode_sequence(position: int, sequence: int, shift: int) -> int:
    """The word beside the write position, as a signed 64-bit number (format.md 4.3)."""
    word = ((position << shift) + (sequence & (1 << shift) - 1)) & _U64
    return word - 2**64 if word >= 2**63 else word


def decode_sequence(position: int, word: int, shift: int) -> int | None:
    """The sequence of the document at ``position``, ``None`` when the word is not its own."""
    word &= _U64
    if word == 0 or (position << shift & _U64) >> shift != word >> shift:
        return None
    return word & (1 << shift) - 1


@dataclass(frozen=True)
class CycleHeader:
    """The SCQStore document: numbers, and the offsets of the words that change."""

    length: int
    data_format: int
    index_count: int
    index_spacing: int
    write_position_at: int
    sequence_word_at: int | None  # None: the single word of before 4.6.48
    index2index_at: int
    last_index_at: int
    names: tuple[str, ...]

    @property
    def aligned(self) -> bool:
        """Whether header words are 4-byte aligned (format.md 2.2)."""
        return self.data_format == 1

    @property
    def shift(self) -> int:
        """Shift of the sequence word, from the stored numbers (format.md 4.3)."""
        return sequence_shift(self.index_count, self.index_spacing)

    @property
    def is_4x(self) -> bool:
        """Whether a 4.x release made the file: the roll is in the cycle file itself."""
        return "roll" in self.names or "wireType" in self.names


@dataclass
class Scan:
    """All complete documents of a file, from offset 0 to ``end``."""

    data: array[int] = field(default_factory=lambda: array("Q"))  # header word positions
    metadata: list[tuple[int, int]] = field(default_factory=list)  # position, length
    end: int = 0  # position of the word that ends the chain
    end_word: int = 0

    @property
    def has_eof(self) -> bool:
        """Whether the cycle is finished."""
        return self.end_word == header.END_OF_DATA


@dataclass(frozen=True)
class Document:
    """A complete document; ``sequence`` is that of the next data document for metadata."""

    position: int
    length: int
    sequence: int
    is_metadata: bool


class CycleFile:
    """A cycle file, mapped read-only. NotReady while its creator has not finished."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.file = FileBytes(path)
        try:
            self.header = _read_header(self.file)
        except BaseException:
            self.file.close()
            raise

    @property
    def path(self) -> str:
        """Path of the file."""
        return self.file.path

    @property
    def write_position(self) -> int:
        """Position of the last data document as the writer noted it, 0 for none."""
        return self.file.cell(self.header.write_position_at)

    @property
    def sequence_word(self) -> int | None:
        """The encoded sequence, ``None`` in files that have none."""
        at = self.header.sequence_word_at
        return None if at is None else self.file.cell(at)

    @property
    def index2index(self) -> int:
        """Position of the index2index document, 0 until it is made."""
        return self.file.cell(self.header.index2index_at)

    @property
    def last_index(self) -> int:
        """The next sequence that needs an index entry (format.md 4.1)."""
        return self.file.cell(self.header.last_index_at)

    def word_at(self, position: int, after: int = 0) -> int:
        """The header word, 0 where a cut file ends: nothing there yet (format.md 11.3).

        ``after`` is the document that led here, for the error.
        """
        if position + header.HEADER_SIZE <= self.file.size:
            return self.file.word(position)
        if position < self.file.readable_end or self.file.refresh():
            inside = self.file.read(position, max(0, min(4, self.file.size - position)))
            return int.from_bytes(inside, "little")
        if position == self.file.size:
            return 0
        raise FormatError(self.path, after, f"the document here leads to 0x{position:x}, "
                                            f"beyond the file's end 0x{self.file.size:x}")

    def documents(self, position: int = 0, sequence: int = 0) -> Iterator[Document]:
        """Complete documents from ``position``, whose data document would be ``sequence``."""
        aligned, before = self.header.aligned, position
        while True:
            word = self.word_at(position, before)
            if not header.is_complete(word):
                return
            is_metadata = bool(word & header.META_DATA)
            yield Document(position, header.length(word), sequence, is_metadata)
            sequence += not is_metadata
            before, position = position, header.next_position(position, word, aligned)

    def scan(self) -> Scan:
        """Walks the whole chain; as tight as Python allows, for a million messages."""
        scan = Scan()
        unpack, add_data = WORD.unpack_from, scan.data.append
        pad = 3 if self.header.aligned else 0
        position = 0
        while True:
            buffer, limit = self.file.buffer, self.file.size - 4
            while position <= limit:
                word = unpack(buffer, position)[0]
                if 0 < word < 0x4000_0000:
                    add_data(position)
                    position = position + 4 + word + pad & ~pad
                elif header.is_complete(word):
                    scan.metadata.append((position, header.length(word)))
                    position = header.next_position(position, word, bool(pad))
                else:
                    scan.end, scan.end_word = position, word
                    return scan
            if not self.file.refresh():  # the end is in the last bytes, or beyond the file
                last = max(scan.data[-1:].tolist() + [at for at, _ in scan.metadata[-1:]])
                scan.end, scan.end_word = position, self.word_at(position, last)
                return scan

    def body(self, position: int) -> bytes:
        """The body of the document at ``position``."""
        start, length = position + header.HEADER_SIZE, header.length(self.word_at(position))
        if start + length > self.file.readable_end:
            raise FormatError(self.path, position, f"document of {length} bytes beyond the "
                                                   f"file's end 0x{self.file.size:x}")
        return self.file.read(start, length)

    def close(self) -> None:
        """Unmaps the file."""
        self.file.close()

    def __enter__(self) -> CycleFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read_header(file: FileBytes) -> CycleHeader:
    word = file.word(0) if file.size >= header.HEADER_SIZE else 0
    if header.kind(word) in (header.Kind.FREE, header.Kind.RESERVED):
        raise NotReady(file.path, 0, f"the header is not written yet (word 0x{word:08x})")
    length = header.length(word)
    if header.kind(word) is not header.Kind.METADATA or length > HEADER_LENGTH_MAX:
        raise FormatError(file.path, 0, f"word 0x{word:08x} does not begin a cycle file")
    if header.HEADER_SIZE + length > file.size:
        raise FormatError(file.path, 0, f"header of {length} bytes beyond the file's end")
    data = bytes(header.HEADER_SIZE) + file.read(header.HEADER_SIZE, length)
    store = wire.header_fields(data, header.HEADER_SIZE, len(data), "SCQStore", file.path)
    indexing = wire.typed_fields(store.need("indexing"), "SCQSIndexing", file.path)
    count, spacing = indexing.integer("indexCount"), indexing.integer("indexSpacing")
    for number, name in ((count, "indexCount"), (spacing, "indexSpacing")):
        if number < 1 or number & (number - 1):
            raise FormatError(file.path, indexing.need(name).position,
                              f"{name} {number} is not a power of two")
    position_at, sequence_at = _write_position(store.need("writePosition"), file.path)
    return CycleHeader(
        length, store.integer("dataFormat", 0), count, spacing, position_at, sequence_at,
        _bound(indexing.need("index2Index"), file.path),
        _bound(indexing.need("lastIndex"), file.path), tuple(store.names()))


def _write_position(value: wire.Value, path: str) -> tuple[int, int | None]:
    if isinstance(value.data, wire.Int64Array):
        if value.data.capacity != 2:
            raise FormatError(path, value.position, "writePosition is not a pair")
        return value.data.entries_at, value.data.entries_at + 8
    return _bound(value, path), None


def _bound(value: wire.Value, path: str) -> int:
    if value.code != 0xA7:
        raise FormatError(path, value.position, "a 64-bit cell is expected")
    return value.bound_at
