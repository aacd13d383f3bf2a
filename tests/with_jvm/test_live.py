"""Processes at work on one queue at the same time: tape and the JVM, tape and tape."""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit import live_worker
from tests.kit.jvm_peer import LiveTailer, LiveWriter
from tests.kit.live_records import (
    assert_every_message_once,
    cycles_of,
    errors_in,
    read_all,
    records_in,
)

pytestmark = pytest.mark.slow

Scaled = Callable[[float, float], float]
Report = Callable[[str], None]

ROLL = "TEST_SECONDLY"


@pytest.mark.jvm
def test_a_jvm_and_tape_write_and_tail_one_queue(tmp_path: Path, jvm: None, scaled: Scaled,
                                                 report: Report) -> None:
    """Both tailers see every message of both writers once, in one order, while cycles roll."""
    path, seconds = tmp_path / "q", scaled(8, 60)
    with ExitStack() as stack:
        enter = stack.enter_context
        jvm_tailer = enter(LiveTailer(path, tmp_path / "jvm", roll_cycle=ROLL))
        # Without a limit the JVM, which spins for the lock, would write nearly all of it.
        jvm_writer = enter(LiveWriter(path, id=1, seconds=seconds, roll_cycle=ROLL, wait=True,
                                      rate=40_000))
        jvm_tailer.wait_ready()
        jvm_writer.wait_ready()
        tape_tailer = enter(live_worker.tailer(path, tmp_path / "tape", roll=ROLL))
        tape_writer = enter(live_worker.writer(path, ids="2", seconds=seconds, roll=ROLL))
        tape_tailer.wait_ready()
        tape_writer.wait_ready()
        jvm_writer.go()
        tape_writer.go()
        by_jvm = jvm_writer.result(seconds + 60)
        by_tape = tape_writer.result(seconds + 60)
        counts = {1: by_jvm.count, 2: by_tape["writers"][0]["count"]}
        jvm_tailer.until(counts)
        tape_tailer.until(counts)
        seen_by_jvm, seen_by_tape = jvm_tailer.result(180), tape_tailer.result(180)
        assert jvm_writer.warnings() == [] and jvm_tailer.warnings() == []
    cycles_by = cycles_of(records_in(tmp_path / "tape"))
    cycles = set().union(*cycles_by.values())
    # Nobody starts or stops at the same instant: the cycles at both ends may be one writer's.
    inner = set(sorted(cycles)[1:-1])
    shares = {id: len(cycles_by[id] & inner) / len(inner) for id in counts}
    report(f"{seconds:.0f} s, {sum(counts.values())} messages ({counts[1]} by the JVM, "
           f"{counts[2]} by tape), {len(cycles) - 1} rolls, "
           f"in {shares[1]:.0%} and {shares[2]:.0%} of the cycles")
    report(f"tape's writer: {by_tape['acquired']} lock acquisitions, {by_tape['contended']} "
           f"contended, {by_tape['rolls']} rolls by it, slowest append "
           f"{by_tape['writers'][0]['slowest_ms']} ms; the JVM's slowest "
           f"{by_jvm.slowest_us / 1000} ms")
    assert seen_by_jvm.complete and seen_by_tape["complete"]
    assert seen_by_jvm.bad == 0 and seen_by_tape["bad"] == 0
    assert_every_message_once(records_in(tmp_path / "tape"), counts)
    assert (tmp_path / "jvm").read_bytes() == (tmp_path / "tape").read_bytes()
    assert min(shares.values()) >= 0.9
    assert len(cycles) - 1 >= seconds * 50 / 60
    assert by_tape["contended"] > 0
    assert by_tape["broken"] == by_tape["lost"] == by_tape["repairs"] == 0
    assert errors_in(path) == []


def _assert_all_there(path: Path, out: Path, results: list[dict], counts: dict[int, int],
                      report: Report) -> None:
    cycles = set().union(*cycles_of(records_in(out)).values())
    messages = sum(counts.values())
    seconds = max(r["seconds"] for r in results)
    report(f"{messages} messages by {len(results)} processes with {len(counts) // len(results)} "
           f"threads each in {seconds:.2f} s: {messages / seconds:,.0f} a second, "
           f"{len(cycles) - 1} rolls; contended: "
           f"{', '.join(str(r['contended']) for r in results)} of "
           f"{', '.join(str(r['acquired']) for r in results)} lock acquisitions; slowest append "
           f"{max(w['slowest_ms'] for r in results for w in r['writers'])} ms")
    assert_every_message_once(records_in(out), counts)
    assert read_all(path, ROLL) == out.read_bytes()
    assert all(r["broken"] == r["lost"] == r["repairs"] == 0 for r in results)
    assert errors_in(path) == []


def test_two_processes_with_two_threads_each_write_one_queue(tmp_path: Path, scaled: Scaled,
                                                             report: Report) -> None:
    """Two threads share an appender, two have their own, in two processes: all comes once."""
    path, each = tmp_path / "q", int(scaled(25_000, 250_000))
    counts = dict.fromkeys((1, 2, 3, 4), each)
    with live_worker.tailer(path, tmp_path / "tape", roll=ROLL) as tailer, \
            live_worker.writer(path, ids="1,2", count=each, roll=ROLL, shared=True) as one, \
            live_worker.writer(path, ids="3,4", count=each, roll=ROLL) as other:
        for worker in (tailer, one, other):
            worker.wait_ready()
        tailer.until(counts)
        one.go()
        other.go()
        results = [one.result(300), other.result(300)]
        assert tailer.result(300)["complete"]
    _assert_all_there(path, tmp_path / "tape", results, counts, report)


def _forked(path: Path, ids: str, each: int, shared: bool, done: Connection) -> None:
    o = argparse.Namespace(ids=ids, count=each, seconds=0, size="20..200", ack=False,
                           shared=shared, prepare=0, rate=0, slow_ms=0)
    with tape.open(path, roll_cycle=ROLL, codec=raw) as q:
        done.send("ready")
        done.recv()
        done.send(live_worker.write_by_threads(q, live_worker.jobs_of(q, o)))


# The test process has the threads that listen to its workers; the children need none of them.
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_forked_children_write_one_queue(tmp_path: Path, scaled: Scaled, report: Report) -> None:
    """The same with children of a process that itself has the queue open; they open their own."""
    path, each = tmp_path / "q", int(scaled(25_000, 250_000))
    counts = dict.fromkeys((1, 2, 3, 4, 5), each)
    counts[5] = 100
    fork = multiprocessing.get_context("fork")
    with tape.open(path, roll_cycle=ROLL, codec=raw) as q, \
            live_worker.tailer(path, tmp_path / "tape", roll=ROLL) as tailer:
        tailer.wait_ready()
        tailer.until(counts)
        parents = q.appender()
        parents.write(live_worker.encode(5, 0, 20))  # its lock slot is taken when it forks
        pipes, children = [], []
        for ids, shared in (("1,2", True), ("3,4", False)):
            mine, theirs = fork.Pipe()
            child = fork.Process(target=_forked, args=(path, ids, each, shared, theirs))
            child.start()
            theirs.close()
            pipes.append(mine)
            children.append(child)
        assert [pipe.recv() for pipe in pipes] == ["ready", "ready"]
        for pipe in pipes:
            pipe.send("go")
        for n in range(1, counts[5]):  # the parent's handles go on working
            parents.write(live_worker.encode(5, n, 20))
        results = [pipe.recv() for pipe in pipes]
        for child in children:
            child.join(30)
            assert child.exitcode == 0
        assert tailer.result(300)["complete"]
        assert q.info().lock_lost == 0
    _assert_all_there(path, tmp_path / "tape", results, counts, report)
