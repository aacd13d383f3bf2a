"""The JVM peer by itself, Java against Java: what the other tests take for granted."""

from __future__ import annotations

import os
import time
import zlib
from pathlib import Path

import pytest

from tests.kit import jvm_peer
from tests.kit.jvm_peer import (
    JvmDied,
    JvmError,
    LiveTailer,
    LiveWriter,
    Message,
    Peer,
    live_padding,
    live_padding_length,
    payload,
    read_records,
)

pytestmark = pytest.mark.jvm

T0 = 1_600_000_000_000          # the clock of these tests, a whole second
SECOND = 1_600_000_000          # its cycle with TEST_SECONDLY


# ---- the protocol

def test_unknown_commands_and_names_are_errors_and_the_peer_lives(peer: Peer) -> None:
    for words, name in [(["nosuch"], "UnsupportedOperationException"),
                        (["read"], "NoSuchElementException"),
                        (["read", "nobody"], "NoSuchElementException"),
                        (["close", "nobody"], "NoSuchElementException"),
                        (["pid", "more"], "IllegalArgumentException"),
                        (["movetoindex", "nobody", "x"], "NoSuchElementException"),
                        ([""], "NoSuchElementException")]:
        with pytest.raises(JvmError) as caught:
            peer.call(*words)
        assert caught.value.name == name, words
    assert peer.java_pid() == peer.pid
    assert "append" in peer.commands()


def test_settings_that_do_not_exist_are_errors(peer: Peer, tmp_path: Path) -> None:
    for settings in ({"roll_cycle": "NOSUCH"}, {"no_such": 1}):
        with pytest.raises(JvmError) as caught:
            peer.open(tmp_path / "q", **settings)
        assert caught.value.name == "IllegalArgumentException"


def test_a_command_that_gets_no_answer_ends_the_jvm(tmp_path: Path) -> None:
    jvm_peer.require_jvm()
    with Peer() as holder, Peer() as waiter:
        held = holder.open(tmp_path / "q").appender()
        held.hold()
        queue = waiter.open(tmp_path / "q")
        with pytest.raises(JvmDied, match="did not answer"):
            waiter.call("lock", queue.name, timeout=0.5)
        assert not waiter.alive
        held.rollback_held()


def test_without_java_tests_are_skipped_or_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv(jvm_peer.REQUIRE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="JDK"):
        jvm_peer.require_jvm()
    monkeypatch.setenv(jvm_peer.REQUIRE, "1")
    with pytest.raises(pytest.fail.Exception, match="JDK"):
        jvm_peer.require_jvm()


# ---- appending and reading

def test_what_is_appended_is_read(peer: Peer, tmp_path: Path) -> None:
    sizes = [0, 1, 2, 254, 255, 256, 65534, 65535, 65536, 1 << 20]
    with peer.open(tmp_path / "q", clock=T0) as queue:
        appender, tailer = queue.appender(), queue.tailer()
        assert tailer.read() is None
        first = appender.append(b"first")
        assert first == queue.first_index() == 18518 << 32
        indexes = appender.append_many(len(sizes), sizes, seed=7, start=100)
        expected = [payload(7, n, sizes[n % len(sizes)]) for n in range(100, 100 + len(sizes))]
        assert indexes == list(range(first + 1, first + 1 + len(sizes)))
        assert tailer.read() == Message(first, "tape", b"first")
        assert tailer.read_all() == [Message(i, "tape", data)
                                     for i, data in zip(indexes, expected, strict=True)]
        assert appender.last_appended() == queue.last_index() == indexes[-1]

        digests = queue.tailer().digest()
        assert [(d.length, d.crc32) for d in digests[1:]] == [
            (len(data), zlib.crc32(data)) for data in expected]
        again = queue.tailer()
        assert len(again.read_many(3)) == 3
        assert len(again.digest(2)) == 2
        assert again.index() == first + 5


def test_the_largest_message_is_taken(peer: Peer, tmp_path: Path) -> None:
    with peer.open(tmp_path / "q", block_size=131072) as queue:
        appender = queue.appender()
        index = appender.append(bytes(65531))
        with pytest.raises(JvmError) as caught:
            appender.append(bytes(65532))
        assert caught.value.name == "BufferOverflowException"
        # Rolled back: nothing of it is seen, and the next one is there.
        assert appender.append(b"next") == index + 1
        assert [len(m.data) for m in queue.tailer().read_all()] == [65531, 4]


def test_documents_of_other_kinds_are_told_apart(peer: Peer, tmp_path: Path) -> None:
    with peer.open(tmp_path / "q") as queue:
        appender, tailer = queue.appender(), queue.tailer()
        first = appender.write_text("hi")
        appender.write_meta(b"\1\2")
        appender.write_text(None)
        appender.write_bytes(b"\xfe")
        appender.write_bytes(b"")
        appender.write_document(k="v")
        appender.say("hi")
        appender.ping()
        last = appender.append(b"")
        bodies = ["e26869", "bb", "fe", "8f", "c16be176", "b903736179e26869", "b90470696e67e0"]
        assert tailer.read_all() == [
            *(Message(first + n, "data", bytes.fromhex(body)) for n, body in enumerate(bodies)),
            Message(first + len(bodies), "tape", b"")]
        assert last == first + len(bodies)

        # The first documents of a cycle file are its header and the first index pages.
        everything = queue.tailer()
        documents = []
        while (message := everything.read_meta()) is not None:
            documents.append(message)
        assert [m.kind for m in documents] == ["meta"] * 3 + ["data", "meta"] + ["data"] * 6 + [
            "tape"]
        assert documents[4].data == b"\xc4meta\x80\x03\x8a\1\2"


def test_calls_carry_their_history(peer: Peer, tmp_path: Path) -> None:
    with peer.open(tmp_path / "a", source_id=1) as a, peer.open(tmp_path / "b", source_id=2) as b:
        index = a.appender().move(5, 1.5, "x y")
        appender, tailer = b.appender(), a.tailer()
        assert appender.forward_call(tailer) == b.first_index()
        assert appender.forward_call(tailer) is None
        # Reading adds the queue that is read.
        assert b.tailer().read_call() == (
            f"move 5 1.5 782079 history 1:{index} 2:{b.first_index()}")


def test_a_document_is_held_published_and_rolled_back(peer: Peer, tmp_path: Path) -> None:
    with peer.open(tmp_path / "q") as queue:
        appender, tailer = queue.appender(), queue.tailer()
        assert queue.locked_by() is None
        index = appender.hold()
        assert queue.locked_by() == peer.pid
        appender.fill_held(b"gone")
        appender.rollback_held()
        assert queue.locked_by() is None and tailer.read() is None
        assert appender.hold() == index
        appender.fill_held(b"stays")
        assert tailer.read() is None
        appender.release_held()
        assert tailer.read() == Message(index, "tape", b"stays")
        with pytest.raises(JvmError):
            appender.release_held()


# ---- cycles and positions

def test_a_clock_of_our_own_decides_the_cycle(peer: Peer, tmp_path: Path) -> None:
    with peer.open(tmp_path / "q", roll_cycle="TEST_SECONDLY", clock=T0) as queue:
        appender, tailer = queue.appender(), queue.tailer()
        indexes = appender.append_many(3, 10, seed=1)
        queue.set_clock(T0 + 1000)
        indexes += appender.append_many(2, 10, seed=1, start=3)
        queue.set_clock(T0 + 5500)
        indexes += appender.append_many(1, 10, seed=1, start=5)
        assert indexes == [(SECOND + c << 32) + n
                           for c, count in [(0, 3), (1, 2), (5, 1)] for n in range(count)]
        assert [m.index for m in tailer.read_all()] == indexes

        assert (queue.first_cycle(), queue.last_cycle()) == (SECOND, SECOND + 5)
        assert queue.current_cycle() == appender.cycle() == SECOND + 5
        assert (queue.first_index(), queue.last_index()) == (indexes[0], indexes[-1])
        assert queue.entry_count() == 6
        assert queue.count_excerpts(indexes[1], indexes[4]) == 3
        counter = queue.tailer()
        assert [counter.excerpts_in_cycle(SECOND + c) for c in (0, 1, 2, 5)] == [3, 2, -1, 1]
        files = {queue.cycle_file(SECOND + c) for c in (0, 1, 5)}
        assert queue.cycle_file(SECOND) == "20200913-122640T.cq4"
        assert files | {"metadata.cq4t"} == set(os.listdir(tmp_path / "q"))

        # A clock that goes back makes Java write into an older cycle.
        queue.set_clock(T0 + 2000)
        assert appender.append(b"late") == SECOND + 2 << 32


def test_a_tailer_moves_as_it_is_told(peer: Peer, tmp_path: Path) -> None:
    with peer.open(tmp_path / "q", roll_cycle="TEST_SECONDLY", clock=T0) as queue:
        appender = queue.appender()
        indexes = appender.append_many(40, [3, 30], seed=2)
        queue.set_clock(T0 + 2000)
        indexes += appender.append_many(40, [3, 30], seed=2, start=40)
        tailer = queue.tailer()
        assert (tailer.index(), tailer.state()) == (indexes[0], "FOUND_IN_CYCLE")
        wanted = [indexes[n] for n in (79, 0, 41, 13, 40, 39)]
        crcs = [zlib.crc32(payload(2, n, [3, 30][n % 2])) for n in (79, 0, 41, 13, 40, 39)]
        assert tailer.move_many([*wanted, indexes[-1] + 1, 5]) == [
            *zip(wanted, crcs, strict=True), None, None]

        assert tailer.move_to_index(indexes[39])
        assert tailer.read() == Message(indexes[39], "tape", payload(2, 39, 30))
        assert tailer.last_read_index() == indexes[39]
        tailer.set_direction("BACKWARD")
        assert tailer.direction() == "BACKWARD"
        tailer.to_end()
        assert [m.index for m in tailer.read_all()] == indexes[::-1]
        assert tailer.state() == "BEYOND_START_OF_CYCLE"
        tailer.to_start()
        assert tailer.index() == indexes[0]
        assert tailer.move_to_cycle(SECOND + 2) and tailer.cycle() == SECOND + 2
        assert not tailer.move_to_cycle(SECOND + 1)
        assert tailer.state() == "BEYOND_START_OF_CYCLE"      # CYCLE_NOT_FOUND if forward
        tailer.set_striding(True)
        tailer.to_end()
        assert [m.index - indexes[40] for m in tailer.read_many(3)] == [39, 36, 32]
        tailer.set_direction("FORWARD")
        tailer.to_end()
        assert tailer.read() is None and tailer.index() == indexes[-1] + 1
        tailer.close()
        with pytest.raises(JvmError):
            tailer.read()


def test_named_tailers_stand_in_the_table_store(peer: Peer, tmp_path: Path) -> None:
    name = "näme /with:odd signs"
    with peer.open(tmp_path / "q", clock=T0) as queue:
        indexes = queue.appender().append_many(5, 8, seed=1)
        tailer = queue.tailer(name)
        assert (tailer.index(), tailer.state()) == (0, "UNINITIALISED")
        assert [m.index for m in tailer.read_many(2)] == indexes[:2]
    with peer.open(tmp_path / "q", clock=T0) as queue:
        assert queue.table()[f"index.{name}"] == indexes[2]
        assert queue.tailer(name).read_all()[0].index == indexes[2]
        queue.table_put("index.other", indexes[4])
        assert queue.table_get("index.other") == indexes[4]
        assert [m.index for m in queue.tailer("other").read_all()] == indexes[4:]


def test_a_read_only_queue_refuses_to_append(peer: Peer, tmp_path: Path) -> None:
    with peer.open(tmp_path / "q") as queue:
        index = queue.appender().append(b"x")
        with peer.open(tmp_path / "q", read_only=True) as reader:
            assert reader.tailer().read() == Message(index, "tape", b"x")
            with pytest.raises(JvmError):
                reader.appender()


def test_roll_cycles_are_listed(peer: Peer) -> None:
    rows = {row.name: row for row in peer.roll_cycles()}
    assert len(rows) == (28 if peer.release >= (5, 25) else 27)  # WEEKLY
    daily = rows["FAST_DAILY"]
    assert (daily.pattern, daily.length_ms) == ("yyyyMMdd'F'", 86_400_000)
    assert (daily.index_count, daily.index_spacing) == (4096, 256)
    assert rows["TEST8_DAILY"].max_messages == 131072


def test_info_and_tools_answer(peer: Peer, tmp_path: Path) -> None:
    with peer.open(tmp_path / "q", roll_cycle="TEST4_DAILY", clock=True, epoch=3_600_000,
                   block_size=1 << 20, source_id=3) as queue:
        queue.appender().append(b"x")
        info = queue.info()
        assert info["rollCycle"] == "TEST4_DAILY" and info["epoch"] == "3600000"
        assert (info["blockSize"], info["sourceId"]) == ("1048576", "3")
        queue.refresh()
        file = queue.cycle_file(queue.current_cycle())
        assert "SCQStore" in peer.dump(tmp_path / "q" / file)
        assert "listing.highestCycle" in peer.dump(tmp_path / "q")
        assert "SCQStore" in queue.dump()
    peer.gc()


# ---- locks

def test_locks_hold_between_two_jvms(peer: Peer, tmp_path: Path) -> None:
    with Peer() as other, peer.open(tmp_path / "q") as queue:
        theirs = other.open(tmp_path / "q")
        appender = theirs.appender()
        queue.lock()
        assert theirs.locked_by() == peer.pid
        pending = other.send("append", appender.name, b"waits")
        time.sleep(0.2)
        assert not pending.done()
        queue.unlock()
        assert pending.wait() == [str(queue.last_index())]

        queue.append_lock()
        with pytest.raises(JvmError, match="unable to append"):
            appender.append(b"refused")
        queue.append_unlock()
        appender.append(b"taken")
        assert [m.data for m in queue.tailer().read_all()] == [b"waits", b"taken"]


# ---- values

def test_values_are_those_of_data_fressian(peer: Peer, tmp_path: Path) -> None:
    assert peer.fressian('[1 5000 "abcdefgh"]').hex() == "e701681388e3086162636465666768"
    for edn in ('{:a [1 2.0 nil]}', '#{1 3}', '"a\\nb ü"', '#bytes "00ff"', '[:a/b sym x/y]',
                '5000000000000000000000N', '#inst "2020-01-01T00:00:00.000-00:00"'):
        assert peer.edn(peer.fressian(edn)) == edn
    assert peer.edn(peer.eval_fressian('[(float 1.5) (int-array [1 2]) "\\ud800"]')) == (
        '[#float 1.5 #ints [1 2] "\\ud800"]')
    with pytest.raises(JvmError):
        peer.edn(b"\xb6")
    with peer.open(tmp_path / "q") as queue:
        index = queue.appender().tape_write('{:foo ["bar" {:baz 0}]}')
        tailer = queue.tailer()
        assert tailer.tape_read() == (index, '{:foo ["bar" {:baz 0}]}')
        assert tailer.tape_read() is None


# ---- live processes

@pytest.mark.slow
def test_live_messages_are_those_of_data_fressian(peer: Peer, tmp_path: Path) -> None:
    # Every width of an integer, and strings of one byte of length, of two, and in parts.
    for id, start, size in [(0, 0, (0, 9)), (63, 60, (60, 70)), (64, 4090, (4090, 4100)),
                            (2_000_000_000, 524_280, (524_280, 524_300)),
                            (7, 33_554_428, (65_530, 65_540)), (5000, 2_000_000_000, (0, 1))]:
        path = tmp_path / str(id)
        with LiveWriter(path, id=id, start=start, count=10, size=size) as writer:
            assert writer.result().count == 10
        with peer.open(path) as queue:
            for n, message in zip(range(start, start + 10), queue.tailer().read_all(),
                                  strict=True):
                padding = live_padding(n, live_padding_length(n, *size))
                assert message.data == peer.fressian(f'[{id} {n} "{padding}"]'), (id, n)
        with LiveTailer(path, tmp_path / "records", until={id: 10}) as tailer:
            result = tailer.result()
        assert (result.count, result.bad, result.complete) == (10, 0, True)
        assert [n for _, _, n in read_records(tmp_path / "records")] == list(
            range(start, start + 10))


def test_two_writers_and_two_tailers_lose_nothing(tmp_path: Path) -> None:
    jvm_peer.require_jvm()
    path, roll = tmp_path / "q", "TEST_SECONDLY"
    with (LiveTailer(path, tmp_path / "plain", roll_cycle=roll) as plain,
          LiveTailer(path, tmp_path / "named", roll_cycle=roll, named="x") as named,
          LiveWriter(path, id=1, seconds=3, roll_cycle=roll, rate=20_000, wait=True) as first,
          LiveWriter(path, id=2, seconds=3, roll_cycle=roll, rate=20_000, wait=True) as second):
        processes = plain, named, first, second
        for process in processes:
            process.wait_ready()
        first.go()
        second.go()
        written = {1: first.result(), 2: second.result()}
        counts = {id: result.count for id, result in written.items()}
        plain.until(counts)
        named.until(counts)
        for tailer in (plain, named):
            result = tailer.result()
            assert (result.complete, result.bad) == (True, 0)
            assert result.count == sum(counts.values()) and result.cycles >= 3
    records = read_records(tmp_path / "plain")
    assert records == read_records(tmp_path / "named")
    assert records == sorted(records)
    for id, result in written.items():
        own = [(index, n) for index, who, n in records if who == id]
        assert [n for _, n in own] == list(range(result.count))
        assert (own[0][0], own[-1][0]) == (result.first, result.last)
        assert result.cycles >= 3
    assert [process.warnings() for process in processes] == [[]] * 4


def test_a_live_tailer_says_what_is_missing_and_bad(peer: Peer, tmp_path: Path) -> None:
    with peer.open(tmp_path / "q") as queue:
        appender = queue.appender()
        appender.append(peer.fressian('[1 0 "aaaa"]'))
        for bad in ('[1 1 "aaaa"]', '[1 1]', '[1 1 "bbbb" 2]', '"x"'):
            appender.append(peer.fressian(bad))
        appender.write_text("x")
    with LiveTailer(tmp_path / "q", tmp_path / "r", until={1: 2}, give_up_seconds=0.5) as tailer:
        result = tailer.result()
    assert (result.count, result.bad, result.complete) == (6, 5, False)
    assert [id for _, id, _ in read_records(tmp_path / "r")] == [1, -1, -1, -1, -1, -1]
    with LiveTailer(tmp_path / "q", tmp_path / "r") as tailer:
        tailer.wait_ready()
        tailer.stop()
        assert tailer.result().count == 6


def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    jvm_peer.require_jvm()
    with LiveWriter(tmp_path / "q", id=1, seconds=60, ack=True) as writer:
        writer.wait_acks(1000)
        writer.kill()
        acknowledged = writer.acks()
    assert [n for n, _ in acknowledged] == list(range(len(acknowledged)))
    start = len(acknowledged) + 1
    with LiveWriter(tmp_path / "q", id=1, count=10, start=start) as successor:
        assert successor.result().count == 10
    with LiveTailer(tmp_path / "q", tmp_path / "records", idle_seconds=0.5) as tailer:
        assert tailer.result().bad == 0
    found = {n: index for index, _, n in read_records(tmp_path / "records")}
    assert all(found[n] == index for n, index in acknowledged)
    # One may have been written and not acknowledged, and there are those of the successor.
    assert 10 <= len(found) - len(acknowledged) <= 11


def test_live_modes_say_why_they_fail(tmp_path: Path) -> None:
    jvm_peer.require_jvm()
    with LiveWriter(tmp_path / "q", id=1) as writer, pytest.raises(JvmError, match="--count"):
        writer.result()
    with (LiveWriter(tmp_path / "q", id=1, count=1, roll_cycle="NOSUCH") as writer,
          pytest.raises(JvmError, match="NOSUCH")):
        writer.wait_ready()
