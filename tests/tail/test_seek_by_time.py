"""Seeking by time: never behind the first message of a time, and little before it."""

from __future__ import annotations

import bisect
import datetime
import itertools
import os
import random
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock

START = 1_700_000_000_000
MINUTE = 60_000
NOTE = 32  # bytes


def time_of(ms: int) -> datetime.datetime:
    return datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) \
        + datetime.timedelta(milliseconds=ms)


class Timed:
    """A queue whose messages are the times at which they were written, and what a list says."""

    def __init__(self, path: Path, seed: int, roll_cycle: str = "TEST_HOURLY") -> None:
        self.path, self.random, self.clock = path, random.Random(seed), SetClock(START)
        self.roll_cycle, self.lively = roll_cycle, True
        self.indexes: list[int] = []
        self.times: list[int] = []
        self.writers = [self.open(), self.open()]
        self.q = self.writers[0]
        self.a = self.q.appender()

    def open(self) -> tape.Queue:
        return tape.open(self.path, codec=raw, roll_cycle=self.roll_cycle, clock=self.clock,
                         block_size=64 << 10)

    def close(self) -> None:
        for q in self.writers:
            q.close()
        self.lively = False

    def use(self, number: int) -> None:
        """The other writer, as another process would."""
        self.q = self.writers[number]
        self.a = self.q.appender()

    def reopen(self, number: int) -> None:
        self.writers[number].close()
        self.writers[number] = self.open()
        self.use(number)

    def write(self, count: int = 1, most: int = 0) -> None:
        """So many messages, up to so many milliseconds apart."""
        for _ in range(count):
            self.times.append(self.clock.ms)
            self.indexes.append(self.a.write(b"%d" % self.clock.ms))
            self.clock.ms += self.random.randint(0, most)

    def notes(self) -> list[Path]:
        return sorted(self.path.glob("*.times"))

    # ---- what a full scan says ----

    def oracle(self, ms: int) -> int:
        """The number of the first message that was written then or later."""
        latest = list(itertools.accumulate(self.times, max))
        return bisect.bisect_left(latest, ms)

    def asked(self) -> Iterator[int]:
        """Times to ask for: of messages, just beside them, in pauses, before and behind all."""
        yield from (0, START - 1, max(self.times) + 1, self.clock.ms + 10 * MINUTE)
        for ms in self.random.sample(self.times, min(len(self.times), 25)):
            yield from (ms, ms + 1, ms - 1, ms + 500, ms - 999, ms + 1001)
        first, last = min(self.times), max(self.times)
        yield from (self.random.randint(first - 1, last + 1) for _ in range(25))

    def check(self, within: int | None = None) -> None:
        """No answer is too late, and none too early by ``within`` milliseconds or more: but for
        times behind all messages, while the writer may still be in the middle of something."""
        with tape.open(self.path, codec=raw, read_only=True) as q, q.tailer() as t:
            for ms in self.asked():
                true = self.oracle(ms)
                found = t.seek(time_of(ms))
                place = bisect.bisect_left(self.indexes, t.index)
                bounds = q.bounds(time_of(ms))
                assert place <= true, (ms, place, true)
                assert bounds.earliest <= t.index or not found
                assert bisect.bisect_left(self.indexes, bounds.earliest) == place, (ms, bounds)
                assert bisect.bisect_left(self.indexes, bounds.latest) >= true, (ms, bounds)
                if found:
                    assert t.read() == b"%d" % self.times[place]
                else:
                    assert place == len(self.times) and t.read() is None
                if within is not None and not (true == len(self.times) and self.lively):
                    assert place == true or ms - self.times[place] < within, (ms, place, true)


@pytest.fixture
def timed(tmp_path: Path) -> Iterator[Callable[..., Timed]]:
    """Makes a queue with timed messages."""
    made: list[Timed] = []

    def make(seed: int, **options: str) -> Timed:
        made.append(Timed(tmp_path / f"q{len(made)}", seed, **options))
        return made[-1]

    yield make
    for t in made:
        t.close()


# ---- random queues against a full scan ----

#: The same each time; with TAPE_TEST_SCALE others as well.
SEEDS = [3634751481, 1, 2, 3, 4]
if os.environ.get("TAPE_TEST_SCALE") == "1":
    SEEDS += [random.randrange(1 << 32) for _ in range(200)]


def wander(t: Timed, steps: int, others: bool = False, back: bool = False) -> None:
    """Bursts, pauses and rolls; several writers; a clock that jumps."""
    choose = t.random
    for _ in range(steps):
        kind = choose.random()
        if kind < 0.6:
            t.write(choose.randint(1, 30), choose.choice((0, 3, 90, 700)))
        elif kind < 0.8:
            t.clock.ms += choose.choice((500, 1001, 20_000, 7 * MINUTE, 65 * MINUTE))
        elif kind < 0.9 and others:
            (t.use if choose.random() < 0.5 else t.reopen)(choose.randint(0, 1))
        elif kind < 0.9:
            t.reopen(0)
        elif back:
            t.clock.ms += choose.choice((-1, -300, -1500, -20_000, -70 * MINUTE, 3 * MINUTE))


@pytest.mark.parametrize("seed", SEEDS)
def test_one_writer_is_known_to_a_second(timed: Callable[..., Timed], seed: int) -> None:
    """Pauses, rolls and restarts included: what is given is the message, or was written less than
    a second before the time that was asked for."""
    t = timed(seed)
    wander(t, 60)
    t.write()
    t.check(within=1000)
    t.close()
    t.check(within=1000)


@pytest.mark.filterwarnings("ignore::tape.ClockWentBack")
@pytest.mark.parametrize("seed", SEEDS)
def test_several_writers_and_a_clock_that_jumps_never_make_it_late(
        timed: Callable[..., Timed], seed: int) -> None:
    """Two writers that know nothing of each other, each with its own notes."""
    t = timed(seed)
    wander(t, 60, others=True, back=True)
    t.write()
    t.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_notes_that_are_lost_cut_or_spoiled_never_make_it_late(
        timed: Callable[..., Timed], seed: int) -> None:
    """Each note is true by itself, and what was changed is passed over."""
    t = timed(seed)
    for _ in range(5):
        wander(t, 15, others=True)
        t.write()
        for path in t.notes():
            data = bytearray(path.read_bytes())
            kind = t.random.randrange(6) if data else 0
            if kind == 0:
                path.unlink()
                continue
            if kind == 1:
                del data[t.random.randrange(len(data)):]
            elif kind == 2:
                data[t.random.randrange(len(data))] ^= 1 << t.random.randrange(8)
            elif kind == 3:
                at = t.random.randrange(len(data))
                data[at:at + 4096] = bytes(len(data[at:at + 4096]))
            elif kind == 4:
                data = bytearray(t.random.randbytes(len(data)))
            path.write_bytes(data)
        t.check()


def test_a_long_run_of_one_writer(timed: Callable[..., Timed],
                                  scaled: Callable[[float, float], float]) -> None:
    """Thousands of notes in a file; with TAPE_TEST_SCALE hundreds of thousands of messages."""
    t = timed(5, roll_cycle="FAST_DAILY")
    for _ in range(int(scaled(40, 4000))):
        t.write(100, 40)
    t.check(within=1000)
    size = sum(path.stat().st_size for path in t.notes())
    assert size <= 2 * NOTE * ((t.clock.ms - START) // 1000 + 2)


# ---- where nobody took notes ----

def test_without_notes_a_time_leads_to_its_cycle(timed: Callable[..., Timed]) -> None:
    """As where a JVM wrote: to the first message of the cycle, and the bounds say so."""
    t = timed(1)
    t.write(50, 200)
    for path in t.notes():
        path.unlink()
    first = t.indexes[0]
    bounds = t.q.bounds(time_of(t.times[-1]))
    assert bounds == (first, t.q.index_of(t.q.locate(first).cycle + 1, 0))
    tailer = t.q.tailer()
    assert tailer.seek(time_of(t.times[-1])) and tailer.index == first


def test_a_writer_begins_new_notes_when_they_are_gone(timed: Callable[..., Timed]) -> None:
    """From then on times are known again."""
    t = timed(1)
    t.write(50, 200)
    for path in t.notes():
        path.unlink()
    t.clock.ms += 5000
    t.write(50, 200)
    assert len(t.notes()) == 1
    tailer = t.q.tailer()
    assert tailer.seek(time_of(t.times[60])) and t.indexes[50] <= tailer.index <= t.indexes[60]
    t.check()


def test_a_time_needs_a_zone_and_may_be_any(timed: Callable[..., Timed]) -> None:
    """From the year 1 to 9999; an empty queue has none."""
    t = timed(1)
    tailer = t.q.tailer()
    assert not tailer.seek(time_of(START)) and tailer.read() is None
    t.write(3)
    for when in (datetime.datetime.min, datetime.datetime.max):
        assert tailer.seek(when.replace(tzinfo=datetime.timezone.utc)) == (when.year == 1)
        t.q.bounds(when.replace(tzinfo=datetime.timezone.utc))
    for call in (tailer.seek, t.q.bounds):
        with pytest.raises(tape.InvalidArgument, match="time zone"):
            call(datetime.datetime(2024, 1, 1))
    with pytest.raises(tape.IndexNotFound):
        tailer.seek(time_of(t.clock.ms + 90 * MINUTE), strict=True)


# ---- the file of notes ----

def test_no_append_fails_because_of_notes(timed: Callable[..., Timed]) -> None:
    """A directory, a link to nowhere, a foreign file, a file that may not be written in its place:
    what is foreign stays as it is."""
    t = timed(1)
    t.write(1)
    path = Path(t.q.locate(t.indexes[0]).path + ".times")
    foreign = b"not of tape, and longer than a note" * 3

    def write_on() -> None:
        t.clock.ms += 5000
        t.write(20, 300)
        t.check()

    path.unlink()
    path.mkdir()
    write_on()
    path.rmdir()
    path.symlink_to("nowhere")
    write_on()
    path.unlink()
    path.write_bytes(foreign)
    write_on()
    assert path.read_bytes() == foreign
    other = t.path / "other"
    other.write_bytes(foreign)
    path.unlink()
    path.symlink_to(other)
    write_on()
    assert other.read_bytes() == foreign
    path.unlink()
    path.touch(mode=0o444)
    write_on()
    path.unlink()
    os.mkfifo(path)
    write_on()
    path.unlink()
    write_on()
    assert path.stat().st_size > NOTE


def test_notes_of_another_cycle_do_not_count(timed: Callable[..., Timed]) -> None:
    """A file that was copied to the wrong name."""
    t = timed(1)
    t.write(30, 300)
    t.clock.ms += 60 * MINUTE
    t.write(30, 300)
    old, new = t.notes()
    shutil.copyfile(new, old)
    t.check()


def test_notes_of_more_messages_than_there_are_do_not_count(timed: Callable[..., Timed]) -> None:
    """An older copy of the cycle file was put back: the answer is its first message."""
    t = timed(1)
    t.write(1)
    cycle = Path(t.q.locate(t.indexes[0]).path)
    t.reopen(0)
    shutil.copyfile(cycle, t.path / "kept")
    t.write(40, 300)
    late = time_of(t.times[-1])
    t.close()
    os.replace(t.path / "kept", cycle)
    with tape.open(t.path, codec=raw, read_only=True) as q, q.tailer() as tailer:
        assert tailer.seek(late) and tailer.index == t.indexes[0]
        assert q.bounds(late).earliest == t.indexes[0]


@pytest.mark.parametrize("lost", [1, 2, 20])
def test_messages_lost_with_the_power_take_their_notes_with_them(
        timed: Callable[..., Timed], lost: int) -> None:
    """The notes reached the disk and the messages did not: their numbers are given out again."""
    t = timed(1)
    t.write(40 - lost, 1500)
    t.reopen(0)
    cycle = Path(t.q.locate(t.indexes[0]).path)
    shutil.copyfile(cycle, t.path / "kept")
    t.write(lost, 1500)
    t.close()
    os.replace(t.path / "kept", cycle)
    del t.indexes[-lost:], t.times[-lost:]
    t.clock.ms += 20 * MINUTE
    t.writers = [t.open()]
    t.use(0)
    t.write(3, 1500)
    t.check()
    t.write(2 * lost, 1500)
    t.check()


def test_a_cycle_that_is_made_anew_has_new_notes(timed: Callable[..., Timed]) -> None:
    """Its file was deleted under the writer: the old notes are of messages that there are not."""
    t = timed(1)
    t.write(40, 300)
    os.unlink(t.q.locate(t.indexes[0]).path)
    t.q.refresh()
    t.indexes, t.times = [], []
    t.clock.ms += 5000
    t.write(3, 300)
    t.check(within=1000)


def test_notes_go_with_their_cycle(timed: Callable[..., Timed], tmp_path: Path) -> None:
    """With gc and delete; a compressed cycle keeps them until it goes itself."""
    t = timed(1)
    for _ in range(4):
        t.write(30, 300)
        t.clock.ms += 60 * MINUTE
    t.write(30, 300)
    assert len(t.notes()) == 5
    names = [path.name for path in t.notes()]
    packed = t.q.compress("gzip", keep=3)
    assert len(packed) == 2 and [path.name for path in t.notes()] == names
    t.check(within=1000)
    gone = [v for v in t.q.gc(tape.Keep(max_cycles=2)) if v.goes]
    assert len(gone) == 3 and [path.name for path in t.notes()] == names[3:]
    t.times, t.indexes = t.times[90:], t.indexes[90:]
    t.check(within=1000)
    t.close()
    tape.delete(t.path)
    assert not t.path.exists()


def test_notes_stay_right_when_a_cycle_is_compressed_and_thawed(
        timed: Callable[..., Timed]) -> None:
    """They are about messages, whatever the file is."""
    t = timed(1)
    t.write(300, 300)
    t.clock.ms += 60 * MINUTE
    t.write(30, 300)
    t.q.compress("gzip", keep=1)
    t.check(within=1000)
    t.q.thaw()
    t.check(within=1000)


def test_gc_removes_notes_whose_cycle_others_deleted(timed: Callable[..., Timed]) -> None:
    """Java, say, which knows of none."""
    t = timed(1)
    for _ in range(3):
        t.write(30, 300)
        t.clock.ms += 60 * MINUTE
    t.write(30, 300)
    os.unlink(t.q.locate(t.indexes[0]).path)
    t.q.refresh()
    t.q.gc(tape.Keep(max_cycles=10), dry_run=True)
    assert len(t.notes()) == 4
    t.q.gc(tape.Keep(max_cycles=10))
    assert len(t.notes()) == 3


def test_a_read_only_queue_writes_no_notes(timed: Callable[..., Timed]) -> None:
    """Seeking makes no file either."""
    t = timed(1)
    t.write(30, 300)
    for path in t.notes():
        path.unlink()
    t.check()
    assert t.notes() == []


def test_a_copy_of_the_directory_knows_the_times(timed: Callable[..., Timed]) -> None:
    """The notes are files beside the others."""
    t = timed(1)
    t.write(300, 100)
    shutil.copytree(t.path, t.path.parent / "copy", ignore=shutil.ignore_patterns("tape.side"))
    t.path = t.path.parent / "copy"
    t.check(within=1000)


def test_the_bytes_of_notes_are_as_documented(timed: Callable[..., Timed]) -> None:
    """A head, then notes of 32 bytes in order, by csrc/file/cycle_times.h."""
    t = timed(1)
    t.write(100, 300)
    data = t.notes()[0].read_bytes()
    cycle = t.q.locate(t.indexes[0]).cycle
    assert data[:8] == b"TAPETIM1" and struct.unpack("<q", data[8:16]) == (cycle,)
    notes = list(struct.iter_unpack("<qqqQ", data[32:]))
    assert len(notes) >= 5
    assert [n[:3] for n in notes] == sorted(n[:3] for n in notes)
    for not_after, at, sequence, _ in notes:
        assert not sequence or t.times[sequence - 1] <= not_after
        assert not_after <= at <= t.times[sequence]
