"""What a message holds, whoever wrote it: codecs by name, and ``auto``, which looks."""

from __future__ import annotations

import contextlib
import importlib
import json
import re
from collections.abc import Iterator
from typing import Any

import click

from .. import Queue
from ..codecs import document, fressian, wire
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
    """What is in the frame of Clojure's tape, and of most codecs, and Java's self-describing
    documents, which have none.

    In the frame: what the codec reads that the queue was made with, if that is noted and is one
    of ``FIRST``; else Fressian; else JSON or other text. Some short texts are integers in Fressian
    as well (``m10``): without a note they are text, unless a message among the first and last
    hundred of the queue can be nothing but Fressian.
    """

    name = "auto"
    FIRST = ("fressian", "json", "edn", "msgpack")
    SAMPLE = 100

    def __init__(self, q: Queue | None = None) -> None:
        self._q = q
        self._first: Any = None
        self._integers: bool | None = None  # texts that are integers in Fressian are such
        noted = None if q is None else q.made_with
        if noted in self.FIRST:
            with contextlib.suppress(ImportError):  # msgpack needs a library
                self._first = importlib.import_module(f"tape.codecs.{noted}")

    def decode(self, view: memoryview) -> Any:
        """The value; :class:`tape.DecodeError` when it is nothing of the sort."""
        inner = payload_of(bytes(view))
        if inner is None:
            return wire.decode(view)
        if self._first is not None:
            with contextlib.suppress(Error):
                return self._first.decode(memoryview(inner))
        try:
            value = fressian.decode(memoryview(inner))
        except Error as error:
            return _text_or_json(inner, error)
        text = _text(inner)
        if text is None or self._holds_fressian():
            return value
        return _json_or(text)

    def _holds_fressian(self) -> bool:
        """Whether a message at either end of the queue can be nothing but Fressian."""
        if self._integers is None:
            self._integers = self._q is not None and any(
                map(_only_fressian, ends_of(self._q, self.SAMPLE)))
        return self._integers


def ends_of(q: Queue, count: int) -> Iterator[bytes]:
    """What is in the frames of the first and the last messages."""
    for direction in ("forward", "backward"):
        with q.tailer(codec=document, direction=direction, on_gap="skip") as t:
            yield from filter(None, map(payload_of, t.read_many(count)))


def _only_fressian(data: bytes) -> bool:
    if _text(data) is not None:
        return False
    try:
        fressian.decode(memoryview(data))
    except Error:
        return False
    return True


def _text(data: bytes) -> str | None:
    """The bytes as text that can be shown, if they are such."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if re.sub(r"[\t\r\n]", "", text).isprintable() else None


def _json_or(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _text_or_json(data: bytes, error: Error) -> Any:
    """What is no Fressian may still be text."""
    text = _text(data)
    if text is None:
        raise DecodeError(error.message, hint="--codec says what it is; --hex shows the bytes")
    return _json_or(text)


def codec_named(name: str, q: Queue | None = None) -> Any:
    """The codec of a name, or what ``module:attribute`` names.

    >>> codec_named("edn").name, codec_named("auto").name
    ('edn', 'auto')
    """
    if name == "auto":
        return Auto(q)
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
