"""read_many(): many messages in one crossing, with all that read() promises."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tape
from tape.codecs import document, fressian, json, raw, wire

from tests.kit.clocks import SetClock
from tests.kit.codecs import Bytes

START = 1_600_000_000_000
BLOCK = 4 << 20  # a message may have 1 MiB, more than the room of a batch


@pytest.fixture
def clock() -> SetClock:
    return SetClock(START)


@pytest.fixture
def q(tmp_path: Path, clock: SetClock) -> Iterator[tape.Queue]:
    with tape.open(tmp_path / "q", codec=raw, roll_cycle="TEST4_SECONDLY", clock=clock,
                   block_size=BLOCK) as queue:
        yield queue


def fill(q: tape.Queue, clock: SetClock, sizes: list[int], per_cycle: int) -> list[bytes]:
    """Messages of these sizes over several cycles, with a missing one after each."""
    a, written = q.appender(), []
    for n, size in enumerate(sizes):
        if n and n % per_cycle == 0:
            clock.ms += 2000
        message = (b"%d " % n).ljust(size, b"x")[:max(size, len(b"%d " % n))]
        a.write(message)
        written.append(message)
    return written


@pytest.mark.parametrize("n", [1, 2, 7, 100, 1024, 5000])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_batches_are_the_same_as_reading_one_by_one(q: tape.Queue, clock: SetClock, n: int,
                                        direction: str) -> None:
    """Every message once and in order, whatever the number asked for, over batches, cycles, gaps
    and index pages; `index`, `last_read` and what comes next are as after as many read()."""
    rng = random.Random(n)
    written = fill(q, clock, [rng.choice([0, 1, 5, 60, 300]) for _ in range(3000)], 1100)
    start = "end" if direction == "backward" else None
    t, single = (q.tailer(direction=direction, start=start) for _ in range(2))
    got: list[bytes] = []
    while batch := t.read_many(n):
        assert 0 < len(batch) <= n
        got += batch
        one_by_one = [single.read() for _ in batch]
        assert one_by_one == batch and (t.index, t.last_read) == (single.index, single.last_read)
    assert got == (written if direction == "forward" else written[::-1])
    assert t.read_many(n) == [] and t.read() is None


def test_a_batch_has_as_many_as_there_are(q: tape.Queue, clock: SetClock) -> None:
    """Not fewer than asked for when they are there, over cycles."""
    written = fill(q, clock, [10] * 50, 10)
    t = q.tailer()
    assert t.read_many(37) == written[:37] and t.read_many(0) == []
    assert t.read_many(1 << 40) == written[37:]


def test_messages_larger_than_the_room_of_a_batch_are_read(q: tape.Queue, clock: SetClock) -> None:
    """First, in the middle, last; exactly as large as the room, and one byte more."""
    room = 256 << 10
    written = fill(q, clock, [room + 1, 5, room, 9, room - 1, 1, 700_000, 3, 900_000], 100)
    assert q.tailer().read_many(100) == written
    assert q.tailer(direction="backward", start="end").read_many(100) == written[::-1]


@pytest.mark.parametrize("codec, values", [
    (fressian, [{"k": n, "s": "x" * n} for n in range(40)] + [None, [], "", b""]),
    (json, [{"k": n} for n in range(40)] + [None, False, 0]),
    (document, [b"\xc1k\xe1v", b"anything", b"z" * 300]),
    (wire, [{"a": n} for n in range(9)]),
])
def test_every_codec_reads_in_batches(tmp_path: Path, codec: Any, values: list[Any]) -> None:
    """Values as from read(), None among them."""
    with tape.open(tmp_path, codec=codec) as q:
        for value in values:
            q.appender().write(value)
        assert q.tailer().read_many(100) == values


def poisoned(q: tape.Queue, at: int, count: int = 10) -> list[int]:
    """Messages 0 to count; the one `at` is no JSON."""
    good, bad = q.appender(codec=json), q.appender(codec=raw)
    return [bad.write(b"{") if n == at else good.write(n) for n in range(count)]


@pytest.mark.parametrize("at", [0, 1, 5, 9])
def test_a_poison_message_ends_the_list(q: tape.Queue, at: int) -> None:
    """What was read before it is given; the next call raises; it stays next until it is skipped."""
    indexes = poisoned(q, at)
    t = q.tailer("n", codec=json)
    if at > 0:
        assert t.read_many(100) == list(range(at))
        assert t.last_read == indexes[at - 1]
        assert q.tailers()["n"] == indexes[at]
    for _ in range(2):
        with pytest.raises(tape.DecodeError) as caught:
            t.read_many(100)
        assert caught.value.index == indexes[at] and caught.value.raw == b"{"
    assert t.index == indexes[at]
    t.skip()
    assert t.read_many(100) == list(range(at + 1, 10))


def test_a_poison_message_ends_the_list_backward_too(q: tape.Queue) -> None:
    """The same from the other end."""
    indexes = poisoned(q, 4)
    t = q.tailer(codec=json, direction="backward", start="end")
    assert t.read_many(100) == [9, 8, 7, 6, 5] and t.last_read == indexes[5]
    with pytest.raises(tape.DecodeError) as caught:
        t.read_many(100)
    assert caught.value.index == t.index == indexes[4]
    t.skip()
    assert t.read_many(100) == [3, 2, 1, 0]


@pytest.mark.parametrize("at", [0, 5, 9])
def test_on_error_passes_a_poison_message(q: tape.Queue, at: int) -> None:
    """Skipped, or told to a callable; the list goes on."""
    poisoned(q, at)
    told: list[tape.DecodeError] = []
    rest = [n for n in range(10) if n != at]
    assert q.tailer(codec=json, on_error="skip").read_many(100) == rest
    assert q.tailer(codec=json, on_error=told.append).read_many(100) == rest
    assert [error.raw for error in told] == [b"{"]


def test_what_on_error_raises_ends_the_list(q: tape.Queue) -> None:
    """Nothing that was read before is lost, nor stored as read without being given."""
    def refuse(error: tape.DecodeError) -> None:
        raise RuntimeError("enough")

    indexes = poisoned(q, 5)
    t = q.tailer("n", codec=json, on_error=refuse)
    assert t.read_many(100) == list(range(5)) and q.tailers()["n"] == indexes[5]
    for _ in range(2):
        with pytest.raises(RuntimeError, match="enough"):
            t.read_many(100)
    assert t.index == indexes[5]


def test_another_framing_ends_the_list(q: tape.Queue) -> None:
    """A whole document among framed messages."""
    a, d = q.appender(), q.appender(codec=document)
    a.write(b"1")
    foreign = d.write(b"\xc1k\xe1v")
    a.write(b"2")
    t = q.tailer()
    assert t.read_many(9) == [b"1"]
    with pytest.raises(tape.DecodeError, match="not framed") as caught:
        t.read_many(9)
    assert caught.value.index == foreign
    assert q.tailer(codec=document).read_many(9)[1] == b"\xc1k\xe1v"


class Keeper(Bytes):
    """Keeps a slice of every third message, or the view itself."""

    name = "keeper"

    def __init__(self, keep: Callable[[memoryview], Any]) -> None:
        self.keep, self.kept, self.count = keep, [], 0

    def decode(self, view: memoryview) -> bytes:
        self.count += 1
        if self.count == 3:
            self.kept.append(self.keep(view))
        return bytes(view)


@pytest.mark.parametrize("keep", [lambda view: view[:1], memoryview, lambda view: view])
def test_a_codec_that_keeps_memory_keeps_its_own(
        q: tape.Queue, keep: Callable[[memoryview], Any]) -> None:
    """Nothing is lost, and what it kept cannot change under it: the memory is its own."""
    for n in range(6):
        q.appender().write(b"message %d" % n)
    codec = Keeper(keep)
    t = q.tailer(codec=codec)
    got: list[bytes] = []
    while True:
        try:
            if not (more := t.read_many(100)):
                break
            got += more
        except tape.StateError:
            codec.kept.clear()
    assert got == [b"message %d" % n for n in range(6)]


def test_an_interrupt_while_decoding_gives_the_batch_again(q: tape.Queue) -> None:
    """Ctrl-C comes out, and all messages of the batch are next again."""
    class Interrupted(Keeper):
        def decode(self, view: memoryview) -> bytes:
            self.count += 1
            if self.count == 3:
                raise KeyboardInterrupt
            return bytes(view)

    for n in range(6):
        q.appender().write(b"%d" % n)
    t = q.tailer(codec=Interrupted(len))
    with pytest.raises(KeyboardInterrupt):
        t.read_many(100)
    assert t.index == q.first_index and t.last_read is None
    assert t.read_many(100) == [b"%d" % n for n in range(6)]


def test_a_file_that_vanishes_in_the_middle_of_a_batch_loses_nothing(
        q: tape.Queue, clock: SetClock) -> None:
    """A codec fails once, on the second message of a file that was deleted meanwhile: the rest of
    the batch is not lost, for the tailer still has that file."""
    written = fill(q, clock, [10] * 5, 100)

    class Deleting(Keeper):
        def decode(self, view: memoryview) -> bytes:
            self.count += 1
            if self.count == 2:
                Path(q.locate(q.last_index or 0).path).unlink()
                raise ValueError("not this one")
            return bytes(view)

    t = q.tailer(codec=Deleting(len))
    assert t.read_many(100) == written and t.read_many(100) == []


def test_a_batch_waits_for_its_first_message_only(q: tape.Queue) -> None:
    """For the first message only; and not longer than it is told."""
    t = q.tailer(poll_interval=0.001)
    assert t.read_many(5, timeout=0.02) == []
    q.appender().write(b"one")
    assert t.read_many(5, timeout=60) == [b"one"]
    with pytest.raises(tape.InvalidArgument):
        t.read_many(5, timeout=-1)


def test_a_closed_queue_says_so(q: tape.Queue) -> None:
    """As every call."""
    t = q.tailer()
    q.close()
    with pytest.raises(tape.QueueClosed):
        t.read_many(5)
