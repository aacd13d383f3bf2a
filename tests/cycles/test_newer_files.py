"""A cycle file that is newer than the clock's: only one with messages is a reason to go there."""

from __future__ import annotations

from pathlib import Path

import pytest

import tape
from tape.codecs import raw
from tests.kit.clocks import SetClock

DAY = 86_400_000
NOW = 1_700_000_000_000


@pytest.mark.parametrize("name", ["20231115F.cq4", "20341027F.cq4"])
@pytest.mark.parametrize("size", [0, 131072])
def test_a_half_made_newer_file_leaves_writers_in_the_cycle_of_the_clock(
        tmp_path: Path, name: str, size: int) -> None:
    """A JVM died over it, tomorrow's or one of 2034; it is left to whoever made it."""
    clock = SetClock(NOW)
    with tape.open(tmp_path, codec=raw, clock=clock) as q:
        first = q.appender().write(b"1")
        (tmp_path / name).write_bytes(bytes(size))
        q.refresh()
        assert q.appender().write(b"2") == first + 1
    with tape.open(tmp_path, codec=raw, clock=clock) as q:
        assert q.appender().write(b"3") == first + 2
        assert q.info().clock_went_back == 0
    assert (tmp_path / name).read_bytes() == bytes(size)


def test_a_newer_file_with_messages_is_written_to(tmp_path: Path) -> None:
    """The clock went back: messages never go before those that readers may have seen."""
    clock = SetClock(NOW)
    with tape.open(tmp_path, codec=raw, clock=clock) as q:
        newer = q.appender().write(b"1")
        clock.ms -= 3 * DAY
        assert q.appender().write(b"2") == newer + 1
        assert q.info().clock_went_back == 1
    with tape.open(tmp_path, codec=raw, clock=clock) as q:
        assert q.appender().write(b"3") == newer + 2


def test_writing_goes_on_in_the_cycle_after_a_damaged_one(tmp_path: Path) -> None:
    """A power cut left the last page zero: the cycle refuses, the next one is written and read."""
    clock = SetClock(NOW)
    with tape.open(tmp_path, codec=raw, clock=clock) as q:
        for n in range(2000):
            q.appender().write(b"%06d" % n + b"x" * 40)
    [file] = tmp_path.glob("*.cq4")
    end = file.read_bytes().rfind(b"001999")
    with file.open("r+b") as f:
        f.seek(end // 4096 * 4096)
        f.write(bytes(4096))
    with tape.open(tmp_path, codec=raw, clock=clock) as q:
        with pytest.raises(tape.CorruptQueue, match="next cycle"):
            q.appender().write(b"new")
        clock.ms += DAY
        index = q.appender().write(b"new")
        assert index == q.appender().write(b"newer") - 1
    with tape.open(tmp_path, codec=raw, clock=clock) as q:
        gaps: list[tape.Gap] = []
        messages = [bytes(m) for m in q.tailer(on_gap=gaps.append)]
    assert [gap.to_index for gap in gaps] == [index] and "zeros" in gaps[0].message
    assert messages[-2:] == [b"new", b"newer"] and messages[0] == b"000000" + b"x" * 40
    assert 1900 < len(messages) < 2002
