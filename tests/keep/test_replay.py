"""Messages again at their original pace."""

from __future__ import annotations

import datetime
import time
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.queues import CYCLE, Changing, index_of


def at(message: bytes) -> float:
    return float(message)


@pytest.fixture
def timed(tmp_path: Path) -> tape.Queue:
    """Messages that are their own times, in seconds."""
    q = tape.open(tmp_path, codec=raw)
    for second in (100, 101, 105, 105, 104, 107):
        q.appender().write(b"%d" % second)
    return q


@pytest.mark.parametrize("speed", [1, 2, 0.5])
def test_the_pace_is_that_of_the_times_by_the_speed(timed: tape.Queue, speed: float) -> None:
    """Counted from the first message, so that an older one between does not shift later ones."""
    slept: list[float] = []
    assert len(list(tape.replay(timed, speed, time=at, sleep=slept.append))) == 6
    assert sum(slept) == pytest.approx(7 / speed, abs=0.2) and len(slept) == 3


def test_it_really_waits(timed: tape.Queue) -> None:
    """With the clock of the machine."""
    begun = time.monotonic()
    assert len(list(tape.replay(timed, 50, time=at))) == 6
    assert 0.13 <= time.monotonic() - begun < 5


def test_a_slow_consumer_puts_nothing_off(timed: tape.Queue) -> None:
    """What is late is given at once."""
    slept: list[float] = []
    for _ in tape.replay(timed, 100, time=at, sleep=slept.append):
        time.sleep(0.1)
    assert slept == []


def test_as_fast_as_can_be(timed: tape.Queue) -> None:
    """Without waiting at all."""
    slept: list[float] = []
    assert len(list(tape.replay(timed, float("inf"), time=at, sleep=slept.append))) == 6
    assert slept == []


def test_without_times_messages_come_evenly_over_their_cycles(changing: Changing) -> None:
    """Two in each of the seconds 0, 1, 2 and 5, the last of which is half over."""
    changing.clock.ms = (CYCLE + 5) * 1000 + 500
    slept: list[float] = []
    messages = list(tape.replay(changing.q, sleep=slept.append))
    assert messages == [b"%d.%d" % (s, n) for s in (0, 1, 2, 5) for n in (0, 1)]
    assert slept == pytest.approx([0.5, 0.5, 0.5, 0.5, 0.5, 2.5, 0.25], abs=0.1)


def test_a_part_of_a_queue(changing: Changing) -> None:
    """From an index or a time up to an index, and no further than what was there."""
    def parts(**where: object) -> list[bytes]:
        return list(tape.replay(changing.q, float("inf"), **where))  # type: ignore[arg-type]

    moment = datetime.datetime.fromtimestamp(CYCLE + 2, datetime.timezone.utc)
    assert parts(start=index_of(1, 1), end=index_of(2, 1)) == [b"1.1", b"2.0"]
    assert parts(start=moment) == [b"2.0", b"2.1", b"5.0", b"5.1"]
    assert parts(end=0) == []
    stream = tape.replay(changing.q, float("inf"), start=index_of(5))
    assert next(stream) == b"5.0"
    changing.write(5)
    assert list(stream) == [b"5.1"]


def test_times_may_be_datetimes_and_values_of_another_codec(timed: tape.Queue) -> None:
    """Whatever the codec gives is what `time` gets."""
    slept: list[float] = []

    def moment(message: bytes) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(float(message), datetime.timezone.utc)

    assert len(list(tape.replay(timed, time=moment, codec=raw, sleep=slept.append))) == 6
    assert sum(slept) == pytest.approx(7, abs=0.2)


@pytest.mark.parametrize("wrong", [{"speed": 0}, {"speed": -1}, {"speed": float("nan")},
                                   {"end": -1}, {"end": 1.5}, {"end": "x"}, {"speed": "2"}])
def test_wrong_use_is_told_at_once(timed: tape.Queue, wrong: dict[str, float]) -> None:
    """Not with the first message."""
    with pytest.raises(tape.InvalidArgument):
        tape.replay(timed, **wrong)  # type: ignore[arg-type]


def test_an_empty_queue_gives_nothing(tmp_path: Path) -> None:
    """It ends at once."""
    with tape.open(tmp_path, codec=raw, clock=SetClock(0)) as q:
        assert list(tape.replay(q)) == []
