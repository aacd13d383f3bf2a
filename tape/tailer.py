"""Tailer: reads messages of a queue, from anywhere, as often as you like."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ._ffi import check, ffi, lib
from ._handle import Handle
from .appender import framing_of
from .codecs import Codec
from .errors import (DecodeError, Empty, IndexNotFound, InvalidArgument, QueueClosed, StateError,
                     TailerBusy)
from .info import Entry, TailerInfo

if TYPE_CHECKING:
    from .queue import Queue

__all__ = ["Tailer"]

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

    __slots__ = ("_decode", "_framing", "_outs", "codec", "poll_interval", "queue")

    codec: Codec[Any]
    queue: Queue
    poll_interval: float

    def __init__(self, queue: Queue, codec: Codec[Any], poll_interval: float) -> None:
        self._closed_by = None
        self.queue = queue
        self.codec = codec
        self.poll_interval = poll_interval
        self._framing = (lib.TAPE_FRAMING_BYTES if framing_of(codec) == "bytes"
                         else lib.TAPE_FRAMING_DOCUMENT)
        self._decode = codec.decode
        # The one place for what C reads is also the token of the thread that uses the tailer: list
        # operations are atomic, and what is decoded lies in a mapping that another call may move.
        self._outs = [ffi.new("tape_excerpt_t *")]
        options = ffi.new("tape_tailer_options_t *")
        options.struct_size = ffi.sizeof("tape_tailer_options_t")
        options.framing = self._framing
        out = ffi.new("tape_tailer_t **")
        handle = queue._open_handle()
        check(lib.tape_tailer_open(handle, options, out))
        self._handle = ffi.gc(out[0], lib.tape_tailer_close)

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

    def _read_now(self, as_entry: bool = False) -> Any:
        out = self._take()
        try:
            handle = self._handle
            code = _next(handle, out)
            if code == 1:
                value = self._value(out, handle)
                if as_entry:
                    return Entry(int(out.index), value, bytes(_buffer(out.data, out.size)))
                return value
        finally:
            self._outs.append(out)
        if code < 0:
            self._fail(code)
        return _NOTHING

    def _read_until(self, deadline: float | None, as_entry: bool = False) -> Any:
        while (value := self._read_now(as_entry)) is _NOTHING:
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

        Raises: :class:`tape.DecodeError`, :class:`tape.CorruptQueue`, :class:`tape.TailerBusy`,
            :class:`tape.QueueClosed`, :class:`tape.Forked`.

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

    def __iter__(self) -> Iterator[Any]:
        while (value := self._read_now()) is not _NOTHING:
            yield value

    def entries(self, limit: int | None = None) -> Iterator[Entry]:
        """What is there now, as :class:`tape.Entry` objects, at most ``limit``."""
        while limit is None or limit > 0:
            entry = self.read_entry()
            if entry is None:
                return
            yield entry
            limit = None if limit is None else limit - 1

    def follow(self, timeout: float | None = None) -> Iterator[Any]:
        """Messages as they come, until the queue is closed or none came for ``timeout`` seconds."""
        while True:
            try:
                value = self._read_until(_deadline(timeout))
            except QueueClosed:
                return
            if value is _NOTHING:
                return
            yield value

    def skip(self, n: int = 1) -> int:
        """Moves over up to ``n`` messages without decoding them; returns how many there were."""
        done = 0
        out = self._take()
        try:
            while done < n and self._check(_next(self._handle, out)) == 1:
                done += 1
        finally:
            self._outs.append(out)
        return done

    # ---- moving ----

    def seek(self, index: int, *, strict: bool = False) -> bool:
        """Moves so that the next read gives ``index``.

        Returns: ``True``; ``False`` when there is no such message: the tailer then waits there
            for it if it is the one after the last of its cycle, and otherwise stays where it was.

        Args:
            index: of a message, not negative.
            strict: raise :class:`tape.IndexNotFound` instead of returning ``False``.
        """
        if not 0 <= index < 1 << 63:
            raise InvalidArgument(f"{index} is no index", hint="0 to 2**63-1")
        found = self._call(lib.tape_tailer_seek, index) == 1
        if strict and not found:
            raise IndexNotFound(f"no message {index:#x} in {self.queue.path}", index=index,
                                hint="see first_index and last_index of the queue")
        return found

    def seek_start(self) -> Tailer:
        """Moves before the first message."""
        self._call(lib.tape_tailer_seek_start)
        return self

    def seek_end(self) -> Tailer:
        """Moves behind the last message."""
        self._call(lib.tape_tailer_seek_end)
        return self

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

    def info(self) -> TailerInfo:
        """Facts about the tailer."""
        closed = self.closed
        return TailerInfo(queue=self.queue.path, codec=self.codec.name,
                          index=None if closed else self.index,
                          last_read=None if closed else self.last_read, closed=closed,
                          poll_interval=self.poll_interval)

    def close(self) -> None:
        """Closes the tailer and gives its mapping back; the queue stays open.

        Raises: :class:`tape.TailerBusy` while another thread is reading with it.
        """
        if self._closed_by is None:
            self._call(lib.tape_tailer_shutdown)
            self._mark_closed("Tailer.close()")

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"Tailer({self.queue.path!r}, codec={self.codec.name}, {state})"
