"""Exceptions out of signal handlers while writing: nothing is written and raised, or doubled."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tape
from tape._lanes import have_lanes
from tape.codecs import raw
from tests.kit.interrupts import Interrupt, SoftLimit, at_every_step

HOLDER = ("import sys, tape\nq = tape.open(sys.argv[1], codec=tape.codecs.raw)\n"
          "q.appender().write(b'0')\nprint(flush=True)\nsys.stdin.read()")
FREE = struct.pack("<q", -1 << 63)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A queue whose write lock a live process has that does nothing."""
    path = tmp_path / "q"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline()
        table = path / "metadata.cq4t"
        data = table.read_bytes()
        place = data.index(FREE, data.index(b"chronicle.write.lock"))
        with open(table, "r+b") as file:
            os.pwrite(file.fileno(), struct.pack("<q", holder.pid), place)
        yield path
        holder.kill()


@pytest.mark.parametrize("lock_timeout", [20.0, None, float("inf")])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SoftLimit])
def test_a_write_that_waits_for_the_lock_hears_signals_and_writes_nothing(
        held: Path, lock_timeout: float | None, kind: type[BaseException]) -> None:
    """Within a fraction of a second, however long it may wait; the appender stays usable."""
    def handler(*_: object) -> None:
        raise kind

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with tape.open(held, codec=raw, lock_timeout=lock_timeout) as q:
            a = q.appender()
            for _ in range(2):
                timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1))
                timer.start()
                begun = time.monotonic()
                with pytest.raises(kind):
                    a.write(b"1")
                assert 0.2 < time.monotonic() - begun < 5
                timer.join()
            assert a.last_index is None and len(q) == 1
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_handler_that_raises_nothing_does_not_end_the_wait(held: Path) -> None:
    """It runs while the write waits, and the time-out stays what it was."""
    seen: list[float] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: seen.append(time.monotonic()))
    try:
        with tape.open(held, codec=raw, lock_timeout=1.0) as q:
            timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1))
            timer.start()
            with pytest.raises(tape.LockTimeout) as caught:
                q.appender().write(b"1")
            assert seen and time.monotonic() - seen[0] > 0.3
            assert caught.value.holder_alive
            timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_after_an_interrupt_last_index_tells_whether_the_message_was_written(
        tmp_path: Path) -> None:
    """At any step of write(): who writes again only when it did not move doubles nothing."""
    with tape.open(tmp_path / "q", codec=raw) as q:
        a, written = q.appender(), 0
        a.write(b"first")
        last = [a.last_index]

        def judge(interrupted: bool, result: object, where: str) -> None:
            nonlocal written
            if a.last_index == last[0]:
                assert interrupted, where
                a.write(b"%d" % written)
            written += 1
            last[0] = a.last_index

        steps = at_every_step(lambda: a.write(b"%d" % written), judge, kind=Interrupt)
        assert steps > 5 or have_lanes  # which have steps of Python at every 1024th message only
        assert list(q.tailer()) == [b"first", *(b"%d" % n for n in range(written))]
