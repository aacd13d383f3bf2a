"""write(expect=): only if the message gets that index."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.directories import digest


@pytest.mark.parametrize("expect", [-1, 1 << 63, 1.0, "5", True])
def test_what_is_no_index_is_refused_and_nothing_is_written(closed: Path, expect: object) -> None:
    """Negative, beyond 64 bits, or no int."""
    with tape.open(closed, codec=raw) as q:
        before = digest(closed)
        with pytest.raises(tape.InvalidArgument):
            q.appender().write(b"1", expect=expect)  # type: ignore[arg-type]
        assert digest(closed) == before


def test_another_index_is_a_conflict_that_tells_it(closed: Path) -> None:
    """Nothing is written; with the index that it tells the message is."""
    with tape.open(closed, codec=raw) as q:
        a, last = q.appender(), q.last_index
        assert last is not None
        a.write(b"the cycle of now")
        now = a.last_index
        assert now is not None
        for expect in (0, last, now, now + 2, (1 << 63) - 1):
            with pytest.raises(tape.Conflict) as caught:
                a.write(b"x", expect=expect)
            assert caught.value.index == now + 1 and caught.value.hint
        assert q.last_index == now
        assert a.write(b"x", expect=now + 1) == now + 1 == q.last_index


def test_inside_writing_it_raises_as_write_does(tmp_path: Path) -> None:
    """The lock is held by the block."""
    with tape.open(tmp_path, codec=raw) as q:
        a = q.appender()
        index = a.write(b"1")
        with pytest.raises(tape.StateError), a.writing(1):
            a.write(b"2", expect=index + 1)
        assert a.write(b"2", expect=index + 1) == index + 1


def test_of_several_writers_who_read_first_none_misses_a_message(tmp_path: Path) -> None:
    """Each adds one to the last number: none is lost, none doubled."""
    with tape.open(tmp_path, codec=raw) as q:
        q.appender().write(b"0")

        def count() -> None:
            a, t, last = q.appender(), q.tailer(), b""
            for _ in range(50):
                while True:
                    last = ([last, *t])[-1]
                    try:
                        a.write(b"%d" % (int(last) + 1), expect=t.index)
                        break
                    except tape.Conflict:
                        pass

        threads = [threading.Thread(target=count) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [int(m) for m in q.tailer()] == [*range(151)]
