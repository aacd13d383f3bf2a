"""Appender: writes messages to a queue."""

from __future__ import annotations

from itertools import accumulate

from ._durability import fill
from ._ffi import error_of, ffi, lib, made
from ._framing import FRAMINGS, framing_of, is_raw
from ._handle import Owner
from ._lanes import AppenderLane, adopt, fressian
from ._signals import take_interrupt
from ._types import Of, T_contra
from .errors import EncodeError, InvalidArgument, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn

    from ._place import Place
    from .aio import Sink
    from .codecs import Codec
    from .errors import Error
    from .info import AppenderInfo
    from .queue import Queue

__all__ = ["Appender"]

_write = lib.tape_appender_write
_is_slow = lib.tape_has_slow_append
_INT64 = 1 << 63


class Appender(AppenderLane, Owner, Of[T_contra]):
    """Writes messages; made by :meth:`tape.Queue.appender`.

    Any thread may use it; writes are serialised in C. A failed write leaves no trace in the file.

    Attributes: ``queue``; ``codec``, of its messages; ``framing``: how their bytes stand in a
    document, ``"bytes"`` in the frame of Clojure's tape, ``"document"`` as they are;
    ``durability``: when its messages are on disk.
    """

    __slots__ = ("__weakref__", "_closed_by", "_encode", "_places", "_told", "codec", "durability",
                 "framing", "queue")

    KIND = "Appender"

    codec: Codec[T_contra]
    durability: str
    queue: Queue[Any]

    def __init__(self, queue: Any = None, codec: Any = None, durability: str = "os") -> None:
        if not hasattr(queue, "_open_handle"):
            raise TypeError("an appender is made by queue.appender()")
        self._closed_by = None
        self.queue = queue
        self.codec = codec
        self.framing = framing_of(codec)
        self._encode = codec.encode
        self._places: dict[str, Any] = {}  # of the message that is being made, if any
        self._watch = True  # the clock, at each message; else at every 1024th
        options = ffi.new("tape_appender_options_t *")
        options.struct_size = ffi.sizeof("tape_appender_options_t")
        options.framing = FRAMINGS[self.framing]
        fill(options, durability)
        self.durability = durability
        self._told = False  # that a sync failed
        self._waits = durability == "each"  # a write: for the disk, always
        self._handle = made("appender", lib.tape_appender_open, queue._open_handle(), options)
        fressian()
        self._arm(codec, self._encode, is_raw(self._encode))

    def write(self, obj: T_contra, *, expect: int | None = None) -> int:
        """Appends one message.

        When it returns, every tailer in every process sees the message, and it survives the death
        of this process; with ``durability="each"`` that of the machine, too.

        Args:
            obj: what the codec can encode.
            expect: write only if the message gets this index, which is compared under the lock.
                For those who read all there is and decide by it: it is then ``tailer.index``.

        Returns: the index, a plain ``int``, equal to what Java prints; ``queue.locate(index)``
            explains it. After an interrupt (Ctrl-C) :attr:`last_index` tells whether the message
            was written. :class:`tape.ClockWentBack` is warned, once, when the clock is behind.

        Raises: :class:`tape.EncodeError`, :class:`tape.MessageTooLarge`, :class:`tape.DiskFull`,
            :class:`tape.LockTimeout`, :class:`tape.CycleFull`, :class:`tape.QueueClosed`,
            :class:`tape.Forked`, :class:`tape.CorruptQueue`, :class:`tape.Conflict` (somebody else
            wrote; ``.index`` is the one it would have had), :class:`tape.StateError` inside
            :meth:`writing`, the other ``WriteFailed``, and :class:`tape.SyncFailed`, the one error
            after which the message may be there.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     a = q.appender()
        ...     a.write({"foo": ["bar", {"baz": 0}]}) == a.last_index
        True
        """
        data = self._encode(obj)
        if expect is not None:
            return self._written(lib.tape_appender_write_expect(
                self._handle, *_span(self.codec, data), _index(expect)))
        if type(data) is bytes:
            index = _write(self._handle, data, len(data))
        else:
            return self._write_view(data)
        if index < 0:
            self._fail_to_write(index)
        if _is_slow():
            self._tell_slow()
        if self._watch or not index & 1023:
            self._look_at_clock(4)
        return index

    def try_write(self, obj: T_contra) -> int | None:
        """Appends one message if that takes no waiting.

        Never waits for a lock, for a file to be made or for the disk. So it also gives ``None``
        where :meth:`write` has to ask the operating system: at first in a cycle, then once in 256
        KiB or less and once a second. Trying again alone may be in vain: :meth:`write` does it.

        Args:
            obj: what the codec can encode.

        Returns: the index, or ``None`` when it would have to wait; then nothing was written, and
            :meth:`write` does it.

        Raises: as :meth:`write`.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     a = q.appender()
        ...     index = a.try_write("now")
        ...     if index is None:
        ...         index = a.write("now")
        ...     index == q.last_index
        True
        """
        return self._try_view(self._encode(obj))

    def write_many(self, iterable: Iterable[T_contra]) -> range:
        """Appends many messages under one lock, into one cycle, one behind the other.

        All are encoded first: when that fails, or the iterable, nothing is written. A reader may
        see some before the others.

        Args:
            iterable: of what the codec can encode, in the order of the messages.

        Returns: their indexes; ``range(0)`` when there are none.

        Raises: as :meth:`write`. The error's ``written`` is the range of those that were written,
            the first ones: empty, or some when the disk or the cycle became full on the way;
            and those that may not be on disk, of :class:`tape.SyncFailed`.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     indexes = q.appender().write_many(["a", "b", "c"])
        ...     len(indexes), indexes[-1] == q.last_index, list(q.tailer())
        (3, True, ['a', 'b', 'c'])
        """
        from array import array  # by those who have no lane
        encode, codec = self._encode, self.codec
        bodies = [data if type(data) is bytes else _bytes(codec, data)
                  for data in map(encode, iterable)]
        if not bodies:
            return self._check_open()
        sizes = [len(body) for body in bodies]
        joined = b"".join(bodies)
        base = int(ffi.cast("uintptr_t", ffi.from_buffer(joined)))
        spans = array("L", [0]) * (2 * len(sizes))  # tape_span_t: address, size
        spans[0::2] = array("L", accumulate(sizes[:-1], initial=base))
        spans[1::2] = array("L", sizes)
        written = ffi.new("size_t *")
        first = int(lib.tape_appender_write_many(
            self._handle, ffi.from_buffer("tape_span_t[]", spans), len(sizes), written))
        return self._wrote_many(first, int(written[0]), len(sizes), 5)

    def writing(self, size: int) -> Place:
        """Makes one message where it will stand in the file, without a copy.

        For ``with``: what it gives has ``buffer``, a writable memoryview of ``size`` bytes, which
        hold anything at first; ``truncate(n)``; and, after the block, ``index``. The codec is not
        asked: these are the bytes of the message. An exception in the block leaves nothing behind.
        The write lock is held in the block: be quick, and write with no appender of the queue there
        (:class:`tape.StateError`). Slices of the buffer, and arrays made of it, must be gone when
        the block ends: otherwise nothing is written, and StateError is raised.

        Args:
            size: bytes at most, from 0 to the largest message.

        Raises: :class:`tape.InvalidArgument`; on entering the block as :meth:`write`; on leaving it
            :class:`tape.LockLost`, when another process took the lock away meanwhile.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp(), codec=tape.codecs.raw) as q:
        ...     with q.appender().writing(100) as w:
        ...         w.buffer[:5] = b"hello"
        ...         w.truncate(5)
        ...     w.index == q.last_index, q.tailer().read()
        (True, b'hello')
        """
        from ._place import Place
        if type(size) is not int or not 0 <= size < _INT64:
            raise InvalidArgument(f"size={size!r}", hint="a number of bytes, 0 or more")
        return Place(self, size)

    def sink(self, maxsize: int = 1024) -> Sink:
        """Writes from asyncio: :class:`tape.aio.Sink`, for ``async with``.

        Args:
            maxsize: so many messages may be on their way before a put waits.

        >>> import asyncio, tape, tempfile
        >>> async def some():
        ...     async with tape.open(tempfile.mkdtemp()) as q:
        ...         async with q.appender().sink() as put:
        ...             index = await put("hello")
        ...         return index == q.last_index
        >>> asyncio.run(some())
        True
        """
        from .aio import Sink
        return Sink(self, maxsize)

    def _write_view(self, data: Any) -> int:
        """Writes what an encode() gave that is not bytes."""
        return self._written(int(_write(self._handle, *_span(self.codec, data))))

    def _try_view(self, data: Any) -> int | None:
        """The same, if that takes no waiting."""
        index = int(lib.tape_appender_try_write(self._handle, *_span(self.codec, data)))
        return None if index == lib.TAPE_EAGAIN else self._written(index)

    def _written(self, index: int, level: int = 5) -> int:
        """What is to be done after a write, which gave an index or a code."""
        if index < 0:
            self._fail_to_write(index)
        if _is_slow():
            self._tell_slow()
        if self._watch or not index & 1023:
            self._look_at_clock(level)
        return index

    def _wrote_many(self, first: int, written: int, wanted: int, level: int = 4) -> range:
        """What is to be done after a batch, of which C wrote so many."""
        if first < 0:
            self._fail_to_write(first, written)
        done = range(first, first + written)
        if _is_slow():
            self._tell_slow()
        if written < wanted:
            raise self._error_of_rest(done)
        if self._watch or (first ^ done[-1]) >> 10 or not first & 1023:
            self._look_at_clock(level)
        return done

    def _check_open(self) -> range:
        """No messages to write; a closed appender says so all the same."""
        if self._closed_by is not None:
            self._fail(lib.TAPE_ECLOSED)
        return range(0)

    def _error_of_rest(self, done: range) -> Error:
        """Why C stopped behind some of the messages."""
        facts = ffi.new("tape_error_facts_t *")
        lib.tape_error_last(facts)
        error = error_of(int(facts.code))
        error.written = done
        return error

    def _tell_slow(self) -> None:
        """Logs an append of this thread that took long: tape.open(slow_append=)."""
        from ._slow import tell
        tell(self.queue.path)

    def _look_at_clock(self, level: int = 3) -> None:
        """After some writes, and after each while it is going wrong. ``level``: of the caller."""
        self._watch = self.queue._warn_of_clock(level)

    def _fail_to_write(self, code: int, written: int = 0) -> NoReturn:
        """What a signal handler raised while C waited for the lock comes out as it is; a clock that
        raised is the cause of C's word that it gave no time."""
        if code == lib.TAPE_ELOCKED and (interrupt := take_interrupt()) is not None:
            raise interrupt
        if code == lib.TAPE_EBUSY:
            raise being_made(self.queue.path)
        if code == lib.TAPE_ESYNC and self._closed_by is None:
            self._told = True
            error = error_of(code)
            if written and error.index is not None:
                error.written = range(error.index - written + 1, error.index + 1)
            raise error
        clock = self.queue._clock if code == lib.TAPE_ECLOCK else None
        cause = None if clock is None else clock.take_failure()
        if cause is None:
            self._fail(code)
        if not isinstance(cause, Exception):
            raise cause  # Ctrl-C
        raise error_of(code) from cause

    @property
    def last_index(self) -> int | None:
        """The index of the last message this appender wrote; ``None`` before the first."""
        if self._closed_by is not None:
            self._fail(lib.TAPE_ECLOSED)
        index = int(lib.tape_appender_last_index(self._handle))
        return None if index == lib.TAPE_ENOINDEX else self._check(index)

    def info(self) -> AppenderInfo:
        """Facts about the appender."""
        from .info import AppenderInfo
        facts = ffi.new("tape_appender_info_t *")
        known = not self.closed and lib.tape_appender_info(self._handle, facts) == 0
        last = int(facts.last_index) if known and facts.last_index >= 0 else None
        return AppenderInfo(queue=self.queue.path, codec=self.codec.name, framing=self.framing,
                            last_index=last, durability=self.durability,
                            source_id=self.queue.source_id,
                            cycle=None if last is None else last >> self.queue.roll_cycle.shift,
                            messages=int(facts.messages), bytes=int(facts.bytes),
                            closed=self.closed)

    def sync(self) -> None:
        """Waits until all that this appender wrote is on disk.

        Raises: :class:`tape.SyncFailed`, :class:`tape.QueueClosed`, :class:`tape.Forked`,
            :class:`tape.StorageError`.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     a = q.appender()
        ...     indexes = [a.write(n) for n in range(1000)]
        ...     a.sync()
        """
        code = lib.tape_appender_sync(self._handle)
        if code < 0:
            self._fail_to_write(code)

    def close(self) -> None:
        """Closes the appender; the queue stays open.

        Raises: :class:`tape.StateError` in the block of :meth:`writing`; :class:`tape.SyncFailed`
            when what it wrote in intervals may not be on disk, unless it told that before; then it
            is closed.
        """
        self._check_no_place()
        handle = self._mark_closed("Appender.close()")
        if handle is not None and self.durability != "os" and not self._told:
            code = lib.tape_appender_sync(handle)
            if code == lib.TAPE_ESYNC:
                raise error_of(code)

    def _check_no_place(self) -> None:
        if self._places:
            raise being_made(self.queue.path)

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return (f"Appender({self.queue.path!r}, codec={self.codec.name}, "
                f"durability={self.durability}, {state})")


def being_made(path: str) -> StateError:
    """Of a call that would wait for the lock which a ``with`` block of this process holds."""
    return StateError(f"{path}: a message is being made in place by writing()",
                      hint="leave the with block of writing() first, in whichever thread it is")


def _index(expect: Any) -> int:
    if type(expect) is not int or not 0 <= expect < _INT64:
        raise InvalidArgument(f"expect={expect!r}", hint="the index of a message, or None")
    return expect


def _view(codec: Codec[Any], data: Any) -> memoryview:
    try:
        view = memoryview(data)
    except TypeError:
        raise EncodeError(f"codec {codec.name!r} encoded it as {type(data).__name__}",
                          hint="encode() must return bytes") from None
    return view if view.c_contiguous else memoryview(view.tobytes())


def _bytes(codec: Codec[Any], data: Any) -> bytes:
    """A copy: a codec may use its buffer again for the next message."""
    return data if type(data) is bytes else _view(codec, data).tobytes()


def _span(codec: Codec[Any], data: Any) -> tuple[Any, int]:
    """Pointer and size for C."""
    if type(data) is bytes:
        return data, len(data)
    view = _view(codec, data)
    return ffi.from_buffer(view), view.nbytes


adopt(Appender)
