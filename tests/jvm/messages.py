"""What Java tells about messages and roll cycles."""

from __future__ import annotations

from dataclasses import dataclass

from .words import bytes_of


@dataclass(frozen=True)
class Message:
    """A document as Java's tailer saw it.

    ``kind`` is ``"tape"`` when the body is exactly one ``wire.write().bytes(..)``: then
    ``data`` is the payload; else ``"data"`` or ``"meta"``, and ``data`` the raw body.
    """

    index: int
    kind: str
    data: bytes


@dataclass(frozen=True)
class Digest:
    """As :class:`Message`, with the length and the CRC-32 of ``data`` in its place."""

    index: int
    kind: str
    length: int
    crc32: int


@dataclass(frozen=True)
class RollCycleRow:
    """One roll cycle as Java knows it."""

    name: str
    pattern: str
    length_ms: int
    index_count: int
    index_spacing: int
    max_messages: int


def message_of(words: list[str]) -> Message | None:
    return None if words == ["absent"] else Message(int(words[0]), words[1], bytes_of(words[2]))


def messages_of(lines: list[str]) -> list[Message]:
    found = (message_of(line.split(" ")) for line in lines)
    return [message for message in found if message is not None]
