"""python -m tape dump: damaged files first, then what it says of whole ones."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

import tape
from tape import dump
from tape.__main__ import main
from tape.codecs import document, raw
from tape.dump.walker import walk

from tests.kit.clocks import SetClock
from tests.kit.directories import digest

T0 = 1_577_880_000_000  # 2020-01-01T12:00Z
NAME = "20200101T1.cq4"


def options(**more: object) -> argparse.Namespace:
    return argparse.Namespace(**{"limit": None, "raw": False, "json": False, **more})


def dumped(path: Path, **more: object) -> tuple[list[str], bool]:
    """The lines for one file, and whether anything is wrong; never slower than a second."""
    began, lines, wrong = time.monotonic(), [], False
    for line, bad in dump.lines_of(str(path), None, options(**more)):
        lines.append(line)
        wrong |= bad
    assert time.monotonic() - began < 1
    return lines, wrong


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small queue, its cycle file without the free space behind it."""
    path = tmp_path_factory.mktemp("dump") / "q"
    with tape.open(path, codec=raw, roll_cycle="TEST_DAILY", clock=SetClock(T0)) as q:
        for n in range(6):
            q.appender().write(b"message %d" % n)
        q.appender(codec=document).write(b"\xe2hi")
        q.appender(codec=document).write(b"\0\1\2\3" * 40)
    cut(path / NAME)
    return path


def cut(path: Path) -> None:
    """Leaves 16 bytes behind the last document."""
    os.truncate(path, [r.offset for r in walk(str(path))][-1] + 16)


@pytest.fixture
def copy(queue: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(queue, tmp_path / "q"))


def patched(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


# ---- damage ----

@pytest.mark.parametrize("name", [NAME, "metadata.cq4t"])
def test_a_file_cut_anywhere_is_shown_up_to_the_cut(copy: Path, name: str) -> None:
    """A file cut anywhere is shown up to the cut, and not changed."""
    path = copy / name
    whole = path.read_bytes()
    end = len(whole) if name == NAME else 0x240
    for size in range(end):
        path.write_bytes(whole[:size])
        dumped(path)
        assert path.stat().st_size == size
        if size < 0xC8 and name == NAME:
            assert dumped(path)[1], size


@pytest.mark.slow
@pytest.mark.parametrize("name", [NAME, "metadata.cq4t"])
def test_a_flipped_bit_stops_no_dump(copy: Path, name: str) -> None:
    """Any flipped bit: no exception, no hang, no changed byte."""
    path = copy / name
    whole = path.read_bytes()
    end = len(whole) if name == NAME else 0x240
    for bit in range(8 * end):
        flipped = bytes([whole[bit // 8] ^ 1 << bit % 8])
        patched(path, bit // 8, flipped)
        dumped(path)
        if bit % 64 == 0:
            assert path.read_bytes() == whole[:bit // 8] + flipped + whole[bit // 8 + 1:]
        patched(path, bit // 8, whole[bit // 8:bit // 8 + 1])


def test_noise_is_told_as_damage(tmp_path: Path) -> None:
    """Files that are no queue files at all."""
    random_ = random.Random(2)
    for n in range(300):
        path = tmp_path / ("x.cq4" if n % 2 else "x.cq4t")
        data = random_.randbytes(random_.randrange(2000))
        if n % 3:
            data = struct.pack("<I", 0x40000000 | random_.randrange(1, 300)) + data
        path.write_bytes(data)
        dumped(path, raw=True)
        dumped(path, json=True)
        assert path.read_bytes() == data


@pytest.mark.parametrize(("at_message", "word"), [(2, 0x3FFFFFFF), (2, 0x80000005), (2, 0),
                                                  (5, 0xC0000001)])
def test_it_goes_on_behind_damage_at_the_next_entry(copy: Path, at_message: int, word: int) -> None:
    """From the next message that the index names, with its number."""
    path = copy / NAME
    places = [r.offset for r in walk(str(path)) if r.kind == "data"]
    patched(path, places[at_message], struct.pack("<I", word))
    records = list(walk(str(path), (18262, 32)))
    found = {r.sequence: r.offset for r in records if r.kind == "data"}
    assert found == {n: at for n, at in enumerate(places) if n != at_message}
    assert any(r.kind == "problem" for r in records)


def test_it_goes_on_at_the_write_position(copy: Path) -> None:
    """Where the index is gone, the header knows the last message."""
    path = copy / NAME
    records = list(walk(str(path)))
    places = [r.offset for r in records if r.kind == "data"]
    page = next(r for r in records if r.kind == "index")
    patched(path, page.fields[1].offset + 8, bytes(8 * 8))
    patched(path, places[4], bytes(4))
    found = {r.sequence: r.offset for r in walk(str(path)) if r.kind == "data"}
    assert found[7] == places[7] and len(found) == 5


@pytest.mark.parametrize(("at", "data", "says"), [
    (0, bytes(4), "no header"), (0, b"\x04\0\0\0", "no header"),
    (0, b"\xff\xff\xff\x40", "cannot have"),
    (0x40, b"\xff\xff", "writePosition is"), (0x1B, b"\xff", "at offset"),
    (0x18, b"\xff", "do not fit"),
])
def test_damaged_headers_are_said_in_words(copy: Path, at: int, data: bytes, says: str) -> None:
    """Said in words, with the offset; the messages are shown nevertheless."""
    patched(copy / NAME, at, data)
    lines, wrong = dumped(copy / NAME)
    assert wrong and says in "\n".join(lines)


def test_a_damaged_index_is_told_entry_by_entry(copy: Path) -> None:
    """Entries that point elsewhere, fall, or are more than there is room for."""
    path = copy / NAME
    page = next(r for r in walk(str(path)) if r.kind == "index")
    entries = page.fields[1].offset + 8
    patched(path, entries + 8, struct.pack("<q", 1 << 40))
    lines, wrong = dumped(path)
    assert wrong and any(f"{entries + 8:08x}" in line and "not rising" in line for line in lines)
    assert any("the index has message 1 at" in line for line in lines)
    patched(path, page.fields[1].offset, struct.pack("<q", 1 << 60))
    assert any("room for 8 entries" in line for line in dumped(path)[0])


def test_a_key_cut_in_two_is_told(copy: Path) -> None:
    """A table store's entry whose length ends inside its key."""
    path = copy / "metadata.cq4t"
    entry = next(r for r in walk(str(path)) if r.kind == "entry")
    patched(path, entry.offset, struct.pack("<I", 8))
    lines, wrong = dumped(path)
    assert wrong and any("do not fit" in line for line in lines)


def test_names_cannot_steer_the_terminal(copy: Path) -> None:
    """Control characters of keys and texts are escaped."""
    path = copy / "metadata.cq4t"
    at = path.read_bytes().index(b"listing.highestCycle")
    patched(path, at, b"\x1b[2J\n\r")
    for line in dumped(path)[0]:
        assert "\x1b" not in line and "\r" not in line


def test_what_is_no_file_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and a word on stderr; a pipe does not make it wait."""
    os.mkfifo(tmp_path / "x.cq4")
    assert main(["dump", str(tmp_path / "x.cq4"), str(tmp_path / "none.cq4")]) == 2
    said = capsys.readouterr().err
    assert "no regular file" in said and "none.cq4" in said
    assert main(["dump", "--roll-cycle", "NO_SUCH", str(tmp_path)]) == 2
    assert main(["dump"]) == main(["nonsense"]) == 2


def run(*arguments: object, head: str = "cat") -> subprocess.CompletedProcess[str]:
    command = '"$0" -m tape dump "$@" | ' + head + '; exit "${PIPESTATUS[0]}"'
    return subprocess.run(["bash", "-c", command, sys.executable, *map(str, arguments)],
                          capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))})


def test_exit_codes_tell_of_damage_and_a_closed_pipe_is_quiet(copy: Path) -> None:
    """0, 1 with damage; quiet when the reader has seen enough; nothing is changed."""
    before = digest(copy)
    assert run(copy).returncode == 0
    ended = run(copy, "--raw", head="head -1")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert digest(copy) == before
    patched(copy / NAME, 0, bytes(4))
    assert run(copy).returncode == 1


# ---- whole files ----

def test_every_document_of_a_queue_is_shown(
        queue: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every document with offset, word, kind, length, sequence and index."""
    assert main(["dump", str(queue)]) == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert lines[0].endswith("metadata.cq4t") and "PROBLEM" not in shown
    for text in ("header: !STStore", "format: yyyyMMdd'T1'", "listing.highestCycle: 18262 (0x4756)",
                 "unlocked", "header: !SCQStore", "indexCount: 8", "index2index", "entries",
                 "#7  index 0x475600000007  document 00 01 02 03", "bytes 'message 0'",
                 "text 'hi'"):
        assert text in shown, text
    assert sum("  data  " in line for line in lines) == 8


def test_json_has_one_object_a_line_with_the_same_facts(
        queue: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, with the same facts."""
    assert main(["dump", "--json", "--raw", str(queue / NAME)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [r["kind"] for r in rows[:3]] == ["header", "index2index", "index"]
    data = [r for r in rows if r["kind"] == "data"]
    with tape.open(queue, read_only=True, codec=raw) as q:
        found = list(q.tailer(codec=document).entries())
        assert [r["index"] for r in data] == [e.index for e in found]
        assert [r["raw"] for r in data] == [e.value.hex() for e in found]
    header = {f["name"]: f for f in rows[0]["fields"]}
    assert header["writePosition"]["value"][0] == data[-1]["offset"]
    assert header["index2Index"]["value"] == rows[1]["offset"]
    assert header["index2Index"]["offset"] % 8 == 0


def test_limit_and_raw_choose_how_much_is_shown(queue: Path) -> None:
    """So many documents; all their bytes, equal lines as one star."""
    lines, _ = dumped(queue / NAME, limit=4)
    assert sum("length" in line for line in lines) == 4 and "stopped after 4" in lines[-1]
    shown = "\n".join(dumped(queue / NAME, raw=True)[0])
    assert "6d 65 73 73 61 67 65" in shown and "|" not in shown and "\n*" in shown


def test_named_tailers_and_ends_of_cycles_are_explained(tmp_path: Path) -> None:
    """Keys index.<id> are explained; the end of a cycle is shown."""
    clock = SetClock(T0)
    with tape.open(tmp_path / "q", codec=raw, roll_cycle="TEST_DAILY", clock=clock) as q:
        q.appender().write(b"a")
        clock.ms += 86_400_000
        q.appender().write(b"b")
    lines, wrong = dumped(tmp_path / "q" / NAME)
    assert not wrong and "the cycle is finished" in lines[-1]
    path = tmp_path / "q" / "metadata.cq4t"
    end = list(walk(str(path)))[-1].offset
    key = b"\xb9\x09index.foo"
    padding = b"\x8f" * (-(end + 4 + len(key) + 1) % 8)
    body = key + padding + b"\xa7" + struct.pack("<q", 18263 << 32)
    patched(path, end, struct.pack("<I", len(body)) + body)
    lines, wrong = dumped(path)
    assert not wrong and any("cycle 18263, sequence 0" in line for line in lines)


@pytest.mark.parametrize(("name", "cycle", "epoch"), [
    ("20200101F.cq4", 18262, 0), ("20191231F.cq4", 18261, 75_600_000),
    ("20200101F.cq4", 18262, 10_800_000), ("20191231F.cq4", 18262, -3_600_000),
    ("20200101F.cq4", 18261, 86_400_000), ("20200101F.cq4", 18261, 90_000_000),
    ("19700101-0005V.cq4", 1, 0), ("2020W01.cq4", 2608, 0),
    ("20200101-000001T.cq4", 18262 * 86400 + 1, 0),
    ("20209901F.cq4", None, 0), ("hello.cq4", None, 0), ("99999999F.cq4", None, 0),
])
def test_the_cycle_of_a_name_follows_javas_arithmetic(
        monkeypatch: pytest.MonkeyPatch, name: str, cycle: int | None, epoch: int) -> None:
    """Java's arithmetic, epochs included."""
    monkeypatch.setattr(dump.names, "settings_of", lambda path: {"epoch": epoch})
    found = dump.cycle_of("/nowhere/" + name)
    assert (found and found[0]) == cycle


def test_every_roll_cycle_is_known_by_its_names(tmp_path: Path) -> None:
    """The cycle that dump computes is the one that tape gave to the file."""
    for roll_cycle in tape.RollCycle:
        path = tmp_path / roll_cycle.name
        with tape.open(path, codec=raw, roll_cycle=roll_cycle, clock=SetClock(T0),
                       epoch=3_600_000) as q:
            index = q.appender().write(b"x")
        file = next(path.glob("*.cq4"))
        assert dump.cycle_of(str(file)) == (index >> roll_cycle.shift, roll_cycle.shift)
        assert dump.cycle_of(str(file), roll_cycle) == dump.cycle_of(str(file))


def big(path: Path, count: int) -> Iterator[None]:
    with tape.open(path, codec=raw, roll_cycle="FAST_DAILY", clock=SetClock(T0)) as q:
        a = q.appender()
        for n in range(count):
            a.write(b"%d" % n)
            yield


def test_memory_is_constant(tmp_path: Path) -> None:
    """A file of many messages needs no more than one of few, nor does one long message."""
    list(big(tmp_path / "q", 10_000))
    with tape.open(tmp_path / "q", codec=raw, clock=SetClock(T0)) as q:
        q.appender().write(bytes(8 << 20))
    path = str(tmp_path / "q" / "20200101F.cq4")
    tracemalloc.start()
    count = sum(1 for _ in dump.lines_of(path, None, options()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count > 10_000 and peak < 2 << 20
    assert main(["dump", "--raw", "--limit", "9", path]) == 0


def test_what_is_being_written_is_no_damage(tmp_path: Path) -> None:
    """What is being written is no damage."""
    path = tmp_path / "q"
    for n, _ in enumerate(big(path, 1000)):
        if n % 50 == 0:
            for file in ("metadata.cq4t", "20200101F.cq4"):
                assert not dumped(path / file)[1]
