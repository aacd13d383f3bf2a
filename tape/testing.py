"""A pytest plug-in: queues with a clock that tests move, full disks, and writers that die.

Installed with tape; tests ask for the fixture ``tape_queue``::

    def test_the_report_is_made_at_midnight(tape_queue):
        q = tape_queue.open(roll_cycle="fast-daily")
        q.appender().write("before")
        tape_queue.roll_now()
        q.appender().write("after")
        assert len(q.cycles()) == 2

"""

from __future__ import annotations

import contextlib
import datetime
import os
import resource
import signal
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tape

__all__ = ["MovableClock", "TapeQueue", "tape_queue"]

START = datetime.datetime(2030, 1, 1, 12, tzinfo=datetime.timezone.utc)
BLOCK = 128 << 10
_COUNT = struct.Struct("<q")


class MovableClock:
    """A clock that stands still until it is moved.

    >>> clock = MovableClock(START)
    >>> clock.advance(minutes=5)
    >>> clock.now.isoformat()
    '2030-01-01T12:05:00+00:00'
    """

    def __init__(self, at: datetime.datetime = START) -> None:
        self.ms = round(at.timestamp() * 1000)

    def now_ms(self) -> int:
        """Milliseconds since 1970, as tape asks for them."""
        return self.ms

    @property
    def now(self) -> datetime.datetime:
        """The time it shows; settable, also back."""
        return datetime.datetime.fromtimestamp(self.ms / 1000, datetime.timezone.utc)

    @now.setter
    def now(self, at: datetime.datetime) -> None:
        self.ms = round(at.timestamp() * 1000)

    def advance(self, **span: float) -> None:
        """Moves it on, by the words of ``datetime.timedelta``: ``seconds=1``, ``hours=2``."""
        self.ms += round(datetime.timedelta(**span).total_seconds() * 1000)


class TapeQueue:
    """What the fixture ``tape_queue`` gives: a queue of its own for a test.

    Attributes: ``path`` of the queue; ``clock``, a :class:`MovableClock` that all queues opened
    here follow.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.clock = path, MovableClock()
        self._open: list[tape.Queue] = []
        self._options: dict[str, Any] = {"block_size": BLOCK}

    def open(self, **options: Any) -> tape.Queue:
        """Opens the queue as :func:`tape.open` does, with the movable clock. It is closed with the
        test."""
        wish = {**self._options, "clock": self.clock, **options}
        q = tape.open(self.path, **wish)
        self._options = {k: v for k, v in wish.items() if k in ("block_size", "codec")}
        self._open.append(q)
        return q

    @property
    def q(self) -> tape.Queue:
        """The queue that was opened last; one with the default options if none was."""
        if not self._open or self._open[-1].closed:
            self.open()
        return self._open[-1]

    def roll_now(self) -> int:
        """Moves the clock to the beginning of the next cycle, so that the next write makes a new
        file. Returns the number of that cycle."""
        q = self.q
        length, origin = q.roll_cycle.length_ms, q._effective_epoch()
        cycle = (self.clock.ms - origin) // length + 1
        self.clock.ms = cycle * length + origin
        return int(cycle)

    @contextlib.contextmanager
    def fill_disk(self) -> Iterator[None]:
        """As long as the block lasts, no file of this process has room to grow: a write that needs
        more raises :class:`tape.DiskFull`, soon with the small blocks of these queues, and at once
        after :meth:`roll_now`."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        files = [p.stat().st_size for p in self.path.glob("*.cq4")]
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (min([*files, BLOCK]), hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)

    def crash_after(self, step: int | str, messages: Iterable[Any] = ()) -> list[int]:
        """Another process writes, and is killed by SIGKILL.

        Args:
            step: after so many writes had returned; or ``"reserved"``: with the write lock held
                and a message half made, after all of ``messages``.
            messages: what it writes; by default the numbers from 0 on.

        Returns: the indexes that its writes returned.
        """
        self.q.info()  # there is a queue
        most = step if isinstance(step, int) else None
        if most is None and step != "reserved":
            raise ValueError(f"step={step!r}: a number of writes, or 'reserved'")
        given = list(messages) or (list(range(most)) if most else [])
        if most is not None and len(given) < most:
            raise ValueError(f"{len(given)} messages are too few to die after {most}")
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                self._write_and_die(given if most is None else given[:most], most is None,
                                    lambda index: os.write(writing, _COUNT.pack(index)))
            finally:
                os._exit(70)
        os.close(writing)
        with open(reading, "rb") as pipe:
            told = pipe.read()
        status = os.waitpid(child, 0)[1]
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            raise RuntimeError(f"the writer ended by itself: {os.waitstatus_to_exitcode(status)}")
        return [index for index, in _COUNT.iter_unpack(told)]

    def _write_and_die(self, messages: list[Any], inside: bool,
                       tell: Callable[[int], object]) -> None:
        q = tape.open(self.path, clock=self.clock, **self._options)
        a = q.appender()
        for message in messages:
            tell(a.write(message))
        if not inside:
            os.kill(os.getpid(), signal.SIGKILL)
        with a.writing(64):
            os.kill(os.getpid(), signal.SIGKILL)

    def close(self) -> None:
        """Closes all queues that were opened here."""
        for q in self._open:
            q.close()


@pytest.fixture
def tape_queue(tmp_path: Path) -> Iterator[TapeQueue]:
    """A :class:`tape.testing.TapeQueue` in a directory of its own."""
    found = TapeQueue(tmp_path / "tape-queue")
    yield found
    found.close()
