"""The writer in Python: the oracle for the one in C, in the order of docs/fressian.md.

It walks a value with a stack of its own, so that depth costs no Python frames.
"""

from __future__ import annotations

import re as _re
from collections.abc import Iterable, Iterator
from itertools import chain as _chain
from itertools import islice as _islice
from operator import length_hint as _length_hint
from struct import Struct as _Struct
from typing import Any, NamedTuple

from ...errors import EncodeError
from . import _convert, codes, handlers as _h
from ._options import Options
from ._pack import SMALL as _SMALL
from ._pack import pack_bytes, pack_double, pack_float, pack_int, pack_text
from .types import Cached, FrozenMap, Keyword, Symbol, TaggedValue, _split

__all__ = ["Encoder"]



class _Frame(NamedTuple):
    """One container that is being written."""

    iterator: Iterator[Any]     # what is still to be written of it
    container: Any
    size: int                   # as declared on the wire, or -1: not to be checked
    where: str = ""             # how a path names its parts: "", "index", "member" or "map"
    end: bytes = b""
    items: Any = None           # of a map: its entries, as a re-iterable and
    entries: Any = None         # as the iterator in use, whose length hint tells where we are


class _Refused(Exception):
    """Inside the writer: one value cannot be written, for this reason."""


def _list_head(count: int) -> bytes:
    if count < 8:
        return bytes((codes.LIST_PACKED + count,))
    return b"\xec" + pack_int(count)


def _long(value: int) -> bytes:
    if codes.LONG_MIN <= value <= codes.LONG_MAX:
        return pack_int(value)
    return b"\xc6" + pack_bytes(_convert.bigint_bytes(value))


_new: Any = tuple.__new__           # of a _Frame: half the time of calling it
_double = _Struct(">Bd").pack
_LIST_HEADS = [_list_head(count) for count in range(64)]
_MAP_HEADS = [b"\xc0" + _list_head(2 * count) for count in range(64)]
_TEXT_HEADS = [bytes((0xDA + size,)) if size < 8 else b"\xe3" + pack_int(size)
               for size in range(256)]


class Encoder:
    """Writes objects with one pair of caches; each call gives the bytes of one object.

    After an error nothing of the object is given out and the caches are emptied, which the next
    bytes say with a reset.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._registry = options.handlers
        self._dispatch = options.handlers.dispatch
        self._cache: dict[Any, int] = {}
        self._structs: dict[Any, int] = {}
        self._kept: list[Any] = []          # what was cached by identity stays alive
        self._out = bytearray()
        self._reset_due = False

    # -- calls

    def write(self, value: Any, cache: bool = False) -> bytes:
        """The bytes of one object; with ``cache`` it is put into the priority cache."""
        self._begin()
        try:
            self._object(Cached(value) if cache else value)
        except BaseException:
            self._fail()
            raise
        return self._end()

    def tag(self, tag: Any, count: int) -> bytes:
        """The head of a struct written by hand; ``count`` components have to follow."""
        if not 0 <= count <= codes.COUNT_MAX:
            raise ValueError(f"a struct has 0 to 2**31 - 1 components, not {count}")
        self._begin()
        try:
            code = codes.CODE_OF_TAG.get(tag) if isinstance(tag, str) else None
            if code is not None:
                self._out.append(code)
            else:
                self._struct_head(tag, count)
        except BaseException:
            self._fail()
            raise
        return self._end()

    def reset(self) -> None:
        """Forgets both caches; the caller writes the code that says so, or a footer."""
        self._cache.clear()
        self._structs.clear()
        self._kept.clear()
        self._reset_due = False

    def _begin(self) -> None:
        self._out = bytearray(b"\xfe" if self._reset_due else b"")

    def _end(self) -> bytes:
        self._reset_due = False
        return bytes(self._out)

    def _fail(self) -> None:
        dirty = bool(self._cache or self._structs or self._reset_due)
        self.reset()
        self._reset_due = dirty

    # -- the walk

    def _object(self, root: Any) -> None:
        out, options = self._out, self._options
        max_depth, max_size = options.max_depth, options.max_size
        max_count = min(options.max_count, codes.COUNT_MAX // 2)
        plain = not (options.sort or options.keywords_as_str)
        small_int, pack_long, double = _SMALL.get, _long, _double
        new, flatten = _new, _chain.from_iterable
        stack: list[_Frame] = []
        frame = _single(root)
        iterator = frame[0]
        value: Any = root
        try:
            while True:
                for value in iterator:
                    kind = type(value)
                    if kind is str:
                        if value.isascii():
                            size = len(value)
                            if size < 256:
                                out += _TEXT_HEADS[size]
                                out += value.encode()
                            else:
                                out += pack_text(value)
                        else:
                            out += pack_text(value)
                        continue
                    if kind is int:
                        small = small_int(value)
                        out += small if small is not None else pack_long(value)
                        continue
                    if kind is Keyword:
                        self._name(codes.KEY, value.ns, value.name)
                        continue
                    if kind is float:
                        if value == 0.0 or value == 1.0 or value != value:
                            out += pack_double(value, options.negative_zero)
                        else:
                            out += double(0xFA, value)
                        continue
                    if value is None:
                        out.append(0xF7)
                        continue
                    if kind is dict and plain:
                        count = len(value)
                        if count > max_count:
                            self._count(value)          # refuses
                        out += _MAP_HEADS[count] if count < 64 else b"\xc0" + _list_head(2 * count)
                        items = value.items()
                        entries = iter(items)
                        opened: Any = new(_Frame, (flatten(entries), value, count, "map", b"",
                                                   items, entries))
                    elif kind is list:
                        count = len(value)
                        if count > max_count:
                            self._count(value)
                        out += _LIST_HEADS[count] if count < 64 else _list_head(count)
                        opened = new(_Frame, (iter(value), value, count, "index", b"", None, None))
                    elif kind is bool:
                        out.append(0xF5 if value else 0xF6)
                        continue
                    else:
                        opened = self._other(value, kind)
                        if opened is None:
                            continue
                    if len(stack) >= max_depth:
                        raise _Refused(f"nested deeper than {max_depth} levels"
                                       " (a value that contains itself?)")
                    stack.append(frame)
                    frame = opened
                    iterator = frame[0]
                    break
                else:
                    _, whole, count, _, end, _, _ = frame
                    if count >= 0 and len(whole) != count:
                        raise _Refused("changed while it was encoded")
                    if end:
                        out += end
                    if not stack:
                        break
                    value = whole
                    frame = stack.pop()
                    iterator = frame[0]
                if len(out) > max_size:
                    break
            if len(out) > max_size:
                stack, frame = [], _single(root)
                raise _Refused(f"more than max_size={max_size} bytes")
        except _Refused as error:
            raise _error(str(error), stack, frame, value) from error.__cause__
        except RuntimeError as error:
            if _MUTATED.search(str(error)) is None:
                raise
            raise _error("changed while it was encoded", stack, frame, value) from None

    def _other(self, value: Any, kind: type) -> _Frame | None:
        """Writes anything but text, integers and keywords; gives a frame for a container."""
        if kind is _Fields:
            return self._fields(value)
        how = self._dispatch.get(kind)
        if how is None:
            how = self._registry.resolve(kind)
        if type(how) is tuple:
            return self._handled(value, how)
        if how == _h.UNKNOWN or how == _h.REFUSED:
            return self._unknown(value)
        try:
            opened: _Frame | None = _METHODS[how](self, value)
            return opened
        except EncodeError:
            raise                           # of a key that was encoded for sorting
        except (ValueError, TypeError, OverflowError) as error:
            raise _Refused(str(error)) from error

    def _handled(self, value: Any, how: tuple[Any, ...]) -> _Frame:
        style, tag, function = how
        made = function(value)
        if style == "convert":
            return _single(made)
        parts = tuple(made)
        self._struct_head(tag, len(parts))
        return _Frame(iter(parts), parts, len(parts), "index")

    def _unknown(self, value: Any) -> _Frame:
        if self._options.default is None:
            raise _Refused(f"no Fressian encoding for {type(value).__qualname__}")
        return _single(self._options.default(value))

    # -- scalars

    def _nil(self, value: None) -> None:
        self._out.append(codes.NULL)

    def _bool(self, value: bool) -> None:
        self._out.append(codes.TRUE if value else codes.FALSE)

    def _int(self, value: int) -> None:
        small = _SMALL.get(value)
        if small is not None:
            self._out += small
        elif codes.LONG_MIN <= value <= codes.LONG_MAX:
            self._out += pack_int(int(value))
        else:
            self._bigint(value)

    def _double(self, value: float) -> None:
        self._out += pack_double(value, self._options.negative_zero)

    def _float32(self, value: float) -> None:
        self._out += pack_float(value)

    def _text(self, value: str) -> None:
        self._out += pack_text(str.__str__(value))

    def _bytes(self, value: Any) -> None:
        if type(value) is memoryview and (value.ndim != 1 or not value.c_contiguous):
            raise ValueError("no Fressian encoding for a memoryview that is not contiguous bytes")
        self._out += pack_bytes(bytes(value))

    def _bigint(self, value: int) -> None:
        self._out.append(codes.BIGINT)
        self._out += pack_bytes(_convert.bigint_bytes(value))

    def _decimal(self, value: Any) -> None:
        unscaled, scale = _convert.decimal_parts(value)
        self._out.append(codes.BIGDEC)
        self._out += pack_bytes(_convert.bigint_bytes(unscaled))
        self._out += pack_int(scale)

    def _fraction(self, value: Any) -> None:
        numerator, denominator = _convert.ratio_parts(value)
        if denominator != 1:                    # Clojure has no Ratio 4/1
            self._struct_head("ratio", 2)
        self._bigint(numerator)
        if denominator != 1:
            self._bigint(denominator)

    def _char(self, value: Any) -> None:
        self._struct_head("char", 1)
        self._out += pack_int(value.unit)

    def _datetime(self, value: Any) -> None:
        ms = _convert.instant_ms(value, self._options.truncate_datetimes)
        self._out.append(codes.INST)
        self._out += pack_int(ms)

    def _instant(self, value: Any) -> None:
        if not codes.LONG_MIN <= value.ms <= codes.LONG_MAX:
            raise ValueError("the Instant does not fit 64 bits")
        self._out.append(codes.INST)
        self._out += pack_int(value.ms)

    def _uuid(self, value: Any) -> None:
        self._out += b"\xc3\xd9\x10"
        self._out += value.bytes

    def _uri(self, value: Any) -> None:
        self._out.append(codes.URI)
        self._out += pack_text(_convert.uri_text(value))

    def _regex(self, value: Any) -> None:
        self._out.append(codes.REGEX)
        self._out += pack_text(value.text)

    def _pattern(self, value: Any) -> None:
        self._out.append(codes.REGEX)
        self._out += pack_text(_convert.pattern_text(value))

    def _keyword(self, value: Keyword) -> None:
        self._name(codes.KEY, value.ns, value.name)

    def _symbol(self, value: Symbol) -> None:
        self._name(codes.SYM, value.ns, value.name)

    # -- names, and the priority cache

    def _name(self, code: int, ns: str | None, name: str) -> None:
        self._out.append(code)
        if ns is None:
            self._out.append(codes.NULL)
        else:
            self._cached_text(ns)
        self._cached_text(name)

    def _cached_text(self, text: str) -> None:
        if not text:
            self._out.append(codes.STRING_PACKED)
            return
        entry = self._cache.get(text)
        if entry is not None:
            self._reference(entry)
            return
        self._cache[text] = len(self._cache)
        self._out.append(codes.PUT_PRIORITY_CACHE)
        self._out += pack_text(text)

    def _reference(self, entry: int) -> None:
        if entry < 32:
            self._out.append(codes.PRIORITY_CACHE_PACKED + entry)
        else:
            self._out.append(codes.GET_PRIORITY_CACHE)
            self._out += pack_int(entry)

    def _cached(self, wrapper: Cached) -> _Frame | None:
        value = wrapper.value
        while type(value) is Cached:
            value = value.value
        kind = type(value)
        if kind is str:
            self._cached_text(value)
            return None
        if value is None or kind is bool or (kind is int and -4096 <= value < 4096) \
                or (kind is float and value in (0.0, 1.0)):
            return _single(value)
        return _single(value) if self._put(value) else None

    def _put(self, value: Any) -> bool:
        """True when the value has to follow; False when a reference was written."""
        try:
            key = value if type(value) in (Keyword, Symbol) else _convert.cache_key(value)
        except RecursionError:
            raise _Refused("a cached value is nested too deeply"
                           " (a value that contains itself?)") from None
        entry = self._cache.get(key)
        if entry is not None:
            self._reference(entry)
            return False
        self._cache[key] = len(self._cache)
        self._kept.append(value)
        self._out.append(codes.PUT_PRIORITY_CACHE)
        return True

    # -- collections

    def _list(self, value: Any) -> _Frame:
        count = self._count(value)
        self._out += _list_head(count)
        return _Frame(iter(value), value, count, "index")

    def _map(self, value: Any) -> _Frame:
        count = self._count(value)
        self._out.append(codes.MAP)
        self._out += _list_head(2 * count)
        items = value.items() if isinstance(value, (dict, FrozenMap)) else list(value.items())
        self._check_keys([key for key, _ in items] if self._options.keywords_as_str else ())
        if self._options.sort:
            items = sorted_items(self._options, items)
        entries = iter(items)
        flat = _key_names(entries) if self._options.keywords_as_str else \
            _chain.from_iterable(entries)
        return _Frame(flat, value, count, "map", b"", items, entries)

    def _set(self, value: Any) -> _Frame:
        count = self._count(value)
        self._out.append(codes.SET)
        self._out += _list_head(count)
        self._check_keys(value)
        members = sorted_members(self._options, value) if self._options.sort else value
        return _Frame(iter(members), value, count, "member")

    def _check_keys(self, keys: Any) -> None:
        """What would fall together for a reader is refused here: it could never be read."""
        if self._options.keywords_as_str and self._options.clashes == "error" \
                and _convert.keys_clash(keys):
            raise _Refused('str and keywords that are equal with keywords="str"')

    def _count(self, value: Any) -> int:
        count = len(value)
        if count > self._options.max_count or count > codes.COUNT_MAX // 2:
            raise _Refused(f"{count} elements; the limit is max_count="
                           f"{self._options.max_count}")
        return count

    def _array(self, value: Any) -> None:
        self._numbers(*_convert.array_parts(value))

    def _numbers(self, code: int, raw: Any) -> None:
        out = self._out
        view = memoryview(raw).cast("B").cast(_ITEM[code])
        out.append(code)
        out += pack_int(self._count(view))
        if code in (codes.INT_ARRAY, codes.LONG_ARRAY):
            out += b"".join(map(pack_int, view))
        elif code == codes.FLOAT_ARRAY:
            out += b"".join(map(pack_float, view))
        else:
            negative_zero = self._options.negative_zero
            out += b"".join([pack_double(item, negative_zero) for item in view])

    def _bools(self, value: Any) -> None:
        self._out.append(codes.BOOLEAN_ARRAY)
        self._out += pack_int(self._count(value))
        self._out += bytes([codes.TRUE if item else codes.FALSE for item in value])

    def _objects(self, value: Any) -> _Frame:
        count = self._count(value)
        self._out.append(codes.OBJECT_ARRAY)
        self._out += pack_int(count)
        return _Frame(iter(value), value, count, "index")

    def _numpy_array(self, value: Any) -> _Frame | None:
        code, items = _convert.numpy_parts(value)
        if code == codes.OBJECT_ARRAY:
            return self._objects(items)
        if code == codes.BOOLEAN_ARRAY:
            self._bools(items)
        else:
            self._numbers(code, items)
        return None

    def _numpy_scalar(self, value: Any) -> _Frame:
        return _single(_convert.numpy_scalar(value))

    # -- structs

    def _struct_head(self, tag: Any, count: int) -> None:
        """The struct's entry if this tag was written with this count, else its definition.

        Java looks up the tag alone and so gets out of step when one tag has two counts; for
        all that Java writes right the bytes are the same.
        """
        key = (tag, count) if type(tag) is str else (_convert.cache_key(tag), count)
        entry = self._structs.get(key)
        if entry is None:
            self._out.append(codes.STRUCT_TYPE)
            if type(tag) is str:
                self._out += pack_text(tag)
            else:
                self._tag_object(tag)
            self._structs[key] = len(self._structs)
            self._out += pack_int(count)
        elif entry < 16:
            self._out.append(codes.STRUCT_CACHE_PACKED + entry)
        else:
            self._out.append(codes.STRUCT)
            self._out += pack_int(entry)

    def _tag_object(self, tag: Any) -> None:
        """A tag that is no text; one that defines a struct itself would confuse Java."""
        if isinstance(tag, (bool, int, float, Keyword, Symbol, bytes)):
            self._other(tag, type(tag))
        else:
            raise _Refused(f"no Fressian encoding for a struct with the tag {tag!r}")

    def _tagged(self, value: TaggedValue) -> _Frame:
        tag, parts = value.tag, value.values
        code = codes.CODE_OF_TAG.get(tag) if type(tag) is str else None
        if code is None:
            self._struct_head(tag, len(parts))
        elif code in (codes.MAP, codes.SET) and len(parts) == 1 and type(parts[0]) in (
                list, tuple) and not (code == codes.MAP and len(parts[0]) % 2):
            self._out.append(code)      # entries that clash in a dict: see clashes="tagged"
        else:
            raise _Refused(f"a TaggedValue cannot stand for a {tag}: use its own type")
        return _Frame(iter(parts), parts, len(parts), "index")

    def _record(self, value: Any) -> _Frame:
        self._struct_head("record", 2)
        name = Symbol(None, value.type_name)
        if self._put(name):
            self._symbol(name)
        return _single(_Fields(value.fields))

    def _fields(self, value: _Fields) -> _Frame:
        """A record's map: a closed list with the keys cached as a whole, the values not."""
        self._out += b"\xc0\xed"
        items = value.fields.items()
        if self._options.sort:
            items = sorted_items(self._options, items)
        entries = iter(items)
        return _Frame(_record_parts(entries, self._options), value.fields, len(items), "map",
                      b"\xfd", items, entries)


class _Fields:
    """The fields of a record on their way out."""

    __slots__ = ("fields",)

    def __init__(self, fields: Any) -> None:
        self.fields = fields


def _single(value: Any) -> _Frame:
    """A frame for one value that stands for another: no part of any path."""
    whole = (value,)
    frame: _Frame = _new(_Frame, (iter(whole), whole, 1, "", b"", None, None))
    return frame


def _key_names(entries: Iterable[tuple[Any, Any]]) -> Iterator[Any]:
    """Keys and values, with ``str`` keys as keywords."""
    for key, value in entries:
        yield Keyword(*_split(key)) if type(key) is str else key
        yield value


def _record_parts(entries: Iterable[tuple[Any, Any]], options: Options) -> Iterator[Any]:
    for key, value in entries:
        if options.keywords_as_str and type(key) is str:
            key = Keyword(*_split(key))
        yield Cached(key)
        yield Cached(value) if key in options.cached_fields else value


# -- the order of reproducible bytes

def sorted_members(options: Options, members: Iterable[Any]) -> list[Any]:
    """Members in the order of the bytes that each has in a stream of its own."""
    return sorted(members, key=lambda member: Encoder(options).write(member))


def sorted_items(options: Options, items: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Entries in the order of their keys' bytes."""
    def order(item: tuple[Any, Any]) -> bytes:
        key = item[0]
        if options.keywords_as_str and type(key) is str:
            key = Keyword(*_split(key))
        return Encoder(options).write(key)
    return sorted(items, key=order)


# -- errors

_MUTATED = _re.compile("changed size|mutated|changed during")


def _error(message: str, stack: list[_Frame], frame: _Frame, value: Any) -> EncodeError:
    """The error with the path to the value, found from where each iterator stands."""
    segments: list[tuple[str, Any]] = []
    frames = [*stack, frame][1:]
    for number, each in enumerate(frames):
        child = frames[number + 1].container if number + 1 < len(frames) else value
        if each.where == "index":
            segments.append(("index", each.size - _length_hint(each.iterator) - 1))
        elif each.where == "member":
            segments.append(("member", None))
        elif each.where == "map" and child is not each.container:
            at = max(each.size - _length_hint(each.entries) - 1, 0)
            key = next(_islice(iter(each.items), at, None), (None,))[0]
            segments.append(("key", None) if child is key else ("field", key))
    return _convert.encode_error(message, segments, None)


_ITEM: dict[int, Any] = {codes.INT_ARRAY: "i", codes.LONG_ARRAY: "q", codes.FLOAT_ARRAY: "f",
                         codes.DOUBLE_ARRAY: "d"}

_METHODS: dict[int, Any] = {
    _h.NIL: Encoder._nil, _h.BOOL: Encoder._bool, _h.INT: Encoder._int,
    _h.FLOAT: Encoder._double, _h.STR: Encoder._text, _h.BYTES: Encoder._bytes,
    _h.LIST: Encoder._list, _h.MAP: Encoder._map, _h.SET: Encoder._set,
    _h.KEYWORD: Encoder._keyword, _h.SYMBOL: Encoder._symbol,
    _h.BIGINT: Encoder._bigint, _h.FLOAT32: Encoder._float32,
    _h.CHAR: Encoder._char, _h.DECIMAL: Encoder._decimal, _h.FRACTION: Encoder._fraction,
    _h.DATETIME: Encoder._datetime, _h.INSTANT: Encoder._instant, _h.UUID: Encoder._uuid,
    _h.URI: Encoder._uri, _h.REGEX: Encoder._regex, _h.PATTERN: Encoder._pattern,
    _h.ARRAY: Encoder._array, _h.BOOL_ARRAY: Encoder._bools,
    _h.OBJECT_ARRAY: Encoder._objects, _h.RECORD: Encoder._record,
    _h.TAGGED: Encoder._tagged, _h.CACHED: Encoder._cached,
    _h.NUMPY_ARRAY: Encoder._numpy_array, _h.NUMPY_SCALAR: Encoder._numpy_scalar,
}
