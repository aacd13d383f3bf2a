"""The document codec: the whole document as bytes, whatever it is.

Writes what Java's ``writeBytes`` writes, and reads every message of every queue.

>>> decode(memoryview(encode(b"abc")))
b'abc'
"""

from __future__ import annotations

from ..errors import EncodeError

name = "document"
framing = "document"

# Java's form of an empty document: one byte of padding, as no document can have the length 0.
_EMPTY = b"\x8f"


def encode(obj: bytes | bytearray | memoryview) -> bytes | bytearray | memoryview:
    """Gives ``obj`` back, or Java's form of no bytes; :class:`tape.EncodeError` for no bytes-like.

    >>> encode(b"")
    b'\\x8f'
    """
    if not isinstance(obj, (bytes, bytearray, memoryview)):
        raise EncodeError(f"the document codec takes bytes, not {type(obj).__name__}",
                          hint="encode it yourself, or give the appender another codec")
    return obj if memoryview(obj).nbytes else _EMPTY


def decode(view: memoryview) -> bytes:
    """A copy of the document, without its header word and padding."""
    return bytes(view)
