"""When a message is on disk: what may be asked for, who waits, and what is told."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import warnings
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

pytestmark = pytest.mark.filterwarnings("ignore::tape.DurabilityReduced")


def syncs(q: tape.Queue) -> int:
    return q.info().syncs


@pytest.mark.parametrize("said", ["os", "each", "interval:1ms", "interval:0.5s", "interval:60min"])
def test_durability_is_shown_where_it_counts(tmp_path: Path, said: str) -> None:
    """In repr and info of queue and appender; an appender may have another."""
    with tape.open(tmp_path, durability=said) as q:
        a = q.appender()
        assert q.durability == a.durability == q.info().durability == a.info().durability == said
        assert f"durability={said}" in repr(q) and f"durability={said}" in repr(a)
        other = q.appender(durability="os")
        assert other.info().durability == "os" and "durability=os" in repr(other)


@pytest.mark.parametrize("said", [
    "", "disk", "EACH", "each:1s", "os:", "interval", "interval:", "interval:0ms", "interval:61min",
    "interval:0.5ms", "interval:nan s", "interval:1h", "interval:-1s", "interval:infs", None, 1])
def test_what_is_no_durability_is_refused_with_what_there_is(tmp_path: Path, said: str) -> None:
    """Before anything is made."""
    with pytest.raises(tape.InvalidArgument, match="interval:200ms"):
        tape.open(tmp_path / "q", durability=said)
    assert not (tmp_path / "q").exists()
    with tape.open(tmp_path / "q") as q:
        if said is not None:  # the queue's
            with pytest.raises(tape.InvalidArgument, match="interval:200ms"):
                q.appender(durability=said)


def test_each_write_is_synced_and_many_share_one_sync(tmp_path: Path) -> None:
    """By whichever call it was written; the others cost no sync."""
    with tape.open(tmp_path, durability="each", codec=raw) as q:
        a, cheap = q.appender(), q.appender(durability="os")
        a.write(b"first")
        done = syncs(q)
        a.write(b"next")
        a.write(b"expected", expect=q.last_index + 1)  # type: ignore[operator]
        a.write(bytearray(b"view"))
        assert syncs(q) == done + 3
        a.write_many([b"a", b"b", b"c"])
        assert syncs(q) == done + 4
        with a.writing(8) as w:
            w.buffer[:] = b"in place"  # type: ignore[index]
        assert syncs(q) == done + 5 and w.index == q.last_index
        cheap.write(b"cheap")
        assert syncs(q) == done + 5
        assert len(q) == 9


def test_try_write_waits_for_no_disk(tmp_path: Path) -> None:
    """It publishes; the next sync makes it durable."""
    with tape.open(tmp_path, durability="each", codec=raw) as q:
        a = q.appender()
        a.write_many([b"some"] * 3)
        done = syncs(q)
        while a.try_write(b"now") is None:
            a.write(b"room")
            done = syncs(q)
        assert syncs(q) == done
        a.sync()
        assert syncs(q) == done + 1


def test_threads_that_write_at_the_same_time_share_a_sync(tmp_path: Path) -> None:
    """None has to wait for its own; the GIL is released meanwhile."""
    with tape.open(tmp_path, durability="each", codec=raw) as q:
        a, n = q.appender(), 30
        a.write(b"first")
        done = syncs(q)
        threads = [threading.Thread(target=lambda: [a.write(b"x") for _ in range(n)])
                   for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(q) == 8 * n + 1
        assert n <= syncs(q) - done <= 8 * n


def test_an_interval_is_kept_though_nothing_more_is_written(tmp_path: Path) -> None:
    """By a thread, which ends with the queue."""
    def threads() -> list[str]:
        names = []
        for task in os.listdir("/proc/self/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ends right now
                names.append(Path(f"/proc/self/task/{task}/comm").read_text().strip())
        return names
    with tape.open(tmp_path, durability="interval:5ms") as q:
        q.appender().write("a")
        for _ in range(2000):
            if syncs(q):
                break
            time.sleep(0.005)
        assert syncs(q) and "tape-sync" in threads()
    for _ in range(2000):
        if "tape-sync" not in threads():
            break
        time.sleep(0.005)
    assert "tape-sync" not in threads()


def test_closing_syncs_what_an_interval_left(tmp_path: Path) -> None:
    """An appender and a queue."""
    with tape.open(tmp_path) as watching:
        with tape.open(tmp_path, durability="interval:60min") as q:
            with q.appender() as a:
                a.write("a")
                assert syncs(watching) == 0
            assert syncs(watching) == 1
            q.appender().write("b")
        assert syncs(watching) == 2


def test_sync_is_for_all_that_stands_there(tmp_path: Path) -> None:
    """Of queues whose appenders leave it to the system, and of those opened read-only."""
    with tape.open(tmp_path) as q:
        q.sync()
        q.appender().write("a")
        q.sync()
        q.appender().sync()
        with tape.open(tmp_path, read_only=True) as reader:
            assert reader.tailer().read() == "a"
            reader.sync()
    for call in (q.sync, q.appender):
        with pytest.raises(tape.QueueClosed):
            call()


def test_a_closed_appender_does_not_sync(tmp_path: Path) -> None:
    """It says that it was closed."""
    with tape.open(tmp_path, durability="each") as q:
        a = q.appender()
        a.close()
        with pytest.raises(tape.QueueClosed):
            a.sync()


def test_a_failure_is_an_error_of_its_own(tmp_path: Path) -> None:
    """No WriteFailed, after which nothing would have been written."""
    assert issubclass(tape.SyncFailed, OSError)
    assert not issubclass(tape.SyncFailed, tape.WriteFailed)


def test_a_file_system_without_disk_is_told(tmp_path: Path) -> None:
    """Once, on opening; nobody is warned who asked for nothing."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        pytest.skip("no /dev/shm")
    path = memory / f"tape-{os.getpid()}"
    try:
        with pytest.warns(tape.DurabilityReduced, match="no disk") as told:
            tape.open(path, durability="each").close()
        assert told[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tape.open(path).close()
    finally:
        tape.delete(path)
