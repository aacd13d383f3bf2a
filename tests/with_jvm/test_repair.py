"""What tape.repair() writes is Java's queue: opened, read, moved in and appended to."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit import golden_queues
from tests.kit.clocks import SetClock
from tests.kit.damage import cycle_file, pair_of, poke, position
from tests.kit.jvm_peer import Peer

pytestmark = pytest.mark.jvm

START = 1_600_000_000_000
EMPTY = b"\x8f"


def filled(path: Path) -> None:
    """300 messages in a finished cycle, some in the newest."""
    clock = SetClock(START)
    with tape.open(path, codec=raw, roll_cycle="TEST4_SECONDLY", block_size=65536,
                   clock=clock) as q:
        a = q.appender()
        a.write_many(b"message %d " % n + b"x" * (n % 50) for n in range(300))
        clock.ms += 1000
        a.write_many(b"newest %d" % n for n in range(5))


def hurt_one(file: Path) -> None:
    """A message is lost."""
    poke(file, position(file, b"message 130 "), os.urandom(40))


def hurt_many(file: Path) -> None:
    """A block of zeros over many messages, and the second index page."""
    at = position(file, b"message 127 ") // 512 * 512
    poke(file, at, bytes(1024))


def hurt_header(file: Path) -> None:
    """The header, index2index and the write position are gone."""
    poke(file, 0, bytes(300))


def hurt_words(file: Path) -> None:
    """Index entries, the pair and the end."""
    whole = file.read_bytes()
    for n in (8, 100, 200):
        at = position(file, b"message %d " % n)
        poke(file, whole.index(struct.pack("<Q", at)), struct.pack("<Q", at + 4))
    poke(file, pair_of(file), b"\xff" * 16)


def hurt_tail(file: Path) -> None:
    """The file is cut in a message."""
    os.truncate(file, position(file, b"message 200 ") + 7)


@pytest.mark.parametrize("hurt", [hurt_one, hurt_many, hurt_header, hurt_words, hurt_tail])
def test_java_opens_reads_moves_in_and_appends_to_every_result(
        own_peer: Peer, tmp_path: Path, hurt: object) -> None:
    """The same messages under the same indexes as tape reads them; then both append in turns."""
    path = tmp_path / "q"
    filled(path)
    assert callable(hurt)
    hurt(cycle_file(path))
    report = tape.repair(path)
    clock = SetClock(START + 1000)
    with tape.open(report.path, codec=tape.codecs.document, clock=clock) as ours, \
            own_peer.open(report.path, roll_cycle="TEST4_SECONDLY", clock=clock.ms) as java:
        found = [(e.index, bytes(e.raw)) for e in ours.tailer().entries()]
        assert len(found) == report.messages == java.entry_count()
        read = java.tailer().read_all()
        assert [m.index for m in read] == [index for index, _ in found]
        for m, (_, body) in zip(read, found, strict=True):
            assert body == EMPTY or bytes(m.data) == body[4:]
        t = java.tailer()
        assert all(t.move_to_index(index) and t.read().index == index
                   for index, _ in found[::17])
        theirs, mine = java.appender(), ours.appender(codec=raw)
        written = [theirs.append(b"java"), mine.write(b"tape"), theirs.append(b"java again")]
        assert written == [found[-1][0] + n for n in (1, 2, 3)]
        assert [bytes(m.data) for m in t.read_all()][-3:] == [b"java", b"tape", b"java again"]
        java.set_clock(START + 2000)
        clock.ms = START + 2000
        theirs.append(b"rolled")
        assert bytes(ours.tailer(codec=raw, start="end", direction="backward").read()) == b"rolled"
    assert own_peer.warnings() == []
    assert tape.verify(report.path).ok


@pytest.mark.parametrize("name", golden_queues.names("refuse"))
def test_java_reads_the_mended_refused_queues(own_peer: Peer, tmp_path: Path, name: str) -> None:
    """All six messages."""
    report = tape.repair(golden_queues.extract(name, tmp_path))
    if report.outcome != "nothing":
        with own_peer.open(report.path, roll_cycle="TEST4_DAILY", clock=1_577_880_000_000) as java:
            assert len(java.tailer().read_all()) == java.entry_count() == 6
            java.appender().append(b"on")
