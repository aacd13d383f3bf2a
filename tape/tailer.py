"""Tailer: reads messages of a queue, from anywhere, as often as you like."""

from __future__ import annotations

import bisect
import datetime
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ._ffi import check, error_of, ffi, lib
from ._handle import Handle
from .appender import framing_of
from .codecs import Codec
from .errors import (DecodeError, Empty, Gap, IndexNotFound, InvalidArgument, QueueClosed,
                     StateError, TailerBusy)
from .info import CycleFile, Entry, Lag, MetadataEntry, TailerInfo

if TYPE_CHECKING:
    from .queue import Queue

__all__ = ["Tailer"]

_STATES = {getattr(lib, f"TAPE_{name}"): name for name in (
    "UNINITIALISED", "FOUND_IN_CYCLE", "NOT_REACHED_IN_CYCLE", "END_OF_CYCLE",
    "BEYOND_START_OF_CYCLE")}

_next = lib.tape_tailer_next
_buffer = ffi.buffer
_NOTHING: Any = object()

# How often an object is referred to, where that can be told (CPython): a codec that keeps a slice
# of its view would later read memory that has moved away.
_references = getattr(sys, "getrefcount", lambda mapped: 0)


def _count_unshared() -> int:
    mapped = _buffer(ffi.new("char[1]"), 1)
    return int(_references(mapped))


_UNSHARED = _count_unshared()


def _deadline(timeout: float | None) -> float | None:
    if timeout is None:
        return None
    if not timeout >= 0:
        raise InvalidArgument("timeout is negative", hint="seconds, 0 for no waiting, or None")
    return time.monotonic() + timeout


def _name(id: str) -> bytes:  # noqa: A002
    """A tailer's name as Java stores it: one byte a character."""
    try:
        name = id.encode("latin-1")
    except UnicodeEncodeError:
        raise InvalidArgument(f"the name {id!r} has characters beyond U+00FF",
                              hint="names are ISO-8859-1") from None
    if len(name) > 256 or b"\0" in name:
        raise InvalidArgument("a name of more than 256 characters, or with NUL", hint="shorten it")
    return name


def _index_of(cycles: list[CycleFile], ends: list[int], number: int) -> int:
    """The index of message ``number`` (from 0); ``ends``: messages up to each cycle's end."""
    place = bisect.bisect_right(ends, number)
    return cycles[place].first_index + number - (ends[place - 1] if place else 0)


class Tailer(Handle):
    """Reads messages; made by :meth:`tape.Queue.tailer`. For one thread at a time.

    Iterating drains what is there and stops; :meth:`follow` goes on. A message that cannot be
    decoded raises :class:`tape.DecodeError` and stays where it is; :meth:`skip` moves on.

    >>> import tape, tempfile
    >>> with tape.open(tempfile.mkdtemp()) as q:
    ...     i, j = [q.appender().write(m) for m in ("a", "b")]
    ...     t = q.tailer()
    ...     list(t), t.read(), t.seek(j), t.read()
    (['a', 'b'], None, True, 'b')
    """

    __slots__ = ("_auto_commit", "_decode", "_framing", "_on_error", "_on_gap", "_outs", "codec",
                 "id", "poll_interval", "queue")

    codec: Codec[Any]
    queue: Queue
    id: str | None
    poll_interval: float

    def __init__(self, queue: Queue, codec: Codec[Any], poll_interval: float, *,
                 id: str | None = None, auto_commit: bool = False,  # noqa: A002
                 max_mapped: int = 0, steal: bool = False, metadata: bool = False,
                 on_error: Callable[[DecodeError], Any] | None = None, tell_gaps: bool = False,
                 on_gap: Callable[[Gap], Any] | None = None) -> None:
        self._closed_by = None
        self._on_error = on_error
        self._on_gap = on_gap
        self.id = id
        self._auto_commit = id is not None and auto_commit and not queue.read_only
        self.queue = queue
        self.codec = codec
        self.poll_interval = poll_interval
        self._framing = (lib.TAPE_FRAMING_BYTES if framing_of(codec) == "bytes"
                         else lib.TAPE_FRAMING_DOCUMENT)
        self._decode = codec.decode
        # The one place for what C reads is also the token of the thread that uses the tailer: list
        # operations are atomic, and what is decoded lies in a mapping that another call may move.
        self._outs = [ffi.new("tape_excerpt_t *")]
        out = ffi.new("tape_tailer_t **")
        options = ffi.new("tape_tailer_options_t *")
        options.struct_size = ffi.sizeof("tape_tailer_options_t")
        options.window_size = max_mapped
        documents = self._framing == lib.TAPE_FRAMING_DOCUMENT
        if metadata and not documents:
            raise InvalidArgument(f"metadata documents have no frame as {codec.name!r} expects",
                                  hint="read them with codecs.wire, text or document")
        for flag, wanted in ((lib.TAPE_TAILER_STEAL, steal), (lib.TAPE_TAILER_METADATA, metadata),
                             (lib.TAPE_TAILER_DOCUMENTS, documents),
                             (lib.TAPE_TAILER_TELL_GAPS, tell_gaps)):
            options.flags |= flag if wanted else 0
        if id is not None:
            name = ffi.new("char[]", _name(id))
            options.id = name
        handle = queue._open_handle()
        check(lib.tape_tailer_open(handle, options, out))
        self._handle = ffi.gc(out[0], lib.tape_tailer_close)

    def _begin(self, start: str | int | datetime.datetime | None, direction: str) -> None:
        """Goes where a new tailer shall stand, unless a position was stored."""
        fresh = self.id is None or self._call(lib.tape_tailer_committed) == 0
        if fresh and start == "end":
            self._call(lib.tape_tailer_seek_end)
        elif fresh and isinstance(start, (int, datetime.datetime)):
            found = self._move_to(start)
            if not found and isinstance(start, int) and self.index != start:
                raise IndexNotFound(f"no message {start:#x} in {self.queue.path} to start at",
                                    index=start, hint="see first_index and last_index of the queue")
        elif start not in (None, "start") and fresh:
            raise InvalidArgument(f"start={start!r}", hint="'start', 'end', an index, a datetime")
        if direction != "forward":
            self.direction = direction

    def _take(self) -> Any:
        """Takes the token; it is given back by ``self._outs.append(out)``."""
        try:
            return self._outs.pop()
        except IndexError:
            raise TailerBusy("another thread is using this tailer",
                             hint="use one tailer per thread") from None

    def _call(self, function: Any, *arguments: Any) -> int:
        """A call of C that is not for reading, with the token."""
        out = self._take()
        try:
            return self._check(function(self._handle, *arguments))
        finally:
            self._outs.append(out)

    # ---- reading ----

    def _poison(self, out: Any, handle: Any, error: Exception) -> DecodeError:
        """The error for a message that cannot be decoded; the message stays next."""
        raw = bytes(_buffer(out.data, out.size))
        index = int(out.index)
        lib.tape_tailer_unread(handle)
        hint = getattr(error, "hint", "") or "skip() moves on; read it with another codec"
        poison = DecodeError(f"message {index:#x} of {self.queue.path}: {error}", raw=raw,
                             offset=getattr(error, "offset", None), index=index, hint=hint)
        poison.__cause__ = error
        return poison

    def _value(self, out: Any, handle: Any) -> Any:
        """Decodes what C just read. ``handle`` is referred to all the while: if the queue is closed
        meanwhile, the mapping goes with the last reference."""
        if out.framing != self._framing:
            raise self._poison(out, handle, DecodeError(
                f"the document is not framed as the codec {self.codec.name!r} expects",
                hint="read it with a codec of the other framing, or skip()"))
        mapped = _buffer(out.data, out.size)
        view = memoryview(mapped).toreadonly()
        try:
            value = self._decode(view)
        except Exception as error:
            raise self._poison(out, handle, error) from error
        try:
            view.release()
            kept = _references(mapped) != _UNSHARED  # by a slice of the view
        except BufferError:
            kept = True
        if kept:
            raise StateError(f"codec {self.codec.name!r} kept a view of mapped memory",
                             hint="decode() must copy what it keeps")
        return value

    def _pass_gap(self, handle: Any) -> bool:
        """What C just said is a gap: tells it. Whether to go on behind it."""
        gap = error_of(lib.TAPE_EGAP)
        ends = ffi.new("int64_t[2]")
        if isinstance(gap, Gap) and lib.tape_tailer_gap(handle, ends, ends + 1) == 1:
            gap.from_index, gap.to_index = int(ends[0]), int(ends[1])
        if self._on_gap is None or not isinstance(gap, Gap):
            raise gap
        self._on_gap(gap)
        return True

    def _next(self, handle: Any, out: Any) -> int:
        """The next message into ``out``, or 0, or a code that is not a gap."""
        while (code := _next(handle, out)) == lib.TAPE_EGAP and self._pass_gap(handle):
            pass
        return int(code)

    def _read_now(self, as_entry: bool = False, commit: bool = True) -> Any:
        out = self._take()
        try:
            handle = self._handle
            while ((code := _next(handle, out)) == 1
                   or code == lib.TAPE_EGAP and self._pass_gap(handle)):
                if code != 1:
                    continue
                try:
                    value = self._value(out, handle)
                except DecodeError as error:
                    if self._on_error is None:
                        raise
                    self._on_error(error)
                    _next(handle, out)  # the message is next again: pass it
                    continue
                if self._auto_commit and commit:
                    check(lib.tape_tailer_commit(handle))
                if as_entry:
                    entry = MetadataEntry if out.metadata else Entry
                    return entry(int(out.index), value, bytes(_buffer(out.data, out.size)))
                return value
        finally:
            self._outs.append(out)
        if code < 0:
            self._fail(code)
        return _NOTHING

    def _read_until(self, deadline: float | None, as_entry: bool = False,
                    commit: bool = True) -> Any:
        while (value := self._read_now(as_entry, commit)) is _NOTHING:
            pause = self.poll_interval
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                pause = min(pause, left)
            time.sleep(pause)
        return value

    def read(self, default: Any = None, *, timeout: float | None = 0) -> Any:
        """The next message.

        Args:
            default: what is returned when there is none.
            timeout: seconds to wait for one, 0 not at all, ``None`` for ever.

        Raises: :class:`tape.DecodeError`, :class:`tape.Gap`, :class:`tape.CorruptQueue`,
            :class:`tape.TailerBusy`, :class:`tape.QueueClosed`, :class:`tape.Forked`.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     t = q.tailer()
        ...     t.read(), t.read("none", timeout=0.01)
        (None, 'none')
        """
        value = self._read_now() if timeout == 0 else self._read_until(_deadline(timeout))
        return default if value is _NOTHING else value

    def get(self, timeout: float | None = None) -> Any:
        """The next message, waiting for it; :class:`tape.Empty` after ``timeout`` seconds."""
        value = self._read_until(_deadline(timeout))
        if value is _NOTHING:
            raise Empty(f"nothing came to {self.queue.path} within {timeout} s",
                        hint="try again, or read() for a default")
        return value

    def read_entry(self, *, timeout: float | None = 0) -> Entry | None:
        """The next message as :class:`tape.Entry` (index, value, raw bytes); ``None``: none."""
        entry = (self._read_now(True) if timeout == 0
                 else self._read_until(_deadline(timeout), True))
        return None if entry is _NOTHING else entry

    def _done(self) -> None:
        """The loop's body is done with what it was given: now its position may be stored."""
        if self._auto_commit and self.last_read is not None:
            self.commit()

    def __iter__(self) -> Iterator[Any]:
        while (value := self._read_now(commit=False)) is not _NOTHING:
            yield value
            self._done()

    def __reversed__(self) -> Iterator[Any]:
        """The messages before this place, newest first, by a tailer of its own."""
        other = Tailer(self.queue, self.codec, self.poll_interval)
        if (index := self.index) > 0:
            at_message = other.seek(index)
            other.direction = "backward"
            if at_message and self.direction == "forward":
                other.skip()
        return iter(other)

    def entries(self, limit: int | None = None) -> Iterator[Entry]:
        """What is there now, as :class:`tape.Entry` objects, at most ``limit``."""
        while limit is None or limit > 0:
            entry = self._read_now(True, commit=False)
            if entry is _NOTHING:
                return
            yield entry
            self._done()
            limit = None if limit is None else limit - 1

    def follow(self, timeout: float | None = None) -> Iterator[Any]:
        """Messages as they come, until the queue is closed or none came for ``timeout`` seconds."""
        while True:
            try:
                value = self._read_until(_deadline(timeout), commit=False)
            except QueueClosed:
                return
            if value is _NOTHING:
                return
            yield value
            if self._closed_by is None:
                self._done()

    def read_many(self, n: int, *, timeout: float | None = 0) -> list[Any]:
        """Up to ``n`` messages as a list; waits for the first as :meth:`read` does."""
        if n <= 0:
            return []
        first = (self._read_now() if timeout == 0 else self._read_until(_deadline(timeout)))
        messages = [] if first is _NOTHING else [first]
        while messages and len(messages) < n:
            if (value := self._read_now()) is _NOTHING:
                break
            messages.append(value)
        return messages

    def skip(self, n: int = 1) -> int:
        """Moves over up to ``n`` messages without decoding them; returns how many there were."""
        done = 0
        out = self._take()
        try:
            handle = self._handle
            while done < n and self._check(self._next(handle, out)) == 1:
                done += 1
            if done and self._auto_commit:
                check(lib.tape_tailer_commit(handle))
        finally:
            self._outs.append(out)
        return done

    def commit(self) -> None:
        """Stores the position of a named tailer: the index of its next read.

        With ``commit="manual"`` nothing else does.

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
        self._call(lib.tape_tailer_commit)

    # ---- moving ----

    def _move_to(self, target: int | datetime.datetime) -> bool:
        if isinstance(target, datetime.datetime):
            return self._move_to_time(target)
        if not 0 <= target < 1 << 63:
            raise InvalidArgument(f"{target} is no index", hint="0 to 2**63-1")
        return self._call(lib.tape_tailer_seek, target) == 1

    def _move_to_time(self, time_: datetime.datetime) -> bool:
        """To the first message of the cycle of that time, or of the next one that exists."""
        if time_.tzinfo is None:
            raise InvalidArgument("a datetime without time zone", hint="cycles are in UTC")
        wanted = self.queue._cycle_of(time_)
        while (cycle := self.queue._cycle_from(wanted)) is not None:
            if self._call(lib.tape_tailer_seek, self.queue.index_of(cycle, 0)) == 1:
                return True
            wanted = cycle + 1  # an empty cycle
        self._call(lib.tape_tailer_seek_end)
        return False

    def seek(self, index: int | datetime.datetime, *, strict: bool = False) -> bool:
        """Moves so that the next read gives ``index``.

        Args:
            index: of a message, not negative; or a time (with a time zone): then the first message
                of its cycle, or of the next cycle that has one, since messages bear no time.
            strict: raise :class:`tape.IndexNotFound` instead of returning ``False``.

        Returns: ``True``; ``False`` when there is no such message: the tailer then waits there
            for it if it is the one after the last of its cycle (or of the queue, by time), and
            otherwise stays where it was.
        """
        found = self._move_to(index)
        if self._auto_commit:
            self.commit()
        if strict and not found:
            number = index if isinstance(index, int) else None
            raise IndexNotFound(f"no message {index if number is None else hex(number)} in "
                                f"{self.queue.path}", index=number,
                                hint="see first_index and last_index of the queue")
        return found

    def seek_start(self) -> Tailer:
        """Moves before the first message."""
        self._call(lib.tape_tailer_seek_start)
        if self._auto_commit:
            self.commit()
        return self

    def seek_end(self) -> Tailer:
        """Moves behind the last message (backward: before it, so that it is read next)."""
        self._call(lib.tape_tailer_seek_end)
        if self._auto_commit:
            self.commit()
        return self

    def seek_by(self, key: Callable[[Any], Any], target: Any) -> bool:
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
        cycles = [c for c in self.queue.cycles() if c.count > 0]
        ends = list(itertools.accumulate(c.count for c in cycles))
        with Tailer(self.queue, self.codec, self.poll_interval) as other:
            low, high = 0, ends[-1] if ends else 0
            while low < high:
                middle = (low + high) // 2
                other.seek(_index_of(cycles, ends, middle), strict=True)
                if key(other.read()) < target:
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
        code = self._call(lib.tape_tailer_direction)
        return "backward" if code == lib.TAPE_BACKWARD else "forward"

    @direction.setter
    def direction(self, direction: str) -> None:
        if direction not in ("forward", "backward"):
            raise InvalidArgument(f"direction={direction!r}", hint="'forward' or 'backward'")
        self._call(lib.tape_tailer_set_direction,
                   lib.TAPE_FORWARD if direction == "forward" else lib.TAPE_BACKWARD)

    @property
    def index(self) -> int:
        """The index that is next; 0 while the queue is empty."""
        return self._call(lib.tape_tailer_index)

    @property
    def last_read(self) -> int | None:
        """The index that was last read, or ``None``."""
        out = self._take()
        try:
            index = int(lib.tape_tailer_last_read(self._handle))
        finally:
            self._outs.append(out)
        return None if index == lib.TAPE_ENOINDEX else self._check(index)

    # ---- the rest ----

    def _info(self) -> Any:
        facts = ffi.new("tape_tailer_info_t *")
        self._call(lib.tape_tailer_info, facts)
        return facts

    def lag(self) -> Lag:
        """How far the tailer is behind the end of the queue, as :class:`tape.Lag`.

        Counts by the index, without reading messages; looks at each cycle file behind.

        Raises: :class:`tape.TailerBusy`, :class:`tape.QueueClosed`, :class:`tape.Forked`,
            :class:`tape.CorruptQueue`, :class:`tape.StorageError`.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     indexes = [q.appender().write(m) for m in "abc"]
        ...     t = q.tailer()
        ...     t.read(), t.lag()
        ('a', Lag(messages=2, bytes=24, seconds=0.0))
        """
        facts = self._info()
        return Lag(int(facts.lag_messages), int(facts.lag_bytes), facts.lag_ms / 1000)

    def info(self) -> TailerInfo:
        """Facts about the tailer."""
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
        if self._closed_by is None:
            self._call(lib.tape_tailer_shutdown)
            self._mark_closed("Tailer.close()")

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        name = "" if self.id is None else f"id={self.id!r}, "
        return f"Tailer({self.queue.path!r}, {name}codec={self.codec.name}, {state})"
