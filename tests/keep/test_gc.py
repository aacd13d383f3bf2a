"""Which cycle files may go, and their going."""

from __future__ import annotations

import datetime
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import tape
from tape import _side
from tape.codecs import raw
from tape.retention import cycle_files

from tests.kit.clocks import SetClock
from tests.kit.queues import CYCLE, Changing, index_of

SECONDS = (0, 1, 2, 5)  # the cycles of a Changing, two messages in each


def went(verdicts: list[tape.Verdict]) -> list[int]:
    return [v.cycle - CYCLE for v in verdicts if v.goes]


def there(q: tape.Queue) -> list[int]:
    return [c.cycle - CYCLE for c in q.cycles()]


@pytest.mark.parametrize(("keep", "goes"), [
    (tape.Keep(), []),
    (tape.Keep(max_cycles=1), [0, 1, 2]),
    (tape.Keep(max_cycles=3), [0]),
    (tape.Keep(max_cycles=9), []),
    (tape.Keep(max_age=4), [0]),
    (tape.Keep(max_age="2.5s"), [0, 1]),
    (tape.Keep(max_age=datetime.timedelta(0)), [0, 1, 2]),
    (tape.Keep(max_bytes=0), [0, 1, 2]),
    (tape.Keep(max_bytes="1GB"), []),
    (tape.Keep(min_free="100%"), [0, 1, 2]),
    (tape.Keep(min_free=1), []),
])
def test_each_limit_says_what_goes_and_gc_does_what_the_dry_run_said(
        changing: Changing, keep: tape.Keep, goes: list[int]) -> None:
    """The oldest first, never the current one, whatever the limit."""
    changing.clock.ms = (CYCLE + 5) * 1000 + 500
    said = changing.q.gc(keep, dry_run=True)
    assert went(said) == goes and there(changing.q) == list(SECONDS)
    assert changing.q.gc(keep) == said
    assert there(changing.q) == [s for s in SECONDS if s not in goes]
    assert all(v.reason for v in said) and len(said) == 4
    assert len(changing.q) == 2 * len(there(changing.q))


def test_bytes_are_those_on_disk_and_no_more_goes_than_must(changing: Changing) -> None:
    """The limit is met as soon as it can be."""
    sizes = [f.bytes for f in cycle_files(changing.q)]
    assert went(changing.q.gc(tape.Keep(max_bytes=sum(sizes) - 1))) == [0]
    assert went(changing.q.gc(tape.Keep(max_bytes=sum(sizes[1:])))) == []
    assert went(changing.q.gc(tape.Keep(max_bytes=sum(sizes[2:])))) == [1]


def test_the_listing_names_what_is_left(changing: Changing) -> None:
    """The words that Java goes by, and everybody is told to look."""
    before = changing.q.info().listing_mod_count
    changing.q.gc(tape.Keep(max_cycles=2))
    words = changing.q.table()
    assert words["listing.lowestCycle"] == CYCLE + 2
    assert words["listing.highestCycle"] == CYCLE + 5
    assert words["listing.modCount"] > before
    assert changing.q.first_index == index_of(2)


def test_a_named_tailer_holds_what_it_has_yet_to_read(changing: Changing) -> None:
    """And the cycle in which it stands; the reason names it."""
    with changing.q.tailer("Billing") as t:
        assert went(changing.q.gc(tape.Keep(max_cycles=1))) == []
        assert t.seek(index_of(1, 1))
        t.commit()
        verdicts = changing.q.gc(tape.Keep(max_cycles=1))
        assert went(verdicts) == [0]
        assert "'Billing'" in verdicts[1].reason and "max_cycles" in verdicts[1].reason
        assert list(t) == [b"1.1", b"2.0", b"2.1", b"5.0", b"5.1"]
        assert went(changing.q.gc(tape.Keep(max_cycles=1))) == [1, 2]


def test_unread_by_says_whose_unread_messages_count(changing: Changing) -> None:
    """All by default; some by name, in any spelling of case; nobody."""
    changing.q.tailer("slow").close()
    with changing.q.tailer("quick") as t:
        list(t)
    for unread_by, goes in ((tape.ALL, []), ("SLOW", []), (["quick", "slow"], []),
                            (["never seen"], []), (["quick"], [0, 1, 2]), (None, [0, 1, 2])):
        said = changing.q.gc(tape.Keep(max_cycles=1, unread_by=unread_by), dry_run=True)
        assert went(said) == goes, unread_by


def test_a_parked_tailer_holds_nothing_until_it_reads(changing: Changing) -> None:
    """Parking is undone by the reading itself, whoever reads."""
    q, keep = changing.q, tape.Keep(max_cycles=1)
    with q.tailer("gone") as t:
        assert t.read() == b"0.0"
    q.park("GONE")
    assert q.stats().tailers["gone"].parked
    assert went(q.gc(keep, dry_run=True)) == [0, 1, 2]
    with tape.open(q.path, codec=raw, read_only=True) as other:
        assert went(other.gc(keep, dry_run=True)) == [0, 1, 2]
    with q.tailer("gone") as t:
        assert t.read() == b"0.1"
    assert not q.stats().tailers["gone"].parked and went(q.gc(keep)) == []


def test_parking_needs_a_name_that_is_there_and_a_queue_to_write(changing: Changing) -> None:
    """Wrong use is told."""
    with pytest.raises(tape.InvalidArgument, match="no tailer named 'nobody'"):
        changing.q.park("nobody")
    changing.q.tailer("known").close()
    with tape.open(changing.q.path, codec=raw, read_only=True) as q:
        with pytest.raises(tape.ReadOnlyQueue):
            q.park("known")
        with pytest.raises(tape.ReadOnlyQueue):
            q.gc(tape.Keep(max_cycles=1))
    Path(changing.q.path, _side.PARKED).write_text("[nonsense")
    assert not changing.q.stats().tailers["known"].parked
    changing.q.park("known")
    assert changing.q.stats().tailers["known"].parked


def test_what_is_no_cycle_file_of_the_queue_stays(changing: Changing, tmp_path: Path) -> None:
    """Foreign files, sub-queues, links, discarded files, and names that are no dates."""
    here = Path(changing.q.path)
    (here / "sub").mkdir()
    name = changing.file(0).name
    kept = [here / "sub" / name, here / "backup.tar.gz", here / "notes.cq4",
            here / f"{name}-1600000000000.discard", here / "99999999-999999T.cq4"]
    for path in kept:
        shutil.copy(changing.file(0), path)
    changing.file(1).rename(tmp_path / "elsewhere")
    changing.file(1).symlink_to(tmp_path / "elsewhere")
    assert went(changing.q.gc(tape.Keep(max_cycles=1))) == [0, 2]
    assert all(path.exists() for path in kept) and (tmp_path / "elsewhere").exists()


def test_a_half_made_file_stays_for_a_writer_to_move_aside(changing: Changing) -> None:
    """It may be somebody's who is at it."""
    changing.file(1).write_bytes(b"")
    changing.q.refresh()
    verdicts = changing.q.gc(tape.Keep(max_cycles=1))
    assert went(verdicts) == [0, 2] and "half-made" in verdicts[1].reason


def test_a_newer_file_without_messages_does_not_make_the_one_before_old(changing: Changing) -> None:
    """Somebody is early: what is written is still the cycle before."""
    reader = tape.open(changing.q.path, codec=raw)
    newer = changing.file(7)
    shutil.copy(changing.file(5), newer)
    newer.write_bytes(b"")
    verdicts = changing.q.gc(tape.Keep(max_cycles=1))
    assert went(verdicts) == [0, 1, 2] and changing.file(5).exists() and newer.exists()
    reader.close()


def test_a_clock_that_went_back_keeps_what_it_says_is_current(changing: Changing) -> None:
    """Writers whose clock shows an older cycle may write there."""
    changing.clock.ms = (CYCLE + 1) * 1000
    assert went(changing.q.gc(tape.Keep(max_cycles=1))) == [0]


def test_an_empty_queue_and_one_without_directory(tmp_path: Path) -> None:
    """Nothing goes; a directory that is gone is said."""
    with tape.open(tmp_path / "q") as q:
        assert q.gc(tape.Keep(max_cycles=1)) == []
        shutil.rmtree(tmp_path / "q")
        with pytest.raises(tape.QueueNotFound):
            q.gc(tape.Keep(max_cycles=1), dry_run=True)
    with pytest.raises(tape.QueueClosed):
        q.gc(tape.Keep(max_cycles=1))


@pytest.mark.parametrize("wrong", [
    {"max_cycles": 0}, {"max_bytes": -1}, {"max_bytes": "many"}, {"max_age": "-1d"},
    {"max_bytes": 1.5}, {"max_bytes": True}, {"max_bytes": b"1GB"}, {"max_cycles": "3"},
    {"max_cycles": 1.5}, {"max_cycles": True}, {"max_age": True}, {"max_age": object()},
    {"max_age": float("inf")}, {"min_free": 0.05}, {"unread_by": [1]}, {"unread_by": b"x"},
    {"unread_by": 1}, {"unread_by": [None]},
    {"max_age": float("nan")}, {"max_age": "3 moons"}, {"min_free": "101%"}, {"min_free": "x%"}])
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    """When the policy is made, not when it would have removed something."""
    with pytest.raises(tape.InvalidArgument):
        tape.Keep(**wrong)  # type: ignore[arg-type]


def test_a_policy_of_another_type_is_refused(changing: Changing) -> None:
    """Before anything is looked at."""
    with pytest.raises(TypeError, match=r"tape\.Keep"):
        changing.q.gc({"max_cycles": 1})  # type: ignore[arg-type]


def test_one_collects_at_a_time(changing: Changing) -> None:
    """Who comes second waits, and after some time says so."""
    held = os.open(changing.q.path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        with pytest.raises(tape.QueueBusy, match="another process"), \
                _side.lease(changing.q.path, timeout=0.1):
            pass
        timer = threading.Timer(0.3, lambda: fcntl.flock(held, fcntl.LOCK_UN))
        timer.start()
        assert went(changing.q.gc(tape.Keep(max_cycles=1))) == [0, 1, 2]
        timer.join()
    finally:
        os.close(held)


def test_a_lease_ends_with_its_process(changing: Changing) -> None:
    """However it dies."""
    code = ("import os, sys; from tape import _side\n"
            "with _side.lease(sys.argv[1]): os.kill(os.getpid(), 9)")
    subprocess.run([sys.executable, "-c", code, changing.q.path], check=False, timeout=60)
    assert went(changing.q.gc(tape.Keep(max_cycles=1))) == [0, 1, 2]


def test_the_current_cycle_is_refused_in_c_as_well(changing: Changing) -> None:
    """And one that is not there is told apart."""
    from tape._ffi import lib
    q = changing.q
    assert lib.tape_queue_remove_cycle(q._handle, CYCLE + 5) == lib.TAPE_ESTATE
    assert lib.tape_queue_remove_cycle(q._handle, CYCLE + 3) == lib.TAPE_ENOTFOUND
    assert lib.tape_queue_remove_cycle(q._handle, 1 << 40) == lib.TAPE_EINVAL
    with tape.open(q.path, codec=raw, read_only=True) as reader:
        assert lib.tape_queue_remove_cycle(reader._handle, CYCLE) == lib.TAPE_EREADONLY
    assert there(q) == list(SECONDS)


def test_a_file_that_cannot_be_removed_keeps_the_newer_ones(
        changing: Changing, caplog: pytest.LogCaptureFixture) -> None:
    """There is never a hole between older and newer messages; it is logged and said."""
    from tape import retention
    real = retention.remove

    def failing(q: tape.Queue, path: str, cycle: int) -> None:
        if cycle == CYCLE + 1:
            raise PermissionError(1, "not permitted", path)
        real(q, path, cycle)

    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.INFO, "tape"):
        patch.setattr(retention, "remove", failing)
        verdicts = changing.q.gc(tape.Keep(max_cycles=1))
    assert went(verdicts) == [0] and there(changing.q) == [1, 2, 5]
    assert "could not be removed" in verdicts[1].reason and "an older one" in verdicts[2].reason
    said = [(r.name, r.levelname) for r in caplog.records]
    assert said == [("tape.retention", "INFO"), ("tape.retention", "ERROR")]
    assert "max_cycles is 1" in caplog.text


def test_space_comes_back_and_who_else_holds_it_is_said(changing: Changing) -> None:
    """No mapping of this process keeps a removed file, but one of a tailer that stands in it."""
    q = changing.q
    changing.clock.ms = (CYCLE + 6) * 1000
    changing.a.write(b"6.0")
    assert went(q.gc(tape.Keep(max_cycles=4))) == [0]
    with q.tailer() as t:
        assert t.read() == b"1.0"
        verdicts = q.gc(tape.Keep(max_cycles=3))
        assert [v.held_by for v in verdicts if v.goes] == [(os.getpid(),)]
        assert [t.read() for _ in range(4)] == [b"1.1", b"2.0", b"2.1", b"5.0"]
    maps = Path("/proc/self/maps").read_text()
    assert not [line for line in maps.splitlines() if "(deleted)" in line and q.path in line]


def test_a_dead_holders_lock_is_left_to_a_writer_who_repairs(changing: Changing) -> None:
    """Collecting goes on under it, and gives it back as it was."""
    code = ("import os, sys, tape\nfrom tape.codecs import raw\n"
            "class Clock:\n"
            "    def now_ms(self): return os.kill(os.getpid(), 9)\n"
            "q = tape.open(sys.argv[1], codec=raw, clock=Clock())\n"
            "q.appender().write(b'never')")
    died = subprocess.Popen([sys.executable, "-c", code, changing.q.path])
    died.wait(60)
    word = changing.q.table()["chronicle.write.lock"]
    assert word & 0xFFFFFFFF == died.pid
    assert went(changing.q.gc(tape.Keep(max_cycles=1))) == [0, 1, 2]
    assert changing.q.table()["chronicle.write.lock"] == word
    changing.write(5)
    assert changing.q.table()["chronicle.write.lock"] != word
    assert list(changing.q.tailer()) == [b"5.0", b"5.1", b"5.0"]


def test_ages_count_by_the_queues_clock(tmp_path: Path) -> None:
    """So retention can be tested, and replayed."""
    clock = SetClock(CYCLE * 1000)
    with tape.open(tmp_path, codec=raw, roll_cycle="TEST4_SECONDLY", clock=clock) as q:
        a = q.appender()
        for second in range(5):
            clock.ms = (CYCLE + second) * 1000
            a.write(b"x")
        clock.ms += 3_600_000
        assert went(q.gc(tape.Keep(max_age="1h"), dry_run=True)) == [0, 1, 2]


def test_a_child_that_was_forked_during_a_collection_holds_up_no_later_one(
        changing: Changing, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the descriptor that was locked; the parent's unlocking counts for both. A child that
    comes to the end of its copy of the call unlocks nothing."""
    children: list[int] = []

    def fork(*_: object) -> list[tape.Verdict]:
        read, write = os.pipe()
        children.append(os.fork())
        if children[-1] == 0:
            if len(children) == 2:
                return []
            signal.alarm(60)
            os.close(write)
            os.read(read, 1)  # until the parent ends it
            os._exit(0)
        os.close(read)
        pipes.append(write)
        return []

    pipes: list[int] = []
    monkeypatch.setattr("tape.retention.plan", fork)
    lease = _side.lease
    monkeypatch.setattr("tape.retention._side.lease", lambda path: lease(path, timeout=0))
    for _ in range(3):
        changing.q.gc(tape.Keep(max_cycles=1))
        if children[-1] == 0:
            os._exit(0)
        if len(children) == 2:
            os.waitpid(children[1], 0)
    for pipe, child in zip(pipes, children, strict=True):
        os.close(pipe)
        if child != children[1]:
            os.waitpid(child, 0)
