"""Tailers with a name: what is stored when, who holds it, and what a restart begins with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.queues import Filled


def test_a_name_survives_restarts(filled: Filled, tmp_path: Path) -> None:
    """Each message once over ten restarts of the tailer, in the end of the queue, too."""
    got = []
    for restart in range(10):
        if restart == 5:
            filled.q.close()
            filled.q = tape.open(tmp_path / "q", codec=raw, clock=filled.clock)
        with filled.q.tailer("billing") as t:
            got += t.read_many(60)
    assert got == filled.messages
    filled.q.close()
    with tape.open(tmp_path / "q", codec=raw, clock=filled.clock) as q:
        assert q.tailers() == {"billing": filled.indexes[-1] + 1}
        t = q.tailer("BILLING", start="start")  # as in Java, case is ignored
        assert t.read() is None
        q.appender().write(b"more")
        assert t.read() == b"more"


def test_a_loop_repeats_what_its_body_did_not_finish(filled: Filled) -> None:
    """Iteration stores n when n+1 is asked for: a crash in the body repeats n."""
    with filled.q.tailer("loop") as t:
        for place, message in enumerate(t):
            assert message == filled.messages[place]
            if place == 5:
                break  # the body of 5 did not finish
        assert filled.q.tailers()["loop"] == filled.indexes[5]
    with filled.q.tailer("loop") as t:
        assert list(t) == filled.messages[5:]
        assert filled.q.tailers()["loop"] == filled.indexes[-1] + 1


def test_with_manual_commit_only_commit_stores(filled: Filled) -> None:
    """Only commit() stores; without a name it is an error."""
    t = filled.q.tailer("slow", commit="manual")
    t.read_many(10)
    list(t.entries(5))
    t.seek(filled.indexes[20])
    assert filled.q.tailers() == {"slow": 0}
    t.commit()
    assert filled.q.tailers() == {"slow": filled.indexes[20]} == {"slow": t.info().committed}
    with pytest.raises(tape.StateError):
        filled.q.tailer().commit()


def test_start_counts_only_while_nothing_is_stored(filled: Filled) -> None:
    """A stored position wins over start=."""
    with filled.q.tailer("s", start=filled.indexes[9]) as t:
        assert t.read() == filled.messages[9]
    assert filled.q.tailer("s", start="end").read() == filled.messages[10]


def test_a_name_has_one_holder_unless_it_is_stolen(filled: Filled, tmp_path: Path) -> None:
    """On one host the second raises, in this process and in another; steal=True overrides."""
    t = filled.q.tailer("one")
    with pytest.raises(tape.TailerBusy):
        filled.q.tailer("ONE")
    code = ("import sys, tape\nq = tape.open(sys.argv[1], codec=tape.codecs.raw)\n"
            "try: q.tailer('one'); print('taken')\nexcept tape.TailerBusy: print('busy')\n"
            "print(q.tailer('one', steal=True).read())")
    run = [sys.executable, "-c", code, str(tmp_path / "q")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(run, capture_output=True, text=True, env=env, check=True).stdout == (
        "busy\nb'0.0'\n")
    t.close()
    assert subprocess.run(run, capture_output=True, text=True, env=env, check=True).stdout == (
        "taken\nb'0.1'\n")
    filled.q.tailer("one")


@pytest.mark.parametrize("name", ["", "a b", "x" * 256, "é\xff", "replicated", "a.lock.b"])
def test_odd_names_keep_their_position(filled: Filled, name: str) -> None:
    """Empty, long, non-ASCII names keep their position."""
    with filled.q.tailer(name) as t:
        t.read()
    assert filled.q.tailer(name).read() == filled.messages[1]
    assert name in filled.q.tailers()


@pytest.mark.parametrize("name", ["x" * 257, "\u20ac", "a\0b"])
def test_names_that_cannot_be_make_no_key(filled: Filled, name: str) -> None:
    """Too long, beyond ISO-8859-1, or with NUL: a ValueError, and no key."""
    with pytest.raises(ValueError):
        filled.q.tailer(name)
    assert filled.q.tailers() == {}


def test_replicated_names_are_only_read(filled: Filled) -> None:
    """They belong to Java's replication."""
    with pytest.raises(tape.ReadOnlyQueue):
        filled.q.tailer("replicated:x")


def test_a_read_only_queue_moves_no_name_and_makes_none(filled: Filled, tmp_path: Path) -> None:
    """An existing name starts where it is stored and moves nothing; a new one is refused."""
    with filled.q.tailer("r") as t:
        t.read_many(3)
    with tape.open(tmp_path / "q", codec=raw, read_only=True) as q:
        t = q.tailer("r")
        assert t.read() == filled.messages[3]
        with pytest.raises(tape.ReadOnlyQueue):
            t.commit()
        with pytest.raises(tape.ReadOnlyQueue):
            q.tailer("new")
    assert filled.q.tailers() == {"r": filled.indexes[3]}


def test_a_deleted_cycle_is_told_once_as_a_gap(filled: Filled) -> None:
    """A stored position whose file is gone: told once, then on behind the gap; nothing twice."""
    for name in ("raise", "skip"):
        with filled.q.tailer(name) as t:
            t.read_many(10)
    os.unlink(filled.q.locate(filled.indexes[0]).path)
    t = filled.q.tailer("raise")
    with pytest.raises(tape.Gap) as caught:
        t.read()
    assert (caught.value.from_index, caught.value.to_index) == (
        filled.indexes[10], filled.indexes[300])
    assert list(t) == filled.messages[300:]
    assert list(filled.q.tailer("skip", on_gap="skip")) == filled.messages[300:]


def test_a_position_ahead_of_the_queue_is_waited_for(filled: Filled) -> None:
    """A stored index that does not exist yet is waited for, as in Java."""
    t = filled.q.tailer("ahead", commit="manual")
    t.seek(filled.indexes[-1] + 1)
    t.commit()
    t.close()
    t = filled.q.tailer("ahead")
    assert t.read() is None
    filled.a.write(b"now")
    assert t.read() == b"now"


@pytest.mark.parametrize("on_gap", ["raise", "skip"])
def test_a_stored_position_beyond_the_end_is_told_and_nothing_new_is_passed_over(
        tmp_path: Path, on_gap: str) -> None:
    """As after a power cut that the page of the position survived, and those of messages not."""
    with tape.open(tmp_path, codec=raw) as q:
        a = q.appender()
        indexes = [a.write(b"old%d" % n) for n in range(5)]
        file = Path(q.cycles()[0].path)
        on_disk = file.read_bytes()
        indexes += [a.write(b"old%d" % n) for n in range(5, 20)]
        assert len(q.tailer("billing").read_many(100)) == 20
    with open(file, "r+b") as f:
        f.write(on_disk)
    with tape.open(tmp_path, codec=raw) as q:
        t = q.tailer("billing", on_gap=on_gap)
        assert t.index == indexes[5] and t.lag().messages == 0
        new = [b"new%d" % n for n in range(20)]
        for message in new:
            q.appender().write(message)
        if on_gap == "raise":
            with pytest.raises(tape.Gap) as caught:
                t.read()
            assert (caught.value.from_index, caught.value.to_index) == (
                indexes[19] + 1, indexes[5])
        assert list(t) == new
