"""What reading a message takes: the C handle, one place for what it delivers, decoding, waiting."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._ffi import check, error_of, ffi, lib
from ._framing import FRAMINGS, framing_of
from ._handle import Handle
from .codecs import Codec
from .errors import (DecodeError, Error, Gap, InvalidArgument, StateError, TailerBusy)
from .info import Entry, MetadataEntry

if TYPE_CHECKING:
    from .queue import Queue

__all__ = ["NOTHING", "Reading"]

NOTHING: Any = object()  # there is no message now; any value may be one

_next = lib.tape_tailer_next
_next_many = lib.tape_tailer_next_many
_buffer = ffi.buffer

# How often an object is referred to, where that can be told (CPython): a codec that keeps a slice
# of its view would later read memory that has moved away.
_references = getattr(sys, "getrefcount", lambda mapped: 0)


def _count_unshared() -> int:
    mapped = _buffer(ffi.new("char[1]"), 1)
    return int(_references(mapped))


_UNSHARED = _count_unshared()


class Batch:
    """Room for many messages."""

    __slots__ = ("_indexes", "_room", "buffer", "ends", "framings")

    BYTES, COUNT = 256 << 10, 1024

    def __init__(self) -> None:
        self.buffer = ffi.new("uint8_t[]", self.BYTES)
        self.ends = ffi.new("int64_t[]", self.COUNT)
        self._indexes = ffi.new("int64_t[]", self.COUNT)
        self.framings = ffi.new("uint32_t[]", self.COUNT)
        self._room = ffi.new("tape_batch_t *", {
            "buffer": self.buffer, "size": self.BYTES, "ends": self.ends,
            "indexes": self._indexes, "framings": self.framings})

    def read(self, handle: Any, n: int) -> int:
        """Up to ``n`` messages, or a code."""
        self._room.count = min(n, self.COUNT)
        return int(_next_many(handle, self._room))


def _name(id: str) -> bytes:  # noqa: A002
    """A tailer's name as Java stores it: one byte a character."""
    if not isinstance(id, str):
        raise TypeError(f"a tailer's id is a str, not {type(id).__name__}")
    try:
        name = id.encode("latin-1")
    except UnicodeEncodeError:
        raise InvalidArgument(f"the name {id!r} has characters beyond U+00FF",
                              hint="names are ISO-8859-1") from None
    if len(name) > 256 or b"\0" in name:
        raise InvalidArgument("a name of more than 256 characters, or with NUL", hint="shorten it")
    return name


class Reading(Handle):
    """The machinery below :class:`tape.Tailer`; one thread at a time."""

    __slots__ = ("_auto_commit", "_batch", "_decode", "_framing", "_metadata", "_on_error",
                 "_on_gap", "_outs", "codec", "id", "poll_interval", "queue")

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
        self._framing = FRAMINGS[framing_of(codec)]
        self._decode = codec.decode
        self._metadata = metadata
        self._batch: Batch | None = None  # until it is asked for many
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

    def _take(self) -> Any:
        """Takes the token; it is given back by ``self._outs.append(out)``."""
        try:
            return self._outs.pop()
        except IndexError:
            raise TailerBusy("another thread, or a handler of its own, is using this tailer",
                             hint="use one tailer per thread, and another in handlers") from None

    def _call(self, function: Any, *arguments: Any) -> int:
        """A call of C that is not for reading, with the token."""
        out = self._take()
        try:
            return self._check(function(self._handle, *arguments))
        finally:
            self._outs.append(out)

    def _poison(self, out: Any, handle: Any, error: Exception) -> DecodeError:
        """The error for a message that cannot be decoded; the message stays next."""
        raw = bytes(_buffer(out.data, out.size))
        index = int(out.index)
        lib.tape_tailer_unread(handle)
        hint = getattr(error, "hint", "") or "skip() moves on; read it with another codec"
        what = error.message if isinstance(error, Error) else error  # its hint goes elsewhere
        poison = DecodeError(f"message {index:#x} of {self.queue.path}: {what}", raw=raw,
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
            lib.tape_tailer_unread(handle)
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

    def _put_off(self) -> None:
        """An error, also a handler's, shall be raised by the next call instead: a gap,
        which is told but once, is taken back; what cannot be decoded is next anyway."""
        out = self._take()
        try:
            lib.tape_tailer_unread(self._handle)  # TAPE_ESTATE when it was no gap
        finally:
            self._outs.append(out)

    def _next(self, handle: Any, out: Any) -> int:
        """The next message into ``out``, or 0, or a code that is not a gap."""
        while (code := _next(handle, out)) == lib.TAPE_EGAP and self._pass_gap(handle):
            pass
        return int(code)

    def _read_now(self, as_entry: bool = False, commit: bool = True) -> Any:
        out = self._take()
        try:
            handle = self._handle
            while True:
                if (code := _next(handle, out)) != 1:
                    if code == lib.TAPE_EGAP and self._pass_gap(handle):
                        continue
                    break
                try:
                    value = self._value(out, handle)
                except DecodeError as error:
                    if self._on_error is None:
                        raise
                    self._on_error(error)
                    _next(handle, out)  # the message is next again: pass it
                    continue
                if as_entry:  # before the next call of C, which may give up what it delivered
                    entry = MetadataEntry if out.metadata else Entry
                    value = entry(int(out.index), value, bytes(_buffer(out.data, out.size)))
                if self._auto_commit and commit:
                    check(lib.tape_tailer_commit(handle))
                return value
        finally:
            self._outs.append(out)
        if code < 0:
            self._fail(code)
        return NOTHING

    def _read_batch(self, n: int) -> list[Any]:
        """Some of the next ``n`` messages, by one call of C where it can be; empty: none now."""
        messages: list[Any] = []
        out = self._take()
        try:
            handle = self._handle
            if self._batch is None:
                self._batch = Batch()
            while ((got := self._batch.read(handle, n)) == lib.TAPE_EGAP
                   and self._pass_gap(handle)):
                pass
            if got > 0:
                messages = self._decode_batch(self._batch, handle, got)
        finally:
            self._outs.append(out)
        if messages or got == 0:
            return messages
        if got < 0 and got != lib.TAPE_ETOOBIG:
            self._fail(got)
        # The next message is too large for a batch, or cannot be decoded: by itself.
        value = self._read_now(commit=False)
        return [] if value is NOTHING else [value]

    def _decode_batch(self, batch: Batch, handle: Any, got: int) -> list[Any]:
        """The values of a batch up to the first that cannot be had; that one is then next again."""
        ends = ffi.unpack(batch.ends, got)
        data = bytes(_buffer(batch.buffer, ends[-1]))
        values: list[Any] = []
        begin, framing, decode, alone = 0, self._framing, self._decode, _references(data)
        view = memoryview(data)
        try:
            for end, kind in zip(ends, ffi.unpack(batch.framings, got), strict=True):
                if kind != framing:
                    break
                piece = view[begin:end]
                value = decode(piece)
                piece.release()
                values.append(value)
                begin = end
        except Exception:
            piece = None  # reading it by itself will tell
        except BaseException:
            lib.tape_tailer_unread_many(handle, 0)
            raise
        view.release()
        if _references(data) != alone:
            values.clear()  # the codec kept a slice: likewise
        if len(values) < got:
            self._check(lib.tape_tailer_unread_many(handle, len(values)))
        return values

    def _read_until(self, deadline: float | None, as_entry: bool = False,
                    commit: bool = True) -> Any:
        while (value := self._read_now(as_entry, commit)) is NOTHING and self._pause(deadline):
            pass
        return value

    def _pause(self, deadline: float | None) -> bool:
        """Waits a little for messages; false when it is time to give up."""
        pause = self.poll_interval
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            pause = min(pause, left)
        time.sleep(pause)
        return True
