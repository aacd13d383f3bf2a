"""Fressian in libtape against the codec in Python: the same bytes, the same values, no crash."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import tape
from tape.codecs import fressian
from tape.codecs.fressian import DecodeError, Fressian, Keyword, kw
from tests.kit import fressian_c as c
from tests.kit import fressian_trees as trees
from tests.kit.sources import ROOT

SEED = random.randrange(2**32)
NAMES = [kw("order/id"), kw.order, kw.id, Keyword("", "a"), Keyword("a", ""), Keyword("", ""),
         kw.ünïcode, kw("a-long-name-that-takes-more-than-one-byte-to-count-its-bytes-as-utf8/x")]
TEXTS = ["", "a", "1234567", "12345678", "ünï", "\0", "\ufffd", "😀", "x😀" * 30, "é" * 40000,
         "😀" * 20000, "a" * 65536, "a" * 65537, "a" * 65539, "a" + "😀" * 11000]
FLOATS = [0.0, -0.0, 1.0, -1.0, 1.5, 1e300, float("inf"), float("-inf"), float("nan")]
CORPUS = [bytes.fromhex(line) for line in
          (ROOT / "tests" / "fuzz" / "fressian_corpus.hex").read_text().split()]
#: TAPE_EUNSUPPORTED: what tape_fressian.h says that it does not read.
UNSUPPORTED = -20007


def value(rng: random.Random, depth: int) -> Any:
    kind = rng.randrange(12 if depth else 8)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind <= 2:
        n = rng.getrandbits(rng.randrange(1, 64))
        return rng.choice([n, -n, -n - 1])
    if kind == 3:
        return rng.choice([*FLOATS, rng.uniform(-1e6, 1e6)])
    if kind == 4:
        return rng.choice(TEXTS[:9]) + rng.choice(["", "abc", "ß"])
    if kind == 5:
        return rng.randbytes(rng.choice([0, 1, 7, 8, 30]))
    if kind <= 7:
        return rng.choice(NAMES)
    if kind <= 9:
        return [value(rng, depth - 1) for _ in range(rng.choice([0, 1, 3, 7, 8, 9]))]
    keys = rng.sample(NAMES, rng.randrange(len(NAMES)))
    return {key: value(rng, depth - 1) for key in keys}


def in_c_or_code(data: bytes) -> Any:
    try:
        return c.decode(data)
    except c.Failed as failed:
        return failed.args[0]


@pytest.mark.parametrize("text", TEXTS, ids=len)
def test_texts_have_the_bytes_of_python(text: str) -> None:
    assert c.encode(text) == fressian.encode(text)
    assert c.decode(fressian.encode(text)) == [text]


@pytest.mark.parametrize("size", [0, 7, 8, 65535, 65536, 200000])
def test_byte_strings_have_the_bytes_of_python(size: int) -> None:
    data = bytes(i & 0xFF for i in range(size))
    assert c.encode(data) == fressian.encode(data)
    assert c.decode(fressian.encode(data)) == [data]


@pytest.mark.parametrize("n", [edge + off for bits in (6, 12, 19, 25, 33, 41, 49, 63)
                               for edge in (1 << bits, -(1 << bits)) for off in (-1, 0, 1)
                               if -2**63 <= edge + off < 2**63])
def test_integers_have_the_bytes_of_python(n: int) -> None:
    assert c.encode(n) == fressian.encode(n)
    assert c.decode(fressian.encode(n)) == [n]


@pytest.mark.parametrize("number", FLOATS, ids=repr)
def test_doubles_have_the_bytes_of_python(number: float) -> None:
    assert c.encode(number) == fressian.encode(number)
    assert c.agrees(c.decode(fressian.encode(number))[0], fressian.decode(
        fressian.encode(number)))


def test_random_values_go_both_ways() -> None:
    print("seed", SEED)
    rng = random.Random(SEED)
    for _ in range(400):
        made = value(rng, 4)
        data = fressian.encode(made)
        assert c.encode(made) == data, made
        assert c.agrees(c.decode(data)[0], fressian.decode(data)), made
        again = c.encode(made, open_ended=True)
        assert repr(fressian.decode(again)) == repr(fressian.decode(data)), made


def test_more_names_than_are_referred_to_are_still_read_in_python() -> None:
    made = [kw(f"name-{i % 50}") for i in range(150)]
    assert fressian.decode(c.encode(made)) == made
    assert c.decode(fressian.encode(made)) == [made]


def test_references_beyond_the_readers_table_are_refused_and_others_are_not() -> None:
    many = [kw(f"n{i}") for i in range(1500)]
    assert c.decode(fressian.encode(many)) == [many]
    assert in_c_or_code(fressian.encode([*many, many[1400]])) == UNSUPPORTED
    assert c.decode(fressian.encode([*many, many[900]])) == [[*many, many[900]]]


VECTORS = trees.lines("vectors")


def test_what_clojure_wrote_is_read_or_stepped_over() -> None:
    """Each vector is real output of Java or Clojure; refused are only what the header names."""
    read = 0
    for vector in VECTORS:
        data = bytes.fromhex(vector["hex"])
        codec = Fressian(clashes="tagged", max_depth=4000)
        try:
            wanted = list(codec.reader(data))
        except DecodeError:
            continue
        got = in_c_or_code(data)
        if isinstance(got, int):
            assert got == UNSUPPORTED, vector["name"]
            continue
        read += 1
        assert len(got) == len(wanted), vector["name"]
        for in_c, in_python in zip(got, wanted):
            if isinstance(in_python, fressian.TaggedValue):
                continue                # keys that clash: C does not look for them
            assert c.agrees(in_c, in_python), vector["name"]
    assert read > 0.9 * len(VECTORS), (read, len(VECTORS))


def check_same(data: bytes) -> bool:
    """Where both read, they read the same; C never crashes. Whether both read."""
    got = in_c_or_code(data)
    try:
        wanted = list(Fressian(engine="python").reader(data))
    except DecodeError:
        return False
    if isinstance(got, int):
        return False
    assert len(got) == len(wanted) and all(map(c.agrees, got, wanted)), (data.hex(), got, wanted)
    return True


def test_the_fuzz_corpus_is_read_alike() -> None:
    assert sum(map(check_same, CORPUS)) > 100


def test_changed_bytes_are_read_alike() -> None:
    print("seed", SEED)
    rng = random.Random(SEED)
    seeds = [fressian.encode(value(rng, 3)) for _ in range(50)]
    seeds = [data for data in seeds if len(data) < 400] + [d for d in CORPUS if len(d) < 60]
    both = 0
    for _ in range(3000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(3)):
            if data:
                data[rng.randrange(len(data))] = rng.choice(
                    [rng.randrange(256), rng.randrange(0x80, 256), 0xCD, 0x80])
        both += check_same(bytes(data))
    assert both > 100


def test_every_prefix_of_a_message_is_refused() -> None:
    data = fressian.encode({kw("order/id"): ["😀" * 9, b"1234567890", -5, 1.5, kw.x], kw.x: None})
    for size in range(1, len(data)):
        assert in_c_or_code(data[:size]) == -20009, size
    assert c.decode(b"") == []


def test_the_example_in_c_writes_what_python_reads(tmp_path: Path) -> None:
    if not shutil.which("cc"):
        pytest.skip("needs cc")
    program = tmp_path / "fressian_writer"
    sources = sorted(str(path) for path in (ROOT / "csrc").glob("*/*.c"))
    subprocess.run(["cc", "-std=c11", "-O1", "-pthread", f"-I{ROOT / 'csrc'}", "-o", str(program),
                    str(ROOT / "examples" / "c" / "fressian_writer.c"), *sources], check=True)
    subprocess.run([str(program), str(tmp_path / "events")], check=True, capture_output=True)
    with tape.open(tmp_path / "events", read_only=True) as queue, queue.tailer() as tailer:
        assert [tailer.read() for _ in range(3)] == [
            {kw("order/id"): i + 1, kw.price: 9.5 * i, kw.tags: ["c", "new"], kw.note: note}
            for i, note in enumerate(["grüß dich", "😀", None])]
