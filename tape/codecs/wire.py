"""The wire codec: Java's self-describing documents as dicts, lists and scalars.

Reads what ``writeDocument``, ``writeMap``, ``writeText`` and method writers make; writes dicts as
``writeDocument`` would. ``docs/codecs.md`` has the table of types both ways.

>>> encode({"k": "v"}).hex()
'c16be176'
>>> decode(memoryview(encode({"side": "buy", "prices": [1, 2.5], "by": {"id": 7}})))
{'side': 'buy', 'prices': [1, 2.5], 'by': {'id': 7}}
>>> decode(memoryview(encode(Typed("Order", {"id": 7}))))
Typed(type='Order', value={'id': 7})

A call of a method writer is a dict with one key, the method's name or id; what came before it, if
the queue has a source id, stands under ``"history"``:

>>> decode(memoryview(encode({"history": History(((9, 5),), (0,)), "say": "hi"})))
{'history': History(sources=((9, 5),), timings=(0,)), 'say': 'hi'}
"""

from __future__ import annotations

from typing import Any

from ._binary_wire import HISTORY_NAME, History, Pairs, Reader, Typed, TypeLiteral, Writer

__all__ = ["HISTORY_NAME", "History", "Pairs", "TypeLiteral", "Typed", "decode", "encode",
           "framing", "name"]

name = "wire"
framing = "document"


def encode(obj: Any) -> bytes:
    """A document: the fields of a dict (or :class:`Pairs`), or any other value without a name.

    Raises: :class:`tape.EncodeError` with the ``path`` of what cannot be written.
    """
    writer = Writer()
    if isinstance(obj, Pairs):
        document = writer.fields(obj, "$", 0)
    elif isinstance(obj, dict):
        document = writer.fields(obj.items(), "$", 0)
    else:
        document = writer.value(obj, "$")
    return document or b"\x8f"  # an empty document cannot be told from free space


def decode(view: memoryview) -> Any:
    """The fields of the document as a dict, its only value, or the list of its values.

    Raises: :class:`tape.DecodeError` with the ``offset`` of what cannot be read.
    """
    found = Reader(view).content(0, len(view), 0, {})
    return found[0] if isinstance(found, list) and len(found) == 1 else found
