"""write_many(): all encoded first, one lock, one range; and what is left when it fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.codecs import Encoding
from tests.kit.directories import digest


def test_no_messages_give_an_empty_range_and_touch_nothing(closed: Path) -> None:
    """Also an iterator that is empty; a closed appender says so all the same."""
    with tape.open(closed, codec=raw) as q:
        a = q.appender()
        before = digest(closed)
        assert a.write_many([]) == a.write_many(iter(())) == range(0)
        assert a.last_index is None and digest(closed) == before
    with pytest.raises(tape.QueueClosed):
        a.write_many([])


def test_an_iterable_that_raises_writes_nothing(closed: Path) -> None:
    """What it raised comes out as it is, and so does what is no iterable."""
    def some() -> Iterator[bytes]:
        yield b"1"
        raise KeyError("in the middle")

    with tape.open(closed, codec=raw) as q:
        a = q.appender()
        before = digest(closed)
        with pytest.raises(KeyError):
            a.write_many(some())
        with pytest.raises(TypeError):
            a.write_many(5)  # type: ignore[arg-type]
        assert digest(closed) == before


@pytest.mark.parametrize("bad", ["text", 16_777_216 * b"x"])
def test_one_message_that_cannot_be_written_keeps_all_from_being(
        closed: Path, bad: str | bytes) -> None:
    """Of a kind that the codec refuses, or too large: the error says it, and nothing is written."""
    with tape.open(closed, codec=raw) as q:
        a = q.appender()
        before = digest(closed)
        with pytest.raises(tape.WriteFailed) as caught:
            a.write_many([b"1", bad, b"3"])
        assert type(caught.value) in (tape.EncodeError, tape.MessageTooLarge)
        assert caught.value.written == range(0) and digest(closed) == before


def test_the_indexes_are_those_of_the_messages_in_their_order(tmp_path: Path) -> None:
    """Whatever their sizes; each index of the range finds its message."""
    messages = [bytes([n % 256]) * size for n, size in enumerate([0, 1, 7, 255, 256, 65536] * 200)]
    with tape.open(tmp_path, codec=raw) as q:
        a = q.appender()
        first = a.write(b"first")
        indexes = a.write_many(iter(messages))
        assert indexes == range(first + 1, first + 1 + len(messages))
        assert a.last_index == indexes[-1] == q.last_index
        assert [(e.index, e.value) for e in q.tailer().entries()][1:] == [
            *zip(indexes, messages, strict=True)]


def test_a_full_cycle_tells_which_messages_were_written(tmp_path: Path, clock: SetClock) -> None:
    """The error is that of the rest; written again, the rest gets the next cycle."""
    with tape.open(tmp_path, codec=raw, roll_cycle="TEST_DAILY", clock=clock) as q:
        a = q.appender()
        messages = [b"%d" % n for n in range(100)]
        with pytest.raises(tape.CycleFull) as caught:
            a.write_many(messages)
        done = caught.value.written
        assert len(done) == 64 and a.last_index == done[-1]
        assert list(q.tailer()) == messages[:64]
        with pytest.raises(tape.CycleFull) as caught:
            a.write_many(messages[64:])
        assert caught.value.written == range(0)
        clock.ms += 86_400_000
        assert len(a.write_many(messages[64:])) == 36
        assert list(q.tailer()) == messages


def test_buffers_of_every_kind_are_written_as_what_they_hold(tmp_path: Path) -> None:
    """Read-only, with gaps, backward, of wider items; one that the codec uses again."""
    used_again = bytearray(2)

    def reuse(n: int) -> bytearray:
        used_again[:] = b"%02d" % n
        return used_again

    kinds = [memoryview(b"abcd"), memoryview(bytearray(b"abcd"))[::2], memoryview(b"abc")[::-1],
             memoryview(b"abcdefgh").cast("H"), memoryview(b"")]
    want = [b"abcd", b"ac", b"cba", b"abcdefgh", b""]
    with tape.open(tmp_path, codec=raw) as q:
        whole = q.appender(codec=Encoding(lambda obj: obj))
        for write in (whole.write, whole.try_write):
            for kind in kinds:
                write(kind)
        whole.write_many(kinds)
        q.appender(codec=Encoding(reuse)).write_many(range(3))
        seen = [message for message in q.tailer()]
    assert seen[:5] == seen[-8:-3] == want and seen[-3:] == [b"00", b"01", b"02"]


def test_a_codec_may_write_to_the_queue_while_it_encodes(tmp_path: Path) -> None:
    """No lock is held yet: its messages come before all of the call's."""
    with tape.open(tmp_path, codec=raw) as q:
        other = q.appender()

        def encode(obj: bytes) -> bytes:
            other.write(b"of " + obj)
            return obj

        q.appender(codec=Encoding(encode)).write_many([b"1", b"2"])
        assert list(q.tailer()) == [b"of 1", b"of 2", b"1", b"2"]


def test_calls_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    """Each range stands alone, and holds what its thread gave."""
    with tape.open(tmp_path, codec=raw) as q:
        a, seen = q.appender(), dict[int, bytes]()

        def write(name: int) -> None:
            for n in range(50):
                messages = [b"%d %d %d" % (name, n, i) for i in range(20)]
                seen.update(zip(a.write_many(messages), messages, strict=True))

        threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {e.index: e.value for e in q.tailer().entries()} == seen and len(seen) == 4000


def test_a_batch_of_values_is_the_bytes_of_single_ones(tmp_path: Path) -> None:
    """Fressian begins each message anew, whatever stands before it in the buffer."""
    values = [{"foo": ["bar", {"baz": n}]} if n % 3 else ["x" * n, n, None] for n in range(1200)]
    with tape.open(tmp_path) as q:
        a = q.appender()
        for value in values:
            a.write(value)
        assert len(a.write_many(v for v in values)) == len(a.write_many(values)) == 1200
        assert list(q.tailer()) == values * 3
        bodies = list(q.tailer(codec=raw))
    assert bodies[:1200] == bodies[1200:2400] == bodies[2400:]


def test_a_value_in_the_middle_that_cannot_be_encoded_keeps_all_from_being(closed: Path) -> None:
    """Nothing is written; what is not bytes in raw is told, or written as what it holds."""
    with tape.open(closed, codec=raw) as q:
        a, before = q.appender(codec=tape.codecs.fressian), digest(closed)
        with pytest.raises(tape.EncodeError):
            a.write_many([1, object(), 3])
        assert a.write_many([]) == range(0) and digest(closed) == before
        b = q.appender()
        with pytest.raises(tape.EncodeError):
            b.write_many([b"1", 2, b"3"])
        assert digest(closed) == before
        indexes = b.write_many([b"1", bytearray(b"2"), memoryview(b"3")])
        assert [q.tailer(start=n).read() for n in indexes] == [b"1", b"2", b"3"]


def test_an_iterable_may_close_what_it_is_written_to(tmp_path: Path) -> None:
    """Nothing is written then, and QueueClosed says who did it; an error beside it is the first."""
    for codec in (raw, tape.codecs.fressian):
        with tape.open(tmp_path / codec.name, codec=codec) as q:
            a, last = q.appender(), q.last_index

            def some(a: tape.Appender = a) -> Iterator[bytes]:
                yield b"1"
                a.close()
                yield b"2"

            with pytest.raises(tape.QueueClosed, match=r"Appender.close\(\)"):
                a.write_many(some())
            with pytest.raises(tape.QueueClosed):
                a.write_many([b"1"])

            def some_and_an_error(a: tape.Appender) -> Iterator[bytes]:
                a.close()
                yield b"1"
                raise KeyError

            b = q.appender()
            with pytest.raises(KeyError):
                b.write_many(some_and_an_error(b))
            assert q.last_index == last
