"""Fressian, tape's default codec: what Clojure's data.fressian writes and reads, to the byte.

The module is a codec itself (``name``, ``framing``, :func:`encode`, :func:`decode`), for a queue
or without one:

>>> from tape.codecs import fressian
>>> from tape.codecs.fressian import kw
>>> fressian.dumps({kw.foo: [kw.bar, 1.5]}).hex()
'c0e6caf7cddd666f6fe6caf7cddd626172fa3ff8000000000000'
>>> fressian.loads(bytes.fromhex("c0e6caf7cddd666f6fe6caf7cddd62617200"))
{kw.foo: [kw.bar, 0]}

:class:`Fressian` makes codecs with options; docs/fressian.md has the tables of types.
"""

from __future__ import annotations

from ...errors import DecodeError, EncodeError
from ._codec import Fressian, have_speed
from .handlers import Handlers
from .types import (BigInt, BoolArray, Cached, Char, Float32, FrozenMap, Instant, Keyword,
                    ObjectArray, Record, Regex, Symbol, TaggedValue, URI, kw, sym)

TYPE_CHECKING = False       # as typing's; importing typing takes longer than the codec
if TYPE_CHECKING:
    from typing import Any

    from ._default_streams import Reader, Writer

__all__ = [
    "BigInt", "BoolArray", "Cached", "Char", "DecodeError", "EncodeError", "Float32", "Fressian",
    "FrozenMap", "Handlers", "Instant", "Keyword", "ObjectArray", "Reader", "Record", "Regex",
    "Symbol", "TaggedValue", "URI", "Writer", "decode", "dumps", "encode", "framing",
    "have_speed", "kw", "loads", "name", "sym",
]

name = "fressian"
framing = "bytes"

_default = Fressian()
encode = _default.encode
decode = _default.decode


def dumps(value: Any, *, footer: bool = False, **options: Any) -> bytes:
    """The bytes of one object; options as for :class:`Fressian`.

    >>> dumps("abc", footer=True).hex()
    'dd616263cfcfcfcf000000042aec0544'
    """
    return (Fressian(**options) if options else _default).dumps(value, footer=footer)


def loads(data: Any, *, checksum: bool = True, **options: Any) -> Any:
    """The value of one object; options as for :class:`Fressian`.

    >>> loads(bytes.fromhex("e601db61"))
    [1, 'a']
    """
    return (Fressian(**options) if options else _default).loads(data, checksum=checksum)


def __getattr__(attribute: str) -> Any:
    if attribute in ("Reader", "Writer"):
        from . import _default_streams as module
        globals().update(Reader=module.Reader, Writer=module.Writer)
        return globals()[attribute]
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "Reader", "Writer"})
