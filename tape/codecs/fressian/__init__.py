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

from typing import Any, BinaryIO

from ...errors import DecodeError, EncodeError
from . import _streams
from ._codec import Fressian, have_speed
from .handlers import Handlers
from .types import (BigInt, BoolArray, Cached, Char, Float32, FrozenMap, Instant, Keyword,
                    ObjectArray, Record, Regex, Symbol, TaggedValue, URI, kw, sym)

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


class Writer(_streams.Writer):
    __doc__ = _streams.Writer.__doc__

    def __init__(self, file: BinaryIO | None = None, *, codec: Fressian = _default) -> None:
        super().__init__(codec._make_encoder(), file)


class Reader(_streams.Reader):
    __doc__ = _streams.Reader.__doc__

    def __init__(self, source: Any, *, checksum: bool = True, codec: Fressian = _default) -> None:
        if hasattr(source, "read"):
            source = source.read()
        super().__init__(codec._decoder(source, checksum)[0])
