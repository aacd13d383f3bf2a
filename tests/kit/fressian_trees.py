"""The typed trees of the golden vectors, to Python values and back.

``build`` makes what a writer gets; ``tree_of`` says what a reader gave, so strictly that 1, 1.0,
True and BigInt(1) are four trees.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import gzip
import json
import math
import pathlib
import struct
import uuid
from array import array
from typing import Any

from tape.codecs.fressian import (BigInt, BoolArray, Cached, Char, Float32, FrozenMap, Instant,
                                  Keyword, ObjectArray, Record, Regex, Symbol, TaggedValue, URI)

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "fressian"
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def lines(name: str) -> list[dict[str, Any]]:
    """The objects of a golden file."""
    with gzip.open(GOLDEN / f"{name}.jsonl.gz", "rt", encoding="ascii") as file:
        return [json.loads(line) for line in file]


def join_pairs(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def text_of(node: dict[str, Any]) -> str:
    if "v" in node:
        return node["v"]
    return join_pairs("".join(unit * count for unit, count in node["runs"]))


def bytes_of(node: dict[str, Any]) -> bytes:
    if "v" in node:
        return bytes.fromhex(node["v"])
    return b"".join(bytes.fromhex(unit) * count for unit, count in node["runs"])


def double_of(bits: str) -> float:
    return struct.unpack(">d", bytes.fromhex(bits))[0]


def float_of(bits: str) -> float:
    return struct.unpack(">f", bytes.fromhex(bits))[0]


def hashable(value: Any) -> Any:
    """What a dict key or set member has to be."""
    if isinstance(value, list):
        return tuple(map(hashable, value))
    if isinstance(value, dict):
        return FrozenMap({hashable(k): hashable(v) for k, v in value.items()})
    if isinstance(value, TaggedValue):
        return TaggedValue(value.tag, map(hashable, value.values))
    return value


def build(node: dict[str, Any]) -> Any:
    """The Python value to write for a tree; maps keep the order of the wire."""
    kind, v = node["t"], node.get("v")
    if kind == "map":
        pairs = [(hashable(build(k)), build(x)) for k, x in v]
        made = {k: x for k, x in pairs}
        return made if len(made) == len(pairs) else TaggedValue(
            "map", [[x for pair in pairs for x in pair]])
    if kind == "set":
        members = [hashable(build(x)) for x in v]       # a TaggedValue keeps the wire's order
        return frozenset(members) if len(v) < 2 else TaggedValue("set", [members])
    if kind == "record":
        return Record(node["class"], {build(k): build(x) for k, x in node["fields"]})
    return _BUILD[kind](node, v)


_BUILD: dict[str, Any] = {
    "null": lambda n, v: None,
    "bool": lambda n, v: v,
    "int": lambda n, v: int(v),
    "byte": lambda n, v: TaggedValue("byte", [int(v)]),
    "double": lambda n, v: double_of(v),
    "float": lambda n, v: Float32(float_of(v)),
    "string": lambda n, v: text_of(n),
    "bytes": lambda n, v: bytes_of(n),
    "char": lambda n, v: Char(v),
    "key": lambda n, v: Keyword(n["ns"], n["name"]),
    "sym": lambda n, v: Symbol(n["ns"], n["name"]),
    "bigint": lambda n, v: BigInt(int(v)),
    "bigdec": lambda n, v: decimal.Decimal(
        (int(n["unscaled"][0] == "-"), tuple(map(int, n["unscaled"].lstrip("-"))), -n["scale"])),
    "ratio": lambda n, v: fractions.Fraction(int(n["num"]), int(n["den"])),
    "inst": lambda n, v: moment(int(v)),
    "uuid": lambda n, v: uuid.UUID(v),
    "uri": lambda n, v: URI(v),
    "regex": lambda n, v: Regex(v),
    "list": lambda n, v: [build(x) for x in v],
    "tagged": lambda n, v: TaggedValue(build(n["tag"]), [build(x) for x in v]),
    "int[]": lambda n, v: array("i", map(int, v)),
    "long[]": lambda n, v: array("q", map(int, v)),
    "float[]": lambda n, v: array("f", map(float_of, v)),
    "double[]": lambda n, v: array("d", map(double_of, v)),
    "boolean[]": lambda n, v: BoolArray(v),
    "Object[]": lambda n, v: ObjectArray([build(x) for x in v]),
    "cached": lambda n, v: Cached(build(v)),
}


def moment(ms: int) -> Any:
    try:
        return EPOCH + datetime.timedelta(milliseconds=ms)
    except OverflowError:
        return Instant(ms)


def bits(value: float, form: str) -> str:
    if math.isnan(value):
        return {">d": "7ff8000000000000", ">f": "7fc00000"}[form]
    return struct.pack(form, value).hex()


def tree_of(value: Any) -> dict[str, Any]:
    """The tree that describes a decoded value; the type has to be exactly as documented."""
    return _TREE[type(value)](value)


def _ms(value: datetime.datetime) -> str:
    assert value.tzinfo is datetime.timezone.utc
    return str((value - EPOCH) // datetime.timedelta(milliseconds=1))


def _bigdec(value: decimal.Decimal) -> dict[str, Any]:
    sign, digits, exponent = value.as_tuple()
    unscaled = "".join(map(str, digits))
    return {"t": "bigdec", "unscaled": f"-{unscaled}" if sign else unscaled, "scale": -exponent}


def _int(value: int) -> dict[str, Any]:
    kind = "int" if -2**63 <= value < 2**63 else "bigint"
    return {"t": kind, "v": str(value)}


def _array(value: Any) -> dict[str, Any]:
    kind = {("i", 4): "int[]", ("q", 8): "long[]", ("f", 4): "float[]", ("d", 8): "double[]"}[
        value.typecode, value.itemsize]
    form = {"float[]": ">f", "double[]": ">d"}.get(kind)
    return {"t": kind, "v": [bits(x, form) if form else str(x) for x in value]}


def _map(value: Any) -> dict[str, Any]:
    return {"t": "map", "v": [[tree_of(k), tree_of(x)] for k, x in value.items()]}


def _list(value: Any) -> dict[str, Any]:
    return {"t": "list", "v": [tree_of(x) for x in value]}


def _tagged(value: TaggedValue) -> dict[str, Any]:
    if value.tag in ("map", "set"):            # clashes="tagged"
        parts = [tree_of(x) for x in value.values[0]]
        if value.tag == "map":
            parts = [list(pair) for pair in zip(parts[::2], parts[1::2])]
        return {"t": value.tag, "v": parts}
    return {"t": "tagged", "tag": tree_of(value.tag), "v": [tree_of(x) for x in value.values]}


_TREE: dict[type, Any] = {
    type(None): lambda x: {"t": "null"},
    bool: lambda x: {"t": "bool", "v": x},
    int: _int,
    BigInt: lambda x: {"t": "bigint", "v": int.__repr__(x)},
    float: lambda x: {"t": "double", "v": bits(x, ">d")},
    Float32: lambda x: {"t": "float", "v": bits(x, ">f")},
    str: lambda x: {"t": "string", "v": x},
    bytes: lambda x: {"t": "bytes", "v": x.hex()},
    Char: lambda x: {"t": "char", "v": int(x)},
    Keyword: lambda x: {"t": "key", "ns": x.ns, "name": x.name},
    Symbol: lambda x: {"t": "sym", "ns": x.ns, "name": x.name},
    decimal.Decimal: _bigdec,
    fractions.Fraction: lambda x: {"t": "ratio", "num": str(x.numerator),
                                   "den": str(x.denominator)},
    datetime.datetime: lambda x: {"t": "inst", "v": _ms(x)},
    Instant: lambda x: {"t": "inst", "v": str(x.ms)},
    uuid.UUID: lambda x: {"t": "uuid", "v": str(x)},
    URI: lambda x: {"t": "uri", "v": str(x)},
    Regex: lambda x: {"t": "regex", "v": x.pattern},
    list: _list, tuple: _list, dict: _map, FrozenMap: _map,
    set: lambda x: {"t": "set", "v": [tree_of(m) for m in x]},
    frozenset: lambda x: {"t": "set", "v": [tree_of(m) for m in x]},
    Record: lambda x: {"t": "record", "class": x.type_name,
                       "fields": [[tree_of(k), tree_of(v)] for k, v in x.fields.items()]},
    TaggedValue: _tagged,
    array: _array,
    BoolArray: lambda x: {"t": "boolean[]", "v": list(x)},
    ObjectArray: lambda x: {"t": "Object[]", "v": [tree_of(m) for m in x]},
}


def canonical(node: Any) -> Any:
    """A tree whose maps and sets are in one order, without runs, wrappers and other spellings."""
    if not isinstance(node, dict):
        return node
    kind = node["t"]
    if kind == "cached":
        return canonical(node["v"])
    if kind == "byte":
        return {"t": "int", "v": node["v"]}
    if kind == "string":
        return {"t": "string", "v": text_of(node)}
    if kind == "bytes":
        return {"t": "bytes", "v": bytes_of(node).hex()}
    if kind == "ratio":
        value = fractions.Fraction(int(node["num"]), int(node["den"]))
        return {"t": "ratio", "num": str(value.numerator), "den": str(value.denominator)}
    if kind in ("map", "set"):
        parts = [[canonical(k), canonical(x)] for k, x in node["v"]] if kind == "map" else \
            [canonical(x) for x in node["v"]]
        return {"t": kind, "v": sorted(parts, key=lambda part: json.dumps(part, sort_keys=True))}
    if kind == "record":
        return {**node, "fields": [[canonical(k), canonical(x)] for k, x in node["fields"]]}
    if kind == "tagged":
        if node["tag"].get("v") == "record":
            name, fields = node["v"]
            return canonical({"t": "record", "class": name["name"], "fields": fields["v"]})
        return {**node, "tag": canonical(node["tag"]), "v": [canonical(x) for x in node["v"]]}
    if kind in ("list", "Object[]"):
        return {"t": kind, "v": [canonical(x) for x in node["v"]]}
    return node
