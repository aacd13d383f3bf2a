"""Cycle tasks: what is to be done when a cycle file comes into use, or goes out of it.

>>> import tape, tempfile
>>> from tape.tasks import Delete, Log
>>> q = tape.open(tempfile.mkdtemp(), on_released=[Log(), Delete(after_cycles=7)])
>>> q.close()

A thread of the queue notices that a newer cycle was begun, by whichever program, some time after
the roll: nothing of this is in the way of writing or reading. Each task is done once for an event,
by one process on the host, also when many have the queue open with it.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _side
from ._units import number_of
from .errors import Error, InvalidArgument, QueueClosed
from .retention import ALL, Keep, cycle_files

if TYPE_CHECKING:
    from .queue import Queue

__all__ = ["CycleEvent", "Delete", "Gzip", "Log", "Task", "Zstd"]

_log = logging.getLogger("tape.tasks")
_cycles = logging.getLogger("tape.cycle")

LOOK_EVERY_S = 0.5


class CycleEvent(NamedTuple):
    """What a task gets: the queue, the cycle and its file, and ``kind``: ``"acquired"`` (its file
    is the newest now) or ``"released"`` (it was, and a newer one came)."""

    queue: Queue
    cycle: int
    path: str
    kind: str


Task = Callable[[CycleEvent], Any]


class Log:
    """Logs the cycle files there are, newest first, to the logger ``tape.cycle``.

    Args:
        level: of the ``logging`` module.

    >>> Log(logging.DEBUG)
    Log(level=10)
    """

    def __init__(self, level: int = logging.INFO) -> None:
        self.level = number_of(level, "level")

    def __call__(self, event: CycleEvent) -> None:
        """Runs the task."""
        for file in reversed(cycle_files(event.queue)):
            _cycles.log(self.level, "%s: cycle %d %s: there is %s (%d bytes on disk)",
                        event.queue.path, event.cycle, event.kind, file.path, file.bytes)

    def __repr__(self) -> str:
        return f"Log(level={self.level})"


class Delete:
    """Removes all but the ``after_cycles`` newest cycle files, compressed ones included.

    Args:
        after_cycles: how many files to keep; the current one always stays, with 0 as well.
        keep_unread_by: as ``unread_by`` of :class:`tape.Keep`: whose unread messages stay.

    >>> Delete(after_cycles=2)
    Delete(after_cycles=2, keep_unread_by=tape.ALL)
    """

    def __init__(self, after_cycles: int = 1, keep_unread_by: Any = ALL) -> None:
        number_of(after_cycles, "after_cycles", most=1 << 62, hint="a number of cycle files")
        self.after_cycles, self.keep_unread_by = after_cycles, keep_unread_by
        self._keep = Keep(max_cycles=max(after_cycles, 1), unread_by=keep_unread_by)

    def __call__(self, event: CycleEvent) -> None:
        """Runs the task."""
        event.queue.gc(self._keep)

    def __repr__(self) -> str:
        return f"Delete(after_cycles={self.after_cycles}, keep_unread_by={self.keep_unread_by!r})"


class Gzip:
    """Compresses all but the ``after_cycles`` newest cycle files to ``.gz``, as Clojure's tape
    does, and then keeps the ``max_gzip`` newest of these.

    Tailers of tape read compressed files as they read others; Java programs do not, so what a
    named tailer has yet to read is not compressed, unless told so.
    :meth:`tape.Queue.thaw` brings them back.

    Args:
        after_cycles: how many files to leave as they are; the current one always stays so.
        max_gzip: how many ``.gz`` of the queue to keep; ``None``: all.
        keep_unread_by: as ``unread_by`` of :class:`tape.Keep`.
        level: 1 (fast) to 9 (small).

    >>> Gzip(max_gzip=None)
    Gzip(after_cycles=1, max_gzip=None, keep_unread_by=tape.ALL, level=6)
    """

    def __init__(self, after_cycles: int = 1, max_gzip: int | None = 2,
                 keep_unread_by: Any = ALL, level: int = 6) -> None:
        _check_numbers(after_cycles=after_cycles, max_gzip=0 if max_gzip is None else max_gzip)
        self.after_cycles, self.max_gzip, self.level = after_cycles, max_gzip, level
        self.keep_unread_by = Keep(unread_by=keep_unread_by).unread_by
        _check_level("gzip", level)

    def __call__(self, event: CycleEvent) -> None:
        """Runs the task."""
        _compress(event.queue, "gzip", self, self.max_gzip)

    def __repr__(self) -> str:
        return (f"Gzip(after_cycles={self.after_cycles}, max_gzip={self.max_gzip}, "
                f"keep_unread_by={self.keep_unread_by!r}, level={self.level})")


class Zstd:
    """Compresses all but the ``after_cycles`` newest cycle files to ``.zst``, in frames, so that a
    tailer that seeks decompresses a few of them. As :class:`Gzip` otherwise.

    Args:
        after_cycles: how many files to leave as they are; the current one always stays so.
        max_zstd: how many ``.zst`` of the queue to keep; ``None``: all.
        keep_unread_by: as ``unread_by`` of :class:`tape.Keep`.
        level: 1 (fast) to 19 (small).

    Raises: ImportError without the library: Python 3.14 has it, before that ``tape[zstd]``.

    >>> Zstd(after_cycles=2)
    Zstd(after_cycles=2, max_zstd=None, keep_unread_by=tape.ALL, level=3)
    """

    def __init__(self, after_cycles: int = 1, max_zstd: int | None = None,
                 keep_unread_by: Any = ALL, level: int = 3) -> None:
        _check_numbers(after_cycles=after_cycles, max_zstd=0 if max_zstd is None else max_zstd)
        self.after_cycles, self.max_zstd, self.level = after_cycles, max_zstd, level
        self.keep_unread_by = Keep(unread_by=keep_unread_by).unread_by
        _check_level("zstd", level)

    def __call__(self, event: CycleEvent) -> None:
        """Runs the task."""
        _compress(event.queue, "zstd", self, self.max_zstd)

    def __repr__(self) -> str:
        return (f"Zstd(after_cycles={self.after_cycles}, max_zstd={self.max_zstd}, "
                f"keep_unread_by={self.keep_unread_by!r}, level={self.level})")


def _check_numbers(**numbers: int) -> None:
    for name, value in numbers.items():
        number_of(value, name)


def _check_level(kind: str, level: int) -> None:
    from .compression import kind_of
    kind_of(kind).check(level)


def _compress(queue: Queue, kind: str, task: Gzip | Zstd, most: int | None) -> None:
    from .compression import compress, drop_oldest
    compress(queue, task.after_cycles, task.keep_unread_by, kind, task.level)
    if most is not None:
        drop_oldest(queue, most, task.keep_unread_by, kind)


def checked(tasks: Iterable[Task] | Task, name: str) -> tuple[Task, ...]:
    """The tasks of ``on_acquired=`` or ``on_released=``; one alone is a list of one."""
    one = callable(tasks) or not hasattr(tasks, "__iter__")
    found: tuple[Any, ...] = (tasks,) if one else tuple(tasks)  # type: ignore[arg-type]
    for task in found:
        if not callable(task):
            raise InvalidArgument(f"{name} has {task!r}, which cannot be called",
                                  hint="a callable that takes a tape.tasks.CycleEvent")
        if isinstance(task, type) and (task.__module__ == __name__ or task is Keep):
            raise InvalidArgument(f"{name} has the class {task.__name__}",
                                  hint=f"one of it: {task.__name__}()")
    return found


def _names(tasks: Sequence[Task]) -> list[str]:
    """What other processes know each task by; the same one twice in a list is told apart."""
    names: list[str] = []
    for task in tasks:
        kind = task if hasattr(task, "__qualname__") else type(task)
        home = getattr(kind, "__module__", None) or type(kind).__module__  # a built-in's has none
        name = f"{home}.{kind.__qualname__}"
        if home.startswith("tape."):
            name = repr(task)
        names.append(name if name not in names else f"{name} #{len(names)}")
    return names


class Watch:
    """The thread that notices rolls and runs the tasks. It ends with the queue."""

    def __init__(self, queue: Queue, on_acquired: Sequence[Task],
                 on_released: Sequence[Task]) -> None:
        self._queue = weakref.ref(queue)
        self._tasks = {kind: list(zip(tasks, _names(tasks), strict=True))
                       for kind, tasks in (("acquired", on_acquired), ("released", on_released))}
        self._stop = threading.Event()
        self._seen = max(_cycles_of(queue), default=None)
        self._thread = threading.Thread(target=self._run, name="tape.tasks", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Lets the task that runs end, and no further one begin; a task may close its queue."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        failed = False
        while not self._stop.wait(LOOK_EVERY_S):
            queue = self._queue()
            if queue is None:
                return
            try:
                self.look(queue)
                failed = False
            except QueueClosed:
                return
            except Exception:
                if not failed:  # once, not twice a second
                    _log.exception("%s: looking for rolls failed", queue.path)
                failed = True
            del queue

    def look(self, queue: Queue) -> None:
        """Looks whether there are newer cycles, and runs what is to be done for each."""
        cycles, before = _cycles_of(queue), self._seen
        if not cycles or (before is not None and cycles[-1] <= before):
            return
        self._seen = cycles[-1]
        for cycle in [c for c in cycles if before is None or c > before]:
            if before is not None:
                self._do(CycleEvent(queue, before, _path(queue, before), "released"))
            self._do(CycleEvent(queue, cycle, _path(queue, cycle), "acquired"))
            before = cycle

    def _do(self, event: CycleEvent) -> None:
        for task, name in self._tasks[event.kind]:
            if self._stop.is_set():
                return
            try:
                if _is_ours(event, f"{event.kind} {name}"):
                    task(event)
            except QueueClosed:
                if not event.queue.closed:
                    _log.exception("%r failed at %s", task, event.path)
            except Exception as error:
                _log.error("%r failed when %s was %s: %s", task, event.path, event.kind, error,
                           exc_info=not isinstance(error, (Error, OSError)))


def _cycles_of(queue: Queue) -> list[int]:
    return [f.cycle for f in cycle_files(queue) if not f.compressed]


def _path(queue: Queue, cycle: int) -> str:
    return queue.locate(queue.index_of(cycle, 0)).path


def _is_ours(event: CycleEvent, name: str) -> bool:
    """Whether no other process, or queue object, did this: it is noted before it is done, so that
    nothing is done twice."""
    path = event.queue.path
    with _side.lease(path):
        done = _side.load(path, _side.TASKS)
        if done.get(name, -1) >= event.cycle:
            return False
        _side.store(path, _side.TASKS, {**done, name: event.cycle})
    return True
