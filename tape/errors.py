"""The errors of tape: one class for each code of ``tape.h``.

This module imports nothing of tape, so that codecs may raise :class:`EncodeError` and
:class:`DecodeError` without knowing of queues. Texts and hints live in C beside the codes;
``tape._ffi`` maps each code to the class whose ``code`` names it.
"""

from __future__ import annotations

import sys

try:
    from _queue import Empty as _Empty  # what queue.Empty is, without what else queue imports
except ImportError:
    from queue import Empty as _Empty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

__all__ = [
    "AccessDenied", "AppendsDisabled", "ClockError", "ClockWentBack", "CodecMismatch",
    "Conflict", "CorruptQueue", "CycleFull", "DecodeError", "DiskFull", "DurabilityReduced",
    "Empty", "EncodeError", "Error", "Forked", "Gap", "IndexNotFound", "InvalidArgument",
    "LockLost", "LockTimeout", "MessageTooLarge", "OutOfMemory", "QueueBusy", "QueueClosed",
    "QueueNotFound", "ReadFailed", "ReadOnlyQueue", "RollCycleMismatch", "StateError",
    "StorageError", "SyncFailed", "TailerBusy", "UnsupportedFilesystem", "UnsupportedQueue",
    "WouldBlock", "WriteFailed",
]


class Error(Exception):
    """Base of all errors of tape.

    Attributes:
        hint: what to do about it, one sentence; empty when there is nothing to say.
        file: path of the file concerned, or ``None``.
        position: byte offset in that file, or ``None``.
        index: index of the message concerned, or ``None``.
        written: of ``write_many``: the indexes of those messages that were written before.

    >>> try:
    ...     raise QueueNotFound("no queue here", file="orders", hint="create it")
    ... except Error as e:
    ...     e.file, e.hint
    ('orders', 'create it')
    """

    code: ClassVar[str] = "TAPE_EINTERNAL"

    hint: str
    file: str | None
    position: int | None
    index: int | None
    written: range

    def __init__(self, message: str = "", *, hint: str = "", file: str | None = None,
                 position: int | None = None, index: int | None = None,
                 errno: int | None = None) -> None:
        if isinstance(self, OSError) and errno is not None:
            super().__init__(errno, message)
            setattr(self, "filename", file)  # noqa: B010  (OSError's own attribute)
        else:
            super().__init__(message)
        self.message = message
        self.hint = hint
        self.file = file
        self.position = position
        self.index = index
        self.written = range(0)

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), dict(self.__dict__), getattr(self, "errno", None)))


def _rebuild(cls: type[Error], state: dict[str, Any], errno: int | None) -> Error:
    error = cls(state["message"], errno=errno, file=state["file"])
    error.__dict__.update(state)
    return error


class InvalidArgument(Error, ValueError):
    """An argument is out of its range."""

    code = "TAPE_EINVAL"


class OutOfMemory(Error, MemoryError):
    """The operating system gave no memory."""

    code = "TAPE_ENOMEM"


class QueueClosed(Error, ValueError):
    """The queue, appender or tailer was closed; the message says by what and when.

    Where Python has them (3.13), an instance is also a ``queue.ShutDown`` and an
    ``asyncio.QueueShutDown``, as far as somebody has imported these modules, and so can catch them.

    >>> import asyncio, queue
    >>> isinstance(QueueClosed(), getattr(queue, "ShutDown", ValueError))
    True
    """

    code = "TAPE_ECLOSED"

    def __new__(cls, *arguments: Any, **more: Any) -> QueueClosed:
        others = _shutdowns() if cls is QueueClosed else ()
        return super().__new__(_closed_class(others) if others else cls)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (QueueClosed, dict(self.__dict__), None))


def _shutdowns() -> tuple[type[Exception], ...]:
    """The classes of others that say the same, of modules that were imported."""
    found = (getattr(sys.modules.get(module), name, None)
             for module, name in (("queue", "ShutDown"), ("asyncio", "QueueShutDown")))
    return tuple(cls for cls in found if cls is not None)


_CLOSED: dict[tuple[type[Exception], ...], type[QueueClosed]] = {}


def _closed_class(others: tuple[type[Exception], ...]) -> type[QueueClosed]:
    if others not in _CLOSED:
        _CLOSED[others] = type("QueueClosed", (QueueClosed, *others),
                               {"__module__": __name__, "__doc__": QueueClosed.__doc__})
    return _CLOSED[others]


class QueueNotFound(Error, FileNotFoundError):
    """There is no queue at the path, and it was not to be created."""

    code = "TAPE_ENOTFOUND"


class ReadOnlyQueue(Error, PermissionError):
    """Something that writes was asked of a queue that can only be read."""

    code = "TAPE_EREADONLY"


class AccessDenied(Error, PermissionError):
    """The operating system refuses access to a file of the queue."""

    code = "TAPE_EACCES"


class UnsupportedQueue(Error):
    """Not a Chronicle Queue 5 that tape can use: another version, wire type or roll cycle."""

    code = "TAPE_EUNSUPPORTED"


class UnsupportedFilesystem(Error, OSError):
    """The file system cannot share memory between processes safely."""

    code = "TAPE_EFILESYSTEM"


class CorruptQueue(Error):
    """Bytes that no writer of this format makes; ``file`` and ``position`` say where."""

    code = "TAPE_ECORRUPT"


class StorageError(Error, OSError):
    """A system call failed for another reason than those with a class of their own."""

    code = "TAPE_EIO"


class SyncFailed(Error, OSError):
    """A sync failed: what was written since the last one may not be on disk.

    With an ``index``, the message with that index is in the queue, and readers may have seen it,
    but it is not acknowledged. Without one nothing was written, because a sync had failed before:
    the operating system tells an error once, and a later success says nothing about what it
    forgot. So it is, for all appenders of the process that sync, until the queue is closed.
    """

    code = "TAPE_ESYNC"


class StateError(Error, RuntimeError):
    """A call that makes no sense now, such as writing inside ``writing()``."""

    code = "TAPE_ESTATE"


class WriteFailed(Error):
    """Base of what can go wrong with one message to be written; nothing was written."""

    code = "TAPE_EWRITE"


class AppendsDisabled(WriteFailed):
    """``chronicle.append.lock`` is held: a replication sink wants no other appends."""

    code = "TAPE_EAPPENDLOCK"


class LockLost(WriteFailed):
    """Our write lock was broken while we held it; the message was not written."""

    code = "TAPE_ETAKEN"


class ClockError(WriteFailed):
    """The newest cycle is finished and the clock does not leave it, or gives no time."""

    code = "TAPE_ECLOCK"


class EncodeError(WriteFailed, ValueError):
    """The codec cannot encode the value.

    Attributes:
        path: where in the value it stands, like ``$.orders[3].price``; empty when unknown.
    """

    code = "TAPE_EENCODE"

    def __init__(self, message: str = "", *, path: str = "", **more: Any) -> None:
        super().__init__(message, **more)
        self.path = path


class MessageTooLarge(WriteFailed, ValueError):
    """The message is larger than Java's writers and readers of this queue can handle."""

    code = "TAPE_ETOOBIG"


class DiskFull(WriteFailed, OSError):
    """The file system has no room for the message; nothing of it was written."""

    code = "TAPE_ENOSPC"


class Conflict(WriteFailed):
    """The message would have got another index than ``expect``: somebody else wrote.

    Nothing was written. ``index`` is the one that it would have had.
    """

    code = "TAPE_ECONFLICT"


class WouldBlock(WriteFailed):
    """It would have to wait. :meth:`Appender.try_write` gives ``None`` instead."""

    code = "TAPE_EAGAIN"


class CycleFull(WriteFailed):
    """The cycle holds as many messages as its index can number."""

    code = "TAPE_ECYCLEFULL"


class ReadFailed(Error):
    """Base of what can go wrong with reading one message."""

    code = "TAPE_EREAD"


class DecodeError(ReadFailed, ValueError):
    """The codec cannot decode the message.

    Attributes:
        raw: the undecodable bytes, or ``None`` when raised by a codec used on its own.
        offset: byte offset in ``raw`` where decoding failed, or ``None``.
    """

    code = "TAPE_EDECODE"

    def __init__(self, message: str = "", *, raw: bytes | None = None,
                 offset: int | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.raw = raw
        self.offset = offset


class Gap(ReadFailed):
    """Messages from ``from_index`` up to, not including, ``to_index`` are gone: files were deleted,
    or a power cut left zeros in the midst of one (then there may be none among them).

    When the file was made again, ``to_index`` is its first index, below ``from_index``; when it
    lost its end, by a power cut or an older copy put back, the index behind what is left.
    """

    code = "TAPE_EGAP"

    def __init__(self, message: str = "", *, from_index: int | None = None,
                 to_index: int | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.from_index = from_index
        self.to_index = to_index


class Empty(Error, _Empty):
    """Nothing came within the time-out."""

    code = "TAPE_EEMPTY"


class IndexNotFound(Error, LookupError):
    """There is no message with that index."""

    code = "TAPE_ENOINDEX"


class LockTimeout(Error, TimeoutError):
    """Another live process held the write lock for longer than ``lock_timeout``.

    Attributes:
        holder_pid: process id found in the lock word, 0 when unknown.
        holder_alive: whether a process with that id exists here.
        held_for: seconds for which the lock word did not change.
    """

    code = "TAPE_ELOCKED"

    def __init__(self, message: str = "", *, holder_pid: int = 0, holder_alive: bool = True,
                 held_for: float = 0.0, **more: Any) -> None:
        super().__init__(message, **more)
        self.holder_pid = holder_pid
        self.holder_alive = holder_alive
        self.held_for = held_for


class TailerBusy(Error, RuntimeError):
    """A tailer was used by two threads at once, or a named one has another live holder."""

    code = "TAPE_EBUSY"


class Forked(Error, RuntimeError):
    """The object was made before ``fork()``; open the queue again in the child."""

    code = "TAPE_EFORKED"


class QueueBusy(Error, TimeoutError):
    """Another process did not finish creating the queue in time."""

    code = "TAPE_ETIMEOUT"


class RollCycleMismatch(Error, UserWarning):
    """The queue has other settings than asked for; the stored ones were taken.

    A warning; raised as an error with ``strict=True``.
    """

    code = "TAPE_EMISMATCH"


class CodecMismatch(Error, UserWarning):
    """The queue was made with another codec than the one that it is opened with.

    Its messages may be other values for this codec, or none. A warning; raised as an error with
    ``strict=True``. The note is beside the queue, in ``tape.codec``; queues that Java, Clojure or C
    made have none.
    """


class ClockWentBack(UserWarning):
    """The clock shows an older cycle than the newest; messages go to the newest."""


class DurabilityReduced(UserWarning):
    """The file system cannot give the durability that was asked for."""
