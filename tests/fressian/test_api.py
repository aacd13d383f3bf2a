"""Types, options, handlers, streams, documentation."""

from __future__ import annotations

import collections
import copy
import dataclasses
import datetime
import decimal
import doctest
import fractions
import gc
import importlib
import io
import pathlib
import pickle
import random
import re
import uuid
import weakref

import pytest

from tape.codecs import fressian
from tape.codecs.fressian import (BigInt, BoolArray, Cached, Char, Float32, Fressian, FrozenMap,
                                  Handlers, Instant, Keyword, ObjectArray, Record, Regex,
                                  TaggedValue, URI, kw, sym)
from tape.codecs.fressian import Symbol  # noqa: F401  (its repr is evaluated)
from tape.errors import DecodeError, EncodeError

from tests.kit import examples
from tests.kit.fressian_canon import Maker, canon
from tests.kit.fressian_engines import ENGINES

UTC = datetime.timezone.utc
VALUES = [kw.a, kw("a/b"), Keyword("", "x y"), sym("a/b"), BigInt(5), Float32(0.1), Char("a"),
          URI("a:b"), Regex("a+"), Instant(5), FrozenMap(a=1), Record("a.B", {kw.x: 1}),
          TaggedValue("t", [1]), BoolArray([True]), ObjectArray([1]), Cached("x")]


# -- types

@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_types_are_values(value):
    """Immutable, hashable, picklable, copyable; repr can be evaluated."""
    for attribute in ("ns", "text", "anything"):
        with pytest.raises(AttributeError):
            setattr(value, attribute, 1)
    for again in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value),
                  eval(repr(value))):
        assert again == value and hash(again) == hash(value) and type(again) is type(value)


def test_types_are_not_each_other():
    """What differs in Clojure differs as a key."""
    assert len({"a", kw.a, sym.a, Char("a"), URI("a"), Regex("a"), ("a",), ObjectArray(["a"])}) == 8
    assert len({(True,), BoolArray([True]), ObjectArray([True])}) == 3
    assert FrozenMap(a=1) == {"a": 1} and FrozenMap(a=1) != {"a": 2} and kw.a != ":a"
    assert BoolArray([1]) != (True,) and TaggedValue("t") != ("t", ()) and Instant(1) != 1


def test_parts_that_cannot_be_are_refused():
    """Parts that cannot be."""
    for make in (lambda: Char(65536), lambda: Char("ab"), lambda: Char(-1)):
        with pytest.raises(ValueError):
            make()
    for make in (lambda: Keyword(1, "a"), lambda: Keyword(None, None), lambda: URI(1),
                 lambda: Record(1, {}), lambda: kw(1), lambda: Regex(None)):
        with pytest.raises(TypeError):
            make()
    with pytest.raises(OverflowError):
        Float32(1e300)


def test_keywords_are_interned_weakly():
    """One object for each name while somebody has it, none after."""
    assert kw("zz/top") is Keyword("zz", "top") and kw("a", "b") is kw("a/b")
    assert sorted([kw("b/a"), kw.b, kw.a]) == [kw.a, kw.b, kw("b/a")]
    names = fressian.loads(fressian.dumps([kw(f"weak-{i}") for i in range(20_000)]))

    def count():
        return sum(k.name.startswith("weak-") for k in list(Keyword._interned.values()))
    assert count() == 20_000
    del names
    gc.collect()
    assert count() < 5000                   # the reader's tables keep at most 4096


def test_uris_are_taken_and_refused_as_by_java():
    """A sample of what java.net.URI takes and refuses."""
    for good in ("", "a", "http://a/b?c=d#e", "http://[::1]:80/", "urn:a:b", "/\xe9", "a%20b",
                 "mailto:a@b", "//host/x", "#f", "?q", "http://a/b;c=d"):
        fressian.dumps(URI(good))
    for bad in ("a b", "a\x00", "a\xa0b", "<", ">", '"', "\\", "^", "`", "{", "|", "}", "http://[x",
                "a[b]", "a#b#c", "%", "%g1", ":a", "a:", "1a:b", "a:#b", "//"):
        with pytest.raises(EncodeError):
            fressian.dumps(URI(bad))


# -- options, over both implementations

pair = pytest.mark.parametrize("engine", ENGINES)


@pair
def test_both_codecs_write_random_values_alike(engine):
    """Both codecs give the same bytes, and each reads what the other writes."""
    maker, ours, other = Maker(7), Fressian(engine=engine), Fressian(engine="python")
    for _ in range(1500):
        value = maker.value()
        data = ours.dumps(value)
        assert data == other.dumps(value)
        assert canon(other.loads(data)) == canon(ours.loads(data)) == canon(value)


@pair
def test_keywords_may_be_read_as_texts(engine):
    """Keys out as keywords, all keywords in as text; a text key clashes with a keyword."""
    codec = Fressian(engine=engine, keywords="str")
    value = {"a/b": ["x", {"/": 1, "": 2, "a/b/c": 3}]}
    data = codec.dumps(value)
    assert codec.loads(data) == value
    assert fressian.loads(data) == {kw("a/b"): ["x", {kw("/"): 1, kw(""): 2,
                                                    Keyword("a", "b/c"): 3}]}
    with pytest.raises(DecodeError, match="equal in Python"):
        codec.loads(fressian.dumps({"a": 1, kw.a: 2}))


@pair
def test_everything_read_frozen_can_be_a_key(engine):
    """Everything read can be a key."""
    codec = Fressian(engine=engine, frozen=True)
    value = codec.loads(fressian.dumps([{"a": [1, {2}]}, TaggedValue("t", [[1]]), [[1]]]))
    assert value == ({"a": (1, frozenset([2]))}, TaggedValue("t", [(1,)]), ((1,),))
    assert type(value[0]) is FrozenMap and hash(value)


@pair
def test_sorted_equal_values_have_equal_bytes(engine):
    """Equal values have equal bytes, whatever the order they were made in."""
    codec = Fressian(engine=engine, sort=True)
    one = {"b": {3, 1, 2}, "a": Record("x.Y", {kw.b: 1, kw.a: 2})}
    two = {"a": Record("x.Y", {kw.a: 2, kw.b: 1}), "b": {2, 3, 1}}
    assert codec.dumps(one) == codec.dumps(two)
    assert codec.loads(codec.dumps(one)) == one


@pair
def test_default_is_asked_for_what_has_no_encoding(engine):
    """Asked for what has no encoding, again if need be, not for ever."""
    codec = Fressian(engine=engine, default=lambda v: str(v) if isinstance(v, range) else [v.real])
    assert codec.loads(codec.dumps({"x": 1j})) == {"x": [0.0]}
    endless = Fressian(engine=engine, default=lambda v: object())
    with pytest.raises(EncodeError, match="nested deeper"):
        endless.dumps(object())


@pair
def test_arrays_and_scalars_of_numpy_go_both_ways(engine):
    """Arrays and scalars of numpy, both ways."""
    numpy = pytest.importorskip("numpy")
    codec = Fressian(engine=engine, numpy=True)
    for dtype in ("i4", "i8", "f4", "f8", "?", ">i4", ">f8"):
        made = numpy.array([0, 1, 1], dtype=dtype)
        again = codec.loads(codec.dumps(made))
        assert (again == made).all() and again.dtype == made.dtype.newbyteorder("=")
        again[0] = 1                        # a copy of its own, writable
    assert fressian.loads(codec.dumps(numpy.array([None, "a"], dtype=object))) == ObjectArray(
        [None, "a"])
    scalars = [numpy.int8(1), numpy.uint64(2**63), numpy.float64(1.5), numpy.float32(0.5),
               numpy.bool_(True), numpy.str_("a")]
    assert fressian.loads(codec.dumps(scalars)) == [1, 2**63, 1.5, 0.5, True, "a"]
    for bad in (numpy.zeros((2, 2)), numpy.array([1], dtype="u1"), numpy.float16(1),
                numpy.array(["a"])):
        with pytest.raises(EncodeError):
            codec.dumps(bad)


@pair
def test_numbers_and_moments_at_the_edges_are_exact(engine):
    """Values at the edges of what Python and Java have in common."""
    codec = Fressian(engine=engine)
    east = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    for value in (decimal.Decimal("-0.00"), decimal.Decimal("1E+2147483647"),
                  decimal.Decimal("9" * 5000), decimal.Decimal("123456789012345678.9"),
                  fractions.Fraction(-3, 7), 2**63, -2**63 - 1, -2**63, 10**300,
                  datetime.datetime.min.replace(tzinfo=UTC), uuid.UUID(int=2**128 - 1),
                  datetime.datetime(9999, 12, 31, 23, 59, 59, 999000, UTC),
                  datetime.datetime(1969, 12, 31, 23, 59, 59, 999000, UTC),
                  datetime.datetime(2024, 2, 29, 1, 2, 3, 4000, east), Instant(-2**63)):
        again = codec.loads(codec.dumps(value))
        assert again == value and isinstance(again, type(value)), value
    assert str(codec.loads(codec.dumps(decimal.Decimal("1.00")))) == "1.00"
    assert type(codec.loads(codec.dumps(fractions.Fraction(4)))) is BigInt
    assert codec.loads(codec.dumps(re.compile("a", re.I | re.X))) == Regex("(?ix)a")


@pair
def test_lists_maps_and_bytes_of_every_kind_are_written(engine):
    """Everything that is a list, a map or bytes for Clojure."""
    codec = Fressian(engine=engine)

    class Text(str):
        pass

    class Table(dict):
        pass

    for value, wanted in ((collections.deque([1]), [1]), (range(3), [0, 1, 2]), ((1,), [1]),
                          (Table(a=1), {"a": 1}), (Text("a"), "a"), (bytearray(b"a"), b"a"),
                          (memoryview(b"ab")[1:], b"b"), (collections.ChainMap({"a": 1}), {"a": 1}),
                          (frozenset([1]), {1}), (collections.OrderedDict(a=1), {"a": 1})):
        assert codec.loads(codec.dumps(value)) == wanted
    with pytest.raises(EncodeError):
        codec.dumps(memoryview(b"abcd")[::2])


# -- handlers

@dataclasses.dataclass
class Line:
    sku: str
    unit_price: float = 0.0


class Money:
    def __init__(self, amount, currency):
        self.amount, self.currency = amount, currency

    def __eq__(self, other):
        return vars(self) == vars(other)


class Euro(Money):
    pass


@pair
def test_handlers_go_by_class_by_mro_and_by_tag(engine):
    """By class, by MRO, by tag; later registrations count; nested in each other."""
    handlers = Handlers()
    codec = Fressian(engine=engine, handlers=handlers)
    with pytest.raises(EncodeError):
        codec.dumps(Money(1, "EUR"))
    handlers.register(Money, "shop/money", lambda m: (m.amount, m.currency), Money)
    handlers.record("shop.Line", Line)
    value = [Money(1, "EUR"), Euro(2, "EUR"), Line("a", Money(3, "X")), Money(Line("b"), None)]
    again = codec.loads(codec.dumps(value))
    assert [type(v) for v in again] == [Money, Money, Line, Money]
    assert again[2].unit_price == Money(3, "X") and again[3].amount == Line("b")
    assert fressian.loads(codec.dumps(Line("a"))) == Record(
        "shop.Line", {kw.sku: "a", kw("unit-price"): 0.0})
    handlers.convert(Euro, lambda m: m.amount)
    assert codec.loads(codec.dumps(Euro(2, "EUR"))) == 2
    with pytest.raises(DecodeError, match="no field for :zip"):
        codec.loads(fressian.dumps(Record("shop.Line", {kw.sku: 1, kw.zip: 1})))
    with pytest.raises(DecodeError, match="the reader of shop.Line failed"):
        codec.loads(fressian.dumps(Record("shop.Line", {})))


# -- streams

@pair
def test_streams_keep_caches_and_check_footers(engine):
    """Files, caches over objects, footers, end of input."""
    codec, file = Fressian(engine=engine), io.BytesIO()
    writer = codec.writer(file)
    writer.write(kw.a)
    writer.write(kw.a)
    writer.footer()
    with pytest.raises(ZeroDivisionError):
        with writer.closed_list():
            writer.write("a", cache=True)
            1 / 0                           # the list is ended all the same
    writer.write("a", cache=True)
    writer.reset_caches()
    file.seek(0)
    reader = codec.reader(file)
    assert list(reader) == [kw.a, kw.a, ["a"], "a"]
    with pytest.raises(EOFError):
        reader.read()
    assert reader.pos == len(file.getvalue())
    data = codec.dumps([1], footer=True)
    assert codec.loads(data) == [1]
    broken = data[:-1] + b"\0"
    with pytest.raises(DecodeError, match="checksum"):
        codec.loads(broken)
    assert codec.loads(broken, checksum=False) == [1]


def test_it_is_a_codec_for_a_queue():
    """What a queue asks of the module and of the objects that it makes."""
    from tape.codecs import Codec
    for codec in (fressian, Fressian(), Fressian(engine="python")):
        assert isinstance(codec, Codec) and codec.name == "fressian" and codec.framing == "bytes"
        assert codec.decode(memoryview(codec.encode([1]))) == [1]


# -- documentation

@pytest.mark.parametrize("name", [name for name in examples.MODULES
                                  if name.startswith("tape.codecs.fressian")])
def test_the_examples_of_docstrings_run(name):
    """The docstrings run."""
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_examples_of_the_page_run():
    """docs/fressian.md runs."""
    page = pathlib.Path(__file__).parents[2] / "docs" / "fressian.md"
    assert doctest.testfile(str(page), module_relative=False,
                            optionflags=doctest.IGNORE_EXCEPTION_DETAIL).failed == 0


def test_every_input_that_the_fuzzer_kept_is_harmless():
    """Every input that the fuzzer kept or that broke something once, over both codecs."""
    if not fressian.have_speed:
        pytest.skip("only one implementation is here")
    from tests.fuzz import fressian_target
    if not fressian_target._pairs:
        fressian_target.start()
    corpus = pathlib.Path(__file__).parents[1] / "fuzz" / "fressian_corpus.hex"
    inputs = corpus.read_text().split()
    assert len(inputs) > 100
    for line in inputs:
        fressian_target.one(bytes.fromhex(line))


def test_names_known_from_earlier_messages_change_nothing():
    rng = random.Random(7)
    codec, python = fressian.Fressian(), fressian.Fressian(engine="python")
    parts = ["", "a", "id", "seven__", "eight___", "\xe9", "\U0001f600", "x" * 36, "x" * 37,
             "y" * 63, "y" * 64, "z" * 70_000, *(f"n{i}" for i in range(900))]
    for size in (1, 5, 20, 40, 700, 3, 60, 2000, 2):
        names = [fressian.Keyword(rng.choice([None, *parts]), rng.choice(parts))
                 for _ in range(size)]
        value = [names, [fressian.Cached((n.name + '!')[:-1]) for n in names],
                 [fressian.Cached(n) for n in names],
                 [fressian.Symbol(n.name, n.name) for n in names[:50]], names]
        assert codec.encode(value) == python.encode(value)
        assert codec.decode(codec.encode(names)) == names


@pytest.mark.parametrize("engine", ENGINES)
def test_keywords_in_an_order_that_changes(engine):
    """Readers may remember which keyword came after which; what they read stays the same."""
    rng = random.Random(3)
    codec = Fressian(engine=engine)
    names = [kw(t) for t in ("a", "x/a", "y/a", "x/b", "a/a", "x/\xe9", "\xe9/a", "x", "b/x", "b")]
    names += [Keyword("", "a"), Keyword("a", ""), Keyword(None, "k" * 50), Keyword("b", "k" * 300)]
    for _ in range(300):
        value = [{name: rng.randrange(3) for name in rng.sample(names, rng.randrange(12))}
                 for _ in range(rng.randrange(4))]
        data = codec.encode([rng.choice(["x", Cached("x"), Cached("a"), Cached(5)]), value])
        found = codec.decode(data)[1]
        assert found == value
        assert all(key is Keyword(key.ns, key.name) for each in found for key in each)


def test_dicts_of_keywords_are_collected():
    """Whatever is put into a decoded dict later is found by the garbage collector."""
    found = fressian.decode(fressian.encode({kw.a: 1, kw.b: "x"}))
    found[kw.c] = made = [found]
    made.append(Marked := type("Marked", (), {}))
    ref = weakref.ref(Marked)
    del found, made, Marked
    gc.collect()
    assert ref() is None
