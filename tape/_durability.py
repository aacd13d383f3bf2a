"""What ``durability=`` asks for, and where a file system cannot give it."""

from __future__ import annotations

from ._ffi import lib
from .errors import DurabilityReduced, InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Synced", "fill", "warn_if_reduced"]

_UNITS = {"ms": 1_000_000, "s": 1_000_000_000, "min": 60_000_000_000}
_HINT = '"os", "each", or "interval:" and a time from 1ms to 60min, as "interval:200ms"'
# Of a mount, by which syncing comes back before the disk has it: ext4's, XFS's, overlayfs's.
_LOSING = {"nobarrier", "barrier=0", "volatile", "fsync=volatile"}


def _interval_ns(text: str) -> int:
    """Nanoseconds of ``"200ms"``; 0 for what is no time, or is out of range."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = _UNITS.get(text[len(number):], 0)
    try:
        ns = int(float(number) * unit)
    except (ValueError, OverflowError):
        return 0
    return ns if 1_000_000 <= ns <= 3_600_000_000_000 else 0


def fill(options: Any, durability: str) -> None:
    """Sets the fields of C's options that say it.

    Raises: :class:`tape.InvalidArgument`.
    """
    kind, colon, time = durability.partition(":") if isinstance(durability, str) else ("", "", "")
    ns = _interval_ns(time) if kind == "interval" else 0
    if ns:
        options.durability, options.sync_interval_ns = lib.TAPE_DURABILITY_INTERVAL, ns
    elif kind in ("os", "each") and not colon:
        options.durability = (lib.TAPE_DURABILITY_EACH if kind == "each"
                              else lib.TAPE_DURABILITY_OS)
    else:
        raise InvalidArgument(f"durability={durability!r}", hint=_HINT)


def _losing_option(path: str) -> str | None:
    """The option of the mount at ``path`` that takes the promise away; ``None`` also when
    unknown."""
    import os
    try:
        device = os.stat(path).st_dev
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            for line in mounts:
                place, _, kind = line.partition(" - ")
                words = place.split()
                if words[2] == f"{os.major(device)}:{os.minor(device)}":
                    options = {*words[5].split(","), *kind.split()[2].split(",")}
                    return next(iter(sorted(options & _LOSING)), None)
    except (OSError, IndexError):
        pass
    return None


def warn_if_reduced(path: str, durability: str, in_memory: bool) -> None:
    """:class:`tape.DurabilityReduced`, where what is synced does not survive a power cut."""
    if durability == "os":
        return
    what = None
    if in_memory:
        what = "the file system has no disk (tmpfs): nothing on it survives the machine"
    elif (option := _losing_option(path)) is not None:
        what = f"the file system is mounted with {option}: a sync may return before the disk has it"
    if what is not None:
        import warnings
        warnings.warn(DurabilityReduced(f"{path}: durability={durability!r}, and {what}"),
                      stacklevel=3)


class Synced:
    """What a queue does about it."""

    __slots__ = ()

    durability: str
    _check: Callable[[int], int]
    _handle: Any

    def sync(self) -> None:
        """Waits until the queue is on disk: it then survives a power cut.

        All messages that stand in it at the call, whoever wrote them, from the cycle on that was
        the newest when this queue was opened, and stored positions. Also for queues opened
        read-only, by those who act on what they have read.

        Raises: :class:`tape.SyncFailed`, :class:`tape.QueueClosed`, :class:`tape.Forked`,
            :class:`tape.StorageError`.

        >>> import tape, tempfile
        >>> with tape.open(tempfile.mkdtemp()) as q:
        ...     i = q.appender().write("a")
        ...     q.sync()
        """
        self._check(lib.tape_queue_sync(self._handle))
