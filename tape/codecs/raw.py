"""The raw codec: bytes in, bytes out, in the frame that Clojure's tape uses.

>>> decode(memoryview(encode(b"abc")))
b'abc'
"""

from __future__ import annotations

from ..errors import EncodeError

name = "raw"
framing = "bytes"


def encode(obj: bytes | bytearray | memoryview) -> bytes | bytearray | memoryview:
    """Gives ``obj`` back; raises :class:`tape.EncodeError` unless it is bytes-like."""
    if isinstance(obj, (bytes, bytearray, memoryview)):
        return obj
    raise EncodeError(f"the raw codec takes bytes, not {type(obj).__name__}",
                      hint="encode it yourself, or give the queue another codec")


def decode(view: memoryview) -> bytes:
    """A copy of the bytes, which the caller may keep."""
    return bytes(view)
