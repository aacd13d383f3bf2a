"""Walks the documents of a .cq4 or .cq4t file by pread: no mapping, no lock, constant memory.

:func:`walk` yields a :class:`Record` for each document and for each thing that is wrong. What is
damaged is told and left behind: the walk goes on at the next place that an index entry or the write
position names.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from ..codecs._binary_wire import I64_ARRAY, Reader
from ..errors import DecodeError
from ..roll_cycles import RollCycle
from .parts import SHOWN, Field, File, Record, fields_of, plain, preview

HEADER_MAX = 1 << 14  # of a header or a table entry; Java's have some hundred bytes
RESUMES = 64          # after so many damaged places the walk gives up
TOLD = 8              # problems of one document that are told one by one
TABLE_FULL = 1 << 16  # Java looks for table entries up to here

NOT_COMPLETE, META, LENGTH, EOF = 0x80000000, 0x40000000, 0x3FFFFFFF, 0xC0000000
DOCUMENTS = ("header", "data", "entry", "index", "index2index", "meta")
UNSET = -1 << 63


@dataclass
class Header:
    """What the first document of a file says that the rest needs."""

    is_table: bool
    aligned: bool = True
    write_position: int = 0
    write_sequence: int = 0
    index2index: int = 0
    index_count: int = 0
    index_spacing: int = 0
    roll_cycle: RollCycle | None = None

    def learn(self, fields: list[Field]) -> None:
        """Takes what is there; what is missing or of another kind counts as 0."""
        found = {item.name: item.value for item in fields}

        def number(name: str, place: int = 0) -> int:
            value = found.get(name)
            if isinstance(value, list):
                value = value[place] if place < len(value) else 0
            elif place:
                value = 0
            whole = isinstance(value, (int, float)) and abs(value) < 1 << 63
            return int(value) if whole and value is not None else 0

        if found.get("header") in ("!STStore", "!SCQStore"):
            self.is_table = found["header"] == "!STStore"
        self.aligned = self.is_table or number("dataFormat") == 1
        self.write_position = number("writePosition")
        self.write_sequence = number("writePosition", 1)
        self.index2index = number("index2Index")
        self.index_count = number("indexCount")
        self.index_spacing = number("indexSpacing")
        self.roll_cycle = next((r for r in RollCycle if r.pattern == found.get("format")), None)

    def last_sequence(self) -> int | None:
        """The sequence in the write position's second word, if it belongs to the first."""
        bits = 2 * (self.index_count.bit_length() - 1) + self.index_spacing.bit_length() - 1
        shift = max(32, bits)
        whole = (1 << 64) - 1
        word = self.write_sequence & whole
        same = shift < 64 and (self.write_position << shift & whole) >> shift == word >> shift
        return word & (1 << shift) - 1 if word and same else None


class Walker:
    """The walk through one file."""

    def __init__(self, file: File, cycle: tuple[int, int] | None) -> None:
        self.file = file
        self.cycle = cycle  # its number, and the bits of an index that count messages
        self.header = Header(is_table=file.path.endswith(".cq4t"))
        self.sequence: int | None = 0
        self.resumes = 0
        self.last_data = 0

    def walk(self) -> Iterator[Record]:
        """All documents in the order of the file, each followed by its problems."""
        at = yield from self._first()
        while True:
            word = self.file.u32(at)
            if word is None or word == 0 or word & NOT_COMPLETE:
                word = self.file.u32(at, fresh=True)  # a writer may have gone on meanwhile
            record = self._document(at, word)
            problems = self._inspect(record)
            yield record
            yield from problems
            if record.kind in DOCUMENTS:
                at = self._next(at, record.length or 0)
                continue
            resume = self._resume(at) if record.kind != "eof" else None
            if resume is None:
                yield from self._end(record)
                return
            at, self.sequence = resume
            yield Record(at, "problem", note="known messages follow an end or an unreadable place: "
                                             "going on here")

    def _next(self, at: int, length: int) -> int:
        following = at + 4 + length
        return (following + 3) & ~3 if self.header.aligned else following

    # ---- the header ----

    def _first(self) -> Generator[Record, None, int]:
        """The header; returns where the next document is."""
        word = self.file.u32(0)
        assumed = min(self.file.size, 0xB4 if self.header.is_table else 0xC8)
        if word is None:
            yield Record(0, "problem", note=f"the file has only {self.file.size} bytes")
            return self.file.size
        length = word & LENGTH
        if word & ~LENGTH != META or length == 0:
            yield Record(0, "problem", word, note="no header: being created, or damaged")
            return assumed
        record = Record(0, "header", word, length)
        problems = self._read_fields(record)
        yield record
        yield from problems
        self.header.learn(record.fields)
        if problems:
            self.header.aligned = True  # as all files are whose headers say so
        if length > min(HEADER_MAX, self.file.size - 4):
            yield Record(0, "problem", note=f"a header cannot have {length} bytes")
            return assumed
        if not self.header.is_table and all(f.name != "index2Index" for f in record.fields):
            yield Record(0, "problem", note="the header has no field index2Index")
        return self._next(0, length)

    def _read_fields(self, record: Record) -> list[Record]:
        """Fills in the fields as far as they can be read; returns what is wrong behind them."""
        start = record.offset + 4
        body = self.file.read(start, min(record.length or 0, HEADER_MAX))
        try:
            for item in fields_of(Reader(body, start), 0, len(body), start):
                item.value = plain(item.value)
                record.fields.append(item)
        except DecodeError as error:
            where = start if error.offset is None else error.offset
            return [Record(where, "problem", note=error.message)]
        return []

    # ---- one document ----

    def _document(self, at: int, word: int | None) -> Record:
        """What stands at an offset, judged by its header word."""
        left = self.file.size - at - 4
        if word is None:
            if at == self.file.size:
                return Record(at, "end", note="end of the file")
            return Record(at, "problem", note="the file ends inside a document or a header word")
        length = word & LENGTH
        if word == 0:
            return Record(at, "free", word, note=f"{left + 4} bytes to the end of the file")
        if word == EOF:
            return Record(at, "eof", word, note="the cycle is finished")
        if word & NOT_COMPLETE:
            return Record(at, "incomplete", word, length, note="being written, or left by the dead")
        if length == 0 or length > left:
            return Record(at, "problem", word, length, note=(
                f"a document of {length} bytes where {left} are left"))
        if word & META:
            return self._meta(Record(at, "meta", word, length))
        if self.header.is_table:
            return Record(at, "entry", word, length)
        return self._data(Record(at, "data", word, length))

    def _data(self, record: Record) -> Record:
        record.sequence = self.sequence
        if self.sequence is not None:
            if self.cycle:
                record.index = (self.cycle[0] << self.cycle[1]) + self.sequence
            self.sequence += 1
        length = record.length or 0
        record.note = preview(self.file.read(record.offset + 4, min(length, SHOWN + 16)), length)
        self.last_data = record.offset
        return record

    def _meta(self, record: Record) -> Record:
        """Index documents are known by their names; all other metadata is the user's."""
        start, length = record.offset + 4, record.length or 0
        head = self.file.small(start, min(length, SHOWN + 16))
        reader = Reader(head, start)
        try:
            named = reader.name(reader.skip_padding(0, len(head)), len(head))
            if named and named[0] in ("index", "index2index"):
                place = reader.skip_padding(named[1], len(head))
                array = reader.code(place, len(head)) == I64_ARRAY
                if array and reader.need(place + 1, 16, len(head)):
                    capacity, used = struct.unpack_from("<qq", head, place + 1)
                    record.fields = [Field(start + place + 1, "capacity", capacity),
                                     Field(start + place + 9, "used", used)]
                    record.kind = str(named[0])
        except DecodeError:
            pass
        if record.kind == "meta":
            record.note = preview(head, length)
        return record

    # ---- what is wrong inside ----

    def _inspect(self, record: Record) -> list[Record]:
        """Reads what a document holds; returns what is wrong with it."""
        if record.kind in ("index", "index2index"):
            return self._page(record)
        if record.kind == "entry":
            return self._entry(record)
        spacing, sequence = self.header.index_spacing, record.sequence
        if record.kind == "data" and spacing > 0 and sequence is not None and (
                sequence % spacing == 0):
            entry = self._index_entry(sequence // spacing)
            if entry not in (0, record.offset):
                return [Record(record.offset, "problem", note=(
                    f"the index has message {sequence} at {entry:#x}"))]
        return []

    def _page(self, record: Record) -> list[Record]:
        """Sums an array up: how many entries, the first, the last, holes between them."""
        capacity, used = (item.value for item in record.fields)
        start, room = self._room(record)
        problems = []
        if capacity != room or not 0 <= used <= capacity:
            problems.append(Record(record.offset, "problem", note=(
                f"capacity {capacity}, used {used}, and room for {room} entries")))
        first, last, filled, wrong, read = 0, 0, 0, 0, 0
        for number, value in enumerate(self.file.numbers(start, max(0, min(used, room)))):
            read += 1
            if value == 0:
                continue
            if not last < value < self.file.size:
                wrong += 1
                if wrong <= TOLD:
                    problems.append(Record(start + 8 * number, "problem", note=(
                        f"entry {number} is {value:#x}: not rising, or outside the file")))
            first, last, filled = first or value, value, filled + 1
        if wrong > TOLD:
            problems.append(Record(start, "problem", note=f"{wrong - TOLD} more such entries"))
        if record.kind == "index2index" and not self.header.index2index:
            self.header.index2index, self.header.index_count = record.offset, room
        record.note = f"{filled} entries, first {first:#x}, last {last:#x}, {read - filled} holes"
        return problems

    def _entry(self, record: Record) -> list[Record]:
        """A key of the table store and its number."""
        problems = self._read_fields(record)
        items = record.fields
        if problems:
            return problems
        if len(items) != 1 or not isinstance(items[0].value, int):
            return [Record(record.offset, "problem", note="an entry is one key with one number")]
        record.note = self._meaning(items[0].name, items[0].value)
        if items[0].offset % 8 != 0:
            problems.append(Record(items[0].offset, "problem", note=(
                "the number is not 8-byte aligned")))
        if record.offset >= TABLE_FULL:
            problems.append(Record(record.offset, "problem", note=(
                "Java has no entries behind 64 KiB")))
        return problems

    def _meaning(self, key: str, value: int) -> str:
        """What the number of a well-known key says."""
        lowered, cycle = key.lower(), self.header.roll_cycle
        if lowered.endswith(".lock"):
            return "unlocked" if value == UNSET else f"held by process {value & 0xFFFFFFFF}"
        if value == UNSET or lowered.startswith("listing.") and abs(value) >= (1 << 31) - 1:
            return "unset"
        is_index = lowered.startswith("index.") and not lowered.endswith(".version")
        if is_index and value > 0 and cycle:
            return (f"{value:#x}: cycle {value >> cycle.shift}, "
                    f"sequence {value & (1 << cycle.shift) - 1}")
        return ""

    # ---- the index, and going on behind damage ----

    def _room(self, record: Record) -> tuple[int, int]:
        """Where the entries of an index document begin, and how many fit."""
        start = int(record.fields[1].offset) + 8
        return start, max(0, (record.offset + 4 + (record.length or 0) - start) // 8)

    def _array(self, at: int) -> tuple[int, int]:
        """Start and number of the entries of the index document at an offset; (0, 0): none."""
        word = self.file.u32(at, fresh=True) if 0 < at < self.file.size else None
        if not word or word & ~LENGTH != META:
            return 0, 0
        record = self._meta(Record(at, "meta", word, word & LENGTH))
        return (0, 0) if record.kind == "meta" else self._room(record)

    def _number(self, array: tuple[int, int], place: int) -> int:
        data = self.file.small(array[0] + 8 * place, 8) if place < array[1] else b""
        return int.from_bytes(data, "little", signed=True) if len(data) == 8 else 0

    def _index_entry(self, number: int) -> int:
        """Where the index says that message ``number * indexSpacing`` is; 0: it does not say."""
        pages = self._array(self.header.index2index)
        if not 0 < self.header.index_count:
            return 0
        page, place = divmod(number, self.header.index_count)
        return self._number(self._array(self._number(pages, page)), place)

    def _resume(self, at: int) -> tuple[int, int | None] | None:
        """The next place behind ``at`` where a message is known to be, and its sequence."""
        self.resumes += 1
        if self.header.is_table or self.resumes > RESUMES:
            return None
        count, spacing = self.header.index_count, self.header.index_spacing
        for i, page in enumerate(self.file.numbers(*self._array(self.header.index2index))):
            for j, place in enumerate(self.file.numbers(*self._array(page))):
                if self._is_message(at, place):
                    return place, (i * count + j) * spacing if spacing else None
        end = self.header.write_position
        return (end, self.header.last_sequence()) if self._is_message(at, end) else None

    def _is_message(self, at: int, place: int) -> bool:
        if not at < place < self.file.size - 4:
            return False
        word = self.file.u32(place, fresh=True)
        return bool(word) and word is not None and word <= min(LENGTH, self.file.size - place - 4)

    def _end(self, record: Record) -> Iterator[Record]:
        """What the end of the chain says of the header."""
        end = self.header.write_position
        if record.kind == "problem" or self.header.is_table:
            return
        if self.last_data and not end and record.kind == "eof":
            yield Record(0, "problem", note="writePosition is 0 in a finished cycle with messages")
        elif end > self.last_data:
            yield Record(0, "problem", note=f"writePosition is {end:#x}, behind the last message "
                                            f"at {self.last_data:#x}")


def walk(path: str, cycle: tuple[int, int] | None = None) -> Iterator[Record]:
    """The records of one file; ``cycle``: its number, and the bits that count messages."""
    file = File(path)
    try:
        yield from Walker(file, cycle).walk()
    finally:
        file.close()


def settings_of(path: str) -> dict[str, Any]:
    """The fields of a file's header by name; empty when it cannot be read."""
    try:
        for record in walk(path):
            return {item.name: item.value for item in record.fields}
    except OSError:
        pass
    return {}
