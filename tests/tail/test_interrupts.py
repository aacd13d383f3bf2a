"""Exceptions out of signal handlers while reading: nothing is lost, doubled or left busy."""

from __future__ import annotations

import signal
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tape
from tape._batch import Batch
from tape._lanes import have_lanes
from tape._turn import Turn
from tape.codecs import raw
from tests.kit.codecs import Bytes
from tests.kit.interrupts import Interrupt, SoftLimit, at_every_step, interrupted_at

MESSAGES = [b"%d" % n for n in range(5)]


@pytest.fixture
def q(tmp_path: Path) -> Iterator[tape.Queue]:
    with tape.open(tmp_path / "q", codec=raw) as q:
        for message in MESSAGES:
            q.appender().write(message)
        yield q


def one_by_one(read: Callable[[tape.Tailer], Any]) -> Callable[[tape.Tailer, list[bytes]], None]:
    """A way of reading that gives one message a call."""
    def drain(t: tape.Tailer, got: list[bytes]) -> None:
        while (value := read(t)) is not None:
            got.append(value)
    return drain


def loop(t: tape.Tailer, got: list[bytes]) -> None:
    for message in t:
        got.append(message)


def entries(t: tape.Tailer, got: list[bytes]) -> None:
    for entry in t.entries():
        got.append(entry.value)


def follow(t: tape.Tailer, got: list[bytes]) -> None:
    for message in t.follow(timeout=0):
        got.append(message)


def many(n: int) -> Callable[[tape.Tailer, list[bytes]], None]:
    def drain(t: tape.Tailer, got: list[bytes]) -> None:
        while messages := t.read_many(n):
            got.extend(messages)
    return drain


def get(t: tape.Tailer) -> Any:
    try:
        return t.get(timeout=0)
    except tape.Empty:
        return None


def read_entry(t: tape.Tailer) -> Any:
    entry = t.read_entry()
    return None if entry is None else entry.value


WAYS = {"read": one_by_one(lambda t: t.read()), "get": one_by_one(get),
        "read_entry": one_by_one(read_entry), "for": loop, "entries": entries, "follow": follow,
        "read_many": many(100)}
IN_LANES = ("read", "get", "for", "read_many")  # test_lanes.py interrupts what they hand over
# Of what gives one message a call, one call is enough.
FIRST: dict[str, Callable[[tape.Tailer], Any]] = {
    "read": lambda t: t.read(), "get": get, "read_entry": read_entry}


@pytest.mark.parametrize("name", [None, "worker"], ids=["unnamed", "named"])
@pytest.mark.parametrize("way", WAYS)
def test_an_interrupt_at_any_step_of_reading_loses_and_doubles_nothing(
        q: tape.Queue, way: str, name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever way, after the interrupt the same tailer gives what it had not given yet; then it
    can be closed, and a named one begins behind the last message."""
    monkeypatch.setattr(Batch, "COUNT", 2)  # so that read_many takes several calls of C
    q.tailer().read_many(1)                 # what is imported when first used is
    q.tailer().read_entry()
    tailers: list[tuple[tape.Tailer, list[bytes]]] = []

    def read() -> None:
        t, got = tailers[-1]
        if way in FIRST:
            got.append(FIRST[way](t))
        else:
            WAYS[way](t, got)

    def renew() -> None:
        tailers.append((q.tailer(name), []))
        if name is not None:
            tailers[-1][0].seek_start()

    def judge(interrupted: bool, result: object, where: str) -> None:
        t, got = tailers[-1]
        if where:
            assert interrupted, f"the interrupt at {where} was swallowed"
            assert got == MESSAGES[:len(got)]
            left = q.count(t.index, 1 << 62)
            if name is None or way not in ("for", "entries", "follow"):
                assert left == len(MESSAGES) - len(got), where
        WAYS[way](t, got)
        assert got == MESSAGES, where
        assert t.last_read == q.last_index and t.index == q.last_index + 1
        t.close()
        if name is not None:
            with q.tailer(name) as again:
                assert again.read() is None, where
        renew()

    renew()
    kind = Interrupt if name is None else SoftLimit
    steps = at_every_step(read, judge, kind=kind)
    if have_lanes and name is None and way in IN_LANES:
        assert steps == 0  # no step of Python
    else:
        assert steps > 50


@pytest.mark.parametrize("call", ["seek", "commit", "close", "skip", "index", "lag", "info",
                                  "direction"])
def test_an_interrupt_at_any_step_of_another_call_leaves_the_tailer_usable(
        q: tape.Queue, call: str) -> None:
    """It stands where it stood, or where it was sent to; it can be used and closed."""
    third, fourth = q.first_index + 2, q.first_index + 3
    calls: dict[str, Callable[[tape.Tailer], Any]] = {
        "seek": lambda t: t.seek(fourth), "commit": lambda t: t.commit(),
        "close": lambda t: t.close(), "skip": lambda t: t.skip(2), "index": lambda t: t.index,
        "lag": lambda t: t.lag(), "info": lambda t: t.info(),
        "direction": lambda t: setattr(t, "direction", "backward")}
    tailers: list[tape.Tailer] = []

    def renew() -> None:
        tailers.append(q.tailer("worker", steal=True))
        tailers[-1].seek(third)
        tailers[-1].lag()
        tailers[-1].info()

    def judge(interrupted: bool, result: object, where: str) -> None:
        t = tailers[-1]
        if call == "close":
            t.close()
            assert t.closed
            renew()
            return
        t.direction = "forward"
        places = {"seek": {third, fourth}, "skip": {third} if interrupted else {third + 2}}
        assert t.index in places.get(call, {third}), where
        assert t.read() is not None
        t.close()
        renew()

    renew()
    assert at_every_step(lambda: calls[call](tailers[-1]), judge) > 20


def test_a_tailer_is_busy_while_another_thread_reads_and_not_after(q: tape.Queue) -> None:
    """Looking for a lost turn finds the one that is taken."""
    inside, go_on = threading.Event(), threading.Event()

    class Slow:
        name = "slow"
        encode = staticmethod(lambda obj: obj)

        @staticmethod
        def decode(view: memoryview) -> bytes:
            inside.set()
            assert go_on.wait(30)
            return bytes(view)

    t = q.tailer(codec=Slow())
    thread = threading.Thread(target=t.read)
    thread.start()
    assert inside.wait(30)
    for _ in range(3):
        with pytest.raises(tape.TailerBusy):
            t.read()
    go_on.set()
    thread.join()
    assert t.read() == MESSAGES[1]


def test_looking_for_a_lost_turn_holds_nothing_of_the_message_that_is_being_read(
        q: tape.Queue) -> None:
    """The thread that reads goes on while the other one is in the middle of looking: it is not told
    that its codec kept a view."""
    inside, go_on = threading.Event(), threading.Event()
    got: list[bytes] = []

    class Slow(Bytes):
        name = "slow"

        def decode(self, view: memoryview) -> bytes:
            inside.set()
            assert go_on.wait(30)
            return bytes(view)

    def trace(frame: Any, event: str, _: object) -> Any:
        if frame.f_code is Turn._is_in_use.__code__ and event == "line":
            if "mapped" in (frame.f_locals.get("names") or ()):
                go_on.set()
                thread.join(30)
        return trace

    t, before = q.tailer(codec=Slow()), sys.gettrace()
    thread = threading.Thread(target=lambda: got.append(t.read_entry().value))
    thread.start()
    assert inside.wait(30)
    sys.settrace(trace)
    try:
        with pytest.raises(tape.TailerBusy):
            t.read_entry()
    finally:
        sys.settrace(before)
        go_on.set()
        thread.join()
    assert got == MESSAGES[:1]


def test_looking_for_a_lost_turn_leaves_all_frames_as_they_are(q: tape.Queue) -> None:
    """Not even those of modules, whose locals are their globals."""
    t, names = q.tailer(), {"t": q.tailer(), "kept": 1}
    exec("kept = 2\nt._cursor._outs.clear()\nvalue = t.read()", names)
    assert names["value"] == MESSAGES[0] and names["kept"] == 2
    t._cursor._outs.clear()
    kept = [t.read() for _ in range(2)]
    assert kept == MESSAGES[:2]


def test_a_handler_that_uses_the_tailer_it_interrupts_is_told(q: tape.Queue) -> None:
    """Its TailerBusy comes out of the call; the message is next."""
    class Hit:
        name, armed = "hit", True
        encode = staticmethod(lambda obj: obj)

        def decode(self, view: memoryview) -> bytes:
            if self.armed:
                self.armed = False
                signal.raise_signal(signal.SIGUSR1)
            return bytes(view)

    t = q.tailer(codec=Hit())
    before = signal.signal(signal.SIGUSR1, lambda *_: t.read())
    try:
        with pytest.raises(tape.TailerBusy):
            t.read()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert list(t) == MESSAGES


class Faulty(Bytes):
    """Raises once what it is told to, at the third message."""

    name = "faulty"

    def __init__(self, fault: BaseException) -> None:
        self.fault: BaseException | None = fault

    def decode(self, view: memoryview) -> bytes:
        fault, body = self.fault, bytes(view)
        if fault is not None and body == MESSAGES[2]:
            self.fault = None
            raise fault
        return body


@pytest.mark.parametrize("fault", [SoftLimit("time is up"), MemoryError(), RecursionError(),
                                   KeyboardInterrupt(), RuntimeError("no word on the bytes")],
                         ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_no_word_about_the_message_comes_out_as_it_is(
        q: tape.Queue, fault: BaseException, on_error: str, way: str) -> None:
    """Also with on_error="skip", and out of read_many: nothing is dropped or swallowed."""
    t, got = q.tailer(codec=Faulty(fault), on_error=on_error), list[bytes]()
    with pytest.raises(type(fault)) as caught:
        WAYS[way](t, got)
    assert caught.value is fault
    WAYS[way](t, got)
    assert got == MESSAGES


@pytest.mark.parametrize("fault", [ValueError("no"), KeyError("amount"), struct.error("short"),
                                   tape.DecodeError("no"), EOFError(), ZeroDivisionError()],
                         ids=lambda fault: type(fault).__name__)
def test_what_bad_input_raises_is_a_decode_error_that_names_it(
        q: tape.Queue, fault: Exception) -> None:
    """The message stays next; its text says the class, as 'amount' alone tells nobody."""
    t = q.tailer(codec=Faulty(fault))
    t.skip(2)
    with pytest.raises(tape.DecodeError) as caught:
        t.read()
    assert caught.value.__cause__ is fault and caught.value.raw == MESSAGES[2]
    if not isinstance(fault, tape.Error):
        assert type(fault).__name__ in str(caught.value)
    assert t.read() == MESSAGES[2]


def test_a_codec_says_itself_what_bad_input_raises(q: tape.Queue) -> None:
    """``errors`` replaces the usual ones; what is no tuple of exceptions is refused."""
    class Odd(Exception):
        pass

    class Always(Faulty):
        errors: Any = (Odd,)

        def decode(self, view: memoryview) -> bytes:
            self.fault = Odd("not mine")
            return super().decode(view)

    codec = Always(Odd())
    assert list(q.tailer(codec=codec, on_error="skip")) == MESSAGES[:2] + MESSAGES[3:]
    codec.errors = "ValueError"
    with pytest.raises(tape.InvalidArgument, match="errors"):
        q.tailer(codec=codec)


def test_an_interrupt_while_a_block_ends_is_what_comes_out_of_it(q: tape.Queue) -> None:
    """Closing a tailer that an interrupt left does not hide the interrupt."""
    for step in range(1, 120, 7):
        with pytest.raises(Interrupt):
            with q.tailer("block") as t:
                with interrupted_at(step):
                    list(t)
                raise Interrupt
        assert t.closed
