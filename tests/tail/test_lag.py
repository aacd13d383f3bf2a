"""lag(): how far a tailer is behind, in messages, bytes and seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.queues import BLOCK, CYCLE, Changing, index_of

PER_MESSAGE = 12  # header word, frame of 4 and text of 3, padded to a multiple of 4


def test_lag_falls_with_every_message(changing: Changing) -> None:
    """From everything to nothing, over files and a gap; bytes are those of the documents and of the
    pages that each further file begins with."""
    t = changing.q.tailer()
    seen = [t.lag()]
    while t.read() is not None:
        seen.append(t.lag())
    assert [lag.messages for lag in seen] == list(range(8, -1, -1))
    pages = seen[2].bytes - seen[1].bytes + PER_MESSAGE  # entering a file leaves its pages behind
    assert seen[-1].bytes == 0 and all(a.bytes > b.bytes for a, b in zip(seen, seen[1:]))
    assert pages <= 0
    assert seen[6].bytes - seen[7].bytes >= PER_MESSAGE


def test_lag_within_a_file_counts_its_documents(changing: Changing) -> None:
    """Exactly the bytes between the place and the end."""
    t = changing.q.tailer(start=index_of(5))
    assert t.lag() == (2, 2 * PER_MESSAGE, 0.0)
    t.read()
    assert t.lag() == (1, PER_MESSAGE, 0.0)
    changing.write(5, 3)
    assert t.lag() == (4, 4 * PER_MESSAGE, 0.0)


def test_seconds_are_those_since_the_cycle_ended(changing: Changing) -> None:
    """By the queue's clock; nothing is claimed while the cycle goes on, nor at the end."""
    t = changing.q.tailer(start=index_of(2, 1))
    changing.clock.ms = (CYCLE + 10) * 1000 + 250
    assert t.lag().seconds == 7.25  # its cycle, second 2, ended at 3
    t.read()
    assert t.lag() == (2, t.lag().bytes, 4.25)  # 5 ended at 6
    t.skip(2)
    assert t.lag() == (0, 0, 0.0)
    changing.clock.ms = (CYCLE + 5) * 1000 + 900
    assert changing.q.tailer(start=index_of(5)).lag().seconds == 0.0


def test_lag_disturbs_nothing(changing: Changing) -> None:
    """Neither the place, nor what was delivered last and can be decoded again, nor a direction."""
    t = changing.q.tailer(direction="backward", start="end")
    assert t.read() == b"5.1"
    assert t.lag() == (2, 2 * PER_MESSAGE, 0.0)  # 5.0 is next
    assert t.read_many(2) == [b"5.0", b"2.1"]
    assert t.lag().messages == 4  # at 2.0, and 2.1, 5.0, 5.1 behind it
    t.direction = "forward"
    assert t.lag().messages == 4
    assert t.read() == b"2.0" and t.lag().messages == 3


def test_lag_of_one_whose_position_is_beyond_the_end_counts_what_comes(changing: Changing) -> None:
    """It stands at the end of what there is."""
    with changing.q.tailer("n", commit="manual") as t:
        t.seek(index_of(5, 2))
        t.commit()
    Path(changing.q.locate(index_of(5)).path).unlink()
    with tape.open(changing.q.path, codec=raw, clock=changing.clock, block_size=BLOCK) as q:
        a = q.appender()
        a.write(b"a")
        t = q.tailer("n", on_gap="skip")
        assert t.lag() == (0, 0, 0.0)
        a.write(b"b")
        assert t.info().state == "FOUND_IN_CYCLE" and t.lag().messages == 1
        assert t.read() == b"b"


def test_lag_of_an_empty_queue_is_nothing_and_a_closed_tailer_has_none(tmp_path: Path) -> None:
    """Nothing; and an error that says who closed it."""
    with tape.open(tmp_path, codec=raw) as q:
        t = q.tailer()
        assert t.lag() == (0, 0, 0.0) and t.info().state == "UNINITIALISED"
        q.appender().write(b"x")
        assert t.lag().messages == 1 and t.info().state == "FOUND_IN_CYCLE"
        t.close()
        with pytest.raises(tape.QueueClosed, match="Tailer"):
            t.lag()
