"""Seeking by time where a JVM writes as well, which notes nothing, and reads beside our notes."""

from __future__ import annotations

import bisect
import datetime
import random
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.jvm_peer import Peer

pytestmark = pytest.mark.jvm

START = 1_700_000_000_000
HOUR = 3_600_000


def time_of(ms: int) -> datetime.datetime:
    return datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) \
        + datetime.timedelta(milliseconds=ms)


def test_what_java_wrote_in_between_never_makes_a_seek_late(peer: Peer, tmp_path: Path) -> None:
    """Whoever wrote, the first message of a time is at the place that is given or behind it."""
    clock, chance = SetClock(START), random.Random()
    with peer.open(tmp_path, roll_cycle="FAST_HOURLY", clock=START) as java, \
            tape.open(tmp_path, codec=raw, clock=clock) as ours:
        theirs, mine = java.appender(), ours.appender()
        for _ in range(150):
            clock.ms += chance.choice((0, 40, 700, 1500, 90_000, HOUR // 3))
            java.set_clock(clock.ms)
            for _ in range(chance.randint(1, 4)):
                (mine.write if chance.random() < 0.5 else theirs.append)(b"%d" % clock.ms)
        entries = list(ours.tailer().entries())
        indexes, times = [e.index for e in entries], [int(e.value) for e in entries]
        assert times == sorted(times) and list(tmp_path.glob("*.times"))
        t = ours.tailer()
        for number in range(len(times)):
            for ms in (times[number], times[number] + 1, times[number] - 700):
                true = bisect.bisect_left(times, ms)
                found, bounds = t.seek(time_of(ms)), ours.bounds(time_of(ms))
                place = bisect.bisect_left(indexes, t.index)
                assert place <= true and found == (place < len(times)), (ms, place, true)
                assert bisect.bisect_left(indexes, bounds.earliest) == place
                assert bisect.bisect_left(indexes, bounds.latest) >= true
        assert [m.data for m in java.tailer().read_all()] == [e.value for e in entries]


def test_a_cycle_that_java_alone_wrote_is_known_as_a_whole(peer: Peer, tmp_path: Path) -> None:
    """Nothing is guessed: its first message, and the bounds are those of the cycle."""
    with peer.open(tmp_path, roll_cycle="FAST_HOURLY", clock=START) as java:
        theirs = java.appender()
        for n in range(20):
            java.set_clock(START + n * 1000)
            theirs.append(b"%d" % n)
    with tape.open(tmp_path, codec=raw, read_only=True) as q, q.tailer() as t:
        first = q.first_index
        assert first is not None and t.seek(time_of(START + 15_000)) and t.index == first
        assert q.bounds(time_of(START + 15_000)) == \
            (first, q.index_of(q.locate(first).cycle + 1, 0))
        assert not t.seek(time_of(START + HOUR)) and t.read() is None
