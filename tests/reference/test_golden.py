"""The reference reader against every golden queue: messages, indexes, counts, positions."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.kit import golden_queues
from tests.kit.golden_queues import GOLDEN
from tests.reference import FormatError, Message, Queue, check_queue, payload, roll_cycles, wire
from tests.reference import __main__ as command
from tests.reference.cycle_file import CycleFile
from tests.reference.findings import ERROR
from tests.reference.index import Outcome
from tests.reference.make_refuse import REFUSALS, make, pack
from tests.reference.table_store import read_table_store

READABLE = [n for f in ("java", "tape", "published") for n in golden_queues.names(f)]
LETTERS = b"abcdefghijklmnopqrstuvwxyz" * 4000
TAPE_DAILY = [*range(9), *range(250, 261), 300, *range(65530, 65541), 70000]
SENTENCE = b"a much longer item that will need encoding as variable length text"


def framed(*texts: str) -> list[bytes]:
    return [payload.frame(text.encode()) for text in texts]


def text_bodies(*texts: bytes) -> list[bytes]:
    return [bytes([0xE0 + len(t)]) + t if len(t) < 32 else bytes([0xB8, len(t)]) + t
            for t in texts]


def numbered(letter: str, count: int) -> list[str]:
    return [f"{letter}{n}" for n in range(count)]


# name: (roll cycle, epoch, {cycle: messages}, bodies or None where another test looks at them)
EXPECTED: dict[str, tuple[str, int, dict[int, int], list[bytes] | None]] = {
    "java-5.17-daily": ("DAILY", 0, {18262: 12}, framed(*numbered("o", 10)) + [
        b"\xe3txt", bytes.fromhex("c16be176c16905c16aa52c01")]),
    "java-5.26-fast-daily-roll": ("FAST_DAILY", 0, {18262: 5, 18263: 5, 18265: 5, 18266: 5},
                                  framed(*numbered("m", 20))),
    "java-5.26-methodwriter": ("FAST_DAILY", 0, {18262: 4}, None),
    "java-5.26-mixed-payloads": ("FAST_DAILY", 0, {18262: 28}, None),
    "java-5.26-named-tailers": ("DAILY", 0, {18262: 3, 18263: 1, 18264: 4}, framed(
        "d1-0", "d1-1", "d1-2", "back", "d3-0", "d3-1", "afterMeta", "again")),
    "java-5.26-rolltime-21": ("FAST_DAILY", 75600000, {18261: 1, 18262: 1, 18263: 1},
                              framed("x", "y", "z")),
    "java-5.26-tape-daily": ("FAST_DAILY", 0, {18262: 33},
                             [payload.frame(LETTERS[:n]) for n in TAPE_DAILY]),
    "java-5.26-weekly": ("WEEKLY", 0, {2608: 3, 2609: 3, 2611: 3, 2612: 3},
                         framed(*numbered("m", 12))),
    "src-chronicle-queue-5.25ea1-metadata": ("FAST_DAILY", 0, {}, []),
    "src-chronicle-queue-tr2": ("DAILY", 0, {17245: 0}, []),
    "src-kdb-adapter-metadata": ("FAST_DAILY", 0, {}, []),
    "src-kdb-quote-metadata": ("FAST_DAILY", 0, {}, []),
    "src-libchronicle-cqv4": ("DAILY", 0, {18956: 4}, [b"one", b"two", b"three", SENTENCE]),
    "src-libchronicle-cqv5": ("FAST_DAILY", 0, {18949: 4},
                              text_bodies(b"one", b"two", b"three", SENTENCE)),
}

TAILERS = {
    "java-5.26-named-tailers": {"foo": 0x475800000002, "replicated:bar": 0x475600000002},
    "src-chronicle-queue-5.25ea1-metadata": {
        f"replicated:tailer{n}": 0x4CDD00000002 for n in ("One", "Two", "Three")},
    "src-kdb-quote-metadata": {"quoteTailer": 0x48A80000009A},
}


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Unpacks each golden queue once."""
    root, done = tmp_path_factory.mktemp("golden"), dict[str, Path]()

    def unpack(name: str) -> Path:
        if name not in done:
            done[name] = golden_queues.extract(name, root)
        return done[name]
    return unpack


# -- what must be refused --------------------------------------------------------------------

def read_all(directory: Path) -> None:
    queue = Queue(directory)
    for message in queue.messages():
        queue.find(message.index)


@pytest.mark.parametrize("name", REFUSALS)
def test_what_must_be_refused_is_refused_with_its_place(name: str, golden: Any) -> None:
    """The error names the file and the place, and the checker finds an error, too."""
    refusal = REFUSALS[name]
    with pytest.raises(FormatError) as caught:
        read_all(golden(name))
    assert Path(caught.value.file).name == refusal.file
    assert caught.value.offset == refusal.offset
    assert any(f.level == ERROR and f.file == refusal.file for f in check_queue(golden(name)))


def test_refuse_archives_can_be_made_again(tmp_path: Path) -> None:
    assert golden_queues.names("refuse") == sorted(REFUSALS)
    for name in REFUSALS:
        pack(make(name, tmp_path), tmp_path / f"{name}.tar.gz")
        made = golden_queues.extract(name, tmp_path / "kept")
        for file in (tmp_path / name).iterdir():
            assert file.read_bytes() == (made / file.name).read_bytes()


@pytest.mark.parametrize("what", ["missing", "empty", "file"])
def test_what_is_no_queue_is_an_error(what: str, tmp_path: Path) -> None:
    path = tmp_path / "q"
    if what == "empty":
        path.mkdir()
    elif what == "file":
        path.write_bytes(b"queue")
    with pytest.raises(FormatError):
        Queue(path)
    assert any(f.level == ERROR for f in check_queue(path))


# -- what must be read -----------------------------------------------------------------------

def test_manifest_is_complete() -> None:
    listed = {entry.path: entry.sha256 for entry in golden_queues.manifest()}
    there = {str(path.relative_to(GOLDEN)) for folder in ("java", "tape", "published", "refuse")
             for path in (GOLDEN / folder).glob("*.tar.gz")}
    assert set(listed) == there
    for path, sha256 in listed.items():
        assert golden_queues.digest(GOLDEN / path) == sha256, path
        assert (GOLDEN / path).stat().st_size < 1_500_000
    assert set(EXPECTED) | set(golden_queues.names("tape")) == set(READABLE)


@pytest.mark.parametrize("name", READABLE)
def test_extraction_keeps_holes(name: str, golden: Any) -> None:
    for file in golden(name).iterdir():
        assert file.stat().st_blocks * 512 < 1_500_000


@pytest.mark.parametrize("name", EXPECTED)
def test_the_golden_queues_hold_what_is_expected(name: str, golden: Any) -> None:
    row, epoch, cycles, bodies = EXPECTED[name]
    queue = Queue(golden(name))
    assert (queue.roll_cycle.name, queue.epoch) == (row, epoch)
    assert {cycle: queue.count_in_cycle(cycle) for cycle in queue.cycles()} == cycles
    assert queue.count() == sum(cycles.values())
    assert queue.named_tailers() == TAILERS.get(name, {})
    messages = list(queue.messages())
    assert [(m.cycle, m.sequence) for m in messages] == \
        [(cycle, n) for cycle in cycles for n in range(cycles[cycle])]
    if bodies is not None:
        assert [m.body for m in messages] == bodies


@pytest.mark.parametrize("name", golden_queues.names("tape"))
def test_the_queues_of_tape_hold_what_java_and_clojure_said(name: str, golden: Any) -> None:
    """Everything that Clojure's tape and Java said about the queues they wrote."""
    want = json.loads((GOLDEN / "tape" / f"{name}.json").read_text())
    queue = Queue(golden(name))
    assert (queue.roll_cycle.name, queue.epoch) == (want["roll_cycle"], want["epoch"])
    assert queue.first_index() == int(want["first_index"]["index"])
    assert queue.last_index() == int(want["last_index"]["index"])
    assert queue.count() == want["count"] == want["java"]["entry_count"]
    assert queue.named_tailers() == {t["id"]: int(t["index"]) for t in want["tailers"]}
    for cycle in want["cycles"]:
        assert queue.path_of(cycle["cycle"]).name == cycle["file"]
        assert queue.scan(cycle["cycle"]).has_eof == (cycle["state"] == "eof")
        assert queue.count_in_cycle(cycle["cycle"]) == cycle["count"]
    for message, said in zip(queue.messages(), want["messages"], strict=True):
        assert (message.index, message.cycle, message.sequence) == \
            (int(said["index"]), said["cycle"], said["seq"])
        data = message.payload
        assert data is not None and len(data) == said["bytes"]
        assert data.hex() == said["payload"] if "payload" in said else \
            hashlib.sha256(data).hexdigest() == said["sha256"]


@pytest.mark.parametrize("name", READABLE)
def test_ways_to_a_message_agree(name: str, golden: Any) -> None:
    """Forward, backward, by the index and by walking: the same messages."""
    queue = Queue(golden(name))
    forward = list(queue.messages())
    assert list(queue.messages(backward=True)) == forward[::-1]
    rng = random.Random(name)
    for message in rng.sample(forward, min(200, len(forward))):
        assert queue.find(message.index) == message == queue.find(message.index, by_index=False)
        assert next(queue.messages(message.index)) == message
        assert next(queue.messages(message.index, backward=True)) == message
    for a, b in ([rng.choices(range(len(forward)), k=2) for _ in range(20)] if forward else []):
        assert queue.count_between(forward[a].index, forward[b].index) == abs(a - b)


@pytest.mark.parametrize("name", READABLE)
def test_the_checker_has_nothing_against_what_java_closed(name: str, golden: Any) -> None:
    """The checker has nothing to say against what Java wrote and closed."""
    found = check_queue(golden(name))
    incomplete = name in ("src-chronicle-queue-5.25ea1-metadata", "src-kdb-quote-metadata")
    allowed = {"listing"} if incomplete else set()  # their cycle files were never published
    assert {f.code for f in found if f.level == ERROR} <= allowed
    assert [f for f in check_queue(golden(name), live=True) if f.code not in allowed] == \
        [f for f in found if f.code not in allowed and f.code != "eof-newest"]


def test_a_move_ends_as_the_document_says(golden: Any) -> None:
    """Format.md 6.3, on cycles 18262 and 18263 (finished) and 18266 (current)."""
    queue = Queue(golden("java-5.26-fast-daily-roll"))
    for cycle, sequence, outcome in ((18262, 4, Outcome.FOUND), (18262, 5, Outcome.END_OF_FILE),
                                     (18262, 6, Outcome.NOT_REACHED), (18266, 5, Outcome.NOT_FOUND),
                                     (18266, 6, Outcome.NOT_REACHED)):
        place = queue.place(queue.index_of(cycle, sequence))
        assert place is not None and place.outcome is outcome
    assert queue.place(queue.index_of(18264, 0)) is None
    assert queue.find(queue.index_of(18264, 0)) is None
    assert queue.find(queue.index_of(18266, 5), by_index=False) is None
    assert queue.count_in_cycle(18264) == -1


def test_lookup_walks_at_most_the_spacing(golden: Any) -> None:
    queue = Queue(golden("tape-dev-framing-sizes"))
    for sequence in (0, 255, 256, 257, 511, 512, 632):
        place = queue.place(queue.index_of(20676, sequence))
        assert place is not None and place.walked == sequence % 256


def test_payloads_of_all_kinds_are_told_apart(golden: Any) -> None:
    messages = list(Queue(golden("java-5.26-mixed-payloads")).messages())
    shown = [payload.present(m.body) for m in messages]
    assert [s.value for s in shown[:4]] == ["hello", "", "h\u00e9llo \u20ac \U0001F600", "x" * 31]
    assert [s.value for s in shown[4:8]] == ["x" * 32, "y" * 127, "y" * 128, "z" * 20000]
    fields = {item.key.name: item.value.data for item in shown[9].value if item.key}
    assert (fields["m"], fields["l"], fields["l2"], fields["n"]) == \
        (-70000, 2**40, -2**40 - 1, None)
    assert [messages[n].body for n in (14, 15, 16)] == [b"rawbytes", b"123", b"x"]
    assert {shown[n].kind for n in (14, 15, 16, 18, 19)} == {"raw"}
    assert messages[18].body == messages[19].body == b"\x8f"
    assert messages[26].payload == b"tape" and shown[27].value == "last"


def test_user_metadata_takes_no_sequence(golden: Any) -> None:
    queue = Queue(golden("java-5.26-mixed-payloads"))
    (user,) = [m for m in queue.messages(metadata=True)
               if m.is_metadata and m.body == b"\xc4meta\xe4data"]
    assert user.sequence == 20


def test_java_tailer_stops_without_eof(golden: Any, tmp_path: Path) -> None:
    path = golden_queues.extract("java-5.26-fast-daily-roll", tmp_path)
    queue = Queue(path)
    assert len(list(queue.messages(stop_without_eof=True))) == 20
    end = queue.scan(18263).end
    with open(queue.path_of(18263), "r+b") as file:
        file.seek(end)
        file.write(bytes(8))
    assert len(list(queue.messages(stop_without_eof=True))) == 10
    assert len(list(queue.messages())) == 20


def test_without_table_store_the_names_decide(tmp_path: Path) -> None:
    path = golden_queues.extract("java-5.26-fast-daily-roll", tmp_path)
    (path / "metadata.cq4t").unlink()
    assert Queue(path).roll_cycle.name == "FAST_DAILY"
    assert Queue(path).count() == 20
    assert {f.code for f in check_queue(path)} == {"no-table-store"}


def test_4x_is_told_apart(golden: Any) -> None:
    for name, cycle in (("src-libchronicle-cqv4", 18956), ("src-chronicle-queue-tr2", 17245)):
        with Queue(golden(name)).open_cycle(cycle) as file:
            assert file.header.is_4x and file.header.data_format == 0
    table = read_table_store(golden("src-libchronicle-cqv4") / "directory-listing.cq4t")
    assert table.settings is None and table.value("listing.highestcycle") == 0x4A0C


def test_settings_are_read_from_the_table_store(golden: Any) -> None:
    found = read_table_store(golden("java-5.26-rolltime-21") / "metadata.cq4t").settings
    assert found is not None
    assert (found.epoch, found.roll_time, found.roll_time_zone) == (75600000, "21:00", "UTC")
    assert found.delta_checkpoint_interval == 64
    newer = read_table_store(golden("tape-dev-types") / "metadata.cq4t").settings
    assert newer is not None and newer.delta_checkpoint_interval is None
    mixed = read_table_store(golden("java-5.26-mixed-payloads") / "metadata.cq4t").settings
    assert mixed is not None and mixed.source_id == 7


def test_weekly_is_read_by_both_week_rules(golden: Any) -> None:
    queue = Queue(golden("java-5.26-weekly"))
    assert [queue.path_of(c).stem for c in (2608, 2612)] == ["2020W01", "2020W05"]
    row = roll_cycles.BY_NAME["WEEKLY"]
    assert roll_cycles.file_stem(row, 2608, weeks="iso") == "2019W52"
    for cycle in range(0, 6000, 7):
        for weeks in ("us", "iso"):
            stem = roll_cycles.file_stem(row, cycle, weeks=weeks)
            assert roll_cycles.cycle_of(row, stem, weeks=weeks) == cycle


@pytest.mark.parametrize("row", roll_cycles.ROLL_CYCLES, ids=lambda row: row.name)
def test_names_and_cycles_are_inverse(row: roll_cycles.RollCycle) -> None:
    rng = random.Random(row.name)
    for epoch in (0, 75_600_000, 10_800_000, -3_600_000, 86_400_000, 90_000_000, 1):
        for _ in range(50):
            cycle = rng.randrange(0, 4_000_000_000_000 // row.length_ms)
            stem = roll_cycles.file_stem(row, cycle, epoch)
            assert roll_cycles.cycle_of(row, stem, epoch) == cycle
            if row.name != "WEEKLY":
                assert roll_cycles.by_file_name(stem) == row


@pytest.mark.parametrize("stem", ["", "2020010", "20200101", "20201301F", "20200230F", "x0200101F",
                                  "20200101F ", "20200101f", "2020010\u0661F"])
def test_names_that_are_none_give_no_cycle(stem: str) -> None:
    assert roll_cycles.cycle_of(roll_cycles.BY_NAME["FAST_DAILY"], stem) is None


def test_packed_file_has_misaligned_words(golden: Any) -> None:
    with CycleFile(golden("java-5.17-daily") / "20200101.cq4") as cycle:
        assert {position % 4 for position in cycle.scan().data} == {0, 2}


def test_the_command_prints_messages_and_findings(
        golden: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(golden("java-5.26-named-tailers"))
    assert command.main([path]) == 0
    assert "0x475800000003" in capsys.readouterr().out
    assert command.main(["--json", path]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["count"], shown["findings"]) == (8, [])
    assert shown["messages"][-1]["value"] == b"again".hex()
    assert command.main([str(golden("table-pattern"))]) == 2


def test_message_is_a_value() -> None:
    message = Message(1, 0, 1, 4, payload.frame(b"a"))
    assert message.payload == b"a"
    assert Message(1, 0, 1, 4, b"\xe1a").payload is None


@pytest.mark.parametrize("body", [b"\xc0\x82\x01\x00\x00\x01\x8a", b"\x82\xff\xff\xff\xff",
                                  b"\xc5ab", b"\xb8\x80", b"\x8d" + b"\xff" * 16, b"\xe2\xff\xfe",
                                  b"\x80\x01" * 3, b"\xb6\x01a" * 200, b"\x82\x00\x00\x00\x00" * 9])
def test_bodies_that_lie_are_raw_or_an_error(body: bytes) -> None:
    """Length prefixes beyond the document, bad text, deep nesting: raw or an error, never more."""
    assert payload.unframe(body) is None
    assert payload.present(body).kind in ("raw", "wire")
    try:
        list(wire.items(wire.Cursor(body)))
    except FormatError as error:
        assert 0 <= error.offset <= len(body)
