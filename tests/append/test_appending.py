"""What an appender takes, numbers and refuses."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.directories import digest


def test_bytes_like_objects_are_written_as_what_they_hold(tmp_path: Path) -> None:
    """bytes, bytearray and memoryview are written as what they hold."""
    with tape.open(tmp_path, codec=raw) as q:
        a = q.appender()
        for obj in (b"", b"a", bytearray(b"bc"), memoryview(b"_def_")[1:4]):
            a.write(obj)
        assert list(q.tailer()) == [b"", b"a", b"bc", b"def"]
        with pytest.raises(tape.EncodeError):
            a.write("text")


def test_a_full_cycle_refuses_one_more_and_the_next_cycle_goes_on(
        tmp_path: Path, clock: SetClock) -> None:
    """TEST_DAILY numbers 64 messages; the next is CycleFull, and nothing is written."""
    with tape.open(tmp_path, codec=raw, roll_cycle="TEST_DAILY", clock=clock) as q:
        a = q.appender()
        for n in range(64):
            a.write(b"%d" % n)
        for _ in range(2):
            with pytest.raises(tape.CycleFull):
                a.write(b"one more")
        assert len(list(q.tailer())) == 64
        clock.ms += 86_400_000
        a.write(b"tomorrow")
        assert len(list(q.tailer())) == 65


def test_a_file_of_small_blocks_grows_while_it_is_read(tmp_path: Path) -> None:
    """With the smallest block the file is enlarged again and again while it is read."""
    with tape.open(tmp_path, codec=raw, block_size=1) as q:
        a, t = q.appender(), q.tailer()
        for n in range(300):
            a.write(b"%5d" % n * 1000)
        assert [m[:5] for m in t] == [b"%5d" % n for n in range(300)]
        with pytest.raises(tape.MessageTooLarge):
            a.write(bytes(65532))
        a.write(bytes(65531))


def test_threads_that_share_an_appender_lose_nothing(tmp_path: Path) -> None:
    """Writes are serialised: all there, each thread's in order."""
    with tape.open(tmp_path, codec=raw) as q:
        shared = q.appender()

        def write(name: int) -> None:
            for n in range(2000):
                shared.write(b"%d %d" % (name, n))

        threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        got = [tuple(map(int, m.split())) for m in q.tailer()]
        assert len(got) == 8000
        for name in range(4):
            assert [n for who, n in got if who == name] == list(range(2000))


def test_the_largest_message_is_taken_and_one_byte_more_is_not(closed: Path) -> None:
    """The limit is Java's: 16 MiB of document with the default block; above, nothing is written."""
    largest = 16_777_216 - 7
    with tape.open(closed, codec=tape.codecs.raw) as q:
        a = q.appender()
        before = digest(closed)
        with pytest.raises(tape.MessageTooLarge) as caught:
            a.write(bytes(largest + 1))
        assert caught.value.hint and digest(closed) == before
        index = a.write(b"x" * largest)
        t = q.tailer()
        assert t.seek(index) and t.read() == b"x" * largest


def test_what_a_codec_cannot_encode_writes_nothing(closed: Path) -> None:
    """A failing codec writes nothing; the error is the codec's own EncodeError."""
    with tape.open(closed, codec=raw) as q:
        a = q.appender(codec=tape.codecs.fressian)
        before = digest(closed)
        with pytest.raises(tape.EncodeError):
            a.write(object())
        assert a.last_index is None and digest(closed) == before
