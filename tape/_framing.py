"""What a codec says of itself, checked before it is used."""

from __future__ import annotations

from ._ffi import lib
from .errors import DecodeError, InvalidArgument

try:
    from _struct import (  # type: ignore[attr-defined]  # what struct.error is, alone
        error as _struct_error)
except ImportError:  # not every Python has it
    from struct import error as _struct_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["BAD_INPUT", "FRAMINGS", "errors_of", "framing_of", "is_raw"]

FRAMINGS = {"bytes": lib.TAPE_FRAMING_BYTES, "document": lib.TAPE_FRAMING_DOCUMENT}

# What decode() raises for bytes that it cannot read, unless the codec says otherwise. All else is
# no word about the message: a signal handler's exception, no memory, Ctrl-C.
BAD_INPUT = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, EOFError,
             _struct_error, DecodeError)


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


def errors_of(codec: Any) -> tuple[type[Exception], ...]:
    """What the codec raises for bytes that it cannot read."""
    errors = getattr(codec, "errors", BAD_INPUT)
    if isinstance(errors, type):
        errors = (errors,)
    if not isinstance(errors, tuple) or not all(
            isinstance(kind, type) and issubclass(kind, Exception) for kind in errors):
        raise InvalidArgument(f"codec {codec.name!r} has errors {errors!r}",
                              hint="a tuple of classes of exceptions")
    return errors if DecodeError in errors else (*errors, DecodeError)


def is_raw(function: Any) -> bool:
    """Whether it is an ``encode`` or ``decode`` that gives bytes as they are."""
    code = getattr(function, "__code__", None)
    if code is None:
        return False
    home = function.__globals__.get("__name__")  # a wrapper has that of its own module
    return (home == "tape.codecs.raw" and code.co_name in ("encode", "decode")
            or home == "tape.codecs.document" and code.co_name == "decode")
