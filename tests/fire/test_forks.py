"""Forks at every moment: a child is told so and may open the queue anew, and its parent goes on.

In the first test a call forks at a step of tape's Python, and both go on with it; in the second
threads make all kinds of calls while their process forks. Nothing is lost, doubled or torn.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import tape
from tape.codecs import raw

from tests.kit.interrupts import HOME, chosen_steps, trace_operations, tracing
from tests.kit.under_fire import NAME, Scene

LIMIT = 60  # seconds, after which a child that hangs is killed


class Fork:
    """Where a call was forked, if it was, and on which side we are."""

    def __init__(self) -> None:
        self.steps, self.pid = 0, -1

    @property
    def is_child(self) -> bool:
        return self.pid == 0


@contextmanager
def forked_at(step: int) -> Iterator[Fork]:
    """Forks before the ``step``-th operation of tape's own code; both go on."""
    fork = Fork()

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(HOME) or "/codecs/" in frame.f_code.co_filename:
            return None
        trace_operations(frame, trace)
        if event == "opcode":
            fork.steps += 1
            if fork.steps == step:
                fork.pid = os.fork()
                if fork.is_child:
                    signal.alarm(LIMIT)
        return trace

    with tracing(trace):
        yield fork


def ended_well(pid: int) -> bool:
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) == 0


def as_child(path: Path, message: bytes, inherited: list[Callable[[], Any]],
             **options: Any) -> None:
    """What a child does, which ends here: what it has of its parent is refused by name, and the
    queue that it opens by itself is as any."""
    status = 1
    try:
        for call in inherited:
            try:
                call()
            except tape.Forked:
                continue
            raise AssertionError(f"{call} was not refused")
        with tape.open(path, **{"codec": raw, **options}) as q:
            index = q.appender().write(message)
            with q.tailer(start=index) as t:
                assert t.read() == message
            assert q.count(0, index) > 0
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def in_place(s: Scene) -> None:
    with s.a.writing(2) as place:
        place.buffer[:] = b"w0"  # type: ignore[index]


CALLS: dict[str, Callable[[Scene], Any]] = {
    "write": lambda s: s.a.write(b"w0"), "write_many": lambda s: s.a.write_many([b"w0"]),
    "writing": in_place, "read": lambda s: s.t.read(), "read_many": lambda s: s.t.read_many(3),
    "read, named": lambda s: s.named.read(), "loop": lambda s: list(s.t),
    "waiting": lambda s: (s.t.seek_end(), s.t.read(timeout=0.001)), "lag": lambda s: s.t.lag(),
    "commit": lambda s: s.named.commit(), "stats": lambda s: s.q.stats(),
    "gc": lambda s: s.q.gc(tape.Keep(max_cycles=9)), "count": lambda s: len(s.q),
    "tailer": lambda s: s.q.tailer().close(), "appender": lambda s: s.q.appender().close(),
    "open": lambda s: tape.open(s.path, **s.options).close(), "sync": lambda s: s.q.sync(),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_is_forked_in_the_middle_is_made_once(
        name: str, tmp_path: Path, report: Callable[[str], None]) -> None:
    """By the parent, whatever the child does with its half; then each goes its way."""
    s, call, forks = Scene(tmp_path / "q"), CALLS[name], 0
    writes = name.startswith("writ")

    def attempt(step: int) -> Fork:
        nonlocal forks
        s.t.seek_start()
        with forked_at(step) as fork:
            try:
                call(s)
            except tape.Forked:
                if not fork.is_child:
                    raise
        if fork.is_child:
            as_child(s.path, b"child", [lambda: s.a.write(b"never"), s.t.read, s.named.commit],
                     **s.options)
        s.messages += [b"w0"] * writes
        if fork.pid > 0:
            forks += 1
            assert ended_well(fork.pid), f"step {step}"
            s.messages.append(b"child")
        got = s.read()
        assert sorted(got) == sorted(s.messages), f"step {step}"
        s.messages = got
        return fork

    steps = attempt(0).steps
    for step in chosen_steps(steps, 8):
        if attempt(step).pid < 0 and step > steps:
            break
    s.close()
    report(f"{forks} forks at {steps} steps")


class ForkingClock:
    """Its next call forks; or a signal handler does, in the middle of it."""

    def __init__(self, ms: int, by_signal: bool) -> None:
        self.ms, self.by_signal, self.armed, self.pid = ms, by_signal, False, -1

    def fork(self, *_unused: object) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            signal.alarm(LIMIT)

    def now_ms(self) -> int:
        if self.armed:
            self.armed = False
            if self.by_signal:
                signal.raise_signal(signal.SIGUSR1)
            else:
                self.fork()
        return self.ms


@pytest.mark.parametrize("by_signal", [False, True], ids=["clock", "signal handler"])
@pytest.mark.parametrize("name", ["write", "write_many", "writing"])
def test_a_clock_that_forks_while_a_message_is_written_publishes_it_once(
        name: str, by_signal: bool, tmp_path: Path) -> None:
    """In the next cycle as well. The child is told, and the parent keeps its lock."""
    s = Scene(tmp_path / "q")
    clock = ForkingClock(s.clock.ms, by_signal)
    before = signal.signal(signal.SIGUSR1, clock.fork)
    with tape.open(s.path, **{**s.options, "clock": clock}) as q:
        s.a = q.appender()
        s.a.write(s.messages[-1])
        s.messages.append(s.messages[-1])
        for later in (0, 1000):
            clock.ms += later
            clock.armed = True
            try:
                CALLS[name](s)
            except tape.Forked:
                assert clock.pid == 0
            if clock.pid == 0:
                as_child(s.path, b"child", [lambda: s.a.write(b"never")],
                         **{**s.options, "clock": clock})
            assert ended_well(clock.pid)
            s.messages += [b"w0", b"child"]
            assert s.read() == s.messages
        assert q.info().lock_lost == 0
    signal.signal(signal.SIGUSR1, before)
    s.close()


class Threads:
    """Threads that make calls until they are told to end; what was acknowledged stands in lists."""

    def __init__(self, path: Path) -> None:
        self.path, self.over = path, threading.Event()
        self.q = tape.open(path, codec=raw, durability="os")
        self.q.appender().write(b"first")
        self.written: dict[str, list[tuple[int, bytes]]] = {}
        self.failures: list[BaseException] = []
        self.seen: list[bytes] = []
        bodies = [self.write, self.write_many, self.write_each, self.follow, self.commit,
                  self.look, self.reopen, self.wait]
        self.threads = [threading.Thread(target=self.run, args=(body,)) for body in bodies]

    def run(self, body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as error:
            self.failures.append(error)
            self.over.set()

    def _write(self, name: str, a: tape.Appender, many: int) -> None:
        mine = self.written.setdefault(name, [])
        while not self.over.is_set():
            bodies = [f"{name} {len(mine) + n}".encode() for n in range(many)]
            indexes = a.write_many(bodies) if many > 1 else [a.write(bodies[0])]
            mine += zip(indexes, bodies, strict=True)
            time.sleep(0.0005)

    def write(self) -> None:
        self._write("one", self.q.appender(), 1)

    def write_many(self) -> None:
        self._write("many", self.q.appender(), 7)

    def write_each(self) -> None:
        self._write("each", self.q.appender(durability="each"), 1)

    def follow(self) -> None:
        t = self.q.tailer()
        while not self.over.is_set():
            self.seen += t.read_many(50, timeout=0.01)
        self.seen += list(t)

    def commit(self) -> None:
        with self.q.tailer(NAME) as t:
            while not self.over.is_set():
                t.read()

    def look(self) -> None:
        while not self.over.is_set():
            self.q.stats()
            self.q.gc(tape.Keep(max_cycles=5))
            len(self.q)

    def reopen(self) -> None:
        while not self.over.is_set():
            with tape.open(self.path, codec=raw) as q, q.tailer() as t:
                assert t.read() == b"first"

    def wait(self) -> None:
        t = self.q.tailer(start="end")
        while not self.over.is_set():
            t.read(timeout=0.05)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_process_of_many_threads_forks_at_any_moment(
        tmp_path: Path, scaled: Callable[[float, float], float],
        report: Callable[[str], None]) -> None:
    """While another thread is inside any call: each child can do all that a new process can."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance, forks, children = random.Random(seed), int(scaled(12, 2000)), list[bytes]()
    all_of = Threads(tmp_path / "q")
    inherited = [all_of.q.appender().write, all_of.q.tailer().read]
    for thread in all_of.threads:
        thread.start()
    try:
        for n in range(forks):
            time.sleep(chance.random() * 0.02)
            children.append(b"child %d" % n)
            pid = os.fork()
            if pid == 0:
                signal.alarm(LIMIT)
                as_child(all_of.path, children[-1], [lambda: inherited[0](b"never"), inherited[1]])
            assert ended_well(pid), f"child {n}"
    finally:
        all_of.over.set()
        for thread in all_of.threads:
            thread.join(LIMIT)
    assert not all_of.failures, all_of.failures
    with tape.open(all_of.path, codec=raw, read_only=True) as q, q.tailer() as t:
        there = {entry.index: entry.value for entry in t.entries()}
    written = dict(pair for mine in all_of.written.values() for pair in mine)
    assert written.items() <= there.items()
    assert sorted(there.values()) == sorted([b"first", *children, *written.values()])
    assert all_of.seen == list(there.values())[:len(all_of.seen)]
    report(f"{forks} forks beside {len(all_of.threads)} threads, {len(there)} messages")
    all_of.q.close()
