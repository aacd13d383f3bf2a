"""What the codecs write they read, each code of the binary wire among it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tape.codecs import msgpack, pickle, text, wire
from tape.codecs._binary_wire import stop_bit

from tests.kit.codecs import decode


@pytest.mark.parametrize(("data", "value"), [
    ("05", 5), ("a1ff", 255), ("a2ffff", 65535), ("a3ffffffff", 0xFFFFFFFF), ("a4ff", -1),
    ("a5ffff", -1), ("a6ffffffff", -1), ("a7" + "ff" * 8, -1), ("a8ff", 255), ("a9ffff", 65535),
    ("af" + "10" + "00" * 7, 16), ("90000080bf", -1.0), ("91182d4454fb210940", 3.141592653589793),
    ("927d", 1.25), ("948001", 0.0128), ("968000", -1e-6), ("b0", False), ("b1", True),
    ("bb", None),
    ("b20532313a3030", "21:00"), ("b30a323032302d30312d3032", "2020-01-02"),
    ("a0" + "01" + "00" * 7 + "02" + "00" * 7, uuid.UUID(int=1 << 64 | 2)),
    ("bc0161", wire.TypeLiteral("a")),
    ("80038a6162", b"ab"), ("82030000008a6162", b"ab"), ("b606627974655b5d80038a6162", b"ab"),
    ("b60141" + "8203000000c16b05", wire.Typed("A", {"k": 5})), ("8200000000", []),
    ("82020000000506", [5, 6]), ("8202000000c061", {"": 0x61}), ("8f8f05be0161", 5), ("8f", {}),
    ("8e020000000000c161bf05", {"a": 5}), ("c16105c16106", wire.Pairs((("a", 5), ("a", 6)))),
    ("b9016105", {"a": 5}), ("b7016105", {"a": 5}), ("ba0705", {7: 5}), ("ba800005", {-1: 5}),
    ("bd820100000005" + "06", {(5,): 6}), ("e6eda0bdedb880", "\U0001F600"),
    ("e4f09f9880", "\U0001F600"),
    ("8d" + "02" + "00" * 7 + "01" + "00" * 7 + "09" + "00" * 15, [9]), ("e3eda080", "\ud800"),
])
def test_every_code_of_the_binary_wire_is_read(data: str, value: Any) -> None:
    """One row for each code of the format."""
    found = decode(wire, bytes.fromhex(data))
    assert found == value and type(found) is type(value)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-1 << 63, (1 << 63) - 1) | st.floats(allow_nan=False)
    | st.text() | st.binary(max_size=300),
    lambda inside: st.lists(inside, min_size=1, max_size=4)
    | st.dictionaries(st.from_regex(r"[a-zé]{1,40}", fullmatch=True), inside, min_size=1,
                      max_size=4),
    max_leaves=20)


@settings(max_examples=100, deadline=None)
@given(PLAIN)
def test_plain_values_go_both_ways(value: Any) -> None:
    """What wire and msgpack write they read."""
    for codec, sample in ((wire, {"v": value}), (msgpack, value), (pickle, value)):
        # 1 == 1.0 == True: their texts differ.
        assert repr(decode(codec, codec.encode(sample))) == repr(sample)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters()), st.integers(-1 << 63, (1 << 63) - 1))
def test_texts_and_numbers_go_both_ways(characters: str, number: int) -> None:
    """Lone surrogates included, as Java has them; but two that meet are one character."""
    joined = characters.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    assert decode(text, text.encode(characters)) == joined
    assert decode(wire, b"\xba" + stop_bit(number) + b"\xbb") == {number: None}


def test_typed_values_go_both_ways() -> None:
    """What dicts and lists cannot say."""
    for value in (wire.Typed("A", [wire.Typed("B", None)]), wire.Pairs((("a", 1), ("a", [2]))),
                  {"history": wire.History(((9, 5), (-1, -5)), (1, 2, 3)), 7: ""},
                  uuid.uuid4(), {"12": 1}):
        found = decode(wire, wire.encode(value))
        assert found == ({12: 1} if value == {"12": 1} else value)
        assert type(found) is type(value)
    assert type(decode(wire, wire.encode(wire.TypeLiteral("A")))) is wire.TypeLiteral
    packed = wire.encode({"history": wire.History(((9, 5),), (1, 2))})
    assert packed.hex().startswith("ba8000811f008601")


def test_a_history_with_the_name_of_a_service_behind_it_is_read() -> None:
    """5.26ea6 writes 8 bytes more, as no other release does; any other number is an error."""
    body = bytes.fromhex("ba8000811300860001fa36b82db30200000000000000000000b903736179e26869")
    assert decode(wire, body) == {"history": wire.History((), (0x2b32db836fa,)), "say": "hi"}
    for more in (1, 7, 9, 16):
        wrong = bytes([0xBA, 0x80, 0x00, 0x81, 11 + more, 0, 0x86, 0, 1]) + bytes(8 + more)
        with pytest.raises(ValueError, match="behind the message history"):
            decode(wire, wrong)
