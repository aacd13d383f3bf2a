"""How far a tailer is behind, and what info() tells."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.cycles.test_many_cycles import BLOCK, START, Changing, index_of

PER_MESSAGE = 12  # header word, frame of 4 and text of 3, padded to a multiple of 4


@pytest.fixture
def queue(tmp_path: Path):
    """Messages 0.0, 0.1, 1.0, 1.1, 2.0, 2.1, 5.0, 5.1: second and number."""
    c = Changing(tmp_path / "q")
    yield c
    c.q.close()


# ---- lag ----

def test_lag_falls_with_every_message(queue: Changing) -> None:
    """From everything to nothing, over files and a gap; bytes are those of the documents and of the
    pages that each further file begins with."""
    t = queue.q.tailer()
    seen = [t.lag()]
    while t.read() is not None:
        seen.append(t.lag())
    assert [lag.messages for lag in seen] == list(range(8, -1, -1))
    pages = seen[2].bytes - seen[1].bytes + PER_MESSAGE  # entering a file leaves its pages behind
    assert seen[-1].bytes == 0 and all(a.bytes > b.bytes for a, b in zip(seen, seen[1:]))
    assert pages <= 0
    assert seen[6].bytes - seen[7].bytes >= PER_MESSAGE


def test_lag_within_a_file_counts_its_documents(queue: Changing) -> None:
    """Exactly the bytes between the place and the end."""
    t = queue.q.tailer(start=index_of(5))
    assert t.lag() == (2, 2 * PER_MESSAGE, 0.0)
    t.read()
    assert t.lag() == (1, PER_MESSAGE, 0.0)
    queue.write(5, 3)
    assert t.lag() == (4, 4 * PER_MESSAGE, 0.0)


def test_seconds_are_those_since_the_cycle_ended(queue: Changing) -> None:
    """By the queue's clock; nothing is claimed while the cycle goes on, nor at the end."""
    t = queue.q.tailer(start=index_of(2, 1))
    queue.clock.ms = (START + 10) * 1000 + 250
    assert t.lag().seconds == 7.25  # its cycle, second 2, ended at 3
    t.read()
    assert t.lag() == (2, t.lag().bytes, 4.25)  # 5 ended at 6
    t.skip(2)
    assert t.lag() == (0, 0, 0.0)
    queue.clock.ms = (START + 5) * 1000 + 900
    assert queue.q.tailer(start=index_of(5)).lag().seconds == 0.0


def test_lag_disturbs_nothing(queue: Changing) -> None:
    """Neither the place, nor what was delivered last and can be decoded again, nor a direction."""
    t = queue.q.tailer(direction="backward", start="end")
    assert t.read() == b"5.1"
    assert t.lag() == (2, 2 * PER_MESSAGE, 0.0)  # 5.0 is next
    assert t.read_many(2) == [b"5.0", b"2.1"]
    assert t.lag().messages == 4  # at 2.0, and 2.1, 5.0, 5.1 behind it
    t.direction = "forward"
    assert t.lag().messages == 4
    assert t.read() == b"2.0" and t.lag().messages == 3


def test_lag_of_one_that_waits_for_a_message_further_on(queue: Changing) -> None:
    """It has not to read what lies before that."""
    with queue.q.tailer("n", commit="manual") as t:
        t.seek(index_of(5, 2))
        t.commit()
    Path(queue.q.locate(index_of(5)).path).unlink()
    with tape.open(queue.q.path, codec=raw, clock=queue.clock, block_size=BLOCK) as q:
        a = q.appender()
        a.write(b"a")
        t = q.tailer("n")
        assert t.info().state == "NOT_REACHED_IN_CYCLE" and t.lag() == (0, 0, 0.0)
        a.write(b"b")
        a.write(b"c")
        assert t.info().state == "FOUND_IN_CYCLE" and t.lag().messages == 1
        assert t.read() == b"c"


def test_lag_of_an_empty_queue_and_of_a_closed_tailer(tmp_path: Path) -> None:
    """Nothing; and an error that says who closed it."""
    with tape.open(tmp_path, codec=raw) as q:
        t = q.tailer()
        assert t.lag() == (0, 0, 0.0) and t.info().state == "UNINITIALISED"
        q.appender().write(b"x")
        assert t.lag().messages == 1 and t.info().state == "FOUND_IN_CYCLE"
        t.close()
        with pytest.raises(tape.QueueClosed, match="Tailer"):
            t.lag()


# ---- info ----

def test_states(queue: Changing) -> None:
    """Java's words for where a tailer stands."""
    t = queue.q.tailer()
    assert t.info().state == "FOUND_IN_CYCLE"
    list(t)
    assert t.info().state == "FOUND_IN_CYCLE"  # where the next one will be
    os.unlink(queue.q.locate(index_of(5)).path)
    with queue.q.tailer(start="end") as at_end:
        assert at_end.info().state == "END_OF_CYCLE"
    t = queue.q.tailer(direction="backward")
    assert t.read() == b"0.0" and t.read() is None
    assert t.info().state == "BEYOND_START_OF_CYCLE"
    t.close()
    assert t.info().state is None and t.info().lag_messages is None


DATAFY_QUEUE = """source_id last_acknowledged_index_replicated last_index_replicated path index_count
    index_spacing roll_cycle delta_checkpoint_interval buffered cycle closed"""
TABLE_A_QUEUE = """first_index last_index messages bytes files lock_holder filesystem durability
    data_formats tailers"""
DATAFY_APPENDER = "cycle last_index source_id queue"
TABLE_A_APPENDER = "bytes messages durability"
DATAFY_TAILER = "cycle index source_id direction state queue"
TABLE_A_TAILER = "lag_messages lag_bytes lag_seconds id poll_interval"


def test_info_holds_what_clojure_shows_and_more(queue: Changing) -> None:
    """Every key of datafy, under the same name in Python's spelling (``:file`` is ``path``,
    ``:last-index-appended`` is ``last_index``), and what the features promise beside."""
    t, info = queue.q.tailer("n"), queue.q.info()
    for names, facts in ((DATAFY_QUEUE + " " + TABLE_A_QUEUE, info),
                         (DATAFY_APPENDER + " " + TABLE_A_APPENDER, queue.a.info()),
                         (DATAFY_TAILER + " " + TABLE_A_TAILER, t.info())):
        fields = {f.name for f in dataclasses.fields(facts)}
        assert set(names.split()) <= fields
        assert set(facts.asdict()) == fields
    assert (info.messages, info.files, info.data_formats, info.buffered) == (8, 4, (1,), False)
    assert info.delta_checkpoint_interval == 64
    kinds = [line.split()[-1] for line in open("/proc/filesystems")]
    assert info.filesystem in kinds
    assert all(c.data_format == 1 for c in queue.q.cycles())


def test_an_appender_counts_what_it_wrote(queue: Changing) -> None:
    """Its own messages, and their bytes without frames; not those that failed."""
    other = queue.q.appender()
    assert (other.info().messages, other.info().bytes, other.info().last_index) == (0, 0, None)
    assert (queue.a.info().messages, queue.a.info().bytes) == (8, 24)
    queue.clock.ms = (START + 7) * 1000
    index = other.write(b"makes a file")
    with pytest.raises(tape.MessageTooLarge):
        other.write(bytes(1 << 20))
    assert (other.info().messages, other.info().bytes, other.info().last_index) == (1, 12, index)
    other.close()
    assert other.info().closed and other.info().last_index is None
