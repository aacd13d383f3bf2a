"""Streams of many objects: the Writer and the Reader over either implementation."""

from __future__ import annotations

import struct as _struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO
from zlib import adler32 as _adler32

from ...errors import DecodeError, StateError
from . import codes
from ._options import END

__all__ = ["Reader", "Writer"]


class Writer:
    """Writes a stream of objects that share their caches; made by :meth:`Fressian.writer`.

    Args:
        file: a binary file to write to; ``None`` collects the bytes, see :meth:`getvalue`.

    What fails to be encoded leaves no byte; the caches are then emptied, which the next object
    tells the reader.

    >>> from tape.codecs import fressian
    >>> w = fressian.Writer()
    >>> w.write(1)
    >>> with w.closed_list():
    ...     w.write("a")
    >>> w.footer()
    >>> w.getvalue().hex()
    '01eddb61fdcfcfcfcf0000000536590669'
    >>> list(fressian.Reader(w.getvalue()))
    [1, ['a']]
    """

    def __init__(self, encoder: Any, file: BinaryIO | None = None) -> None:
        self._encoder = encoder
        self._file = file
        self._parts = bytearray()
        self._sum = 1
        self._length = 0
        self._lists: list[bool] = []            # open lists: is it an open one

    def write(self, value: Any, *, cache: bool = False) -> None:
        """Writes one object.

        Args:
            value: anything that :func:`dumps` takes.
            cache: share it: an equal value written so before becomes a reference.

        Raises:
            EncodeError: with the path to what has no encoding.
        """
        self._emit(self._encoder.write(value, cache))

    def write_all(self, values: Iterable[Any]) -> None:
        """Writes each value of an iterable as an object of its own."""
        for value in values:
            self.write(value)

    def tag(self, tag: Any, count: int) -> None:
        """Begins a struct by hand: ``count`` components have to be written next.

        Nothing is checked: only for what no type of the package stands for.
        """
        self._emit(self._encoder.tag(tag, count))

    def reset_caches(self) -> None:
        """Empties both caches, here and in the reader. Bounds the memory of a long stream."""
        self._emit(b"\xfe")
        self._encoder.reset()

    def footer(self) -> None:
        """Writes length and checksum of what came since the last footer; empties the caches.

        Raises:
            StateError: inside a list, except directly in an open list at the top.
        """
        if self._lists and self._lists != [True]:
            raise StateError("a footer inside a list",
                             hint="end the list first; readers refuse such a footer")
        head = codes.FOOTER_MAGIC + _struct.pack(">I", self._length & 0xFFFFFFFF)
        self._emit(head)
        self._emit(_struct.pack(">I", self._sum))
        self._sum, self._length = 1, 0
        self._encoder.reset()

    def begin_closed_list(self) -> None:
        """Begins a list of unknown length; :meth:`end_list` ends it."""
        self._lists.append(False)
        self._emit(b"\xed")

    def begin_open_list(self) -> None:
        """Begins a list that :meth:`end_list` or the end of the stream ends.

        Raises:
            StateError: something was written since the start or the last footer.
        """
        if self._length or self._lists:
            raise StateError("an open list begins a stream, or follows a footer")
        self._lists.append(True)
        self._emit(b"\xee")

    def end_list(self) -> None:
        """Ends the innermost list. Raises :class:`tape.errors.StateError` without one."""
        if not self._lists:
            raise StateError("no list was begun")
        self._lists.pop()
        self._emit(b"\xfd")

    @contextmanager
    def closed_list(self) -> Iterator[Writer]:
        """A closed list around what is written inside; ended also by an exception."""
        self.begin_closed_list()
        try:
            yield self
        finally:
            self.end_list()

    def getvalue(self) -> bytes:
        """The bytes so far, when no file was given."""
        return bytes(self._parts)

    def _emit(self, data: bytes) -> None:
        if self._file is None:
            self._parts += data
        else:
            self._file.write(data)
        self._sum = _adler32(data, self._sum)
        self._length += len(data)


class Reader:
    """Reads a stream of objects; iterates until the input ends. Made by :meth:`Fressian.reader`.

    Args:
        source: bytes-like, not copied; or a binary file, which is read whole.

    A footer that is met is checked; after an error the reader is of no further use.

    >>> from tape.codecs import fressian
    >>> r = fressian.Reader(b"\\x01\\xdba")
    >>> r.read(), r.read(), r.read("nothing more")
    (1, 'a', 'nothing more')
    """

    def __init__(self, decoder: Any, view: memoryview | None = None) -> None:
        self._decoder = decoder
        self._view = view

    def read(self, *default: Any) -> Any:
        """The next object.

        Args:
            default: given at the end of the input, instead of raising ``EOFError``.

        Raises:
            DecodeError: what stands here is no Fressian; it has ``.offset``.
            EOFError: nothing is left.
        """
        value = self._decoder.next()
        if value is END:
            if default:
                return default[0]
            raise EOFError("the stream has ended")
        return value

    def read_footer(self) -> None:
        """Reads the footer that has to stand here; raises DecodeError when none does."""
        self._decoder.footer()

    @property
    def pos(self) -> int:
        """Offset of the next byte."""
        return int(self._decoder.pos)

    def __iter__(self) -> Iterator[Any]:
        while True:
            value = self._decoder.next()
            if value is END:
                return
            yield value
