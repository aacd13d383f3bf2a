"""Every golden queue, through tape and through the reference reader: they agree with each other
and with what the writing program said of it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tape
from tape.codecs.fressian import Fressian

from tests.kit import fressian_trees as trees
from tests.kit import golden_queues
from tests.kit.directories import digest
from tests.kit.golden_queues import GOLDEN
from tests.reference.index import Outcome
from tests.reference.payload import present
from tests.reference.queue import INDEX_MAX
from tests.reference.queue import Queue as Reference

# What the program that wrote each queue said: first and last index, messages in each cycle.
SAID: dict[str, tuple[int | None, int | None, dict[int, int]]] = {
    "java-5.17-daily": (0x475600000000, 0x47560000000b, {18262: 12}),
    "java-5.26-fast-daily-roll": (0x475600000000, 0x475a00000004,
                                  {18262: 5, 18263: 5, 18265: 5, 18266: 5}),
    "java-5.26-methodwriter": (0x475600000000, 0x475600000003, {18262: 4}),
    "java-5.26-mixed-payloads": (0x475600000000, 0x47560000001b, {18262: 28}),
    "java-5.26-named-tailers": (0x475600000000, 0x475800000003, {18262: 3, 18263: 1, 18264: 4}),
    "java-5.26-rolltime-21": (0x475500000000, 0x475700000000, {18261: 1, 18262: 1, 18263: 1}),
    "java-5.26-tape-daily": (0x475600000000, 0x475600000020, {18262: 33}),
    "java-5.26-weekly": (0xa3000000000, 0xa3400000002, {2608: 3, 2609: 3, 2611: 3, 2612: 3}),
    "src-chronicle-queue-5.25ea1-metadata": (None, None, {}),
    "src-kdb-adapter-metadata": (None, None, {}),
    "src-kdb-quote-metadata": (None, None, {}),
    "src-libchronicle-cqv5": (0x4a0500000000, 0x4a0500000003, {18949: 4}),
}
VERSION_4 = ["src-libchronicle-cqv4", "src-chronicle-queue-tr2"]
OF_TAPE = golden_queues.names("tape")
ALL = [name for folder in ("java", "published", "tape") for name in golden_queues.names(folder)
       if name not in VERSION_4]
SEEKS = 200
LONG_TEXT = "a much longer item that will need encoding as variable length text"


def letters(length: int) -> bytes:
    return (b"abcdefghijklmnopqrstuvwxyz" * (length // 26 + 1))[:length]


def numbered(stem: bytes, n: int) -> list[bytes]:
    return [stem + b"%d" % i for i in range(n)]


# The payloads that the descriptions give; texts as str.
HOLDS: dict[str, list[bytes | str]] = {
    "java-5.26-fast-daily-roll": [*numbered(b"m", 20)],
    "java-5.26-weekly": [*numbered(b"m", 12)],
    "java-5.26-rolltime-21": [b"x", b"y", b"z"],
    "java-5.26-named-tailers": [*numbered(b"d1-", 3), b"back", b"d3-0", b"d3-1", b"afterMeta",
                                b"again"],
    "java-5.26-tape-daily": [letters(n) for n in (
        *range(9), *range(250, 261), 300, *range(65530, 65541), 70000)],
    "java-5.17-daily": [*numbered(b"o", 10), "txt"],
    "src-libchronicle-cqv5": ["one", "two", "three", LONG_TEXT],
}
# The description of the first names only the keys; the values are what both readers find.
TAILERS: dict[str, dict[str, int]] = {
    "java-5.26-named-tailers": {"foo": 0x475800000002, "replicated:bar": 0x475600000002},
    "src-chronicle-queue-5.25ea1-metadata": {
        f"replicated:tailer{n}": 0x4cdd00000002 for n in ("One", "Two", "Three")},
    "src-kdb-quote-metadata": {"quoteTailer": 0x48a80000009a},
}


class Document:
    """The codec of documents that are not framed as Clojure tape's: their bytes."""

    name = "document"
    framing = "document"

    def encode(self, data: bytes) -> bytes:
        return data

    def decode(self, view: memoryview) -> bytes:
        return bytes(view)


Message = tuple[int, bytes]


def read_one(tailer: tape.Tailer) -> Message | None:
    """The next message's index and bytes, whatever its framing."""
    try:
        entry = tailer.read_entry()
    except tape.DecodeError as error:  # of the other framing
        assert tailer.skip() == 1
        return error.index, error.raw
    return None if entry is None else (entry.index, entry.raw)


def read_all(tailer: tape.Tailer) -> Iterator[Message]:
    while (message := read_one(tailer)) is not None:
        yield message


def by_reference(reference: Reference, **how: Any) -> list[Message]:
    return [(m.index, m.body if m.payload is None else m.payload)
            for m in reference.messages(**how)]


@pytest.fixture(scope="module", params=ALL)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def queue(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A golden queue, unpacked; nothing that only reads may have changed it in the end."""
    path = golden_queues.extract(name, tmp_path_factory.mktemp("golden"))
    before = digest(path)
    yield path
    assert digest(path) == before


@pytest.fixture(scope="module")
def reference(queue: Path) -> Reference:
    return Reference(queue)


@pytest.fixture
def opened(queue: Path) -> Iterator[tape.Queue]:
    with tape.open(queue, read_only=True, codec=tape.codecs.raw) as q:
        yield q


def description(name: str) -> dict[str, Any]:
    """What the JSON beside an archive of Clojure tape says."""
    described = json.loads((GOLDEN / "tape" / f"{name}.json").read_text())
    assert isinstance(described, dict)
    return described


# ---- refused ----

@pytest.mark.parametrize("name", VERSION_4)
@pytest.mark.parametrize("read_only", [True, False])
def test_version_4_is_refused_by_name(name: str, read_only: bool, tmp_path: Path) -> None:
    """A queue of Chronicle Queue 4 is refused by name, unchanged; the reference can read it."""
    path = golden_queues.extract(name, tmp_path)
    before = digest(path)
    with pytest.raises(tape.UnsupportedQueue, match="Chronicle Queue 4") as caught:
        tape.open(path, read_only=read_only).close()
    assert caught.value.file and caught.value.hint
    assert digest(path) == before
    assert Reference(path).count() == (4 if "cqv4" in name else 0)


def test_every_golden_queue_is_expected() -> None:
    """No archive is forgotten: each one has its row here or its JSON."""
    assert set(ALL) == set(SAID) | set(OF_TAPE)


# ---- the whole queue ----

def test_forward_gives_every_message_with_its_index(
        opened: tape.Queue, reference: Reference) -> None:
    """Every message with its index, oldest first."""
    assert list(read_all(opened.tailer())) == by_reference(reference, stop_without_eof=True)


def test_with_metadata_every_document_stands_in_its_place(
        opened: tape.Queue, reference: Reference) -> None:
    """Headers, index pages and messages: every document, each in its place, of either format."""
    t = opened.tailer(codec=tape.codecs.document, metadata=True)
    assert [(e.index, e.raw, e.metadata) for e in t.entries()] == [
        (m.index, m.body, m.is_metadata)
        for m in reference.messages(metadata=True, stop_without_eof=True)]


def test_lag_counts_what_is_behind(opened: tape.Queue, reference: Reference) -> None:
    """From every message on, all that follow, in either direction; bytes fall, too."""
    there = [m.index for m in reference.messages()]
    t = opened.tailer()
    before = t.lag()
    assert before.messages == len(there) == len(opened)
    for n, index in enumerate(there):
        assert t.seek(index)
        lag = t.lag()
        assert lag.messages == len(there) - n and 0 < lag.bytes <= before.bytes
        before = lag
    opened.refresh()
    t.seek_end()
    assert t.lag()[:2] == (0, 0) and t.info().last_read is None


def test_backward_gives_every_message_newest_first(
        opened: tape.Queue, reference: Reference) -> None:
    """Every message with its index, newest first; then turned round, again from the first."""
    with opened.tailer(start="end", direction="backward") as t:
        backward = list(read_all(t))
        assert backward == by_reference(reference, backward=True)
        t.direction = "forward"
        assert list(read_all(t)) == backward[::-1]


def test_ends_and_counts_are_those_of_the_reference(
        opened: tape.Queue, reference: Reference) -> None:
    """First and last index, the number of messages in all and in each cycle, which are finished."""
    first = reference.first_index()
    assert opened.first_index == (None if first == INDEX_MAX else first)
    last = reference.last_index()
    assert opened.last_index == (None if last == -1 else last)
    assert len(opened) == reference.count()
    assert [(c.cycle, c.count, c.first_index, c.state) for c in opened.cycles()] == [
        (cycle, len(reference.scan(cycle).data), reference.index_of(cycle, 0),
         "finished" if reference.scan(cycle).has_eof else "open") for cycle in reference.cycles()]


def test_ends_and_counts_are_what_the_writer_said(name: str, opened: tape.Queue) -> None:
    """First index, last index and counts are those in the description of the queue."""
    if name in SAID:
        first, last, counts = SAID[name]
    else:
        said = description(name)
        first, last = (int(said[key]["index"]) for key in ("first_index", "last_index"))
        counts = {c["cycle"]: c["count"] for c in said["cycles"]}
        assert len(opened) == said["count"] == said["java"]["entry_count"]
    assert (opened.first_index, opened.last_index) == (first, last)
    assert {c.cycle: c.count for c in opened.cycles()} == counts


def test_named_positions_and_words_of_the_table_agree(
        name: str, opened: tape.Queue, reference: Reference) -> None:
    """Every named tailer's position, and every word of the table store."""
    assert opened.tailers() == reference.named_tailers()
    if name in OF_TAPE:
        said = {t["id"]: int(t["index"]) for t in description(name)["tailers"]}
    else:
        said = TAILERS.get(name, {})
    assert opened.tailers() == said
    table = reference.table()
    assert table is not None
    assert opened.table() == {cell.key: cell.value for cell in table.cells}


def test_random_seeks_find_what_the_reference_finds(
        opened: tape.Queue, reference: Reference) -> None:
    """200 random indexes: found or not as the reference says, and then the right message."""
    messages = dict(by_reference(reference))
    cycles = reference.cycles() or [18262]
    chance = random.Random(4)
    with opened.tailer() as t:
        for _ in range(SEEKS):
            cycle = chance.choice([*cycles, chance.choice(cycles) + 1])
            count = max(0, reference.count_in_cycle(cycle))
            index = reference.index_of(cycle, chance.randrange(count + 3))
            before = t.index
            place = reference.place(index)
            there = place is not None and place.outcome is Outcome.FOUND
            assert t.seek(index) is there
            if there:
                assert read_one(t) == (index, messages[index])
            elif place and place.outcome in (Outcome.NOT_FOUND, Outcome.END_OF_FILE):
                assert t.index == index
            else:
                assert t.index == before


def test_random_seeks_agree_backward(opened: tape.Queue, reference: Reference) -> None:
    """From 200 random messages two steps back: the neighbours, over cycles and gaps."""
    messages = by_reference(reference)
    chance = random.Random(5)
    with opened.tailer(direction="backward") as t:
        for _ in range(SEEKS if messages else 0):
            n = chance.randrange(len(messages))
            assert t.seek(messages[n][0])
            wanted = messages[n::-1][:3]
            assert [read_one(t) for _ in wanted] == wanted


def test_counts_between_random_indexes_agree(opened: tape.Queue, reference: Reference) -> None:
    """The number of messages between 200 random pairs of indexes."""
    indexes = [index for index, _ in by_reference(reference)]
    chance = random.Random(6)
    for _ in range(SEEKS if indexes else 0):
        a, b = sorted((chance.choice(indexes), chance.choice(indexes)))
        assert opened.count(a, b) == reference.count_between(a, b)


# ---- what the messages hold ----

@pytest.mark.parametrize("name", HOLDS, scope="module")
def test_payloads_are_those_that_java_was_told_to_write(name: str, opened: tape.Queue) -> None:
    """The payloads that Java was told to write, texts of its writeText included."""
    wanted = HOLDS[name]
    got = [body for _, body in read_all(opened.tailer())][:len(wanted)]
    assert [present(body).value if isinstance(want, str) else body
            for body, want in zip(got, wanted, strict=True)] == wanted


@pytest.mark.parametrize("name", OF_TAPE, scope="module")
def test_messages_of_clojure_have_their_index_and_bytes(name: str, opened: tape.Queue) -> None:
    """Each message of the JSON: its index and the bytes of its payload."""
    read = list(read_all(opened.tailer()))
    said = description(name)["messages"]
    assert len(read) == len(said)
    for (index, data), line in zip(read, said, strict=True):
        assert (index, len(data)) == (int(line["index"]), line["bytes"])
        assert opened.locate(index)[:2] == (line["cycle"], line["seq"])
        if "payload" in line:
            assert data.hex() == line["payload"]
        else:
            assert golden_queues.hashlib.sha256(data).hexdigest() == line["sha256"]


@pytest.mark.parametrize("name", OF_TAPE, scope="module")
def test_values_of_clojure_are_decoded_exactly(name: str, queue: Path) -> None:
    """Each value that Clojure wrote is decoded to exactly the value of the typed tree."""
    values = 0
    with tape.open(queue, read_only=True, codec=Fressian(clashes="tagged")) as q, q.tailer() as t:
        for line in description(name)["messages"]:
            if "tree" not in line:
                continue
            assert t.seek(int(line["index"]))
            assert trees.canonical(trees.tree_of(t.read())) == trees.canonical(line["tree"])
            values += 1
    assert values > 0


@pytest.mark.parametrize("name", OF_TAPE, scope="module")
def test_values_are_written_as_clojure_does(name: str) -> None:
    """Encoding each tree gives the payload byte for byte."""
    codec = Fressian(clashes="tagged")
    lines = [line for line in description(name)["messages"]
             if "tree" in line and "payload" in line]
    for line in lines:
        assert codec.encode(trees.build(line["tree"])).hex() == line["payload"], line["i"]
    assert lines


@pytest.mark.parametrize("name", ["tape-dev-named-tailers"], scope="module")
def test_named_tailers_go_on_where_clojure_stopped(name: str, tmp_path: Path) -> None:
    """A named tailer of Clojure's, opened here, reads the message that Clojure would read next."""
    path = golden_queues.extract(name, tmp_path)
    tailers = description(name)["tailers"]
    assert len({tailer["next"] for tailer in tailers}) > 1
    with tape.open(path, codec=tape.codecs.raw) as q:
        for tailer in tailers:
            with q.tailer(tailer["id"], commit="manual") as t:
                message = read_one(t)
            assert tailer["next"] == (None if message is None else hex(message[0]))


@pytest.mark.parametrize("name", ["java-5.26-mixed-payloads"], scope="module")
def test_documents_are_read_whole(name: str, queue: Path, reference: Reference) -> None:
    """A codec of documents gets every message's whole body, framed ones included."""
    with tape.open(queue, read_only=True, codec=Document()) as q:
        assert dict(read_all(q.tailer())) == {m.index: m.body for m in reference.messages()}
        assert q.source_id == 7
