"""What a codec says of itself, checked before it is used."""

from __future__ import annotations

from typing import Any

from ._ffi import lib
from .errors import InvalidArgument

__all__ = ["FRAMINGS", "framing_of"]

FRAMINGS = {"bytes": lib.TAPE_FRAMING_BYTES, "document": lib.TAPE_FRAMING_DOCUMENT}


def framing_of(codec: Any) -> str:
    """The codec's framing; :class:`tape.InvalidArgument` for what is no codec."""
    if not (isinstance(getattr(codec, "name", None), str)
            and callable(getattr(codec, "encode", None))
            and callable(getattr(codec, "decode", None))):
        raise InvalidArgument(f"{codec!r} is no codec",
                              hint="pass tape.codecs.fressian, raw, json, ..., or an object with "
                                   "name, encode() and decode()")
    framing = getattr(codec, "framing", "bytes")
    if framing not in FRAMINGS:
        raise InvalidArgument(f"codec {codec.name!r} has framing {framing!r}",
                              hint="'bytes' or 'document'")
    return str(framing)
