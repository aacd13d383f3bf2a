"""The word in front of every document (format.md 2)."""

from __future__ import annotations

import enum

NOT_COMPLETE = 0x8000_0000
META_DATA = 0x4000_0000
LENGTH_MASK = 0x3FFF_FFFF
END_OF_DATA = 0xC000_0000
HEADER_SIZE = 4


class Kind(enum.Enum):
    """What a header word says (format.md 2.1)."""

    FREE = "free"
    DATA = "data"
    METADATA = "metadata"
    RESERVED = "reserved"
    END_OF_DATA = "end of data"
    RESERVED_METADATA = "reserved metadata"


def kind(word: int) -> Kind:
    """Classifies a header word."""
    if word == 0:
        return Kind.FREE
    if word == END_OF_DATA:
        return Kind.END_OF_DATA
    if word & NOT_COMPLETE:
        return Kind.RESERVED_METADATA if word & META_DATA else Kind.RESERVED
    return Kind.METADATA if word & META_DATA else Kind.DATA


def is_complete(word: int) -> bool:
    """Whether a document with this word may be read."""
    return word != 0 and not word & NOT_COMPLETE


def length(word: int) -> int:
    """Bytes of the body."""
    return word & LENGTH_MASK


def align(position: int, unit: int) -> int:
    """The smallest multiple of ``unit`` that is not below ``position``."""
    return -(-position // unit) * unit


def next_position(position: int, word: int, aligned: bool) -> int:
    """Where the header word after this document lies (format.md 2.2)."""
    end = position + HEADER_SIZE + length(word)
    return align(end, 4) if aligned else end
