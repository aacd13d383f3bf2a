"""Old cycles go beside a JVM that reads and writes."""

from __future__ import annotations

from pathlib import Path

import pytest

import tape
from tape import tasks
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.jvm_peer import Peer
from tests.kit.queues import BLOCK, CYCLE
from tests.kit.retention_deaths import SCENES, SECONDS, Deaths, everything

pytestmark = pytest.mark.jvm

START = 1_600_000_000_000


def test_javas_reader_and_writer_go_on(own_peer: Peer, tmp_path: Path) -> None:
    """Java has the queue open, writes, and reads with and without a name: what its named tailer has
    yet to read stays; the words are as Java would set them; it finds first, next and last."""
    clock = SetClock(START)
    with own_peer.open(tmp_path, roll_cycle="TEST4_SECONDLY", clock=START) as java, \
            tape.open(tmp_path, codec=raw, clock=clock) as ours:
        theirs, mine = java.appender(), ours.appender()
        named, free = java.tailer("slow"), java.tailer()
        for second in range(6):
            clock.ms = START + second * 1000
            java.set_clock(clock.ms)
            theirs.append(b"java %d" % second)
            mine.write(b"tape %d" % second)
        assert [named.read().data for _ in range(5)] == \
            [b"java 0", b"tape 0", b"java 1", b"tape 1", b"java 2"]
        assert free.read().data == b"java 0"
        first = START // 1000
        verdicts = ours.gc(tape.Keep(max_cycles=1))
        assert [v.cycle - first for v in verdicts if v.goes] == [0, 1]
        assert ours.table()["listing.lowestCycle"] == first + 2
        assert java.first_index() == ours.first_index == ours.index_of(first + 2, 0)
        left = [b"%s %d" % (who, n) for n in range(2, 6) for who in (b"java", b"tape")]
        assert [m.data for m in named.read_all()] == left[1:]
        with own_peer.open(tmp_path, roll_cycle="TEST4_SECONDLY", clock=clock.ms) as other:
            assert [m.data for m in other.tailer().read_all()] == left
        ours.gc(tape.Keep(max_cycles=1))
        theirs.append(b"java on")
        mine.write(b"tape on")
        assert [m.data for m in named.read_all()] == [b"java on", b"tape on"]
        assert list(ours.tailer()) == [b"java 5", b"tape 5", b"java on", b"tape on"]
        assert own_peer.warnings() == []
        # It stood in a file that went, and holds nothing; Java says so, reads on, and so it is.
        assert [m.data for m in free.read_all()][-4:] == list(ours.tailer())
        assert "deleted from under the queue" in own_peer.warnings()[0]


@pytest.mark.parametrize("name", ["gc", "thaw zstd", "task gzip"])
def test_java_opens_what_a_death_left_and_what_the_next_run_made_of_it(
        peer: Peer, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads the cycles that have files, and appends. Where the dead one has the write lock, it
    would wait for that until it breaks it, so it comes after the next run."""
    monkeypatch.setattr(tasks, "LOOK_EVERY_S", 3600.0)
    deaths, number, count = Deaths(tmp_path, SCENES[name]), 17, 0
    clock = (CYCLE + 5) * 1000

    def java_reads(*more: bytes) -> bool:
        plain = [s for s in SECONDS if (deaths.path / deaths.names[s]).exists()]
        with peer.open(deaths.path, roll_cycle="TEST4_SECONDLY", clock=clock,
                       block_size=BLOCK) as java:
            found = [m.data for m in java.tailer().read_all()]
        return found == [*everything(tuple(plain)), *more]
    while deaths.die_at(number):
        with tape.open(deaths.path, codec=raw, read_only=True) as q:
            locked = q.info().lock_holder is not None
        assert locked or java_reads()
        deaths.check_the_next()
        assert java_reads(b"on")
        with peer.open(deaths.path, roll_cycle="TEST4_SECONDLY", clock=clock,
                       block_size=BLOCK) as java:
            java.appender().append(b"java")
        assert java_reads(b"on", b"java") and tape.verify(deaths.path).ok
        count, number = count + 1, number + 31
    assert count >= 3
