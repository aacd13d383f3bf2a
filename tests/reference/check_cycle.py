"""The invariants of one cycle file."""

from __future__ import annotations

import struct
from bisect import bisect_left

from . import header, index
from .cycle_file import CycleFile, Scan, decode_sequence
from .errors import FormatError, NotReady
from .file_bytes import WORD
from .findings import Report
from .roll_cycles import RollCycle

EOF_TEXT = b"\xc3EOF"  # what newer Java stores behind the EOF word (format.md 9.1)
_INDEX_NAMES = (b"\xb9\x05index", b"\xb9\x0bindex2index")


class CycleCheck:
    """Checks one file. What writers advance is read before the walk: with a live writer the
    walk then reaches at least as far as those words say."""

    def __init__(self, report: Report, row: RollCycle, *, newest: bool, live: bool) -> None:
        self.report = report
        self.row = row
        self.newest = newest
        self.moving = live and newest  # a writer may be at work in this very file
        self.count = 0

    def run(self, path: str) -> None:
        """Opens the file and checks everything in it."""
        try:
            cycle = CycleFile(path)
        except NotReady as error:
            if not self.moving:
                self.report.add("cycle-not-ready", path, 0, error.what)
            return
        except FormatError as error:
            self.report.add("cycle-header", path, error.offset, error.what)
            return
        with cycle:
            self.cycle, self.path = cycle, path
            try:
                self._check()
            except FormatError as error:
                self.report.add("chain", path, error.offset, error.what)

    def _add(self, code: str, offset: int, what: str) -> None:
        self.report.add(code, self.path, offset, what)

    def _check(self) -> None:
        cycle = self.cycle
        write_position, sequence_word = cycle.write_position, cycle.sequence_word
        last_index = cycle.last_index
        pages = self._read_index()
        scan = cycle.scan()
        self.count = len(scan.data)
        self._header()
        self._documents(scan)
        self._end(scan)
        self._write_position(scan, write_position, sequence_word)
        self._last_index(last_index)
        self._index(scan, pages, last_index)
        self._size(scan)

    # -- header ------------------------------------------------------------------------------

    def _header(self) -> None:
        head = self.cycle.header
        pair = 8 if head.sequence_word_at is None else 16
        for name, at, unit in (("writePosition", head.write_position_at, pair),
                               ("index2Index", head.index2index_at, 8),
                               ("lastIndex", head.last_index_at, 8)):
            if at % unit:
                self._add("alignment", at, f"{name} is not {unit}-byte aligned")
        if head.is_4x:
            self._add("4.x", 0, "the roll is stored in the cycle file")
        want = (self.row.index_count, self.row.index_spacing)
        if (head.index_count, head.index_spacing) != want:
            self._add("index-settings", 0, f"index {head.index_count} x {head.index_spacing}, "
                                           f"{self.row.name} has {want[0]} x {want[1]}")

    # -- the chain ---------------------------------------------------------------------------

    def _documents(self, scan: Scan) -> None:
        for position, length in scan.metadata:
            if length == 0:
                self._add("empty-document", position, "metadata document of length 0")
        if self.count > self.row.messages_max:
            self._add("cycle-full", scan.end, f"{self.count} messages")
        if self.cycle.header.aligned:
            self._padding(scan)

    def _padding(self, scan: Scan) -> None:
        buffer, size, unpack = self.cycle.file.buffer, self.cycle.file.size, WORD.unpack_from
        for position in scan.data:
            length = unpack(buffer, position)[0]
            if length & 3:
                end = position + 4 + length
                if any(buffer[end:min(end + 4 - (length & 3), size)]):
                    self._add("padding", end, "padding is not zero")
                    return
        for position, length in scan.metadata:
            end = position + 4 + length
            if any(buffer[end:min(header.align(end, 4), size)]):
                self._add("padding", end, "padding is not zero")
                return

    def _end(self, scan: Scan) -> None:
        word, end = scan.end_word, scan.end
        if end + 4 > self.cycle.file.size:
            self._add("file-cut", end, "the file ends before the word that ends the chain")
        if not scan.has_eof and not self.newest:
            self._add("eof-missing", end, f"word 0x{word:08x} ends an older cycle")
        if scan.has_eof and self.newest and not self.moving:
            self._add("eof-newest", end, "the newest cycle has EOF")
        if word and not scan.has_eof:
            if not self.moving:
                self._add("incomplete-word", end, f"word 0x{word:08x}")
            return  # what follows belongs to the unfinished document
        if self.moving:
            return
        start = end + 4
        file = self.cycle.file
        if scan.has_eof and start < file.size:
            text = file.read(start, min(4, file.size - start))
            if text == EOF_TEXT[:len(text)]:
                start += 4
        dirty = file.first_nonzero(start)
        if dirty is not None:
            self._add("tail", dirty, f"byte 0x{file.read(dirty, 1)[0]:02x} behind the end "
                                     f"at 0x{end:x}")

    # -- write position and sequence word ----------------------------------------------------

    def _write_position(self, scan: Scan, position: int, word: int | None) -> None:
        head, data = self.cycle.header, scan.data
        at = head.write_position_at
        if position == 0:
            if data and not self.moving:
                self._add("write-position", at, f"0 with {len(data)} messages")
            elif word and not self.moving:
                self._add("sequence-word", at + 8, f"0x{word:x} without a write position")
            return
        sequence = bisect_left(data, position)
        if sequence == len(data) or data[sequence] != position:
            self._add("write-position", at, f"0x{position:x} is not a message")
            return
        behind = len(data) - 1 - sequence
        if behind and not self.moving:
            tolerated = behind == 1 and scan.has_eof
            self._add("write-position-behind" if tolerated else "write-position", at,
                      f"{behind} messages behind the last")
        if word is not None and not self.moving:
            self._sequence_word(scan, position, sequence, word)

    def _sequence_word(self, scan: Scan, position: int, sequence: int, word: int) -> None:
        at = self.cycle.header.write_position_at + 8
        for shift in (self.cycle.header.shift, self.row.shift):  # the trap of format.md 4.3
            if decode_sequence(position, word, shift) == sequence:
                return
        shift = self.cycle.header.shift
        if sequence and scan.has_eof:
            before = scan.data[sequence - 1]
            if decode_sequence(before, word, shift) == sequence - 1:
                self._add("sequence-word-behind", at, "encodes the message before the last")
                return
        got = decode_sequence(position, word, shift)
        self._add("sequence-word", at, f"0x{word & 2**64 - 1:x} gives {got}, "
                                       f"the message is {sequence}")

    # -- the index ---------------------------------------------------------------------------

    def _read_index(self) -> list[tuple[int, index.IndexArray, tuple[int, ...]]] | None:
        """Pages as (number, array, entries); ``None`` when there is no index2index."""
        cycle = self.cycle
        self.root, self.root_entries = None, ()
        top_at = cycle.index2index
        if top_at == 0:
            return None
        self.root = self._array(top_at, "index2index", "index-root")
        if self.root is None:
            return []
        self.root_entries = self._entries(self.root)
        pages, seen = [], set()
        for number, page_at in enumerate(self.root_entries):
            if page_at == 0:
                continue
            if page_at in seen:
                self._add("index-page", self.root.entries_at + 8 * number,
                          f"page 0x{page_at:x} is listed twice")
                continue
            seen.add(page_at)
            page = self._array(page_at, "index", "index-page")
            if page is not None:
                pages.append((number, page, self._entries(page)))
        return pages

    root: index.IndexArray | None
    root_entries: tuple[int, ...]

    def _array(self, position: int, name: str, code: str) -> index.IndexArray | None:
        try:
            array = index.read_array(self.cycle, position, name)
        except FormatError as error:
            self._add(code, error.offset, error.what)
            return None
        if array.capacity != self.cycle.header.index_count:
            self._add(code, position, f"{name} of capacity {array.capacity}, "
                                      f"indexCount is {self.cycle.header.index_count}")
            return None
        if array.entries_at % 8:
            self._add("alignment", array.entries_at, f"{name} is not 8-byte aligned")
        return array

    def _entries(self, array: index.IndexArray) -> tuple[int, ...]:
        raw = self.cycle.file.read(array.entries_at, 8 * array.capacity)
        return struct.unpack(f"<{array.capacity}q", raw)

    def _last_index(self, last_index: int) -> None:
        spacing = self.cycle.header.index_spacing
        want = header.align(self.count, spacing)
        if last_index == want or self.moving and 0 <= last_index < want:
            return
        self._add("index-last", self.cycle.header.last_index_at,
                  f"{last_index}, {self.count} messages need {want}")

    def _index(self, scan: Scan, pages: list[tuple[int, index.IndexArray, tuple[int, ...]]] | None,
               last_index: int) -> None:
        if pages is None:
            code = "index-missing" if self.count and not self.moving else "index-root-missing"
            self._add(code, self.cycle.header.index2index_at, "there is no index2index")
            return
        chain = {position for position, _ in scan.metadata}
        known: set[int] = set()
        for array, code in ([(self.root, "index-root")] if self.root else []) + [
                (page, "index-page") for _, page, _ in pages]:
            known.add(array.position)
            if array.position not in chain:
                self._add(code, array.position, "the index document is not in the chain")
        if self.root:
            self._used(self.root, self.root_entries, "index2index")
            self._missing_pages({number for number, _, _ in pages}, last_index)
        for number, page, entries in pages:
            self._used(page, entries, f"index page {number}")
            self._page(scan, number, page, entries, last_index)
        self._orphans(scan, known)

    def _used(self, array: index.IndexArray, entries: tuple[int, ...], name: str) -> None:
        filled = next((n for n in range(len(entries), 0, -1) if entries[n - 1]), 0)
        if array.used == filled or self.moving and array.used < filled:
            return
        self._add("index-used", array.entries_at - 8,
                  f"{name}: used {array.used}, highest filled entry makes {filled}")

    def _missing_pages(self, present: set[int], last_index: int) -> None:
        per_page = self.cycle.header.index_count * self.cycle.header.index_spacing
        upto = self._indexed_upto(last_index)
        for number in range(min(-(-upto // per_page), self.cycle.header.index_count)):
            if number not in present:
                self._add("index-missing", self.cycle.header.index2index_at,
                          f"page {number} is missing")

    def _indexed_upto(self, last_index: int) -> int:
        """Messages below this sequence must have their entries."""
        return min(last_index, self.count) if self.moving else self.count

    def _page(self, scan: Scan, number: int, page: index.IndexArray, entries: tuple[int, ...],
              last_index: int) -> None:
        spacing, capacity = self.cycle.header.index_spacing, page.capacity
        first = number * capacity * spacing
        want = tuple(scan.data[first:first + capacity * spacing:spacing])
        if entries == want + (0,) * (capacity - len(want)):
            return
        upto = self._indexed_upto(last_index)
        for slot, got in enumerate(entries):
            sequence = first + slot * spacing
            at = page.entries_at + 8 * slot
            if got == 0:
                if sequence < upto:
                    self._add("index-missing", at, f"no entry for sequence {sequence}")
            elif slot >= len(want):
                self._add("index-entry", at, f"0x{got:x} for sequence {sequence}, "
                                             f"there are {self.count} messages")
            elif got != want[slot]:
                self._add("index-entry", at, f"0x{got:x} for sequence {sequence}, "
                                             f"which lies at 0x{want[slot]:x}")

    def _orphans(self, scan: Scan, known: set[int]) -> None:
        if self.moving:
            return  # a page is in the chain before index2index shows it
        for position, length in scan.metadata:
            if position in known or length < 16:
                continue
            start = self.cycle.file.read(position + 4, 13)
            if start.startswith(_INDEX_NAMES):
                self._add("index-orphan", position, "an index document that nothing points to")

    # -- size --------------------------------------------------------------------------------

    def _size(self, scan: Scan) -> None:
        size = self.cycle.file.size
        if not is_growth_step(size):
            cut = scan.has_eof and size in (scan.end + 4, scan.end + 8)
            self._add("file-size", size, "cut behind its EOF, as 5.17 to 5.24 do" if cut
                      else f"{size} is no block size times n plus overlap")


def overlap(block: int) -> int:
    """How far a chunk's mapping reaches into the next chunk (format.md 11.1)."""
    if block < 65536:
        return block
    if block < 262144:
        return 65536
    return block // 4 if block < 2**32 else 2**30


def is_growth_step(size: int) -> bool:
    """Whether Java makes files of this size with some power of two as its block size."""
    blocks = (1 << bits for bits in range(16, 36))
    return any(size > overlap(b) and (size - overlap(b)) % b == 0 for b in blocks)
