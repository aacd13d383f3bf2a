"""Single values to and from what the wire holds; both codecs, in Python and in C, use these.

Functions for writing raise ``ValueError`` or ``TypeError`` with a text that the writer puts
behind the path to the value; functions for reading raise ``ValueError`` with what is wrong.
"""

from __future__ import annotations

import datetime as _datetime
import decimal as _decimal
import re as _re
import sys as _sys
from array import array as _array
from fractions import Fraction as _Fraction
from typing import Any
from uuid import UUID as _UUID

from ...errors import DecodeError, EncodeError
from . import codes
from .types import (BigInt, BoolArray, Cached, Char, Float32, FrozenMap, Instant, Keyword,
                    ObjectArray, Record, Regex, Symbol, TaggedValue, URI)

UTC = _datetime.timezone.utc
EPOCH = _datetime.datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = _datetime.timedelta(milliseconds=1)
_YEAR_1 = (_datetime.datetime.min.replace(tzinfo=UTC) - EPOCH) // _MILLISECOND
_YEAR_9999 = (_datetime.datetime.max.replace(tzinfo=UTC) - EPOCH) // _MILLISECOND

# Every digit and every exponent of a Java BigDecimal fits; nothing is ever rounded.
_EXACT = _decimal.Context(prec=_decimal.MAX_PREC, Emax=_decimal.MAX_EMAX,
                          Emin=_decimal.MIN_EMIN, traps=[_decimal.InvalidOperation])


def bigint_bytes(n: int) -> bytes:
    """The shortest two's complement form, at least one byte, big-endian."""
    n = int(n)
    return n.to_bytes((n if n >= 0 else ~n).bit_length() // 8 + 1, "big", signed=True)


# -- moments

def instant_ms(moment: _datetime.datetime, floor: bool = True) -> int:
    """Milliseconds since the epoch, below one rounded down; never through a float."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError("no Fressian encoding for a datetime without a time zone")
    delta = moment - EPOCH
    if not floor and delta.microseconds % 1000:
        raise ValueError("the datetime has microseconds that an inst cannot hold")
    return delta // _MILLISECOND


def make_instant(ms: int) -> _datetime.datetime | Instant:
    """A datetime in UTC, or an Instant where datetime has no such year."""
    if _YEAR_1 <= ms <= _YEAR_9999:
        return EPOCH + _datetime.timedelta(milliseconds=ms)
    return Instant(ms)


# -- numbers

def decimal_parts(value: _decimal.Decimal) -> tuple[int, int]:
    """Unscaled value and scale, as a Java BigDecimal has them."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"no Fressian encoding for the decimal {value}")
    if not -2**31 <= -exponent < 2**31:
        raise ValueError(f"the decimal's exponent {exponent} does not fit 32 bits")
    if len(digits) <= 4000:         # int(str) is refused from 4300 digits on
        unscaled = int("".join(map(str, digits)) or "0")
    else:
        unscaled = int(_decimal.Decimal((0, digits, 0)))
    return (-unscaled if sign else unscaled), -exponent


def make_decimal(unscaled: int, scale: int) -> _decimal.Decimal:
    """An exact Decimal; the exponent stays a number, whatever its size."""
    if -10**4000 < unscaled < 10**4000:
        return _decimal.Decimal(f"{unscaled}E{-scale}")
    return _EXACT.scaleb(_decimal.Decimal(unscaled), -scale)


def ratio_parts(value: _Fraction) -> tuple[int, int]:
    """Numerator and denominator in lowest terms."""
    return int(value.numerator), int(value.denominator)


def make_ratio(numerator: int, denominator: int) -> _Fraction:
    """A Fraction in lowest terms; raises ``ValueError`` for a denominator of 0."""
    if denominator == 0:
        raise ValueError("a ratio with denominator 0")
    return _Fraction(numerator, denominator)


# -- texts that Java parses

# What java.net.URI refuses; square brackets are fine around an IPv6 address only.
_URI_BAD = _re.compile(
    r"[\x00-\x20\x7f-\x9f\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\"<>\\^`{|}\[\]]"
    r"|%(?![0-9A-Fa-f]{2})|#.*#", _re.DOTALL)
_URI_SCHEME = _re.compile(r"([^/?#:]*):(.?)", _re.DOTALL)
_URI_HOST6 = _re.compile(r"((?:[^/?#:]*:)?//(?:[^/?#@\[\]]*@)?)\[([0-9A-Fa-f:.]+(?:%25\w+)?)\]"
                         r"(?=(?::[0-9]*)?(?:[/?#]|$))")


def uri_text(value: URI) -> str:
    """The text, if java.net.URI takes it; else the Clojure reader would lose the message."""
    text = value.text
    checked = _URI_HOST6.sub(r"\1host", text, count=1) if "[" in text else text
    bad = _URI_BAD.search(checked)
    if bad:
        raise ValueError(f"java.net.URI refuses {text!r}: {bad.group()[:1]!r} at {bad.start()}")
    scheme = _URI_SCHEME.match(text)
    if scheme:
        if not _re.fullmatch(r"[A-Za-z][A-Za-z0-9+.\-]*", scheme.group(1)):
            raise ValueError(f"java.net.URI refuses {text!r}: the scheme")
        if scheme.group(2) in ("", "#"):
            raise ValueError(f"java.net.URI refuses {text!r}: nothing after the scheme")
    rest = text[scheme.start(2):] if scheme else text
    if rest.startswith("//") and (len(rest) == 2 or rest[2] in "?#"):
        raise ValueError(f"java.net.URI refuses {text!r}: no authority after //")
    return text


def pattern_text(value: _re.Pattern[Any]) -> str:
    """The text of a Python pattern, its flags as a Java prefix such as ``(?im)``."""
    if not isinstance(value.pattern, str):
        raise ValueError("no Fressian encoding for a pattern of bytes")
    flags = value.flags & ~_re.UNICODE
    letters = ""
    for letter, flag in (("i", _re.I), ("m", _re.M), ("s", _re.S), ("x", _re.X)):
        if flags & flag:
            letters += letter
            flags &= ~flag
    if flags & ~_re.ASCII:
        raise ValueError(f"Java has no letter for the pattern's flags {_re.RegexFlag(flags)!r}")
    return f"(?{letters}){value.pattern}" if letters else value.pattern


# -- arrays

_ITEM_CODE = {("i", 4): codes.INT_ARRAY, ("i", 8): codes.LONG_ARRAY,
              ("f", 4): codes.FLOAT_ARRAY, ("f", 8): codes.DOUBLE_ARRAY}
_ARRAY_TYPECODE = {codes.INT_ARRAY: "i", codes.LONG_ARRAY: "q",
                   codes.FLOAT_ARRAY: "f", codes.DOUBLE_ARRAY: "d"}
_NUMPY_DTYPE = {codes.INT_ARRAY: "i4", codes.LONG_ARRAY: "i8",
                codes.FLOAT_ARRAY: "f4", codes.DOUBLE_ARRAY: "f8"}


def array_parts(value: _array[Any]) -> tuple[int, Any]:
    """The array code, and the items as a native-endian contiguous memoryview."""
    kind = "f" if value.typecode in "fd" else "i" if value.typecode in "ilq" else ""
    code = _ITEM_CODE.get((kind, value.itemsize))
    if code is None:
        raise ValueError(f"no Fressian encoding for an array of type {value.typecode!r}")
    return code, memoryview(value).cast("B")


def numpy_parts(value: Any) -> tuple[int, Any]:
    """As :func:`array_parts`, for a 1-d numpy array; Object[] and boolean[] come as lists."""
    if value.ndim != 1:
        raise ValueError(f"no Fressian encoding for a numpy array of {value.ndim} dimensions")
    kind, size = value.dtype.kind, value.dtype.itemsize
    if kind == "O":
        return codes.OBJECT_ARRAY, value.tolist()
    if kind == "b":
        return codes.BOOLEAN_ARRAY, value.tolist()
    code = _ITEM_CODE.get((kind, size))
    if code is None:
        raise ValueError(f"no Fressian encoding for a numpy array of {value.dtype}")
    return code, value.astype(value.dtype.newbyteorder("="), copy=False).tobytes()


def numpy_scalar(value: Any) -> Any:
    """The Python value of a numpy scalar, or ``ValueError``."""
    kind, size = value.dtype.kind, value.dtype.itemsize
    if kind in "iu":
        return int(value)
    if kind == "b":
        return bool(value)
    if kind == "f" and size == 8:
        return float(value)
    if kind == "f" and size == 4:
        return Float32(value)
    raise ValueError(f"no Fressian encoding for numpy.{value.dtype}")


def make_array(code: int, raw: bytes) -> _array[Any]:
    """An ``array.array`` from native-endian items."""
    return _array(_ARRAY_TYPECODE[code], raw)


def make_numpy(code: int, raw: bytes) -> Any:
    """A writable numpy array from native-endian items (bools for boolean[])."""
    import numpy
    dtype = "?" if code == codes.BOOLEAN_ARRAY else _NUMPY_DTYPE[code]
    return numpy.frombuffer(bytearray(raw), dtype=dtype)


# -- cache keys

def cache_key(value: Any) -> Any:
    """What Java's ``equals`` compares, as a hashable value: type and content.

    Arrays, byte strings and tagged values are equal only to themselves in Java. ``id`` is
    enough for them because the writer keeps what it has cached alive.
    """
    kind = type(value)
    if kind in (str, Keyword, Symbol, Char, URI, Regex, type(None), bool):
        return (kind, value)
    if kind is Cached:
        return cache_key(value.value)
    if isinstance(value, int) and not isinstance(value, bool):
        small = kind is not BigInt and codes.LONG_MIN <= value <= codes.LONG_MAX
        return ("int" if small else "bigint", int(value))
    if isinstance(value, float):
        return ("float" if kind is Float32 else "double", float(value).hex())
    if isinstance(value, _decimal.Decimal):
        return ("bigdec", decimal_parts(value))
    if isinstance(value, (_Fraction, _UUID)):
        return (kind, value)
    if isinstance(value, _datetime.datetime):
        rest = value.microsecond % 1000     # no two moments share an entry
        return ("inst", instant_ms(value), rest) if rest else ("inst", instant_ms(value))
    if kind is Instant:
        return ("inst", value.ms)
    if kind in (list, tuple):
        return ("list", tuple(map(cache_key, value)))
    if kind in (dict, FrozenMap):
        return ("map", frozenset((cache_key(k), cache_key(v)) for k, v in value.items()))
    if kind in (set, frozenset):
        return ("set", frozenset(map(cache_key, value)))
    if kind is Record:
        return ("record", value.type_name, cache_key(value.fields))
    return ("is", id(value))


# -- values in key and member positions

_LEAVES = frozenset((type(None), bool, int, float, str, bytes, Keyword, Symbol, BigInt, Float32,
                     Char, URI, Regex, Instant, _decimal.Decimal, _Fraction, _UUID,
                     _datetime.datetime, BoolArray))


def freeze(value: Any, memo: dict[int, Any]) -> Any:
    """``value`` with tuples, FrozenMaps and frozensets; each shared part is copied once."""
    kind = type(value)
    if kind in _LEAVES:
        return value
    known = memo.get(id(value))
    if known is not None:
        return known[0]
    frozen: Any = value
    if kind in (list, tuple):
        frozen = tuple([freeze(item, memo) for item in value])
    elif kind in (dict, FrozenMap):
        frozen = FrozenMap({k: freeze(v, memo) for k, v in value.items()})
    elif kind in (set, frozenset):
        frozen = frozenset(value)
    elif kind is ObjectArray:
        frozen = ObjectArray([freeze(item, memo) for item in value])
    elif kind is TaggedValue:
        frozen = TaggedValue(freeze(value.tag, memo), freeze(value.values, memo))
    elif kind is Record:
        frozen = Record(value.type_name, freeze(value.fields, memo))
    memo[id(value)] = (frozen, value)
    return frozen


SAME_HASH_MAX = 64


def check_collisions(keys: Any) -> None:
    """Refuses keys chosen to have one hash: they would make a dict quadratic.

    Hashes of numbers are not randomised, so a message can hold any number of big integers with
    the same hash. Texts, names and small integers cannot be chosen so.
    """
    counts: dict[int, int] = {}
    for key in keys:
        kind = type(key)
        if kind in (str, Keyword, Symbol) or (kind is int and -2**63 <= key < 2**63):
            continue
        number = hash(key)
        counts[number] = count = counts.get(number, 0) + 1
        if count > SAME_HASH_MAX:
            raise ValueError("too many keys with the same hash")


# -- errors

def run_reader(function: Any, parts: Any, what: str, at: int) -> Any:
    """What a registered reader makes of the components; its errors become a DecodeError."""
    try:
        return function(*parts)
    except Exception as error:
        raise DecodeError(f"{what} failed at byte {at}: {type(error).__name__}: {error}",
                          offset=at) from error


def _as_read(key: Any) -> Any:
    """A key as a reader with keywords="str" gets it, for comparing."""
    if type(key) is Keyword:
        return str(key)[1:]
    if type(key) in (tuple, frozenset):
        return type(key)(map(_as_read, key))
    return key


def keys_clash(keys: Any) -> bool:
    """Whether keys, or members, are different here and equal to a reader with keywords="str"."""
    if all(type(key) is str for key in keys):
        return False
    try:
        return len(set(map(_as_read, keys))) < len(keys)
    except (TypeError, RecursionError):  # the writer tells these by itself
        return False


def encode_error(message: str, segments: Any, cause: BaseException | None) -> EncodeError:
    """The error with the path to the value; ``segments`` are (kind, key), outermost first."""
    path = path_text(segments)
    place = path if len(path) <= 200 else f"{path[:100]}...({len(path)} characters)...{path[-50:]}"
    error = EncodeError(f"{place}: {message}", path=path, hint=hint_for(message))
    error.__cause__ = cause
    return error


# What to do about a refusal, by how its text begins; both writers use the same texts.
_HINTS = (
    ("no Fressian encoding for a datetime", "give it a time zone: .astimezone() or "
                                            ".replace(tzinfo=...)"),
    ("the datetime has microseconds", 'round it first, or pass datetimes="truncate"'),
    ("nested deeper", "pass a larger max_depth= (up to 4000), or break the circle"),
    ("str and keywords that are equal", 'give them other names, or pass clashes="tagged"'),
    ("a cached value is nested", "cache its parts, or break the circle"),
    ("more than max_size", "write several messages, or pass a larger max_size="),
    ("changed while", "encode a copy, or keep other threads from it meanwhile"),
    ("java.net.URI refuses", "escape it as %XX, or write the text as a str"),
    ("Java has no letter", "write a Regex with the text that Java is to parse"),
    ("no Fressian encoding for an array", "write a list, or an array of type i, q, f or d"),
    ("no Fressian encoding for a numpy", "convert it first: .tolist(), .ravel() or .astype()"),
    ("no Fressian encoding for a memoryview", "write bytes(view)"),
    ("no Fressian encoding for a pattern of bytes", "write a pattern of text, or the bytes"),
    ("no Fressian encoding for a struct", "use a text as the tag, as Clojure's handlers do"),
    ("a TaggedValue cannot stand", "write a value of that type; see docs/fressian.md"),
)
_ANY_CLASS = ("register the class (handlers=, Handlers.register), decorate a dataclass with "
              "Handlers.record, or pass default= a function that gives something written")


def hint_for(message: str) -> str:
    """What to do about a value that cannot be written; never empty."""
    if "the limit is max_count" in message:
        return "write several messages, or pass a larger max_count="
    for begin, hint in _HINTS:
        if message.startswith(begin):
            return hint
    return _ANY_CLASS


# -- paths

def path_text(segments: Any) -> str:
    """``$.orders[3].price`` from (kind, key) pairs, outermost first."""
    text = "$"
    for kind, key in segments:
        if kind == "index":
            text += f"[{key}]"
        elif kind == "key":
            text += ".<key>"
        elif kind == "member":
            text += ".<member>"
        else:
            text += _segment(key)
    return text


def _segment(key: Any) -> str:
    if isinstance(key, str) and key.isidentifier():
        return f".{key}"
    if type(key) is Keyword:
        return f".{key.name}" if key.ns is None and key.name.isidentifier() else f"[{key}]"
    text = repr(key)
    return f"[{text if len(text) <= 60 else text[:57] + '...'}]"


BIG_ENDIAN = _sys.byteorder == "big"
