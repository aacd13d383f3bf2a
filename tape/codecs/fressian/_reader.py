"""The reader in Python: the oracle for the one in C, in the order of docs/fressian.md.

One loop with a stack of its own reads objects; depth costs no Python frames. Counts from the
input are compared with the bytes that are left before anything is done with them.
"""

from __future__ import annotations

from struct import Struct as _Struct
from typing import Any
from uuid import UUID as _UUID

from ...errors import DecodeError
from . import _convert, codes
from ._options import END
from ._primitives import HASHED, Primitives, ended, fail, join_surrogates, part_text
from .types import (BigInt, Char, Float32, FrozenMap, Keyword, ObjectArray, Record, Regex, Symbol,
                    TaggedValue, URI)

__all__ = ["Decoder"]

_double = _Struct(">d").unpack_from
_float = _Struct(">f").unpack_from


# Kinds of frames. The list of a map or set is read into a frame of its own kind; a frame _MAP1 or
# _SET1 waits for a list that comes by way of the cache.
(_TOP, _LIST, _MAP, _SET, _OBJECTS, _STRUCT, _LEAF, _PUT, _TAG, _MAP1, _SET1) = range(11)
_OPEN, _CLOSED = -1, -2         # in place of the number of elements left

_LEAF_PARTS = {codes.UUID: 1, codes.REGEX: 1, codes.URI: 1, codes.BIGINT: 1, codes.BIGDEC: 1,
               codes.SYM: 2, codes.KEY: 2}
_NAMES = {codes.UUID: "uuid", codes.REGEX: "regex", codes.URI: "uri", codes.BIGINT: "bigint",
          codes.BIGDEC: "bigdec", codes.SYM: "sym", codes.KEY: "key"}
_CLOJURE_PARTS = {"char": 1, "byte": 1, "ratio": 2, "record": 2}


class Decoder(Primitives):
    """Reads the objects of one stream."""

    # -- calls

    def next(self) -> Any:
        """The next object, or :data:`END`. Footers and resets on the way are obeyed."""
        if self.pos >= self._end:
            return END
        try:
            return self._object()
        except DecodeError:
            raise
        except (ValueError, TypeError, RecursionError, OverflowError) as error:
            raise DecodeError(f"{error} at byte {self.pos}", offset=self.pos) from error

    def footer(self) -> None:
        """Reads the footer that has to stand here."""
        if self.pos >= self._end:
            fail("a footer was expected, the input ends", self.pos)
        if self._data[self.pos] != codes.FOOTER:
            fail("a footer was expected", self.pos)
        self._footer()

    def at_footer(self) -> bool:
        """Whether a footer begins here."""
        return self.pos < self._end and bool(self._data[self.pos] == codes.FOOTER)

    # -- the loop

    def _object(self) -> Any:
        data, end, options = self._data, self._end, self._options
        max_depth, few, from_bytes = options.max_depth, 2 * _convert.SAME_HASH_MAX, int.from_bytes
        stack: list[Any] = []
        items: list[Any] = []
        extra: Any = None
        value: Any = None
        kind, left, flags, begun = _TOP, 1, int(options.frozen), 0
        code = -1                       # >= 0: a struct's tag stands for this code
        bare = True                     # no reset or footer since the last object
        at = self.pos
        while True:
            # -- the next code
            if code >= 0:
                now, code = code, -1
            else:
                at = self.pos
                if at < end:
                    now = data[at]
                    self.pos = at + 1
                elif left == _OPEN and bare:
                    now = codes.END_COLLECTION      # nothing is taken for the end of the input
                elif kind == _TOP and not stack:
                    return END
                else:
                    ended(at)

            # -- scalars: the usual forms here, the others and all errors in Primitives
            if now < 0x40:
                value = now
            elif 0xDA <= now <= 0xE3:               # STRING_PACKED to STRING
                start = at + 1
                size = now - 0xDA
                if size >= 8:
                    size = data[start] if now == 0xE3 and start < end else 0xFF
                    start += 1
                    if 0x50 <= size < 0x60 and start < end:
                        size = size - 0x50 << 8 | data[start]
                        start += 1
                    elif size >= 0x40:
                        size = end
                stop = start + size
                value = None
                if stop <= end:
                    try:
                        value = str(data[start:stop], "utf-8")
                    except UnicodeDecodeError:
                        pass
                if value is not None and len(value) == size:    # ASCII
                    self.pos = stop
                else:
                    value = self._string(now)
            elif now < 0x80:
                if now < 0x60 and at + 1 < end:
                    value = now - 0x50 << 8 | data[at + 1]
                    self.pos = at + 2
                elif at + 6 < end:
                    if now < 0x70:
                        stop = at + 3
                        value = from_bytes(data[at:stop], "big") - 0x680000
                    elif now < 0x74:
                        stop = at + 4
                        value = from_bytes(data[at:stop], "big") - 0x72000000
                    elif now < 0x78:
                        stop = at + 5
                        value = from_bytes(data[at:stop], "big") - 0x7600000000
                    elif now < 0x7C:
                        stop = at + 6
                        value = from_bytes(data[at:stop], "big") - 0x7A0000000000
                    else:
                        stop = at + 7
                        value = from_bytes(data[at:stop], "big") - 0x7E000000000000
                    self.pos = stop
                else:
                    value = self._packed(now)
            elif now >= codes.INT:
                if now == codes.DOUBLE:
                    if at + 8 < end:
                        value = _double(data, at + 1)[0]
                        self.pos = at + 9
                    else:
                        value = _double(self._take(8))[0]
                elif now == codes.INT or now == codes.INT_MINUS_1:
                    value = self._packed(now)
                elif now == codes.FLOAT:
                    value = Float32(_float(self._take(4))[0])
                elif now == codes.DOUBLE_0 or now == codes.DOUBLE_1:
                    value = float(now - codes.DOUBLE_0)
                elif now == codes.RESET_CACHES:
                    self._reset(at)
                    bare = False
                    continue
                elif left < 0 and bare:             # FD, the end of a list
                    value, kind, items, left, flags, extra, begun = \
                        self._close(kind, items, flags, extra, at, stack)
                    code = -1
                else:
                    fail("an end of a collection where none is open", at)
            elif now >= 0xF5:                       # TRUE, FALSE, NULL
                value = None if now == 0xF7 else now == 0xF5
            elif now == codes.KEY or now == codes.SYM:
                if len(stack) > max_depth:
                    self._too_deep(at)
                named = self._name_parts()
                if named is None:
                    inner = _inner_flags(kind, items, flags)
                    stack.append((kind, items, left, flags, extra, begun))
                    kind, items, left, flags, extra, begun = _LEAF, [], 2, inner, (now, at), at
                    bare = True
                    continue
                value = self._named(now, *named, at)

            # -- lists, maps, sets
            elif 0xE4 <= now <= 0xEE:               # LIST_PACKED to BEGIN_OPEN_LIST
                if len(stack) >= max_depth:
                    self._too_deep(at)
                count = now - 0xE4
                if count >= 8 or count > end - at - 1:
                    count = self._list_count(now)
                inner = _inner_flags(kind, items, flags)
                stack.append((kind, items, left, flags, extra, begun))
                kind, items, left, flags, extra, begun = _LIST, [], count, inner, at, at
                bare = True
                if left:
                    continue
                value, kind, items, left, flags, extra, begun = \
                    self._close(kind, items, flags, extra, at, stack)
            elif now == codes.MAP or now == codes.SET:
                if len(stack) >= max_depth:
                    self._too_deep(at)
                inner = _inner_flags(kind, items, flags)
                follow = data[self.pos] if self.pos < end else 0
                while follow == codes.RESET_CACHES:
                    self._reset(self.pos)
                    self.pos += 1
                    follow = data[self.pos] if self.pos < end else 0
                if 0xE4 <= follow <= 0xEE:          # LIST_PACKED to BEGIN_OPEN_LIST
                    self.pos += 1
                    count = follow - 0xE4
                    if count >= 8 or count > end - self.pos:
                        count = self._list_count(follow)
                    stack.append((kind, items, left, flags, extra, begun))
                    kind = _MAP if now == codes.MAP else _SET
                    items, left, flags, extra, begun = [], count, inner, at, at
                    bare = True
                    if left:
                        continue
                    value, kind, items, left, flags, extra, begun = \
                        self._close(kind, items, flags, extra, at, stack)
                else:
                    stack.append((kind, items, left, flags, extra, begun))
                    kind = _MAP1 if now == codes.MAP else _SET1
                    items, left, flags, extra, begun = [], 1, inner, at, at
                    bare = True
                    continue

            # -- the priority cache
            elif now < codes.STRUCT_CACHE_PACKED:
                value = self._refer(now - codes.PRIORITY_CACHE_PACKED, at,
                                    _inner_flags(kind, items, flags))
            elif now == codes.GET_PRIORITY_CACHE:
                value = self._refer(self._integer(), at, _inner_flags(kind, items, flags))
            elif now == codes.PUT_PRIORITY_CACHE:
                if len(stack) >= max_depth:
                    self._too_deep(at)
                inner = _inner_flags(kind, items, flags)
                stack.append((kind, items, left, flags, extra, begun))
                extra = (self._reserve(), self._expanded)
                kind, items, left, flags, begun = _PUT, [], 1, inner, at
                bare = True
                continue

            # -- structs
            elif now < codes.LONG_ARRAY or now in (codes.STRUCT, codes.STRUCT_TYPE):
                if len(stack) > max_depth:
                    self._too_deep(at)
                if now == codes.STRUCT_TYPE:
                    inner = _inner_flags(kind, items, flags)
                    stack.append((kind, items, left, flags, extra, begun))
                    kind, items, left, flags, extra, begun = _TAG, [], 1, inner, at, at
                    bare = True
                    continue
                entry = now - codes.STRUCT_CACHE_PACKED if now != codes.STRUCT else self._integer()
                if not 0 <= entry < len(self._structs):
                    fail(f"no struct entry {entry}", at)
                tag, count = self._structs[entry]
                code = codes.CODE_OF_TAG.get(tag, -1) if type(tag) is str else -1
                if code >= 0:
                    continue
                inner = _inner_flags(kind, items, flags)
                stack.append((kind, items, left, flags, extra, begun))
                kind, items, flags, begun = _STRUCT, [], inner, at
                left, extra = self._struct_parts(tag, count, at)
                bare = True
                if left:
                    continue
                value, kind, items, left, flags, extra, begun = \
                    self._close(kind, items, flags, extra, at, stack)
            elif now in _LEAF_PARTS:
                if len(stack) > max_depth:
                    self._too_deep(at)
                inner = _inner_flags(kind, items, flags)
                stack.append((kind, items, left, flags, extra, begun))
                kind, items, left, flags = _LEAF, [], _LEAF_PARTS[now], inner
                extra, begun = (now, at), at
                bare = True
                continue
            elif now == codes.INST:
                if len(stack) > max_depth:
                    self._too_deep(at)
                value = _convert.make_instant(self._integer())

            # -- byte strings and arrays
            elif codes.BYTES_PACKED <= now <= codes.BYTES:
                value = self._bytes(now)
            elif now == codes.OBJECT_ARRAY:
                if len(stack) >= max_depth:
                    self._too_deep(at)
                count = self._count("elements")
                inner = _inner_flags(kind, items, flags)
                stack.append((kind, items, left, flags, extra, begun))
                kind, items, left, flags, extra, begun = _OBJECTS, [], count, inner, at, at
                bare = True
                if left:
                    continue
                value, kind, items, left, flags, extra, begun = \
                    self._close(kind, items, flags, extra, at, stack)
            elif codes.LONG_ARRAY <= now <= codes.FLOAT_ARRAY:
                value = self._numbers(now)
            elif now == codes.FOOTER:
                if stack and not (len(stack) == 1 and left == _OPEN and kind == _LIST):
                    fail("a footer inside a value", at)
                self.pos = at
                self._footer()
                bare = False
                continue
            else:
                fail(f"code {now:02x} has no meaning", at)

            # -- hand the value to its container, and containers that are full to theirs
            bare = True
            while True:
                if kind == _TOP:
                    return value
                items.append(value)
                if left < 0:
                    if len(items) > options.max_count << (kind == _MAP):
                        fail(f"more elements than max_count={options.max_count}", begun)
                    break
                left -= 1
                if left:
                    break
                if not flags:
                    if kind == _LIST:
                        value = items
                        kind, items, left, flags, extra, begun = stack.pop()
                        continue
                    if kind == _MAP and len(items) <= few and not len(items) & 1:
                        try:
                            value = dict(zip(items[::2], items[1::2]))
                        except (TypeError, RecursionError):
                            value = ()
                        if 2 * len(value) == len(items):
                            kind, items, left, flags, extra, begun = stack.pop()
                            continue
                if kind == _TAG:
                    tag, begun_at = value, begun
                    kind, items, left, flags, extra, begun = stack.pop()
                    code = self._define(tag)
                    at = begun_at
                    if code >= 0:
                        break
                    inner = _inner_flags(kind, items, flags)
                    stack.append((kind, items, left, flags, extra, begun))
                    kind, items, flags, begun = _STRUCT, [], inner, begun_at
                    left, extra = self._struct_parts(tag, self._structs[-1][1], begun_at)
                    if left:
                        break
                value, kind, items, left, flags, extra, begun = \
                    self._close(kind, items, flags, extra, begun, stack)

    def _list_count(self, code: int) -> int:
        """Elements of the list that begins with ``code``, or _CLOSED, or _OPEN."""
        if code < codes.LIST:
            count = code - codes.LIST_PACKED
            if count > self._end - self.pos:
                fail(f"{count} elements in {self._end - self.pos} bytes", self.pos - 1)
            return count
        if code == codes.LIST:
            return self._count("elements")
        return _CLOSED if code == codes.BEGIN_CLOSED_LIST else _OPEN

    def _close(self, kind: int, items: list[Any], flags: int, extra: Any, at: int,
               stack: list[Any]) -> Any:
        """The value of a full frame, and the frame below it."""
        below = stack.pop()
        if kind == _LIST:
            value: Any = tuple(items) if flags else items
        elif kind == _MAP:
            value = self._map(items, flags, extra)
        elif kind == _SET:
            value = self._set(items, flags, extra)
        elif kind == _PUT:
            value = items[0]
            entry, before = extra
            size = 0
            if type(value) not in _convert._LEAVES:
                size = self.pos - at + self._expanded - before
            self._fill(entry, value, size)
        elif kind == _MAP1 or kind == _SET1:
            value = self._from_list(kind, items[0], flags, extra)
        elif kind == _OBJECTS:
            value = ObjectArray(items)
        elif kind == _LEAF:
            value = self._leaf(items, *extra)
        else:
            value = self._struct(items, flags, at, *extra)
        return (value, *below)

    # -- maps and sets

    def _map(self, items: list[Any], flags: int, at: int) -> Any:
        if len(items) & 1:
            fail("a map of an odd number of elements", at)
        try:
            if len(items) > 2 * _convert.SAME_HASH_MAX:
                _convert.check_collisions(items[::2])
            value = dict(zip(items[::2], items[1::2]))
        except (TypeError, RecursionError):
            return self._clash("map", items, flags, at, "a key that cannot be hashed")
        except ValueError as error:
            fail(str(error), at)
        if 2 * len(value) != len(items):
            return self._clash("map", items, flags, at, "keys that are equal in Python")
        return FrozenMap(value) if flags else value

    def _set(self, items: list[Any], flags: int, at: int) -> Any:
        try:
            if len(items) > _convert.SAME_HASH_MAX:
                _convert.check_collisions(items)
            value: Any = frozenset(items) if flags else set(items)
        except (TypeError, RecursionError):
            return self._clash("set", items, flags, at, "a member that cannot be hashed")
        except ValueError as error:
            fail(str(error), at)
        if len(value) != len(items):
            return self._clash("set", items, flags, at, "members that are equal in Python")
        return value

    def _clash(self, tag: str, items: list[Any], flags: int, at: int, what: str) -> TaggedValue:
        if self._options.clashes == "error":
            fail(f"a {tag} with {what}", at)
        return TaggedValue(tag, (tuple(items) if flags else items,))

    def _from_list(self, kind: int, value: Any, flags: int, at: int) -> Any:
        """A map or set whose list came by way of the cache."""
        name = "map" if kind == _MAP1 else "set"
        if type(value) not in (list, tuple):
            fail(f"a {name} was expected to be a list", at)
        self._spend(4 * len(value), at)
        if kind == _SET1:
            return self._set([_convert.freeze(v, self._memo) for v in value], flags, at)
        items = [v if i & 1 else _convert.freeze(v, self._memo) for i, v in enumerate(value)]
        return self._map(items, flags, at)

    def _spend(self, amount: int, at: int) -> None:
        """Copies made of cached values are paid for, or two bytes could copy a large list."""
        self._budget -= amount
        if self._budget < 0:
            fail("shared values are copied too often", at)

    # -- names

    def _name_parts(self) -> tuple[str | None, str] | None:
        """Both parts of a key or sym when they are spelled plainly, else ``None`` and no step.

        Plainly: nil, a string in one part, a put of such a string, a reference to one.
        """
        spans: list[tuple[int, int, bool, int | None]] = []
        pos = self.pos
        for number in (0, 1):
            span = self._plain_part(pos, number)
            if span is None:
                return None
            entry = span[3]
            if entry is not None and entry >= len(self._cache) and not (
                    number == 1 and spans[0][2] and entry == len(self._cache)):
                return None             # no entry, not even the one that the first part makes
            spans.append(span)
            pos = span[1]
        parts: list[Any] = []
        puts: list[str] = []
        for start, end, put, entry in spans:
            if entry is not None:
                parts.append(self._cache[entry] if entry < len(self._cache) else puts[0])
            elif start < 0:
                parts.append(None)
            else:
                text = join_surrogates(part_text(bytes(self._data[start:end]), start))
                parts.append(text)
                if put:
                    puts.append(text)
        for text in puts:
            self._cache.append(text)
            self._sizes.append(0)
        self.pos = pos
        return parts[0], parts[1]

    def _plain_part(self, pos: int, number: int) -> tuple[int, int, bool, int | None] | None:
        """(start, end, is it put, entry it refers to) of one part; start -1 for nil."""
        data, end = self._data, self._end
        if pos >= end:
            return None
        code = data[pos]
        pos += 1
        if code == codes.NULL and number == 0:
            return (-1, pos, False, None)
        put = bool(code == codes.PUT_PRIORITY_CACHE)
        if put:
            if pos >= end:
                return None
            code = data[pos]
            pos += 1
        if codes.STRING_PACKED <= code <= 0xE1:
            size = code - codes.STRING_PACKED
        elif code == codes.STRING and pos + 1 < end and data[pos] < 0x60:
            size = data[pos]
            pos += 1
            if size >= 0x40:
                size = (size - 0x50 << 8) | data[pos]
                pos += 1
        elif codes.PRIORITY_CACHE_PACKED <= code < codes.STRUCT_CACHE_PACKED and not put:
            entry = code - codes.PRIORITY_CACHE_PACKED
            if entry < len(self._cache) and type(self._cache[entry]) is not str:
                return None
            return (pos, pos, False, entry)
        else:
            return None
        if size < 0 or pos + size > end:
            return None
        return (pos, pos + size, put, None)

    def _named(self, code: int, ns: Any, name: Any, at: int) -> Any:
        if type(name) is not str or not (ns is None or type(ns) is str):
            fail(f"a {_NAMES[code]} whose parts are not strings", at)
        if code == codes.SYM:
            return Symbol(ns, name)
        if self._options.keywords_as_str:
            return name if ns is None else f"{ns}/{name}"
        return Keyword(ns, name)

    # -- structs

    def _define(self, tag: Any) -> int:
        """Appends to the struct cache; gives the code that the tag has, or -1."""
        at = self.pos
        count = self._integer()
        if not 0 <= count <= codes.COUNT_MAX:
            fail(f"a struct of {count} components", at)
        self._structs.append((tag, count))
        return codes.CODE_OF_TAG.get(tag, -1) if type(tag) is str else -1

    def _struct_parts(self, tag: Any, count: int, at: int) -> tuple[int, Any]:
        """How many components to read; as in Java the count is ignored for known tags."""
        if type(tag) is str and tag in _CLOJURE_PARTS:
            return _CLOJURE_PARTS[tag], (tag,)
        if count > self._end - self.pos:
            fail(f"{count} components in {self._end - self.pos} bytes", at)
        return count, (tag,)

    def _struct(self, items: list[Any], flags: int, at: int, tag: Any) -> Any:
        if type(tag) is str:
            if tag in _CLOJURE_PARTS:
                return getattr(self, f"_{tag}")(items, at)
            build: Any = self._options.handlers.readers.get(tag)
        else:
            build = self._reader_of(tag)
        if build is None:
            return TaggedValue(tag, items)
        return _convert.run_reader(build, items, f"the reader of {tag!r}", at)

    def _reader_of(self, tag: Any) -> Any:
        try:
            return self._options.handlers.readers.get(tag)
        except (TypeError, RecursionError):
            return None                     # a tag that cannot be hashed has no reader

    def _char(self, items: list[Any], at: int) -> Char:
        unit = _whole(items[0])
        if unit is None or not 0 <= unit <= 0xFFFF:
            fail("a char that is no number from 0 to 65535", at)
        return Char(unit)

    def _byte(self, items: list[Any], at: int) -> int:
        value = _whole(items[0])
        if value is None or not -128 <= value <= 127:
            fail("a byte that is no number from -128 to 127", at)
        return value

    def _ratio(self, items: list[Any], at: int) -> Any:
        if type(items[0]) not in (int, BigInt) or type(items[1]) not in (int, BigInt):
            fail("a ratio whose parts are not integers", at)
        numerator, denominator = int(items[0]), int(items[1])
        size = max(numerator.bit_length(), denominator.bit_length())
        if size > self._options.max_bigint // 16 * 8:       # gcd takes the square of the size
            fail("a ratio whose parts are too large", at)
        if size > 63:
            self._spend(size // 4, at)
        if denominator == 0:
            fail("a ratio with denominator 0", at)
        return _convert.make_ratio(numerator, denominator)

    def _record(self, items: list[Any], at: int) -> Any:
        name, fields = items
        if type(name) is not Symbol or name.ns is not None:
            fail("a record whose name is not a plain symbol", at)
        if type(fields) not in (dict, FrozenMap):
            fail("a record whose fields are not a map", at)
        self._spend(4 * len(fields), at)
        build = self._options.handlers.records.get(name.name)
        if build is None:
            return Record(name.name, fields)
        return _convert.run_reader(build, [dict(fields)], f"the reader of {name.name}", at)

    def _leaf(self, parts: list[Any], code: int, at: int) -> Any:
        """uuid, regex, uri, bigint, bigdec; key and sym in their rarer spellings."""
        if code == codes.KEY or code == codes.SYM:
            return self._named(code, parts[0], parts[1], at)
        part = parts[0]
        if code == codes.REGEX or code == codes.URI:
            if type(part) is not str:
                fail(f"a {_NAMES[code]} that is not a string", at)
            return Regex(part) if code == codes.REGEX else URI(part)
        if type(part) is not bytes:
            fail(f"a {_NAMES[code]} that is not bytes", at)
        if code == codes.UUID:
            if len(part) != 16:
                fail(f"a uuid of {len(part)} bytes", at)
            return _UUID(bytes=part)
        if not part:
            fail(f"a {_NAMES[code]} of 0 bytes", at)
        if len(part) > self._options.max_bigint:
            fail(f"a {_NAMES[code]} of {len(part)} bytes; the limit is max_bigint="
                  f"{self._options.max_bigint}", at)
        self._spend(len(part), at)
        number = int.from_bytes(part, "big", signed=True)
        if code == codes.BIGDEC:
            scale = (self._integer() + 2**31) % 2**32 - 2**31   # Java takes the low 32 bits
            return _convert.make_decimal(number, scale)
        return BigInt(number) if codes.LONG_MIN <= number <= codes.LONG_MAX else number


def _inner_flags(kind: int, items: list[Any], flags: int) -> int:
    """The flags of what is read next: keys and members have to be hashable."""
    if kind == _SET or (kind == _MAP and not len(items) & 1):
        return flags | HASHED
    return flags


def _whole(value: Any) -> int | None:
    """An integer of any spelling, for char and byte; Java's reader takes 65.0 for 65."""
    if type(value) in (int, BigInt) or (type(value) is float and value.is_integer()):
        return int(value)
    return None
