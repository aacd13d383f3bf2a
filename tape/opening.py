"""Opening a queue: what is wished, checked and handed to C."""

from __future__ import annotations

import os
import warnings

from . import codecs
from ._durability import fill, warn_if_reduced
from ._ffi import ffi, lib, made
from ._framing import framing_of
from .errors import (InvalidArgument, QueueBusy, QueueNotFound, ReadOnlyQueue,
                     RollCycleMismatch, TailerBusy)
from .queue import Queue
from .roll_cycles import RollCycle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, overload

    from typing_extensions import Unpack

    from ._protocols import Clock
    from ._types import OpenOptions, U
    from .codecs import Codec
    from .tasks import Task

__all__ = ["open"]


class _Fressian:
    """Stands for the default codec, which is not loaded before a queue is opened with it."""

    def __repr__(self) -> str:
        return "tape.codecs.fressian"


_FRESSIAN: Any = _Fressian()
EPOCH_MAX = 315_569_520_000_000  # 10000 years, as in C


def _seconds_to_ns(value: float | None, name: str, forever: int) -> int:
    """For C, where 0 means "the default": no waiting at all becomes one nanosecond."""
    if value is None or value == float("inf"):
        return forever
    if not value >= 0:
        raise InvalidArgument(f"{name} is negative", hint="seconds, or None for ever")
    return max(1, int(value * 1e9))


def _flags(create: bool, read_only: bool, strict: bool, unsafe_filesystem: bool) -> int:
    flags = 0 if create else lib.TAPE_OPEN_EXISTING
    flags |= lib.TAPE_READ_ONLY if read_only else 0
    flags |= lib.TAPE_STRICT if strict else 0
    flags |= lib.TAPE_UNSAFE_FILESYSTEM if unsafe_filesystem else 0
    return int(flags)


def _warn_of_mismatch(q: Queue, mismatch: int) -> None:
    names = [(lib.TAPE_MISMATCH_ROLL_CYCLE, f"roll cycle {q.roll_cycle.name}"),
             (lib.TAPE_MISMATCH_EPOCH, f"epoch {q.epoch} ms"),
             (lib.TAPE_MISMATCH_SOURCE_ID, f"source id {q.source_id}")]
    stored = ", ".join(name for bit, name in names if mismatch & bit)
    warnings.warn(RollCycleMismatch(f"{q.path} has {stored}; the stored settings are used",
                                    hint="leave the option out, or pass strict=True"),
                  stacklevel=3)


def _in_range(name: str, value: int | None, least: int, most: int) -> int:
    """The value for C, where 0 is the default."""
    if value is None:
        return 0
    if not least <= value <= most:
        raise InvalidArgument(f"{name}={value} is out of range", hint=f"{least} to {most}")
    return value


def _tasks(on_acquired: Any, on_released: Any, read_only: bool) -> Any:
    """The cycle tasks, checked; ``None`` when there are none."""
    if on_acquired == () == on_released:
        return None
    from .tasks import checked
    tasks = checked(on_acquired, "on_acquired"), checked(on_released, "on_released")
    if read_only and any(tasks):
        raise InvalidArgument("cycle tasks for a queue that is opened read-only",
                              hint="they run where the queue is open for writing")
    return tasks if any(tasks) else None


if TYPE_CHECKING:
    @overload
    def open(path: str | os.PathLike[str], **options: Unpack[OpenOptions]) -> Queue[Any]: ...

    @overload
    def open(path: str | os.PathLike[str], *, codec: Codec[U],
             **options: Unpack[OpenOptions]) -> Queue[U]: ...


def open(path: str | os.PathLike[str], *,  # noqa: A001
         roll_cycle: str | RollCycle | None = None, codec: Codec[Any] = _FRESSIAN,
         create: bool = True, read_only: bool = False, epoch: int | None = None,
         source_id: int | None = None, block_size: int | None = None, durability: str = "os",
         lock_timeout: float | None = 10.0, stale_after: float | None = 2.0,
         clock: Clock | None = None, on_acquired: Iterable[Task] | Task = (),
         on_released: Iterable[Task] | Task = (), unsafe_filesystem: bool = False,
         strict: bool = False, into_existing: bool = False,
         slow_append: float | None = 0.1) -> Queue[Any]:
    """Opens the queue directory ``path``, creating it when there is none.

    Args:
        path: the directory; parents are created with it.
        roll_cycle: a name in any spelling; by default what the queue has, else FAST_DAILY. When
            the queue has another one, that is used and :class:`tape.RollCycleMismatch` is warned.
        codec: for messages, by default :mod:`tape.codecs.fressian`; appenders and tailers may
            have another. When the queue was made with another one :class:`tape.CodecMismatch` is
            warned.
        create: ``False``: :class:`tape.QueueNotFound` when there is no queue.
        read_only: write no byte and make no file; also works without ``metadata.cq4t``.
        epoch: milliseconds by which cycles are shifted, up to 10000 years either way; a stored one
            wins, with a warning.
        source_id: 0 to 2**31-1; a stored one wins, with a warning.
        block_size: bytes by which files are mapped and enlarged, by default 64 MiB as in Java;
            a message may have a quarter of it. Every process may choose its own.
        durability: when a message is on disk. ``"os"``: it is in the page cache when ``write``
            returns, and survives the death of the process, not that of the machine.
            ``"interval:200ms"`` (1ms to 60min): it is synced at least that often. ``"each"``: it
            is on disk when ``write`` returns; threads that write at the same time share a sync.
            Appenders may have another. :class:`tape.DurabilityReduced` is warned where the file
            system cannot do it.
        lock_timeout: seconds to wait for a write lock whose holder lives; ``None``: for ever.
        stale_after: seconds for which a lock must stand still whose holder is not to be seen
            here, before it is broken; ``None``: never. A holder proven dead costs nothing.
        clock: an object with ``now_ms()``; by default the system's clock.
        on_acquired: tasks for when a newer cycle file is there: callables that take a
            :class:`tape.tasks.CycleEvent`. A thread of the queue runs them, once for all processes
            of the host; what they raise is logged by ``tape.tasks``.
        on_released: tasks for when the newest cycle file is so no longer: :mod:`tape.tasks` has
            ``Log`` and ``Delete``, and a :class:`tape.Keep` is one.
        unsafe_filesystem: accept network file systems (only for use from one host).
        strict: raise :class:`tape.RollCycleMismatch` and :class:`tape.CodecMismatch` instead of
            warning.
        into_existing: make a queue also in a directory that holds other files; without it that is
            :class:`tape.QueueNotFound`, so that a wrong path is not filled with files.
        slow_append: an append that is held up for so many seconds is logged by ``tape.append``,
            with what held it up: the lock and who has it, rolling, the disk; ``None``: none is.

    Returns: the open :class:`tape.Queue`.

    Raises: :class:`tape.QueueNotFound`, :class:`tape.UnsupportedQueue`,
        :class:`tape.CorruptQueue`, :class:`tape.AccessDenied`, :class:`tape.ReadOnlyQueue`,
        :class:`tape.UnsupportedFilesystem`, :class:`tape.InvalidArgument`,
        :class:`tape.DiskFull`, :class:`tape.StorageError`.

    >>> import tape, tempfile
    >>> with tape.open(tempfile.mkdtemp() + "/q", roll_cycle="hourly") as q:
    ...     q.roll_cycle
    RollCycle.HOURLY
    """
    if codec is _FRESSIAN:
        codec = codecs.fressian  # loaded now, if it was not before
    framing = framing_of(codec)
    watched = _tasks(on_acquired, on_released, read_only)
    options = ffi.new("tape_queue_options_t *")
    name = None if roll_cycle is None else RollCycle.parse(roll_cycle).name
    keep = ffi.NULL if name is None else ffi.new("char[]", name.encode())
    from . import _note
    from ._clock import ClockInC
    from ._unpack import UnpackerInC
    clock_in_c = None if clock is None else ClockInC(clock)
    unpacker = UnpackerInC()
    handles = ffi.new_handle(clock_in_c), ffi.new_handle(unpacker)
    options.struct_size = ffi.sizeof("tape_queue_options_t")
    fill(options, durability)
    options.flags = _flags(create, read_only, strict, unsafe_filesystem)
    options.flags |= 0 if epoch is None else lib.TAPE_EPOCH_GIVEN
    options.flags |= 0 if source_id is None else lib.TAPE_SOURCE_ID_GIVEN
    options.flags |= lib.TAPE_NEVER_BREAK if stale_after is None else 0
    options.roll_cycle = keep
    options.epoch_ms = _in_range("epoch", epoch, -EPOCH_MAX, EPOCH_MAX)
    options.source_id = _in_range("source_id", source_id, 0, (1 << 31) - 1)
    options.block_size = _in_range("block_size", block_size, 1, 1 << 40)
    options.lock_timeout_ns = _seconds_to_ns(lock_timeout, "lock_timeout", -1)
    options.stale_after_ns = _seconds_to_ns(stale_after, "stale_after", 0)
    if slow_append is not None:
        options.slow_append = ffi.addressof(lib, "tape_keep_slow_append")
        options.slow_append_ns = _seconds_to_ns(slow_append, "slow_append", 1 << 62)
    if clock is not None:
        options.clock = lib.tape_python_clock
        options.clock_user = handles[0]
    options.interrupted = lib.tape_python_interrupted
    options.unpack = lib.tape_python_unpack
    options.unpack_user = handles[1]
    name_of_directory = os.fsencode(path)
    if b"\0" in name_of_directory:
        raise InvalidArgument("a path with NUL", hint="no file has such a name")
    directory = os.fsdecode(name_of_directory)
    new = create and not read_only and _note.is_empty(directory, into_existing)
    if not new:
        _note.check(directory, codec, framing, strict)
    try:
        handle = made("queue", lib.tape_queue_open, name_of_directory, options)
    except QueueNotFound as error:
        if create and os.path.islink(path):
            error.hint = "the link leads nowhere: remove it, or make what it leads to"
        raise
    except ReadOnlyQueue as error:
        if not read_only:
            error.hint = "pass read_only=True, or open it as a user who may write there"
        raise
    except TailerBusy as error:  # the code's usual class
        raise QueueBusy(error.message, file=error.file,
                        hint="wait until `tape repair` has ended, or open it to read") from None
    q = Queue(handle, codec, clock_in_c, unpacker, handles, durability)
    if new:
        _note.note(directory, codec, framing)
    info = q._info()
    if info.mismatch:
        _warn_of_mismatch(q, info.mismatch)
    if not read_only:
        warn_if_reduced(q.path, durability, bool(info.in_memory))
    if watched:
        from .tasks import Watch
        q._watch = Watch(q, *watched)
    return q
