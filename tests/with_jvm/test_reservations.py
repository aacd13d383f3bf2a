"""What becomes of a header word that says how long a message will be, when its writer lost the
lock: Java writes over it, and tape leaves the room to who may still be copying into it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.jvm_peer import Peer
from tests.reference import Queue
from tests.reference.cycle_file import Scan

pytestmark = pytest.mark.jvm

NOT_COMPLETE, LENGTH = 0x80000000, 200


def newest(path: Path) -> Scan:
    q = Queue(path)
    return q.scan(q.cycles()[-1])


def reserve(path: Path) -> int:
    """As a writer that was stopped in its copy; where."""
    at, q = newest(path).end, Queue(path)
    with q.path_of(q.cycles()[-1]).open("r+b") as file:
        file.seek(at)
        file.write(struct.pack("<I", NOT_COMPLETE | LENGTH))
    return at


def test_java_writes_over_a_reservation_and_tape_does_not(own_peer: Peer, tmp_path: Path,
                                                          clock: SetClock) -> None:
    """So a message of Java's may be spoilt by who was robbed, and one of tape's not."""
    with tape.open(tmp_path / "q", codec=raw, clock=clock) as q, \
            own_peer.open(tmp_path / "q", clock=clock.ms) as java:
        a, theirs = q.appender(), java.appender()
        a.write(b"first")
        at = reserve(tmp_path / "q")
        theirs.append(b"second")
        assert newest(tmp_path / "q").data[-1] == at
        at = reserve(tmp_path / "q")
        assert a.write(b"third") == q.first_index + 2
        found = newest(tmp_path / "q")
        assert (at, LENGTH) in found.metadata
        assert found.data[-1] == at + 4 + LENGTH
        assert list(q.tailer()) == [b"first", b"second", b"third"]
        assert [m.data for m in java.tailer().read_all()] == [b"first", b"second", b"third"]
    assert "Incomplete header" in own_peer.log()
