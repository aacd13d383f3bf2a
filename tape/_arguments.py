"""Arguments of tailers and queues, checked."""

from __future__ import annotations

import sys
import time
from _thread import get_ident

from .errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from typing import Any

__all__ = ["deadline_of", "main_thread_id", "ms_of", "name_of", "not_negative", "poll_ns"]


def deadline_of(timeout: float | None) -> float | None:
    """When a wait of so many seconds is over."""
    if timeout is None:
        return None
    if not timeout >= 0:
        raise InvalidArgument("timeout is negative", hint="seconds, 0 for no waiting, or None")
    return time.monotonic() + timeout


def main_thread_id() -> int:
    """The thread that hears signals; the calling one as long as nobody made others."""
    threading = sys.modules.get("threading")
    return get_ident() if threading is None else int(threading.main_thread().ident or 0)


def ms_of(time_: datetime.datetime) -> int:
    """Milliseconds since 1970, rounded down, as a clock shows them."""
    if time_.tzinfo is None:
        raise InvalidArgument("a datetime without time zone",
                              hint="give it one: datetime.now(timezone.utc), or .astimezone() "
                                   "for that of the machine")
    import datetime
    since = time_ - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return since // datetime.timedelta(milliseconds=1)


def poll_ns(seconds: float) -> int:
    """A poll interval as C takes it; 0 is as short as C makes it."""
    if not 0 <= seconds <= 3600:
        raise InvalidArgument("poll_interval is out of range", hint="0 to 3600 seconds")
    return max(int(seconds * 1e9), 1)


def not_negative(count: int) -> int:
    """A number of messages."""
    if count < 0:
        raise InvalidArgument(f"{count} messages", hint="a number that is not negative")
    return count


def name_of(id: Any) -> bytes:  # noqa: A002
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
