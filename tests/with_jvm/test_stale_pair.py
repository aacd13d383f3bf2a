"""A write position left one message behind where that cannot be seen: tape finds the true last
index, and the JVM agrees once tape has written (errata J19 has what Java does alone)."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

import tape
from tape.codecs import document

from tests.kit.clocks import SetClock
from tests.kit.damage import cycle_file, pair_of, poke
from tests.kit.jvm_peer import Peer

pytestmark = pytest.mark.jvm

PERIOD = 1 << 16  # of positions that the sequence word does not tell apart, in HUGE_DAILY_XSPARSE
SHIFT = 48


def left_behind(path: Path, clock: SetClock) -> list[int]:
    """A death between the two stores, behind a record that is one period long."""
    with tape.open(path, codec=document, roll_cycle="HUGE_DAILY_XSPARSE", clock=clock) as q:
        a = q.appender()
        indexes = [a.write(m) for m in (b"first", b"x" * (PERIOD - 4), b"last")]
    file = cycle_file(path)
    at = pair_of(file)
    place, word = struct.unpack_from("<QQ", file.read_bytes(), at)
    assert word == ((place << SHIFT) + 2) % (1 << 64)
    stale = (((place - PERIOD) << SHIFT) + 1) % (1 << 64)
    assert stale == word - 1  # the bits of the position are the same
    poke(file, at + 8, struct.pack("<Q", stale))
    return indexes


def test_tape_and_java_agree_once_tape_has_written(tmp_path: Path, peer: Peer) -> None:
    """Readers of tape at once; then Java's last index, numbers and next index, too."""
    path, clock = tmp_path / "q", SetClock(1_700_000_000_000)
    indexes = left_behind(path, clock)
    with tape.open(path, codec=document, read_only=True) as q:
        assert q.last_index == indexes[-1]
        assert len(q) == 3
        t = q.tailer(start="end", direction="backward")
        assert t.read() == b"last"
    with tape.open(path, codec=document, clock=clock) as q:
        indexes.append(q.appender().write(b"tape"))
    with peer.open(path, clock=clock.ms) as java:
        assert java.last_index() == indexes[-1] == indexes[-2] + 1
        indexes.append(java.appender().append(b"java"))
        t = java.tailer()
        read = []
        while (message := t.read()) is not None:
            read.append(message.index)
        assert read == indexes
    with tape.open(path, codec=document, read_only=True) as q:
        assert q.last_index == indexes[-1]


def test_what_java_does_alone_harms_no_reader_of_tape(tmp_path: Path, peer: Peer) -> None:
    """It numbers its message as the last one; tape numbers as a tailer counts."""
    path, clock = tmp_path / "q", SetClock(1_700_000_000_000)
    indexes = left_behind(path, clock)
    with peer.open(path, clock=clock.ms) as java:
        # 5.24 walks to find it, and numbers its message by the pair all the same.
        assert java.last_index() == indexes[-1 if peer.release < (5, 25) else -2]
        assert java.appender().append(b"java") == indexes[-1]
    with tape.open(path, codec=document, clock=clock) as q:
        assert q.last_index == indexes[-1] + 1
        assert [e.index for e in iter(q.tailer().read_entry, None)] == [*indexes, indexes[-1] + 1]
        assert q.appender().write(b"tape") == indexes[-1] + 2
