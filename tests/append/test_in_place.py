"""writing(): a message made where it will stand, and every way not to finish it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import tape
from tape.codecs import document, raw
from tests.kit.interrupts import Interrupt, at_every_step


@pytest.fixture(params=["the first of the queue", "behind another"])
def a(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """An appender whose next message needs a new file, or does not."""
    with tape.open(tmp_path / "q", codec=raw) as q:
        appender = q.appender()
        if request.param == "behind another":
            appender.write(b"before")
        yield appender


def is_usable(a: tape.Appender, *written: bytes) -> bool:
    """Whether the lock is free, and nothing but these were written."""
    a.write(b"after")
    return [m for m in a.queue.tailer() if m != b"before"] == [*written, b"after"]


@pytest.mark.parametrize("size", [-1, 1 << 63, 1.5, None, True])
def test_what_is_no_size_is_refused(a: tape.Appender, size: Any) -> None:
    """Before any lock is taken."""
    with pytest.raises(tape.InvalidArgument):
        a.writing(size)
    assert is_usable(a)


def test_more_than_a_message_can_hold_is_refused_on_entering(a: tape.Appender) -> None:
    """As write() refuses it; the block is not run."""
    for size in (16_777_216, 1 << 40, (1 << 63) - 1):
        with pytest.raises(tape.MessageTooLarge), a.writing(size):
            raise AssertionError("it was entered")
    assert is_usable(a)


@pytest.mark.parametrize("size", [0, 1, 200, 255, 256, 65535, 65536, 1 << 20])
def test_what_stands_in_the_buffer_is_the_message(a: tape.Appender, size: int) -> None:
    """Whole, and cut to any length; the codec is not asked."""
    want = []
    for n in {size, size // 2, 1, 0}:
        if n <= size:
            with a.writing(size) as w:
                assert len(w.buffer) == size and not w.buffer.readonly and w.index is None
                w.buffer[:n] = bytes(range(1, 256)) * (n // 255) + bytes(n % 255)
                w.truncate(size)
                w.truncate(n)
            want.append(bytes(range(1, 256)) * (n // 255) + bytes(n % 255))
            assert w.index == a.last_index == a.queue.last_index and w.buffer is None
    assert is_usable(a, *want)


def test_a_whole_document_in_place(tmp_path: Path) -> None:
    """The appender's framing counts."""
    with tape.open(tmp_path, codec=document) as q:
        a = q.appender()
        for n in (5, 3):
            with a.writing(5) as w:
                w.buffer[:] = b"abcde"
                w.truncate(n)
        assert list(q.tailer()) == [b"abcde", b"abc"]


@pytest.mark.parametrize("n", [-1, 11, 1 << 70, 1.0, None])
def test_truncate_keeps_to_the_buffer(a: tape.Appender, n: Any) -> None:
    """Anything else is an error, after which the block goes on."""
    with a.writing(10) as w:
        with pytest.raises(tape.InvalidArgument):
            w.truncate(n)
        w.buffer[:] = b"0123456789"
    with pytest.raises(tape.StateError):
        w.truncate(1)
    assert is_usable(a, b"0123456789")


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_an_exception_in_the_block_leaves_nothing(
        a: tape.Appender, kind: type[BaseException]) -> None:
    """It comes out as it is, also when a slice is still there."""
    for keep in (False, True):
        kept = []
        with pytest.raises(kind), a.writing(10) as w:
            w.buffer[:] = b"0123456789"
            if keep:
                kept.append(w.buffer[2:])
            raise kind
        assert w.index is None and w.buffer is None
        for view in kept:
            with pytest.raises(ValueError, match="released"):
                view[0]
    assert is_usable(a)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # in __del__
def test_an_interrupt_at_any_step_leaves_the_lock_free(a: tape.Appender) -> None:
    """Whether the message was written is what last_index tells."""
    written: list[bytes] = []

    def write() -> None:
        with a.writing(3) as w:
            w.buffer[:] = b"abc"

    def judge(interrupted: bool, result: object, where: str) -> None:
        gc.collect()
        index = a.last_index
        if index != last[0]:
            written.append(b"abc")
        last[0] = a.write(b"x")  # the lock is free
        written.append(b"x")

    last = [a.last_index]
    assert at_every_step(write, judge, kind=Interrupt) > 50
    assert [m for m in a.queue.tailer() if m != b"before"] == written


def test_ctrl_c_in_the_block(a: tape.Appender) -> None:
    """A signal's exception abandons the message."""
    with pytest.raises(KeyboardInterrupt), a.writing(10):
        signal.raise_signal(signal.SIGINT)
    assert is_usable(a)


def test_a_kept_slice_is_told_and_harmless(a: tape.Appender) -> None:
    """Nothing is written, and whoever touches it later gets ValueError."""
    for _ in range(2):
        with pytest.raises(tape.StateError, match="slice") as caught, a.writing(10) as w:
            kept, more = w.buffer[2:5], memoryview(w.buffer).cast("B")
        assert caught.value.hint
        for view in (kept, more):
            with pytest.raises(ValueError, match="released"):
                view[0]
    assert is_usable(a)


def test_a_kept_array_is_told(a: tape.Appender) -> None:
    """It cannot be taken away, so nothing is written."""
    with pytest.raises(tape.StateError, match="array"), a.writing(10) as w:
        kept = (pytest.importorskip("ctypes").c_char * 10).from_buffer(w.buffer)
    del kept
    assert w.index is None and is_usable(a)


def test_a_slice_that_was_released_is_no_hindrance(a: tape.Appender) -> None:
    """By del, or by release()."""
    with a.writing(4) as w:
        first, second = w.buffer[:2], w.buffer[2:]
        first[:], second[:] = b"ab", b"cd"
        first.release()
        del second
    assert is_usable(a, b"abcd")


def test_writers_of_the_queue_raise_in_the_block_and_go_on_behind_it(a: tape.Appender) -> None:
    """Every way of writing, of this appender, another, and another handle, in any thread."""
    q = a.queue
    seen: list[BaseException] = []

    def refused(call: Any) -> None:
        try:
            call()
        except tape.StateError as error:
            seen.append(error)

    with tape.open(q.path, codec=raw) as second:
        others = [a, q.appender(), second.appender()]
        with a.writing(4) as w:
            w.buffer[:] = b"abcd"
            calls = [call for x in others for call in (
                lambda x=x: x.write(b"1"), lambda x=x: x.write_many([b"1", b"2"]),
                lambda x=x: x.write(b"1", expect=5), lambda x=x: x.writing(3).__enter__())]
            for call in calls:
                refused(call)
                thread = threading.Thread(target=refused, args=(call,))
                thread.start()
                thread.join()
            assert len(seen) == 2 * len(calls)
            assert all("writing()" in error.hint for error in seen)
            assert list(q.tailer()) in ([], [b"before"])
        for x in others:
            x.write(b"before")
    assert is_usable(a, b"abcd")


def test_closing_in_another_thread_is_refused_by_name(a: tape.Appender) -> None:
    """The appender and the queue stay open, and the message is written."""
    seen: list[BaseException] = []

    def close() -> None:
        for thing in (a, a.queue):
            try:
                thing.close()
            except tape.StateError as error:
                seen.append(error)

    with a.writing(2) as w:
        w.buffer[:] = b"ab"
        thread = threading.Thread(target=close)
        thread.start()
        thread.join()
        close()
    assert len(seen) == 4 and not a.closed and not a.queue.closed
    assert is_usable(a, b"ab")
    close()
    assert len(seen) == 4 and a.queue.closed
    with pytest.raises(tape.QueueClosed), a.writing(1):
        raise AssertionError("it was entered")


def test_a_child_forked_in_the_block_leaves_the_message_to_its_parent(a: tape.Appender) -> None:
    """Leaving the block in the child is Forked, and touches neither the file nor the lock."""
    status = 0
    with a.writing(4) as w:
        w.buffer[:] = b"abcd"
        pid = os.fork()
        if pid == 0:
            try:
                w.__exit__(None, None, None)
            except tape.Forked:
                status = 7
            os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert bytes(w.buffer) == b"abcd"
    assert is_usable(a, b"abcd")


@pytest.mark.parametrize("how", ["falls out", "sys.exit", "keeps a slice", "closes all"])
def test_a_child_forked_in_the_block_ends_as_any_process(tmp_path: Path, how: str) -> None:
    """It comes to its end by itself, through all that Python does at exit; the parent goes on."""
    program = f"""
import os, sys, tape
q = tape.open({str(tmp_path / "q")!r}, codec=tape.codecs.raw)
a = q.appender()
a.write(b"before")
how, kept = {how!r}, []
try:
    with a.writing(4) as w:
        w.buffer[:] = b"abcd"
        pid = os.fork()
        if pid == 0 and how == "sys.exit":
            sys.exit(7)
        if pid == 0 and how == "keeps a slice":
            kept.append(w.buffer[1:])
        if pid == 0 and how == "closes all":
            for owner in (a, q):
                try:
                    owner.close()
                except tape.StateError:
                    pass
        if pid:
            status = os.waitpid(pid, 0)[1]
except tape.Forked:
    sys.exit(7)
assert os.waitstatus_to_exitcode(status) == 7, status
assert a.write(b"after") == w.index + 1
print(list(q.tailer()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          timeout=60)
    assert done.stdout == "[b'before', b'abcd', b'after']\n", done.stderr
    assert "Traceback" not in done.stderr  # a busy machine's slow appends are told, too


def test_a_child_forked_while_another_thread_makes_a_message_ends_as_any(tmp_path: Path) -> None:
    """The thread and its message stay with the parent; the child closes, or just ends."""
    program = f"""
import os, sys, tape, threading
q = tape.open({str(tmp_path / "q")!r}, codec=tape.codecs.raw)
a = q.appender()
a.write(b"before")
inside, go = threading.Event(), threading.Event()
def make():
    with a.writing(4) as w:
        w.buffer[:] = b"abcd"
        inside.set()
        go.wait()
thread = threading.Thread(target=make)
thread.start()
inside.wait()
for how in ("ends", "a", "q"):
    pid = os.fork()
    if pid == 0:
        try:
            if how != "ends":
                globals()[how].close()
        except tape.StateError:
            pass
        sys.exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7, how
go.set()
thread.join()
print(list(q.tailer()))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True,
                          text=True, timeout=60)
    assert done.stdout == "[b'before', b'abcd']\n", done.stderr
    assert "Traceback" not in done.stderr


def test_a_place_that_is_forgotten_or_used_twice(a: tape.Appender) -> None:
    """Forgotten, it is abandoned; the object is for one message."""
    a.writing(5).__enter__()
    gc.collect()
    with a.writing(2) as w:
        w.buffer[:] = b"ab"
    with pytest.raises(tape.StateError), w:
        raise AssertionError("it was entered")
    assert is_usable(a, b"ab")
