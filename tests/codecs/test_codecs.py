"""Codecs other than Fressian: wrong bytes first, then both ways, then against Java."""

from __future__ import annotations

import datetime
import random
import struct
import subprocess
import sys
import tracemalloc
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tape
from tape.codecs import document, json, msgpack, pickle, text, wire
from tape.codecs._binary_wire import MAX_DEPTH, stop_bit

from tests.kit.jvm_peer import Peer

READERS = [wire, text, json, msgpack]


def decode(codec: Any, data: bytes) -> Any:
    return codec.decode(memoryview(data).toreadonly())


def refused(codec: Any, data: bytes) -> tape.DecodeError:
    """The error of decoding wrong bytes; its offset lies inside them."""
    with pytest.raises(tape.DecodeError) as caught:
        decode(codec, data)
    assert caught.value.offset is not None and 0 <= caught.value.offset <= len(data)
    assert caught.value.hint
    return caught.value


# ---- wrong bytes ----

SAMPLES = {
    wire: [{"side": "buy", "prices": [1, 2.5, -3, 1 << 40], "by": {"id": 7, "raw": b"x" * 300},
            "no": None, "yes": True, "on": datetime.date(2020, 1, 2), "u": uuid.UUID(int=5)},
           {"history": wire.History(((9, 5),), (1, 2)), "say": "h" * 40},
           wire.Typed("Order", {"id": 1}), "é" * 20],
    text: ["hello", "z" * 200],
    json: [{"a": [1, None, "é"]}],
    msgpack: [{"a": [1, None, -70000, 1.5, b"x" * 300, "y" * 40], "e": msgpack.Ext(3, b"abc")}],
}


@pytest.mark.parametrize("codec", READERS, ids=lambda c: c.name)
def test_every_truncation(codec: Any) -> None:
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
def test_every_bit_flip(codec: Any) -> None:
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
def test_random_bytes(codec: Any) -> None:
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
def test_what_is_no_text(data: str) -> None:
    """Text is one string value and nothing else; Java's frame for bytes is none."""
    refused(text, bytes.fromhex(data))


@pytest.mark.parametrize("data", ["7261776279746573", "c16b", "c16be176e176", "e176c16be176", "87",
                                  "9a00", "c6", "83", "a0", "b2", "e1ff", "c16be1ff", "8102008600"])
def test_what_describes_nothing(data: str) -> None:
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
def test_what_cannot_be_encoded(codec: Any, value: Any, tmp_path: Path) -> None:
    """An EncodeError, before any lock is taken."""
    with tape.open(tmp_path / "q", codec=codec) as q:
        with pytest.raises(tape.EncodeError):
            q.appender().write(value)
        assert q.info().lock_acquired == 0 and q.last_index is None


@pytest.mark.parametrize("data", [b"", b"\x80", b"junk", pickle.encode(1) + b"x",
                                  b"cos\nnowhere\n."])
def test_what_is_no_pickle(data: bytes) -> None:
    """Damaged pickles are DecodeErrors whatever the unpickler raises."""
    refused(pickle, data)


@pytest.mark.parametrize(("data", "offset"), [
    (b'{"' + b"\xc3\xa4" * 9 + b'":1,}', 24), (b'["' + b"\xe2\x82\xac" * 9 + b'",]', 31),
    (b'["' + b"\xc3\xa4" * 9 + b'\xff"]', 20), (b"\xff", 0), (b'["\xff"]', 2), (b"NaN", 0),
    (b"1 2", 2)])
def test_where_json_is_wrong(data: bytes, offset: int) -> None:
    """Offsets count bytes, not characters; of a comma too many, some Pythons tell what follows."""
    error = refused(json, data)
    assert error.offset is not None and abs(error.offset - offset) <= 1


def test_the_dangerous_ones_are_not_loaded() -> None:
    """import tape brings neither pickle's codec nor msgpack's."""
    code = ("import sys, tape\nassert not hasattr(tape.codecs, 'pickle')\n"
            "assert not {'tape.codecs.pickle', 'tape.codecs.msgpack'} & set(sys.modules)\n"
            "import tape.codecs.pickle as p\nassert 'DANGEROUS' in p.__doc__")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60,
                   env={"PYTHONPATH": ":".join(p for p in sys.path if p)})


# ---- both ways ----

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
def test_every_code(data: str, value: Any) -> None:
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


# ---- in a queue ----

FRAME = bytes.fromhex("c080048a616263")


def test_documents_are_delivered_whole(tmp_path: Path) -> None:
    """What looks like tape's frame is a document to codecs that take documents."""
    with tape.open(tmp_path / "q", codec=document) as q:
        a = q.appender()
        written = [FRAME, b"abc", b"", text.encode("hi")]
        for body in written:
            a.write(body)
        assert list(q.tailer()) == [FRAME, b"abc", b"\x8f", text.encode("hi")]
        entry = q.tailer().read_entry()
        assert entry is not None and entry.raw == FRAME
        assert q.tailer(codec=tape.codecs.raw).read() == b"abc"
        assert q.tailer(codec=wire).read() == {"": b"abc"}
        t = q.tailer(codec=text)
        with pytest.raises(tape.DecodeError) as caught:
            t.read()
        assert caught.value.raw == FRAME and caught.value.index == q.first_index
        t.skip(3)
        assert t.read() == "hi"


@pytest.mark.parametrize("codec", [*READERS, pickle, document], ids=lambda c: c.name)
def test_a_queue_of_each_codec(tmp_path: Path, codec: Any) -> None:
    """Every codec has what a queue needs; nothing keeps its view."""
    assert isinstance(codec, tape.Codec)
    values = SAMPLES.get(codec, [b"bytes"])
    with tape.open(tmp_path / "q", codec=codec) as q:
        a = q.appender()
        for value in values:
            a.write(value)
        found = list(q.tailer())
    assert found == [decode(codec, codec.encode(value)) for value in values]


# ---- Java ----

TEXTS = ["", "hi", "x" * 31, "x" * 32, "ä" * 16, "y" * 127, "y" * 128, "z" * 20000,
         "€ \U0001F600 \0", None]


@pytest.mark.jvm
def test_texts_are_javas(peer: Peer, tmp_path: Path) -> None:
    """The text codec reads what Java writes, and writes the same bytes."""
    with peer.open(tmp_path / "q") as java:
        for value in TEXTS:
            java.appender().write_text(value)
        bodies = [m.data for m in java.tailer().read_all()]
        assert bodies == [text.encode(value) for value in TEXTS]
        with tape.open(tmp_path / "q", codec=text) as q:
            assert list(q.tailer()) == TEXTS


@pytest.mark.jvm
def test_javas_documents_and_calls(peer: Peer, tmp_path: Path) -> None:
    """writeDocument, and method calls with their histories."""
    fields = {"t": "é", "i": 5, "n": -70000, "l": 1 << 62, "d": 1.5, "p": 3.14159, "b": True,
              "raw": b"\0\1", "7": "number"}
    with peer.open(tmp_path / "q", source_id=3) as java:
        a = java.appender()
        a.write_document(**fields)
        first = a.say("hi")
        a.move(5, 1.5, "x y")
        a.ping()
        with tape.open(tmp_path / "q", codec=wire) as q:
            found, say, move, ping = list(q.tailer())
        assert {str(k): v for k, v in found.items()} == fields
        assert list(found) == [k if k != "7" else 7 for k in fields]
        assert say["say"] == "hi" and move["move"] == [5, 1.5, "x y"] and ping["ping"] == ""
        assert isinstance(say["history"], wire.History) and list(say) == ["history", "say"]
        with peer.open(tmp_path / "r", source_id=4) as onward:
            assert onward.appender().forward_call(skip_one(java)) == onward.first_index()
            with tape.open(tmp_path / "r", codec=wire) as q:
                assert q.tailer().read()["history"].sources == ((3, first),)


def skip_one(java: Any) -> Any:
    tailer = java.tailer()
    tailer.read()
    return tailer


@pytest.mark.jvm
def test_java_reads_what_wire_writes(peer: Peer, tmp_path: Path) -> None:
    """Method readers take our calls, with histories; Java's own printer takes our documents."""
    with tape.open(tmp_path / "q", codec=wire) as q:
        a = q.appender()
        a.write({"say": "\U0001F600"})
        a.write({"move": [5, 1.5, "x y"]})
        a.write({"ping": ""})
        a.write({"history": wire.History(((3, 9),), (1, 2)), "say": "hi"})
        a.write({"order": {"id": -70000, "at": [1, 2.5, "z" * 40]},
                 "none": None, "yes": True, "on": datetime.date(2020, 1, 2),
                 "time": datetime.time(21), "raw": b"abc", "big": (1 << 63) - 1})
    with peer.open(tmp_path / "q") as java:
        tailer = java.tailer()
        for call in ("say " + "\U0001F600".encode().hex(), "move 5 1.5 782079", "ping",
                     "say 6869 history 3:9"):
            assert (tailer.read_call() or "").startswith(call)
        shown = java.dump()
        for line in ("id: -70000", "2.5", "z" * 40, "yes: true", "on: 2020-01-02",
                     "big: 9223372036854775807"):
            assert line in shown
