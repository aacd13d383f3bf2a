"""An append that is held up is logged with what held it up."""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tape
from tape.codecs import raw

HOLD = """
import sys, tape
with tape.open(sys.argv[1], codec=tape.codecs.raw) as q:
    with q.appender().writing(10) as place:
        print("held", flush=True)
        sys.stdin.readline()
"""


class SleepingClock:
    """A clock that takes its time: it is asked with the lock held."""

    def __init__(self) -> None:
        self.seconds, self.asked = 0.0, threading.Event()

    def now_ms(self) -> int:
        seconds = self.seconds
        self.asked.set()
        time.sleep(seconds)
        return 1_700_000_000_000


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged since the last time."""
    lines = [r.getMessage() for r in caplog.records if r.name == "tape.append"]
    assert all(r.levelno == logging.WARNING for r in caplog.records)
    caplog.clear()
    return lines


@contextlib.contextmanager
def held(path: Path, seconds: float = 0.4) -> Iterator[int]:
    """Another process has the lock, until so long after the block began; its pid."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    timer = threading.Timer(seconds, process.communicate, ["go\n"])
    timer.start()
    yield process.pid
    timer.join()
    assert process.wait(30) == 0


def appends(a: tape.Appender[Any]) -> dict[str, Any]:
    """Each way to append one message that may wait."""
    def in_place() -> None:
        with a.writing(3) as place:
            place.buffer[:] = b"abc"
    return {"write": lambda: a.write(b"abc"), "write_many": lambda: a.write_many([b"a", b"b"]),
            "view": lambda: a.write(memoryview(b"abc")), "writing": in_place}  # type: ignore


@pytest.mark.parametrize("way", ["write", "write_many", "view", "writing"])
def test_the_lock_and_who_holds_it(tmp_path: Path, caplog: pytest.LogCaptureFixture,
                                   way: str) -> None:
    """Another process has it: the log tells its pid, once, by whichever way one appends."""
    with tape.open(tmp_path / "q", codec=raw, slow_append=0.05) as q:
        a = q.appender()
        a.write(b"first")
        told(caplog)
        with held(tmp_path / "q") as pid:
            appends(a)[way]()
        line, = told(caplog)
        assert f"waiting for the write lock, held by process {pid}" in line
        assert line.startswith(f"{q.path}: an append took ") and "(index 0x" in line


def test_another_thread_that_has_the_lock(tmp_path: Path,
                                          caplog: pytest.LogCaptureFixture) -> None:
    """What one thread does under the lock holds up the other."""
    clock = SleepingClock()
    with tape.open(tmp_path / "q", codec=raw, clock=clock) as q:
        a = q.appender()
        a.write(b"first")
        clock.seconds = 0.25
        clock.asked.clear()
        thread = threading.Thread(target=q.appender().write, args=(b"slow",))
        thread.start()
        assert clock.asked.wait(10)
        clock.seconds = 0
        a.write(b"held up")
        thread.join()
    assert any("waiting for the write lock, held by another thread" in line
               for line in told(caplog))


def test_what_is_slow_can_be_set(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """0: whatever was measured. None: nothing. Negative: no."""
    clock = SleepingClock()
    for slow_append, count in ((0, 1), (0.05, 1), (None, 0), (3600, 0), (float("inf"), 0)):
        with tape.open(tmp_path / "q", codec=raw, clock=clock, slow_append=slow_append) as q:
            clock.seconds = 0.06
            q.appender().write(b"slow")
            clock.seconds = 0
            lines = told(caplog)
            assert len(lines) == count, slow_append
            assert all("ms looking after files, or rolling" in line for line in lines)
    with pytest.raises(tape.InvalidArgument):
        tape.open(tmp_path / "q", slow_append=-1)


def test_a_logger_that_raises_and_ctrl_c_come_out_of_the_append(tmp_path: Path) -> None:
    """And the message is there: as after any interrupt, last_index tells."""
    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise KeyboardInterrupt

    handler = Failing()
    logging.getLogger("tape.append").addHandler(handler)
    try:
        with tape.open(tmp_path / "q", codec=raw, slow_append=0.05) as q, held(tmp_path / "q"):
            a = q.appender()
            with pytest.raises(KeyboardInterrupt):
                a.write(b"there")
            assert a.last_index == q.last_index and q.tailer(start=a.last_index).read() == b"there"
            assert a.write(b"next") == q.last_index
    finally:
        logging.getLogger("tape.append").removeHandler(handler)


def test_a_signal_while_it_waits_is_not_lost(tmp_path: Path,
                                             caplog: pytest.LogCaptureFixture) -> None:
    """Its handler runs, and the append that was held up is logged all the same."""
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    try:
        with tape.open(tmp_path / "q", codec=raw, slow_append=0.05) as q, held(tmp_path / "q"):
            timer = threading.Timer(0.1, signal.raise_signal, [signal.SIGUSR1])
            timer.start()
            q.appender().write(b"there")
            timer.join()
        assert heard == [signal.SIGUSR1] and len(told(caplog)) == 1
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_log_that_is_a_queue_of_tape_may_be_slow_itself(tmp_path: Path) -> None:
    """Always, even: what is slow about telling is not told, or it would not end."""
    clock = SleepingClock()

    class ToQueue(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            log.write(record.getMessage().encode())

    with tape.open(tmp_path / "log", codec=raw, clock=clock, slow_append=0.05) as q:
        log, handler = q.appender(), ToQueue()
        logging.getLogger("tape.append").addHandler(handler)
        try:
            clock.seconds = 0.06
            log.write(b"slow")
        finally:
            logging.getLogger("tape.append").removeHandler(handler)
        first, second = list(q.tailer())
        assert first == b"slow" and b"an append took" in second
