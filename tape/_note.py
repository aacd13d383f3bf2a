"""Who made a queue notes its codec beside it, so that who opens it with another one is warned.

    tape.codec     the framing, a newline, the codec's name. Made once, by who makes the queue;
                   never Java's. Losing it loses no message: then nobody is warned

A message that one codec wrote may be a value for another one, too: JSON's 1 is 49 in Fressian.
"""

from __future__ import annotations

import os
import warnings

from ._ffi import ffi, lib
from .errors import CodecMismatch, QueueNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["NAME", "check", "is_empty", "note"]

NAME = "tape.codec"
_TABLE = "metadata.cq4t"
_LONGEST = 1024  # bytes
_OURS = (".cq4", ".cq4t", ".gz", ".zst", ".discard", ".tmp", ".precreated")


def is_empty(path: str | os.PathLike[str], may_hold_others: bool) -> bool:
    """Whether there is no queue yet, and one may be made there.

    Raises: :class:`tape.QueueNotFound` when there is none, and files of others are.
    """
    if os.path.exists(os.path.join(path, _TABLE)):
        return False
    try:
        with os.scandir(path) as entries:
            names = [entry.name for entry in entries]
    except OSError:
        return True  # not there, or no directory: C says what is wrong with it
    if any(name.endswith(_OURS) for name in names):
        return False  # what is left of one
    others = [name for name in names if not name.startswith("tape.") and name != "lost+found"]
    if others and not may_hold_others:
        raise QueueNotFound(f"{os.fspath(path)} holds no queue, and other files are there "
                            f"({min(others)!r})", file=os.fspath(path),
                            hint="name a directory of its own, or pass into_existing=True")
    return True


def note(path: str | os.PathLike[str], codec: Any, framing: str) -> None:
    """Notes the codec of a queue that was just made. Who makes it at the same moment may be first;
    where no file can be made there is no note."""
    text = f"{framing}\n{codec.name}".encode("utf-8", "replace")[:_LONGEST]
    try:
        with open(os.path.join(path, NAME), "xb", 0) as file:
            file.write(text)
    except OSError:
        return


def noted(path: str | os.PathLike[str]) -> tuple[str, str] | None:
    """Framing and name of the codec that a queue was made with; ``None``: nobody noted it."""
    place = ffi.gc(ffi.new("int *", -1), lib.tape_end_descriptor)  # an interrupt leaves none open
    if lib.tape_open_to_read(os.fsencode(os.path.join(path, NAME)), place) < 0:
        return None
    try:
        text = os.read(place[0], _LONGEST)
    except OSError:
        return None
    finally:
        lib.tape_end_descriptor(place)
    framing, _, name = text.decode("utf-8", "replace").partition("\n")
    return (framing, name) if framing in ("bytes", "document") and name else None


def made_with(path: str) -> str | None:
    """See :attr:`tape.Queue.made_with`."""
    return (noted(path) or (None, None))[1]


def check(path: str | os.PathLike[str], codec: Any, framing: str, strict: bool) -> None:
    """Warns, or raises, :class:`tape.CodecMismatch` when the queue was made with another codec."""
    found = noted(path)
    mine = f"{framing}\n{codec.name}".encode("utf-8", "replace")[:_LONGEST]
    if found is None or "\n".join(found).encode("utf-8", "replace")[:_LONGEST] == mine:
        return
    was, name = found
    mismatch = CodecMismatch(
        f"{os.fspath(path)} was made with codec {name!r} (framing {was!r}), and is opened with "
        f"{codec.name!r} ({framing!r})", file=os.fspath(path),
        hint=f"pass codec={name}, or give single tailers and appenders another codec")
    if strict:
        raise mismatch
    warnings.warn(mismatch, stacklevel=3)
