"""Values that Clojure has and Python has not: small, immutable, hashable, picklable.

None of them is a subclass of ``str``: ``:a``, ``"a"``, ``\\a`` and ``'a`` are four different
keys in Clojure, and stay four keys in a dict. ``repr()`` can be evaluated, ``str()`` is what
Clojure prints where that makes sense.
"""

from __future__ import annotations

from _collections_abc import Mapping
from _thread import RLock as _RLock
from weakref import WeakValueDictionary

TYPE_CHECKING = False       # as typing's; importing typing takes longer than the codec
if TYPE_CHECKING:
    import re as _re
    from collections.abc import ItemsView, Iterable, Iterator, KeysView, ValuesView
    from typing import Any, ClassVar, SupportsInt

__all__ = [
    "BigInt", "BoolArray", "Cached", "Char", "Float32", "FrozenMap", "Instant", "Keyword",
    "ObjectArray", "Record", "Regex", "Symbol", "TaggedValue", "URI", "kw", "sym",
]


class _Immutable:
    """Base of the slotted types: attributes are set once, by ``object.__setattr__``."""

    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __copy__(self) -> Any:
        return self


_set = object.__setattr__


def _text(value: Any, what: str) -> str:
    if type(value) is str:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{what} must be a str, not {type(value).__name__}")


class _Name(_Immutable):
    """What Keyword and Symbol share: two raw parts, interned, compared by identity.

    The table is weak, so names made from messages do not stay for ever.
    """

    __slots__ = ("__weakref__", "name", "ns")

    ns: str | None
    name: str
    _interned: ClassVar[WeakValueDictionary[tuple[str | None, str], Any]]
    _lock: ClassVar[Any]

    def __new__(cls, ns: str | None, name: str) -> Any:
        found = cls._interned.get((ns, name))
        if found is not None:
            return found
        ns = None if ns is None else _text(ns, "ns")
        name = _text(name, "name")
        with cls._lock:
            found = cls._interned.get((ns, name))
            if found is None:
                found = object.__new__(cls)
                _set(found, "ns", ns)
                _set(found, "name", name)
                cls._interned[ns, name] = found
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.ns, self.name))

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def _key(self) -> tuple[bool, str, str]:
        return (self.ns is not None, self.ns or "", self.name)

    def __lt__(self, other: Any) -> bool:
        return self._key() < other._key() if type(other) is type(self) else NotImplemented

    def __le__(self, other: Any) -> bool:
        return self._key() <= other._key() if type(other) is type(self) else NotImplemented

    def __gt__(self, other: Any) -> bool:
        return self._key() > other._key() if type(other) is type(self) else NotImplemented

    def __ge__(self, other: Any) -> bool:
        return self._key() >= other._key() if type(other) is type(self) else NotImplemented

    def _short(self) -> str:
        return self.name if self.ns is None else f"{self.ns}/{self.name}"

    def _repr(self, maker: str) -> str:
        short = self._short()
        if _split(short) != (self.ns, self.name):
            return f"{type(self).__name__}({self.ns!r}, {self.name!r})"
        if short.isidentifier() and not short.startswith("__"):
            return f"{maker}.{short}"
        return f"{maker}({short!r})"


def _split(text: str) -> tuple[str | None, str]:
    """``"ns/name"`` as its parts; a slash at the start, at the end or alone is part of a name."""
    ns, slash, name = text.partition("/")
    return (ns, name) if slash and ns and name else (None, text)


class Keyword(_Name):
    """A Clojure keyword. One object for each pair of parts: compare with ``is`` or ``==``.

    Args:
        ns: the namespace, or ``None``; ``""`` is not ``None``.
        name: the name, any text.

    Raises:
        TypeError: a part is not a ``str``.

    Ordered by namespace, those without one first, then by name. :data:`kw` is the short way.

    >>> Keyword("order", "id"), Keyword(None, "id"), str(kw("order/id"))
    (kw('order/id'), kw.id, ':order/id')
    >>> kw.id is Keyword(None, "id"), kw.id == "id"
    (True, False)
    """

    __slots__ = ()
    _interned = WeakValueDictionary()
    _lock = _RLock()

    def __str__(self) -> str:
        return f":{self._short()}"

    def __repr__(self) -> str:
        return self._repr("kw")


class Symbol(_Name):
    """A Clojure symbol; made and compared like a :class:`Keyword`, equal to none.

    >>> Symbol("my.ns", "f"), str(sym("my.ns/f"))
    (sym('my.ns/f'), 'my.ns/f')
    """

    __slots__ = ()
    _interned = WeakValueDictionary()
    _lock = _RLock()

    def __str__(self) -> str:
        return self._short()

    def __repr__(self) -> str:
        return self._repr("sym")


class _Maker:
    """``kw.foo``, ``kw("ns/name")``, ``kw("ns", "name")``."""

    __slots__ = ("_cls", "_label")

    def __init__(self, cls: type[_Name], label: str) -> None:
        self._cls, self._label = cls, label

    def __call__(self, text: str, name: str | None = None) -> Any:
        if name is not None:
            return self._cls(text, name)
        ns, name = _split(_text(text, "name"))
        return self._cls(ns, name)

    def __getattr__(self, text: str) -> Any:
        if text.startswith("__"):
            raise AttributeError(text)
        return self._cls(None, text)

    def __repr__(self) -> str:
        return self._label


kw: Any = _Maker(Keyword, "kw")
sym: Any = _Maker(Symbol, "sym")


class BigInt(int):
    """An integer that is written as Clojure's BigInt (``5N``) although it fits 64 bits.

    Equal to the plain ``int``, as ``(= 5 5N)`` is in Clojure. Arithmetic gives plain ints.

    >>> BigInt(5), BigInt(5) == 5
    (BigInt(5), True)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"BigInt({int.__repr__(self)})"

    __str__ = int.__repr__


class Float32(float):
    """A float of four bytes (Java's ``float``), rounded to single precision when made.

    Raises:
        OverflowError: the value is finite and too large for single precision.

    >>> Float32(0.1)
    Float32(0.10000000149011612)
    """

    __slots__ = ()

    def __new__(cls, value: Any = 0.0) -> Float32:
        import struct
        return super().__new__(cls, struct.unpack(">f", struct.pack(">f", float(value)))[0])

    def __repr__(self) -> str:
        text = float.__repr__(self)
        return f"Float32({text})" if text[-1] not in "nf" else f"Float32({text!r})"

    __str__ = float.__repr__


class Char(_Immutable):
    """One UTF-16 unit, Java's ``char``. Not a ``str``: ``\\a`` and ``"a"`` are two keys.

    Args:
        value: the unit, 0..65535, or a text of one character of that range.

    Raises:
        ValueError: out of range, or not one character.

    >>> Char("a"), int(Char("a")), str(Char(97))
    (Char('a'), 97, 'a')
    """

    __slots__ = ("unit",)

    unit: int

    def __init__(self, value: int | str) -> None:
        if isinstance(value, str):
            if len(value) != 1:
                raise ValueError(f"a Char is one character, not {len(value)}")
            value = ord(value)
        if not 0 <= value <= 0xFFFF:
            raise ValueError(f"a Char is one UTF-16 unit, 0..65535, not {value}")
        _set(self, "unit", int(value))

    def __int__(self) -> int:
        return self.unit

    __index__ = __int__

    def __str__(self) -> str:
        return chr(self.unit)

    def __repr__(self) -> str:
        return f"Char({chr(self.unit)!r})"

    def __eq__(self, other: object) -> bool:
        return self.unit == other.unit if type(other) is Char else NotImplemented

    def __lt__(self, other: Any) -> bool:
        return self.unit < other.unit if type(other) is Char else NotImplemented

    def __hash__(self) -> int:
        return hash((Char, self.unit))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Char, (self.unit,))


class _Wrapped(_Immutable):
    """What the types around one text share: equal only within the type."""

    __slots__ = ("text",)

    text: str

    def __init__(self, text: str) -> None:
        _set(self, "text", _text(text, type(self).__name__))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    def __eq__(self, other: object) -> bool:
        if type(other) is type(self):
            return bool(self.text == other.text)
        return NotImplemented

    def __lt__(self, other: Any) -> bool:
        return self.text < other.text if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self.text))

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.text,))


class URI(_Wrapped):
    """A java.net.URI as its text; nothing is parsed, fetched or resolved.

    The text is checked when written: what java.net.URI refuses would make a whole message
    unreadable in Clojure.

    >>> URI("http://example.com/"), str(URI("a:b"))
    (URI('http://example.com/'), 'a:b')
    """

    __slots__ = ()


class Regex(_Wrapped):
    """The text of a Java regular expression.

    Java's syntax is not Python's, so nothing is compiled on reading.

    >>> Regex("a+b*").compile().fullmatch("aab").group()
    'aab'
    """

    __slots__ = ()

    @property
    def pattern(self) -> str:
        """The text, as ``re.Pattern.pattern`` has it."""
        return self.text

    def compile(self, flags: int = 0) -> _re.Pattern[str]:
        """The text as a Python pattern; raises ``re.error`` where the two syntaxes differ."""
        import re
        return re.compile(self.text, flags)


class Instant(_Immutable):
    """Milliseconds since 1970-01-01T00:00:00Z, for moments outside datetime's years 1..9999.

    >>> Instant(253402300800000)
    Instant(253402300800000)
    """

    __slots__ = ("ms",)

    ms: int

    def __init__(self, ms: SupportsInt) -> None:
        _set(self, "ms", int(ms))

    def __repr__(self) -> str:
        return f"Instant({self.ms})"

    def __eq__(self, other: object) -> bool:
        return self.ms == other.ms if type(other) is Instant else NotImplemented

    def __lt__(self, other: Any) -> bool:
        return self.ms < other.ms if type(other) is Instant else NotImplemented

    def __hash__(self) -> int:
        return hash((Instant, self.ms))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Instant, (self.ms,))


class FrozenMap(_Immutable, Mapping["Any", "Any"]):
    """A mapping that cannot change and can be a key; equal to an equal dict.

    The hash is made once and kept; it needs hashable values, as a tuple's does.

    >>> m = FrozenMap({"a": 1})
    >>> m, m["a"], {m: 2}[FrozenMap(a=1)], m == {"a": 1}
    (FrozenMap({'a': 1}), 1, 2, True)
    """

    __slots__ = ("_hash", "_items")

    _items: dict[Any, Any]
    _hash: int | None

    def __init__(self, *args: Any, **more: Any) -> None:
        _set(self, "_items", dict(*args, **more))
        _set(self, "_hash", None)

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def keys(self) -> KeysView[Any]:
        return self._items.keys()

    def values(self) -> ValuesView[Any]:
        return self._items.values()

    def items(self) -> ItemsView[Any, Any]:
        return self._items.items()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FrozenMap):
            return self._items == other._items
        if isinstance(other, Mapping):
            return self._items == (other if isinstance(other, dict) else dict(other))
        return NotImplemented

    def __hash__(self) -> int:
        known = self._hash
        if known is None:
            known = hash((FrozenMap, frozenset(self._items.items())))
            _set(self, "_hash", known)
        return known

    def __repr__(self) -> str:
        return f"FrozenMap({self._items!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (FrozenMap, (self._items,))


class Record(_Immutable):
    """A Clojure record without a registered class.

    Args:
        type_name: the Java class name, such as ``my.ns.Point`` (``_`` where Clojure has ``-``).
        fields: a mapping from keywords to values, in order.

    >>> p = Record("geo.Point", {kw.x: 1, kw.y: 2})
    >>> p.type_name, p[kw.x], p.fields == {kw.x: 1, kw.y: 2}
    ('geo.Point', 1, True)
    """

    __slots__ = ("fields", "type_name")

    type_name: str
    fields: FrozenMap

    def __init__(self, type_name: str, fields: Mapping[Any, Any]) -> None:
        _set(self, "type_name", _text(type_name, "type_name"))
        _set(self, "fields", fields if type(fields) is FrozenMap else FrozenMap(fields))

    def __getitem__(self, key: Any) -> Any:
        return self.fields[key]

    def __repr__(self) -> str:
        return f"Record({self.type_name!r}, {self.fields._items!r})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not Record:
            return NotImplemented
        return self.type_name == other.type_name and self.fields == other.fields

    def __hash__(self) -> int:
        return hash((Record, self.type_name, self.fields))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Record, (self.type_name, self.fields._items))


class TaggedValue(_Immutable):
    """A struct whose tag nobody has registered: Java's TaggedObject, but equal by content.

    Args:
        tag: a text in practice; the reader takes any value.
        values: the components.

    >>> TaggedValue("my/tag", [1, 2])
    TaggedValue('my/tag', (1, 2))
    """

    __slots__ = ("tag", "values")

    tag: Any
    values: tuple[Any, ...]

    def __init__(self, tag: Any, values: Iterable[Any] = ()) -> None:
        _set(self, "tag", tag)
        _set(self, "values", tuple(values))

    def __repr__(self) -> str:
        return f"TaggedValue({self.tag!r}, {self.values!r})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not TaggedValue:
            return NotImplemented
        return bool(self.tag == other.tag) and self.values == other.values

    def __hash__(self) -> int:
        return hash((TaggedValue, self.tag, self.values))

    def __reduce__(self) -> tuple[Any, ...]:
        return (TaggedValue, (self.tag, self.values))


class _Array(tuple["Any", ...]):
    """A tuple that equals only its own type."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((type(self).__name__, tuple(self)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (tuple(self),))


class BoolArray(_Array):
    """Java's ``boolean[]``: a tuple of bools that equals no plain tuple.

    >>> BoolArray([True, 0])
    BoolArray([True, False])
    """

    __slots__ = ()

    def __new__(cls, values: Iterable[Any] = ()) -> BoolArray:
        return super().__new__(cls, map(bool, values))


class ObjectArray(_Array):
    """Java's ``Object[]``: a tuple that equals no plain tuple.

    >>> ObjectArray([1, "a"])
    ObjectArray([1, 'a'])
    """

    __slots__ = ()


class Cached(_Immutable):
    """Asks the writer to share ``value`` by its priority cache; readers see just ``value``.

    A second ``Cached`` of an equal value of the same type in one stream becomes a reference of
    one to four bytes. Only worth it for what repeats.

    >>> Cached("a long text that comes again")
    Cached('a long text that comes again')
    """

    __slots__ = ("value",)

    value: Any

    def __init__(self, value: Any) -> None:
        _set(self, "value", value)

    def __repr__(self) -> str:
        return f"Cached({self.value!r})"

    def __eq__(self, other: object) -> bool:
        return bool(self.value == other.value) if type(other) is Cached else NotImplemented

    def __hash__(self) -> int:
        return hash((Cached, self.value))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Cached, (self.value,))
