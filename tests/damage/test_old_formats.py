"""Files of older Java releases, and what they leave beside: read as they are, written as Java
would, or refused by name."""

from __future__ import annotations

import os
import platform
import random
import shutil
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import tape

from tests.kit import golden_queues
from tests.kit.clocks import SetClock
from tests.kit.directories import digest
from tests.kit.jvm_peer import Peer
from tests.reference.check import check_queue
from tests.reference.cycle_file import CycleFile
from tests.reference.queue import Queue as Reference
from tests.reference.roll_cycles import BY_NAME
from tests.reference.writer import (FORM_5_17, FORM_5_26, FORM_5_27, STANDARD_KEYS, Form, QueueSpec,
                               write_queue)

CYCLE = 20_000
ROW = BY_NAME["FAST_DAILY"]
SMALL = BY_NAME["TEST4_DAILY"]  # an index entry for each 4 messages, a page for each 128
NOON = (CYCLE * 24 + 12) * 3_600_000
PACKED = replace(FORM_5_17, block_size=1 << 20)
EOF_WORD = 0xC0000000

needs_x86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"),
                               reason="files of data format 0 are written on x86-64 only")


def odd(n: int) -> list[bytes]:
    """Messages of all lengths, so that header words lie at every remainder of 64."""
    return [b"%d:" % i + bytes([i % 256]) * (i * 7 % 97) for i in range(n)]


def packed(path: Path, messages: list[bytes], row: str = "TEST4_DAILY", form: Form = PACKED,
           older: dict[int, list[bytes]] | None = None) -> Path:
    """A queue of data format 0, as Java 5.17 leaves it."""
    spec = QueueSpec(roll_cycle=BY_NAME[row], form=form)
    return write_queue(path, {**(older or {}), CYCLE: messages}, spec)


def opened(path: Path, **options: object) -> tape.Queue:
    return tape.open(path, codec=tape.codecs.raw, **{"clock": SetClock(NOON), **options})


def read_only(path: Path) -> tape.Queue:
    return tape.open(path, codec=tape.codecs.raw, read_only=True)


def errors(path: Path) -> list[str]:
    return [str(f) for f in check_queue(path) if f.level == "error"]


def cycle_file(path: Path, cycle: int = CYCLE) -> Path:
    return Reference(path).path_of(cycle)


def patch(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


# ---- refused ----

def test_a_4x_cycle_file_in_a_5x_directory(tmp_path: Path) -> None:
    """A cycle file of Chronicle Queue 4 among those of 5 is refused where the reader meets it."""
    old = golden_queues.extract("src-libchronicle-cqv4", tmp_path)
    path = write_queue(tmp_path / "q", {18950: [b"five"]}, QueueSpec(roll_cycle=BY_NAME["DAILY"]))
    shutil.copy(next(old.glob("*.cq4")), cycle_file(path, 18956))
    patch(cycle_file(path, 18950), CycleFile(cycle_file(path, 18950)).scan().end,
          struct.pack("<I", EOF_WORD))
    before = digest(path)
    with read_only(path) as q:
        t = q.tailer()
        assert t.read() == b"five"
        with pytest.raises(tape.UnsupportedQueue, match="Chronicle Queue 4") as caught:
            t.read()
        assert caught.value.file == str(cycle_file(path, 18956)) and caught.value.hint
    with opened(path, clock=SetClock(18957 * 86_400_000)) as q, \
            pytest.raises(tape.UnsupportedQueue, match="Chronicle Queue 4"):
        q.appender().write(b"not behind a cycle that cannot be ended")
    assert digest(path).keys() == before.keys()
    name = cycle_file(path, 18956).name
    assert digest(path)[name] == before[name]


@pytest.mark.parametrize("listing", [True, False])
def test_a_4x_directory(tmp_path: Path, listing: bool) -> None:
    """A directory of Chronicle Queue 4 is refused with and without its directory listing."""
    path = golden_queues.extract("src-libchronicle-cqv4", tmp_path)
    if not listing:
        (path / "directory-listing.cq4t").unlink()
    before = digest(path)
    for option in (True, False):
        with pytest.raises(tape.UnsupportedQueue, match="Chronicle Queue 4"):
            tape.open(path, read_only=option)
    assert digest(path) == before


def test_another_roll_length_than_the_patterns(tmp_path: Path) -> None:
    """A stored length that does not go with the stored pattern is refused by name."""
    row = replace(ROW, length_ms=3_600_000)
    path = write_queue(tmp_path / "q", {}, QueueSpec(roll_cycle=row))
    before = digest(path)
    for option in (True, False):
        with pytest.raises(tape.UnsupportedQueue, match="3600000 ms") as caught:
            tape.open(path, read_only=option)
        assert caught.value.file.endswith("metadata.cq4t")
    assert digest(path) == before


@pytest.mark.parametrize(("epoch", "time_", "zone"), [
    (75_600_000, "21:00", "UTC"), (0, "21:00", "UTC"), (75_600_000, "21:00", "America/New_York"),
    (0, "00:00", "Europe/Berlin")])
def test_other_roll_times_are_only_read(tmp_path: Path, epoch: int, time_: str, zone: str) -> None:
    """Roll times but midnight and zones but UTC: read, and refused for writing by name."""
    effective = 75_600_000 if zone == "UTC" else epoch
    spec = QueueSpec(epoch=effective)
    path = write_queue(tmp_path / "q", {CYCLE: [b"a"], CYCLE + 1: [b"b"]}, spec)
    (path / "metadata.cq4t").unlink()
    stored = replace(spec, epoch=epoch, roll_time=time_, roll_time_zone=zone)
    write_queue(tmp_path / "table", {}, stored)
    shutil.copy(tmp_path / "table" / "metadata.cq4t", path)
    before = digest(path)
    with read_only(path) as q:
        assert list(q.tailer()) == [b"a", b"b"] and len(q) == 2
        assert q.first_index == q.index_of(CYCLE, 0)
    assert digest(path) == before
    with opened(path) as q:
        assert list(q.tailer("name")) == [b"a", b"b"]  # a position may be stored
        with pytest.raises(tape.UnsupportedQueue, match="midnight") as caught:
            q.appender()
        assert caught.value.file.endswith("metadata.cq4t") and caught.value.hint


def test_the_golden_roll_time(tmp_path: Path) -> None:
    """Java's own queue with roll time 21:00 is read and not written."""
    path = golden_queues.extract("java-5.26-rolltime-21", tmp_path)
    with opened(path) as q:
        assert list(q.tailer()) == [b"x", b"y", b"z"]
        with pytest.raises(tape.UnsupportedQueue):
            q.appender()


def test_midnight_in_utc_is_the_default(tmp_path: Path) -> None:
    """A stored roll time of 00:00 UTC changes nothing and is written."""
    spec = QueueSpec(roll_time="00:00", roll_time_zone="UTC")
    path = write_queue(tmp_path / "q", {CYCLE: [b"a"]}, spec)
    with opened(path) as q:
        assert q.appender().write(b"b") == q.index_of(CYCLE, 1)


# ---- data format 0: reading ----

def test_packed_documents_are_read(tmp_path: Path) -> None:
    """Header words at any offset: forward, backward, counts, seeks, as the reference reads them."""
    path = packed(tmp_path / "q", odd(1000), older={CYCLE - 3: odd(300), CYCLE - 1: []})
    reference = [(m.index, m.payload) for m in Reference(path).messages()]
    assert len({m.position % 64 for m in Reference(path).messages()}) == 64
    before = digest(path)
    with read_only(path) as q, q.tailer() as t:
        assert [(e.index, e.raw) for e in t.entries()] == reference
        t.direction = "backward"
        assert [(e.index, e.raw) for e in t.entries()] == reference[::-1]
        t.direction = "forward"
        chance = random.Random(1)
        for index, payload in chance.choices(reference, k=200):
            assert t.seek(index, strict=True) and t.read() == payload
        assert [c.count for c in q.cycles()] == [300, 0, 1000] and len(q) == 1300
        assert q.count(reference[100][0], reference[1100][0]) == 1000
    assert digest(path) == before


def test_data_format_2_is_taken_as_0(tmp_path: Path) -> None:
    """As Java does (format.md 2.2)."""
    path = packed(tmp_path / "q", odd(20), form=replace(PACKED, data_format=2))
    with read_only(path) as q:
        assert list(q.tailer()) == odd(20)


# ---- data format 0: writing ----

@needs_x86
def test_appending_to_packed_documents(tmp_path: Path) -> None:
    """An append follows the file's own format, over index pages, at every remainder of 64; the
    reference finds every invariant kept, and a new cycle is made in format 1."""
    path = packed(tmp_path / "q", odd(7), older={CYCLE - 1: odd(3)})
    clock = SetClock(NOON)
    with opened(path, clock=clock, block_size=1 << 20) as q:
        a = q.appender()
        indexes = [a.write(m) for m in odd(600)]
        assert indexes == [q.index_of(CYCLE, 7 + n) for n in range(600)]
        assert list(q.tailer()) == odd(3) + odd(7) + odd(600)
        t = q.tailer(start=indexes[333])
        assert t.read() == odd(600)[333]
        clock.ms += 86_400_000
        a.write(b"next day")
    assert errors(path) == []
    reference = Reference(path)
    assert not CycleFile(cycle_file(path)).header.aligned
    assert CycleFile(cycle_file(path, CYCLE + 1)).header.aligned
    assert reference.scan(CYCLE).has_eof
    assert len({at % 64 for at in reference.scan(CYCLE).data}) == 64
    assert [m.payload for m in reference.messages()] == \
        odd(3) + odd(7) + odd(600) + [b"next day"]


@needs_x86
@pytest.mark.parametrize("remainder", range(0, 64, 1))
def test_every_place_of_the_end_word(tmp_path: Path, remainder: int) -> None:
    """Appending and ending where the next header word lies at each remainder of 64."""
    path = packed(tmp_path / "q", [b"first"])
    end = Reference(path).scan(CYCLE).end
    filler = (remainder - end - 4 - 4) % 64
    path = packed(tmp_path / "q", [b"first", b"." * filler])
    assert Reference(path).scan(CYCLE).end % 64 == remainder
    clock = SetClock(NOON)
    with opened(path, clock=clock, block_size=1 << 20) as q:
        a = q.appender()
        a.write(b"appended")
        clock.ms += 86_400_000
        a.write(b"next")
        assert list(q.tailer()) == [b"first", b"." * filler, b"appended", b"next"]
    assert errors(path) == []


@needs_x86
@pytest.mark.parametrize("filler", range(0, 64, 3))
def test_a_dead_reservation_in_packed_documents(tmp_path: Path, filler: int) -> None:
    """What a writer left that died between reservation and publication is cleared, current or
    older, also where the word is misaligned."""
    path = packed(tmp_path / "q", [b"." * filler], older={CYCLE - 1: [b"o" * filler]})
    older = CycleFile(cycle_file(path, CYCLE - 1)).scan().end
    patch(cycle_file(path, CYCLE - 1), older, struct.pack("<I", 0x80000011))
    patch(cycle_file(path), CycleFile(cycle_file(path)).scan().end,
          struct.pack("<I", 0x80000123) + b"dirty" * 9)
    with opened(path, block_size=1 << 20) as q:
        q.appender().write(b"over it")
        assert list(q.tailer()) == [b"o" * filler, b"." * filler, b"over it"]
    reference = Reference(path)
    assert reference.scan(CYCLE - 1).has_eof
    assert [m.payload for m in reference.messages()][-1] == b"over it"


@needs_x86
def test_packed_documents_are_read_while_written(tmp_path: Path) -> None:
    """A tailer in another process sees every message of a packed file whole and in order."""
    path = packed(tmp_path / "q", [], row="FAST_DAILY")
    script = ("import sys, tape\n"
              "q = tape.open(sys.argv[1], read_only=True, codec=tape.codecs.raw)\n"
              "print('ready', flush=True)\n"
              "for n, m in enumerate(q.tailer(poll_interval=0).follow(timeout=20)):\n"
              "    assert m == (b'%d:' % n) * (n % 23 + 1), (n, m)\n"
              "    if n == 19_999: print('all'); break\n")
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE,
                          text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
                          ) as reader:
        assert reader.stdout is not None and reader.stdout.readline() == "ready\n"
        with opened(path) as q:
            a = q.appender()
            for n in range(20_000):
                a.write((b"%d:" % n) * (n % 23 + 1))
        assert reader.stdout.read() == "all\n"
    assert errors(path) == []


@needs_x86
def test_appending_to_a_queue_of_java_5_17(tmp_path: Path) -> None:
    """Java 5.17's own file, in its own cycle."""
    path = golden_queues.extract("java-5.17-daily", tmp_path)
    with opened(path, clock=SetClock(18262 * 86_400_000 + 1)) as q:
        a = q.appender()
        assert a.write(b"appended") == 0x47560000000c
        t = q.tailer(start=a.last_index)
        assert t.read() == b"appended" and len(q) == 13
        assert (path / "metadata.cq4t").stat().st_size == 131072
    assert errors(path) == []


@needs_x86
@pytest.mark.jvm
@pytest.mark.parametrize("source", ["made", "java-5.17-daily"])
def test_java_and_tape_in_turns_in_a_packed_cycle(tmp_path: Path, peer: Peer, source: str) -> None:
    """Java and tape append in turns to one packed cycle; both read all of it in the same order."""
    if source == "made":
        path, row, ms, first = packed(tmp_path / "q", odd(5)), "TEST4_DAILY", NOON, 5
    else:
        path = golden_queues.extract(source, tmp_path)
        row, ms, first = "DAILY", 18262 * 86_400_000 + 5, 12
    wrote = []
    with opened(path, clock=SetClock(ms), block_size=1 << 20) as q, \
            peer.open(path, roll_cycle=row, block_size=1 << 20, clock=ms) as java:
        ours, theirs = q.appender(), java.appender()
        for n, message in enumerate(odd(300)):
            index = ours.write(message) if n % 3 else theirs.append(message)
            wrote.append((index, message))
        assert [i for i, _ in wrote] == [wrote[0][0] + n for n in range(300)]
        read = java.tailer().read_all()
        assert [(m.index, m.data) for m in read[first:]] == wrote
        assert [(e.index, e.raw) for e in q.tailer(start=wrote[0][0]).entries()] == wrote
        for index, message in random.Random(2).choices(wrote, k=100):
            t = java.tailer()
            assert t.move_to_index(index) and t.read().data == message
            t.close()
        assert java.entry_count() == len(q) == first + 300
    assert errors(path) == []


# ---- table stores ----

def test_a_small_table_store_is_left_as_it_is_by_readers(tmp_path: Path) -> None:
    """64 KiB, as before 5.20.110: a reader reads it so, a writer enlarges it as Java does."""
    path = write_queue(tmp_path / "q", {CYCLE: [b"a"]},
                       QueueSpec(form=replace(FORM_5_26, table_size=65536)))
    before = digest(path)
    with read_only(path) as q:
        assert list(q.tailer()) == [b"a"] and q.tailers() == {}
    assert digest(path) == before
    with opened(path) as q:
        for n in range(50):
            q.tailer(f"name {n}").read()
        q.appender().write(b"b")
    assert (path / "metadata.cq4t").stat().st_size == 131072
    assert errors(path) == []


def without(*keys: str) -> tuple[str, ...]:
    return tuple(key for key in STANDARD_KEYS if key not in keys)


@pytest.mark.parametrize("form", [
    replace(FORM_5_26, keys=without("chronicle.append.lock")),
    replace(FORM_5_26, keys=without("chronicle.lastIndexMSynced")),
    replace(FORM_5_26, keys=without("chronicle.append.lock", "chronicle.lastIndexReplicated",
                                    "chronicle.lastIndexMSynced",
                                    "chronicle.lastAcknowledgedIndexReplicated")),
    replace(FORM_5_26, keys=()),
    FORM_5_27,
    replace(FORM_5_26, small_integers="byte"),
    replace(FORM_5_26, eof_text=False, pages_first=False),
], ids=["append lock", "lastIndexMSynced", "replication", "all keys", "delta", "integers", "pages"])
def test_what_older_and_newer_releases_leave_out(tmp_path: Path, form: Form) -> None:
    """Missing keys and fields: a reader needs none of them, a writer makes those it needs."""
    path = write_queue(tmp_path / "q", {CYCLE - 1: odd(9), CYCLE: odd(5)}, QueueSpec(form=form))
    before = digest(path)
    with read_only(path) as q:
        assert list(q.tailer()) == odd(9) + odd(5)
        assert (q.first_index, len(q)) == (q.index_of(CYCLE - 1, 0), 14)
    assert digest(path) == before
    with opened(path) as q:
        assert q.appender().write(b"more") == q.index_of(CYCLE, 5)
        assert "chronicle.append.lock" in q.table()
    assert errors(path) == []


# ---- cycle files ----

def single_write_position(path: Path) -> None:
    """Makes of the pair the single word of before 4.6.48, with its value, in the same room."""
    at = CycleFile(path).header.write_position_at
    patch(path, at - 17, b"\x8e" + struct.pack("<I", 11) + bytes(11) + b"\xa7")
    patch(path, at + 8, b"\x8e" + struct.pack("<I", 3) + bytes(3))


@pytest.mark.parametrize("messages", [1, 5, 1000])
def test_a_single_write_position(tmp_path: Path, messages: int) -> None:
    """Without the sequence word the end is found through the index; appends keep the one word."""
    path = write_queue(tmp_path / "q", {CYCLE: odd(messages)}, QueueSpec(roll_cycle=SMALL))
    single_write_position(cycle_file(path))
    head = CycleFile(cycle_file(path)).header
    assert head.sequence_word_at is None
    with read_only(path) as q:
        assert q.last_index == q.index_of(CYCLE, messages - 1) and len(q) == messages
        assert list(q.tailer(start="end", direction="backward")) == odd(messages)[::-1]
    with opened(path) as q:
        assert q.appender().write(b"more") == q.index_of(CYCLE, messages)
    assert errors(path) == []
    patch(cycle_file(path), head.write_position_at, bytes(8))  # its writer died before that
    with opened(path) as q:
        assert q.appender().write(b"again") == q.index_of(CYCLE, messages + 1)
    assert errors(path) == []


def shrink(path: Path, text: bool) -> None:
    """Cuts a finished file right behind its EOF word, as Java 5.17 to 5.24 do."""
    end = CycleFile(path).scan().end
    os.truncate(path, end + (8 if text else 4))


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("form", [FORM_5_17, FORM_5_26], ids=["packed", "aligned"])
@pytest.mark.parametrize("count", [0, 1, 700])
def test_files_cut_behind_their_end(tmp_path: Path, text: bool, form: Form, count: int) -> None:
    """Read to the last message both ways, counted, rolled past by a writer, size left alone."""
    form = replace(form, eof_text=text)
    path = write_queue(tmp_path / "q", {CYCLE - 1: odd(count), CYCLE: [b"last"]},
                       QueueSpec(form=form))
    cut = cycle_file(path, CYCLE - 1)
    shrink(cut, text)
    size = cut.stat().st_size
    with read_only(path) as q:
        assert list(q.tailer()) == [*odd(count), b"last"]
        assert list(q.tailer(start="end", direction="backward")) == [b"last", *odd(count)[::-1]]
        assert len(q) == count + 1
    with opened(path, clock=SetClock(NOON + 86_400_000)) as q:
        q.appender().write(b"next")
        assert list(q.tailer()) == [*odd(count), b"last", b"next"]
    assert cut.stat().st_size == size
    assert errors(path) == []


def test_a_file_cut_while_a_tailer_has_it_mapped(tmp_path: Path) -> None:
    """A tailer that mapped the long file reads on in the short one, and into the next cycle."""
    messages = odd(700)
    path = write_queue(tmp_path / "q", {CYCLE - 1: messages, CYCLE: [b"last"]})
    with read_only(path) as q, q.tailer() as t, q.tailer() as behind:
        assert [t.read() for _ in range(10)] == messages[:10]
        assert [behind.read() for _ in range(700)] == messages
        shrink(cycle_file(path, CYCLE - 1), text=False)
        assert list(t) == [*messages[10:], b"last"]
        assert list(behind) == [b"last"]
        t.direction = "backward"
        assert list(t) == [b"last", *messages[::-1]]


@pytest.mark.parametrize("less", [0, 1, 4])
def test_a_newest_file_cut_at_its_end(tmp_path: Path, less: int) -> None:
    """A copy without the zeros behind its data: read completely, enlarged by the next append."""
    path = write_queue(tmp_path / "q", {CYCLE: [b"a", b"b" * 6]})
    end = CycleFile(cycle_file(path)).scan().end
    os.truncate(cycle_file(path), end - less + 4)
    with read_only(path) as q:
        assert list(q.tailer()) == [b"a", b"b" * 6]
    with opened(path) as q:
        q.appender().write(b"c")
        assert list(q.tailer()) == [b"a", b"b" * 6, b"c"]
    assert cycle_file(path).stat().st_size == 83886080
    assert errors(path) == []


# ---- what lies beside ----

def test_files_set_aside_and_made_early(tmp_path: Path) -> None:
    """.discard, .precreated and strange files are neither read nor parsed nor touched; a cycle that
    has a .precreated file is made beside it."""
    path = write_queue(tmp_path / "q", {CYCLE - 1: [b"a"]})
    old = cycle_file(path, CYCLE - 1)
    beside = [f"{old.name}-1700000000000.discard", f"{old.stem}.precreated",
              f"{cycle_file(path).stem}.precreated", "notes.txt", "lost+found.cq4~"]
    for name in beside:
        shutil.copy(old, path / name)
    before = digest(path)
    with read_only(path) as q:
        assert list(q.tailer()) == [b"a"] and len(q.cycles()) == len(q) == 1
    assert digest(path) == before
    with opened(path) as q:
        q.appender().write(b"b")
        assert list(q.tailer()) == [b"a", b"b"]
    after = digest(path)
    assert {name: after[name] for name in beside} == {name: before[name] for name in beside}
    assert errors(path) == []


@pytest.mark.jvm
def test_java_leaves_a_cycle_that_has_a_precreated_file_beside(tmp_path: Path, peer: Peer) -> None:
    """Java renames a .precreated file only into a cycle that does not exist: what tape wrote into
    the cycle stays, and Java appends behind it."""
    path = write_queue(tmp_path / "q", {CYCLE - 1: [b"a"]})
    shutil.copy(cycle_file(path, CYCLE - 1), path / f"{cycle_file(path).stem}.precreated")
    with opened(path) as q:
        q.appender().write(b"b")
        with peer.open(path, roll_cycle="FAST_DAILY", clock=NOON) as java:
            assert java.appender().append(b"c") == q.index_of(CYCLE, 1)
            assert [m.data for m in java.tailer().read_all()] == [b"a", b"b", b"c"]
        q.appender().write(b"d")
        assert list(q.tailer()) == [b"a", b"b", b"c", b"d"]
