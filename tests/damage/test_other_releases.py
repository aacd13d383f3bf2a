"""Queues of older and newer Java releases: read as they are, written as Java would, or refused by
name."""

from __future__ import annotations

import shutil
import struct
from dataclasses import replace
from pathlib import Path

import pytest

import tape
from tape.codecs import raw
from tape.dump.walker import walk

from tests.kit import golden_queues
from tests.kit.clocks import SetClock
from tests.kit.damage import poke
from tests.kit.directories import digest
from tests.kit.old_formats import (CYCLE, EOF_WORD, ROW, SMALL, cycle_file, errors, odd, opened,
                                   read_only)
from tests.reference.cycle_file import CycleFile
from tests.reference.roll_cycles import BY_NAME
from tests.reference.writer import FORM_5_26, FORM_5_27, STANDARD_KEYS, Form, QueueSpec, write_queue


def test_a_4x_cycle_file_in_a_5x_directory_is_refused_where_it_is_met(tmp_path: Path) -> None:
    """A cycle file of Chronicle Queue 4 among those of 5 is refused where the reader meets it."""
    old = golden_queues.extract("src-libchronicle-cqv4", tmp_path)
    path = write_queue(tmp_path / "q", {18950: [b"five"]}, QueueSpec(roll_cycle=BY_NAME["DAILY"]))
    shutil.copy(next(old.glob("*.cq4")), cycle_file(path, 18956))
    poke(cycle_file(path, 18950), CycleFile(cycle_file(path, 18950)).scan().end,
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
def test_a_4x_directory_is_refused(tmp_path: Path, listing: bool) -> None:
    """A directory of Chronicle Queue 4 is refused with and without its directory listing."""
    path = golden_queues.extract("src-libchronicle-cqv4", tmp_path)
    if not listing:
        (path / "directory-listing.cq4t").unlink()
    before = digest(path)
    for option in (True, False):
        with pytest.raises(tape.UnsupportedQueue, match="Chronicle Queue 4"):
            tape.open(path, read_only=option)
    assert digest(path) == before


def test_another_roll_length_than_the_patterns_is_refused(tmp_path: Path) -> None:
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


def test_a_roll_time_of_javas_is_read_and_not_written(tmp_path: Path) -> None:
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


def test_a_small_table_store_is_left_as_it_is_by_readers(tmp_path: Path) -> None:
    """64 KiB, as before 5.20.110: a writer enlarges it, as Java does, when it is nearly full."""
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
    assert (path / "metadata.cq4t").stat().st_size == 65536
    assert errors(path) == []
    with opened(path) as q:
        for n in range(270):
            q.tailer(f"{n:03} {'a longer name ' * 14}").read()
    with opened(path) as q:  # no name begins behind 64 KiB, so opening is soon enough
        assert len(q.tailers()) == 320
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
def test_a_reader_needs_no_key_that_releases_leave_out(tmp_path: Path, form: Form) -> None:
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


def single_write_position(path: Path) -> None:
    """Makes of the pair the single word of before 4.6.48, with its value, in the same room."""
    at = CycleFile(path).header.write_position_at
    poke(path, at - 17, b"\x8e" + struct.pack("<I", 11) + bytes(11) + b"\xa7")
    poke(path, at + 8, b"\x8e" + struct.pack("<I", 3) + bytes(3))


@pytest.mark.parametrize("messages", [1, 5, 1000])
def test_a_single_write_position_is_kept_single(tmp_path: Path, messages: int) -> None:
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
    poke(cycle_file(path), head.write_position_at, bytes(8))  # its writer died before that
    with opened(path) as q:
        assert q.appender().write(b"again") == q.index_of(CYCLE, messages + 1)
    assert errors(path) == []


def without_names(path: Path) -> None:
    """Takes the names out of the header of a cycle file with one message, as Java's
    FIELDLESS_BINARY leaves them out; the room that they had is padding in front."""
    data = bytearray(path.read_bytes())
    length = struct.unpack_from("<I", data, 0)[0] & 0x3FFFFFFF
    pair = position_of_pair(data)
    data_format = data.index(b"dataFormat")
    block = data.index(b"SCQSIndexing") + 12
    for name in (b"writePosition", b"indexing", b"indexCount", b"indexSpacing", b"index2Index",
                 b"lastIndex", b"dataFormat"):
        at = data.index(name) - 1
        assert at < length and data[at] == 0xC0 + len(name)
        data[at:at + 1 + len(name)] = b"\x8f" * (1 + len(name))
    assert pair < block < data_format < length
    path.write_bytes(data)


def position_of_pair(data: bytes) -> int:
    """Where the write position's array begins."""
    return data.index(b"\x8d", data.index(b"writePosition"))


def test_a_header_without_field_names_is_read_and_written(tmp_path: Path) -> None:
    """Java's FIELDLESS_BINARY: a healthy queue, not a damaged one; dump names the fields."""
    path, clock = tmp_path / "q", SetClock(1_700_000_000_000)
    with tape.open(path, codec=raw, clock=clock, roll_cycle="TEST4_DAILY") as q:
        q.appender().write(b"first")
        file = Path(q.cycles()[0].path)
    without_names(file)
    with tape.open(path, codec=raw, clock=clock) as q:
        a = q.appender()
        wrote = [a.write(b"%d" % n) for n in range(100)]
        assert [q.tailer(start=index).read() for index in wrote[::9]] == [
            b"%d" % n for n in range(0, 100, 9)]
        clock.ms += 86_400_000
        a.write(b"last")
        assert len(list(q.tailer())) == len(q) == 102
    fields = {f.name: f.value for r in walk(str(file), None) for f in r.fields}
    assert fields["indexCount"] == 32 and fields["dataFormat"] == 1
    assert not [r for r in walk(str(file), None) if r.kind == "problem"]
