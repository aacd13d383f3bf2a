"""A message as one line: JSON, EDN, hex, or what a template says."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import click

from ..codecs import edn
from ..codecs.fressian import Keyword, Record, Symbol, TaggedValue
from ..codecs.wire import History, Pairs, Typed
from ..errors import EncodeError
from ..info import Entry
from .payload import payload_of

__all__ = ["FORMS", "plain", "template", "to_edn", "to_json"]

MAX_DEPTH = 200


def plain(value: Any, depth: int = 0) -> Any:
    """The value in what JSON has. Lossy: EDN is not.

    Keywords and symbols lose their mark, bytes are base64, sets are lists, times ISO 8601.

    >>> from tape.codecs.fressian import kw
    >>> plain({kw("order/id"): {1}, None: b"ab"})
    {'order/id': [1], 'null': 'YWI='}
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if depth > MAX_DEPTH:
        raise EncodeError(f"nested deeper than {MAX_DEPTH} levels", hint="see it with --hex")
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, (Keyword, Symbol)):
        return value.name if value.ns is None else f"{value.ns}/{value.name}"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    return _plain_of_many(value, depth + 1)


def _plain_of_many(value: Any, depth: int) -> Any:
    """Of what holds others; all else as its text."""
    if isinstance(value, Mapping):
        return {_key(key): plain(item, depth) for key, item in value.items()}
    if isinstance(value, Record):
        return {"type": value.type_name, "fields": plain(dict(value.fields), depth)}
    if isinstance(value, TaggedValue):
        return {"tag": plain(value.tag, depth), "values": plain(value.values, depth)}
    if isinstance(value, Typed):
        return {"type": value.type, "value": plain(value.value, depth)}
    if isinstance(value, History):
        return {"sources": plain(value.sources, depth), "timings": list(value.timings)}
    if isinstance(value, Pairs):
        return [[plain(key, depth), plain(item, depth)] for key, item in value]
    try:
        return [plain(item, depth) for item in iter(value)]
    except TypeError:
        return str(value)


def _key(key: Any) -> str:
    """A key of an object."""
    shown = plain(key)
    return shown if isinstance(shown, str) else json.dumps(shown)


def to_json(value: Any) -> str:
    """One line of JSON, whatever the value.

    >>> to_json({"a": [1, float("nan")], "b": "\\x1b"})
    '{"a": [1, "nan"], "b": "\\\\u001b"}'
    """
    text = json.dumps(plain(value), ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def to_edn(value: Any) -> str:
    """One line of EDN; of Java's own types what JSON would show.

    >>> from tape.codecs.fressian import kw
    >>> to_edn({kw("id"): 7})
    '{:id 7}'
    """
    try:
        return edn.dumps(value)
    except EncodeError:
        return edn.dumps(plain(value))


def _value_json(entry: Entry, indexed: bool) -> str:
    text = to_json(entry.value)
    return f'{{"index": {entry.index}, "value": {text}}}' if indexed else text


def _value_edn(entry: Entry, indexed: bool) -> str:
    text = to_edn(entry.value)
    return f"[{entry.index} {text}]" if indexed else text


def _hex(entry: Entry, indexed: bool) -> str:
    text: str = entry.value.hex()
    return f"{entry.index:#x}\t{text}" if indexed else text


FORMS: dict[str, Callable[[Entry, bool], str]] = {
    "json": _value_json, "edn": _value_edn, "hex": _hex}


def template(text: str, locate: Callable[[int], Any]) -> Callable[[Entry, bool], str]:
    """A form out of a text with names in braces: index, size, json, value.KEY and so on.

    ``{value}`` is text as it is and JSON otherwise; ``{value.a.0}`` goes into it; what is not
    there is empty. Any other name is wrong use.
    """
    names = ("index", "hexindex", "cycle", "sequence", "opens", "size", "json", "edn", "value")
    text = re.sub(r"\\([tn])", lambda m: "\t" if m[1] == "t" else "\n", text)
    for name in re.findall(r"\{([^{}]*)\}", text):
        if name not in names and not name.startswith("value."):
            raise click.BadParameter(f"{{{name}}} is none of {', '.join(names)}, value.KEY",
                                     param_hint="--template")

    def form(entry: Entry, indexed: bool) -> str:
        def part(match: re.Match[str]) -> str:
            return _part(match[1], entry, locate)
        line = re.sub(r"\{([^{}]*)\}", part, text)
        return f"{entry.index:#x}\t{line}" if indexed else line
    return form


def _part(name: str, entry: Entry, locate: Callable[[int], Any]) -> str:
    """One field of a template."""
    if name in ("index", "hexindex"):
        return str(entry.index) if name == "index" else f"{entry.index:#x}"
    if name in ("json", "edn"):
        return to_json(entry.value) if name == "json" else to_edn(entry.value)
    if name == "size":
        inner = payload_of(entry.raw)
        return str(len(entry.raw if inner is None else inner))
    if name in ("cycle", "sequence", "opens"):
        place = locate(entry.index)
        return str(place.opens_at if name == "opens" else getattr(place, name))
    found = plain(entry.value)
    for key in name.split(".")[1:]:
        if isinstance(found, dict):
            found = found.get(key)
        elif isinstance(found, list) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            found = None
    return "" if found is None else found if isinstance(found, str) else to_json(found)
