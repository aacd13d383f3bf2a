"""Random values, what they are as canonical text, and which codes their bytes have.

The text is made the same way by tests/jvm_fressian/differential.clj, from Clojure's values.
"""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import fractions
import random
import struct
import uuid
from typing import Any

from tape.codecs.fressian import (BigInt, BoolArray, Cached, Char, Float32, FrozenMap, Instant,
                                  Keyword, ObjectArray, Record, Regex, Symbol, TaggedValue, URI)

from tests.kit.fressian_trees import EPOCH, bits


def units(text: str) -> list[int]:
    raw = text.encode("utf-16-be", "surrogatepass")
    return list(struct.unpack(f">{len(raw) // 2}H", raw))


def hex_text(text: str) -> str:
    return text.encode("utf-16-be", "surrogatepass").hex()


def _java_hash(values: Any, start: int) -> int:
    total = start
    for value in values:
        total = (31 * total + value) & 0xFFFFFFFF
    return total - (1 << 32) if total >> 31 else total


def _string(text: str) -> str:
    count = len(text.encode("utf-16-be", "surrogatepass")) // 2
    return f"s{hex_text(text)}" if count < 2000 else f"s#{count}:{_java_hash(units(text), 0)}"


def _bytes(raw: bytes) -> str:
    signed = (b - 256 if b > 127 else b for b in raw)
    return f"b{raw.hex()}" if len(raw) < 2000 else f"b#{len(raw)}:{_java_hash(signed, 1)}"


def _double(value: float) -> str:
    return bits(0.0 if value == 0 else value, ">d")


def _name(kind: str, value: Any) -> str:
    return f"{kind}{'-' if value.ns is None else hex_text(value.ns)}/{hex_text(value.name)}"


def _pairs(items: Any) -> list[str]:
    return [f"{canon(k)} {canon(v)}" for k, v in items]


def _decimal(value: decimal.Decimal) -> str:
    sign, digits, exponent = value.as_tuple()
    unscaled = int("".join(map(str, digits)))
    return f"M{-unscaled if sign else unscaled},{-exponent}"


def _tagged(value: TaggedValue) -> str:
    if value.tag == "map":
        parts = value.values[0]
        return "{" + ",".join(sorted(_pairs(zip(parts[::2], parts[1::2])))) + "}"
    if value.tag == "set":
        return "#{" + " ".join(sorted(map(canon, value.values[0]))) + "}"
    return f"T({canon(value.tag)} {' '.join(map(canon, value.values))})"


def _array(value: Any) -> str:
    kind = {"i": "i", "q": "l", "f": "f", "d": "d"}[value.typecode]
    items = {"f": lambda x: bits(x, ">f"), "d": _double}.get(value.typecode, str)
    return f"[{kind}{','.join(map(items, value))}]"


def _seq(value: Any) -> str:
    return f"({' '.join(map(canon, value))})"


def _set(value: Any) -> str:
    return "#{" + " ".join(sorted(map(canon, value))) + "}"


def _map(value: Any) -> str:
    return "{" + ",".join(sorted(_pairs(value.items()))) + "}"


_CANON: dict[type, Any] = {
    type(None): lambda v: "n", bool: lambda v: "t" if v else "f",
    int: lambda v: f"i{v}" if -2**63 <= v < 2**63 else f"I{v}",
    BigInt: lambda v: f"I{int(v)}", float: lambda v: f"d{_double(v)}",
    Float32: lambda v: f"g{bits(v, '>f')}", decimal.Decimal: _decimal,
    fractions.Fraction: lambda v: f"r{v.numerator},{v.denominator}", str: _string,
    Char: lambda v: f"c{int(v)}", Keyword: lambda v: _name("k", v),
    Symbol: lambda v: _name("y", v),
    datetime.datetime: lambda v: f"@{(v - EPOCH) // datetime.timedelta(milliseconds=1)}",
    Instant: lambda v: f"@{v.ms}", uuid.UUID: lambda v: f"u{v}",
    URI: lambda v: f"U{hex_text(v.text)}", Regex: lambda v: f"R{hex_text(v.text)}",
    bytes: _bytes, list: _seq, tuple: _seq, dict: _map, FrozenMap: _map, set: _set,
    frozenset: _set, TaggedValue: _tagged, array.array: _array,
    Record: lambda v: f"<{v.type_name} {','.join(_pairs(v.fields.items()))}>",
    BoolArray: lambda v: f"[z{','.join('t' if x else 'f' for x in v)}]",
    ObjectArray: lambda v: f"[o{' '.join(map(canon, v))}]",
    Cached: lambda v: canon(v.value),
}


def canon(value: Any) -> str:
    """Type and content of a value as one line."""
    return _CANON[type(value)](value)


# -- random values

_POWERS = (12, 19, 25, 33, 41, 49)
_PARTS = ("a", "b", "foo", "order", "id", "event", "x", "y", "long-name-of-a-thing", "\xe9")
_URIS = ("http://example.com/a?b=c#d", "urn:x:y", "", "a/b", "mailto:a@b", "http://[::1]:80/",
         "file:///%20", "/\u00e9")


class Maker:
    """Random values with a seed; everything that Fressian can hold."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def long(self) -> int:
        rng = self.rng
        power = 1 << rng.choice(_POWERS)
        return rng.choice((rng.randrange(-80, 120), rng.randrange(-10_000, 10_000),
                           rng.getrandbits(63) >> rng.randrange(63),
                           power - rng.randrange(3), -power - rng.randrange(2),
                           rng.randrange(-2**63, 2**63)))

    def text(self) -> str:
        rng = self.rng
        if rng.randrange(100) == 0:
            size = rng.randrange(65520, 65552) * rng.choice((1, 3, 3))
            return "a" * size + rng.choice(("a", "\xe9", "\u20ac", "\U0001f600")) * 2
        size = rng.choice((0, 1, 2, 3, 5, 7, 8, 9, 20, 40))
        if rng.randrange(3):
            return "".join(rng.choices("abcdefghijklmnop", k=size))
        made = "".join(chr(rng.choice((rng.randrange(128), rng.randrange(0x800),
                                       rng.randrange(0x110000), rng.randrange(0xD800, 0xE000))))
                       for _ in range(size))
        return made.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")

    def part(self) -> str:
        rng = self.rng
        return rng.choice(_PARTS) if rng.randrange(4) else f"n{rng.randrange(300)}"

    def key(self) -> Keyword:
        return Keyword(self.rng.choice((None, None, "my.ns", "order", "a")), self.part())

    def big(self) -> int:
        return self.rng.getrandbits(self.rng.randrange(1, 200)) * self.rng.choice((1, -1))

    def scalar(self) -> Any:
        rng = self.rng
        kind = rng.randrange(24)
        if kind < 3:
            return (None, True, False)[kind]
        if kind < 5 or kind == 23:
            return self.long()
        if kind < 7:
            return rng.choice((0.0, 1.0, float("nan"), float("inf"), -1.5, rng.gauss(0, 1)))
        if kind < 10:
            return Float32(rng.gauss(0, 1)) if kind == 7 else self.text()
        if kind < 12:
            return self.key()
        return (
            lambda: Symbol(rng.choice((None, "my.ns")), self.part()),
            lambda: Char(rng.choice((rng.randrange(128), rng.randrange(65536)))),
            lambda: BigInt(self.big()),
            lambda: decimal.Decimal((rng.randrange(2), (*map(int, str(abs(self.big()) or 1)),),
                                     rng.randrange(-30, 30))),
            self.ratio,
            lambda: EPOCH + datetime.timedelta(milliseconds=rng.randrange(-10**13, 10**14)),
            lambda: uuid.UUID(int=rng.getrandbits(128)),
            lambda: URI(rng.choice(_URIS)),
            lambda: Regex(rng.choice(("a+b*", "(?i)\\p{L}+", "[a-z&&[^b]]", ""))),
            lambda: rng.randbytes(rng.randrange(12) if rng.randrange(50) else
                                  rng.randrange(65530, 200_000)),
            lambda: rng.choice((Instant(rng.choice((-2**63, 2**63 - 1, 10**15))),
                                BigInt(rng.randrange(100)), decimal.Decimal("1.00"))),
        )[kind - 12]()

    def ratio(self) -> Any:
        made = fractions.Fraction(self.big(), abs(self.big()) + 2)
        return made if made.denominator != 1 else self.ratio()

    def member(self, depth: int) -> Any:
        rng = self.rng
        if depth == 0 or rng.randrange(5):
            made = self.scalar()
            plain = isinstance(made, (bytes, Regex)) or made != made
            return 7 if plain else made
        kind = rng.randrange(3)
        if kind == 0:
            return tuple(self.member(depth - 1) for _ in range(rng.randrange(3)))
        if kind == 1:
            return FrozenMap({self.member(0): self.member(depth - 1)
                              for _ in range(rng.randrange(3))})
        return frozenset(self.member(0) for _ in range(rng.randrange(3)))

    def arrays(self, depth: int) -> Any:
        rng, count = self.rng, self.rng.randrange(5)
        kind = rng.choice("iqfdzo")
        if kind == "o":
            return ObjectArray([self.value(depth - 1) for _ in range(count)])
        if kind == "z":
            return BoolArray([rng.randrange(2) for _ in range(count)])
        item = {"i": lambda: rng.randrange(-2**31, 2**31), "q": self.long,
                "f": lambda: rng.random(), "d": lambda: rng.choice((0.0, 1.0, rng.random()))}
        return array.array(kind, [item[kind]() for _ in range(count)])

    def value(self, depth: int = 4) -> Any:
        rng = self.rng
        if depth == 0 or rng.randrange(3) == 0:
            return self.scalar()
        kind = rng.randrange(10)
        if kind < 2:
            return [self.value(depth - 1) for _ in range(rng.choice((0, 1, 3, 7, 8, 9, 12)))]
        if kind < 4:
            return {self.key(): self.value(depth - 1) for _ in range(rng.choice((0, 1, 2, 4, 9)))}
        if kind == 4:
            return {self.member(depth - 1): self.value(depth - 1)
                    for _ in range(rng.randrange(5))}
        if kind == 5:
            return {self.member(depth - 1) for _ in range(rng.randrange(6))}
        if kind == 6:
            fields = {Keyword(None, "x"): self.value(depth - 1),
                      Keyword(None, "y"): self.value(depth - 1)}
            if rng.randrange(2):
                fields[Keyword(None, "extra")] = self.long()
            return Record("tape.diff.Point", fields)
        if kind == 7:
            return self.arrays(depth)
        if kind == 8:
            return Cached(self.value(depth - 1))
        tag = rng.choice(("t", f"tag/{rng.randrange(40)}"))
        return TaggedValue(tag, [self.value(depth - 1) for _ in range(rng.randrange(3))])

    def wide(self) -> Any:
        """Many names, many structs: indices beyond the packed ones."""
        kind = self.rng.randrange(3)
        if kind == 0:
            return [Keyword(None, f"n{self.rng.randrange(300)}") for _ in range(60)]
        if kind == 1:
            return [TaggedValue(f"w{i % 25}", [i]) for i in range(60)]
        return [Record("tape.diff.Point", {Keyword(None, "x"): self.long(),
                                           Keyword(None, "y"): self.key()}) for _ in range(10)]


# -- which codes are used

def count_codes(data: bytes, into: collections.Counter[str]) -> None:
    """Adds the codes of every object; an independent walk that only knows their sizes."""
    at, structs = 0, []
    while at < len(data):
        at = _step(data, at, into, structs)


_SCALARS = {0xF5: "true", 0xF6: "false", 0xF7: "nil", 0xFB: "double 0", 0xFC: "double 1",
            0xFD: "end", 0xFF: "int -1"}
_ONE = {0xC0: "map", 0xC1: "set", 0xC3: "uuid", 0xC4: "regex", 0xC5: "uri", 0xC6: "bigint",
        0xC7: "bigdec", 0xC8: "inst", 0xC9: "sym", 0xCA: "key", 0xCC: "get", 0xCD: "put",
        0xB0: "long[]", 0xB1: "double[]", 0xB2: "boolean[]", 0xB3: "int[]", 0xB4: "float[]",
        0xB5: "Object[]", 0xEC: "list", 0xED: "closed list", 0xEE: "open list",
        0xF0: "struct", 0xFE: "reset"}
_SIZES = ((0x40, 0, "int 1"), (0x60, 1, "int 2"), (0x70, 2, "int 3"), (0x74, 3, "int 4"),
          (0x78, 4, "int 5"), (0x7C, 5, "int 6"), (0x80, 6, "int 7"))


def _integer(data: bytes, at: int) -> tuple[int, int]:
    code = data[at]
    for limit, size, _ in _SIZES:
        if code < limit:
            zero = {0: 0, 1: 0x50, 2: 0x68, 3: 0x72, 4: 0x76, 5: 0x7A, 6: 0x7E}[size]
            rest = int.from_bytes(data[at + 1:at + 1 + size], "big")
            return (code - zero << 8 * size) | rest, at + 1 + size
    return int.from_bytes(data[at + 1:at + 9], "big"), at + 9


def _step(data: bytes, at: int, into: Any, structs: list[str]) -> int:
    """Counts the code at ``at``; gives where the next one stands (codes are a flat sequence)."""
    code = data[at]
    for limit, size, label in _SIZES:
        if code < limit:
            into[label] += 1
            return at + 1 + size
    if code < 0xA0:
        into["reference"] += 1
    elif code < 0xB0:
        into["struct packed"] += 1
        into[f"tag {structs[code - 0xA0]}"] += 1
    elif code == 0xF0:
        into["struct"] += 1
        index, end = _integer(data, at + 1)
        into[f"tag {structs[index]}"] += 1
        return end
    elif code == 0xEF:
        into["struct type"] += 1
        size = data[at + 1] - 0xDA
        start = at + 2
        if size > 7:
            size, start = _integer(data, at + 2)
        tag = data[start:start + size].decode()
        tag = tag if tag in ("char", "ratio", "record") else "other"
        structs.append(tag)
        into[f"tag {tag}"] += 1
    elif code == 0xCF:
        into["footer"] += 1
        structs.clear()
        return at + 12
    elif 0xD0 <= code <= 0xD7 or 0xDA <= code <= 0xE1:
        into["bytes packed" if code < 0xD8 else "string packed"] += 1
        return at + 1 + (code - (0xD0 if code < 0xD8 else 0xDA))
    elif code in (0xD8, 0xD9, 0xE2, 0xE3):
        into[{0xD8: "bytes chunk", 0xD9: "bytes", 0xE2: "string chunk", 0xE3: "string"}[code]] += 1
        size, start = _integer(data, at + 1)
        return start + size
    elif 0xE4 <= code <= 0xEB:
        into["list packed"] += 1
    elif code == 0xF8:
        into["int 9"] += 1
        return at + 9
    elif code == 0xF9:
        into["float"] += 1
        return at + 5
    elif code == 0xFA:
        into["double"] += 1
        return at + 9
    elif code in _SCALARS:
        into[_SCALARS[code]] += 1
    else:
        into[_ONE[code]] += 1
        if code == 0xFE:
            structs.clear()
    return at + 1
