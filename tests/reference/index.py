"""The two-level index: from a sequence to a position (format.md 6)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from . import header, wire
from .cycle_file import CycleFile
from .errors import FormatError


@dataclass(frozen=True)
class IndexArray:
    """An index2index or index document: where it is, how full, where its entries lie."""

    position: int
    length: int
    capacity: int
    used: int
    entries_at: int


def read_array(cycle: CycleFile, position: int, name: str) -> IndexArray:
    """The array document at ``position``, which must be complete metadata of that name."""
    path = cycle.path
    if position < 0 or position % 4 and cycle.header.aligned:
        raise FormatError(path, position, f"no {name} document can lie at this offset")
    word = cycle.word_at(position)
    if header.kind(word) is not header.Kind.METADATA:
        raise FormatError(path, position, f"word 0x{word:08x} where {name} is expected")
    start, length = position + header.HEADER_SIZE, header.length(word)
    if start + length > cycle.file.size:
        raise FormatError(path, position, f"{name} of {length} bytes beyond the file's end")
    cursor = wire.Cursor(cycle.file.buffer, start, start + length, path)
    cursor.skip_padding()
    key = wire.read_key(cursor) if cursor.more() else None
    if key is None or key.name != name:
        raise FormatError(path, position, f"metadata document is not {name}")
    value = wire.read_value(cursor)
    array = value.data
    if not isinstance(array, wire.Int64Array):
        raise FormatError(path, value.position, f"{name} holds no array")
    return IndexArray(position, length, array.capacity, array.used, array.entries_at)


def entry(cycle: CycleFile, array: IndexArray, number: int) -> int:
    """Entry ``number`` of the array, 0 when it was never set."""
    if not 0 <= number < array.capacity:
        raise FormatError(cycle.path, array.position, f"entry {number} of {array.capacity}")
    return cycle.file.cell(array.entries_at + 8 * number)


class Outcome(enum.Enum):
    """Result of looking for a sequence in a cycle (format.md 6.3)."""

    FOUND = "found"
    NOT_FOUND = "one past the last"
    NOT_REACHED = "further than one past the last"
    END_OF_FILE = "one past the last of a finished cycle"


@dataclass(frozen=True)
class Place:
    """Where a sequence lies; ``walked`` documents were stepped over to get there."""

    outcome: Outcome
    position: int
    walked: int


def nearest_entry(cycle: CycleFile, sequence: int) -> tuple[int, int]:
    """The last index entry at or before ``sequence``: (its sequence, position), else (0, 0)."""
    count, spacing = cycle.header.index_count, cycle.header.index_spacing
    top_at = cycle.index2index
    if not top_at:
        return 0, 0
    top = read_array(cycle, top_at, "index2index")
    ordinal = min(sequence // spacing, count * count - 1)
    page_number, column = divmod(ordinal, count)
    for number in range(page_number, -1, -1):
        page_at = entry(cycle, top, number)
        if page_at:
            page = read_array(cycle, page_at, "index")
            # Java starts every page at the wanted column; any start is right, this one is near.
            for slot in range(column if number == page_number else count - 1, -1, -1):
                position = entry(cycle, page, slot)
                if position:
                    return (number * count + slot) * spacing, position
    return 0, 0


def find(cycle: CycleFile, sequence: int) -> Place:
    """Looks a sequence up by the index and a walk from the nearest entry (format.md 6.3)."""
    at, position = nearest_entry(cycle, sequence)
    walked = 0
    for found in cycle.documents(position, at):
        if not found.is_metadata:
            if found.sequence == sequence:
                return Place(Outcome.FOUND, found.position, walked)
            at = found.sequence + 1
        walked += 1
        position = header.next_position(found.position, found.length, cycle.header.aligned)
    ended = cycle.word_at(position) == header.END_OF_DATA
    if at != sequence:
        return Place(Outcome.NOT_REACHED, position, walked)
    return Place(Outcome.END_OF_FILE if ended else Outcome.NOT_FOUND, position, walked)
