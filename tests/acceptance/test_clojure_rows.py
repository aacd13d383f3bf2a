"""What users of Clojure's tape find again: a test for each row of that table, by its number.

Rows A28 to A45, of tailers and channels, stand in ``tests/wait/test_clojure_rows.py``.
docs/from-clojure.md has a line for each; the last test compares.
"""

from __future__ import annotations

import ast
import gzip
import logging
import os
import re
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tape
from tape import codecs
from tape.codecs.fressian import Keyword
from tape.retention import cycle_files
from tape.tasks import CycleEvent, Delete, Gzip, Log, Watch, Zstd

from tests.kit.clocks import SetClock
from tests.kit.queues import BLOCK, CYCLE, Changing, index_of
from tests.kit.sources import ROOT

#: The public vars of mpenet/tape at 494ee61, by row.
ROWS = {
    "A1": "queue/make", "A2": ":roll-cycle", "A3": ":autoclose-on-jvm-exit?",
    "A4": ":cycle-release-tasks", "A5": ":cycle-acquire-tasks", "A6": ":codec",
    "A7": ":block-size", "A8": "queue/codec", "A9": "queue/close!", "A10": "queue/closed?",
    "A11": "queue/underlying-queue", "A12": "queue/->roll-cycle", "A13": "datafy",
    "A14": "toString",
    "A15": "len(q)", "A16": "read_only=", "A17": "codec/ICodec", "A18": "fressian/make",
    "A19": "0x8A", "A20": "codecs.raw", "A21": "appender/make", "A22": "write!",
    "A23": "write-failed", "A24": "last-index", "A25": "queue", "A26": "datafy",
    "A27": "write_many", "A28": "tailer/make", "A29": ":poll-interval", "A30": ":id",
    "A31": "read!", "A32": "read-failed", "A33": "set-direction!", "A34": "to-index!",
    "A35": "to-end!", "A36": "to-start!", "A37": "index", "A38": "queue", "A39": "doseq",
    "A40": "reduce", "A40b": "datafy", "A41": "tailer-chan", "A42": "stream", "A43": "give-back",
    "A44": "appender-chan", "A45": "error-ch", "A46": "cycle-listener/make", "A47": "action",
    "A48": "{:type :log}", "A49": "{:type :gzip", "A50": "{:type :delete", "A51": "cycle-files",
    "A52": "run-actions!"}


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[tape.Queue]:
    """With the default codec."""
    with tape.open(tmp_path / "q", block_size=BLOCK) as q:
        yield q


def event(q: tape.Queue) -> CycleEvent:
    return CycleEvent(q, CYCLE, "", "released")


# ---- the queue ----


def test_a1_opening_makes_a_queue_and_its_parents(tmp_path: Path) -> None:
    """Any path-like; only the table store at once; who wants none made says so."""
    with pytest.raises(tape.QueueNotFound):
        tape.open(tmp_path / "a" / "b", create=False)
    assert not list(tmp_path.iterdir())
    for path in (tmp_path / "a" / "b", str(tmp_path / "c"), os.fsencode(tmp_path / "d")):
        with tape.open(path) as q:
            assert [p for p in os.listdir(q.path) if p.endswith((".cq4", ".cq4t"))] == [
                "metadata.cq4t"]
            q.appender().write(1)
            assert len(list(Path(q.path).glob("*.cq4"))) == 1


def test_a2_the_stored_roll_cycle_wins(tmp_path: Path) -> None:
    """With a warning, or an error if strict; fast-daily unless said; any of 28, any spelling."""
    with tape.open(tmp_path / "q") as q:
        assert q.roll_cycle is tape.RollCycle.FAST_DAILY
    with pytest.warns(tape.RollCycleMismatch):
        tape.open(tmp_path / "q", roll_cycle="fast-hourly").close()
    with pytest.raises(tape.RollCycleMismatch):
        tape.open(tmp_path / "q", roll_cycle="weekly", strict=True)
    for n, cycle in enumerate(tape.RollCycle):
        with tape.open(tmp_path / str(n), roll_cycle=cycle.name.lower().replace("_", "-")) as q:
            assert q.roll_cycle is cycle
    with tape.open(tmp_path / "w", roll_cycle="weekly", block_size=BLOCK) as q:
        q.appender().write("read by a fresh tailer")
        assert q.tailer().read() == "read by a fresh tailer" and len(q) == 1


def test_a3_queues_close_at_exit_and_none_is_kept_for_it(tmp_path: Path) -> None:
    """One that is forgotten is freed at once; a process that ends without closing ends well."""
    import gc
    import weakref
    q = tape.open(tmp_path / "q")
    forgotten = weakref.ref(q)
    del q
    gc.collect()
    assert forgotten() is None
    ran = subprocess.run([sys.executable, "-c", "import sys, tape\n"
                          "q = tape.open(sys.argv[1]); q.appender().write(1)", tmp_path / "q"],
                         capture_output=True, check=True)
    assert ran.stderr == b""
    with tape.open(tmp_path / "q") as q:
        assert list(q.tailer()) == [1]


@pytest.mark.parametrize("kind", ["released", "acquired"])
def test_a4_a5_tasks_run_once_for_a_cycle_off_the_hot_path(tmp_path: Path, kind: str) -> None:
    """By a thread, for rolls alone: not for opening, reading or asking."""
    done: list[tuple[str, int, str]] = []
    clock = SetClock(CYCLE * 1000)
    tasks: dict[str, Any] = {f"on_{kind}": [lambda e: done.append(
        (e.kind, e.cycle, threading.current_thread().name))]}
    with tape.open(tmp_path / "q", roll_cycle="TEST4_SECONDLY", clock=clock, block_size=BLOCK,
                   **tasks) as q:
        a = q.appender()
        for second in (0, 1):
            clock.ms = (CYCLE + second) * 1000
            a.write(second)
        assert q.last_index is not None and len(list(q.tailer())) == 2 and done == []
        watch = q._watch
        assert isinstance(watch, Watch)
        for _ in range(2):
            watch.look(q)
    expected = [CYCLE] if kind == "released" else [CYCLE, CYCLE + 1]
    assert [(k, c) for k, c, _ in done] == [(kind, c) for c in expected]


def test_a6_a_queue_has_a_codec_and_who_reads_may_have_another(queue: tape.Queue) -> None:
    """Fressian unless said."""
    queue.appender().write({"a": 1})
    assert queue.tailer().read() == {"a": 1}
    assert isinstance(queue.tailer(codec=codecs.raw).read(), bytes)


def test_a7_block_size_bounds_a_message_and_nobody_who_reads(tmp_path: Path) -> None:
    """Nothing is left behind by one that is too large; it is not stored."""
    with tape.open(tmp_path / "q", codec=codecs.raw, block_size=1) as q:
        with pytest.raises(tape.MessageTooLarge):
            q.appender().write(bytes(1 << 20))
        assert len(q) == 0
    with tape.open(tmp_path / "q", codec=codecs.raw) as q:
        q.appender().write(bytes(1 << 20))
    with tape.open(tmp_path / "q", codec=codecs.raw, block_size=1) as q:
        assert q.tailer().read() == bytes(1 << 20)


def test_a8_the_codec_of_a_queue(tmp_path: Path) -> None:
    """As it was given."""
    with tape.open(tmp_path / "q", codec=codecs.json) as q:
        assert q.codec is codecs.json


def test_a9_a10_a_closed_queue_says_so(queue: tape.Queue) -> None:
    """Closing is idempotent and closes what was made of it; facts are still told."""
    a, t = queue.appender(), queue.tailer()
    i = a.write(1)
    assert not queue.closed
    queue.close()
    queue.close()
    assert queue.closed and a.closed and t.closed
    for call in (lambda: a.write(2), t.read, lambda: t.seek(i), t.seek_end, queue.appender,
                 queue.tailer, lambda: list(t)):
        with pytest.raises(tape.QueueClosed, match=r"closed by Queue\.close\(\) at "):
            call()
    assert "closed" in repr(queue)


def test_a11_the_escape_hatch_is_the_c_library() -> None:
    """Its functions and their header are public, and stable by their list."""
    from tape._native import ffi, lib
    assert ffi.string(lib.tape_version()).decode() == tape.__version__
    assert "tape_queue_open" in (ROOT / "csrc" / "tape.symbols").read_text()


def test_a12_roll_cycles_by_name() -> None:
    """28 with their numbers; what is none is an error."""
    assert len(tape.RollCycle) == 28
    assert tape.RollCycle.parse(":fast-daily".lstrip(":")) is tape.RollCycle.FAST_DAILY
    for wrong in ("daily-fast", "", None):
        with pytest.raises((tape.InvalidArgument, TypeError)):
            tape.RollCycle.parse(wrong)  # type: ignore[arg-type]
    row = tape.RollCycle.FAST_DAILY
    assert (row.length_ms, row.pattern, row.index_spacing) == (86_400_000, "yyyyMMdd'F'", 256)


def test_a13_facts_about_a_queue(queue: tape.Queue) -> None:
    """The eleven of datafy and more."""
    queue.appender().write(1)
    facts = queue.info().asdict()
    assert {"source_id", "path", "index_count", "index_spacing", "roll_cycle",
            "delta_checkpoint_interval", "buffered", "cycle", "closed", "first_index",
            "last_index", "messages", "bytes", "files", "lock_holder", "filesystem",
            "tailers"} <= set(facts)
    assert {k for k in facts if "replicated" in k} >= {"last_index_replicated",
                                                       "last_acknowledged_index_replicated"}
    assert facts["messages"] == 1 and facts["roll_cycle"] == "FAST_DAILY"


def test_a14_repr_tells_in_a_line_and_reads_nothing(queue: tape.Queue) -> None:
    """Open or closed; the path, the roll cycle, the durability."""
    for _ in range(2):
        assert re.fullmatch(r"Queue\('.*', roll_cycle=FAST_DAILY, .*durability=\w+.*\)",
                            repr(queue))
        queue.close()


def test_a15_counts_ends_tailers_and_deletion(queue: tape.Queue) -> None:
    """What the original lacks."""
    indexes = [queue.appender().write(n) for n in range(5)]
    queue.tailer("billing").read()
    assert (len(queue), queue.count(indexes[1], indexes[3])) == (5, 2)
    assert (queue.first_index, queue.last_index) == (indexes[0], indexes[-1])
    assert queue.tailers() == {"billing": indexes[1]}
    queue.close()
    tape.delete(queue.path)
    assert not os.path.exists(queue.path)


def test_a16_reading_alone_clocks_ids_and_time_outs(tmp_path: Path) -> None:
    """Each does what it says."""
    clock = SetClock(CYCLE * 1000)
    with tape.open(tmp_path / "q", roll_cycle="TEST4_SECONDLY", clock=clock, source_id=7, epoch=5,
                   lock_timeout=1, stale_after=None, durability="os", block_size=BLOCK) as q:
        assert q.locate(q.appender().write(1)).cycle == CYCLE - 1  # shifted by the epoch
        assert (q.source_id, q.epoch) == (7, 5)
    with tape.open(tmp_path / "q", read_only=True) as q, pytest.raises(tape.ReadOnlyQueue):
        q.appender()


# ---- the codec ----


def test_a17_a_codec_is_two_functions_and_a_name(tmp_path: Path) -> None:
    """The view is lent for the call; a codec that keeps it is told."""
    class Upper:
        name = "upper"
        framing = "bytes"
        kept: Any = None

        def encode(self, obj: str) -> bytes:
            return obj.upper().encode()

        def decode(self, view: memoryview) -> Any:
            if view == b"KEEP":
                return view
            return bytes(view).decode()

    with tape.open(tmp_path / "q", codec=Upper(), block_size=BLOCK) as q:
        a, t = q.appender(), q.tailer()
        for text in ("one", "keep"):
            a.write(text)
        assert t.read() == "ONE"
        with pytest.raises(tape.StateError):
            t.read()
        with pytest.raises(tape.InvalidArgument):
            q.appender(codec=object())  # type: ignore[arg-type]


def test_a18_fressian_gives_every_type_back(queue: tape.Queue) -> None:
    """Keywords and sets, ratios, instants, ids, typed arrays, big and small numbers."""
    import datetime
    import fractions
    import uuid
    values = [Keyword("a", "b"), frozenset({1, "x"}), fractions.Fraction(1, 3), 2**90, -1, 1.5,
              None, True, False, uuid.uuid4(), b"bytes", "é\U0001f389", [1, [2, []]],
              {"k": {"n": [None]}}, datetime.datetime(2026, 1, 31, tzinfo=datetime.timezone.utc)]
    a = queue.appender()
    for value in values:
        a.write(value)
    found = list(queue.tailer())
    assert found == values
    assert [type(f) for f in found[3:9]] == [int, int, float, type(None), bool, bool]


@pytest.mark.parametrize("size", [0, 1, 6, 125, 126, 127, 253, 254, 255, 256, 65533, 65540])
def test_a19_the_frame_is_clojures_to_the_byte(tmp_path: Path, size: int) -> None:
    """C0, a length that counts the code byte, 8A, the payload."""
    with tape.open(tmp_path / "q", codec=codecs.raw) as q:
        q.appender().write(b"\x55" * size)
        document = q.tailer(codec=codecs.document).read()
    count = size + 1
    length = (b"\x80" + bytes([count]) if count < 256 else b"\x81" + struct.pack("<H", count)
              if count < 65536 else b"\x82" + struct.pack("<I", count))
    assert document == b"\xc0" + length + b"\x8a" + b"\x55" * size


def test_a20_codecs_that_are_given(tmp_path: Path) -> None:
    """Pickle and MessagePack only by name, and pickle says what it is."""
    from tape.codecs import msgpack, pickle
    for codec, value in ((codecs.raw, b"x"), (codecs.text, "x"), (codecs.json, {"a": [1]}),
                         (msgpack, {"a": [1]}), (pickle, {1, 2}),
                         (codecs.document, b"\xe3abc")):
        with tape.open(tmp_path / codec.name, codec=codec, block_size=BLOCK) as q:
            q.appender().write(value)
            assert q.tailer().read() == value
    assert "danger" in (pickle.__doc__ or "").lower()


# ---- the appender ----


def test_a21_appenders_are_for_any_thread_and_clocks_that_jump(tmp_path: Path) -> None:
    """Back into an ended cycle, or before the first: messages go to the newest, all are read."""
    clock = SetClock(CYCLE * 1000)
    with tape.open(tmp_path / "q", roll_cycle="TEST4_SECONDLY", clock=clock,
                   block_size=BLOCK) as q, q.appender() as a:
        a.write(0)
        clock.ms += 1000
        a.write(1)
        with pytest.warns(tape.ClockWentBack):
            for ms in (CYCLE * 1000, (CYCLE - 50) * 1000):
                clock.ms = ms
                thread = threading.Thread(target=a.write, args=(2,))
                thread.start()
                thread.join()
            a.write(3)
        assert list(q.tailer()) == [0, 1, 2, 2, 3]


def test_a22_writing_gives_javas_index(changing: Changing) -> None:
    """A plain int; cycle and sequence are told of it."""
    index = changing.write(6)
    assert type(index) is int and index == index_of(6)
    assert changing.q.locate(index)[:2] == (CYCLE + 6, 0)


def test_a23_a_failed_write_leaves_nothing_and_is_one_family(queue: tape.Queue) -> None:
    """Encoding included; the next write works."""
    a = queue.appender()
    a.write(1)
    before = Path(queue.locate(queue.first_index or 0).path).read_bytes()
    with pytest.raises(tape.EncodeError, match="object") as error:
        a.write([object()])
    assert isinstance(error.value, tape.WriteFailed)
    assert Path(queue.locate(queue.first_index or 0).path).read_bytes() == before
    a.write(2)
    assert list(queue.tailer()) == [1, 2]


def test_a24_the_last_index_of_an_appender(queue: tape.Queue) -> None:
    """None before its first, also after one that failed; its own, not the queue's."""
    a, b = queue.appender(), queue.appender()
    with pytest.raises(tape.EncodeError):
        a.write(object())
    assert a.last_index is None
    i, j = a.write(1), b.write(2)
    assert (a.last_index, b.last_index, queue.last_index) == (i, j, j)


def test_a25_a26_an_appender_knows_its_queue_and_facts(queue: tape.Queue) -> None:
    """Before and after its first message."""
    a = queue.appender()
    assert a.queue is queue and a.info().last_index is None
    i = a.write(1)
    facts = a.info().asdict()
    assert facts["last_index"] == i and facts["messages"] == 1
    assert {"cycle", "source_id", "bytes"} <= set(facts)


def test_a27_many_at_once_in_place_or_not_at_all(queue: tape.Queue) -> None:
    """One lock; an exception writes nothing."""
    a = queue.appender(codec=codecs.raw)
    assert len(a.write_many([b"1", b"2"])) == 2
    with a.writing(8) as place:
        assert place.buffer is not None
        place.buffer[:2] = b"ab"
        place.truncate(2)
    with pytest.raises(ZeroDivisionError), a.writing(8):
        raise ZeroDivisionError
    assert list(queue.tailer(codec=codecs.raw)) == [b"1", b"2", b"ab"]


# ---- cycle tasks ----


def test_a46_a47_tasks_see_the_queue_as_it_is_and_one_that_fails_stops_no_other(
        tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Opened with another roll cycle than the stored one; any callable; errors are logged."""
    clock = SetClock(CYCLE * 1000)
    tape.open(tmp_path / "q", roll_cycle="TEST4_SECONDLY").close()
    seen: list[CycleEvent] = []

    def broken(e: CycleEvent) -> None:
        raise RuntimeError("of the task")

    with pytest.warns(tape.RollCycleMismatch):
        q = tape.open(tmp_path / "q", roll_cycle="FAST_DAILY", clock=clock, block_size=BLOCK,
                      on_released=[broken, seen.append])
    with q, caplog.at_level(logging.ERROR, "tape.tasks"):
        a = q.appender()
        a.write(0)
        clock.ms += 1000
        a.write(1)
        assert isinstance(q._watch, Watch)
        q._watch.look(q)
    assert [(e.cycle, e.kind, os.path.basename(e.path)) for e in seen] == [
        (CYCLE, "released", "20231114-221320T4.cq4")]
    assert "of the task" in caplog.text


def test_a48_each_file_is_logged(changing: Changing, caplog: pytest.LogCaptureFixture) -> None:
    """All cycle files, newest first."""
    with caplog.at_level(logging.INFO, "tape.cycle"):
        Log()(event(changing.q))
    named = [str(changing.file(s)) for s in (5, 2, 1, 0)]
    assert [next(n for n in named if n in r.getMessage()) for r in caplog.records] == named


@pytest.mark.parametrize("task", [Gzip(after_cycles=0, max_gzip=None), Zstd(after_cycles=0)])
def test_a49_compressing_never_takes_the_current_file_nor_what_is_not_ours(
        changing: Changing, task: Gzip | Zstd) -> None:
    """A queue in a sub-folder, archives of others; what was cut before is redone; readers read."""
    inner = Path(changing.q.path) / "zzz"
    with tape.open(inner, codec=codecs.raw, block_size=BLOCK) as q:
        q.appender().write(b"inner")
    foreign = Path(changing.q.path) / "backup.tar.gz"
    foreign.write_bytes(b"theirs")
    Path(f"{changing.file(0)}.gz").write_bytes(gzip.compress(b"cut")[:-4])
    task(event(changing.q))
    assert foreign.read_bytes() == b"theirs" and len(list(inner.glob("*.cq4"))) == 1
    assert len(list(Path(changing.q.path).glob("*.cq4"))) == 1 and changing.file(5).exists()
    assert len(list(changing.q.tailer())) == 8


def test_a50_deleting_asks_who_needs_it_and_never_takes_the_current_file(
        changing: Changing) -> None:
    """With 0 as well."""
    with changing.q.tailer("slow") as t:
        t.read_many(3)
    Delete(after_cycles=0)(event(changing.q))
    assert [f.cycle - CYCLE for f in cycle_files(changing.q)] == [1, 2, 5]
    Delete(after_cycles=0, keep_unread_by=None)(event(changing.q))
    assert [f.cycle - CYCLE for f in cycle_files(changing.q)] == [5]
    changing.write(5)
    assert len(list(changing.q.tailer())) == 3


def test_a51_files_for_policies_of_ones_own(changing: Changing) -> None:
    """Only files whose whole name is that of a cycle; with their facts."""
    for name in ("20231114-221320T4.cq4x", "99999999-999999T4.cq4", "notes.txt"):
        (Path(changing.q.path) / name).write_bytes(b"")
    assert [(c.cycle - CYCLE, c.count, c.state) for c in changing.q.cycles()] == [
        (0, 2, "finished"), (1, 2, "finished"), (2, 2, "finished"), (5, 2, "open")]


def test_a52_one_process_does_it_and_a_dry_run_says_what(changing: Changing) -> None:
    """A reader never deletes; what is said is what is done; the listing follows."""
    with tape.open(changing.q.path, codec=codecs.raw, read_only=True) as reader:
        list(reader.tailer())
        with pytest.raises(tape.ReadOnlyQueue):
            reader.gc(tape.Keep(max_cycles=1))
        said = reader.gc(tape.Keep(max_cycles=1), dry_run=True)
    done = changing.q.gc(tape.Keep(max_cycles=1))
    assert [v.goes for v in said] == [v.goes for v in done] == [True] * 3 + [False]
    assert changing.q.table()["listing.lowestCycle"] == CYCLE + 5


# ---- the table ----


def test_every_row_has_its_test_and_its_line() -> None:
    """In this file or the one beside the tailers; in docs/from-clojure.md under its number."""
    tested: set[str] = set()
    for path in (Path(__file__), ROOT / "tests" / "wait" / "test_clojure_rows.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                tested |= set(re.findall(r"(?<=_)a\d+b?(?=_)", node.name))
    rows = dict(re.findall(r"(?m)^\| (A\d+b?) \| (.*) \|$",
                           (ROOT / "docs" / "from-clojure.md").read_text()))
    assert {row.lower() for row in ROWS} == tested
    assert list(rows) == list(ROWS)
    missing = [row for row, word in ROWS.items() if word not in rows[row]]
    assert not missing, missing
