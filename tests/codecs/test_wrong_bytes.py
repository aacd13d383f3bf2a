"""Bytes that no codec wrote: refused with an offset inside, in little time and memory."""

from __future__ import annotations

import random
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import tape
from tape.codecs import document, json, msgpack, pickle, text, wire
from tape.codecs._binary_wire import MAX_DEPTH

from tests.kit.codecs import READERS, SAMPLES, decode


def refused(codec: Any, data: bytes) -> tape.DecodeError:
    """The error of decoding wrong bytes; its offset lies inside them."""
    with pytest.raises(tape.DecodeError) as caught:
        decode(codec, data)
    assert caught.value.offset is not None and 0 <= caught.value.offset <= len(data)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("codec", READERS, ids=lambda c: c.name)
def test_a_document_cut_anywhere_is_refused_or_shorter(codec: Any) -> None:
    """A document cut anywhere is refused with an offset, or is a shorter value."""
    for sample in SAMPLES[codec]:
        data = codec.encode(sample)
        for cut in range(len(data)):
            try:
                assert decode(codec, data[:cut]) != sample
            except tape.DecodeError as error:
                assert error.offset is not None and 0 <= error.offset <= cut


# Codes of the binary wire that are read alike: 64 bits with a sign; dates and times, both as text.
SYNONYMS = {0xA7, 0xAF}, {0xB2, 0xB3}


@pytest.mark.parametrize("codec", READERS, ids=lambda c: c.name)
def test_a_flipped_bit_gives_another_value_or_an_error(codec: Any) -> None:
    """A flipped bit gives another value or a DecodeError with an offset inside, nothing else."""
    for sample in SAMPLES[codec]:
        data = codec.encode(sample)
        whole = pickle.encode(decode(codec, data))  # which tells types, too
        for bit in range(8 * len(data)):
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            try:
                same = pickle.encode(decode(codec, bytes(flipped))) == whole
                assert not same or {data[bit // 8], flipped[bit // 8]} in SYNONYMS, bit
            except tape.DecodeError as error:
                assert error.offset is not None and 0 <= error.offset <= len(data)


@pytest.mark.parametrize("codec", READERS, ids=lambda c: c.name)
def test_random_bytes_give_values_or_errors_with_an_offset(codec: Any) -> None:
    """Noise, and noise rich in codes of the format."""
    random_ = random.Random(1)
    codes = bytes.fromhex("80 81 82 86 8a 8d 8e 8f a0 b6 b8 b9 ba bd be c1 e1 01 02 03 00")
    for n in range(20_000):
        size = random_.randrange(40)
        data = random_.randbytes(size) if n % 2 else bytes(random_.choices(codes, k=size))
        try:
            decode(codec, data)
        except tape.DecodeError as error:
            assert error.offset is not None and 0 <= error.offset <= size


@pytest.mark.parametrize(("codec", "data"), [
    (wire, "82ffffffff"), (wire, "81ffff01"), (wire, "c16b82ffffff7f01"),
    (wire, "b8ffffffffffffffff7f61"), (wire, "b88000"), (wire, "8effffffff"),
    (wire, "8d" + "ff" * 7 + "7f" + "00" * 8), (wire, "8d" + "01" + "00" * 7 + "02" + "00" * 15),
    (wire, "8d" + "ff" * 16), (wire, "ba" + "ff" * 11), (wire, "c16b8102008601"), (wire, "df61"),
    (text, "b8ffffff7f61"),
    (msgpack, "ddffffffff"), (msgpack, "dfffffffff01"), (msgpack, "c6ffffffff"),
])
def test_lengths_are_never_trusted(codec: Any, data: str) -> None:
    """Lengths far behind the end cost an error, not memory."""
    tracemalloc.start()
    refused(codec, bytes.fromhex(data))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("data", ["", "8f", "bb00", "a105", "c16be176", "e1", "e16161", "c080018a",
                                  "b0", "e2c328", "b6016182"])
def test_what_is_no_text_is_refused(data: str) -> None:
    """Text is one string value and nothing else; Java's frame for bytes is none."""
    refused(text, bytes.fromhex(data))


@pytest.mark.parametrize("data", ["7261776279746573", "c16b", "c16be176e176", "e176c16be176", "87",
                                  "9a00", "c6", "83", "a0", "b2", "e1ff", "c16be1ff", "8102008600"])
def test_what_describes_nothing_is_refused(data: str) -> None:
    """Raw bytes, half a field, mixtures, codes of delta wires, bytes that are no code."""
    refused(wire, bytes.fromhex(data))


def test_nesting_is_limited_both_ways() -> None:
    """Deep values are errors, not crashes."""
    deep: Any = 1
    for _ in range(MAX_DEPTH + 2):
        deep = [deep]
    for codec in (wire, msgpack):
        with pytest.raises(tape.EncodeError, match="deep") as caught:
            codec.encode(deep)
        assert caught.value.path.startswith("$[0]")
    block = b""
    for _ in range(5000):
        block = b"\x82" + struct.pack("<I", len(block)) + block
    assert "deep" in str(refused(wire, block))
    refused(wire, b"\xb6\x01a" * 5000 + b"\xbb")
    refused(wire, b"\xbd" * 5000 + b"\xbb")
    refused(msgpack, b"\x91" * 5000 + b"\xc0")
    refused(json, b"[" * 500_000)


@pytest.mark.parametrize(("codec", "value"), [
    (wire, 1 << 63), (wire, {"a": object()}), (wire, {"ā": 1}), (wire, {None: 1}),
    (wire, {1 << 64: 1}), (wire, wire.History(((1, 1 << 70),), ())),
    (wire, {"a": wire.History(((1, 1),) * 256, ())}),
    (text, b"bytes"), (document, "text"), (json, {1, 2}), (json, float("nan")), (json, "\ud800"),
    (msgpack, 1 << 64), (msgpack, "\ud800"), (msgpack, {1, 2}), (msgpack, msgpack.Ext(200, b"")),
    (pickle, lambda: 1),
])
def test_what_cannot_be_encoded_is_an_error_before_any_lock(
        codec: Any, value: Any, tmp_path: Path) -> None:
    """An EncodeError, before any lock is taken."""
    with tape.open(tmp_path / "q", codec=codec) as q:
        with pytest.raises(tape.EncodeError):
            q.appender().write(value)
        assert q.info().lock_acquired == 0 and q.last_index is None


@pytest.mark.parametrize("data", [b"", b"\x80", b"junk", pickle.encode(1) + b"x",
                                  b"cos\nnowhere\n."])
def test_what_is_no_pickle_is_a_decode_error(data: bytes) -> None:
    """Damaged pickles are DecodeErrors whatever the unpickler raises."""
    refused(pickle, data)


@pytest.mark.parametrize(("data", "offset"), [
    (b'{"' + b"\xc3\xa4" * 9 + b'":1,}', 24), (b'["' + b"\xe2\x82\xac" * 9 + b'",]', 31),
    (b'["' + b"\xc3\xa4" * 9 + b'\xff"]', 20), (b"\xff", 0), (b'["\xff"]', 2), (b"NaN", 0),
    (b"1 2", 2)])
def test_json_is_wrong_at_a_byte_not_at_a_character(data: bytes, offset: int) -> None:
    """Offsets count bytes, not characters; of a comma too many, some Pythons tell what follows."""
    error = refused(json, data)
    assert error.offset is not None and abs(error.offset - offset) <= 1
