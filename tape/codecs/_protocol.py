"""What a codec has to be. Apart from the package because importing typing takes a while."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, runtime_checkable

__all__ = ["Codec"]

T = TypeVar("T")


@runtime_checkable
class Codec(Protocol[T]):
    """What a queue needs of a codec.

    ``name``: shown in ``repr`` and ``info()``. ``encode(obj)``: bytes-like, complete before
    any lock is taken. ``decode(view)``: the value; ``view`` is a read-only memoryview that is
    valid only during the call, so a codec that keeps bytes must copy them. ``framing``
    (optional, default ``"bytes"``): ``"bytes"`` for Clojure tape's ``wire().write().bytes()``
    frame, ``"document"`` when the codec's bytes are the whole document.

    >>> class Upper:
    ...     name = "upper"
    ...     def encode(self, obj): return obj.upper().encode()
    ...     def decode(self, view): return str(view, "utf-8")
    >>> isinstance(Upper(), Codec)
    True
    """

    name: str

    def encode(self, obj: T, /) -> Any:
        """The bytes of ``obj``; raises :class:`tape.EncodeError`."""

    def decode(self, view: memoryview, /) -> T:
        """The value of the bytes; raises :class:`tape.DecodeError`."""


Codec.__module__ = "tape.codecs"
