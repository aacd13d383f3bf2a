"""Tailers read compressed cycles as the others: from end to end, by seeking, backward, counted."""

from __future__ import annotations

import datetime
import gzip
import os
import random
import shutil
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tape
from tape import _unpacking, _zstd
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.queues import BLOCK, CYCLE, Changing, Filled, index_of

ZSTD = shutil.which("zstd")


def pack(q: tape.Queue, how: str) -> None:
    """All but the newest file, by tape or by others."""
    if how in ("zstd", "gzip"):
        assert q.compress(how)
        return
    plain = sorted(Path(q.path).glob("*.cq4"))[:-1]
    for path in plain:
        data = path.read_bytes()
        if how == "clojure":
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(data))
        elif how == "members":  # as pigz and cat make them
            half = len(data) // 2
            path.with_name(path.name + ".gz").write_bytes(
                gzip.compress(data[:half]) + gzip.compress(data[half:]) + bytes(100))
        else:  # the zstd command: one frame, no table
            zstd = _zstd.module()
            path.with_name(path.name + ".zst").write_bytes(
                zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}))
        path.unlink()
    q.refresh()


HOW = pytest.mark.parametrize("how", ["zstd", "gzip", "clojure", "members", "one frame"])


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    """493 messages in five cycles with gaps between them."""
    found = Filled(tmp_path / "q", BLOCK)
    yield found
    found.q.close()


# ---- what cannot be read ----


@pytest.mark.parametrize("how", ["zstd", "clojure", "one frame"])
@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "foreign"])
def test_a_damaged_compressed_file_is_named_and_loses_no_other_cycle(
        filled: Filled, how: str, damage: str) -> None:
    """By reading, counting and seeking; behind it one goes on."""
    pack(filled.q, how)
    path = sorted(p for p in Path(filled.q.path).iterdir() if p.suffix in (".gz", ".zst"))[0]
    data = path.read_bytes()
    flipped = bytearray(data)
    flipped[min(len(data) // 3, 300)] ^= 0x10
    path.write_bytes({"cut": data[:-20], "empty": b"", "flipped": bytes(flipped),
                      "foreign": b"something else" * 50}[damage])
    with tape.open(filled.q.path, codec=raw, read_only=True) as q:
        t = q.tailer()
        with pytest.raises(tape.CorruptQueue, match="damaged|ends|table|header|offset") as error:
            while t.read() is not None:
                pass
        assert error.value.file == str(path)
        if not (how == "zstd" and damage == "flipped"):  # there it may be one frame of many
            with pytest.raises(tape.CorruptQueue):
                len(q)
        assert q.tailer(start=filled.indexes[300]).read_many(1000) == filled.messages[300:]


def test_a_temporary_folder_without_room_is_an_error_and_reading_goes_on_later(
        filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message that would have been next still is."""
    pack(filled.q, "clojure")

    def full(*what: object) -> int:
        raise OSError(28, "No space left on device")

    t = filled.q.tailer()
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(tape.DiskFull, match="temporary files"):
            t.read()
    assert list(t) == filled.messages


def test_an_interrupt_while_a_file_is_decompressed_is_raised_and_nothing_is_lost(
        filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was raised, by whichever handler."""
    pack(filled.q, "zstd")
    for wanted in (KeyboardInterrupt, ZeroDivisionError):
        def strike(*what: object, kind: type[BaseException] = wanted) -> None:
            raise kind

        with tape.open(filled.q.path, codec=raw, read_only=True) as q:
            t = q.tailer()
            with monkeypatch.context() as patch:
                patch.setattr(_unpacking, "_put", strike)
                with pytest.raises(wanted):
                    list(t)
            assert list(t) == filled.messages


def test_a_file_that_goes_while_it_is_read_is_an_error_or_its_thawed_twin(
        filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was decompressed may be gone already; the tailer reads the file that came back."""
    monkeypatch.setattr(_unpacking, "MOST_BYTES", 0)
    pack(filled.q, "zstd")
    t, other = filled.q.tailer(), filled.q.tailer(start=filled.indexes[310])
    assert t.read() == filled.messages[0] and other.read() == filled.messages[310]
    filled.q.thaw()
    assert list(t) == filled.messages[1:] and list(other) == filled.messages[311:]


# ---- what is read ----


@HOW
def test_a_compressed_queue_is_read_as_the_original(filled: Filled, how: str) -> None:
    """Forward, backward, by index, by time; counted; listed; without a write to the directory."""
    pack(filled.q, how)
    before = sorted((p.name, p.stat().st_mtime_ns) for p in Path(filled.q.path).iterdir())
    with tape.open(filled.q.path, codec=raw, read_only=True) as q:
        assert list(q.tailer()) == filled.messages
        assert list(q.tailer(direction="backward")) == filled.messages[::-1]
        assert (q.first_index, q.last_index) == (filled.indexes[0], filled.indexes[-1])
        assert len(q) == len(filled.messages) == q.stats().messages
        assert q.count(filled.indexes[5], filled.indexes[310]) == 305
        assert [c.count for c in q.cycles()] == [300, 1, 150, 2, 40]
        assert [c.state for c in q.cycles()] == ["compressed"] * 4 + ["open"]
        t, dice = q.tailer(), random.Random(11)
        for n in dice.choices(range(len(filled.indexes)), k=200):
            assert t.seek(filled.indexes[n]) and t.read() == filled.messages[n]
            assert list(reversed(t))[:3] == filled.messages[max(n - 2, 0):n + 1][::-1]
        assert not t.seek(index_of(0, 301)) and not t.seek(index_of(3))
        assert t.seek(datetime.datetime.fromtimestamp(CYCLE + 2, datetime.timezone.utc))
        assert t.read() == b"4.0" and t.lag().messages == len(filled.messages) - 302
        raw_bytes, ends = q.tailer().read_raw(1000)
        assert raw_bytes == b"".join(filled.messages) and len(ends) == len(filled.messages) + 1
    assert before == sorted((p.name, p.stat().st_mtime_ns) for p in Path(filled.q.path).iterdir())


@HOW
def test_tailers_that_are_open_go_on_through_files_that_were_compressed(
        filled: Filled, how: str) -> None:
    """In the file that goes, before it, at its end; a named one where it was; none sees a gap."""
    start, middle, end = (filled.q.tailer(start=filled.indexes[n]) for n in (0, 150, 299))
    for t in (start, middle, end):
        t.skip()
    with filled.q.tailer("named") as named:
        named.read_many(200)
    filled.q.park("named")
    pack(filled.q, how)
    assert list(start) == filled.messages[1:]
    assert list(middle) == filled.messages[151:]
    assert list(end) == filled.messages[300:]
    assert list(filled.q.tailer("named")) == filled.messages[200:]


def test_a_message_larger_than_frames_and_windows_is_read(tmp_path: Path) -> None:
    """Of many megabytes, over frames, and those around it."""
    clock, dice = SetClock(CYCLE * 1000), random.Random(3)
    with tape.open(tmp_path / "q", codec=raw, roll_cycle="TEST4_SECONDLY", clock=clock) as q:
        messages = [dice.randbytes(n) for n in (10, 5 << 20, 70_000, 1, 300_000)]
        a = q.appender()
        indexes = [a.write(m) for m in messages]
        clock.ms += 1000
        a.write(b"next")
        assert q.compress()
        assert list(q.tailer()) == [*messages, b"next"]
        t = q.tailer()
        for n in (1, 4, 0, 3, 2):
            assert t.seek(indexes[n]) and t.read() == messages[n]
        assert list(q.tailer(direction="backward", max_mapped=65536)) == [
            b"next", *messages[::-1]]


def test_each_frame_is_decompressed_once_and_only_those_that_are_needed(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seek takes a few of them; reading all takes each once, by however many tailers."""
    taken: list[tuple[str, int]] = []
    framed = _unpacking._Framed._frame

    def frame(self: _unpacking._Framed, number: int) -> bytes:
        taken.append((self.path, number))
        return framed(self, number)

    monkeypatch.setattr(_unpacking._Framed, "_frame", frame)
    clock = SetClock(CYCLE * 1000)
    with tape.open(tmp_path / "q", codec=raw, roll_cycle="TEST4_SECONDLY", clock=clock) as q:
        a = q.appender()
        indexes = [a.write(b"%d" % n + b"." * 5000) for n in range(2000)]  # 10 MB
        clock.ms += 1000
        a.write(b"next")
        q.compress()
        t = q.tailer()
        assert t.seek(indexes[1500]) and t.read().startswith(b"1500.")
        assert 0 < len(taken) <= 8
        assert len(list(q.tailer())) == len(list(q.tailer())) == 2001
        assert len(set(taken)) == len(taken) <= 90  # not those of the file's empty rest


def test_what_is_kept_decompressed_is_bounded_and_goes_with_the_queue(
        filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory: none; disk: at most the bound and what is being read; descriptors: two a file."""
    pack(filled.q, "clojure")
    open_before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(_unpacking, "MOST_BYTES", 20 << 10)
    with tape.open(filled.q.path, codec=raw, read_only=True) as q:
        for _ in range(3):
            assert list(q.tailer()) == filled.messages
        unpacked = q._unpacker._unpacked
        assert unpacked is not None and 1 <= len(unpacked._files) <= 2
        assert unpacked.opened > 4  # some were done again, since they had to go
    assert len(os.listdir("/proc/self/fd")) == open_before
    assert not [p for p in os.listdir("/tmp") if p.startswith(".tape")]


def test_a_zst_of_tape_is_one_for_the_zstd_command_and_the_other_way_round(
        filled: Filled) -> None:
    """With its long windows and its levels, too."""
    if not ZSTD:
        pytest.skip("there is no zstd command")
    file = sorted(Path(filled.q.path).glob("*.cq4"))[0]
    original = file.read_bytes()
    filled.q.compress(keep=4)
    archive = Path(f"{file}.zst")
    assert subprocess.run([ZSTD, "-dc", archive], capture_output=True,
                          check=True).stdout == original
    file.write_bytes(original)
    subprocess.run([ZSTD, "-qf", "-12", "--long", file], check=True)
    file.unlink()
    assert list(filled.q.tailer()) == filled.messages


def test_many_threads_read_one_compressed_queue(filled: Filled) -> None:
    """And somebody waits for what comes: woken by a writer, and by a file that was compressed."""
    pack(filled.q, "zstd")
    found: list[list[bytes]] = []
    threads = [threading.Thread(target=lambda: found.append(list(filled.q.tailer())))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [filled.messages] * 8


def test_a_waiting_tailer_goes_into_a_compressed_cycle(changing: Changing) -> None:
    """Its own file goes while it waits at its end, and what comes next is compressed, too."""
    seen: list[bytes] = []
    t = changing.q.tailer()
    assert len(list(t)) == 8
    descriptor = t.fileno()

    def follow() -> None:
        for message in t.follow(timeout=20):
            seen.append(message)
            if len(seen) == 4:
                return

    thread = threading.Thread(target=follow)
    thread.start()
    time.sleep(0.1)
    for second in (6, 7, 8, 9):
        changing.write(second)
        changing.q.compress(even_unread=True)
    thread.join(30)
    assert seen == [b"6.0", b"7.0", b"8.0", b"9.0"] and descriptor >= 0


def test_compressed_history_before_the_first_file_is_the_start(changing: Changing) -> None:
    """Also for a queue that was opened before, whose listing knows nothing of it."""
    with tape.open(changing.q.path, codec=raw) as other:
        assert other.first_index == index_of(0)
        changing.q.compress()
        assert other.first_index == index_of(0) and len(other) == 8
        assert other.tailer().read() == b"0.0"
        assert changing.q.table()["listing.lowestCycle"] == CYCLE + 5  # what Java may look for
        changing.clock.ms = (CYCLE + 7) * 1000
        assert changing.a.write(b"more") == index_of(7)
        assert len(list(other.tailer())) == 9


def test_removing_compressed_files_is_a_gap_for_who_had_yet_to_read_them(
        changing: Changing) -> None:
    """As with any file."""
    with changing.q.tailer("slow") as t:
        assert t.read() == b"0.0"
    changing.q.compress(even_unread=True)
    for path in Path(changing.q.path).glob("*.zst"):
        path.unlink()
    with changing.q.tailer("slow") as t, pytest.raises(tape.Gap):
        t.read()


def test_alarm_handlers_may_read_the_queue_meanwhile(filled: Filled) -> None:
    """A handler that strikes inside decompressing uses another tailer of the same queue."""
    pack(filled.q, "clojure")
    seen: list[int] = []

    def handler(*what: object) -> None:
        seen.append(len(filled.q.tailer(start=filled.indexes[-1]).read_many(5)))

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.003)
    try:
        for _ in range(10):
            with tape.open(filled.q.path, codec=raw, read_only=True) as q:
                assert list(q.tailer()) == filled.messages
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert seen


@pytest.mark.parametrize("kind", ["zstd", "gzip"])
def test_end_to_end_and_a_thousand_random_seeks_equal_the_original(
        tmp_path: Path, kind: str) -> None:
    """The median seek is printed."""
    clock, dice = SetClock(CYCLE * 1000), random.Random(7)
    with tape.open(tmp_path / "q", codec=raw, roll_cycle="TEST8_DAILY", clock=clock,
                   block_size=1 << 20) as q:
        a, messages, indexes = q.appender(), [], []
        for _ in range(4):
            for n in range(5000):
                messages.append(b"%d:%d" % (clock.ms, n) + dice.randbytes(n % 700))
                indexes.append(a.write(messages[-1]))
            clock.ms += 86_400_000
        a.write(b"newest")
        assert len(q.compress(kind)) == 4
        with tape.open(q.path, codec=raw, read_only=True) as cold:
            t, times = cold.tailer(), []
            for n in dice.choices(range(len(indexes)), k=1000):
                began = time.perf_counter()
                assert t.seek(indexes[n])
                value = t.read()
                times.append(time.perf_counter() - began)
                assert value == messages[n]
            assert list(cold.tailer()) == [*messages, b"newest"]
    print(f"\n{kind}: median seek and read {statistics.median(times) * 1e6:.0f} us, "
          f"slowest {max(times) * 1e3:.1f} ms, first {times[0] * 1e3:.1f} ms")


def test_counting_opens_each_compressed_file_once(
        filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is asked, and whatever else changes; one that was replaced is counted
    anew, one that has its file again by that."""
    monkeypatch.setattr(_unpacking, "MOST_BYTES", 0)  # what was decompressed is not kept
    pack(filled.q, "zstd")
    with tape.open(filled.q.path, codec=raw, read_only=True) as q:
        assert len(q) == 493 and q._unpacker._unpacked
        opened = q._unpacker._unpacked.opened
        assert opened == 4
        (Path(q.path) / "another").touch()
        filled.a.write(b"one more")
        assert len(q) == 494 and q.count(filled.indexes[5], filled.indexes[310]) == 305
        assert q.tailer(start=filled.indexes[-1]).lag().messages == 2
        assert q._unpacker._unpacked.opened == opened
        first, second = sorted(Path(q.path).glob("*.zst"))[:2]
        whole = first.read_bytes()
        first.write_bytes(second.read_bytes())  # one message in the place of three hundred
        assert len(q) == 195
        first.write_bytes(whole)
        assert len(q) == 494
        filled.q.thaw()
        assert len(q) == 494
