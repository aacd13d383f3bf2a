"""Codecs turn messages into bytes and back; they know nothing of queues.

A codec is any object with the attributes of :class:`Codec`; the modules of this package are
codecs themselves: ``fressian``, ``raw``, ``json`` (in the frame of Clojure's tape), ``document``,
``text``, ``wire`` (what Java writes without that frame). ``tape.codecs.msgpack`` and
``tape.codecs.pickle`` must be imported by name.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, runtime_checkable

T = TypeVar("T")

__all__ = ["Codec", "document", "fressian", "json", "raw", "text", "wire"]


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


def __getattr__(module: str) -> Any:
    if module in ("msgpack", "pickle"):
        raise AttributeError(f"tape.codecs.{module} is there when asked for: import it by name "
                             f"(import tape.codecs.{module})")
    raise AttributeError(f"module 'tape.codecs' has no attribute {module!r}")


# Modules that are codecs; they need Codec above.
from . import document, fressian, json, raw, text, wire  # noqa: E402
