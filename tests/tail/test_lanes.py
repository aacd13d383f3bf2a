"""The lanes of tape._fast and the methods in Python give the same, whatever happens on the way."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tape
from tape import _lanes
from tape.codecs import raw
from tests.kit.interrupts import at_every_step

lanes = pytest.mark.skipif(not _lanes.have_lanes, reason="tape._fast was not built, or TAPE_PURE=1")


@pytest.fixture
def q(tmp_path: Path) -> Iterator[tape.Queue]:
    with tape.open(tmp_path / "q", codec=raw) as queue:
        yield queue


class Codec:
    """Bytes, with something done in the middle of decode() or encode()."""

    name, framing = "with a twist", "bytes"

    def __init__(self, decode: Callable[[memoryview], Any] = bytes,
                 encode: Callable[[Any], Any] = bytes) -> None:
        self.decode, self.encode = decode, encode


READS: dict[str, Callable[[tape.Tailer], Any]] = {
    "read": lambda t: t.read(), "get": lambda t: t.get(timeout=5),
    "read with a timeout": lambda t: t.read(timeout=1), "iterate": lambda t: next(iter(t)),
    "read_many": lambda t: t.read_many(1)[0]}


def test_pure_is_what_the_environment_asks_for(tmp_path: Path) -> None:
    """TAPE_PURE=1 leaves the extension alone; the same bytes come out of both."""
    code = ("import tape, sys; q = tape.open(sys.argv[1]); a = q.appender(); a.write({'a': 1}); "
            "print(tape._lanes.have_lanes, list(q.tailer()))")
    seen = [subprocess.run([sys.executable, "-c", code, str(tmp_path / pure)], check=True,
                           text=True, capture_output=True,
                           env={"TAPE_PURE": pure, "PATH": ""}).stdout.split(" ", 1)
            for pure in ("1", "0")]
    assert seen[0][0] == "False" and seen[0][1] == seen[1][1]


@lanes
def test_the_lanes_have_the_texts_and_signatures_of_the_methods() -> None:
    """help() shows what stands in the source."""
    assert "timeout: seconds to wait" in (tape.Tailer.read.__doc__ or "")
    assert str(tape.Tailer.read.__text_signature__) == "($self, default=None, *, timeout=0)"
    assert "Appends one message" in (tape.Appender.write.__doc__ or "")


@pytest.mark.parametrize("how", READS)
def test_positions_are_exact_after_each_message(q: tape.Queue, how: str) -> None:
    """index, last_read, and what is next: no message is fetched before it is asked for."""
    indexes = [q.appender().write(b"%d" % n) for n in range(5)]
    t = q.tailer()
    for n, index in enumerate(indexes):
        assert t.index == index
        assert READS[how](t) == b"%d" % n and t.last_read == index
    assert t.index == indexes[-1] + 1


@pytest.mark.parametrize("how", READS)
@pytest.mark.parametrize("keep", ["view", "slice", "cast", "numpy"])
def test_a_kept_view_is_found(q: tape.Queue, how: str, keep: str) -> None:
    """By its export count: an error, and the message stays next."""
    numpy = pytest.importorskip("numpy")
    kept: list[Any] = []
    keepers: dict[str, Callable[[memoryview], Any]] = {
        "view": lambda view: view, "slice": lambda view: kept.append(view[1:2]),
        "cast": lambda view: kept.append(view.cast("c")),
        "numpy": lambda view: kept.append(numpy.frombuffer(view, "u1"))}
    index = q.appender().write(b"abc")
    t = q.tailer(codec=Codec(keepers[keep]))
    with pytest.raises(tape.StateError, match="kept a view"):
        READS[how](t)
    assert t.index == index
    kept.clear()


def test_a_name_for_the_view_alone_keeps_nothing(q: tape.Queue) -> None:
    """It is an ended view then."""
    kept: list[memoryview] = []

    def decode(view: memoryview) -> bytes:
        kept.append(view)
        return bytes(view)

    q.appender().write(b"abc")
    assert q.tailer(codec=Codec(decode)).read() == b"abc"
    with pytest.raises(ValueError, match="released"):
        kept[0][0]


@pytest.mark.parametrize("how", READS)
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_what_decode_raises(q: tape.Queue, how: str, error: type[BaseException]) -> None:
    """Bad input is a DecodeError, all else comes out as it is; the message stays next."""
    index = q.appender().write(b"abc")
    fail = [True]

    def decode(view: memoryview) -> bytes:
        if fail[0]:
            raise error("no")
        return bytes(view)

    t = q.tailer(codec=Codec(decode))
    with pytest.raises(tape.DecodeError if error is ValueError else error) as raised:
        READS[how](t)
    if isinstance(raised.value, tape.DecodeError):
        assert raised.value.index == index and raised.value.raw == b"abc"
        assert isinstance(raised.value.__cause__, ValueError)
    assert t.index == index
    fail[0] = False
    assert READS[how](t) == b"abc"


@pytest.mark.parametrize("how", READS)
def test_a_tailer_used_within_its_own_decode_is_busy(q: tape.Queue, how: str) -> None:
    """Whatever call it is; and the message is had all the same."""
    said: list[str] = []

    def decode(view: memoryview) -> bytes:
        for use in (*READS.values(), lambda t: t.seek(t.queue.first_index), lambda t: t.index,
                    lambda t: t.close()):
            try:
                use(t)
            except tape.TailerBusy as busy:
                said.append(str(busy))
        return bytes(view)

    q.appender().write(b"abc")
    t = q.tailer(codec=Codec(decode))
    assert READS[how](t) == b"abc" and len(said) == len(READS) + 3


@pytest.mark.parametrize("how", READS)
def test_the_queue_may_be_closed_within_decode(q: tape.Queue, how: str) -> None:
    """The memory that the codec was lent stays until it is done; the next call says so."""
    def decode(view: memoryview) -> bytes:
        q.close()
        return bytes(view)

    for _ in range(3):
        q.appender().write(b"abc" * 1000)
    t = q.tailer(codec=Codec(decode))
    assert READS[how](t) == b"abc" * 1000
    with pytest.raises(tape.QueueClosed):
        t.read()


def test_a_second_thread_is_told_that_the_tailer_is_busy(q: tape.Queue) -> None:
    """Also while a codec runs in a lane."""
    inside, go = threading.Event(), threading.Event()

    def decode(view: memoryview) -> bytes:
        inside.set()
        assert go.wait(10)
        return bytes(view)

    q.appender().write(b"abc")
    t, got = q.tailer(codec=Codec(decode)), []
    reader = threading.Thread(target=lambda: got.append(t.read()))
    reader.start()
    assert inside.wait(10)
    for use in READS.values():
        with pytest.raises(tape.TailerBusy):
            use(t)
    go.set()
    reader.join(10)
    assert got == [b"abc"]


@pytest.mark.parametrize("how", ["read", "get", "iterate", "read_many"])
def test_an_interrupt_at_any_step_of_what_a_lane_hands_over_loses_nothing(
        q: tape.Queue, how: str) -> None:
    """A message that cannot be decoded goes to Python with its turn; wherever that is interrupted,
    the same tailer gives what it had not given yet, and can be closed."""
    def decode(view: memoryview) -> bytes:
        if view[0] == 0:
            raise ValueError("bad")
        return bytes(view)

    for message in (b"a", b"\0", b"b", b"c"):
        q.appender().write(message)
    tailers = [q.tailer(codec=Codec(decode), on_error="skip")]
    got: list[bytes] = []

    def call() -> None:
        t = tailers[-1]
        got[:] = []
        if how == "read_many":
            got.extend(t.read_many(10))
        else:
            got.append(READS[how](t))  # b"a" by the lane alone, then over the bad one
            got.append(READS[how](t))

    def judge(interrupted: bool, result: object, where: str) -> None:
        t = tailers[-1]
        assert interrupted == bool(where)
        rest = t.read_many(10)
        assert got + rest == [b"a", b"b", b"c"], where
        t.close()
        tailers.append(q.tailer(codec=Codec(decode), on_error="skip"))

    assert at_every_step(call, judge) > 50


def test_a_loop_that_ended_stays_ended(q: tape.Queue) -> None:
    """As a generator does; another loop goes on."""
    t = q.tailer()
    loop = iter(t)
    assert next(loop, None) is None
    q.appender().write(b"abc")
    assert next(loop, None) is None and list(t) == [b"abc"]


def test_on_error_is_asked_once_for_each_bad_message(q: tape.Queue) -> None:
    """In all ways of reading."""
    def decode(view: memoryview) -> bytes:
        if view[0] % 2:
            raise ValueError("odd")
        return bytes(view)

    for n in range(10):
        q.appender().write(bytes([n]))
    for many in (False, True):
        told: list[int] = []
        t = q.tailer(codec=Codec(decode), on_error=lambda error: told.append(error.raw[0]))
        got = t.read_many(100) if many else list(t)
        assert [m[0] for m in got] == [0, 2, 4, 6, 8] and told == [1, 3, 5, 7, 9]


def test_a_document_of_another_framing_is_a_decode_error(q: tape.Queue) -> None:
    """With its bytes; skip() moves on."""
    q.appender(codec=tape.codecs.document).write(b"\x01whole")
    index = q.appender().write(b"framed")
    for how, read in READS.items():
        t = q.tailer()
        with pytest.raises(tape.DecodeError, match="framed"):
            read(t)
        assert t.skip() == 1 and t.index == index and read(t) == b"framed", how


def test_encode_may_write_to_the_same_queue(q: tape.Queue) -> None:
    """The message within comes first; both are whole."""
    a = q.appender()
    inner = q.appender(codec=Codec(encode=lambda obj: (a.write(b"inner"), obj)[1]))
    assert inner.write(b"outer") == a.last_index + 1  # type: ignore[operator]
    assert list(q.tailer()) == [b"inner", b"outer"]


def test_fressian_handlers_may_write_to_the_same_appender(tmp_path: Path) -> None:
    """A handler runs in the middle of encode(): the buffer of the lane is in use then."""
    with tape.open(tmp_path / "f") as q:
        a: Any = None

        def default(value: Any) -> Any:
            a.write(["inner"])
            return "replaced"

        codec = tape.codecs.fressian.Fressian(default=default)
        a = q.appender(codec=codec)
        a.write(["outer", object()])
        assert list(q.tailer()) == [["inner"], ["outer", "replaced"]]


@pytest.mark.parametrize("data", [bytearray(b"abc"), memoryview(b"abc"), memoryview(b"xabcx")[1:4],
                                  memoryview(b"axbxcx")[::2]])
def test_what_encode_gives_may_be_any_buffer(q: tape.Queue, data: Any) -> None:
    """bytes, bytearray, memoryview."""
    q.appender().write(data)
    assert q.tailer().read() == b"abc"


@pytest.mark.parametrize("bad", ["text", None])
def test_what_is_no_buffer_is_refused(q: tape.Queue, bad: Any) -> None:
    """And nothing is written."""
    a = q.appender(codec=Codec(encode=lambda obj: obj))
    with pytest.raises((TypeError, ValueError, BufferError)):
        a.write(bad)
    assert len(q) == 0


def test_a_closed_appender_and_tailer_say_who_closed_them(q: tape.Queue) -> None:
    """In every hot call."""
    q.appender().write(b"abc")
    a, t = q.appender(), q.tailer()
    loop = iter(t)
    a.close()
    t.close()
    for use in (lambda: a.write(b"x"), t.read, t.get, lambda: t.seek(0), lambda: t.read_many(1),
                lambda: next(loop), lambda: next(iter(t))):
        with pytest.raises(tape.QueueClosed, match="was closed by"):
            use()


@pytest.mark.parametrize("arguments", [(1, 2), (-1,), ("x",), (1.5,), (1 << 63,), (1 << 70,), ()])
def test_arguments_out_of_range_are_refused(q: tape.Queue, arguments: tuple[Any, ...]) -> None:
    """As the methods in Python do."""
    q.appender().write(b"abc")
    t = q.tailer()
    for call in (t.seek, t.read_many):
        if (call, arguments) in ((t.read_many, (1 << 63,)), (t.read_many, (1 << 70,))):
            continue
        with pytest.raises((TypeError, tape.InvalidArgument)):
            call(*arguments)
    assert t.read() == b"abc"


def test_an_object_without_its_init_does_not_crash() -> None:
    """AttributeError, or what Python says; never a fault."""
    for cls, name in ((tape.Tailer, "read"), (tape.Tailer, "__iter__"), (tape.Appender, "write")):
        made = cls.__new__(cls)
        with pytest.raises(Exception):  # noqa: B017
            getattr(made, name)(*([b"x"] if name == "write" else []))


def test_nothing_is_leaked(q: tape.Queue) -> None:
    """References of what goes through the lanes come out even."""
    message, a = bytes(100), q.appender()
    t = q.tailer(codec=Codec(lambda view: None))
    before = sys.getrefcount(None), sys.getrefcount(message)
    for _ in range(1000):
        a.write(message)
    t.read_many(400)
    list(t)
    for _ in range(100):
        t.read()
    assert sys.getrefcount(message) == before[1]
    assert abs(sys.getrefcount(None) - before[0]) < 100
