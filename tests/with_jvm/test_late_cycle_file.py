"""A writer of tape stands still before it links the file of a new cycle, its lock is broken, and a
JVM goes on in a newer cycle: the message is there once, for readers of both, behind the JVM's."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.damage import poke
from tests.kit.deaths import stopped_before_link
from tests.kit.jvm_peer import JvmTailer, Peer

pytestmark = pytest.mark.jvm

SECOND = 1_600_000_000_000
UNLOCKED = struct.pack("<q", -1 << 63)


def break_the_lock(path: Path, holder: int) -> None:
    """As JVMs up to 5.23 do with a living holder."""
    table = path / "metadata.cq4t"
    whole = table.read_bytes()
    at = whole.index(struct.pack("<q", holder), whole.index(b"chronicle.write.lock"))
    poke(table, at, UNLOCKED)


def bodies(t: JvmTailer) -> list[bytes]:
    return [bytes(m.data) for m in t.read_all()]


@pytest.mark.parametrize("rolls", [True, False], ids=["a JVM rolls past", "nobody is further on"])
def test_a_file_that_is_linked_late_is_harmless(
        own_peer: Peer, tmp_path: Path, rolls: bool) -> None:
    """Where nobody rolls past, the JVM writes behind its message."""
    path, clock = tmp_path / "q", SetClock(SECOND)
    with own_peer.open(path, roll_cycle="TEST4_SECONDLY", clock=SECOND) as java, \
            tape.open(path, codec=raw, clock=clock) as ours:
        theirs = java.appender()
        theirs.append(b"first")
        live, mine = java.tailer(), ours.tailer()
        assert bodies(live) == list(mine) == [b"first"]

        def prepare() -> Callable[[], object]:
            q = tape.open(path, codec=raw, clock=SetClock(SECOND + 1000))
            a = q.appender()
            return lambda: a.write(b"late")

        late = stopped_before_link(prepare)
        break_the_lock(path, late.pid)
        if rolls:
            java.set_clock(SECOND + 2000)
            theirs.append(b"newer")
            assert bodies(live) == list(mine) == [b"newer"]
        late.go_on()
        clock.ms = SECOND + (2000 if rolls else 1000)
        java.set_clock(clock.ms)
        theirs.append(b"last")
        java.refresh()
        there = [*[b"first", b"newer"][:1 + rolls], b"late", b"last"]
        assert bodies(java.tailer()) == list(ours.tailer()) == there
        assert bodies(live) == list(mine) == [b"late", b"last"]
    assert len(list(path.glob("*.cq4"))) == 2
    assert tape.verify(path).ok
