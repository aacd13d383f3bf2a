"""What a message holds, whoever wrote it: codecs by name, and ``auto``, which looks."""

from __future__ import annotations

import importlib
import json
from typing import Any

import click

from ..codecs import fressian, wire
from ..errors import DecodeError, Error

__all__ = ["NAMES", "Auto", "Payload", "codec_named", "payload_of"]

NAMES = ["auto", "fressian", "json", "edn", "msgpack", "raw", "text", "wire", "document"]
LENGTH_OF = {0x80: 1, 0x81: 2, 0x82: 4}  # bytes of the length behind the code


def payload_of(document: bytes) -> bytes | None:
    """The bytes in the frame of Clojure's tape and of Java's ``bytes()``; ``None``: no such frame.

    >>> payload_of(bytes.fromhex("c08003 8a6869"))
    b'hi'
    >>> payload_of(b"\\xe2hi") is None
    True
    """
    if len(document) < 4 or document[0] != 0xC0 or document[1] not in LENGTH_OF:
        return None
    start = 2 + LENGTH_OF[document[1]]
    size = int.from_bytes(document[2:start], "little")
    if not size or start + size > len(document) or document[start] != 0x8A:
        return None
    return document[start + 1:start + size]


class Payload:
    """The bytes that were written: what is in the frame, or the whole document."""

    name, framing = "payload", "document"

    def encode(self, obj: Any) -> bytes:
        """Only for reading."""
        raise TypeError("this codec only reads")

    def decode(self, view: memoryview) -> Any:
        """The bytes."""
        document = bytes(view)
        inner = payload_of(document)
        return document if inner is None else inner


class Auto(Payload):
    """Fressian, JSON or text in a frame; Java's self-describing documents without one."""

    name = "auto"

    def decode(self, view: memoryview) -> Any:
        """The value; :class:`tape.DecodeError` when it is nothing of the sort."""
        inner = payload_of(bytes(view))
        if inner is None:
            return wire.decode(view)
        try:
            return fressian.decode(memoryview(inner))
        except Error as error:
            return _text_or_json(inner, error)


def _text_or_json(data: bytes, error: Error) -> Any:
    """What is no Fressian may still be text."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise error from None
    if not text.isprintable() and not text.replace("\n", "").replace("\t", "").isprintable():
        raise DecodeError(error.message, hint="--codec says what it is; --hex shows the bytes")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def codec_named(name: str) -> Any:
    """The codec of a name, or what ``module:attribute`` names.

    >>> codec_named("edn").name, codec_named("auto").name
    ('edn', 'auto')
    """
    if name == "auto":
        return Auto()
    if name in NAMES or name == "pickle":
        return importlib.import_module(f"tape.codecs.{name}")
    module, colon, attribute = name.partition(":")
    try:
        if not colon:
            raise ImportError(name)
        found: Any = getattr(importlib.import_module(module), attribute)
        return found
    except (ImportError, AttributeError) as error:
        raise click.BadParameter(f"no codec {name!r}: one of {', '.join(NAMES)}, pickle (which "
                                 "runs code out of messages), or MODULE:ATTRIBUTE") from error
