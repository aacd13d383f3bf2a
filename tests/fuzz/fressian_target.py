"""One input for both codecs: the same value, the same bytes again, or the same error.

Used by the fuzzer, and by the tests that run the kept corpus.
"""

from __future__ import annotations

import pickle
from typing import Any

from tape.codecs.fressian import Fressian, FrozenMap, Record, TaggedValue
from tape.codecs.fressian._codec import Fressian as _Codec
from tape.errors import DecodeError, EncodeError

#: Several sets of options; the first byte of an input chooses.
OPTIONS: list[dict[str, Any]] = [
    {}, {"frozen": True}, {"clashes": "tagged"}, {"keywords": "str"},
    {"max_depth": 3}, {"max_count": 4, "max_bigint": 64}, {"sort": True, "clashes": "tagged"},
    {"max_expanded": 100, "max_size": 500},
]
_pairs: list[tuple[Any, Any]] = []


class _Wrapped(_Codec):
    """A codec over an extension module that was not imported in the usual way."""

    def __init__(self, speed: Any, **options: Any) -> None:
        super().__init__(engine="python", **options)
        core = speed.Codec(self._options)
        self.engine = "c"
        self._make_encoder, self._make_decoder = core.encoder, core.decoder
        self.encode, self.decode = core.encode, core.decode


def start(speed: Any = None) -> None:
    """Makes the codecs; ``speed`` is the extension module, or None: the installed one."""
    for options in OPTIONS:
        options = {"max_expanded": 20_000, **options}       # the comparison walks every value
        fast = Fressian(engine="c", **options) if speed is None else _Wrapped(speed, **options)
        _pairs.append((Fressian(engine="python", **options), fast))


def outcome(function: Any, *args: Any) -> tuple[str, Any]:
    """The value, or the error as text; other exceptions than these two are findings."""
    try:
        return "value", function(*args)
    except DecodeError as error:
        return "DecodeError", (error.offset, str(error))
    except EncodeError as error:
        return "EncodeError", (error.path, str(error))


def all_of(reader: Any) -> list[Any]:
    return list(reader)


def show(value: Any) -> str:
    """Type and content; sets in one order, for NaN has another hash each time."""
    kind = type(value).__name__
    if isinstance(value, (set, frozenset)):
        return f"{kind}({' '.join(sorted(map(show, value)))})"
    if isinstance(value, (list, tuple)):
        return f"{kind}({' '.join(map(show, value))})"
    if isinstance(value, (dict, FrozenMap)):
        return f"{kind}({' '.join(show(k) + ': ' + show(v) for k, v in value.items())})"
    if isinstance(value, TaggedValue):
        return f"{kind}({show(value.tag)}, {show(value.values)})"
    if isinstance(value, Record):
        return f"{kind}({value.type_name!r}, {show(value.fields)})"
    return f"{kind} {value!r}"


def same(a: Any, b: Any) -> bool:
    """Equal in type and content, NaN and shared parts included."""
    try:
        return show(a) == show(b)
    except RecursionError:
        return True                 # too deep to be shown; both were read


def one(data: bytes) -> None:
    """Raises AssertionError when the codecs differ."""
    slow, fast = _pairs[data[0] % len(_pairs) if data else 0]
    data = data[1:]
    expected, got = outcome(slow.loads, data), outcome(fast.loads, data)
    assert expected[0] == got[0] and same(expected[1], got[1]), (expected, got)
    streamed = outcome(all_of, slow.reader(data)) if len(data) <= slow._options.max_size else None
    if streamed is not None:
        also = outcome(all_of, fast.reader(data))
        assert streamed[0] == also[0] and same(streamed[1], also[1]), (streamed, also)
    if expected[0] == "value":
        written, again = outcome(slow.dumps, expected[1]), outcome(fast.dumps, expected[1])
        assert written == again, (written, again)
        if written[0] == "value" and len(data) < 4000:
            back = outcome(fast.loads, again[1])
            assert back[0] == "value" or slow._options.max_depth < 5, back
            pickle.dumps(back[0])
