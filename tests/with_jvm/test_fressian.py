"""Random values, written on one side and read on the other: data.fressian and ours.

TAPE_JVM_VALUES sets how many each way (2,000 unless given; releases are tested with 100,000).
"""

from __future__ import annotations

import collections
import os
import pathlib
import random
import shutil
import struct
import subprocess

import pytest

from tape.codecs.fressian import Fressian, Keyword

from tests.kit import fressian_c
from tests.kit.fressian_canon import Maker, canon, count_codes
from tests.kit.fressian_engines import ENGINES

pytestmark = [pytest.mark.jvm, pytest.mark.slow]
HERE = pathlib.Path(__file__).parents[1] / "jvm_fressian"
COUNT = int(os.environ.get("TAPE_JVM_VALUES", "2000"))
SEED = int(os.environ.get("TAPE_JVM_SEED", "1"))
ENGINE = ENGINES[-1]


@pytest.fixture(scope="module")
def java(tmp_path_factory):
    """Runs differential.clj with arguments."""
    if not shutil.which("java") or not shutil.which("mvn"):
        pytest.skip("needs a JDK and Maven")
    path = tmp_path_factory.mktemp("jvm") / "classpath"
    subprocess.run(["mvn", "-q", "-B", "dependency:build-classpath",
                    f"-Dmdep.outputFile={path}"], cwd=HERE, check=True)

    def run(*args):
        subprocess.run(["java", "-Xmx1g", "-Xss8m", "-cp", path.read_text(), "clojure.main",
                        str(HERE / "differential.clj"), *map(str, args)], check=True)
    return run


def blocks(path):
    """The blocks of a file."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        yield data[at + 4:at + 4 + size]
        at += 4 + size


def write_blocks(path, made):
    with open(path, "wb") as file:
        for block in made:
            file.write(struct.pack(">I", len(block)) + block)


def check(made, texts):
    wrong = 0
    for (data, expected), text in zip(made, texts, strict=True):
        if text.decode() != expected and (wrong := wrong + 1) <= 3:
            print(data[:200].hex(), expected[:500], text[:500].decode(), sep="\n")
    assert not wrong, f"{wrong} differ; seed {SEED}"


def test_clojure_writes_and_reads_back(java, tmp_path):
    """Clojure to Python to Clojure: the same value in each, for every value."""
    java("generate", COUNT, SEED, tmp_path / "values")
    codec = Fressian(engine=ENGINE, clashes="tagged")
    counts, exact, made = collections.Counter(), 0, []
    read = blocks(tmp_path / "values")
    for data in read:
        expected = next(read).decode()
        value = codec.loads(data)
        assert canon(value) == expected, (data[:300].hex(), expected[:500])
        again = codec.dumps(value)
        exact += again == data
        count_codes(data, counts)
        made.append((again, expected))
    write_blocks(tmp_path / "again", [data for data, _ in made])
    java("read", tmp_path / "again", tmp_path / "texts")
    check(made, blocks(tmp_path / "texts"))
    report("written by Clojure", len(made), counts)
    print(f"written back with the same bytes: {exact} (sets and clashing keys have no order)")


def test_python_writes_and_clojure_reads(java, tmp_path):
    """Messages, and streams with resets, footers, closed and open lists."""
    maker, codec = Maker(SEED), Fressian(engine=ENGINE)
    counts, made = collections.Counter(), []
    for number in range(COUNT):
        if number % 8:
            value = maker.wide() if number % 60 == 1 else maker.value()
            made.append((codec.dumps(value, footer=number % 5 == 0), canon(value)))
        else:
            made.append(stream(codec, maker))
        count_codes(made[-1][0], counts)
    write_blocks(tmp_path / "values", [data for data, _ in made])
    java("read", tmp_path / "values", tmp_path / "texts")
    check(made, blocks(tmp_path / "texts"))
    report("written by Python", len(made), counts)


def stream(codec, maker):
    """Several objects on one writer, and what a reader should say of them."""
    writer, texts = codec.writer(), []
    if maker.rng.randrange(2):
        writer.begin_open_list()
        items = [maker.value(2) for _ in range(3)]
        for item in items:
            writer.write(item)
        writer.end_list()
        texts.append(canon(items))
    for _ in range(maker.rng.randrange(1, 4)):
        value = maker.value(2)
        writer.write(value, cache=bool(maker.rng.randrange(2)))
        texts.append(canon(value))
        kind = maker.rng.randrange(4)
        if kind == 0:
            writer.reset_caches()
        elif kind == 1:
            writer.footer()
        elif kind == 2:
            items = [maker.key() for _ in range(3)]
            with writer.closed_list():
                writer.write_all(items)
            texts.append(canon(items))
    writer.footer()
    return writer.getvalue(), "\n".join(texts)


def report(what, total, counts):
    print(f"\n{what}: {total} values; hits of each code and tag:")
    print(", ".join(f"{name} {number}" for name, number in sorted(counts.items())))
    if COUNT >= 100_000:
        few = {name: number for name, number in counts.items() if number < 1000}
        assert not few, few


def test_c_writes_and_clojure_reads(java, tmp_path):
    """What the writer of libtape makes, maps and texts in parts too, is Clojure's value."""
    rng, made = random.Random(SEED), []
    names = [Keyword(None, "id"), Keyword("order", "id"), Keyword("", "a"), Keyword(None, "")]
    for number in range(200):
        value = {names[0]: [None, True, number, -number * 10**9, number / 7, "\0ü😀" * number],
                 names[1]: rng.randbytes(number), names[2]: {names[3]: []}, names[3]: names}
        data = fressian_c.encode(value, open_ended=bool(number % 2))
        made.append((data, canon(value)))
    long = ["x" * 65537, "a" + "😀" * 11000, b"b" * 65536]
    made.append((fressian_c.encode(long), canon(long)))
    write_blocks(tmp_path / "values", [data for data, _ in made])
    java("read", tmp_path / "values", tmp_path / "texts")
    check(made, blocks(tmp_path / "texts"))
