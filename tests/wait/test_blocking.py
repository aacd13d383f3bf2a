"""Calls that wait sleep in C, and wake for messages, signals, time and closing."""

from __future__ import annotations

import asyncio
import os
import pickle
import queue as stdlib_queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import tape

NEVER = 3600.0  # a poll interval that no test lives to see


def later(work: Callable[[], Any], seconds: float = 0.05) -> threading.Timer:
    timer = threading.Timer(seconds, work)
    timer.start()
    return timer


def writes(queue: tape.Queue, *messages: Any) -> Callable[[], None]:
    appender = queue.appender()
    return lambda: [appender.write(m) for m in messages] and None


def test_reading_wakes_for_a_message_long_before_it_would_look(queue: tape.Queue) -> None:
    """read, get, read_entry, read_many, follow."""
    tailer = queue.tailer(poll_interval=NEVER)
    for call in (lambda: tailer.read(timeout=20), lambda: tailer.get(20),
                 lambda: tailer.read_entry(timeout=20).value,  # type: ignore[union-attr]
                 lambda: tailer.read_many(1, timeout=20)[0],
                 lambda: next(tailer.follow(20))):
        later(writes(queue, "woken"))
        begun = time.monotonic()
        assert call() == "woken"
        assert time.monotonic() - begun < 10


def test_a_message_of_another_process_wakes(queue: tape.Queue) -> None:
    """Through the word in tape.side."""
    tailer = queue.tailer(poll_interval=NEVER)
    child = subprocess.Popen([sys.executable, "-c", (
        "import tape, sys, time\nq = tape.open(sys.argv[1])\na = q.appender()\ntime.sleep(0.2)\n"
        "a.write('from afar')\n"), queue.path])
    assert tailer.get(30) == "from afar"
    assert child.wait() == 0


@pytest.mark.parametrize("timeout", [-1, -0.001, float("nan")])
def test_a_timeout_below_zero_is_refused(queue: tape.Queue, timeout: float) -> None:
    """ValueError, by every call that waits."""
    tailer = queue.tailer()
    for call in (lambda: tailer.read(timeout=timeout), lambda: tailer.get(timeout),
                 lambda: tailer.read_entry(timeout=timeout),
                 lambda: tailer.read_many(1, timeout=timeout),
                 lambda: next(tailer.follow(timeout)), lambda: tape.merge(tailer, timeout=timeout)):
        with pytest.raises(ValueError):
            call()


def test_the_time_is_kept(queue: tape.Queue) -> None:
    """Neither early nor much later, whatever the poll interval."""
    tailer = queue.tailer(poll_interval=NEVER)
    begun = time.monotonic()
    with pytest.raises(tape.Empty):
        tailer.get(0.15)
    assert 0.14 < time.monotonic() - begun < 5


@pytest.mark.parametrize("close", ["queue", "tailer"])
def test_closing_in_another_thread_wakes_with_queue_closed(queue: tape.Queue, close: str) -> None:
    """A thread sleeps, another one closes."""
    tailer = queue.tailer(poll_interval=NEVER)
    later(queue.close if close == "queue" else tailer.close)
    begun = time.monotonic()
    with pytest.raises(tape.QueueClosed):
        tailer.get()
    assert time.monotonic() - begun < 10


def test_following_ends_when_the_queue_is_closed(queue: tape.Queue) -> None:
    """It does not raise."""
    tailer = queue.tailer(poll_interval=NEVER)
    writes(queue, 1, 2)()
    later(queue.close)
    assert list(tailer.follow()) == [1, 2]


def test_ctrl_c_is_heard_within_a_tenth_of_a_second(queue: tape.Queue) -> None:
    """By the main thread, in C; on a busy machine not each time."""
    tailer, took = queue.tailer(poll_interval=NEVER), []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
    for _ in range(7):
        sent: list[float] = []

        def interrupt(sent: list[float] = sent) -> None:
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)
        later(interrupt)
        with pytest.raises(KeyboardInterrupt):
            tailer.get(20)
        took.append(time.monotonic() - sent[0])
    signal.signal(signal.SIGINT, before)
    assert min(took) < 0.1 and sorted(took)[3] < 0.5
    writes(queue, "still usable")()
    assert tailer.get(20) == "still usable"


def test_the_gil_is_free_while_it_sleeps(queue: tape.Queue) -> None:
    """Another thread counts meanwhile."""
    tailer, counted = queue.tailer(), [0]
    done = threading.Event()

    def count() -> None:
        while not done.is_set():
            counted[0] += 1
            time.sleep(0)
    thread = threading.Thread(target=count)
    thread.start()
    tailer.read(timeout=0.3)
    done.set()
    thread.join()
    assert counted[0] > 100


def test_closed_is_what_others_call_shut_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python has these classes, an instance is one; it survives pickling."""
    class ShutDown(Exception):
        pass
    if not hasattr(stdlib_queue, "ShutDown"):
        monkeypatch.setattr(stdlib_queue, "ShutDown", ShutDown, raising=False)
    if not hasattr(asyncio, "QueueShutDown"):
        monkeypatch.setattr(asyncio, "QueueShutDown", type("QueueShutDown", (Exception,), {}),
                            raising=False)
    with pytest.raises(stdlib_queue.ShutDown):  # type: ignore[attr-defined]
        raise tape.QueueClosed("closed", hint="open it")
    with pytest.raises(asyncio.QueueShutDown):  # type: ignore[attr-defined]
        raise tape.QueueClosed("closed", hint="open it")
    again = pickle.loads(pickle.dumps(tape.QueueClosed("closed", hint="open it")))
    assert isinstance(again, tape.QueueClosed) and (again.message, again.hint) == (
        "closed", "open it")


def test_a_descriptor_tells_select_that_there_may_be_something(queue: tape.Queue) -> None:
    """Readable until everything was read."""
    tailer = queue.tailer(poll_interval=NEVER)
    assert select.select([tailer], [], [], 0.02)[0] == []
    for _ in range(20):
        later(writes(queue, 1, 2), 0.01)
        assert select.select([tailer], [], [], 20)[0] == [tailer]
        got = []
        while len(got) < 2:
            got += list(tailer)
        assert got == [1, 2]
        assert tailer.read() is None
        assert select.select([tailer], [], [], 0)[0] == []


def test_a_read_only_queue_is_waited_for_by_looking(queue: tape.Queue, tmp_path: Path) -> None:
    """It writes no byte, so nobody knows that it waits."""
    with tape.open(queue.path, read_only=True) as reader:
        tailer = reader.tailer(poll_interval=0.01)
        later(writes(queue, "seen"))
        assert tailer.get(20) == "seen"


def test_a_queue_that_was_deleted_ends_the_waiting(tmp_path: Path) -> None:
    """The directory is gone: nobody will ever write where it reads."""
    import shutil
    with tape.open(tmp_path / "gone") as q:
        q.appender().write(1)
        tailer = q.tailer()
        assert tailer.read() == 1
        later(lambda: shutil.rmtree(q.path))
        with pytest.raises(tape.QueueNotFound):
            tailer.get(20)
