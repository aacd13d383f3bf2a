"""The reference writer: whole queues at rest, byte for byte as Java leaves them.

It makes the queues that tests need and no program writes on request: unaligned files, odd
block sizes, epochs, missing fields. It takes no lock: nobody else may use the directory.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import header, payload, roll_cycles
from .check_cycle import EOF_TEXT, overlap
from .cycle_file import encode_sequence
from .roll_cycles import RollCycle
from .table_store import FILE_NAME, MIN64

BLOCK_SIZE = 64 << 20
TABLE_SIZE = 131072
STANDARD_KEYS = ("listing.highestCycle", "listing.lowestCycle", "listing.modCount",
                 "chronicle.write.lock", "chronicle.append.lock", "chronicle.lastIndexReplicated",
                 "chronicle.lastAcknowledgedIndexReplicated", "chronicle.lastIndexMSynced")


@dataclass(frozen=True)
class Form:
    """Which Java the files look like; the defaults are those of 5.26."""

    data_format: int | None = 1  # None: the field is left out, documents are packed
    small_integers: str = "A1"  # "byte": 0..127 as the code byte itself, as Wire <= 2.22
    delta_checkpoint: bool = True  # 5.27 leaves the field out
    eof_text: bool = True  # the four bytes behind EOF, since Wire 2.21ea80
    block_size: int = BLOCK_SIZE
    table_size: int = TABLE_SIZE
    keys: tuple[str, ...] = STANDARD_KEYS
    pages_first: bool = True  # index2index and page 0 directly behind the header

    @property
    def aligned(self) -> bool:
        """Whether header words are aligned to 4 bytes."""
        return self.data_format == 1


FORM_5_26 = Form()
FORM_5_27 = Form(delta_checkpoint=False)
FORM_5_17 = Form(data_format=None, small_integers="byte", eof_text=False, table_size=65536,
                 keys=tuple(key for key in STANDARD_KEYS
                            if key not in ("chronicle.append.lock", "chronicle.lastIndexMSynced")))


# -- wire ------------------------------------------------------------------------------------

def stop_bit(number: int) -> bytes:
    """Stop-bit encoding (format.md 3.2)."""
    groups, rest = bytearray(), ~number if number < 0 else number
    while rest >= 0x80 or number < 0 and rest:
        groups.append(rest & 0x7F | 0x80)
        rest >>= 7
    if number < 0:
        return bytes(groups or b"\x80") + b"\0"
    return bytes(groups) + bytes([rest])


def event(name: str) -> bytes:
    """An event name."""
    return b"\xb9" + stop_bit(len(name)) + name.encode("latin-1")


def name_of(name: str) -> bytes:
    """A field name."""
    if len(name) < 32:
        return bytes([0xC0 + len(name)]) + name.encode("latin-1")
    return b"\xb7" + stop_bit(len(name)) + name.encode("latin-1")


def text(value: str) -> bytes:
    """A string value; characters beyond the BMP as two surrogates (format.md 3.4)."""
    raw = b"".join(unit.encode("utf-8", "surrogatepass") for unit in _utf16(value))
    if len(raw) < 32:
        return bytes([0xE0 + len(raw)]) + raw
    return b"\xb8" + stop_bit(len(raw)) + raw


def _utf16(value: str) -> Iterable[str]:
    raw = value.encode("utf-16-le", "surrogatepass")
    return (chr(unit) for unit in struct.unpack(f"<{len(raw) // 2}H", raw))


def integer(number: int, small: str = "A1") -> bytes:
    """A plain integer in the code that its value decides (format.md 3.3)."""
    if small == "byte" and 0 <= number < 0x80:
        return bytes([number])
    for low, high, code, form in ((0, 2**8, 0xA1, "<B"), (-2**7, 0, 0xA4, "<b"),
                                  (-2**15, 2**15, 0xA5, "<h"), (2**15, 2**16, 0xA2, "<H"),
                                  (-2**31, 2**31, 0xA6, "<i"), (2**31, 2**32, 0xA3, "<I")):
        if low <= number < high:
            return bytes([code]) + struct.pack(form, number)
    try:
        exact = struct.pack("<f", number)
    except OverflowError:
        exact = b""
    if exact and int(struct.unpack("<f", exact)[0]) == number:
        return b"\x90" + exact
    return b"\xa7" + struct.pack("<q", number)


def padding(length: int) -> bytes:
    """Padding of this many bytes (format.md 3.6)."""
    if length < 5:
        return b"\x8f" * length
    return b"\x8e" + struct.pack("<I", length - 5) + bytes(length - 5)


def typed(name: str, block: bytes) -> bytes:
    """A typed block; its length is always the four-byte form (format.md 3.5)."""
    return b"\xb6" + stop_bit(len(name)) + name.encode() + b"\x82" + \
        struct.pack("<I", len(block)) + block


def _bound(position: int, unit: int, code: bytes) -> bytes:
    """Padding and code so that what follows the code lies at a multiple of ``unit``."""
    return padding(-(position + 1) % unit) + code


def array_body(name: str, position: int, entries: Sequence[int], used: int) -> bytes:
    """Body of an index document whose body starts at ``position`` (format.md 6.1)."""
    start = event(name)
    start += _bound(position + len(start), 8, b"\x8d")
    return start + struct.pack(f"<qq{len(entries)}q", len(entries), used, *entries)


# -- metadata.cq4t ---------------------------------------------------------------------------

@dataclass
class QueueSpec:
    """What the queue is."""

    roll_cycle: RollCycle = roll_cycles.BY_NAME["FAST_DAILY"]
    epoch: int = 0
    roll_time: str | None = None
    roll_time_zone: str | None = None
    source_id: int = 0
    form: Form = FORM_5_26
    index_count: int | None = None  # other numbers than the roll cycle's
    index_spacing: int | None = None
    cells: dict[str, int] = field(default_factory=dict)  # overrides and further entries


def table_header(spec: QueueSpec) -> bytes:
    """Body of the first document (format.md 5.1)."""
    small = spec.form.small_integers
    roll = (name_of("length") + integer(spec.roll_cycle.length_ms, small) + name_of("format")
            + text(spec.roll_cycle.pattern) + name_of("epoch") + integer(spec.epoch, small))
    if spec.roll_time is not None:
        roll += name_of("rollTime") + b"\xb2" + stop_bit(len(spec.roll_time)) + \
            spec.roll_time.encode()
    if spec.roll_time_zone is not None:
        roll += name_of("rollTimeZone") + text(spec.roll_time_zone)
    meta = name_of("roll") + typed("SCQSRoll", roll)
    if spec.form.delta_checkpoint:
        meta += name_of("deltaCheckpointInterval") + integer(64, small)
    meta += name_of("sourceId") + integer(spec.source_id, small)
    store = (name_of("wireType") + b"\xb6\x08WireType" + text("BINARY_LIGHT")
             + name_of("metadata") + typed("SCQMeta", meta))
    bare = event("header") + typed("STStore", store)
    store += b"\x8f" * (-len(bare) % 4)
    return event("header") + typed("STStore", store)


def table_entry(position: int, key: str, value: int) -> bytes:
    """One entry whose header word lies at ``position``, word included (format.md 5.2)."""
    body = event(key)
    body += _bound(position + 4 + len(body), 8, b"\xa7") + struct.pack("<q", value)
    body += b"\x8f" * (-len(body) % 4)
    return struct.pack("<I", len(body)) + body


def standard_cells(spec: QueueSpec, cycles: Sequence[int]) -> dict[str, int]:
    """The entries in Java's order (format.md 5.4)."""
    values = {"listing.highestCycle": max(cycles) if cycles else -2**31,
              "listing.lowestCycle": min(cycles) if cycles else 2**31 - 1,
              "listing.modCount": 2 * len(cycles), "chronicle.write.lock": MIN64,
              "chronicle.append.lock": MIN64}
    return {key: values.get(key, -1) for key in spec.form.keys} | spec.cells


def table_store(spec: QueueSpec, cycles: Sequence[int] = ()) -> bytes:
    """The bytes of metadata.cq4t up to its last entry."""
    body = table_header(spec)
    out = struct.pack("<I", header.META_DATA | len(body)) + body
    out += bytes(-len(out) % 4)
    for key, value in standard_cells(spec, cycles).items():
        out += table_entry(len(out), key, value)
    return out


# -- cycle files -----------------------------------------------------------------------------

@dataclass
class _Places:
    """Offsets of the words of the cycle header that change."""

    write_position: int
    index2index: int
    last_index: int


def cycle_header(spec: QueueSpec) -> tuple[bytes, _Places]:
    """Body of the SCQStore document with all changing words 0 (format.md 4.1)."""
    small = spec.form.small_integers
    count = spec.index_count or spec.roll_cycle.index_count
    spacing = spec.index_spacing or spec.roll_cycle.index_spacing
    prefix = len(event("header")) + len(typed("SCQStore", b""))  # before the block's bytes
    store = name_of("writePosition")
    store += _bound(4 + prefix + len(store), 16, b"\x8d") + struct.pack("<qq", 2, 2)
    write_position = 4 + prefix + len(store)
    store += bytes(16)
    inner_at = 4 + prefix + len(store) + len(name_of("indexing")) + len(typed("SCQSIndexing", b""))
    inner = name_of("indexCount") + integer(count, small)
    inner += name_of("indexSpacing") + integer(spacing, small) + name_of("index2Index")
    inner += _bound(inner_at + len(inner), 8, b"\xa7")
    index2index = inner_at + len(inner)
    inner += bytes(8) + name_of("lastIndex")
    inner += _bound(inner_at + len(inner), 8, b"\xa7")
    last_index = inner_at + len(inner)
    inner += bytes(8)
    store += name_of("indexing") + typed("SCQSIndexing", inner)
    if spec.form.data_format is not None:
        store += name_of("dataFormat") + integer(spec.form.data_format, small)
    end = 4 + prefix + len(store)
    if end % 64 > 60:
        store += b"\x8f" * (-end % 64)
    return event("header") + typed("SCQStore", store), \
        _Places(write_position, index2index, last_index)


class CycleWriter:
    """Writes one cycle file from its first byte to its EOF."""

    def __init__(self, path: Path, spec: QueueSpec) -> None:
        self.spec, self.path = spec, path
        self.count = spec.index_count or spec.roll_cycle.index_count
        self.spacing = spec.index_spacing or spec.roll_cycle.index_spacing
        self.shift = roll_cycles.sequence_shift(spec.roll_cycle.index_count,
                                                spec.roll_cycle.index_spacing)
        self.file = open(path, "w+b")  # noqa: SIM115 (closed by close)
        self.sequence, self.end, self.last = 0, 0, 0
        self.pages: list[int] = []
        body, self.places = cycle_header(spec)
        self._document(body, header.META_DATA)
        if spec.form.pages_first:
            self._root()
            self._page()

    def _document(self, body: bytes, flag: int = 0) -> int:
        at = self.end
        self.file.seek(at)
        self.file.write(struct.pack("<I", flag | len(body)) + body)
        self.end = header.next_position(at, len(body), self.spec.form.aligned)
        return at

    def _cell(self, at: int, *values: int) -> None:
        self.file.seek(at)
        self.file.write(struct.pack(f"<{len(values)}q", *values))

    def _array(self, name: str) -> int:
        """An empty index document; the offset of its ``used`` word."""
        body = array_body(name, self.end + 4, [0] * self.count, 0)
        at = self._document(body, header.META_DATA)
        return at + 4 + len(body) - 8 * self.count - 8

    def _root(self) -> None:
        self._cell(self.places.index2index, self.end)
        self.root_used_at = self._array("index2index")

    def _page(self) -> None:
        number = len(self.pages)
        at = self.end
        self.pages.append(self._array("index"))
        self._cell(self.root_used_at + 8 + 8 * number, at)
        self._cell(self.root_used_at, number + 1)

    def append(self, body: bytes) -> int:
        """Appends a message with this body; returns its sequence."""
        at = self._document(body or b"\x8f")
        sequence, self.sequence, self.last = self.sequence, self.sequence + 1, at
        if sequence % self.spacing == 0:
            if not self.pages and not self.spec.form.pages_first:
                self._root()
            number, slot = divmod(sequence // self.spacing, self.count)
            if number == len(self.pages):
                self._page()
            self._cell(self.pages[number] + 8 + 8 * slot, at)
            self._cell(self.pages[number], slot + 1)
            self._cell(self.places.last_index, sequence + self.spacing)
        return sequence

    def append_metadata(self, body: bytes) -> int:
        """Appends a metadata document; returns its position."""
        return self._document(body, header.META_DATA)

    def close(self, *, eof: bool) -> None:
        """Sets write position and size, and EOF when the cycle is finished."""
        if self.sequence:
            self._cell(self.places.write_position, self.last,
                       encode_sequence(self.last, self.sequence - 1, self.shift))
        if eof:
            self.file.seek(self.end)
            self.file.write(struct.pack("<I", header.END_OF_DATA))
            self.file.write(EOF_TEXT if self.spec.form.eof_text else b"")
        self.file.truncate(file_size(self.end + 8, self.spec.form.block_size))
        self.file.close()


def file_size(needed: int, block: int) -> int:
    """The growth step that has room for ``needed`` bytes (format.md 11.2)."""
    chunks = max(1, -(-needed // block))
    return chunks * block + overlap(block)


def write_queue(directory: str | os.PathLike[str], cycles: Mapping[int, Iterable[bytes]],
                spec: QueueSpec | None = None, *, framed: bool = True,
                eof_newest: bool = False) -> Path:
    """Makes a queue: cycle number -> payloads (``framed``) or bodies. Returns the directory."""
    spec = spec or QueueSpec()
    root = Path(directory)
    root.mkdir(parents=True, exist_ok=True)
    for cycle, messages in cycles.items():
        stem = roll_cycles.file_stem(spec.roll_cycle, cycle, spec.epoch)
        writer = CycleWriter(root / f"{stem}.cq4", spec)
        for message in messages:
            writer.append(payload.frame(message) if framed else message)
        writer.close(eof=eof_newest or cycle != max(cycles))
    with open(root / FILE_NAME, "wb") as file:
        file.write(table_store(spec, sorted(cycles)))
        file.truncate(spec.form.table_size)
    return root
