"""The options of a codec, checked once and shared by both implementations."""

from __future__ import annotations

from .handlers import Handlers

TYPE_CHECKING = False       # as typing's; importing typing takes longer than the codec
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["END", "Options"]

#: What a decoder's ``next()`` gives when the input ends where an object could start.
END: Any = type("End", (), {"__slots__": (), "__repr__": lambda self: "END"})()

MAX_DEPTH_LIMIT = 4000
_UNLIMITED = 2**62


class Options:
    """What :class:`tape.codecs.fressian.Fressian` was asked for; see there."""

    __slots__ = ("cached_fields", "checksum", "clashes", "default", "frozen", "handlers",
                 "keywords_as_str", "max_bigint", "max_count", "max_depth", "max_expanded",
                 "max_size", "negative_zero", "numpy", "sort",
                 "truncate_datetimes")

    def __init__(self, handlers: Handlers | None, keywords: str, frozen: bool, numpy: bool,
                 sort: bool, default: Callable[[Any], Any] | None, checksum: bool, clashes: str,
                 negative_zero: bool, datetimes: str, cached_fields: Any, max_depth: int,
                 max_count: int, max_size: int, max_bigint: int, max_expanded: int) -> None:
        if keywords not in ("keyword", "str"):
            raise ValueError(f"keywords is 'keyword' or 'str', not {keywords!r}")
        if clashes not in ("error", "tagged"):
            raise ValueError(f"clashes is 'error' or 'tagged', not {clashes!r}")
        if datetimes not in ("error", "truncate"):
            raise ValueError(f"datetimes is 'error' or 'truncate', not {datetimes!r}")
        if not 1 <= max_depth <= MAX_DEPTH_LIMIT:
            raise ValueError(f"max_depth is 1 to {MAX_DEPTH_LIMIT}, not {max_depth}")
        for name, value in (("max_count", max_count), ("max_size", max_size),
                            ("max_bigint", max_bigint), ("max_expanded", max_expanded)):
            if not 0 <= value <= _UNLIMITED:
                raise ValueError(f"{name} is 0 to 2**62, not {value}")
        if default is not None and not callable(default):
            raise TypeError("default is a function of one value")
        if numpy:
            import numpy as _numpy  # noqa: F401  (told here, not in the middle of a message)
        self.handlers = Handlers() if handlers is None else handlers
        self.keywords_as_str = keywords == "str"
        self.frozen = bool(frozen)
        self.numpy = bool(numpy)
        self.sort = bool(sort)
        self.default = default
        self.checksum = bool(checksum)
        self.clashes = clashes
        self.negative_zero = bool(negative_zero)
        self.truncate_datetimes = datetimes == "truncate"
        self.cached_fields = frozenset(cached_fields)
        self.max_depth = max_depth
        self.max_count = max_count
        self.max_size = max_size
        self.max_bigint = max_bigint
        self.max_expanded = max_expanded
