"""What only type checkers need: the classes are generic over what their codec encodes and decodes.

At run time nothing of ``typing`` is loaded: ``Queue[bytes]`` is a plain alias.
"""

from __future__ import annotations

__all__ = ["NOTHING", "Nothing", "Of", "T", "T_co", "T_contra"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Iterable
    from typing import Any, Generic as Of, TypedDict

    from typing_extensions import TypeVar

    from ._protocols import Clock
    from .errors import DecodeError, Gap
    from .roll_cycles import RollCycle
    from .tasks import Task

    T = TypeVar("T", default=Any)   # of the messages of a queue, which gives and takes them
    T_co = TypeVar("T_co", default=Any, covariant=True)       # of a tailer
    T_contra = TypeVar("T_contra", default=Any, contravariant=True)   # of an appender
    U = TypeVar("U")                # of another codec
    D = TypeVar("D")                # of what stands for "nothing"

    class OpenOptions(TypedDict, total=False):
        """The options of :func:`tape.open`, but for the codec."""

        roll_cycle: str | RollCycle | None
        create: bool
        read_only: bool
        epoch: int | None
        source_id: int | None
        block_size: int | None
        durability: str
        lock_timeout: float | None
        stale_after: float | None
        clock: Clock | None
        on_acquired: Iterable[Task] | Task
        on_released: Iterable[Task] | Task
        unsafe_filesystem: bool
        strict: bool
        into_existing: bool
        slow_append: float | None

    class TailerOptions(TypedDict, total=False):
        """The options of :meth:`tape.Queue.tailer`, but for the codec."""

        start: str | int | datetime.datetime | None
        direction: str
        commit: str
        poll_interval: float
        max_mapped: int | None
        steal: bool
        metadata: bool
        on_error: str | Callable[[DecodeError], Any]
        on_gap: str | Callable[[Gap], Any]

else:
    T = T_co = T_contra = None

    class Of:
        """A base that costs nothing; ``class Queue(Of[T])``, and later ``Queue[bytes]``."""

        __slots__ = ()

        def __class_getitem__(cls, item):
            return cls if cls is Of else type(list[int])(cls, item)


class Nothing:
    """The class of :data:`tape.NOTHING`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "tape.NOTHING"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        return "NOTHING"


#: For ``t.read(tape.NOTHING) is tape.NOTHING``: no message now. Any value of a codec is a message,
#: ``None`` among them.
NOTHING = Nothing()
Nothing.__module__ = "tape"
