"""What Java's releases after 5.27 do, and what those to come will do, is borne."""

from __future__ import annotations

from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.live_records import errors_in
from tests.kit.queues import CYCLE, Changing
from tests.reference import Queue

TABLE = "metadata.cq4t"


def opened(path: Path, clock: SetClock) -> tape.Queue:
    return tape.open(path, codec=raw, roll_cycle="TEST_SECONDLY", clock=clock)


def listed(path: Path) -> tuple[int | None, int | None]:
    """The words of the listing, which newer releases believe without a look at the directory."""
    table = Queue(path).table()
    assert table is not None
    return table.value("listing.lowestCycle"), table.value("listing.highestCycle")


def there(path: Path) -> tuple[int, int]:
    """The cycles that have a file of Java's."""
    cycles = Queue(path).cycles()
    return cycles[0], cycles[-1]


@pytest.mark.parametrize("key", [b"cycle.ours", b"pretouch.x", b"chronicle2",
                                 b"\xe9t\xe9 \x01 word"])
def test_keys_of_the_table_store_that_are_not_known_stay_as_they_are(
        tmp_path: Path, clock: SetClock, key: bytes) -> None:
    """Between others, with any value: the queue is opened, written, read, rolled and checked."""
    with opened(tmp_path / "q", clock) as q:
        q.appender().write(b"0")
        with q.tailer("a" * (len(key) - 6)) as t:
            assert t.read() == b"0"
        position = q.table()["index." + "a" * (len(key) - 6)]
    table = tmp_path / "q" / TABLE
    data = table.read_bytes()
    assert data.count(old := b"index." + b"a" * (len(key) - 6)) == 1
    table.write_bytes(data.replace(old, key))
    with opened(tmp_path / "q", clock) as q, q.tailer("b") as t:
        a = q.appender()
        for n in range(1, 4):
            clock.ms += 1000
            a.write(b"%d" % n)
        assert list(t) == [b"0", b"1", b"2", b"3"]
        assert q.table()[key.decode("latin-1")] == position
        assert q.tailers() == {"b": a.last_index + 1}
        q.gc(tape.Keep(max_cycles=2))
    assert tape.verify(tmp_path / "q").ok and errors_in(tmp_path / "q") == []


def test_the_table_store_keeps_its_size(tmp_path: Path, clock: SetClock) -> None:
    """Whatever size it has: newer releases map one chunk. (One of before 5.20.110 grows when it is
    nearly full, in tests/damage/test_other_releases.py.)"""
    for size in (65536, 131072, 262144):
        path = tmp_path / str(size)
        opened(path, clock).close()
        with (path / TABLE).open("r+b") as file:
            file.truncate(size)
        with opened(path, clock) as q:
            for n in range(100):
                q.appender().write(b"%d" % n)
                q.tailer(f"name {n}").close()
                clock.ms += 20
            q.refresh()
        with tape.open(path, codec=raw, read_only=True) as q:
            assert len(q.tailers()) == 100 and len(q) == 100
        assert (path / TABLE).stat().st_size == size


def test_a_writer_that_is_ahead_of_the_clock_is_followed(tmp_path: Path, clock: SetClock) -> None:
    """Appenders may stay in the newest cycle with messages, whatever the clock says."""
    ahead = SetClock(clock.ms + 5000)
    with opened(tmp_path / "q", clock) as q, opened(tmp_path / "q", ahead) as early, \
            q.tailer() as t:
        indexes = [q.appender().write(b"0"), early.appender().write(b"1")]
        with pytest.warns(tape.ClockWentBack):
            indexes.append(q.appender().write(b"2"))
        indexes.append(early.appender().write(b"3"))
        assert [index >> 32 for index in indexes] == [CYCLE, *[CYCLE + 5] * 3]
        assert list(t) == [b"0", b"1", b"2", b"3"]
        assert t.lag().messages == 0 and q.info().clock_went_back > 0
        clock.ms += 5000
        assert q.appender().write(b"4") == indexes[-1] + 1
    assert errors_in(tmp_path / "q") == []


def test_the_listing_never_names_a_file_that_is_not_there(changing: Changing) -> None:
    """Writing, rolling, removing, compressing, thawing and refreshing keep its words true."""
    q, path = changing.q, Path(changing.q.path)
    lowest = there(path)[0]
    assert listed(path) == there(path) == (CYCLE, CYCLE + 5)
    changing.clock.ms += 3000
    q.appender().write(b"new")
    assert listed(path) == there(path) == (lowest, there(path)[1])
    q.gc(tape.Keep(max_cycles=3))
    assert listed(path) == there(path)
    assert there(path)[0] > lowest
    Queue(path).path_of(there(path)[0]).unlink()
    Queue(path).path_of(there(path)[1]).unlink()
    q.refresh()
    assert listed(path) == there(path)


@pytest.mark.parametrize("name", ["x.lock", "x.version", ".lock", "X.LOCK", "a b.Version"])
def test_names_that_are_javas_own_words_are_refused(tmp_path: Path, clock: SetClock,
                                                    name: str) -> None:
    """Nothing is stored under them; what only looks like them is a name like any other."""
    with opened(tmp_path / "q", clock) as q:
        with pytest.raises(tape.InvalidArgument, match=r"end in \.lock or \.version"):
            q.tailer(name)
        assert q.tailers() == {}
        with q.tailer(name.replace(".", "_")):
            pass
