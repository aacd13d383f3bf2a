"""tape.verify(): what is wrong is found where it is, and what is right is not."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tape
from tape import _zstd

from tests.kit import golden_queues
from tests.kit.clocks import SetClock
from tests.kit.damage import SECOND, append_at, cycle_file, pair_of, poke
from tests.kit.directories import digest
from tests.reference import Queue, check_queue
from tests.reference.cycle_file import CycleFile
from tests.reference.index import read_array
from tests.reference.table_store import read_table_store

SCALE = os.environ.get("TAPE_TEST_SCALE") == "1"


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """Three cycles of five messages, and a named tailer."""
    path = tmp_path / "q"
    for cycle in range(3):
        append_at(path, SECOND + 1000 * cycle, 5)
    with tape.open(path, codec=tape.codecs.raw, clock=SetClock(SECOND + 2000)) as q:
        with q.tailer("billing") as t:
            t.read_many(7)
    return path


def kinds(path: Path, level: str = "damage") -> list[str]:
    """Of the findings of that level."""
    return [f.kind for f in tape.verify(path).findings if f.level == level]


# ---- refusals ----

@pytest.mark.parametrize("what", ["nothing", "empty", "nul"])
def test_what_is_no_queue_is_an_error(what: str, tmp_path: Path) -> None:
    """With a hint; nothing is made."""
    if what == "empty":
        (tmp_path / "q").mkdir()
    with pytest.raises(tape.Error) as caught:
        tape.verify(str(tmp_path / "q") + ("\0x" if what == "nul" else ""))
    assert caught.value.hint and len(list(tmp_path.rglob("*"))) == (what == "empty")


def test_what_a_callback_raises_ends_the_check_and_is_raised(queue: Path) -> None:
    """Ctrl-C, above all."""
    def stop(file: str, done: int, total: int) -> None:
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        tape.verify(queue, progress=stop)


# ---- what is right ----

def test_a_queue_is_sound_and_no_byte_is_changed(queue: Path) -> None:
    """Counts are those of the reference reader."""
    before = digest(queue)
    seen: list[tuple[str, int, int]] = []
    report = tape.verify(queue, progress=lambda *told: seen.append(told))
    assert report.ok and report.findings == () and (report.files, report.messages) == (4, 15)
    assert digest(queue) == before and seen and seen[-1][1] == seen[-1][2]


READABLE = [n for f in ("java", "tape", "published") for n in golden_queues.names(f)]


@pytest.mark.parametrize("name", READABLE)
def test_the_golden_queues_are_sound(name: str, tmp_path: Path) -> None:
    """Those of Java and Clojure's tape, old ones and packed ones, too."""
    path = golden_queues.extract(name, tmp_path)
    report = tape.verify(path)
    assert report.ok, report.findings
    if any(f.kind == "version-4" for f in report.findings):
        assert report.messages == 0
    else:
        assert report.messages == Queue(path).count()


@pytest.mark.parametrize("name", golden_queues.names("refuse"))
def test_the_refused_queues_are_found_in_the_same_file(name: str, tmp_path: Path) -> None:
    """As the independent checker finds them."""
    path = golden_queues.extract(name, tmp_path)
    report = tape.verify(path)
    files = {Path(f.file).name for f in report.findings if f.level == "damage"}
    assert files & {f.file for f in check_queue(path) if f.level == "error"}
    assert all(f.text and f.remedy for f in report.findings)


# ---- what is wrong ----

def checked_bytes(path: Path) -> Iterator[tuple[Path, int]]:
    """The bytes of which any other value is wrong: all but keys and values of the table store,
    header texts, and what is inside messages."""
    for file in sorted(path.glob("*.cq4")):
        cycle = CycleFile(file)
        scan, head = cycle.scan(), cycle.header
        for at, length in [*scan.metadata, *((at, 0) for at in scan.data), (scan.end, 0)]:
            yield from ((file, at + n) for n in range(4))
        words = [head.write_position_at, head.sequence_word_at, head.last_index_at,
                 head.index2index_at]
        for name, at in (("index2index", cycle.index2index),
                         *(("index", at) for at, _ in scan.metadata[2:])):
            array = read_array(cycle, at, name)
            words += [array.entries_at + 8 * n for n in range(-2, array.capacity)]
        for at in words:
            yield from ((file, at + n) for n in range(8))
        yield file, scan.end + 100
        cycle.close()
    table = path / "metadata.cq4t"
    for cell in read_table_store(table).cells:
        yield from ((table, cell.position + n) for n in range(4))


def test_every_flipped_bit_is_found(queue: Path) -> None:
    """In all bytes that are checked; a sample of them, all with TAPE_TEST_SCALE=1."""
    seed = random.randrange(1 << 32) if SCALE else 2026
    print("seed", seed)
    places = [(file, at, bit) for file, at in sorted(set(checked_bytes(queue))) for bit in range(8)]
    chosen = places if SCALE else random.Random(seed).sample(places, 250)
    missed = []
    for file, at, bit in chosen:
        byte = file.read_bytes()[at]
        poke(file, at, bytes([byte ^ 1 << bit]))
        if tape.verify(queue).ok:
            missed.append((file.name, hex(at), bit))
        poke(file, at, bytes([byte]))
    assert len(places) > 3000 and missed == []
    assert tape.verify(queue).ok


def test_an_index_entry_that_leads_elsewhere_is_found_with_its_message(queue: Path) -> None:
    """Each is compared with the place where its message was met."""
    file = cycle_file(queue)
    with tape.open(queue, read_only=True, codec=tape.codecs.raw) as q:
        index = q.first_index
    cycle = CycleFile(file)
    scan, page = cycle.scan(), read_array(cycle, cycle.scan().metadata[2][0], "index")
    cycle.close()
    poke(file, page.entries_at + 8, struct.pack("<Q", scan.data[3]))
    [found] = [f for f in tape.verify(queue).findings if f.level == "damage"]
    assert (found.kind, found.file, found.offset) == ("index-entry", str(file),
                                                      page.entries_at + 8)
    assert index is not None and found.index == index + 4


def test_a_page_of_zeros_and_a_cut_file_are_found(queue: Path) -> None:
    """What a power cut leaves."""
    file = cycle_file(queue)
    whole = file.read_bytes()
    end = CycleFile(file).scan().data[3]
    for at in (0, end):
        poke(file, at, bytes(200))
        assert kinds(queue) or kinds(queue, "unfinished"), at
        poke(file, at, whole[at:at + 200])
    assert tape.verify(queue).ok
    for size in (0, 3, 100, 300, end + 2, end + 6):
        os.truncate(file, size)
        assert not tape.verify(queue).ok, size
        file.write_bytes(whole)


def test_a_missing_end_of_data_and_a_dead_reservation_are_unfinished(queue: Path) -> None:
    """What a death leaves in the newest cycle the next writer puts right."""
    older, _, newest = sorted(queue.glob("*.cq4"))
    end = CycleFile(newest).scan().end
    poke(newest, end, struct.pack("<I", 0x80000010))
    assert kinds(queue) == [] and kinds(queue, "unfinished") == ["unfinished"]
    append_at(queue, SECOND + 4000, 1)
    assert tape.verify(queue).ok
    poke(older, CycleFile(older).scan().end, bytes(8))
    assert kinds(queue) == [] and kinds(queue, "unfinished") == ["end-of-data"]


def test_a_write_position_that_is_behind_is_unfinished_and_a_wrong_one_damage(queue: Path) -> None:
    """One message behind is what a death leaves."""
    file = sorted(queue.glob("*.cq4"))[-1]
    scan = CycleFile(file).scan()
    poke(file, pair_of(file), struct.pack("<Q", scan.data[-2]))
    assert kinds(queue, "unfinished")[0] == "write-position"
    poke(file, pair_of(file), struct.pack("<Q", scan.data[-2] + 4))
    assert kinds(queue) == ["write-position"]
    poke(file, pair_of(file), bytes(8))
    assert kinds(queue) == ["write-position"]


def test_positions_of_named_tailers_are_compared_with_what_exists(queue: Path) -> None:
    """Above the end of a cycle new messages would be skipped; in a cycle that is gone is a note."""
    table = queue / "metadata.cq4t"
    cell = read_table_store(table).cell("index.billing")
    assert cell
    poke(table, cell.offset, struct.pack("<Q", cell.value + 10))
    assert kinds(queue) == ["tailer-position"]
    poke(table, cell.offset, struct.pack("<Q", cell.value - (5 << 32)))
    assert kinds(queue) == [] and "tailer-position" in kinds(queue, "note")


def test_a_dead_holder_and_a_wrong_listing_are_found(queue: Path) -> None:
    """Both in the table store. Who dies while he makes, removes or brings back a file leaves words
    that name fewer than there are; nobody's death makes them name more."""
    table = queue / "metadata.cq4t"
    store = read_table_store(table)
    lock, highest = store.cell("chronicle.write.lock"), store.cell("listing.highestCycle")
    assert lock and highest
    poke(table, lock.offset, struct.pack("<Q", (1 << 22) + 7))
    poke(table, highest.offset, struct.pack("<q", highest.value - 1))
    assert kinds(queue, "unfinished") == ["lock", "listing"] and kinds(queue) == []
    poke(table, highest.offset, struct.pack("<q", highest.value + 1))
    assert kinds(queue, "unfinished") == ["lock"] and kinds(queue) == ["listing"]
    with tape.open(queue, codec=tape.codecs.raw, clock=SetClock(SECOND + 2000)) as q:
        q.appender().write(b"next")
    assert tape.verify(queue).ok


def test_a_word_that_is_ahead_of_the_newest_cycle_may_be_true(tmp_path: Path) -> None:
    """Whose newer file was deleted, for one: Java takes the word for "below it all is ended". It is
    wrong when the newest cycle is not. No writer of tape makes it so, nor leaves it when it dies:
    the word is the newest cycle that is ended, as Java has it."""
    clock, path = SetClock(SECOND), tmp_path / "q"

    def opened() -> tape.Queue:
        return tape.open(path, codec=tape.codecs.raw, roll_cycle="TEST_SECONDLY", clock=clock)
    with opened() as q:
        for _ in range(2):
            q.appender().write(b"x")
            clock.ms += 1000
    with opened() as q:
        with pytest.raises(ZeroDivisionError), q.appender().writing(8):
            raise ZeroDivisionError
        assert q.table()["normalisedEOFsTo"] == SECOND // 1000 + 1
    [*_, newest] = sorted(path.glob("*.cq4"))
    assert tape.verify(path).ok and kinds(path, "note") == ["end-of-data"]
    word = read_table_store(path / "metadata.cq4t").cell("normalisedEOFsTo")
    assert word
    poke(path / "metadata.cq4t", word.offset, struct.pack("<q", word.value + 3))
    assert tape.verify(path).ok and "normalised" in kinds(path, "note")
    assert tape.repair(path, tmp_path / "copy").outcome == "clean"
    poke(newest, CycleFile(newest).scan().end, bytes(8))
    assert kinds(path) == ["normalised"]


def test_names_that_are_no_cycles_are_mentioned(queue: Path) -> None:
    """One that ends in .cq4 stops Java; any other is told, and left alone."""
    for name in ("notes.txt", "old.cq4", "20200913-122640T4.cq4-1.discard"):
        (queue / name).write_bytes(b"x")
    assert kinds(queue) == ["foreign-name"]
    assert sorted(kinds(queue, "note")) == ["foreign-file", "leftover"]


def test_a_half_made_file_and_a_lost_table_store_are_found(queue: Path) -> None:
    """The files tell the roll cycle when the settings are gone."""
    (queue / "20200913-122650T4.cq4").write_bytes(b"")
    assert kinds(queue, "unfinished") == ["end-of-data", "half-made", "listing"]
    (queue / "20200913-122650T4.cq4").unlink()
    (queue / "metadata.cq4t").unlink()
    assert kinds(queue) == ["no-table-store"] and tape.verify(queue).messages == 15


# ---- compressed cycles ----

def test_compressed_cycles_are_unpacked_and_checked(queue: Path) -> None:
    """A sound one, one with a damaged message inside, and one that is cut."""
    file = cycle_file(queue)
    packed = file.with_name(file.name + ".gz")
    with file.open("rb") as source, gzip.open(packed, "wb", 1) as target:
        shutil.copyfileobj(source, target)
    file.unlink()
    assert kinds(queue) == ["listing"] and tape.verify(queue).messages == 15
    whole = packed.read_bytes()
    packed.write_bytes(whole[:-9])
    assert "compressed" in kinds(queue)
    plain = bytearray(gzip.decompress(whole))
    packed.write_bytes(whole)
    scan_at = plain.index(b"message 2") - 8
    plain[scan_at + 3] ^= 0x20
    packed.write_bytes(gzip.compress(bytes(plain), 1))
    [found] = [f for f in tape.verify(queue).findings if f.kind == "chain"]
    assert found.file == str(packed) and found.offset == scan_at


def test_cycles_in_zstd_are_unpacked_and_checked(queue: Path) -> None:
    """With tape's table of frames and without; sound, damaged inside, cut, and with a bad table."""
    zstd = _zstd.module()
    file = cycle_file(queue)
    plain = bytearray(file.read_bytes())
    packed = file.with_name(file.name + ".zst")
    with file.open("rb") as source, packed.open("wb") as target:
        _zstd.compress(source, target, 3)
    file.unlink()
    whole = packed.read_bytes()
    assert kinds(queue) == ["listing"] and tape.verify(queue).messages == 15
    for bad in (whole[:-9], whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:],
                whole[:60] + b"\xff" + whole[61:], b"", whole[:40]):
        packed.write_bytes(bad)
        found = [f for f in tape.verify(queue).findings if f.file == str(packed)]
        assert [f.level for f in found] == ["damage"] and found[0].kind == "compressed"
    packed.write_bytes(zstd.compress(bytes(plain)))
    assert kinds(queue) == ["listing"] and tape.verify(queue).messages == 15
    scan_at = plain.index(b"message 2") - 8
    plain[scan_at + 3] ^= 0x20
    packed.write_bytes(zstd.compress(bytes(plain)))
    [found] = [f for f in tape.verify(queue).findings if f.kind == "chain"]
    assert found.file == str(packed) and found.offset == scan_at


def test_without_zstd_a_cycle_in_zstd_is_a_note(
        queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install, and the rest is checked."""
    (queue / "20200913-122638T4.cq4.zst").write_bytes(b"(\xb5/\xfd, and so on")
    monkeypatch.setitem(sys.modules, "compression", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    monkeypatch.setitem(sys.modules, "backports", None)
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    [found] = [f for f in tape.verify(queue).findings if f.kind == "compressed"]
    assert found.level == "note" and "tape[zstd]" in found.remedy


# ---- beside living writers ----

def test_writers_at_work_give_no_false_finding(tmp_path: Path) -> None:
    """Appending and rolling as fast as it goes, while the queue is checked over and over."""
    import threading
    path, stop = tmp_path / "q", threading.Event()
    with tape.open(path, codec=tape.codecs.raw, roll_cycle="TEST_SECONDLY") as q:
        a = q.appender()

        def work() -> None:
            n = 0
            while not stop.is_set():
                a.write(b"x" * (n % 300))
                n += 1
                if n % 64 == 0:
                    stop.wait(0.0005)
        workers = [threading.Thread(target=work) for _ in range(2)]
        a.write(b"first")
        for worker in workers:
            worker.start()
        found = []
        for _ in range(60):
            found += [f for f in tape.verify(path).findings if f.level != "note"]
        stop.set()
        for worker in workers:
            worker.join()
    assert found == [] and tape.verify(path).ok
