"""The judgement over a round of the kill loop: what was acknowledged is there once and whole, all
readers agree, and the files are sound."""

from __future__ import annotations

import collections
import shutil
from itertools import zip_longest

import tape

from tests.kit.kill_round import BY_JVM, IN_C, IN_PYTHON, VICTIMS, Round
from tests.kit.live_records import (
    RECORD,
    assert_every_message_once,
    errors_in,
    read_all,
    records_in,
)
from tests.kit.live_worker import Slow

NEXT_NS = 10_000_000  # after so much each of those that live has begun an append


def judge(r: Round) -> None:
    """Ends the round. Nothing that was acknowledged is lost, doubled or torn."""
    r.java.stop()
    for worker in (r.c, r.python):
        worker.send("stop")
    r.java.result()
    done = [worker.result() for worker in (r.c, r.python)]
    r.tally.broken += sum(d["broken"] for d in done)
    r.acked[BY_JVM] = r.java.acks()
    for id, worker in ((IN_C, r.c), (IN_PYTHON, r.python)):
        r.acked[id] = [(n, index) for _, n, index in worker.acks()]
    counts = _judge_messages(r, everything := read_all(r.path, r.roll))
    r.jvm_tailer.until(counts)
    for tailer in r.tailers:
        tailer.until(counts)
    assert r.jvm_tailer.result(180).bad == 0
    assert [tailer.result(180)["bad"] for tailer in r.tailers] == [0, 0]
    for out in r.outs:
        assert out.read_bytes() == everything, out.name
    assert_every_message_once(records_in(r.outs[0]), counts)
    _judge_files(r)
    _note_stalls(r)
    r.tally.messages += sum(counts.values())
    r.tally.cycles += len(list(r.path.glob("*.cq4")))
    assert r.jvm_tailer.warnings() == []
    shutil.rmtree(r.path)


def _judge_messages(r: Round, everything: bytes) -> dict[int, int]:
    found: dict[int, list[tuple[int, int]]] = collections.defaultdict(list)
    for index, id, n in RECORD.iter_unpack(everything):
        found[id].append((n, index))
    torn = [hex(index) for index, id, _ in RECORD.iter_unpack(everything) if id < 0]
    assert torn == []
    for id, acks in r.acked.items():
        wrong = [(mine, theirs) for mine, theirs in zip_longest(acks, found[id])
                 if mine and mine != theirs]
        assert not wrong, (f"writer {id}: {len(wrong)} of {len(acks)}, the first (n, index) "
                           f"acknowledged {wrong[0][0]}, found {wrong[0][1]}")
        assert len(found[id]) <= len(acks) + (id in r.killed), f"writer {id}"
        r.tally.in_flight += len(found[id]) - len(acks)
    for id in found.keys() - r.acked.keys():  # it died in its first message
        assert id >= VICTIMS and len(found[id]) == 1, f"writer {id}"
        r.tally.in_flight += 1
    return {id: len(messages) for id, messages in found.items()}


def _judge_files(r: Round) -> None:
    """The files are whole; but bodies that were never published may lie behind the end, a key
    behind the others, Java does not add index entries that the dead and the robbed left out, and
    who ends a cycle adds none whose page does not exist (docs/recovery.md)."""
    tolerated = {"tail", "table-tail"}
    if r.small_pages:
        tolerated |= {"index-missing", "index-last"}
    errors = [e for e in errors_in(r.path, tolerated=tuple(tolerated)) if not (
        ": index-" in e and any(name in e for name in r.ended_by_java))]
    assert not errors, "\n".join(errors)
    if r.ended_by_java:
        return
    found = [str(f) for f in tape.verify(r.path).findings
             if f.level == "damage" and f.kind not in tolerated]
    assert not found, "\n".join(found)


def _note_stalls(r: Round) -> None:
    """How long an append of who lived took after a death, in ms: (all, without the time in which
    the machine ran others). Of one that waited for a dead one of ours, from its death until it had
    the lock, and to the end; of others, if they had not begun long after it."""
    moments = sorted([(t, True) for t, _, _ in r.deaths] + [(t, False) for t in r.robs])
    for worker in (r.c, r.python):
        for s in worker.slow():
            died, at = max(((t, at) for t, pid, at in r.deaths if pid == s.holder and t < s.end),
                           default=(0, ""))
            if died:
                r.tally.waits.append((*_stall(s, died, s.begin + s.waited), at))
                r.tally.for_the_dead.append((*_stall(s, died, s.end), at))
            moment = max((m for m, _ in moments if m < s.end), default=s.end)
            if s.begin <= moment + NEXT_NS:  # else it went on already: others had the lock
                r.tally.stalls.append((*_stall(s, moment, s.end), ""))
    for begin, end in r.java.slow():
        moment, of_ours = max((m for m in moments if m[0] < end), default=(end, True))
        if of_ours and begin <= moment + NEXT_NS:
            r.tally.jvm_stalls.append((end - max(begin, moment)) / 1e6)


def _stall(s: Slow, moment: int, until: int) -> tuple[float, float]:
    wall = max(until - max(s.begin, moment), 0)
    return wall / 1e6, max(wall - s.delay, 0) / 1e6
