"""Cycle tasks: done once, off the hot path, never fatal."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tape
from tape import _side
from tape import tasks as module
from tape.codecs import raw
from tape.tasks import CycleEvent, Delete, Log

from tests.kit.clocks import SetClock
from tests.kit.queues import CYCLE


class Rolling:
    """A queue with tasks, and a writer who rolls when told; looks are by hand unless said so."""

    def __init__(self, path: Path) -> None:
        self.path, self.clock = path, SetClock(CYCLE * 1000)
        self.done: list[tuple[str, int]] = []
        self.queues: list[tape.Queue] = []

    def open(self, **tasks: object) -> tape.Queue:
        q = tape.open(self.path, codec=raw, roll_cycle="TEST4_SECONDLY", clock=self.clock,
                      block_size=64 << 10, **tasks)  # type: ignore[arg-type]
        self.queues.append(q)
        return q

    def note(self, event: CycleEvent) -> None:
        assert Path(event.path).exists() and not event.queue.closed
        self.done.append((event.kind, event.cycle - CYCLE))

    def write(self, q: tape.Queue, *seconds: int) -> None:
        for second in seconds:
            self.clock.ms = (CYCLE + second) * 1000
            q.appender().write(b"%d" % second)

    def look(self, q: tape.Queue) -> list[tuple[str, int]]:
        self.done.clear()
        assert q._watch
        q._watch.look(q)
        return list(self.done)


@pytest.fixture
def rolling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rolling]:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 3600.0)
    rolling = Rolling(tmp_path)
    yield rolling
    for q in rolling.queues:
        q.close()


def test_tasks_get_every_cycle_that_came_and_went(rolling: Rolling) -> None:
    """The first one is acquired; several rolls between two looks are several events."""
    q = rolling.open(on_acquired=[rolling.note], on_released=rolling.note)
    assert rolling.look(q) == []
    rolling.write(q, 0)
    assert rolling.look(q) == [("acquired", 0)] and rolling.look(q) == []
    rolling.write(q, 1, 4)
    assert rolling.look(q) == [("released", 0), ("acquired", 1), ("released", 1), ("acquired", 4)]


def test_a_queue_that_is_opened_again_does_not_begin_anew(rolling: Rolling) -> None:
    """What was there is no news."""
    rolling.write(rolling.open(), 0, 1)
    q = rolling.open(on_acquired=rolling.note, on_released=rolling.note)
    assert rolling.look(q) == []
    rolling.write(rolling.queues[0], 2)
    assert rolling.look(q) == [("released", 1), ("acquired", 2)]


def test_a_roll_is_noticed_soon_by_a_thread(tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever rolled; closing the queue ends the thread."""
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)
    happened = threading.Event()
    rolling = Rolling(tmp_path)
    other = rolling.open()
    q = rolling.open(on_released=lambda event: happened.set())
    rolling.write(other, 0)
    time.sleep(0.1)
    rolling.write(other, 1)
    assert happened.wait(20)
    assert q._watch
    thread = q._watch._thread
    q.close()
    q.close()
    other.close()
    assert not thread.is_alive()


def test_a_queue_that_nobody_has_any_more_ends_its_thread(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is leaked by forgetting to close."""
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)
    q = tape.open(tmp_path, on_released=print)
    assert q._watch
    thread = q._watch._thread
    del q
    until = time.monotonic() + 20
    while thread.is_alive() and time.monotonic() < until:
        gc.collect()
        time.sleep(0.01)
    assert not thread.is_alive()


def test_a_task_may_close_its_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for no one then."""
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)
    rolling = Rolling(tmp_path)
    q = rolling.open(on_acquired=lambda event: event.queue.close())
    with rolling.open() as other:
        rolling.write(other, 0)
        until = time.monotonic() + 20
        while not q.closed and time.monotonic() < until:
            time.sleep(0.01)
    assert q.closed


@pytest.mark.parametrize("error", [ValueError("poison"), OSError(28, "full"),
                                   tape.StateError("no")])
def test_what_a_task_raises_is_logged_and_the_others_are_done(
        rolling: Rolling, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing of it reaches a writer or reader."""
    def bad(event: CycleEvent) -> None:
        raise error

    q = rolling.open(on_acquired=[bad, rolling.note])
    rolling.write(q, 0)
    assert rolling.look(q) == [("acquired", 0)]
    (record,) = [r for r in caplog.records if r.name == "tape.tasks"]
    assert record.levelname == "ERROR" and str(error) in record.getMessage()
    assert bool(record.exc_info) == isinstance(error, ValueError)


def test_a_task_is_done_once_over_many_queue_objects(rolling: Rolling) -> None:
    """Another task is done beside it, whoever has it."""
    def another(event: CycleEvent) -> None:
        rolling.done.append(("another", event.cycle - CYCLE))

    one = rolling.open(on_acquired=[rolling.note])
    two = rolling.open(on_acquired=[rolling.note, another])
    rolling.write(one, 0)
    assert rolling.look(one) == [("acquired", 0)]
    assert rolling.look(two) == [("another", 0)]


def test_a_task_that_stands_twice_is_done_twice(rolling: Rolling) -> None:
    """Lambdas, for instance, have one name."""
    tasks: list[Callable[[CycleEvent], None]] = [
        lambda event: rolling.done.append(("a", 0)), lambda event: rolling.done.append(("b", 0)),
        lambda event: rolling.done.append(("c", 0))]
    q = rolling.open(on_acquired=tasks)
    rolling.write(q, 0)
    assert rolling.look(q) == [("a", 0), ("b", 0), ("c", 0)]


def test_many_processes_do_a_task_once(rolling: Rolling, tmp_path: Path) -> None:
    """Four of them see five cycles come."""
    code = ("import sys, tape\nfrom tape import tasks\ntasks.LOOK_EVERY_S = 0.01\n"
            "def task(event): print(event.kind, event.cycle, flush=True)\n"
            "q = tape.open(sys.argv[1], on_acquired=[task])\n"
            "print('ready', flush=True); sys.stdin.read(); q._watch.look(q); q.close()")
    q = rolling.open()
    procs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    for proc in procs:
        assert proc.stdout and proc.stdout.readline() == "ready\n"
    for second in range(5):
        rolling.write(q, second)
        time.sleep(0.1)
    lines = sorted(line for proc in procs for line in proc.communicate()[0].splitlines())
    assert lines == [f"acquired {CYCLE + n}" for n in range(5)]


def test_delete_and_keep_are_tasks(rolling: Rolling) -> None:
    """Never what a named tailer has yet to read, never the current one."""
    q = rolling.open(on_released=[Delete(after_cycles=2)])
    rolling.write(q, 0, 1, 2)
    rolling.look(q)
    rolling.write(q, 3)
    rolling.look(q)
    assert [c.cycle - CYCLE for c in q.cycles()] == [2, 3]
    q.tailer("slow").close()
    rolling.write(q, 4, 5)
    rolling.look(q)
    assert [c.cycle - CYCLE for c in q.cycles()] == [2, 3, 4, 5]
    other = rolling.open(on_released=tape.Keep(max_cycles=1, unread_by=None))
    rolling.write(q, 6)
    rolling.look(other)
    assert [c.cycle - CYCLE for c in q.cycles()] == [6]


def test_log_names_the_files_newest_first(rolling: Rolling,
                                          caplog: pytest.LogCaptureFixture) -> None:
    """At its level, by its logger."""
    q = rolling.open(on_acquired=[Log(logging.WARNING)])
    rolling.write(q, 0, 1)
    rolling.look(q)
    said = [r.getMessage() for r in caplog.records if r.name == "tape.cycle"]
    names = [Path(q.cycles()[n].path).name for n in (1, 0)]
    assert len(said) == 4 and all(name in line for name, line in zip(names * 2, said, strict=True))


@pytest.mark.parametrize("tasks", [Delete, [Delete], [tape.Keep], tape.Keep, [module.Gzip]])
def test_a_class_is_not_taken_for_a_task(tmp_path: Path, tasks: object) -> None:
    """It can be called, with an event for its first number: at each roll it would fail, and do
    nothing."""
    with pytest.raises(tape.InvalidArgument, match="has the class"):
        tape.open(tmp_path / "q", on_released=tasks)  # type: ignore[call-overload]
    assert not (tmp_path / "q").exists()


@pytest.mark.parametrize("wrong", ["1", 1.5, True, -1, None])
def test_numbers_of_tasks_are_whole(wrong: object) -> None:
    """Told when the task is made, not when it would have done something."""
    for make in (Delete, module.Gzip, module.Zstd, Log):
        with pytest.raises(tape.InvalidArgument):
            make(wrong)  # type: ignore[operator]
    if wrong is not None:
        with pytest.raises(tape.InvalidArgument):
            module.Gzip(max_gzip=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("tasks", [{"on_acquired": ["gzip"]}, {"on_released": [None]},
                                   {"on_released": None}, {"on_acquired": 1}])
def test_what_cannot_be_called_is_no_task(tmp_path: Path, tasks: dict[str, list[object]]) -> None:
    """Told before anything is made."""
    with pytest.raises(tape.InvalidArgument, match="cannot be called"):
        tape.open(tmp_path / "q", **tasks)  # type: ignore[arg-type]
    assert not (tmp_path / "q").exists()
    with pytest.raises(tape.InvalidArgument, match="negative"):
        Delete(after_cycles=-1)


def test_a_queue_opened_read_only_has_no_tasks(rolling: Rolling, tmp_path: Path) -> None:
    """They would change files."""
    rolling.write(rolling.open(), 0)
    with pytest.raises(tape.InvalidArgument, match="read-only"):
        tape.open(tmp_path, read_only=True, on_released=[Delete()])


def test_a_directory_that_cannot_be_noted_in_is_logged(
        rolling: Rolling, monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture) -> None:
    """On a full disk no task is done, rather than done by everybody."""
    def full(*what: object) -> None:
        raise OSError(28, "No space left on device")

    q = rolling.open(on_acquired=rolling.note)
    rolling.write(q, 0)
    monkeypatch.setattr(_side, "store", full)
    assert rolling.look(q) == [] and "No space left" in caplog.text


def test_deleting_a_queue_takes_its_notes_along(rolling: Rolling, tmp_path: Path) -> None:
    """Nothing of tape's stays."""
    q = rolling.open(on_acquired=rolling.note)
    rolling.write(q, 0)
    rolling.look(q)
    q.tailer("t").close()
    q.park("t")
    assert (tmp_path / _side.TASKS).exists() and (tmp_path / _side.PARKED).exists()
    q.close()
    tape.delete(tmp_path)
    assert not tmp_path.exists()
