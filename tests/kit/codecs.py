"""Codecs and what they are asked with."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from typing import Any

from tape.codecs import json, msgpack, text, wire


class Bytes:
    """A codec to derive from: bytes as they are, unless its ``decode`` says otherwise."""

    name = "bytes"

    def encode(self, obj: bytes) -> bytes:
        return obj

    def decode(self, view: memoryview) -> Any:
        return bytes(view)


class Encoding(Bytes):
    """One whose encode() is a function."""

    def __init__(self, encode: Callable[[Any], Any]) -> None:
        self.encode = encode  # type: ignore[method-assign]


READERS = [wire, text, json, msgpack]


def decode(codec: Any, data: bytes) -> Any:
    """What a codec reads from these bytes."""
    return codec.decode(memoryview(data).toreadonly())


SAMPLES = {
    wire: [{"side": "buy", "prices": [1, 2.5, -3, 1 << 40], "by": {"id": 7, "raw": b"x" * 300},
            "no": None, "yes": True, "on": datetime.date(2020, 1, 2), "u": uuid.UUID(int=5)},
           {"history": wire.History(((9, 5),), (1, 2)), "say": "h" * 40},
           wire.Typed("Order", {"id": 1}), "é" * 20],
    text: ["hello", "z" * 200],
    json: [{"a": [1, None, "é"]}],
    msgpack: [{"a": [1, None, -70000, 1.5, b"x" * 300, "y" * 40], "e": msgpack.Ext(3, b"abc")}],
}
