"""What both sides of a test can compute, so that it need not be sent."""

from __future__ import annotations

import os
import struct
from pathlib import Path


def payload(seed: int, n: int, size: int) -> bytes:
    """The payload of message ``n`` of :meth:`JvmAppender.append_many`: the little-endian
    32-bit words n and seed, repeated and cut to size.

    >>> payload(7, 1, 10).hex()
    '01000000070000000100'
    """
    word = struct.pack("<II", n & 0xFFFFFFFF, seed & 0xFFFFFFFF)
    return (word * (size // 8 + 1))[:size]


def live_padding_length(n: int, low: int, high: int) -> int:
    """Length of the padding in message ``n`` of a live writer."""
    return low + n * 7919 % (high - low + 1)


def live_padding(n: int, length: int) -> str:
    """Padding of message ``n`` of a live writer, which is the value ``[id, n, padding]``.

    A :class:`LiveTailer` counts messages whose padding is anything else as bad, so other
    writers of a live run must pad in the same way; the length is theirs to choose.

    >>> live_padding(27, 4)
    'bbbb'
    """
    return chr(ord("a") + n % 26) * length


def read_records(path: str | os.PathLike[str]) -> list[tuple[int, int, int]]:
    """What a :class:`LiveTailer` recorded: index, id and n of each message, in the order in
    which it saw them; id is -1 for a message that is not whole."""
    return list(struct.iter_unpack("<qii", Path(path).read_bytes()))
