"""Tailer: reads messages of a queue, from anywhere, as often as you like."""

from __future__ import annotations

from ._arguments import ms_of
from ._cursor import Cursor
from ._ffi import ffi, lib
from ._handle import Closable
from ._lanes import NOTHING, TailerLane, adopt
from ._types import NOTHING as NONE_NOW, T_co, Of
from .errors import Error, IndexNotFound, InvalidArgument, TailerBusy

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from array import array
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Any, overload

    from typing_extensions import Self

    from ._types import D
    from .aio import Stream
    from .codecs import Codec
    from .info import CycleFile, Entry, Lag, TailerInfo
    from .queue import Queue

__all__ = ["Tailer"]

_STATES = {getattr(lib, f"TAPE_{name}"): name for name in (
    "UNINITIALISED", "FOUND_IN_CYCLE", "NOT_REACHED_IN_CYCLE", "END_OF_CYCLE",
    "BEYOND_START_OF_CYCLE")}


def _is_time(target: object) -> bool:
    if target is None or isinstance(target, (int, str)):
        return False
    import datetime
    return isinstance(target, datetime.datetime)


def _index_of(cycles: list[CycleFile], ends: list[int], number: int) -> int:
    """The index of message ``number`` (from 0); ``ends``: messages up to each cycle's end."""
    import bisect
    place = bisect.bisect_right(ends, number)
    return cycles[place].first_index + number - (ends[place - 1] if place else 0)


class Tailer(TailerLane, Closable, Of[T_co]):
    """Reads messages; made by :meth:`tape.Queue.tailer`. For one thread at a time.

    Iterating drains what is there and stops; :meth:`follow` goes on. ``next(t)`` is one
    :meth:`read` that raises ``StopIteration`` when nothing is there. A message that cannot be
    decoded raises :class:`tape.DecodeError` and stays where it is; :meth:`skip` moves on.

    Attributes: ``queue``; ``codec``, of its messages; ``id``, its name or ``None``;
    ``poll_interval``, seconds between looks while it waits.

    >>> import tape, tempfile
    >>> with tape.open(tempfile.mkdtemp()) as q:
    ...     i, j = [q.appender().write(m) for m in ("a", "b")]
    ...     t = q.tailer()
    ...     list(t), t.read(), t.seek(j), t.read()
    (['a', 'b'], None, True, 'b')
    """

    __slots__ = ("__weakref__", "id", "queue")

    queue: Queue[Any]
    id: str | None

    def __init__(self, queue: Any = None, codec: Any = None, poll_interval: float = 0.0, *,
                 id: str | None = None, **options: Any) -> None:  # noqa: A002
        if not hasattr(queue, "_open_handle"):
            raise TypeError("a tailer is made by queue.tailer()")
        self.queue = queue
        self.id = id
        self._cursor = Cursor(queue._open_handle(), queue.path, codec, poll_interval, id=id,
                              clock=queue._clock, **options)

    @property
    def codec(self) -> Codec[T_co]:
        """The codec of its messages."""
        return self._cursor.codec

    @property
    def poll_interval(self) -> float:
        """Seconds between looks while it waits."""
        return self._cursor.poll_interval

    @poll_interval.setter
    def poll_interval(self, seconds: float) -> None:
        self._cursor.set_poll_interval(seconds)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._cursor.closed

    def _begin(self, start: str | int | datetime.datetime | None, direction: str) -> None:
        """Goes where a new tailer shall stand, unless a position was stored."""
        fresh = self.id is None or self._cursor.call(lib.tape_tailer_committed) == 0
        if fresh and start == "end":
            self._cursor.call(lib.tape_tailer_seek_end)
        elif fresh and (isinstance(start, int) or _is_time(start)):
            found = self._move_to(start)  # type: ignore[arg-type]
            if not found and isinstance(start, int) and self.index != start:
                raise IndexNotFound(f"no message {start:#x} in {self.queue.path} to start at",
                                    index=start, hint="see first_index and last_index of the queue")
        elif start not in (None, "start") and fresh:
            raise InvalidArgument(f"start={start!r}", hint="'start', 'end', an index, a datetime")
        if direction != "forward":
            self.direction = direction

    if TYPE_CHECKING:
        @overload
        def read(self, default: None = None, *, timeout: float | None = 0) -> T_co | None: ...

        @overload
        def read(self, default: D, *, timeout: float | None = 0) -> T_co | D: ...

    def read(self, default: Any = None, *, timeout: float | None = 0) -> Any:
        """The next message.

        Args:
            default: what is returned when there is none. Where a message may itself be ``None``
                say :data:`tape.NOTHING`, and compare with ``is``.
            timeout: seconds to wait for one, 0 not at all, ``None`` for ever.

        Raises: :class:`tape.DecodeError`, :class:`tape.Gap`, :class:`tape.CorruptQueue`,
            :class:`tape.TailerBusy`, :class:`tape.QueueClosed`, :class:`tape.Forked`, and
            :class:`tape.StateError` when the codec keeps the memory that it was lent.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     t = q.tailer()
        ...     t.read(), t.read("none", timeout=0.01)
        (None, 'none')
        """
        return self._cursor.read(default, timeout)

    def get(self, timeout: float | None = None) -> T_co:
        """The next message, waiting for it; :class:`tape.Empty` after ``timeout`` seconds."""
        return self._cursor.read(NOTHING, timeout)  # type: ignore[no-any-return]

    def read_entry(self, *, timeout: float | None = 0) -> Entry | None:
        """The next message as :class:`tape.Entry` (index, value, raw bytes); ``None``: none."""
        return self._cursor.read(None, timeout, True)  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[T_co]:
        return self._cursor.messages()

    def __next__(self) -> T_co:
        message = self._cursor.read(NONE_NOW, 0)  # with no call until the message has left
        if message is NONE_NOW:
            raise StopIteration
        return message  # type: ignore[no-any-return]

    def __reversed__(self) -> Iterator[T_co]:
        """The messages before this place, newest first, by a tailer of its own."""
        other = Tailer(self.queue, self.codec, self.poll_interval)
        if (index := self.index) > 0:
            at_message = other.seek(index)
            if not at_message and other.index != index:  # its file is gone, or none was ever there
                older = [c for c in self.queue.cycles() if c.count > 0 and c.first_index <= index]
                if not older:
                    return iter(())
                other.seek(older[-1].first_index + older[-1].count - 1)
            other.direction = "backward"
            if at_message and self.direction == "forward":
                other.skip()
        return iter(other)

    def entries(self, limit: int | None = None) -> Iterator[Entry]:
        """What is there now, as :class:`tape.Entry` objects, at most ``limit``."""
        return self._cursor.messages(True, limit)

    def follow(self, timeout: float | None = None) -> Iterator[T_co]:
        """Messages as they come, until the queue is closed or none came for ``timeout`` seconds."""
        return self._cursor.messages(wait=True, timeout=timeout)

    def stream(self) -> Stream:
        """Messages as they come, for ``async for``: :class:`tape.aio.Stream`.

        As :meth:`follow` it ends when the queue is closed, and a named tailer's position is stored
        when the next message is asked for. Whatever ends it - ``break``, cancelling, an error -
        the first message that was not delivered is the next one.

        >>> import asyncio, tape, tempfile
        >>> async def first():
        ...     async with tape.open(tempfile.mkdtemp()) as q:
        ...         q.appender().write("hello")
        ...         async with q.tailer().stream() as messages:
        ...             async for message in messages:
        ...                 return message
        >>> asyncio.run(first())
        'hello'
        """
        from .aio import Stream
        return Stream(self)

    def __aiter__(self) -> Stream:
        return self.stream()

    def fileno(self) -> int:
        """A descriptor that is readable when there may be something to read, for ``select``, trio
        and other loops. Read until there is nothing more: then it is readable no longer, until
        something comes. It is closed with the tailer.

        >>> import select, tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     t = q.tailer()
        ...     before = select.select([t], [], [], 0)[0] == [t]
        ...     i = q.appender().write("hello")
        ...     before, select.select([t], [], [], 5)[0] == [t], t.read()
        (False, True, 'hello')
        """
        return self._cursor.call(lib.tape_tailer_fd)

    def read_many(self, n: int, *, timeout: float | None = 0) -> list[T_co]:
        """Up to ``n`` messages as a list; waits for the first as :meth:`read` does.

        Copies many in one call of C, so that a message costs a fraction of what :meth:`read`
        takes. A message that cannot be decoded, a gap, or what ``on_error`` or ``on_gap`` raises
        ends the list: the next call raises it (and calls the handler again). A named tailer's
        position is stored before the list is returned.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     indexes = [q.appender().write(m) for m in range(5)]
        ...     t = q.tailer()
        ...     t.read_many(3), t.read_many(3), t.read_many(3)
        ([0, 1, 2], [3, 4], [])
        """
        return self._cursor.read_many(n, timeout)

    def read_raw(self, n: int) -> tuple[bytes, array[int]]:
        """The bytes of up to ``n`` messages, undecoded, without an object for each.

        Returns: ``(buffer, offsets)``: message ``i`` is ``buffer[offsets[i]:offsets[i + 1]]``, so
            there is one offset more than messages, as Arrow's binary arrays have them.

        Raises: as :meth:`read_many`; a document of another framing than the codec's is a
            :class:`tape.DecodeError`, and ends what comes behind other messages.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp(), codec=tape.codecs.raw) as q:
        ...     indexes = [q.appender().write(m) for m in (b"one", b"", b"three")]
        ...     buffer, offsets = q.tailer().read_raw(1000)
        ...     buffer, list(offsets)
        (b'onethree', [0, 3, 3, 8])
        """
        return self._cursor.read_bodies(n)  # type: ignore[no-any-return]

    def read_columns(self, dtype: Any, n: int) -> Any:
        """Up to ``n`` messages that are records of one size, as a numpy array of them.

        Args:
            dtype: of a record, as numpy takes it: ``"f8,i8,S8"``, a list of names and types, ...
            n: the most records.

        Returns: a one-dimensional array of its own memory; a field is a column. Whoever takes
            tables by Arrow's PyCapsule interface takes it as it is: ``pyarrow.table(...)``,
            ``nanoarrow.Array(...)``, ... That needs the extension ``tape._fast``, which PyPy and
            the abi3 wheel have not.

        Raises: as :meth:`read_many`; :class:`tape.DecodeError` for a message of another size, which
            ends what comes behind other messages; :class:`tape.InvalidArgument` for a dtype with
            objects or without size; ImportError without numpy.

        >>> import tape, tempfile, struct
        >>> with tape.open(tempfile.mkdtemp(), codec=tape.codecs.raw) as q:
        ...     indexes = [q.appender().write(struct.pack("<dq", i / 2, i)) for i in range(4)]
        ...     trades = q.tailer().read_columns([("price", "<f8"), ("id", "<i8")], 1000)
        ...     trades["price"].tolist(), int(trades["id"].sum())
        ([0.0, 0.5, 1.0, 1.5], 6)
        """
        from ._columns import record
        return self._cursor.read_bodies(n, record(dtype))

    def skip(self, n: int = 1) -> int:
        """Moves over up to ``n`` messages without decoding them; returns how many there were.

        A gap or another error behind the first one ends it, and the next call raises it.
        """
        return self._cursor.skip(n)

    def commit(self) -> None:
        """Stores the position of a named tailer: the index of its next read.

        With ``commit="manual"`` nothing else does. After the work it is *at least once*: what was
        read since the last one comes again after a crash; before the work, *at most once*.

        Raises: :class:`tape.StateError` without a name, :class:`tape.ReadOnlyQueue`.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     i = q.appender().write("work")
        ...     t = q.tailer("worker", commit="manual")
        ...     t.read(), q.tailers()["worker"] == 0
        ...     t.commit()
        ...     q.tailers()["worker"] == i + 1
        ('work', True)
        True
        """
        self._cursor.call(lib.tape_tailer_commit)

    # ---- moving ----

    def _move_to(self, target: int | datetime.datetime) -> bool:
        if _is_time(target):
            return self._move_to_time(target)  # type: ignore[arg-type]
        if not isinstance(target, int):
            raise TypeError(f"an index (int) or a datetime is wanted, not {target!r}; for the ends "
                            "there are seek_start() and seek_end()")
        if not 0 <= target < 1 << 63:
            raise InvalidArgument(f"{target} is no index", hint="0 to 2**63-1")
        return self._cursor.call(lib.tape_tailer_seek, target) == 1

    def _move_to_time(self, time_: datetime.datetime) -> bool:
        """To the first message that may have been written at that time or later."""
        return self._cursor.call(lib.tape_tailer_seek_time, ms_of(time_)) == 1

    def seek(self, index: int | datetime.datetime, *, strict: bool = False) -> bool:
        """Moves so that the next read gives ``index``.

        Args:
            index: of a message, not negative; or a time (with a time zone): then the first message
                that was written then or later. Messages bear no time: by what tape's writers
                note about once a second the first one is taken that it may be, never a later
                one. What Java wrote is known by its cycle alone. docs/seek_by_time.md.
            strict: raise :class:`tape.IndexNotFound` instead of returning ``False``.

        Returns: ``True``; ``False`` when there is no such message: the tailer then waits there
            for it if it is the one after the last of its cycle (or of the queue, by time), and
            otherwise stays where it was.

        >>> import datetime, tape, tempfile
        >>> from tape.testing import MovableClock
        >>> clock = MovableClock()
        >>> with tape.open(tempfile.mkdtemp(), clock=clock) as q:
        ...     a, t = q.appender(), q.tailer()
        ...     for minute in range(60):
        ...         i = a.write(f"minute {minute}")
        ...         clock.advance(minutes=1)
        ...     half_past = clock.now - datetime.timedelta(minutes=30)
        ...     t.seek(half_past), t.read(), t.seek(clock.now)
        (True, 'minute 30', False)
        """
        found = self._move_to(index)
        if self._cursor.auto_commit:
            self.commit()
        if strict and not found:
            number = index if isinstance(index, int) else None
            raise IndexNotFound(f"no message {index if number is None else hex(number)} in "
                                f"{self.queue.path}", index=number,
                                hint="see first_index and last_index of the queue")
        return found

    def seek_start(self) -> Self:
        """Moves before the first message."""
        self._cursor.call(lib.tape_tailer_seek_start)
        if self._cursor.auto_commit:
            self.commit()
        return self

    def seek_end(self) -> Self:
        """Moves behind the last message (backward: before it, so that it is read next)."""
        self._cursor.call(lib.tape_tailer_seek_end)
        if self._cursor.auto_commit:
            self.commit()
        return self

    def seek_by(self, key: Callable[[T_co], Any], target: Any) -> bool:
        """Moves to the first message with ``key(message) >= target``, by binary search.

        The messages must be ordered by ``key``. Reads about log2(messages) of them.

        Returns: ``True``; ``False`` when there is none: the tailer then stands at the end.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     a = q.appender()
        ...     indexes = [a.write({"at": n * 10}) for n in range(100)]
        ...     t = q.tailer()
        ...     t.seek_by(lambda m: m["at"], 555), t.read()
        (True, {'at': 560})
        """
        import itertools
        cycles = [c for c in self.queue.cycles() if c.count > 0]
        ends = list(itertools.accumulate(c.count for c in cycles))
        with Tailer(self.queue, self.codec, self.poll_interval) as other:
            low, high = 0, ends[-1] if ends else 0
            while low < high:
                middle = (low + high) // 2
                other.seek(_index_of(cycles, ends, middle), strict=True)
                if key(other.get(0)) < target:
                    low = middle + 1
                else:
                    high = middle
        if not ends or low == ends[-1]:
            self.seek_end()
            return False
        return self.seek(_index_of(cycles, ends, low))

    @property
    def direction(self) -> str:
        """``"forward"`` or ``"backward"``; may be set.

        Turned backward, the next read gives the message at :attr:`index`, or the last one if there
        is none; beyond the first message it gives nothing, and turned forward again the first.
        """
        code = self._cursor.call(lib.tape_tailer_direction)
        return "backward" if code == lib.TAPE_BACKWARD else "forward"

    @direction.setter
    def direction(self, direction: str) -> None:
        if direction not in ("forward", "backward"):
            raise InvalidArgument(f"direction={direction!r}", hint="'forward' or 'backward'")
        self._cursor.call(lib.tape_tailer_set_direction,
                   lib.TAPE_FORWARD if direction == "forward" else lib.TAPE_BACKWARD)

    @property
    def index(self) -> int:
        """The index that is next; 0 while the queue is empty, -1 backward before the index 0."""
        return self._cursor.call(lib.tape_tailer_index, none=-1)

    @property
    def last_read(self) -> int | None:
        """The index that was last read, or ``None``."""
        return self._cursor.last_read()

    # ---- the rest ----

    def _info(self) -> Any:
        facts = ffi.new("tape_tailer_info_t *")
        self._cursor.call(lib.tape_tailer_info, facts)
        return facts

    def lag(self) -> Lag:
        """How far the tailer is behind the end of the queue, as :class:`tape.Lag`.

        Counts by the index, without reading messages; looks at each cycle file behind.

        Raises: :class:`tape.TailerBusy`, :class:`tape.QueueClosed`, :class:`tape.Forked`,
            :class:`tape.CorruptQueue`, :class:`tape.StorageError`, and what a
            clock raises.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     indexes = [q.appender().write(m) for m in "abc"]
        ...     t = q.tailer()
        ...     t.read(), t.lag()
        ('a', Lag(messages=2, bytes=24, seconds=0.0))
        """
        from .info import Lag
        facts = self._info()
        return Lag(int(facts.lag_messages), int(facts.lag_bytes), facts.lag_ms / 1000)

    def info(self) -> TailerInfo:
        """Facts about the tailer."""
        from .info import TailerInfo
        fixed: dict[str, Any] = {
            "queue": self.queue.path, "id": self.id, "codec": self.codec.name,
            "source_id": self.queue.source_id, "poll_interval": self.poll_interval,
            "closed": self.closed}
        if self.closed:
            return TailerInfo(direction=None, index=None, cycle=None, last_read=None,
                              committed=None, state=None, lag_messages=None, lag_bytes=None,
                              lag_seconds=None, **fixed)
        f = self._info()
        index = int(f.index)
        return TailerInfo(
            direction="backward" if f.direction == lib.TAPE_BACKWARD else "forward",
            index=index, cycle=index >> self.queue.roll_cycle.shift if index else None,
            last_read=int(f.last_read) if f.last_read >= 0 else None,
            committed=int(f.committed) if self.id is not None else None,
            state=_STATES[f.state], lag_messages=int(f.lag_messages),
            lag_bytes=int(f.lag_bytes), lag_seconds=f.lag_ms / 1000, **fixed)

    def close(self) -> None:
        """Closes the tailer and gives its mapping back; the queue stays open.

        Raises: :class:`tape.TailerBusy` while another thread is reading with it.
        """
        if not self.closed:
            self._cursor.call(lib.tape_tailer_shutdown)
            self._cursor._mark_closed("Tailer.close()")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        try:
            self.close()
        except TailerBusy:
            if error is None:
                raise  # else what ends the block is what counts

    def __repr__(self) -> str:
        name = "" if self.id is None else f"id={self.id!r}, "
        return f"Tailer({self.queue.path!r}, {name}codec={self.codec.name}, {self._place()})"

    def _place(self) -> str:
        """Where it stands, without a look at the queue."""
        if self.closed:
            return "closed"
        try:
            backward = ", backward" if self.direction == "backward" else ""
            return f"index={self.index:#x}{backward}, open"
        except Error:  # another thread has it at this moment, or it was forked
            return "open"


adopt(Tailer)
