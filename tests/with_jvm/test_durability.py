"""Durability beside a JVM: Java opens, reads and continues what was synced, and its word of what it
synced itself, chronicle.lastIndexMSynced, stays as it left it."""

from __future__ import annotations

from pathlib import Path

import pytest

import tape
from tape.codecs import document

from tests.kit.jvm_peer import Peer

pytestmark = pytest.mark.jvm

SYNCED = "chronicle.lastIndexMSynced"


@pytest.mark.parametrize("durability", ["os", "interval:50ms", "each"])
def test_each_durability_and_java_in_turn(tmp_path: Path, peer: Peer, durability: str) -> None:
    """First tape, Java, tape; then a queue that Java made."""
    path = tmp_path / "q"
    with tape.open(path, codec=document, durability=durability) as q:
        indexes = [q.appender().write(b"tape %d" % n) for n in range(3)]
        q.sync()
    with peer.open(path) as java:
        assert java.table()[SYNCED] == -1
        assert java.last_index() == indexes[-1]
        indexes.append(java.appender().append(b"java"))
        assert java.table()[SYNCED] == -1
    with tape.open(path, codec=document, durability=durability) as q:
        indexes.append(q.appender().write(b"tape again"))
        q.sync()
        assert [e.index for e in iter(q.tailer().read_entry, None)] == indexes
    made = tmp_path / "made by java"
    with peer.open(made) as java:
        java.appender().append(b"java")
        java.table_put(SYNCED, indexes[0])  # as its sync() does
    with tape.open(made, codec=document, durability=durability) as q:
        q.appender().write(b"tape")
        q.sync()
    with peer.open(made) as java:
        assert java.table()[SYNCED] == indexes[0]
        assert java.entry_count() == 2
