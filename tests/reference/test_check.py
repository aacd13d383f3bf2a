"""The checker finds each kind of planted damage: at least one test per invariant."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.kit import golden_queues
from tests.reference import Finding, check_queue, roll_cycles
from tests.reference.check_cycle import is_growth_step
from tests.reference.cycle_file import CycleFile, encode_sequence
from tests.reference.findings import ERROR, INVARIANTS
from tests.reference.index import read_array
from tests.reference.table_store import read_table_store
from tests.reference.writer import FORM_5_26, CycleWriter, QueueSpec, file_size, table_store, \
    write_queue

ROW = roll_cycles.BY_NAME["TEST4_DAILY"]  # 32 entries a page, one per 4 messages: 128 a page
SPEC = QueueSpec(ROW, form=replace(FORM_5_26, block_size=65536),
                 cells={"index.reader": roll_cycles.index_of(ROW, 18263, 1)})
OLD, NEW = 18262, 18263
TABLE = "metadata.cq4t"


class Queue:
    """A healthy queue of two cycles to plant damage in: 140 messages, then 6."""

    def __init__(self, root: Path) -> None:
        self.root = root
        write_queue(root, {OLD: [b"old %d" % n for n in range(140)],
                           NEW: [b"message %d" % n for n in range(6)]}, SPEC)

    def path(self, cycle: int) -> Path:
        return self.root / (roll_cycles.file_stem(ROW, cycle) + ".cq4")

    def poke(self, name: str | Path, offset: int, data: bytes) -> None:
        with open(self.root / name, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def word(self, cycle: int, at: Callable[[CycleFile], int], word: int) -> None:
        """Stores a 32-bit word where ``at`` says."""
        self.poke(self.path(cycle), self.look(cycle, at), struct.pack("<I", word))

    def cell(self, cycle: int, at: Callable[[CycleFile], int], value: int) -> None:
        """Stores a 64-bit word where ``at`` says."""
        self.poke(self.path(cycle), self.look(cycle, at), struct.pack("<q", value))

    def look(self, cycle: int, at: Callable[[CycleFile], int]) -> int:
        with CycleFile(self.path(cycle)) as file:
            return at(file)

    def table(self, key: str, value: int) -> None:
        cell = read_table_store(self.root / TABLE).cell(key)
        assert cell is not None
        self.poke(TABLE, cell.offset, struct.pack("<q", value))

    def table_of(self, spec: QueueSpec, cut: str = "") -> None:
        """Writes the table store anew, without the key ``cut``."""
        form = replace(spec.form, keys=tuple(key for key in spec.form.keys if key != cut))
        data = table_store(replace(spec, form=form), [OLD, NEW])
        (self.root / TABLE).write_bytes(data + bytes(131072 - len(data)))


def end(file: CycleFile) -> int:
    return file.scan().end


def last(file: CycleFile) -> int:
    return file.scan().data[-1]


def page(number: int) -> Callable[[CycleFile], int]:
    """Offset of the first entry of a page."""
    def at(file: CycleFile) -> int:
        root = read_array(file, file.index2index, "index2index")
        return read_array(file, file.file.cell(root.entries_at + 8 * number), "index").entries_at
    return at


def root_entries(file: CycleFile) -> int:
    return read_array(file, file.index2index, "index2index").entries_at


def weekly(q: Queue) -> None:
    shutil.rmtree(q.root)
    row = roll_cycles.BY_NAME["WEEKLY"]
    write_queue(q.root, {2608: [b"a"]}, QueueSpec(row, cells={"listing.lowestCycle": 18259}))


def fourth(q: Queue) -> None:
    shutil.rmtree(q.root)
    golden_queues.extract("src-libchronicle-cqv4", q.root.parent).rename(q.root)


def other_index(q: Queue) -> None:
    shutil.rmtree(q.root)
    write_queue(q.root, {NEW: [b"a"]}, replace(SPEC, index_count=64, index_spacing=8))


def rebuild(q: Queue, cycle: int, change: Callable[[CycleWriter], None], *, eof: bool) -> None:
    writer = CycleWriter(q.path(cycle), SPEC)
    change(writer)
    writer.close(eof=eof)


def orphan(writer: CycleWriter) -> None:
    writer.append(b"\xe1a")
    writer._array("index")


def too_many(q: Queue) -> None:
    """TEST_DAILY may hold 64 messages; a 65th has no place in the index."""
    shutil.rmtree(q.root)
    row = roll_cycles.BY_NAME["TEST_DAILY"]
    write_queue(q.root, {NEW: [b"a"] * 64}, QueueSpec(row, form=SPEC.form))
    path = q.root / (roll_cycles.file_stem(row, NEW) + ".cq4")
    with CycleFile(path) as file:
        at = file.scan().end
    with open(path, "r+b") as out:
        out.seek(at)
        out.write(struct.pack("<I", 1) + b"\xe0")


def misaligned(q: Queue) -> None:
    """Moves the value of the last entry by one byte of padding, inside its document."""
    data = bytearray((q.root / TABLE).read_bytes())
    at = data.index(b"\xb9\x0cindex.reader") + 14
    data[at:at] = b"\x8f"
    cell = read_table_store(q.root / TABLE).cell("index.reader")
    assert cell is not None
    data[cell.position] += 1
    (q.root / TABLE).write_bytes(bytes(data[:131072]))


def misaligned_header(q: Queue) -> None:
    """The same in a cycle file: a padding byte moves from before lastIndex to behind it."""
    data = q.path(NEW).read_bytes()
    at = data.index(b"\xc9lastIndex") + 10
    assert data[at:at + 6] == b"\x8e\0\0\0\0\xa7"
    value = data[at + 6:at + 14]
    q.poke(q.path(NEW), at, b"\x8f\x8f\x8f\x8f\xa7" + value + b"\x8f")


def one_behind(q: Queue) -> None:
    """What a writer leaves that dies between publishing and step 8 of format.md 8.2."""
    position = q.look(OLD, lambda f: f.scan().data[-2])
    q.cell(OLD, lambda f: f.header.write_position_at, position)
    q.cell(OLD, lambda f: f.header.write_position_at + 8, encode_sequence(position, 138, 32))


@dataclass(frozen=True)
class Damage:
    code: str
    plant: Callable[[Queue], object]
    file: str = ""


N, O = "20200102T4.cq4", "20200101T4.cq4"
DAMAGE: dict[str, Damage] = {
    "foreign name": Damage("foreign-file", lambda q: (q.root / "copy.cq4").touch(), "copy.cq4"),
    "impossible date": Damage("foreign-file", lambda q: (q.root / "20201301T4.cq4").touch()),
    "discard": Damage("leftover-file", lambda q: (q.root / f"{N}-123.discard").touch()),
    "precreated": Damage("leftover-file", lambda q: (q.root / "20200103T4.precreated").touch()),
    "no table store": Damage("no-table-store", lambda q: (q.root / TABLE).unlink(), TABLE),
    "4.x": Damage("4.x", fourth),
    "table header": Damage("table-store", lambda q: q.poke(TABLE, 6, b"\xff"), TABLE),
    "table half made": Damage("table-store", lambda q: q.poke(TABLE, 0, b"\0\0\0\x80"), TABLE),
    "table size": Damage("table-size", lambda q: os.truncate(q.root / TABLE, 66000), TABLE),
    "table tail": Damage("table-tail", lambda q: q.poke(TABLE, 0x1F000, b"\1"), TABLE),
    "table reservation": Damage("table-tail", lambda q: q.poke(
        TABLE, read_table_store(q.root / TABLE).end, b"\x24\0\0\x80"), TABLE),
    "key twice": Damage("table-duplicate", lambda q: q.table_of(
        replace(SPEC, cells={"LISTING.modCount": 1})), TABLE),
    "cell misaligned": Damage("table-alignment", misaligned, TABLE),
    "no lock key": Damage("table-key", lambda q: q.table_of(SPEC, "chronicle.write.lock"), TABLE),
    "wrong length": Damage("settings", lambda q: q.poke(
        TABLE, (q.root / TABLE).read_bytes().index(b"\xc6length") + 8, b"\x01"), TABLE),
    "unknown pattern": Damage("settings", lambda q: q.poke(
        TABLE, (q.root / TABLE).read_bytes().index(b"'T4'") + 1, b"ZZ"), TABLE),
    "write lock": Damage("lock-held", lambda q: q.table("chronicle.write.lock", 4711), TABLE),
    "append lock": Damage("lock-held", lambda q: q.table("chronicle.append.lock", 1), TABLE),
    "tailer lock": Damage("lock-held", lambda q: q.table_of(
        replace(SPEC, cells={"index.replicated:a.lock": 3})), TABLE),
    "highest too low": Damage("listing", lambda q: q.table("listing.highestCycle", OLD), TABLE),
    "lowest too high": Damage("listing", lambda q: q.table("listing.lowestCycle", NEW), TABLE),
    "listing unset": Damage("listing", lambda q: q.table("listing.lowestCycle", -2**63), TABLE),
    "weekly": Damage("listing-weekly", weekly, TABLE),
    "normalised": Damage("normalised", lambda q: q.table_of(
        replace(SPEC, cells={"normalisedEOFsTo": NEW + 1})), TABLE),
    "tailer beyond": Damage("tailer-position", lambda q: q.table(
        "index.reader", roll_cycles.index_of(ROW, NEW, 7)), TABLE),
    "tailer nowhere": Damage("tailer-position", lambda q: q.table(
        "index.reader", roll_cycles.index_of(ROW, 9, 0)), TABLE),
    "empty file": Damage("cycle-not-ready", lambda q: os.truncate(q.path(NEW), 0), N),
    "first word 0": Damage("cycle-not-ready", lambda q: q.poke(N, 0, bytes(4)), N),
    "first word reserved": Damage("cycle-not-ready", lambda q: q.poke(O, 0, b"\0\0\0\x80"), O),
    "not a cycle file": Damage("cycle-header", lambda q: q.poke(N, 0, b"random"), N),
    "wrong type name": Damage("cycle-header", lambda q: q.poke(N, 0xE, b"X"), N),
    "header beyond file": Damage("cycle-header", lambda q: os.truncate(q.path(NEW), 100), N),
    "lastIndex misaligned": Damage("alignment", misaligned_header, N),
    "other index numbers": Damage("index-settings", other_index),
    "length beyond file": Damage("chain", lambda q: q.word(NEW, last, 0x0FFFFFFF), N),
    "reserved": Damage("incomplete-word", lambda q: q.word(NEW, end, 0x80000010), N),
    "reserved metadata": Damage("incomplete-word", lambda q: q.word(NEW, end, 0xC0000001), N),
    "reserved in older": Damage("incomplete-word", lambda q: q.word(OLD, end, 0x80000000), O),
    "empty metadata": Damage("empty-document", lambda q: q.word(NEW, end, 0x40000000), N),
    "dirty padding": Damage("padding", lambda q: q.poke(
        N, q.look(NEW, last) + 4 + 13, b"\1"), N),
    "no EOF": Damage("eof-missing", lambda q: q.poke(O, q.look(OLD, end), bytes(8)), O),
    "EOF in newest": Damage("eof-newest", lambda q: q.word(NEW, end, 0xC0000000), N),
    "bytes behind EOF": Damage("tail", lambda q: q.poke(O, q.look(OLD, end) + 8, b"\1"), O),
    "other text behind EOF": Damage("tail", lambda q: q.poke(O, q.look(OLD, end) + 4, b"EOF!"), O),
    "bytes behind last": Damage("tail", lambda q: q.poke(N, q.look(NEW, end) + 4, b"dirty"), N),
    "bytes far behind": Damage("tail", lambda q: q.poke(N, 0x1FFFF, b"\1"), N),
    "message 65": Damage("cycle-full", too_many),
    "write position 0": Damage("write-position", lambda q: q.cell(
        NEW, lambda f: f.header.write_position_at, 0), N),
    "write position behind": Damage("write-position", lambda q: q.cell(
        NEW, lambda f: f.header.write_position_at, q.look(NEW, lambda f: f.scan().data[4])), N),
    "write position inside": Damage("write-position", lambda q: q.cell(
        NEW, lambda f: f.header.write_position_at, q.look(NEW, last) + 4), N),
    "write position beyond": Damage("write-position", lambda q: q.cell(
        NEW, lambda f: f.header.write_position_at, q.look(NEW, end)), N),
    "two behind in finished": Damage("write-position", lambda q: q.cell(
        OLD, lambda f: f.header.write_position_at, q.look(OLD, lambda f: f.scan().data[-3])), O),
    "one behind in finished": Damage("write-position-behind", one_behind, O),
    "sequence off": Damage("sequence-word", lambda q: q.cell(
        NEW, lambda f: f.header.write_position_at + 8, q.look(NEW, last) << 32 | 4), N),
    "sequence of another": Damage("sequence-word", lambda q: q.cell(
        NEW, lambda f: f.header.write_position_at + 8, 0x99900000005), N),
    "sequence word alone": Damage("sequence-word", lambda q: rebuild(
        q, NEW, lambda w: w._cell(w.places.write_position + 8, 1), eof=False), N),
    "sequence one behind": Damage("sequence-word-behind", lambda q: q.cell(
        OLD, lambda f: f.header.write_position_at + 8,
        encode_sequence(q.look(OLD, lambda f: f.scan().data[-2]), 138, 32)), O),
    "index root elsewhere": Damage("index-root", lambda q: q.cell(
        NEW, lambda f: f.header.index2index_at, q.look(NEW, last)), N),
    "index root is a page": Damage("index-root", lambda q: q.cell(
        NEW, lambda f: f.header.index2index_at,
        q.look(NEW, lambda f: f.file.cell(root_entries(f)))), N),
    "index root negative": Damage("index-root", lambda q: q.cell(
        NEW, lambda f: f.header.index2index_at, -8), N),
    "index capacity": Damage("index-root", lambda q: q.cell(
        NEW, lambda f: root_entries(f) - 16, 16), N),
    "no index yet": Damage("index-root-missing", lambda q: rebuild(
        q, NEW, lambda w: w._cell(w.places.index2index, 0), eof=False), N),
    "page elsewhere": Damage("index-page", lambda q: q.cell(OLD, root_entries, 0x10), O),
    "page twice": Damage("index-page", lambda q: q.cell(
        OLD, lambda f: root_entries(f) + 8,
        q.look(OLD, lambda f: f.file.cell(root_entries(f)))), O),
    "page is the root": Damage("index-page", lambda q: q.cell(
        OLD, root_entries, q.look(OLD, lambda f: f.index2index)), O),
    "entry off": Damage("index-entry", lambda q: q.cell(
        OLD, lambda f: page(0)(f) + 8, q.look(OLD, lambda f: f.scan().data[5])), O),
    "entry off on page 1": Damage("index-entry", lambda q: q.cell(OLD, page(1), 0x700), O),
    "entry too early": Damage("index-entry", lambda q: q.cell(
        NEW, lambda f: page(0)(f) + 16, q.look(NEW, last)), N),
    "hole": Damage("index-missing", lambda q: q.cell(OLD, lambda f: page(0)(f) + 8, 0), O),
    "page lost": Damage("index-missing", lambda q: q.cell(
        OLD, lambda f: root_entries(f) + 8, 0), O),
    "root lost": Damage("index-missing", lambda q: q.cell(
        NEW, lambda f: f.header.index2index_at, 0), N),
    "used too low": Damage("index-used", lambda q: q.cell(OLD, lambda f: page(0)(f) - 8, 31), O),
    "used too high": Damage("index-used", lambda q: q.cell(NEW, lambda f: page(0)(f) - 8, 3), N),
    "root used": Damage("index-used", lambda q: q.cell(OLD, lambda f: root_entries(f) - 8, 1), O),
    "last index low": Damage("index-last", lambda q: q.cell(
        NEW, lambda f: f.header.last_index_at, 4), N),
    "last index high": Damage("index-last", lambda q: q.cell(
        NEW, lambda f: f.header.last_index_at, 12), N),
    "orphan page": Damage("index-orphan", lambda q: rebuild(q, NEW, orphan, eof=False), N),
    "odd size": Damage("file-size", lambda q: os.truncate(q.path(NEW), 0x20001), N),
    "cut behind EOF": Damage("file-size", lambda q: os.truncate(
        q.path(OLD), q.look(OLD, end) + 8), O),
    "cut at the zero word": Damage("file-cut", lambda q: os.truncate(
        q.path(NEW), q.look(NEW, end)), N),
}


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    made = Queue(tmp_path / "q")
    assert check_queue(made.root) == []
    return made


def codes(found: list[Finding]) -> set[str]:
    return {finding.code for finding in found}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found(name: str, queue: Queue) -> None:
    damage = DAMAGE[name]
    damage.plant(queue)
    found = [f for f in check_queue(queue.root) if f.code == damage.code]
    assert found, f"{damage.code} not in {check_queue(queue.root)}"
    level, section, _ = INVARIANTS[damage.code]
    assert all((f.level, f.section) == (level, section) for f in found)
    assert not damage.file or damage.file in {f.file for f in found}
    assert damage.code in str(found[0]) and f"format.md {section}" in str(found[0])


@pytest.mark.parametrize("name", [name for name, damage in DAMAGE.items()
                                  if INVARIANTS[damage.code][0] != ERROR
                                  and damage.code not in ("index-orphan", "file-cut")])
def test_notes_alone_are_no_errors(name: str, queue: Queue) -> None:
    DAMAGE[name].plant(queue)
    found = check_queue(queue.root)
    assert [f for f in found if f.level == ERROR] == []


def test_every_invariant_has_its_damage() -> None:
    assert {damage.code for damage in DAMAGE.values()} == set(INVARIANTS)


# -- live ------------------------------------------------------------------------------------

LIVE_FINE = ("write lock", "append lock", "reserved", "write position behind", "write position 0",
             "sequence off", "bytes behind last", "first word 0", "highest too low",
             "listing unset", "last index low", "table reservation", "orphan page")


@pytest.mark.parametrize("name", LIVE_FINE)
def test_a_writer_at_work_may_leave(name: str, queue: Queue) -> None:
    DAMAGE[name].plant(queue)
    assert [f for f in check_queue(queue.root, live=True) if f.level == ERROR] == []


@pytest.mark.parametrize("name", ["reserved in older", "no EOF", "bytes behind EOF", "hole",
                                  "two behind in finished", "entry off", "write position inside",
                                  "length beyond file", "first word reserved", "foreign name",
                                  "last index high", "used too high", "lowest too high"])
def test_even_a_writer_at_work_may_not_leave(name: str, queue: Queue) -> None:
    DAMAGE[name].plant(queue)
    assert DAMAGE[name].code in codes(check_queue(queue.root, live=True))


# -- healthy odd ones ------------------------------------------------------------------------

@pytest.mark.parametrize("block", [65536, 131072, 262144, 1 << 20, 1 << 26, 1 << 28])
def test_a_file_grows_by_whole_steps(block: int) -> None:
    for chunks in (1, 2, 7):
        assert is_growth_step(file_size(chunks * block, block))
    assert not is_growth_step(file_size(block, block) + 1)
    assert not is_growth_step(block // 3)


def test_user_metadata_between_messages_is_healthy(queue: Queue) -> None:
    def write(writer: CycleWriter) -> None:
        for n in range(20):
            writer.append_metadata(b"\xc4meta\xe4data")
            writer.append(b"\xe1a" * n)
    rebuild(queue, NEW, write, eof=False)
    assert check_queue(queue.root) == []


def test_empty_cycle_with_eof_is_healthy(queue: Queue) -> None:
    rebuild(queue, OLD, lambda writer: None, eof=True)
    assert check_queue(queue.root) == []


def test_queue_without_cycles_is_healthy(tmp_path: Path) -> None:
    assert check_queue(write_queue(tmp_path / "q", {})) == []


@pytest.mark.slow
def test_a_million_messages_are_checked_in_seconds(tmp_path: Path) -> None:
    """The checker is used on the queues of stress tests: it must not be what takes long."""
    import time
    root = write_queue(tmp_path / "q", {OLD: (b"%060d" % n for n in range(500_000)),
                                        NEW: (b"%061d" % n for n in range(500_000))})
    start = time.monotonic()
    assert check_queue(root) == []
    assert time.monotonic() - start < 20
