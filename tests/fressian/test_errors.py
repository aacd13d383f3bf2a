"""What must not work: hostile input, limits, values without an encoding."""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import enum
import gc
import random
import re
import threading
import time
import tracemalloc

import pytest

from tape.codecs import fressian
from tape.codecs.fressian import (BigInt, Cached, Char, Fressian, Handlers, Instant, Record,
                                  TaggedValue, URI, kw)
from tape.errors import DecodeError, EncodeError, StateError

from tests.kit import fressian_trees as trees
from tests.kit.fressian_engines import ENGINES

pytestmark = pytest.mark.parametrize("engine", ENGINES)
SMALL = [bytes.fromhex(v["hex"]) for v in trees.lines("vectors") if len(v["hex"]) <= 2048]


def read(codec, data):
    """The value, or the error; nothing else may come."""
    try:
        return codec.loads(data)
    except DecodeError as error:
        assert 0 <= error.offset <= len(data)
        return error


# -- input

def test_every_prefix_is_refused_or_a_value(engine):
    """A message that was cut off never crashes and never gives more than a DecodeError."""
    codec = Fressian(engine=engine, clashes="tagged")
    for data in SMALL:
        for size in range(len(data)):
            read(codec, data[:size])


def test_every_bit_flip_is_refused_or_a_value(engine):
    """As above, for each single bit of each golden vector under 1 KiB."""
    codec = Fressian(engine=engine, clashes="tagged")
    vectors = SMALL if engine == "c" else SMALL[::7]
    for data in vectors:
        for bit in range(8 * len(data)):
            flipped = bytearray(data)
            flipped[bit >> 3] ^= 1 << (bit & 7)
            read(codec, bytes(flipped))


BOMBS = {
    "nested lists": b"\xe5" * 100_000 + b"\0",
    "nested counted lists": b"\xec\x76\0\0\x80\0" * 15_000 + b"\0",
    "nested puts": b"\xcd" * 100_000,
    "nested tags": b"\xef" * 100_000,
    "nested gets": b"\xcc" * 100_000,
    "nested closed lists": b"\xed" * 100_000,
    "resets": b"\xfe" * 100_000,
    "giant count": bytes.fromhex("ec767fffffff"),
    "giant array": bytes.fromhex("b1767fffffff"),
    "maps of one list":
        b"\xec\x68\x80\x01\xcd\xec\x60\x20\0" + b"\0\1" * 4096 + b"\xc0\x80" * 30000,
    "big integers of one byte string": b"\xec\x68\x75\x31\xcd\xd9\x67\xff\xff" + b"\1" * 65535
                                       + b"\xc6\x80" * 30000,
    "keys with one hash": b"\xc1\xec" + b"\x68\x20\0" + b"".join(
        b"\xc6\xd9\x0a" + ((2**61 - 1) * (2**16 + i)).to_bytes(10, "big") for i in range(8192)),
    "doubling lists": b"\xec\x1f\xcd\xe6\1\1" + b"".join(
        b"\xcd\xe6" + bytes((0x80 + i, 0x80 + i)) for i in range(30)),
    "doubling in a key": b"\xc1\xe5\xec\x1f\xcd\xe6\1\1" + b"".join(
        b"\xcd\xe6" + bytes((0x80 + i, 0x80 + i)) for i in range(30)),
    "empty structs": b"\xe6\xef\xdbt\0\xec\x76\0\x0f\x42\x40\xa0",
}


@pytest.mark.parametrize("name", BOMBS)
def test_small_inputs_that_describe_much_are_refused_soon(name, engine):
    """Small inputs that describe much: an error, soon, in little memory."""
    data = BOMBS[name]
    gc.collect()
    tracemalloc.start()
    started = time.monotonic()
    result = read(Fressian(engine=engine), data)
    spent = time.monotonic() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(result, DecodeError)
    assert spent < 5 and peak < 200 * len(data) + (64 << 20), (spent, peak)


def test_memory_is_a_multiple_of_the_input(engine):
    """docs/fressian.md: at most 400 bytes for each byte of input."""
    for unit in (b"\xf7", b"\xe4", b"\xc0\xe4", b"\xc1\xe4", b"\xa0", b"\xc4\xda", b"\xc8\0",
                 b"\xb5\0", b"\xb3\0"):
        size = 40_000
        data = b"\xe6\xef\xdbt\0\xec" + b"\x68" + size.to_bytes(2, "big") + unit * size
        if size > 0x7FFF:
            data = data.replace(b"\x68" + size.to_bytes(2, "big"),
                                b"\x72" + size.to_bytes(3, "big"))
        gc.collect()
        tracemalloc.start()
        value = Fressian(engine=engine).loads(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(value[1]) == size and peak < 400 * len(data) + (1 << 20), (unit, peak)


@pytest.mark.parametrize("limit, good, bad", [
    ({"max_depth": 3}, b"\xe5\xe5\xe5\0", b"\xe5\xe5\xe5\xe5\0"),
    ({"max_count": 8}, b"\xec\x08" + b"\0" * 8, b"\xec\x09" + b"\0" * 9),
    ({"max_count": 2}, b"\xed\0\0\xfd", b"\xed\0\0\0\xfd"),
    ({"max_size": 4}, b"\xdd\x61\x62\x63", b"\xde\x61\x62\x63\x64"),
    ({"max_bigint": 9}, b"\xc6\xd9\x09" + b"\1" * 9, b"\xc6\xd9\x0a" + b"\1" * 10),
    ({"max_expanded": 4}, b"\xe6\xcd\xe6\1\1\x80", b"\xe6\xcd\xe7\1\1\1\x80"),
])
def test_limits_hold_when_reading(limit, good, bad, engine):
    """At each limit, and one above it."""
    codec = Fressian(engine=engine, **limit)
    codec.loads(good)
    with pytest.raises(DecodeError):
        codec.loads(bad)


@pytest.mark.parametrize("limit, good, bad", [
    ({"max_depth": 3}, [[[1]]], [[[[1]]]]),
    ({"max_count": 3}, {1, 2, 3}, {1: 1, 2: 2, 3: 3, 4: 4}),
    ({"max_size": 4}, "abc", "abcd"),
    ({"max_size": 2000}, "a" * 1997, "a" * 1998),
])
def test_limits_hold_when_writing(limit, good, bad, engine):
    """At each limit, and one above it."""
    codec = Fressian(engine=engine, **limit)
    codec.dumps(good)
    with pytest.raises(EncodeError):
        codec.dumps(bad)


def test_deep_values_come_and_go(engine):
    """1000 levels are fine by default, whatever the depth of the caller's stack."""
    value = None
    for _ in range(1000):
        value = [value]
    codec = Fressian(engine=engine)
    again = codec.loads(codec.dumps(value))
    for _ in range(1000):
        (again,) = again
    assert again is None


def test_a_str_is_no_message(engine):
    """A str is no message."""
    with pytest.raises(TypeError):
        Fressian(engine=engine).loads("abc")
    with pytest.raises(DecodeError, match="before an object at byte 0"):
        Fressian(engine=engine).loads(b"")


def test_the_view_is_not_kept(engine):
    """After decode() returned the memory under the view may go away."""
    data = bytearray(fressian.dumps({"a": b"12345678", "b": ["text", array.array("d", [1.5])]}))
    view = memoryview(data)
    value = Fressian(engine=engine).decode(view)
    view.release()
    data[:] = bytes(len(data))
    data.clear()                        # raises BufferError if a view were still exported
    assert value == {"a": b"12345678", "b": ["text", array.array("d", [1.5])]}


# -- output

class Colour(enum.IntEnum):
    RED = 1


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize("value, path, message", [
    ({"orders": [1, 2, 3, {"price": iter(())}]}, "$.orders[3].price",
     "no Fressian encoding for tuple_iterator"),
    ([object()], "$[0]", "no Fressian encoding for object"),
    ({kw("a/b"): {kw.c: Colour.RED}}, "$[:a/b].c", "no Fressian encoding for Colour"),
    ({"p": Point(1, 2)}, "$.p", "no Fressian encoding for Point"),
    ({(1, object): 2}, "$.<key>[1]", "no Fressian encoding for type"),
    ({frozenset([Point])}, "$.<member>.<member>", "no Fressian encoding for type"),
    (datetime.datetime(2020, 1, 1), "$", "without a time zone"),
    (datetime.date(2020, 1, 1), "$", "no Fressian encoding for date"),
    (decimal.Decimal("NaN"), "$", "no Fressian encoding for the decimal NaN"),
    (decimal.Decimal("1E+3000000000"), "$", "does not fit 32 bits"),
    ([URI("a b")], "$[0]", "java.net.URI refuses"),
    (URI("http://[x/"), "$", "java.net.URI refuses"),
    (array.array("B", b"ab"), "$", "array of type 'B'"),
    (re.compile(b"a"), "$", "pattern of bytes"),
    (re.compile("a", re.DEBUG), "$", "no letter"),
    (Instant(2**63), "$", "64 bits"),
    (TaggedValue("int[]", [1]), "$", "cannot stand for"),
    (TaggedValue(None, [1]), "$", "tag None"),
    (Record("a", {kw.x: [object]}), "$.x[0]", "no Fressian encoding for type"),
    (TaggedValue("t", [1, object]), "$[1]", "no Fressian encoding for type"),
    ([Cached([object])], "$[0][0]", "no Fressian encoding for type"),
])
def test_what_has_no_encoding_is_named_with_its_place(value, path, message, engine):
    """The error names the place."""
    with pytest.raises(EncodeError) as caught:
        Fressian(engine=engine).dumps(value)
    assert caught.value.path == path and message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_values_that_contain_themselves_meet_the_depth_limit(engine):
    """Reported by the depth limit, also through dicts and caches."""
    one: list = []
    one.append({"again": one})
    with pytest.raises(EncodeError, match="contains itself"):
        Fressian(engine=engine).dumps(one)
    with pytest.raises(EncodeError, match="contains itself"):
        Fressian(engine=engine).dumps(Cached(one))


def test_values_that_change_meanwhile_are_an_error(engine):
    """Counts already written must hold."""
    values = [1, 2, 3]
    codec = Fressian(engine=engine, default=lambda _: values.append(1))
    values.insert(0, object())
    with pytest.raises(EncodeError, match="changed while"):
        codec.dumps(values)
    entries = {1: object()}
    codec = Fressian(engine=engine, default=lambda _: entries.update({2: 2}))
    with pytest.raises(EncodeError, match="changed while"):
        codec.dumps(entries)


def test_a_failed_write_leaves_the_stream_whole(engine):
    """Nothing of it is written, and what follows can be read."""
    writer = Fressian(engine=engine).writer()
    writer.write(kw("a/b"))
    with pytest.raises(EncodeError):
        writer.write([kw("c/d"), TaggedValue("t", [1]), object()])
    writer.write([kw("c/d"), kw("a/b"), TaggedValue("t", [1])])
    got = list(Fressian(engine=engine).reader(writer.getvalue()))
    assert got == [kw("a/b"), [kw("c/d"), kw("a/b"), TaggedValue("t", [1])]]


def test_errors_of_handlers_come_out_with_their_cause(engine):
    """A writer's exception goes out as it is, a reader's as a DecodeError with its cause."""
    handlers = Handlers()
    handlers.register(complex, "py/complex", lambda c: 1 / 0, lambda *a: {}["x"])
    codec = Fressian(engine=engine, handlers=handlers)
    with pytest.raises(ZeroDivisionError):
        codec.dumps(1j)
    with pytest.raises(DecodeError, match="the reader of 'py/complex' failed at byte 0") as caught:
        codec.loads(fressian.dumps(TaggedValue("py/complex", [1])))
    assert isinstance(caught.value.__cause__, KeyError)
    for bad in ("map", "char", "record"):
        with pytest.raises(ValueError):
            handlers.read(bad, list)
    with pytest.raises(ValueError):
        handlers.convert(dict, list)
    with pytest.raises(TypeError):
        handlers.record("a.B", complex)


def test_bad_options_are_told_when_the_codec_is_made(engine):
    """Told when the codec is made."""
    for options in ({"keywords": "x"}, {"clashes": "x"}, {"max_depth": 0}, {"max_depth": 5000},
                    {"max_count": -1}, {"engine": "x"}):
        with pytest.raises(ValueError):
            Fressian(**{"engine": engine, **options})
    with pytest.raises(TypeError):
        Fressian(engine=engine, default=1)


def test_lists_of_a_stream_must_begin_and_end(engine):
    """Ends without a begin, open lists in the middle, footers inside."""
    writer = Fressian(engine=engine).writer()
    with pytest.raises(StateError):
        writer.end_list()
    writer.write(1)
    with pytest.raises(StateError):
        writer.begin_open_list()
    writer.begin_closed_list()
    with pytest.raises(StateError):
        writer.footer()


@pytest.mark.parametrize("data, message", [
    (b"\xb6", "code b6 has no meaning at byte 0"),
    (b"\xe6\0", "2 elements in 1 bytes at byte 0"),
    (b"\xe5\xdb\xff", "not Fressian text at byte 2"),
    (b"\xc0\xe6\1\2\3", "bytes after the object at byte 4"),
    (b"\x80", "no cache entry 0 at byte 0"),
    (b"\xc0\xe8\1\2\xf5\3", "a map with keys that are equal in Python at byte 0"),
])
def test_both_codecs_tell_errors_in_the_same_words(data, message, engine):
    """Offset and what was wrong, the same text from both implementations."""
    with pytest.raises(DecodeError) as caught:
        Fressian(engine=engine).loads(data)
    assert str(caught.value) == message


# -- threads

def test_many_threads_may_share_one_codec(engine):
    """One codec, its buffer and its tables, from eight threads, with re-entrant hooks."""
    def default(value):
        return codec.loads(codec.dumps(["inner", kw.inner]))

    codec = Fressian(engine=engine, default=default)
    failures = []

    def work(seed):
        rng = random.Random(seed)
        for i in range(150 if engine == "c" else 30):
            value = {kw(f"k{rng.randrange(50)}"): [i, "x" * rng.randrange(200), object(),
                                                   BigInt(seed), Char("c")] for _ in range(9)}
            expected = {k: [*v[:2], ["inner", kw.inner], *v[3:]] for k, v in value.items()}
            if codec.decode(memoryview(codec.encode(value))) != expected:
                failures.append(value)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
