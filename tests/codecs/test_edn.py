"""EDN text of every value that Fressian can hold, and back."""

from __future__ import annotations

import doctest

import pytest

from tape.codecs import edn
from tape.codecs.fressian import Cached, Char, Fressian, Keyword, Record, Regex, Symbol, kw, sym
from tape.errors import DecodeError, EncodeError

from tests.kit import fressian_trees as trees

VECTORS = [v for v in trees.lines("vectors") if "tree" in v and len(v["hex"]) < 20_000]


@pytest.mark.parametrize("text", [
    "", "[", "]", "{1}", "{1 2 1 3}", "#{1 1}", '"a', '"\\q"', "\\", "\\nothing", "1/0", "#foo 1",
    "##Nope", "#", "1 2", "1a", "{[1] 1, #fressian/int-array [1] 2}", "[" * 1000, "#_", ":",
    '#uuid "x"', '#inst "x"', "#fressian/key 5", "#fressian/nothing 1", '#"a', "a//b", "\\😀",
])
def test_what_is_no_edn_is_refused_with_its_place(text):
    """Refused with a place, whatever is wrong."""
    with pytest.raises(DecodeError) as caught:
        edn.loads(text)
    assert 0 <= caught.value.offset <= len(text)


def test_what_has_no_edn_text_is_refused():
    """What has no EDN text, and what is too deep."""
    with pytest.raises(EncodeError):
        edn.dumps([object()])
    deep: list = []
    deep.append(deep)
    with pytest.raises(EncodeError, match="deeper"):
        edn.dumps(deep)
    with pytest.raises(DecodeError):
        edn.decode(memoryview(b"\xff"))


@pytest.mark.parametrize("vector", VECTORS, ids=[v["name"] for v in VECTORS])
def test_every_value_prints_and_reads_back(vector):
    """The value of each golden vector, through text, is the same value."""
    if vector["options"].get("handlers") == "none":
        pytest.skip("a stream without Clojure's handlers")
    value = Fressian(clashes="tagged").reader(bytes.fromhex(vector["hex"])).read()
    text = edn.dumps(value)
    assert trees.canonical(trees.tree_of(edn.loads(text))) == trees.canonical(
        trees.tree_of(value)), text
    assert edn.decode(memoryview(edn.encode(value))) is not None or value is None


@pytest.mark.parametrize("value, text", [
    ({kw("a/b"): [None, True]}, "{:a/b [nil true]}"),
    (Keyword("", "x y"), '#fressian/key ["" "x y"]'),
    (Symbol(None, "nil"), '#fressian/sym [nil "nil"]'),
    (sym("my.ns/f"), "my.ns/f"),
    (Char("\n"), "\\newline"),
    (Cached("a\"b\u0001"), '"a\\"b\\u0001"'),
    (Record("my.ns.Point", {kw.x: 1}), "#my.ns.Point{:x 1}"),
    (float("-inf"), "##-Inf"),
    (Regex("a\"b"), '#fressian/regex "a\\"b"'),
])
def test_texts_are_what_clojure_people_expect(value, text):
    """What Clojure people expect to see."""
    assert edn.dumps(value) == text


@pytest.mark.parametrize("text, value", [
    ("; hello\n (1, 2 #_ 3)", [1, 2]),
    ('#"a\\d"', Regex("a\\d")),
    ("#{[1] {:a [2]}}", {(1,), trees.FrozenMap({kw.a: (2,)})}),
    ('#inst "2020"', trees.moment(1577836800000)),
    ('#inst "2020-01-01T01:00:00.5+01:00"', trees.moment(1577836800500)),
    ("[+1 -0.5e3 1.00M 1/3]", [1, -500.0, trees.decimal.Decimal("1.00"),
                              trees.fractions.Fraction(1, 3)]),
])
def test_spellings_that_we_do_not_print_are_read(text, value):
    """Spellings that we do not print ourselves."""
    assert edn.loads(text) == value


def test_the_examples_run():
    """The docstrings."""
    assert doctest.testmod(edn).failed == 0
