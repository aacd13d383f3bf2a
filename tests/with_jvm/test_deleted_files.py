"""The file that both are writing is deleted: what Java and tape make of it, together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.jvm_peer import Peer

pytestmark = pytest.mark.jvm

START = 1_600_000_000_000


def test_a_refresh_of_javas_lets_tape_notice(peer: Peer, tmp_path: Path) -> None:
    """Somebody deletes the current file; any Java process looks at the directory: tape's next
    message goes into a new file, where a queue that Java opens now finds it, and appends."""
    with peer.open(tmp_path, roll_cycle="FAST_DAILY", clock=START) as java, \
            tape.open(tmp_path, codec=raw, clock=SetClock(START)) as ours:
        theirs, mine = java.appender(), ours.appender()
        first = theirs.append(b"java 0")
        mine.write(b"tape 1")
        os.unlink(ours.locate(first).path)
        java.refresh()
        assert mine.write(b"tape 0 again") == first
        assert ours.info().files_lost == 1
        with peer.open(tmp_path, clock=START) as other:
            assert other.tailer().read_all()[0].data == b"tape 0 again"
            assert other.appender().append(b"java 1 again") == first + 1
        assert list(ours.tailer()) == [b"tape 0 again", b"java 1 again"]
        assert mine.write(b"tape 2") == first + 2


def test_an_open_appender_of_javas_does_not_notice(peer: Peer, tmp_path: Path) -> None:
    """It goes on in the deleted file, and nobody else ever sees those messages; tailers of the same
    queue object read that file, too (docs/errata.md)."""
    with peer.open(tmp_path, roll_cycle="FAST_DAILY", clock=START) as java:
        theirs = java.appender()
        first = theirs.append(b"before")
        with tape.open(tmp_path, codec=raw, clock=SetClock(START)) as ours:
            os.unlink(ours.locate(first).path)
            java.refresh()
            assert theirs.append(b"lost") == first + 1
            assert list(ours.tailer()) == []
            assert ours.appender().write(b"tape") == first
            assert theirs.append(b"lost, too") == first + 2
            assert list(ours.tailer()) == [b"tape"]
            assert [m.data for m in java.tailer().read_all()] == [b"before", b"lost", b"lost, too"]


@pytest.mark.parametrize("content", [b"", bytes(131072), b"\0\0\0\x80" + bytes(131068)])
def test_java_uses_the_table_store_that_tape_filled(
        peer: Peer, tmp_path: Path, content: bytes) -> None:
    """metadata.cq4t was never filled: tape fills it, as Java would, and both go on."""
    with peer.open(tmp_path, roll_cycle="TEST4_DAILY", clock=START) as java:
        java.appender().append(b"java 0")
    (tmp_path / "metadata.cq4t").write_bytes(content)
    with tape.open(tmp_path, codec=raw, clock=SetClock(START)) as ours:
        assert ours.info().roll_cycle == "TEST4_DAILY"
        ours.appender().write(b"tape 1")
        with peer.open(tmp_path, roll_cycle="TEST4_DAILY", clock=START) as java:
            java.appender().append(b"java 2")
            assert [m.data for m in java.tailer("name").read_all()] == [
                b"java 0", b"tape 1", b"java 2"]
        assert len(ours) == 3 and "name" in ours.tailers()
