"""read(), iteration, waiting: each message once, whole and in order."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, cast

import pytest

import tape

from tests.kit.queues import CYCLE


def test_an_empty_queue_gives_nothing_until_the_first_message(q: tape.Queue) -> None:
    """Nothing there: None, no index, still true; the first message is then read."""
    t = q.tailer()
    assert q and q.first_index is None and q.last_index is None
    assert t.read() is None and t.index == 0 and t.last_read is None and list(t) == []
    with pytest.raises(tape.Empty):
        t.get(timeout=0.01)
    i = q.appender().write(b"first")
    assert t.index == i == q.first_index == q.last_index == q.index_of(CYCLE, 0)
    assert t.read() == b"first" and t.last_read == i


def test_several_tailers_are_independent(q: tape.Queue) -> None:
    """Each tailer has a position of its own."""
    a = q.appender()
    first, second = q.tailer(), q.tailer()
    for n in range(3):
        a.write(b"%d" % n)
    assert [first.read(), first.read(), second.read()] == [b"0", b"1", b"0"]
    assert list(first) == [b"2"] and list(second) == [b"1", b"2"]


def test_iteration_stops_and_follow_goes_on(q: tape.Queue) -> None:
    """list() drains; follow() waits, and ends by its timeout or when the queue is closed."""
    a, t = q.appender(), q.tailer(poll_interval=0.005)
    a.write(b"1")
    assert list(t) == [b"1"] and list(t) == []
    a.write(b"2")
    assert list(t.follow(timeout=0.02)) == [b"2"]
    seen: list[bytes] = []
    thread = threading.Thread(target=lambda: seen.extend(t.follow()))
    thread.start()
    a.write(b"3")
    deadline = time.monotonic() + 10
    while not seen and time.monotonic() < deadline:
        time.sleep(0.001)
    q.close()
    thread.join(10)
    assert seen == [b"3"] and not thread.is_alive()


def test_entries_carry_index_and_bytes_and_skip_counts(q: tape.Queue) -> None:
    """Entries carry index and bytes; skip() counts what it passes."""
    a, t = q.appender(), q.tailer()
    indexes = [a.write(b"%d" % n) for n in range(5)]
    assert t.skip(2) == 2
    assert list(t.entries(2)) == [(indexes[n], b"%d" % n, b"%d" % n) for n in (2, 3)]
    assert t.skip(9) == 1 and t.read_entry() is None


def test_a_stored_none_is_a_message(tmp_path: Path) -> None:
    """read() cannot tell it from nothing; read_entry() and a default can."""
    with tape.open(tmp_path) as q:
        q.appender().write(None)
        nothing = object()
        t = q.tailer()
        assert t.read(nothing) is None and t.read(nothing) is nothing
        assert t.seek_start().read_entry().value is None


def test_a_timeout_waits_at_least_that_long(q: tape.Queue) -> None:
    """timeout waits, at least that long; negative is a ValueError."""
    t = q.tailer(poll_interval=0.001)
    begun = time.monotonic()
    assert t.read(timeout=0.05) is None
    assert 0.05 <= time.monotonic() - begun < 5
    for call in (t.read, t.read_entry):
        with pytest.raises(ValueError):
            call(timeout=-1)
    timer = threading.Timer(0.05, q.appender().write, [b"late"])
    timer.start()
    assert t.get(timeout=10) == b"late"


def test_a_tailer_belongs_to_one_thread_at_a_time(q: tape.Queue) -> None:
    """Two threads on one tailer: each message once and whole, or TailerBusy."""
    a, t = q.appender(), q.tailer()
    count = 20_000
    for n in range(count):
        a.write(b"%d" % n)
    got: list[bytes] = []

    def drain() -> None:
        idle = 0
        while idle < 100:
            try:
                message = t.read_entry()
            except tape.TailerBusy:
                continue
            idle = idle + 1 if message is None else 0
            if message is not None:
                got.append(message.value)

    threads = [threading.Thread(target=drain) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got, key=int) == [b"%d" % n for n in range(count)]
    assert t.read() is None


@pytest.mark.parametrize("look", [False, True], ids=["steps", "steps and looks"])
def test_reading_and_writing_in_place_work_in_a_debugger(tmp_path: Path, look: bool) -> None:
    """One traces each step, and copies the variables of each frame: these are no codec that kept a
    view of mapped memory. One that did is still told, and so is a slice of a place."""

    class Keeps:
        name, framing = "keeps", tape.codecs.raw.framing
        kept: ClassVar[list[memoryview]] = []

        def encode(self, message: bytes) -> bytes:
            return message

        def decode(self, view: memoryview) -> int:
            self.kept.append(view[:1])
            return 1

    def step(frame: FrameType, event: str, arg: object) -> Any:
        frame.f_trace_opcodes = True
        if look:
            assert frame.f_locals is not None
        return step

    before = sys.gettrace()
    with tape.open(tmp_path / "q", codec=tape.codecs.raw) as q:
        a, t, keeping = q.appender(), q.tailer(), q.tailer(codec=cast(Any, Keeps()))
        sys.settrace(step)
        try:
            a.write(b"one")
            with a.writing(3) as place:
                assert place.buffer is not None
                place.buffer[:] = b"two"
            with pytest.raises(tape.StateError, match="still uses the buffer"), \
                    a.writing(3) as place:
                assert place.buffer is not None
                kept = place.buffer[:1]
            read = t.read(), t.read(), t.read(default=None)
            with pytest.raises(tape.StateError, match="kept a view"):
                keeping.read()
        finally:
            sys.settrace(before)
    assert read == (b"one", b"two", None) and kept is not None
