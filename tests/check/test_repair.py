"""tape.repair(): all that is intact comes through with its index, and what comes out is a queue."""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit import golden_queues
from tests.kit.clocks import SetClock
from tests.kit.damage import SECOND, append_at, cycle_file, pair_of, poke, position
from tests.kit.directories import digest
from tests.reference import Message, Queue, check_queue
from tests.reference.cycle_file import CycleFile
from tests.reference.table_store import read_table_store

SCALE = os.environ.get("TAPE_TEST_SCALE") == "1"
EMPTY = b"\x8f"  # a message that nothing was written into, as Java makes it


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """150 messages of many kinds in a finished cycle, one in the newest, a tailer at 100."""
    path, some = tmp_path / "q", random.Random(7)
    with tape.open(path, codec=raw, roll_cycle="TEST4_SECONDLY", block_size=65536,
                   clock=SetClock(SECOND)) as q:
        a, t = q.appender(), q.tailer("billing")
        for n in range(150):
            rest = struct.pack("<9I", *[n % 40] * 9)
            if n % 3:
                rest = some.randbytes(some.randrange(60))
            a.write(b"message %d " % n + rest)
        t.read_many(100)
    append_at(path, SECOND + 1000, 1)
    return path


def messages(path: Path) -> dict[int, Message]:
    """All, by index, as the independent reader finds them."""
    return {message.index: message for message in Queue(path).messages()}


def sound(path: Path) -> None:
    """By the independent checker, and by ours."""
    assert [str(f) for f in check_queue(path) if f.level == "error"] == []
    report = tape.verify(path)
    assert report.ok, report.findings


# ---- refusals ----

def test_a_repair_that_cannot_be_done_makes_nothing(queue: Path, tmp_path: Path) -> None:
    """A copy that exists, no queue, two wishes, a queue that somebody has open."""
    (tmp_path / "there").mkdir()
    before = digest(queue)
    with pytest.raises(tape.InvalidArgument) as caught:
        tape.repair(queue, tmp_path / "there")
    assert caught.value.hint
    with pytest.raises(tape.InvalidArgument):
        tape.repair(queue, tmp_path / "x", in_place=True)
    with pytest.raises(tape.QueueNotFound):
        tape.repair(tmp_path / "nowhere")
    with tape.open(queue, codec=raw, read_only=True) as q, q.tailer() as t:
        t.read()
        with pytest.raises(tape.QueueBusy, match=str(os.getpid())):
            tape.repair(queue, in_place=True)
    assert digest(queue) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["q", "there"]


def test_files_of_release_4_are_refused(tmp_path: Path) -> None:
    """Nothing here can write them."""
    path = golden_queues.extract("src-libchronicle-cqv4", tmp_path)
    with pytest.raises(tape.UnsupportedQueue):
        tape.repair(path)
    assert not (tmp_path / "src-libchronicle-cqv4.repaired").exists()


# ---- what is sound ----

def test_a_sound_queue_is_copied_byte_for_byte(queue: Path) -> None:
    """Names and positions, too."""
    report = tape.repair(queue)
    assert (report.outcome, report.messages, report.lost) == ("clean", 151, 0)
    copy = Path(report.path)
    for name in sorted(p.name for p in queue.glob("*.cq4*")):
        assert (copy / name).read_bytes() == (queue / name).read_bytes()
    with tape.open(copy, read_only=True, codec=raw) as q, \
            tape.open(queue, read_only=True, codec=raw) as old:
        assert q.tailers() == old.tailers() != {}


def test_compressed_cycles_go_with_the_copy(queue: Path) -> None:
    """Whatever packed them."""
    for name in ("20200913-122639T4.cq4.gz", "20200913-122638T4.cq4.zst"):
        (queue / name).write_bytes(b"packed " + name.encode())
        copy = tape.repair(queue, queue.parent / name).path
        assert (Path(copy) / name).read_bytes() == (queue / name).read_bytes()


def test_a_sound_queue_in_place_is_left_alone(queue: Path) -> None:
    """No byte is changed, no file is made."""
    before = digest(queue)
    assert tape.repair(queue, in_place=True).outcome == "clean"
    assert digest(queue) == before


GOLDEN = [n for f in ("java", "tape", "published") for n in golden_queues.names(f)
          if n not in ("src-libchronicle-cqv4", "src-chronicle-queue-tr2")]


@pytest.mark.parametrize("name", GOLDEN)
def test_the_golden_queues_come_through_as_they_are(name: str, tmp_path: Path) -> None:
    """All messages with their indexes."""
    path = golden_queues.extract(name, tmp_path)
    report = tape.repair(path)
    assert report.outcome in ("clean", "lossless") and report.mended_files == 0
    assert messages(Path(report.path)) == messages(path)


@pytest.mark.parametrize("name", golden_queues.names("refuse"))
def test_the_refused_queues_are_mended(name: str, tmp_path: Path) -> None:
    """All six messages of each; random bytes hold none."""
    report = tape.repair(golden_queues.extract(name, tmp_path))
    if name == "cycle-random":
        assert (report.outcome, report.messages, report.dropped_files) == ("nothing", 0, 1)
        return
    assert (report.outcome, report.messages) == ("lossless", 6)
    sound(Path(report.path))


# ---- what is not ----

def hurt(some: random.Random, kind: str, whole: bytes) -> tuple[bytes, int, int]:
    """The file with some bytes of another value: which ones."""
    used, data = len(whole.rstrip(b"\0")), bytearray(whole)
    if kind == "bit":
        begin = some.randrange(used)
        data[begin] ^= 1 << some.randrange(8)
        return bytes(data), begin, begin + 1
    if kind == "cut":
        begin = some.randrange(used)
        return bytes(data[:begin]), begin, len(data)
    size = some.choice([16, 64, 512, 4096] if kind == "zeros" else [4, 20, 100, 600])
    begin = some.randrange(used) // size * size if kind == "zeros" else some.randrange(used)
    end = min(begin + size, len(data))
    data[begin:end] = bytes(size) if kind == "zeros" else some.randbytes(end - begin)
    return bytes(data[:len(whole)]), begin, min(end, len(whole))


@pytest.mark.parametrize("kind", ["bit", "zeros", "random", "cut"])
def test_every_intact_message_comes_through(kind: str, queue: Path, tmp_path: Path) -> None:
    """With its index; where the header and the whole index are gone, without. Nothing else comes
    out but empty messages, and the hurt one itself."""
    seed = random.randrange(1 << 32) if SCALE else 2026
    print("seed", seed)
    some, old, file = random.Random(seed), messages(queue), cycle_file(queue)
    whole = file.read_bytes()
    for _ in range(1000 if SCALE else 25):
        data, begin, end = hurt(some, kind, whole)
        file.write_bytes(data)
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        report = tape.repair(queue, copy)
        sound(copy)
        new = messages(copy)
        bodies = {m.body for m in new.values()}
        numbered = not (begin == 0 and end > 4000)
        for index, m in old.items():
            far = m.position + 4 + len(m.body) <= begin or m.position >= end
            if far or m.cycle != min(o.cycle for o in old.values()):
                assert not numbered or new[index].body == m.body, (begin, end, m)
                assert m.body in bodies
            elif index in new and new[index].body.strip(EMPTY):
                assert report.recovered or len(new[index].body) == len(m.body) or not numbered
        placeholders = sum(m.body.strip(EMPTY) == b"" for m in new.values())
        assert placeholders == report.placeholders <= report.lost
        if report.outcome in ("clean", "lossless"):
            assert len(new) == len(old) and placeholders == 0
        assert report.messages == len(new)


def test_a_lost_message_leaves_an_empty_one_so_that_all_others_keep_their_indexes(
        queue: Path) -> None:
    """A named tailer goes on where it was; reading tells of the empty one, and can skip it."""
    file, old = cycle_file(queue), messages(queue)
    at = position(file, b"message 120 ")
    poke(file, at, os.urandom(30))
    report = tape.repair(queue)
    assert (report.outcome, report.lost, report.placeholders) == ("lossy", 1, 1)
    new = messages(Path(report.path))
    [gone] = [index for index, m in new.items() if m.body == EMPTY]
    assert old[gone].payload is not None and old[gone].payload.startswith(b"message 120 ")
    assert {i: m.body for i, m in old.items() if i != gone} == \
        {i: m.body for i, m in new.items() if i != gone}
    with tape.open(report.path, codec=raw, clock=SetClock(SECOND + 1000)) as q:
        with q.tailer("billing", on_error="skip") as t:
            read = [bytes(m) for m in t]
        assert len(read) == 50 and read[0].startswith(b"message 100 ")
        with q.tailer() as t, pytest.raises(tape.DecodeError) as caught:
            list(t)
        assert caught.value.index == gone


def test_a_message_whose_length_was_damaged_is_had_again(queue: Path) -> None:
    """Its frame says how long it is, or the one bit that makes everything fit."""
    file, old = cycle_file(queue), messages(queue)
    for name, change in ((b"message 31 ", 4), (b"message 77 ", 64), (b"message 90 ", 0x40000000)):
        at = position(file, name)
        [word] = struct.unpack("<I", file.read_bytes()[at:at + 4])
        poke(file, at, struct.pack("<I", word ^ change))
    report = tape.repair(queue)
    assert report.outcome == "lossless" and report.recovered == 3
    assert messages(Path(report.path)) == old


@pytest.mark.parametrize("count", [1, 40])
@pytest.mark.parametrize("more", [4, 5, 7, 8, 9, 0x100, 0x2A08])
def test_a_message_behind_whose_damaged_length_others_were_written_is_had_and_they_are_too(
        more: int, count: int, tmp_path: Path) -> None:
    """The last message's length led into the zeros behind it, and writers went on there."""
    path = tmp_path / "q"
    append_at(path, SECOND, count)
    file, old = cycle_file(path), messages(path)
    at = max(m.position for m in old.values())
    [word] = struct.unpack("<I", file.read_bytes()[at:at + 4])
    poke(file, at, struct.pack("<I", word + more))
    append_at(path, SECOND, 3)
    if more >= 8:
        assert [f.kind for f in tape.verify(path).findings] == ["frame"]
    report = tape.repair(path)
    assert report.outcome == "lossless" and report.recovered == 1
    found = messages(Path(report.path))
    assert len(found) == count + 3
    kept = {index: m.payload for index, m in found.items() if index in old}
    same = {index: m.payload for index, m in old.items()}
    if more < 8:    # there is no room for a document, and the bytes are taken for the message's
        last = max(same)
        assert kept[last][:len(same[last])] == same[last] and len(kept[last]) <= len(same[last]) + 7
        same[last] = kept[last]
    assert kept == same
    sound(Path(report.path))


def test_names_that_strayed_into_the_directory_are_not_taken_for_the_queues_own(
        queue: Path) -> None:
    """Without its settings a queue is known by the names of most files that hold anything."""
    old = messages(queue)
    (queue / "metadata.cq4t").unlink()
    for day in range(10, 30):
        (queue / f"202001{day}T4.cq4").symlink_to("nowhere")
    (queue / "20200101T4.cq4").write_bytes(bytes(100))
    report = tape.repair(queue)
    assert messages(Path(report.path)) == old
    sound(Path(report.path))


def test_a_tailer_that_stood_nowhere_stands_at_the_start_where_nothing_is_left(
        queue: Path) -> None:
    """Where a position is negative, and all cycles are gone."""
    table = queue / "metadata.cq4t"
    [cell] = [c for c in read_table_store(table).cells if c.key == "index.billing"]
    poke(table, cell.offset, struct.pack("<q", -5))
    for file in queue.glob("*.cq4"):
        file.unlink()
    report = tape.repair(queue)
    sound(Path(report.path))
    assert read_table_store(Path(report.path) / "metadata.cq4t").value("index.billing") == 0


@pytest.mark.parametrize("messages_after", [2, 3])
def test_an_array_of_the_index_whose_length_is_wrong_takes_no_message_with_it(
        messages_after: int, tmp_path: Path) -> None:
    """By any few bytes: its entries say how long it is, and what follows it is had."""
    path = tmp_path / "q"
    append_at(path, SECOND, 128 + messages_after)
    file, old = cycle_file(path), messages(path)
    whole = file.read_bytes()
    for at, length in CycleFile(file).scan().metadata[1:]:
        for change in (-13, -8, -5, 3, 8, 12, 13, 16):
            poke(file, at, struct.pack("<I", 0x4000_0000 | length + change))
            copy = tmp_path / "copy"
            shutil.rmtree(copy, ignore_errors=True)
            report = tape.repair(path, copy)
            assert report.outcome == "lossless" and messages(copy) == old
            sound(copy)
            file.write_bytes(whole)


def test_a_message_that_holds_a_whole_queue_is_not_taken_apart(tmp_path: Path) -> None:
    """What looks like documents inside a message is none, with its header lost or not."""
    inner, outer = tmp_path / "inner", tmp_path / "q"
    append_at(inner, SECOND, 40)
    canary = cycle_file(inner).read_bytes().rstrip(b"\0")
    with tape.open(outer, codec=raw, roll_cycle="TEST4_SECONDLY", block_size=1 << 20,
                   clock=SetClock(SECOND)) as q:
        for n in range(12):
            q.appender().write(canary if n == 6 else b"outside %d" % n)
    file, old = cycle_file(outer), messages(outer)
    whole = file.read_bytes()
    for hit in (b"outside 5", b"outside 7"):
        poke(file, position(file, hit), os.urandom(12))
    new = messages(Path(tape.repair(outer).path))
    assert [m.payload for m in new.values()][:12] == [
        None if n in (5, 7) else m.payload for n, m in enumerate(old.values())]
    file.write_bytes(whole)
    poke(file, [m.position for m in old.values()][6], b"\xff\xff\xff\xff")
    tape.repair(outer, tmp_path / "again")
    found = [m.payload for m in messages(tmp_path / "again").values()]
    assert [p for n, p in enumerate(found) if n != 6] == \
        [b"outside %d" % n for n in range(12) if n != 6]


def test_writing_goes_on_after_a_power_cut(tmp_path: Path) -> None:
    """The last page of the newest file is zeros, and every write is refused, until it is mended."""
    path = tmp_path / "q"
    clock = SetClock(SECOND)
    with tape.open(path, codec=raw, clock=clock) as q:
        q.appender().write_many(b"%06d" % n + b"x" * 40 for n in range(2000))
    file = cycle_file(path)
    end = position(file, b"001999") // 4096 * 4096
    poke(file, end, bytes(4096))
    with tape.open(path, codec=raw, clock=clock) as q, pytest.raises(tape.CorruptQueue) as caught:
        q.appender().write(b"new")
    assert "tape repair" in caught.value.hint
    report = tape.repair(path, in_place=True)
    assert report.outcome == "lossy" and 0 < report.lost < 100
    with tape.open(path, codec=raw, clock=clock) as q:
        index = q.appender().write(b"new")
        assert index == q.first_index + report.messages == q.last_index
        assert [bytes(m) for m in q.tailer()][-1] == b"new"
    sound(path)


def test_a_tailer_above_the_end_is_set_to_the_end(queue: Path) -> None:
    """Or what is written next would be skipped; told with both positions."""
    file = sorted(queue.glob("*.cq4"))[-1]
    with tape.open(queue, codec=raw, clock=SetClock(SECOND + 1000)) as q, q.tailer("b") as t:
        assert len(list(t)) == 151
    os.truncate(file, CycleFile(file).scan().data[0] + 6)
    report = tape.repair(queue)
    with tape.open(report.path, codec=raw, clock=SetClock(SECOND + 1000)) as q:
        assert q.appender().write(b"new") == q.tailers()["b"]
        with q.tailer("b") as t:
            assert bytes(t.read()) == b"new"
    assert any("index.b stands at" in f.text for f in report.findings)


# ---- the table store ----

@pytest.mark.parametrize("length", [0x1C0, 0x200, 0x400, 0xFFFA, 0x1FF00])
def test_a_header_of_the_table_store_whose_length_leads_over_entries_ends_before_them(
        queue: Path, length: int) -> None:
    """No name is lost, and the settings are those that were."""
    with tape.open(queue, read_only=True, codec=raw) as q:
        names = q.tailers()
    before = (queue / "metadata.cq4t").read_bytes()
    poke(queue / "metadata.cq4t", 0, struct.pack("<I", 0x4000_0000 | length))
    report = tape.repair(queue)
    assert report.outcome == "lossless"
    sound(Path(report.path))
    assert (Path(report.path) / "metadata.cq4t").read_bytes()[:64] == before[:64]
    with tape.open(report.path, read_only=True, codec=raw) as q:
        assert q.tailers() == names != {}


def test_names_and_settings_of_a_damaged_table_store_are_saved(queue: Path) -> None:
    """An entry's length is lost: all behind it is had again. The header: what the names say."""
    table = queue / "metadata.cq4t"
    cells = read_table_store(table).cells
    with tape.open(queue, read_only=True, codec=raw) as q:
        names = q.tailers()
    poke(table, cells[2].position, b"\xff\xff\xff\xff")
    first = tape.repair(queue)
    assert first.outcome == "lossless"
    poke(table, 8, b"xxxx")
    second = tape.repair(queue, queue.parent / "second")
    (queue / "metadata.cq4t").unlink()
    third = tape.repair(queue, queue.parent / "third")
    for report, kept in ((first, names), (second, names), (third, {})):
        sound(Path(report.path))
        with tape.open(report.path, codec=raw, clock=SetClock(SECOND + 1000)) as q:
            assert q.roll_cycle == tape.RollCycle.TEST4_SECONDLY and q.tailers() == kept
            q.appender().write(b"new")
            assert len(q) == 152


# ---- in place ----

def test_what_is_replaced_stays_beside_and_a_repair_that_died_is_begun_again(queue: Path) -> None:
    """The damaged file has its bytes still, under a name that nobody reads; a second run finds
    nothing to do; tape.delete() takes all away."""
    file, old = cycle_file(queue), messages(queue)
    poke(file, pair_of(file), bytes(8))
    damaged = file.read_bytes()
    (queue / ".tape-repair.tmp").write_bytes(b"of one that died")
    report = tape.repair(queue, in_place=True)
    assert (report.outcome, report.mended_files) == ("lossless", 1)
    [kept] = queue.glob("*.damaged")
    assert kept.read_bytes() == damaged and messages(queue) == old
    assert not (queue / ".tape-repair.tmp").exists()
    sound(queue)
    assert tape.repair(queue, in_place=True).outcome == "clean"
    tape.delete(queue)
    assert not queue.exists()


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_a_mended_file_is_on_the_disk_before_it_has_its_name(queue: Path, tmp_path: Path) -> None:
    """Or a power cut leaves the name and not the bytes: the last call for it is a sync."""
    poke(cycle_file(queue), pair_of(cycle_file(queue)), bytes(8))
    trace, program = tmp_path / "trace", "import sys, tape; tape.repair(sys.argv[1], in_place=True)"
    run = subprocess.run(
        ["strace", "-f", "-y", "-e", "trace=pwrite64,ftruncate,fsync,fdatasync,rename",
         "-o", str(trace), sys.executable, "-c", program, str(queue)], capture_output=True,
        text=True)
    if "ptrace" in run.stderr and run.returncode != 0:
        pytest.skip("strace is not permitted")
    assert run.returncode == 0, run.stderr
    calls = [line.split(maxsplit=1)[1].split("(")[0] for line in trace.read_text().splitlines()
             if ".tape-repair.tmp" in line]
    assert "pwrite64" in calls and calls[-1] == "rename"
    assert calls[-2] in ("fsync", "fdatasync")


def test_what_a_repair_that_died_left_is_in_nobodys_way(queue: Path) -> None:
    """Where the table store alone is mended, too."""
    table = queue / "metadata.cq4t"
    poke(table, read_table_store(table).cells[2].position, b"\xff\xff\xff\xff")
    (queue / ".tape-repair.tmp").write_bytes(b"of one that died")
    assert tape.repair(queue, in_place=True).outcome == "lossless"
    assert not (queue / ".tape-repair.tmp").exists()
    sound(queue)


def test_a_half_made_file_goes_out_of_the_way(queue: Path) -> None:
    """It holds nothing, so nothing is lost."""
    (queue / "20200913-122650T4.cq4").write_bytes(bytes(65536))
    assert tape.repair(queue, in_place=True).outcome == "lossless"
    assert len(list(queue.glob("*.cq4"))) == 2 and list(queue.glob("*.discard"))
    sound(queue)


@pytest.mark.parametrize("in_place", [True, False])
def test_a_newer_file_of_which_nothing_can_be_had_does_not_end_the_clocks_own(
        queue: Path, in_place: bool) -> None:
    """The file that was newest before stays open, and takes messages while the clock is in it."""
    before = messages(queue)
    (queue / "20200913-122650T4.cq4").write_bytes(b"nothing of use".ljust(65536, b"\0"))
    report = tape.repair(queue, in_place=in_place)
    path = Path(report.path)
    sound(path)
    index = append_at(path, SECOND + 1000, 1)
    assert set(before) < set(messages(path)) and index[0] == max(before) + 1


def test_what_a_callback_raises_leaves_the_queue_as_it_was(queue: Path) -> None:
    """In place; of a copy something may be there."""
    poke(cycle_file(queue), pair_of(cycle_file(queue)), bytes(8))
    before = digest(queue)

    def stop(file: str, done: int, total: int) -> None:
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        tape.repair(queue, in_place=True, progress=stop)
    assert digest(queue) == before
