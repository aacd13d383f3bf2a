"""Which Python class is written how, and what a tag or record name becomes when read."""

from __future__ import annotations

import sys as _sys
from _collections_abc import Mapping as _Mapping

from . import types as _types
from .codes import CLOJURE_TAGS, CODE_OF_TAG
from .types import Keyword, Record, kw

TYPE_CHECKING = False       # as typing's; importing typing takes longer than the codec
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeVar

    C = TypeVar("C", bound=type)

__all__ = ["Handlers"]

# Kinds of values, numbered for both writers; c/speed.h has the same list.
(UNKNOWN, NIL, BOOL, INT, FLOAT, STR, BYTES, LIST, MAP, SET, KEYWORD, SYMBOL, BIGINT, FLOAT32,
 CHAR, DECIMAL, FRACTION, DATETIME, INSTANT, UUID, URI, REGEX, PATTERN, ARRAY, BOOL_ARRAY,
 OBJECT_ARRAY, RECORD, TAGGED, CACHED, NUMPY_ARRAY, NUMPY_SCALAR, REFUSED) = range(32)

_EXACT: dict[type, int] = {
    type(None): NIL, bool: BOOL, int: INT, float: FLOAT, str: STR,
    bytes: BYTES, bytearray: BYTES, memoryview: BYTES,
    list: LIST, tuple: LIST, range: LIST,
    dict: MAP, _types.FrozenMap: MAP, set: SET, frozenset: SET,
    _types.Keyword: KEYWORD, _types.Symbol: SYMBOL, _types.BigInt: BIGINT,
    _types.Float32: FLOAT32, _types.Char: CHAR, _types.Instant: INSTANT, _types.URI: URI,
    _types.Regex: REGEX, _types.BoolArray: BOOL_ARRAY, _types.ObjectArray: OBJECT_ARRAY,
    _types.Record: RECORD, _types.TaggedValue: TAGGED, _types.Cached: CACHED,
}

# Classes of modules that cost more to import than most programs spend in the codec. A value of
# one exists only when its module has been imported; it is looked for there.
_LATE = (("collections", "deque", LIST), ("decimal", "Decimal", DECIMAL),
         ("fractions", "Fraction", FRACTION), ("datetime", "datetime", DATETIME),
         ("uuid", "UUID", UUID), ("re", "Pattern", PATTERN), ("array", "array", ARRAY))


def _exact() -> dict[type, int]:
    """Every class that has a kind of its own, as far as their modules have been imported."""
    found = dict(_EXACT)
    for module, name, kind in _LATE:
        cls = getattr(_sys.modules.get(module), name, None)
        if cls is not None:
            found[cls] = kind
    return found


# Values of these classes are recognised before the registry is asked.
_FIXED = frozenset((type(None), bool, int, float, str, bytes, list, tuple, dict, set, frozenset,
                    _types.Keyword, _types.Symbol))


class Handlers:
    """A registry of classes and tags. One may serve many codecs; register before use.

    A class is looked up exactly, then along its MRO. What is registered later counts for all
    codecs made with the registry.

    >>> from tape.codecs import fressian
    >>> class Money:
    ...     def __init__(self, amount, currency): self.amount, self.currency = amount, currency
    ...     def __repr__(self): return f"Money({self.amount}, {self.currency!r})"
    >>> handlers = Handlers()
    >>> handlers.register(Money, "shop/money", lambda m: (m.amount, m.currency), Money)
    >>> codec = fressian.Fressian(handlers=handlers)
    >>> codec.loads(codec.dumps(Money(5, "EUR")))
    Money(5, 'EUR')
    """

    def __init__(self) -> None:
        self._writers: dict[type, tuple[Any, ...]] = {}
        #: Readers by tag and by record class name; the codecs look into these directly.
        self.readers: dict[Any, Callable[..., Any]] = {}
        self.records: dict[str, Callable[[dict[Any, Any]], Any]] = {}
        #: What was found for each class so far; emptied by every registration.
        self.dispatch: dict[type, Any] = dict(_EXACT)

    def write(self, cls: type, tag: Any, components: Callable[[Any], Iterable[Any]]) -> None:
        """Objects of ``cls`` are written as a struct.

        Args:
            cls: the class; its subclasses follow unless they are registered themselves.
            tag: a text, as Clojure's handlers have.
            components: called with the object, gives the components.

        Raises:
            ValueError: the tag or the class is one that the format itself defines.

        >>> class Version(tuple): pass
        >>> Handlers().write(Version, "app/version", list)
        """
        self._check_tag(tag)
        self._add(cls, ("struct", tag, components))

    def convert(self, cls: type, to: Callable[[Any], Any]) -> None:
        """Objects of ``cls`` are written as the value that ``to(obj)`` gives.

        >>> import pathlib
        >>> Handlers().convert(pathlib.PurePath, str)
        """
        self._add(cls, ("convert", None, to))

    def read(self, tag: Any, build: Callable[..., Any]) -> None:
        """Structs with ``tag`` become ``build(*components)``.

        Raises:
            ValueError: the format itself defines the tag.

        >>> Handlers().read("app/version", lambda *parts: parts)
        """
        self._check_tag(tag)
        self.readers[tag] = build

    def register(self, cls: type, tag: Any, components: Callable[[Any], Iterable[Any]],
                 build: Callable[..., Any] | None = None) -> None:
        """:meth:`write` and :meth:`read` in one; ``build`` is ``cls`` unless given.

        >>> Handlers().register(complex, "py/complex", lambda c: (c.real, c.imag))
        """
        self.write(cls, tag, components)
        self.read(tag, cls if build is None else build)

    def record(self, type_name: str, cls: C | None = None, *,
               to_fields: Callable[[Any], Mapping[Any, Any]] | None = None,
               from_fields: Callable[[dict[Any, Any]], Any] | None = None) -> Any:
        """Objects of ``cls`` to and from Clojure records; a class decorator without ``cls``.

        For a dataclass the fields become keywords, ``unit_price`` as ``:unit-price``. Keys that
        the class lacks, and a missing required one, are a DecodeError.

        Args:
            type_name: the Java class name of the record, such as ``shop.core.Order``.
            cls: a dataclass, or any class with both functions given.
            to_fields: object to an ordered mapping of keywords to values.
            from_fields: the reverse; gets a dict.

        Raises:
            TypeError: not a dataclass, and a function is missing.

        >>> import dataclasses
        >>> from tape.codecs import fressian
        >>> handlers = Handlers()
        >>> @handlers.record("geo.core.Point")
        ... @dataclasses.dataclass
        ... class Point:
        ...     x: int
        ...     y: int
        >>> codec = fressian.Fressian(handlers=handlers)
        >>> codec.loads(codec.dumps(Point(1, 2)))
        Point(x=1, y=2)
        """
        if cls is None:
            def decorate(decorated: C) -> C:
                self.record(type_name, decorated, to_fields=to_fields, from_fields=from_fields)
                return decorated
            return decorate
        if to_fields is None or from_fields is None:
            made_to, made_from = _dataclass_functions(cls)
            to_fields, from_fields = to_fields or made_to, from_fields or made_from
        fields = to_fields
        self._add(cls, ("convert", None, lambda obj: Record(type_name, fields(obj))))
        self.records[type_name] = from_fields
        return cls

    def resolve(self, cls: type) -> Any:
        """How ``cls`` is written: a kind, or a registered tuple; remembered in ``dispatch``."""
        found = self._resolve(cls)
        if len(self.dispatch) > 2000:       # classes made at run time must not pile up
            self.dispatch.clear()
            self.dispatch.update(_EXACT)
            self.dispatch.update(self._writers)
        self.dispatch[cls] = found
        return found

    def _resolve(self, cls: type) -> Any:
        for base in cls.__mro__:
            if base in self._writers:
                return self._writers[base]
        exact = _exact()
        if cls in exact:
            return exact[cls]
        enum = _sys.modules.get("enum")
        if enum is not None and issubclass(cls, enum.Enum):
            return REFUSED
        if issubclass(cls, tuple) and hasattr(cls, "_fields"):
            return REFUSED                  # a namedtuple's field names would be lost
        for base in cls.__mro__:
            if base in exact and base not in (_types.Keyword, _types.Symbol):
                return exact[base]
        numpy = _sys.modules.get("numpy")
        if numpy is not None:
            if issubclass(cls, numpy.ndarray):
                return NUMPY_ARRAY
            if issubclass(cls, numpy.generic):
                return NUMPY_SCALAR
        return MAP if issubclass(cls, _Mapping) else UNKNOWN

    def _add(self, cls: type, how: tuple[Any, ...]) -> None:
        if cls in _FIXED:
            raise ValueError(f"{cls.__name__} has an encoding of its own")
        self._writers[cls] = how
        self.dispatch.clear()
        self.dispatch.update(_EXACT)
        self.dispatch.update(self._writers)

    @staticmethod
    def _check_tag(tag: Any) -> None:
        if isinstance(tag, str) and (tag in CODE_OF_TAG or tag in CLOJURE_TAGS):
            raise ValueError(f"the format itself defines the tag {tag!r}")


def _dataclass_functions(cls: type) -> tuple[Callable[[Any], Mapping[Any, Any]],
                                             Callable[[dict[Any, Any]], Any]]:
    import dataclasses
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"{cls.__name__} is no dataclass: give to_fields and from_fields")
    names = [(kw(f.name.replace("_", "-")), f.name) for f in dataclasses.fields(cls)]
    init = {f.name for f in dataclasses.fields(cls) if f.init}
    by_key: dict[Any, str] = {key: name for key, name in names}
    by_key.update({str(key)[1:]: name for key, name in names})      # with keywords="str"

    def to_fields(obj: Any) -> Mapping[Keyword, Any]:
        return {key: getattr(obj, name) for key, name in names}

    def from_fields(fields: dict[Any, Any]) -> Any:
        known = {by_key[key]: value for key, value in fields.items() if key in by_key}
        if len(known) != len(fields):
            extra = next(key for key in fields if key not in by_key)
            raise ValueError(f"{cls.__name__} has no field for {extra}")
        return cls(**{name: value for name, value in known.items() if name in init})

    return to_fields, from_fields
