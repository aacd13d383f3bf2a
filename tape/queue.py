"""Queue: a directory of cycle files, opened."""

from __future__ import annotations

import os
import time
from _weakrefset import WeakSet

from . import appender as _appender
from . import tailer as _tailer
from ._arguments import ms_of
from ._durability import Synced
from ._ffi import check, ffi, lib, text
from ._handle import Handle, Owner
from ._types import Of, T
from .errors import InvalidArgument
from .roll_cycles import RollCycle

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable
    from typing import Any, TypeVar, overload

    from typing_extensions import Unpack

    from ._clock import ClockInC
    from ._types import TailerOptions, U
    from .codecs import Codec
    from .errors import DecodeError, Error, Gap
    from .info import Bounds, CycleFile, Location, QueueInfo
    from .retention import Keep, Verdict
    from .stats import Memory, QueueStats
    from .tasks import Watch

    _E = TypeVar("_E", bound=Error)

__all__ = ["Queue"]


def _handler(what: str | Callable[[_E], Any]) -> Callable[[_E], Any] | None:
    """What ``on_error=`` and ``on_gap=`` ask for; ``None`` raises."""
    if callable(what):
        return what
    return None if what == "raise" else lambda error: None


class Queue(Synced, Handle, Of[T]):
    """An open queue; made by :func:`tape.open`.

    Any thread may use it. A context manager: leaving it closes it with its appenders and tailers.

    Attributes: ``path``, as given; ``codec``, of messages unless an appender or tailer has another;
    ``roll_cycle``, ``epoch`` (milliseconds) and ``source_id``, as stored; ``durability``, as asked.

    >>> import tape, tempfile
    >>> with tape.open(tempfile.mkdtemp() + "/orders") as q:
    ...     i = q.appender().write("hello")
    ...     q.first_index == q.last_index == i
    True
    """

    __slots__ = ("_children", "_clock", "_handles", "_memory", "_read_only", "_unpacker",
                 "_warned_of_clock", "_watch", "codec", "durability", "epoch", "path", "roll_cycle",
                 "source_id")

    KIND = "Queue"

    codec: Codec[T]
    path: str
    roll_cycle: RollCycle
    epoch: int
    source_id: int

    def __init__(self, handle: Any = None, codec: Any = None, clock: ClockInC | None = None,
                 unpacker: Any = None, handles: Any = None, durability: str = "os") -> None:
        if not isinstance(handle, ffi.CData):
            raise TypeError("a queue is made by tape.open()")
        self._closed_by = None
        self._handle = handle
        self._clock, self._unpacker = clock, unpacker
        self._handles = handles  # C holds no reference to them
        self._children: WeakSet[Owner] = WeakSet()
        self.codec = codec
        self.durability = durability
        self._warned_of_clock = False
        info = self._info()
        self.path = text(info.path)
        self.roll_cycle = RollCycle[text(info.roll_cycle.name)]
        self.epoch = info.epoch_ms
        self.source_id = info.source_id
        self._read_only = bool(info.read_only)
        self._memory: Memory | None = None
        self._watch: Watch | None = None

    def _warn_of_clock(self, level: int) -> bool:
        """Warns, once, that the clock is behind the newest cycle; whether to look after each
        message: a clock of the user's is looked after closely, as it may stand or jump."""
        if self._warned_of_clock:
            return False
        if lib.tape_clock_went_back(self._handle) > 0:
            self._warned_of_clock = True
            from warnings import warn

            from .errors import ClockWentBack
            warn(ClockWentBack(f"the clock shows an older cycle than the newest of {self.path}: "
                               "messages go to the newest"), stacklevel=level)
        return self._clock is not None and not self._warned_of_clock

    def _info(self) -> Any:
        info = ffi.new("tape_queue_info_t *")
        self._check(lib.tape_queue_info(self._handle, info))
        return info

    @property
    def read_only(self) -> bool:
        """Whether it was opened with ``read_only=True``."""
        return self._read_only

    def __bool__(self) -> bool:
        return True  # also when empty

    if TYPE_CHECKING:
        @overload
        def appender(self, *, codec: None = None,
                     durability: str | None = None) -> _appender.Appender[T]: ...

        @overload
        def appender(self, *, codec: Codec[U],
                     durability: str | None = None) -> _appender.Appender[U]: ...

    def appender(self, *, codec: Codec[Any] | None = None,
                 durability: str | None = None) -> _appender.Appender:
        """Makes an appender.

        Args:
            codec: for its messages; the queue's by default.
            durability: as of :func:`tape.open`; the queue's by default.

        Raises: :class:`tape.ReadOnlyQueue`, :class:`tape.QueueClosed`, :class:`tape.Forked`.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     q.appender(codec=tape.codecs.raw).write(b"bytes") == q.last_index
        True
        """
        child = _appender.Appender(self, self.codec if codec is None else codec,
                                   self.durability if durability is None else durability)
        self._children.add(child)
        return child

    if TYPE_CHECKING:
        @overload
        def tailer(self, id: str | None = None, *, codec: None = None,  # noqa: A002
                   **options: Unpack[TailerOptions]) -> _tailer.Tailer[T]: ...

        @overload
        def tailer(self, id: str | None = None, *, codec: Codec[U],  # noqa: A002
                   **options: Unpack[TailerOptions]) -> _tailer.Tailer[U]: ...

    def tailer(self, id: str | None = None, *,  # noqa: A002
               start: str | int | datetime.datetime | None = None,
               direction: str = "forward", codec: Codec[Any] | None = None,
               commit: str = "auto", poll_interval: float = 0.05, max_mapped: int | None = None,
               steal: bool = False, metadata: bool = False,
               on_error: str | Callable[[DecodeError], Any] = "raise",
               on_gap: str | Callable[[Gap], Any] = "raise") -> _tailer.Tailer[Any]:
        """Makes a tailer.

        Args:
            id: a name: its position is kept in the queue, under the key that Java and Clojure
                use, and survives restarts. At most 256 characters of ISO-8859-1, not ending in
                ``.lock`` or ``.version`` (words of Java's); case is ignored.
            start: ``"start"`` (the default), ``"end"`` (the default when it reads backward), an
                index or a time; for a named tailer only while nothing is stored under its name.
            direction: ``"forward"`` or ``"backward"``.
            codec: for its messages; the queue's by default.
            commit: for a named tailer: ``"auto"``: reading stores the position; ``"manual"``: only
                :meth:`tape.Tailer.commit` does.
            poll_interval: seconds between looks while waiting, 0 to 3600.
            max_mapped: bytes of a cycle file that it keeps mapped at a time, by default 16 MiB, at
                least 64 KiB; a larger message is mapped whole while it is read. Of cycles that it
                left nothing stays mapped or open.
            steal: take the name of a live tailer on this host: it gets :class:`tape.TailerBusy` and
                stores no more. *At least once*: what it had in hand, not yet stored, comes again.
            on_error: what to do with a message that cannot be decoded: ``"raise"`` (it stays
                next), ``"skip"``, or a callable that gets the :class:`tape.DecodeError` (it may
                raise; when it returns, the message is skipped).
            metadata: give metadata documents, too, in their places among the messages: file
                headers, index pages, and those that Java programs write. Only forward, and with a
                codec of whole documents (``wire``, ``text``, ``document``); :meth:`entries` and
                :meth:`read_entry` tell which is which. A stored position knows messages alone.
            on_gap: what to do when messages that it had yet to read are gone because somebody
                deleted their file: that of a stored position, or the one it was reading in (it
                still reads to the end of that) and the cycle after it. ``"raise"``: the next read
                raises :class:`tape.Gap`, and the one after it goes on behind the gap; ``"skip"``;
                or a callable that gets the :class:`tape.Gap`.

        Raises: :class:`tape.TailerBusy` when a live tailer has the name,
            :class:`tape.ReadOnlyQueue` for a new name in a read-only queue,
            :class:`tape.IndexNotFound` for an index to start at that does not exist (the one after
            the last of a cycle is waited for),
            :class:`tape.QueueClosed`, :class:`tape.Forked`, :class:`tape.InvalidArgument`.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     i, j = [q.appender().write(m) for m in "ab"]
        ...     with q.tailer("billing") as t:
        ...         t.read()
        ...     q.tailer("billing").read(), q.tailers() == {"billing": j + 1}
        'a'
        ('b', True)

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     q.tailer().read("nothing yet")
        'nothing yet'
        """
        if not 0 <= poll_interval <= 3600:
            raise InvalidArgument("poll_interval is out of range", hint="0 to 3600 seconds")
        if max_mapped is not None and not 0 < max_mapped <= 1 << 40:
            raise InvalidArgument("max_mapped is out of range", hint="1 to 2**40 bytes")
        for name, value, allowed in (("commit", commit, ("auto", "manual")),
                                     ("on_gap", on_gap, ("raise", "skip")),
                                     ("on_error", on_error, ("raise", "skip"))):
            if value not in allowed and not (name != "commit" and callable(value)):
                raise InvalidArgument(f"{name}={value!r}", hint=f"one of {allowed}")
        if commit == "manual" and id is None:
            raise InvalidArgument('commit="manual" without a name', hint='tailer("name", ...)')
        keeps = id is not None and commit == "auto" and not self.read_only
        child = _tailer.Tailer(self, self.codec if codec is None else codec, poll_interval,
                               id=id, auto_commit=keeps, steal=steal,
                               max_mapped=max_mapped or 0, metadata=metadata,
                               on_error=_handler(on_error), on_gap=_handler(on_gap),
                               tell_gaps=on_gap != "skip")
        self._children.add(child._cursor)
        try:
            child._begin("end" if start is None and direction == "backward" else start, direction)
        except BaseException:
            child.close()
            raise
        return child

    def _index_or_none(self, index: int) -> int | None:
        return None if index == lib.TAPE_ENOINDEX else self._check(index)

    @property
    def first_index(self) -> int | None:
        """The index of the first message, or ``None`` when there is none."""
        return self._index_or_none(lib.tape_queue_first_index(self._handle))

    @property
    def last_index(self) -> int | None:
        """The index of the last message, or ``None`` when there is none."""
        return self._index_or_none(lib.tape_queue_last_index(self._handle))

    @property
    def made_with(self) -> str | None:
        """The name of the codec that the queue was made with; ``None``: nobody noted it."""
        from ._note import made_with
        return made_with(self.path)

    def count(self, a: int, b: int) -> int:
        """The number of messages with a <= index < b, by the index, without reading them.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     i, j, k = [q.appender().write(m) for m in "abc"]
        ...     q.count(i, k), q.count(k, i), len(q)
        (2, 0, 3)
        """
        for index in (a, b):
            if not 0 <= index < 1 << 63:
                raise InvalidArgument(f"{index} is no index", hint="0 to 2**63-1")
        return self._check(lib.tape_queue_count(self._handle, a, b))

    def __len__(self) -> int:
        return self._check(lib.tape_queue_count(self._handle, 0, (1 << 63) - 1))

    def bounds(self, time_: datetime.datetime) -> Bounds:
        """Between which indexes the first message lies that was written at a time or later.

        All before ``earliest``, where :meth:`tape.Tailer.seek` goes, were written before; all from
        ``latest`` on then or later. They are about a second apart where tape's writers took notes,
        and elsewhere, as Java takes none, the ends of the cycle (docs/seek_by_time.md).

        Args:
            time_: with a time zone.

        >>> import tape, tempfile
        >>> from tape.testing import MovableClock
        >>> clock = MovableClock()
        >>> with tape.open(tempfile.mkdtemp(), clock=clock) as q:
        ...     a = q.appender()
        ...     i = a.write("before")
        ...     clock.advance(minutes=10)
        ...     j = a.write("after")
        ...     q.bounds(clock.now) == (j, j)
        True
        """
        from .info import Bounds
        earliest, latest = ffi.new("int64_t *"), ffi.new("int64_t *")
        self._check(lib.tape_queue_time_bounds(self._open_handle(), ms_of(time_), earliest, latest))
        return Bounds(int(earliest[0]), int(latest[0]))

    def cycles(self) -> list[CycleFile]:
        """The cycle files, oldest first, as :class:`tape.CycleFile`.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     i = q.appender().write("a")
        ...     [(c.first_index == i, c.count, c.state) for c in q.cycles()]
        [(True, 1, 'open')]
        """
        from ._inspect import cycles_of
        return cycles_of(self, self._open_handle())

    def refresh(self) -> None:
        """Looks at the directory again, and lets all other processes do so, Java's included.

        For after cycle files were deleted or brought back by hand: without it each process notices
        within 60 s, as in Java. A queue opened read-only looks, and tells nobody.

        Raises: :class:`tape.QueueClosed`, :class:`tape.Forked`, :class:`tape.StorageError`.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     q.refresh()
        """
        self._check(lib.tape_queue_refresh(self._handle))

    def table(self) -> dict[str, int]:
        """All words of the table store by key: listing, locks, positions of named tailers."""
        words: dict[str, int] = {}
        handle, n = self._open_handle(), 0
        key, value = ffi.new("char[1024]"), ffi.new("int64_t *")
        while self._check(lib.tape_queue_table_word(handle, n, key, 1024, value)) == 1:
            words.setdefault(ffi.string(key).decode("latin-1"), int(value[0]))
            n += 1
        return words

    def tailers(self) -> dict[str, int]:
        """Named tailers and the index of the next read of each; 0: nothing read yet. What is below
        comes no more: loops did it (*at least once*), ``read`` took it (*at most once*)."""
        return {key[6:]: value for key, value in self.table().items()
                if key.lower().startswith("index.")
                and not (key.lower().startswith("index.replicated:")
                         and key.lower().endswith((".version", ".lock")))}

    def index_of(self, cycle: int, sequence: int) -> int:
        """The index of message number ``sequence`` (from 0) of a cycle; it need not exist.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     hex(q.index_of(0x4d93, 10))
        '0x4d930000000a'
        """
        shift = self.roll_cycle.shift
        if not 0 <= cycle < 1 << 31 or not 0 <= sequence < 1 << shift:
            raise InvalidArgument("cycle or sequence is out of range",
                                  hint=f"cycle below 2**31, sequence below 2**{shift}")
        return (cycle << shift) + sequence

    def locate(self, index: int) -> Location:
        """Explains an index: cycle, sequence, path of the file, and when the cycle begins (ms).

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     where = q.locate(0x4d930000000a)
        >>> where.cycle, where.sequence, os.path.basename(where.path)
        (19859, 10, '20240516F.cq4')
        """
        if index < 0:
            raise InvalidArgument("an index is not negative", hint="see first_index, last_index")
        from .info import Location
        cycle = index >> self.roll_cycle.shift
        name = ffi.new("char[64]")
        self._check(lib.tape_queue_cycle_name(self._open_handle(), cycle, name, 64))
        return Location(cycle, index & ((1 << self.roll_cycle.shift) - 1),
                        os.path.join(self.path, text(name)),
                        cycle * self.roll_cycle.length_ms + self._effective_epoch())

    def _open_handle(self) -> Any:
        return self._fail(lib.TAPE_ECLOSED) if self._closed_by is not None else self._handle

    def _effective_epoch(self) -> int:
        row = lib.tape_roll_cycle_named(self.roll_cycle.name.encode())
        return self.epoch or int(row.default_epoch_ms)

    def info(self) -> QueueInfo:
        """Facts about the queue; see :class:`tape.QueueInfo`. Reads the directory.

        Raises: :class:`tape.QueueClosed`, :class:`tape.Forked`, :class:`tape.StorageError`.
        """
        from ._inspect import queue_info
        now = None if self._clock is None else self._clock.clock.now_ms()
        return queue_info(self, self._info(), now)

    def stats(self) -> QueueStats:
        """How the queue fares: messages, bytes, rates, named tailers, lock, time to a full disk.

        Exact, and cheap: finished cycles are looked into once; also for queues opened read-only,
        and beside programs of any kind that write them.

        Returns: a :class:`tape.QueueStats`; rates count from the call before on this object.

        Raises: :class:`tape.QueueClosed`, :class:`tape.QueueNotFound`, :class:`tape.CorruptQueue`,
            :class:`tape.StorageError`.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     i = q.appender().write("a")
        ...     t = q.tailer("billing")
        ...     t.read(), q.stats().tailers["billing"].messages
        ('a', 0)
        """
        from .stats import Memory, gather
        if self._memory is None:
            self._memory = Memory()
        return gather(self, self._memory)

    def gc(self, policy: Keep, *, dry_run: bool = False) -> list[Verdict]:
        """Removes old cycle files, oldest first, as far as ``policy`` says that they may go.

        Never the current cycle, and never one that a named tailer has yet to read, unless the
        policy says so. One process on a host collects at a time. Programs that read and write
        beside, Java's included, go on: the listing tells them before a file goes.

        Args:
            policy: a :class:`tape.Keep`.
            dry_run: only say what would be done; also for queues opened read-only.

        Returns: a :class:`tape.Verdict` for each cycle file, oldest first: whether it went, and
            why. Removals are logged by ``tape.retention``; one that fails, too, and nothing newer
            goes.

        Raises: :class:`tape.ReadOnlyQueue`, :class:`tape.QueueBusy` (somebody else is at it for
            10 s), :class:`tape.QueueClosed`, :class:`tape.QueueNotFound`.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     i = q.appender().write("a")
        ...     [(v.goes, v.reason) for v in q.gc(tape.Keep(max_cycles=1), dry_run=True)]
        [(False, 'it is the current cycle, or a newer one')]
        """
        from .retention import collect
        return collect(self, policy, dry_run=dry_run)

    def park(self, name: str) -> None:
        """Lets a named tailer that will not come back hold no cycle files any more.

        It stays where it is; its next read or seek, if it does come back, wakes it.

        Raises: :class:`tape.InvalidArgument` when there is no such name,
            :class:`tape.ReadOnlyQueue`, :class:`tape.QueueBusy`, :class:`tape.QueueClosed`.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     t = q.tailer("billing")
        ...     q.park("billing")
        ...     q.stats().tailers["billing"].parked
        True
        """
        from .retention import park
        park(self, name)

    def compress(self, kind: str = "zstd", *, keep: int = 1, level: int | None = None,
                 even_unread: bool = False) -> list[str]:
        """Compresses finished cycle files. Tailers of tape read them as before; Java's do not.

        Args:
            kind: ``"zstd"`` (in frames: a seek decompresses a few; needs Python 3.14 or
                ``tape[zstd]``) or ``"gzip"`` (as Clojure's tape; decompressed as a whole).
            keep: how many of the newest files stay as they are; the current one always does.
            level: 1 (fast) to 9 (small), for zstd to 19; by default 3, for gzip 6.
            even_unread: also what a named tailer has yet to read, which may be a Java program.

        Returns: the paths of the new files.

        Raises: ``OSError`` (a full disk: nothing changed), :class:`tape.ReadOnlyQueue`,
            :class:`tape.QueueBusy`, :class:`tape.QueueClosed`, :class:`tape.InvalidArgument`,
            ImportError.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     i = q.appender().write("a")
        ...     q.compress("gzip")
        []
        """
        from .compression import compress
        from .retention import ALL
        return compress(self, keep, None if even_unread else ALL, kind, level)

    def thaw(self) -> list[str]:
        """Brings compressed cycle files (Clojure's tape's too) back, for Java to read.

        Returns: the paths of the files that are there again. A compressed file beside an original
            that differs stays.

        Raises: :class:`tape.CorruptQueue` for a file that was cut (it stays), ``OSError`` (a full
            disk: nothing changed), :class:`tape.ReadOnlyQueue`, :class:`tape.QueueBusy`,
            :class:`tape.QueueClosed`.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     q.thaw()
        []
        """
        from .compression import thaw
        return thaw(self)

    def close(self) -> None:
        """Closes the queue and its appenders and tailers; may be called again.

        Calls that other threads are in end first, and so does a cycle task; later ones raise
        :class:`tape.QueueClosed`.

        Raises: :class:`tape.StateError` while a message is being made by ``writing()``, in any
            thread; then nothing was closed. :class:`tape.SyncFailed`; then all is closed.
        """
        for child in list(self._children):
            if isinstance(child, _appender.Appender):
                child._check_no_place()
        if self._watch is not None:
            self._watch.close()
        handle = self._handle  # it goes last: closing again ends what was interrupted
        if handle == ffi.NULL:
            return
        if self._closed_by is None:
            self._closed_by = "Queue.close()", time.time()
        for child in list(self._children):
            child._mark_closed("Queue.close()")
        code = lib.tape_queue_shutdown(handle)
        self._unpacker.close()
        self._handle = ffi.NULL
        check(code)

    async def __aenter__(self) -> Queue:
        return self

    async def __aexit__(self, *error: object) -> None:
        """Closes it in a thread: another thread that is inside a call may keep it waiting."""
        from ._loop import in_thread
        await in_thread(self.close)

    def __repr__(self) -> str:
        state = "closed" if self.closed else "read-only" if self.read_only else "open"
        return (f"Queue({self.path!r}, roll_cycle={self.roll_cycle.name}, "
                f"codec={self.codec.name}, durability={self.durability}, {state})")
