"""A place in a queue: what :class:`tape.Tailer` has, and where reading may be made faster.

*No message is lost to an interrupt*: ``out.index`` is -1 unless C has given a message that has not
reached the caller, and likewise ``batch.indexes[0]``; whatever else ends a call gives the messages
back to C. *One loop for gaps*, whoever asks for what is behind them. Whose turn it is: ``_turn``.
"""

from __future__ import annotations

import time
from _thread import get_ident

from ._arguments import deadline_of, main_thread_id, name_of, not_negative, poll_ns
from ._batch import (LOOKING_AHEAD, SHOWN, UNSHARED, Batch, gap_in_doubt, references,
                     show_to_debuggers)
from ._ffi import check, error_of, ffi, lib, made
from ._framing import FRAMINGS, errors_of, framing_of, is_raw
from ._lanes import KEPT, NOTHING, fressian
from ._turn import Turn
from .errors import DecodeError, Empty, Error, Gap, InvalidArgument, QueueClosed, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import Any, NoReturn

    from ._clock import ClockInC
    from .codecs import Codec

__all__ = ["NOTHING", "Cursor"]

ALONE = 2  # so many are read one by one before a loop reads ahead: it may end soon

LISTEN = 0.05  # seconds that the main thread sleeps at a time
FOR_EVER = float("inf")

_next = lib.tape_tailer_next
_wait = lib.tape_tailer_wait
_buffer = ffi.buffer
_EGAP = lib.TAPE_EGAP


class Cursor(Turn):
    """Where a tailer stands; one thread at a time."""

    __slots__ = ("_batch", "_decode", "_first", "_framing", "_metadata", "_on_error", "_on_gap",
                 "_poison", "_raised", "_telling", "_tells", "_unstored", "auto_commit", "codec",
                 "in_lanes", "path", "poll_interval")

    KIND = "Tailer"

    codec: Codec[Any]
    path: str
    poll_interval: float
    auto_commit: bool

    def __init__(self, queue_handle: Any, path: str, codec: Codec[Any], poll_interval: float, *,
                 id: str | None = None, auto_commit: bool = False,  # noqa: A002
                 max_mapped: int = 0, steal: bool = False, metadata: bool = False,
                 on_error: Callable[[DecodeError], Any] | None = None, tell_gaps: bool = False,
                 on_gap: Callable[[Gap], Any] | None = None,
                 clock: ClockInC | None = None) -> None:
        super().__init__(ffi.new("tape_excerpt_t *", {"index": -1}), clock)
        self._on_error, self._on_gap, self._tells = on_error, on_gap, tell_gaps
        self._telling: Gap | None = None           # it is being told
        self._raised: BaseException | None = None  # by a handler
        self._unstored = False  # a loop has a message, its body is not done
        self._batch: Batch | None = None           # until it is asked for many
        self._first = -1  # index of the first message of a call that takes several
        self.auto_commit, self.poll_interval = auto_commit, poll_interval
        self.path, self.codec = path, codec
        self._framing = FRAMINGS[framing_of(codec)]
        self._poison = errors_of(codec)
        self._decode = codec.decode
        self._metadata = metadata
        documents = self._framing == lib.TAPE_FRAMING_DOCUMENT
        if metadata and not documents:
            raise InvalidArgument(f"metadata documents have no frame as {codec.name!r} expects",
                                  hint="read them with codecs.wire, text or document")
        options = ffi.new("tape_tailer_options_t *")
        options.struct_size = ffi.sizeof("tape_tailer_options_t")
        options.window_size = max_mapped
        options.poll_interval_ns = poll_ns(poll_interval)
        for flag, wanted in ((lib.TAPE_TAILER_STEAL, steal), (lib.TAPE_TAILER_METADATA, metadata),
                             (lib.TAPE_TAILER_DOCUMENTS, documents),
                             (lib.TAPE_TAILER_TELL_GAPS, tell_gaps)):
            options.flags |= flag if wanted else 0
        name = ffi.NULL if id is None else ffi.new("char[]", name_of(id))
        options.id = name
        self._handle = made("tailer", lib.tape_tailer_open, queue_handle, options)
        # What a clock in Python raised has to be asked for.
        self.in_lanes = clock is None and not auto_commit and not metadata
        if self.in_lanes:
            fressian()
            self._arm(self._outs, self._out, codec, self._decode, is_raw(self._decode),
                      self._framing, self._poison)

    # ---- one message ----

    def read(self, default: Any, timeout: float | None = 0, as_entry: bool = False,
             begun: list[Any] | None = None) -> Any:
        """The next message; ``default``, or :class:`tape.Empty` for ``NOTHING``, if none came.

        ``begun``: a lane has the turn and has read already; see :meth:`_next_value`.
        """
        out, value = None, NOTHING
        deadline = None if timeout == 0 else deadline_of(timeout)
        try:
            while True:
                out = self._take() if begun is None else self._take_over()
                value = self._next_value(out, as_entry, begun)
                begun = None
                if value is not NOTHING:
                    break
                self._outs[:] = (out,)
                out = None
                if timeout == 0 or not self._pause(deadline):
                    return self._none_came(timeout) if default is NOTHING else default
            if self.auto_commit:
                check(lib.tape_tailer_commit(self._handle))
            out.index = -1
            self._outs[:] = (out,)
            return value
        except BaseException as error:
            self._give_up(out, value is not NOTHING, error)
            raise

    def _none_came(self, timeout: float | None) -> NoReturn:
        raise Empty(f"nothing came to {self.path} within {timeout} s",
                    hint="try again, or read() for a default")

    def one(self, begun: list[Any] | None = None) -> Any:
        """One step of a loop that a lane makes; ``NOTHING`` ends it."""
        out, value = None, NOTHING
        try:
            out = self._take() if begun is None else self._take_over()
            value = self._next_value(out, False, begun)
            out.index = -1
            self._outs[:] = (out,)
            return value
        except BaseException as error:
            self._give_up(out, value is not NOTHING, error)
            raise

    def messages(self, as_entry: bool = False, limit: int | None = None, *, wait: bool = False,
                 timeout: float | None = 0) -> Iterator[Any]:
        """What is there now, at most ``limit``; with ``wait`` also what comes, until the queue is
        closed or nothing came for so long. A position is stored when the next message is asked
        for, so that a crash in the loop's body repeats the message."""
        out, left, since = None, -1 if limit is None else not_negative(limit), 0
        may_look_ahead = limit is None and not (as_entry or self._metadata or self.auto_commit)
        outs, deadline = self._outs, deadline_of(timeout)
        try:
            while left:
                if self._unstored:
                    self._store()
                if may_look_ahead and since >= ALONE and not (yield from self._read_ahead()):
                    since = 0
                out = self._take()
                value = self._next_value(out, as_entry)
                if value is NOTHING:
                    outs += (out,)
                    out = None
                    if not wait or not self._pause(deadline):
                        return
                    continue
                self._unstored = self.auto_commit
                out.index = -1
                outs += (out,)  # with no call until the message has left
                out = None
                yield value
                left -= 1
                since += 1
                if wait:
                    deadline = deadline_of(timeout)
        except BaseException as error:
            self._give_up(out, False, error)
            if not (wait and isinstance(error, QueueClosed) and self._closed_by is not None):
                raise

    def _read_ahead(self) -> Generator[Any, None, bool]:
        """Messages that C copied many at a time, up to what must be read by itself. The position
        is that of the message given last, whoever asks: every other call gives the rest back
        first (:meth:`_settle`), and ends this; then it returns false."""
        out, outs, decode, framing = None, self._outs, self._decode, self._framing
        by_itself: tuple[type[Exception], ...] = (*self._poison, BufferError)
        got, room, batch = 0, 4, self._batch or Batch()
        self._batch = batch
        LOOKING_AHEAD.add(self)
        try:
            while True:
                out = self._take()
                got, room = batch.read(self._handle, room), 4 * room
                if got <= 0:
                    return True
                data, ends, framings = batch.contents(got)
                self._ahead = ahead = [0]
                batch.indexes[0] = -1
                view, begin = memoryview(data), 0  # what keeps a slice of it keeps a copy
                for end, kind in zip(ends, framings, strict=True):
                    if out is None:
                        try:
                            out = outs.pop()
                        except IndexError:
                            out = self._take()
                        if self._ahead is not ahead:
                            return False
                    if kind != framing:
                        return True
                    piece = view[begin:end]
                    try:
                        value = decode(piece)
                        piece.release()
                    except by_itself:
                        return True
                    if value is piece:
                        return True
                    begin = end
                    ahead[0] += 1
                    outs += (out,)  # with no call until the message has left
                    out = None
                    yield value
        finally:
            if out is not None:
                self._take_back(gap=got == _EGAP)
                outs[:] = (out,)

    def _settle(self) -> None:
        ahead = self._ahead
        if ahead is not None:
            lib.tape_tailer_unread_many(self._handle, ahead[0])
            self._ahead = None

    def _mark_closed(self, by: str) -> Any:
        self._ahead = None
        return super()._mark_closed(by)

    def done(self) -> None:
        """Whoever got the last message is done with it: its position is stored."""
        if self._unstored:
            self._store()

    def _store(self) -> None:
        """The loop's body is done with what it was given: now its position may be stored."""
        if self.last_read() is not None:
            self.call(lib.tape_tailer_commit)
        self._unstored = False

    def _next_value(self, out: Any, as_entry: bool, begun: list[Any] | None = None) -> Any:
        """The next message that can be had, decoded; ``NOTHING``: none now.

        ``begun``: what C answered to a lane is its last element; before it, if that was a message
        that the codec could not have, what decode() raised or KEPT. A list, which is emptied: an
        exception that a frame refers to would keep the frame.
        """
        # The handle is referred to all the while: if the queue is closed meanwhile, the mapping
        # goes with the last reference.
        handle = self._handle
        while True:
            code = begun.pop() if begun else _next(handle, out)
            if self._clock is not None:
                self._clock.heard()
            if code != 1:
                if code == _EGAP:
                    code = self._behind_gap(_next, handle, out)
                if code < 0:
                    self._fail(code)
                if code == 0:
                    return NOTHING
            mapped = _buffer(out.data, out.size)
            view = memoryview(mapped).toreadonly()
            try:
                if out.framing != self._framing:
                    raise DecodeError(
                        f"the document is not framed as the codec {self.codec.name!r} expects",
                        hint="read it with a codec of the other framing, or skip()")
                if not begun:
                    value = self._decode(view)
                elif begun[0] is KEPT:
                    value = view
                else:
                    raise begun.pop()
            except self._poison as error:
                poison = self._poisoned(out, handle, error)
                if self._on_error is None:
                    raise poison from error
                self._tell(self._on_error, poison)
                _next(handle, out)  # the message is next again: pass it
                out.index = -1
                continue
            try:
                view.release()
                kept = value is view or references(mapped) != UNSHARED  # by a slice of the view
                if kept and value is not view:  # or by what debuggers see
                    show_to_debuggers()
                    kept = references(mapped) != SHOWN
            except BufferError:
                kept = True
            if kept:
                raise self._kept()
            return self._entry(out, value) if as_entry else value

    def _entry(self, out: Any, value: Any) -> Any:
        from .info import Entry, MetadataEntry
        entry = MetadataEntry if out.metadata else Entry
        return entry(int(out.index), value, bytes(_buffer(out.data, out.size)))

    def _kept(self) -> StateError:
        return StateError(f"codec {self.codec.name!r} kept a view of mapped memory",
                          hint="decode() must copy what it keeps")

    def _poisoned(self, out: Any, handle: Any, error: Exception) -> DecodeError:
        """The error for a message that cannot be decoded; the message stays next."""
        raw, index = bytes(_buffer(out.data, out.size)), int(out.index)
        lib.tape_tailer_unread(handle)
        out.index = -1
        hint = getattr(error, "hint", "") or "skip() moves on; read it with another codec"
        what = error.message if isinstance(error, Error) else f"{type(error).__name__}: {error}"
        poison = DecodeError(f"message {index:#x} of {self.path}: {what}", raw=raw,
                             offset=getattr(error, "offset", None), index=index, hint=hint)
        poison.__cause__ = error  # for handlers
        return poison

    # ---- many ----

    def read_many(self, n: int, timeout: float | None,
                  begun: tuple[list[Any], int] | None = None) -> list[Any]:
        """Up to ``n`` messages; an error behind the first one is left to the next call.

        ``begun``: a lane has the turn, and these messages from the index beside them on; the next
        one cannot be had as they were.
        """
        out, first = None, -1
        messages: list[Any] = [] if begun is None else begun[0]
        deadline = None if timeout == 0 else deadline_of(timeout)
        try:
            while not_negative(n):
                out = self._take() if begun is None else self._take_over(begun[1])
                begun = None
                self._fill(messages, n, out)
                if messages:
                    first = self._first
                    self._all_given()
                self._outs[:] = (out,)
                if messages or timeout == 0:
                    break
                out = None
                if not self._pause(deadline):
                    break
            return messages
        except BaseException as error:
            self._give_up(out, False, error, first)
            raise

    def _fill(self, messages: list[Any], n: int, out: Any) -> None:
        """Adds messages until there are ``n``, or none is left, or an error is to be put off."""
        while len(messages) < n:
            try:
                more = self._some(n - len(messages), out)
            except Exception as error:
                if not messages or not self._put_off(error):
                    raise
                return
            finally:
                self._raised = None
            if not more:
                return
            messages += more
            if self.auto_commit:
                check(lib.tape_tailer_commit(self._handle))  # a gap will move the place

    def _some(self, n: int, out: Any) -> list[Any]:
        """Some of the next ``n`` messages, by one call of C where it can be; empty: none now."""
        if not self._metadata:
            handle = self._handle
            if self._batch is None:
                self._batch = Batch()
            got = self._batch.read(handle, n)
            if self._clock is not None:
                self._clock.heard()
            if got == _EGAP:
                got = self._behind_gap(Batch.read, self._batch, handle, n)
            if self._first < 0:
                self._first = int(self._batch.indexes[0])
            if got > 0 and (messages := self._decode_batch(self._batch, handle, got)):
                return messages
            if got == 0:
                return []
            if got < 0 and got != lib.TAPE_ETOOBIG:
                self._fail(got)
        # The next message is too large for a batch, or cannot be decoded: by itself.
        value = self._next_value(out, False)
        if self._first < 0:
            self._first = int(out.index)
        return [] if value is NOTHING else [value]

    def _decode_batch(self, batch: Batch, handle: Any, got: int) -> list[Any]:
        """The values of a batch up to the first that cannot be had; that one is then next again."""
        data, ends, framings = batch.contents(got)
        values: list[Any] = []
        poison: tuple[type[Exception], ...] = (*self._poison, BufferError)
        begin, framing, decode, alone = 0, self._framing, self._decode, references(data)
        piece: Any
        value: Any
        view: Any = memoryview(data)
        try:
            for end, kind in zip(ends, framings, strict=True):
                if kind != framing:
                    break
                piece = view[begin:end]
                value = decode(piece)
                if value is piece:
                    break
                piece.release()
                values.append(value)
                begin = end
        except poison:
            piece = None  # reading it by itself will tell
        value = piece = view = None
        if references(data) != alone:
            values.clear()  # the codec kept a slice: likewise
        if len(values) < got:
            self._check(lib.tape_tailer_unread_many(handle, len(values)))
        if not values:
            if self._first == batch.indexes[0]:  # else an earlier call of C gave messages
                self._first = -1
            batch.indexes[0] = -1
        return values

    def read_bodies(self, n: int, kind: Any = None) -> Any:
        """The bytes of up to ``n`` messages and where each ends, or an array of records."""
        from ._columns import Bodies
        if self._metadata:
            raise InvalidArgument("this tailer gives metadata, too", hint="read them one by one")
        bodies, out, first = Bodies(self, n, kind), None, -1
        try:
            out = self._take()
            bodies.fill(out)
            if len(bodies.offsets) > 1 and self.auto_commit:
                check(lib.tape_tailer_commit(self._handle))
            found, first = bodies.result(), self._first
            self._all_given()
            self._outs[:] = (out,)
            return found
        except BaseException as error:
            self._give_up(out, False, error, first)
            raise

    def skip(self, n: int) -> int:
        """Over up to ``n`` messages; an error behind the first one is left to the next call."""
        out, done, first = None, 0, -1
        try:
            out = self._take()
            while done < not_negative(n):
                try:
                    if self._advance(out) != 1:
                        break
                except Exception as error:
                    if done == 0 or not self._put_off(error):
                        raise
                    break
                if done == 0:
                    self._first = int(out.index)
                done += 1
            if done and self.auto_commit:
                check(lib.tape_tailer_commit(self._handle))
            first = self._first
            self._all_given()
            self._outs[:] = (out,)
            return done
        except BaseException as error:
            self._give_up(out, False, error, first)
            raise

    def _advance(self, out: Any) -> int:
        handle = self._handle
        code = int(_next(handle, out))
        if self._clock is not None:
            self._clock.heard()
        if code == _EGAP:
            code = self._behind_gap(_next, handle, out)
        return self._check(code)

    # ---- where it stands ----

    def last_read(self) -> int | None:
        """The index that was last read, or ``None``."""
        index = self.call(lib.tape_tailer_last_read, none=lib.TAPE_ENOINDEX)
        return None if index < 0 else index

    # ---- gaps, handlers, and giving back ----

    def _behind_gap(self, step: Any, *arguments: Any) -> int:
        """C just said that there is a gap: tells it and goes on behind; what ``step`` says then."""
        code = _EGAP
        while code == _EGAP:
            gap = error_of(_EGAP)
            if not isinstance(gap, Gap):
                raise gap
            self._telling, ends = gap, ffi.new("int64_t[2]")
            if lib.tape_tailer_gap(self._handle, ends, ends + 1) == 1:
                gap.from_index, gap.to_index = int(ends[0]), int(ends[1])
            if self._on_gap is None:
                raise gap
            self._tell(self._on_gap, gap)
            self._telling = None
            code = int(step(*arguments))
        return code

    def _tell(self, handler: Callable[[Any], Any], error: Error) -> None:
        try:
            handler(error)
        except Exception as raised:
            self._raised, self._telling = raised, None
            raise

    def _put_off(self, error: Exception) -> bool:
        """Leaves an error behind the first message to the next call: what was read already shall
        not be lost. Not a signal handler's, with which all messages are given back."""
        if not (isinstance(error, Error) or error is self._raised):
            return False
        # A gap, which is told but once, is taken back; what cannot be decoded is next anyway.
        self._telling = None
        lib.tape_tailer_unread(self._handle)  # TAPE_ESTATE when it was no gap
        return True

    def _give_up(self, out: Any, got: bool, error: BaseException, first: int = -1) -> None:
        """A call ends without a result; ``first``: what it knows of ``_first``, where it does."""
        self._first = max(first, self._first)
        if out is not None:
            telling, self._telling = self._telling, None
            self._take_back(got, telling is not None and telling is not error)
            self._outs[:] = (out,)

    def _take_back(self, got: bool = False, gap: bool = False) -> None:
        self._settle()
        handle, batch, first = self._handle, self._batch, self._first
        got = got or self._out.index >= 0
        if got or gap or (self._tells and gap_in_doubt(handle)):
            lib.tape_tailer_unread(handle)
        if batch is not None and batch.indexes[0] >= 0:
            got = True
            if first < 0 or first == batch.indexes[0]:
                first = -1 if lib.tape_tailer_unread_many(handle, 0) == 0 else first
        if first >= 0:  # several calls of C gave the messages
            got = True
            lib.tape_tailer_seek(handle, first)
        if got and self.auto_commit:
            lib.tape_tailer_commit(handle)
        self._all_given()

    def _all_given(self) -> None:
        """Nothing that C gave is on its way."""
        self._out.index = self._first = -1
        self._raised = None
        if self._batch is not None:
            self._batch.indexes[0] = -1

    def _pause(self, deadline: float | None) -> bool:
        """Sleeps until there may be something to read; false when it is time to give up. C
        sleeps without the GIL, and wakes for messages, signals and closing. A signal that comes
        just before C goes to sleep wakes nobody, so the thread that hears them looks up."""
        most = LISTEN if get_ident() == main_thread_id() else FOR_EVER
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            most = min(most, left)
        code = _wait(self._handle, -1 if most == FOR_EVER else int(most * 1e9))
        if self._clock is not None:
            self._clock.heard()
        self._check(code)
        return True

    def set_poll_interval(self, seconds: float) -> None:
        """The longest pause between looks for what nobody tells of."""
        self.call(lib.tape_tailer_set_poll_interval, poll_ns(seconds))
        self.poll_interval = seconds
