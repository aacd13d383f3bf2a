"""read_raw() and read_columns(): bodies without an object for each."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tape
from tape._batch import Batch
from tape.codecs import raw
from tests.kit.interrupts import at_every_step


@pytest.fixture
def q(tmp_path: Path) -> Iterator[tape.Queue]:
    with tape.open(tmp_path / "q", codec=raw) as queue:
        yield queue


def bodies(result: tuple[bytes, Any]) -> list[bytes]:
    buffer, offsets = result
    return [buffer[a:b] for a, b in zip(offsets, offsets[1:], strict=False)]


@pytest.mark.parametrize("n", [0, 1, 2, 7, 1000, 1 << 40])
def test_bodies_are_what_was_written(q: tape.Queue, n: int) -> None:
    """Empty ones, and such as are larger than a batch, in order; what is left is next."""
    written = [b"", b"a", b"b" * 100_000, b"c" * 300_000, b"d" * 200_000, b"", b"e"]
    for body in written:
        q.appender().write(body)
    t = q.tailer()
    assert bodies(t.read_raw(n)) == written[:n]
    assert list(t) == written[n:]
    assert t.read_raw(5)[1].tolist() == [0]


def test_more_than_a_batch_holds(q: tape.Queue) -> None:
    """Offsets go on from batch to batch."""
    written = [b"%d" % n for n in range(3 * Batch.COUNT + 5)]
    for body in written:
        q.appender().write(body)
    assert bodies(q.tailer().read_raw(10_000)) == written


@pytest.mark.parametrize("n", [-1, -(1 << 70)])
def test_negative_counts_are_refused(q: tape.Queue, n: int) -> None:
    t = q.tailer()
    for call in (t.read_raw, lambda n: t.read_columns("i8", n)):
        with pytest.raises(tape.InvalidArgument):
            call(n)
    with pytest.raises(TypeError):
        t.read_raw("1")  # type: ignore[arg-type]


def test_another_framing_ends_the_call_and_is_an_error_by_itself(q: tape.Queue) -> None:
    q.appender().write(b"one")
    index = q.appender(codec=tape.codecs.document).write(b"\x01whole")
    q.appender().write(b"two")
    t = q.tailer()
    assert bodies(t.read_raw(10)) == [b"one"]
    with pytest.raises(tape.DecodeError) as raised:
        t.read_raw(10)
    assert raised.value.index == index == t.index
    assert t.skip() == 1 and bodies(t.read_raw(10)) == [b"two"]


def test_records_of_another_size_end_the_call_and_are_an_error_by_themselves(
        q: tape.Queue) -> None:
    pytest.importorskip("numpy")
    for body in (b"12345678", b"1234567", b"abcdefgh"):
        q.appender().write(body)
    t = q.tailer()
    assert t.read_columns("S8", 10).tolist() == [b"12345678"]
    with pytest.raises(tape.DecodeError, match="7 bytes, and a record 8") as raised:
        t.read_columns("S8", 10)
    assert raised.value.raw == b"1234567"
    told: list[bytes | None] = []
    skipping = q.tailer(on_error=lambda error: told.append(error.raw))
    assert skipping.read_columns("S8", 10).tolist() == [b"12345678"]
    assert skipping.read_columns("S8", 10).tolist() == [b"abcdefgh"] and told == [b"1234567"]


def test_columns_are_of_their_own_memory(q: tape.Queue) -> None:
    """They may be written to, and stay when the queue goes."""
    pytest.importorskip("numpy")
    for n in range(2000):
        q.appender().write(struct.pack("<dq", n / 2, n))
    found = q.tailer().read_columns("<f8,<i8", 5000)
    q.close()
    found["f1"] += 1
    assert found["f1"].tolist() == list(range(1, 2001)) and found["f0"][3] == 1.5


@pytest.mark.parametrize("dtype", ["O", "S0", "i8,O", "no such type", 5])
def test_what_is_no_record_is_refused(q: tape.Queue, dtype: Any) -> None:
    """And nothing is read."""
    pytest.importorskip("numpy")
    q.appender().write(b"12345678")
    t = q.tailer()
    with pytest.raises((tape.InvalidArgument, TypeError)):
        t.read_columns(dtype, 5)
    assert t.read() == b"12345678"


def test_without_numpy_it_says_so(q: tape.Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ImportError, match="needs numpy"):
        q.tailer().read_columns("i8", 1)


def test_a_named_tailer_stores_its_position(q: tape.Queue) -> None:
    indexes = [q.appender().write(b"%d" % n) for n in range(4)]
    with q.tailer("worker") as t:
        t.read_raw(3)
    assert q.tailers()["worker"] == indexes[3]


def test_an_interrupt_at_any_step_loses_and_doubles_nothing(
        q: tape.Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Batch, "COUNT", 2)
    written = [b"%d" % n for n in range(5)]
    for body in written:
        q.appender().write(body)
    tailers = [q.tailer()]
    tailers[0].read_raw(0)

    def judge(interrupted: bool, result: Any, where: str) -> None:
        got = [] if result is None else bodies(result)
        assert interrupted == bool(where)
        assert got + bodies(tailers[-1].read_raw(10)) == written, where
        tailers[-1].close()
        tailers.append(q.tailer())

    assert at_every_step(lambda: tailers[-1].read_raw(4), judge) > 50
