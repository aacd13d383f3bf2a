"""What a codec writes it can read: anything else would be a message that stops all its readers."""

from __future__ import annotations

import datetime
import decimal
import fractions
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

import tape
import tape.codecs.msgpack as msgpack
from tape.codecs import document, edn, fressian, json, text, wire
from tape.codecs.fressian import Fressian, kw

KEYS: list[Any] = [
    (1, 2), (), ((1,),), None, True, 1, "1", 1.5, "1.5", b"x", frozenset({1}), frozenset(), -1, "",
    float("nan"), float("inf"), kw.a, "a", ":a", "a b", 2**70, 10**5000, "\0", "true", "nil",
    datetime.date(2020, 1, 1), uuid.UUID(int=1), decimal.Decimal(1), fractions.Fraction(1, 3),
    "\ud800", (kw.a,), ("a",), frozenset({kw.a}), frozenset({"a"}), ((kw.a,),), (("a",),),
]
CODECS = {
    "text": text, "json": json, "wire": wire, "msgpack": msgpack, "edn": edn, "document": document,
    "fressian": fressian, "str keywords": Fressian(keywords="str"),
    "tagged": Fressian(keywords="str", clashes="tagged"),
    "sorted": Fressian(keywords="str", sort=True),
}


def values() -> Iterator[Any]:
    """Each key alone, in a map, in a set, deeper, and with each other one."""
    for n, key in enumerate(KEYS):
        yield from (key, [key], {key: 1}, {key}, [{"deeper": {key: 1}}])
        for other in KEYS[:n]:
            if len({key, other}) == 2:
                yield from ({key: 1, other: 2}, {key, other})
    deep: Any = 1
    for _ in range(70):
        deep = [deep]
        yield deep
    yield from ([], {}, "", b"", {"": {"": 1}})


@pytest.mark.parametrize("name", CODECS)
def test_what_is_written_can_be_read(name: str) -> None:
    """Every value is refused when it is written, with a short text and a hint, or it can be read;
    no other error comes out."""
    codec, written, refused = CODECS[name], 0, 0
    for value in values():
        try:
            data = codec.encode(value)
        except tape.EncodeError as error:
            assert error.hint and len(str(error)) < 700
            refused += 1
        else:
            codec.decode(memoryview(data))
            written += 1
    print(f"{name}: {written} written and read, {refused} refused")
    assert written > 1 and refused + written == len(list(values()))


def test_a_clash_says_what_to_do() -> None:
    """str and keywords in one map, where a reader gets both as str."""
    for value in ({"a": 1, kw.a: 2}, {"a", kw.a}, {"x": {("a",): 1, (kw.a,): 2}}):
        with pytest.raises(tape.EncodeError, match=r'clashes="tagged"'):
            Fressian(keywords="str").encode(value)
        assert fressian.decode(memoryview(fressian.encode(value))) == value


def test_a_value_that_contains_itself_has_a_short_error() -> None:
    """The path to the deepest place is told without its middle; the error has all of it."""
    circle: list[Any] = []
    circle.append(circle)
    for codec in (fressian, msgpack, wire):
        with pytest.raises(tape.EncodeError) as caught:
            codec.encode(circle)
        assert len(str(caught.value)) < 500
    with pytest.raises(tape.EncodeError) as caught:
        fressian.encode(circle)
    assert len(str(caught.value.path)) > 1000
