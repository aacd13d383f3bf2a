"""A value that would not come back as it was is an error, which says what to do."""

from __future__ import annotations

import array
import datetime
import enum
import re
from typing import Any

import pytest

from tape.codecs import fressian
from tape.codecs.fressian import URI, Cached, EncodeError, Fressian, Handlers, TaggedValue
from tests.kit.fressian_engines import ENGINES

UTC = datetime.timezone.utc
EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
WHOLE = datetime.datetime(2024, 1, 1, 0, 0, 0, 5000, UTC)

pair = pytest.mark.parametrize("engine", ENGINES)


@pair
@pytest.mark.parametrize("zone", [UTC, EAST])
@pytest.mark.parametrize("rest", [1, 999])
def test_microseconds_are_refused_with_the_option_that_rounds(engine: str, zone: Any,
                                                              rest: int) -> None:
    late = WHOLE.astimezone(zone) + datetime.timedelta(microseconds=rest)
    with pytest.raises(EncodeError, match=r"\$\[0\]: the datetime has microseconds") as caught:
        Fressian(engine=engine).dumps([late])
    assert 'datetimes="truncate"' in caught.value.hint
    codec = Fressian(engine=engine, datetimes="truncate")
    assert codec.loads(codec.dumps(late)) == WHOLE


@pair
def test_rounding_goes_down_before_1970_too(engine: str) -> None:
    codec = Fressian(engine=engine, datetimes="truncate")
    before = datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)
    assert codec.loads(codec.dumps(before)) == before.replace(microsecond=999000)


@pair
@pytest.mark.parametrize("datetimes", ["error", "truncate"])
def test_whole_milliseconds_are_written_alike(engine: str, datetimes: str) -> None:
    codec = Fressian(engine=engine, datetimes=datetimes)
    assert codec.dumps(WHOLE) == codec.dumps(WHOLE.astimezone(EAST)) == fressian.dumps(WHOLE)


@pair
def test_a_cached_moment_is_no_reference_to_one_that_differs_below_a_millisecond(
        engine: str) -> None:
    late = WHOLE + datetime.timedelta(microseconds=1)
    with pytest.raises(EncodeError, match="microseconds"):
        Fressian(engine=engine).dumps([Cached(WHOLE), Cached(late)])


def test_no_third_way_is_taken() -> None:
    with pytest.raises(ValueError, match="'error' or 'truncate', not 'round'"):
        Fressian(datetimes="round")


class Colour(enum.Enum):
    RED = 1


class Plain:
    pass


LOOP: list[Any] = []
LOOP.append(LOOP)
REFUSED: dict[str, tuple[Any, str]] = {
    "class": (Plain(), "handlers=|Handlers.record|default="),
    "enum": (Colour.RED, "default="),
    "iterator": (iter(()), "default="),
    "naive": (datetime.datetime(2024, 1, 1), "time zone"),
    "date": (datetime.date(2024, 1, 1), "default="),
    "circle": (LOOP, "max_depth="),
    "uri": (URI("a b"), "%XX"),
    "pattern": (re.compile(b"a"), "pattern of text"),
    "array": (array.array("B", b"a"), "type i, q, f or d"),
    "view": (memoryview(b"abcd")[::2], "bytes"),
    "tagged": (TaggedValue("int[]", [1]), "docs/fressian.md"),
    "tag": (TaggedValue((1,), [1]), "text as the tag"),
}


@pair
@pytest.mark.parametrize("name", REFUSED)
def test_every_refusal_says_what_to_do(engine: str, name: str) -> None:
    value, hint = REFUSED[name]
    with pytest.raises(EncodeError) as caught:
        Fressian(engine=engine).dumps([value])
    assert re.search(hint, caught.value.hint), caught.value.hint
    assert f"hint: {caught.value.hint}" in str(caught.value)
    assert caught.value.path.startswith("$[0]")


@pair
def test_limits_name_the_option_that_raises_them(engine: str) -> None:
    for option, value in (("max_count", [1, 2, 3]), ("max_size", "long text")):
        with pytest.raises(EncodeError) as caught:
            Fressian(engine=engine, **{option: 2}).dumps(value)    # type: ignore[arg-type]
        assert f"{option}=" in caught.value.hint


@pair
def test_a_handler_keeps_microseconds_for_readers_that_have_it(engine: str) -> None:
    handlers = Handlers()
    handlers.register(datetime.datetime, "app/moment", lambda m: [m.isoformat()],
                      datetime.datetime.fromisoformat)
    codec = Fressian(engine=engine, handlers=handlers)
    late = WHOLE + datetime.timedelta(microseconds=1)
    assert codec.loads(codec.dumps(late)) == late
