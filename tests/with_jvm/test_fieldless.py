"""Queues whose headers have no field names (Java's FIELDLESS_BINARY), between Java and tape."""

from __future__ import annotations

from pathlib import Path

import pytest

import tape
from tape.codecs import document

from tests.kit.clocks import SetClock
from tests.kit.jvm_peer import Peer

NOON = 1_700_000_000_000
DAY = 86_400_000


@pytest.mark.jvm
def test_java_and_tape_write_in_turns_where_fields_have_no_names(
        tmp_path: Path, peer: Peer) -> None:
    """Both append to one such cycle and to the next ones, whoever makes them, and read it all."""
    path, clock = tmp_path / "q", SetClock(NOON)
    settings = {"roll_cycle": "TEST4_DAILY", "block_size": 1 << 20, "wire_type": "FIELDLESS_BINARY"}
    wrote = []
    with peer.open(path, clock=NOON, **settings) as java:
        theirs = java.appender()
        wrote.append(theirs.append(b"\x06java"))
        with tape.open(path, codec=document, clock=clock) as q:
            assert b"writePosition" not in Path(q.cycles()[0].path).read_bytes()[:256]
            ours = q.appender()
            for day in range(4):
                for n in range(60):
                    first, second = ((ours.write, theirs.append) if day % 2
                                     else (theirs.append, ours.write))
                    wrote += [first(b"\x06%d" % n), second(b"\x07%d" % n)]
                clock.ms += DAY
                java.set_clock(clock.ms)
            read = [(e.index, e.raw) for e in q.tailer().entries()]
            assert [index for index, _ in read] == wrote
            assert [(m.index, m.data) for m in java.tailer().read_all()] == read
            assert q.tailer(start=wrote[200]).read() == read[200][1]
            assert len(q) == java.entry_count() == len(wrote)
