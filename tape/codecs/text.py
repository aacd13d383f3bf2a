"""The text codec: what Java's ``writeText`` writes and ``readText`` reads.

>>> decode(memoryview(encode("hällo")))
'hällo'
>>> encode("hi").hex(), encode(None).hex()
('e26869', 'bb')
"""

from __future__ import annotations

from ..errors import EncodeError
from ._binary_wire import NULL, STRING, STRING0, Reader, write_text

name = "text"
framing = "document"


def encode(obj: str | None) -> bytes:
    """One string value; raises :class:`tape.EncodeError` unless it is ``str`` or ``None``."""
    if obj is None:
        return bytes([NULL])
    if isinstance(obj, str):
        return write_text(obj)
    raise EncodeError(f"the text codec takes str or None, not {type(obj).__name__}",
                      hint="the wire codec takes more")


def decode(view: memoryview) -> str | None:
    """The text, or ``None`` for Java's null; :class:`tape.DecodeError` for all else."""
    reader, end = Reader(view), len(view)
    start = reader.skip_padding(0, end)
    code = reader.code(start, end)
    if code not in (NULL, STRING) and code < STRING0:
        raise reader.fail("the document is no text: another kind of value stands", start)
    value, stop = reader.value(start, end)
    stop = reader.skip_padding(stop, end)
    if stop != end:
        raise reader.fail("the document is no text: something follows it", stop)
    return None if value is None else str(value)
