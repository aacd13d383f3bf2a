"""EDN text: what Clojure prints, for every value that the Fressian codec reads, and back.

>>> from tape.codecs.fressian import kw
>>> print(dumps({kw("order/id"): ["a", 1.5, None]}))
{:order/id ["a" 1.5 nil]}
>>> loads('{:order/id ["a" 1.5 nil]}')
{kw('order/id'): ['a', 1.5, None]}

Values without an EDN form of their own have tags: ``#fressian/float 1.5``, ``#fressian/bytes
"0aff"``, ``#fressian/uri "a:b"``, ``#fressian/tagged ["tag" [1]]``, ``#fressian/int-array [1 2]``
and so on; records print as ``#my.ns.Point{:x 1}``.
"""

from __future__ import annotations

import array as _array
import datetime as _datetime
import decimal as _decimal
import fractions as _fractions
import math as _math
import re as _re
import uuid as _uuid
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import DecodeError, EncodeError
from .fressian import _convert
from .fressian.types import (BigInt, BoolArray, Cached, Char, Float32, FrozenMap, Instant,
                             Keyword, ObjectArray, Record, Regex, Symbol, TaggedValue, URI)

__all__ = ["decode", "dumps", "encode", "framing", "loads", "name"]

name = "edn"
framing = "bytes"
MAX_DEPTH = 400

_CHARS = {"newline": "\n", "space": " ", "tab": "\t", "return": "\r", "formfeed": "\f",
          "backspace": "\b"}
_CHAR_NAMES = {text: name for name, text in _CHARS.items()}
_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\", "\f": "\\f",
            "\b": "\\b"}
_UNESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "f": "\f", "b": "\b"}
_ARRAYS = {"i": "int-array", "q": "long-array", "l": "long-array", "f": "float-array",
           "d": "double-array"}


# -- printing

def dumps(value: Any) -> str:
    """The value as EDN text in one line.

    Raises:
        EncodeError: something in it has no EDN text, or it is nested deeper than 400 levels.

    >>> from tape.codecs.fressian import BigInt, Char
    >>> dumps([BigInt(5), Char("a"), b"\\x0a", True])
    '[5N \\\\a #fressian/bytes "0a" true]'
    """
    parts: list[str] = []
    _print(value, parts, 0)
    return "".join(parts)


def _print(value: Any, out: list[str], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise EncodeError(f"nested deeper than {MAX_DEPTH} levels",
                          hint="print its parts, or break the circle")
    scalar = _SCALARS.get(type(value))
    if scalar is not None:
        out.append(scalar(value))
        return
    for kind, printer in _PRINTERS:
        if isinstance(value, kind):
            printer(value, out, depth + 1)
            return
    raise EncodeError(f"no EDN text for {type(value).__qualname__}",
                      hint="turn it into a value that Fressian has: docs/fressian.md lists them")


def _text(value: str) -> str:
    made = []
    for c in value:
        if c in _ESCAPES:
            made.append(_ESCAPES[c])
        elif c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff":
            made.append(f"\\u{ord(c):04x}")
        else:
            made.append(c)
    return f'"{"".join(made)}"'


def _double(value: float) -> str:
    if _math.isnan(value):
        return "##NaN"
    if _math.isinf(value):
        return "##Inf" if value > 0 else "##-Inf"
    return float.__repr__(value)


def _decimal_text(value: _decimal.Decimal) -> str:
    return f"{value}M"


def _char(value: Char) -> str:
    text = str(value)
    if text in _CHAR_NAMES:
        return f"\\{_CHAR_NAMES[text]}"
    return f"\\{text}" if text.isprintable() and not text.isspace() else f"\\u{int(value):04x}"


def _inst(value: _datetime.datetime) -> str:
    ms = _convert.instant_ms(value)
    made = _convert.make_instant(ms)
    if isinstance(made, Instant):
        return f"#fressian/inst {ms}"
    text = made.strftime("%m-%dT%H:%M:%S")
    return f'#inst "{made.year:04}-{text}.{made.microsecond // 1000:03}-00:00"'


def _plain(value: Keyword | Symbol, pattern: _re.Pattern[str]) -> bool:
    return pattern.fullmatch(str(value)) is not None and _parts(str(value)) == (
        value.ns, value.name)


def _parts(text: str) -> tuple[str | None, str]:
    text = text.removeprefix(":")
    ns, slash, last = text.partition("/")
    return (ns, last) if slash and ns and last else (None, text)


_NAME = r"[A-Za-z*!_?$%&=<>+\-.][\w*!?$%&=<>+\-.'#:]*"
_SYMBOL = _re.compile(rf"(?:{_NAME}/)?{_NAME}|/")
_KEYWORD = _re.compile(r":(?:[\w*!?$%&=<>+\-.'#]+/)?[\w*!?$%&=<>+\-.'#]+")
_NUMBER_LIKE = _re.compile(r"[+-]?[0-9]")


def _keyword(value: Keyword) -> str:
    if _plain(value, _KEYWORD):
        return str(value)
    return f"#fressian/key [{_name_part(value.ns)} {_text(value.name)}]"


def _symbol(value: Symbol) -> str:
    text = str(value)
    if _plain(value, _SYMBOL) and text not in ("nil", "true", "false") and not \
            _NUMBER_LIKE.match(text):
        return text
    return f"#fressian/sym [{_name_part(value.ns)} {_text(value.name)}]"


def _name_part(ns: str | None) -> str:
    return "nil" if ns is None else _text(ns)


def _int(value: int) -> str:
    try:
        return f"{int(value)}" if -2**63 <= value < 2**63 else f"{int(value)}N"
    except ValueError:                  # more digits than Python prints
        return f'#fressian/bigint "{_convert.bigint_bytes(value).hex()}"'


_SCALARS: dict[type, Callable[[Any], str]] = {
    type(None): lambda v: "nil", bool: lambda v: "true" if v else "false", str: _text,
    int: _int, BigInt: lambda v: f"{int(v)}N", float: _double,
    Float32: lambda v: f"#fressian/float {_double(v)}", _decimal.Decimal: _decimal_text,
    _fractions.Fraction: lambda v: f"{v.numerator}/{v.denominator}" if v.denominator != 1
    else f"{v.numerator}N",
    Keyword: _keyword, Symbol: _symbol, Char: _char, _datetime.datetime: _inst,
    Instant: lambda v: f"#fressian/inst {v.ms}", _uuid.UUID: lambda v: f'#uuid "{v}"',
    URI: lambda v: f"#fressian/uri {_text(v.text)}",
    Regex: lambda v: f"#fressian/regex {_text(v.text)}",
    bytes: lambda v: f'#fressian/bytes "{v.hex()}"',
    bytearray: lambda v: f'#fressian/bytes "{v.hex()}"',
}


def _sequence(value: Any, out: list[str], depth: int, begin: str = "[", end: str = "]") -> None:
    out.append(begin)
    for number, item in enumerate(value):
        if number:
            out.append(" ")
        _print(item, out, depth)
    out.append(end)


def _map(value: Any, out: list[str], depth: int) -> None:
    out.append("{")
    for number, (key, item) in enumerate(value.items()):
        if number:
            out.append(", ")
        _print(key, out, depth)
        out.append(" ")
        _print(item, out, depth)
    out.append("}")


def _record(value: Record, out: list[str], depth: int) -> None:
    if _SYMBOL.fullmatch(value.type_name) and "." in value.type_name:
        out.append(f"#{value.type_name}")
        _map(value.fields, out, depth)
    else:
        out.append(f"#fressian/record [{_text(value.type_name)} ")
        _map(value.fields, out, depth)
        out.append("]")


def _tagged(value: TaggedValue, out: list[str], depth: int) -> None:
    out.append("#fressian/tagged [")
    _print(value.tag, out, depth)
    out.append(" ")
    _sequence(value.values, out, depth)
    out.append("]")


def _numbers(value: Any, out: list[str], depth: int) -> None:
    out.append(f"#fressian/{_ARRAYS[value.typecode]} ")
    _sequence(value, out, depth)


def _tag(tag: str) -> Callable[[Any, list[str], int], None]:
    def printer(value: Any, out: list[str], depth: int) -> None:
        out.append(f"#fressian/{tag} ")
        _sequence(value, out, depth)
    return printer


_PRINTERS: tuple[tuple[Any, Callable[[Any, list[str], int], None]], ...] = (
    (Cached, lambda v, out, depth: _print(v.value, out, depth)),
    (BoolArray, _tag("boolean-array")), (ObjectArray, _tag("object-array")),
    (Record, _record), (TaggedValue, _tagged), (_array.array, _numbers),
    (Mapping, _map), ((list, tuple), _sequence),
    ((set, frozenset), lambda v, out, depth: _sequence(v, out, depth, "#{", "}")),
)


# -- reading

def loads(text: str) -> Any:
    """The value of one EDN form. Lists and vectors both become lists, as from Fressian.

    Raises:
        DecodeError: no EDN, a tag that is not known, equal keys; ``offset`` counts characters.

    >>> loads('#{1 2N} ; two')== {1, 2}, loads('[\\\\a #uri "a:b"]')
    (True, [Char('a'), URI('a:b')])
    """
    parser = _Parser(text)
    value = parser.form(0, False)
    parser.skip(0)
    if parser.at < len(text):
        parser.fail("text after the form")
    return value


def encode(obj: Any) -> bytes:
    """The EDN text of a message as UTF-8."""
    return dumps(obj).encode("utf-8", "surrogatepass")


def decode(view: memoryview) -> Any:
    """The value of a message of EDN text."""
    try:
        return loads(str(view, "utf-8"))
    except UnicodeDecodeError as error:
        raise DecodeError(f"not UTF-8 at byte {error.start}", offset=error.start) from None


_SPACE = _re.compile(r"(?:[\s,]+|;[^\n]*)*")
_TOKEN = _re.compile(r"[^\s,;\"(){}\[\]]+")
_INTEGER = _re.compile(r"([+-]?[0-9]+)(N?)")
_RATIO = _re.compile(r"([+-]?[0-9]+)/([0-9]+)")
_FLOAT = _re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)(M?)")
_STRING = _re.compile(r'"((?:[^"\\]|\\.)*)"', _re.DOTALL)
_UNIT = _re.compile(r"\\u([0-9A-Fa-f]{4})|\\(.)", _re.DOTALL)
_WORDS: dict[str, Any] = {"nil": None, "true": True, "false": False}
_CLOSE = {"(": ")", "[": "]", "{": "}"}


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fail(self, message: str, at: int | None = None) -> Any:
        at = self.at if at is None else at
        raise DecodeError(f"{message} at character {at}", offset=at)

    def skip(self, depth: int) -> None:
        """Over blanks, comments and forms behind ``#_``."""
        while True:
            self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
            if not self.text.startswith("#_", self.at):
                return
            self.at += 2
            self.form(depth + 1, False)

    def form(self, depth: int, hashed: bool) -> Any:
        """One form; ``hashed``: in key or member position."""
        if depth > MAX_DEPTH:
            self.fail(f"nested deeper than {MAX_DEPTH} levels")
        self.skip(depth)
        start = self.at
        c = self.text[start:start + 1]
        if not c:
            self.fail("the text ends before a form")
        if c in "([":
            items = self.until(_CLOSE[c], depth, hashed)
            return tuple(items) if hashed else items
        if c == "{":
            return self.map(depth, hashed, start)
        if c == '"':
            return self.string()
        if c == "\\":
            return self.char()
        if c == "#":
            return self.dispatch(depth, hashed, start)
        if c in ")]}":
            self.fail(f"{c} without a beginning")
        return self.word(self.token())

    def token(self) -> str:
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            return str(self.fail("no form"))
        self.at = found.end()
        return found.group()

    def until(self, close: str, depth: int, hashed: bool) -> list[Any]:
        self.at += 1
        items: list[Any] = []
        while True:
            self.skip(depth)
            if self.text.startswith(close, self.at):
                self.at += 1
                return items
            items.append(self.form(depth + 1, hashed))

    def map(self, depth: int, hashed: bool, start: int) -> Any:
        self.at += 1
        made: dict[Any, Any] = {}
        count = 0
        while True:
            self.skip(depth)
            if self.text.startswith("}", self.at):
                self.at += 1
                break
            key = self.form(depth + 1, True)
            self.skip(depth)
            if self.text.startswith("}", self.at):
                self.fail("a map with a key without a value", start)
            made[self.hashable(key, start)] = self.form(depth + 1, hashed)
            count += 1
        if len(made) != count:
            self.fail("a map with keys that are equal in Python", start)
        return FrozenMap(made) if hashed else made

    def hashable(self, key: Any, start: int) -> Any:
        try:
            hash(key)
        except TypeError:
            self.fail("a key that cannot be hashed", start)
        return key

    def string(self) -> str:
        found = _STRING.match(self.text, self.at)
        if found is None:
            return str(self.fail("a string without an end"))
        start, self.at = self.at, found.end()

        def unescape(match: _re.Match[str]) -> str:
            if match.group(1):
                return chr(int(match.group(1), 16))
            if match.group(2) not in _UNESCAPES:
                self.fail(f"no such escape: \\{match.group(2)}", start)
            return _UNESCAPES[match.group(2)]
        text = _UNIT.sub(unescape, found.group(1))
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")

    def char(self) -> Char:
        start = self.at
        self.at += 1
        first = self.text[self.at:self.at + 1]
        if not first:
            self.fail("the text ends in a character")
        self.at += 1
        rest = _TOKEN.match(self.text, self.at)
        if rest is not None and (first.isalnum()):
            first += rest.group()
            self.at = rest.end()
        if len(first) == 1:
            if ord(first) > 0xFFFF:
                self.fail("a character above U+FFFF", start)
            return Char(first)
        if first in _CHARS:
            return Char(_CHARS[first])
        if _re.fullmatch("u[0-9A-Fa-f]{4}", first):
            return Char(int(first[1:], 16))
        return Char(int(self.fail(f"no such character: \\{first}", start)))

    def word(self, token: str) -> Any:
        start = self.at - len(token)
        if token in _WORDS:
            return _WORDS[token]
        try:
            if found := _INTEGER.fullmatch(token):
                number = int(found.group(1))
                small = -2**63 <= number < 2**63
                return BigInt(number) if found.group(2) and small else number
            if found := _RATIO.fullmatch(token):
                return _convert.make_ratio(int(found.group(1)), int(found.group(2)))
            if found := _FLOAT.fullmatch(token):
                return _decimal.Decimal(found.group(1)) if found.group(2) else float(
                    found.group(1))
        except ValueError as error:
            self.fail(str(error), start)
        if _KEYWORD.fullmatch(token):
            return Keyword(*_parts(token))
        if _SYMBOL.fullmatch(token):
            return Symbol(*_parts(token))
        return self.fail(f"no EDN: {token}", start)

    def dispatch(self, depth: int, hashed: bool, start: int) -> Any:
        """What begins with ``#``: sets, regular expressions, special numbers, tags."""
        follow = self.text[start + 1:start + 2]
        self.at += 1
        if follow == "{":
            items = self.until("}", depth, True)
            made = frozenset(self.hashable(item, start) for item in items)
            if len(made) != len(items):
                self.fail("a set with members that are equal in Python", start)
            return made if hashed else set(made)
        if follow == '"':
            found = _STRING.match(self.text, self.at)
            if found is None:
                self.fail("a pattern without an end", start)
            self.at = found.end()  # type: ignore[union-attr]
            return Regex(found.group(1))  # type: ignore[union-attr]
        if follow == "#":
            special = {"#NaN": _math.nan, "#Inf": _math.inf, "#-Inf": -_math.inf}
            token = self.token()
            return special[token] if token in special else self.fail(f"no EDN: #{token}", start)
        tag = self.token()
        value = self.form(depth + 1, hashed)
        try:
            return self.tagged(tag, value, start)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            if isinstance(error, DecodeError):
                raise
            return self.fail(f"#{tag}: {error}", start)

    def tagged(self, tag: str, value: Any, start: int) -> Any:
        reader = _TAGS.get(tag.removeprefix("fressian/") if tag.startswith("fressian/") else
                           tag if tag in ("inst", "uuid", "uri") else "")
        if reader is not None:
            return reader(value)
        if "." in tag and isinstance(value, (dict, FrozenMap)):
            return Record(tag, value)
        return self.fail(f"no reader for #{tag}", start)


def _read_inst(value: Any) -> Any:
    if isinstance(value, int):
        return _convert.make_instant(value)
    moment = _datetime.datetime.fromisoformat(_inst_text(value))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_convert.UTC)
    return _convert.make_instant(_convert.instant_ms(moment))


_INST = _re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?"
                    r"(Z|[+-]\d\d:\d\d)?)?)?)?")


def _inst_text(value: str) -> str:
    """RFC 3339 with Clojure's omissions, as Python before 3.11 can read it too."""
    found = _INST.fullmatch(value)
    if found is None:
        raise ValueError(f"no moment: {value}")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    zone = "+00:00" if zone in (None, "Z", "-00:00") else zone
    return (f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:"
            f"{second or '00'}.{(fraction or '0')[:6]:0<6}{zone}")


_TAGS: dict[str, Callable[[Any], Any]] = {
    "inst": _read_inst, "uuid": _uuid.UUID, "uri": URI, "regex": Regex, "float": Float32,
    "bytes": bytes.fromhex, "key": lambda v: Keyword(*v), "sym": lambda v: Symbol(*v),
    "bigint": lambda v: int.from_bytes(bytes.fromhex(v), "big", signed=True),
    "record": lambda v: Record(*v), "tagged": lambda v: TaggedValue(v[0], v[1]),
    "int-array": lambda v: _array.array("i", v), "long-array": lambda v: _array.array("q", v),
    "float-array": lambda v: _array.array("f", v),
    "double-array": lambda v: _array.array("d", v),
    "boolean-array": BoolArray, "object-array": ObjectArray, "cached": lambda v: v,
}
