"""Appender: writes messages to a queue."""

from __future__ import annotations

from ._ffi import check, error_of, ffi, lib
from ._framing import FRAMINGS, framing_of, is_raw
from ._handle import Owner
from ._lanes import AppenderLane, adopt, fressian
from ._signals import take_interrupt
from .errors import EncodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from .aio import Sink
    from .codecs import Codec
    from .info import AppenderInfo
    from .queue import Queue

__all__ = ["Appender"]

_write = lib.tape_appender_write


class Appender(AppenderLane, Owner):
    """Writes messages; made by :meth:`tape.Queue.appender`.

    Any thread may use it; writes are serialised in C. A failed write leaves no trace in the file.

    Attributes: ``queue``; ``codec``, of its messages; ``framing``: how their bytes stand in a
    document, ``"bytes"`` in the frame of Clojure's tape, ``"document"`` as they are.
    """

    __slots__ = ("__weakref__", "_closed_by", "_encode", "codec", "framing", "queue")

    KIND = "Appender"

    codec: Codec[Any]
    queue: Queue

    def __init__(self, queue: Queue, codec: Codec[Any]) -> None:
        self._closed_by = None
        self.queue = queue
        self.codec = codec
        self.framing = framing_of(codec)
        self._encode = codec.encode
        self._watch = True  # the clock, at each message; else at every 1024th
        options = ffi.new("tape_appender_options_t *")
        options.struct_size = ffi.sizeof("tape_appender_options_t")
        options.framing = FRAMINGS[self.framing]
        out = ffi.new("tape_appender_t **")
        handle = queue._open_handle()
        check(lib.tape_appender_open(handle, options, out))
        self._handle = ffi.gc(out[0], lib.tape_appender_close)
        fressian()
        self._arm(codec, self._encode, is_raw(self._encode))

    def write(self, obj: Any) -> int:
        """Appends one message.

        When it returns, every tailer in every process sees the message, and it survives the death
        of this process (not of the machine: ``durability="os"``).

        Args:
            obj: what the codec can encode.

        Returns: the index, a plain ``int``, equal to what Java prints; ``queue.locate(index)``
            explains it. After an interrupt (Ctrl-C) :attr:`last_index` tells whether the message
            was written. :class:`tape.ClockWentBack` is warned, once, when the clock is behind.

        Raises: :class:`tape.EncodeError`, :class:`tape.MessageTooLarge`, :class:`tape.DiskFull`,
            :class:`tape.LockTimeout`, :class:`tape.CycleFull`, :class:`tape.QueueClosed`,
            :class:`tape.Forked`, :class:`tape.CorruptQueue`, and the other ``WriteFailed``.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     a = q.appender()
        ...     a.write({"foo": ["bar", {"baz": 0}]}) == a.last_index
        True
        """
        data = self._encode(obj)
        if type(data) is bytes:
            index = _write(self._handle, data, len(data))
        else:
            return self._write_view(data)
        if index < 0:
            self._fail_to_write(index)
        if self._watch or not index & 1023:
            self._look_at_clock(4)
        return index

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
        try:
            view = memoryview(data)
        except TypeError:
            raise EncodeError(f"codec {self.codec.name!r} encoded it as {type(data).__name__}",
                              hint="encode() must return bytes") from None
        index = int(_write(self._handle, ffi.from_buffer(view), view.nbytes))
        if index < 0:
            self._fail_to_write(index)
        if self._watch or not index & 1023:
            self._look_at_clock(4)
        return index

    def _look_at_clock(self, level: int = 3) -> None:
        """After some writes, and after each while it is going wrong. ``level``: of the caller."""
        self._watch = self.queue._warn_of_clock(level)

    def _fail_to_write(self, code: int) -> NoReturn:
        """What a signal handler raised while C waited for the lock comes out as it is; a clock that
        raised is the cause of C's word that it gave no time."""
        if code == lib.TAPE_ELOCKED and (interrupt := take_interrupt()) is not None:
            raise interrupt
        cause = self.queue._take_clock_failure() if code == lib.TAPE_ECLOCK else None
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
                            last_index=last, durability="os", source_id=self.queue.source_id,
                            cycle=None if last is None else last >> self.queue.roll_cycle.shift,
                            messages=int(facts.messages), bytes=int(facts.bytes),
                            closed=self.closed)

    def close(self) -> None:
        """Closes the appender; the queue stays open."""
        self._mark_closed("Appender.close()")

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"Appender({self.queue.path!r}, codec={self.codec.name}, {state})"


adopt(Appender)
