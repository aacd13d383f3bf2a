"""One queue with writers and tailers of tape (C and Python) and of a JVM at work, and victims:
stopped at a sync point or anywhere, looked at, and then killed, or robbed of the lock and let go
on."""

from __future__ import annotations

import collections
import dataclasses
import mmap
import random
import shutil
import signal
import struct
import time
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path

import tape

from tests.kit import live_worker
from tests.kit.c_worker import CWorker
from tests.kit.jvm_peer import LiveTailer, LiveWriter, Peer
from tests.kit.damage import poke
from tests.kit.left_behind import NOT_COMPLETE, UNLOCKED, Left, lock_word, look
from tests.kit.live_records import (
    RECORD,
    assert_every_message_once,
    errors_in,
    read_all,
    records_in,
)
from tests.kit.live_worker import Worker
from tests.reference import Queue

#: Ids of who is not killed: a writer each in C, in Python, of a JVM; a JVM that opens the queue
#: anew each time; the victims' begin behind them.
IN_C, IN_PYTHON, BY_JVM, BY_PEER, VICTIMS = 1, 2, 3, 4, 10
SLOW_MS = 5
RATE = 150
NEXT_NS = 10_000_000  # after so much each of them has begun an append

#: Steps that a writer takes once a second, around which these then write.
OF_A_ROLL = ("cycle_entered", "cycle_file_begun", "cycle_file_built", "cycle_file_linked",
             "end_marked", "ended_noted", "highest_listed", "listing_counted", "lowest_listed",
             "name_synced", "older_cycles_ended", "sealed")
#: Steps of opening.
OF_OPENING = ("directory_made", "end_looked_up", "side_file_opened", "slot_locked", "slot_marked",
              "slot_written")
OF_A_SYNC = ("file_synced", "name_synced", "sync_begun", "sync_ended")
#: Steps of who comes to a queue whose last writer is dead: and where that one died.
OF_MENDING = {"given_up": "header_reserved", "reservation_resized": "body_written",
              "holder_judged": "published", "room_reserved": "lock_taken",
              "room_cleaned": "lock_taken", "moved_aside": "lock_taken",
              "lock_taken_over": "indexed", "pair_mended": "published",
              "word_cleared": "lock_taken", "temporary_removed": "cycle_file_built"}
#: Steps of index pages, of which TEST_SECONDLY has one a cycle that is made with the file.
OF_A_PAGE = ("page_linked", "page_published", "page_reserved")
OF_A_TAILER: dict[str, dict[str, object]] = {
    "bell_armed": {"how": "bell"}, "cycle_read": {}, "key_added": {"name": "new"},
    "key_written": {"name": "new"}, "name_claimed": {"name": "new"},
    "tailer_at_end": {}, "theft_named": {"name": "prey", "steal": 1}, "wait_armed": {},
    "wait_looked": {}, "wait_looked_again": {}, "wait_slept": {}}
#: Steps of who makes, removes or mends the files of a queue, of longer cycles, and behind a cycle
#: that Java left without an end: not among others who live.
APART = ("cycle_forgotten", "cycle_removed", "newer_looked_into", "repair_copied", "repair_kept",
         "repair_mended", "repair_replaced", "repair_set_aside", "table_begun", "table_filled",
         "table_linked", "table_written", "time_noted")


@dataclasses.dataclass
class Blow:
    """One victim, and what befalls it."""

    who: str                 # c, python, pure (Python without lanes), jvm, c tailer, python tailer
    rob: bool = False
    point: str | None = None
    hit: int = 1
    java_first: bool = False  # a JVM comes before anybody else of those that live


@dataclasses.dataclass
class Tally:
    """What befell all victims of all rounds, and what came of it."""

    kills_at: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    robbed_at: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    kills: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    robbed: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    left: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    escaped: int = 0          # victims that were done, or never came to the point
    messages: int = 0
    cycles: int = 0
    in_flight: int = 0        # published by the dead, and not acknowledged
    broken: int = 0           # locks that tape's survivors took over
    opened_by_java: int = 0
    stalls: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    jvm_stalls: list[float] = dataclasses.field(default_factory=list)

    def note(self, blow: Blow, left: Left) -> None:
        """A victim was killed or robbed that left this."""
        at, anywhere = ((self.robbed_at, self.robbed) if blow.rob else
                        (self.kills_at, self.kills))
        if blow.point:
            at[blow.point] += 1
        else:
            anywhere[blow.who] += 1
        if not blow.rob:
            for name, on in vars(left).items():
                self.left[name] += on


class Round:
    """One queue from its making to the judgement. Enter it, strike, judge."""

    def __init__(self, folder: Path, program: Path, peer: Peer, tally: Tally, *, roll: str,
                 seed: int) -> None:
        self.folder, self.program, self.peer, self.tally = folder, program, peer, tally
        self.roll, self.random = roll, random.Random(seed)
        self.pages = roll == "TEST4_SECONDLY"  # small ones, so that there are many
        self.path = folder / "q"
        self.outs = [folder / name for name in ("jvm", "c", "python")]
        self.acked: dict[int, list[tuple[int, int]]] = {BY_PEER: []}
        self.killed: set[int] = set()
        self.deaths: list[int] = []           # when a victim of ours died
        self.robs: list[int] = []             # or was robbed
        self.ended_by_java: set[str] = set()  # there index entries may be missing
        self.next_id = VICTIMS

    # -- who lives

    def __enter__(self) -> Round:
        self.folder.mkdir(exist_ok=True)
        with ExitStack() as stack:
            enter = stack.enter_context
            self.jvm_tailer = enter(LiveTailer(self.path, self.outs[0], roll_cycle=self.roll))
            self.java = enter(LiveWriter(self.path, id=BY_JVM, seconds=3600, roll_cycle=self.roll,
                                         rate=RATE, ack=True, wait=True, slow_ms=SLOW_MS))
            self.jvm_tailer.wait_ready()
            self.java.wait_ready()
            self.python = enter(live_worker.writer(self.path, ids=str(IN_PYTHON), roll=self.roll,
                                                   rate=RATE, ack=True, slow_ms=SLOW_MS))
            self.c = enter(self._in_c("write", IN_C, rate=RATE, slow_us=SLOW_MS * 1000))
            self.tailers: list[Worker] = [
                enter(self._in_c("tail", self.outs[1])),
                enter(live_worker.tailer(self.path, self.outs[2], roll=self.roll))]
            prey = enter(self._in_c("tail", self.folder / "prey", name="prey"))
            for worker in (self.python, self.c, *self.tailers, prey):
                worker.wait_ready()
            for writer in (self.java, self.python, self.c):
                writer.go()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stack.close()

    def _in_c(self, role: str, what: object, **options: object) -> CWorker:
        return CWorker.start(self.program, role, self.path, self.roll, what, **options)

    def _all_go_on(self, messages: int = 2) -> None:
        """Waits until each writer of tape has written some more."""
        for writer in (self.c, self.python):
            writer.wait_acks(len(writer.acks()) + messages, 30)

    def java_opens_and_continues(self) -> None:
        """A JVM opens the queue and appends to what it finds."""
        acks = self.acked[BY_PEER]
        with self.peer.open(self.path, roll_cycle=self.roll) as q:
            acks.append((len(acks), q.appender().append(
                live_worker.encode(BY_PEER, len(acks), 50))))
        self.tally.opened_by_java += 1

    # -- victims

    def start(self, blow: Blow) -> Worker | LiveWriter:
        """A victim; the caller ends it."""
        id = self.next_id
        self.next_id += 2
        o: dict[str, object] = {}
        if blow.point:
            o = {"stop_at": blow.point, "hit": blow.hit}
            if blow.point in OF_A_TAILER:
                o |= OF_A_TAILER[blow.point]
                o |= {"name": f"new {id}"} if o.get("name") == "new" else {}
                return self._in_c("tail", "/dev/null", **o)
            if blow.point in OF_A_ROLL:
                o["at_roll"] = 1
            o |= {"each": 1} if blow.point in OF_A_SYNC else {}
            o |= {"threads": 2} if blow.point == "guard_waiter_counted" else {"rate": 2000}
            if blow.point == "file_enlarged":  # one that C made: others begin with larger ones
                o |= {"size": "65536..131072", "at_roll": 1, "rate": 0}
            return self._in_c("write", id, **o)
        sizes, count = ["20..200", "2048..32768", "16384..65536"], 4000 if blow.rob else 60
        size = self.random.choice(sizes[blow.rob:])  # small ones hold the lock too seldom
        if blow.who == "c":
            return self._in_c("write", id, size=size, count=count)
        if blow.who == "jvm":
            return LiveWriter(self.path, id=id, seconds=60, roll_cycle=self.roll,
                              size=(8192, 65536), ack=True, wait=True)
        if blow.who == "c tailer":
            return self._in_c("tail", "/dev/null")
        if blow.who == "python tailer":
            return live_worker.tailer(self.path, Path("/dev/null"), roll=self.roll)
        return live_worker.writer(self.path, ids=str(id), roll=self.roll, size=size, ack=True,
                                  prepare=60, count=count, environment=(
                                      {"TAPE_PURE": "1"} if blow.who == "pure" else None))

    def strike(self, blow: Blow, victim: Worker | LiveWriter | None = None) -> bool:
        """False: the victim got away (it was done, or did not come to the point)."""
        with victim or self.start(blow) as it, ExitStack() as stack:
            if blow.java_first:  # before it has the lock: who waits for that cannot be paused
                self._pause()
                stack.callback(self._resume)
            there = self._stop(blow, it)
            left = look(self.path, it.pid) if there else Left()
            if there and blow.rob and left.lock:
                self._rob(it, left)
            else:
                self._kill(blow, it, left)
            there = there and (left.lock or not blow.rob)
            if there:
                self.tally.note(blow, left)
            self.tally.escaped += not there
        return there

    def _stop(self, blow: Blow, victim: Worker | LiveWriter) -> bool:
        """Lets it work until it stands still at the point, or is stopped anywhere."""
        if isinstance(victim, LiveWriter):
            return self._stop_java(victim)
        if blow.point:
            return victim.wait_stopped(5, go=True)
        victim.wait_ready()
        if blow.who.endswith("tailer"):
            time.sleep(self.random.uniform(0, 0.03))
        else:
            victim.go()
            victim.wait_acks(self.random.randint(1, 20))
        for _ in range(100):
            # No event to wait for: the moment is to be any.
            time.sleep(self.random.uniform(0, 0.002))
            victim.signal(signal.SIGSTOP)
            if not victim.wait_stopped(5):
                return False
            if not blow.rob or lock_word(self.path) == victim.pid:
                return True
            victim.signal(signal.SIGCONT)
        return False

    def _stop_java(self, victim: LiveWriter) -> bool:
        victim.wait_ready()
        victim.go()
        victim.wait_acks(self.random.randint(1, 20))
        time.sleep(self.random.uniform(0, 0.02))
        victim.pause()
        return victim.alive

    def _heard(self, victim: Worker | LiveWriter) -> list[tuple[int, list[tuple[int, int]]]]:
        """Acknowledged messages by writer."""
        if isinstance(victim, LiveWriter):
            return [(victim.id, victim.acks())]
        by_id: dict[int, list[tuple[int, int]]] = {}
        for id, n, index in victim.acks():
            by_id.setdefault(id, []).append((n, index))
        return [*by_id.items()]

    def _kill(self, blow: Blow, victim: Worker | LiveWriter, left: Left) -> None:
        moment = time.monotonic_ns()
        victim.kill()
        for id, acks in self._heard(victim):
            self.acked[id] = acks
            self.killed.add(id)
        if blow.java_first:
            self.ended_by_java.add(max(p.name for p in self.path.glob("*.cq4")))
            self.java_opens_and_continues()
            return
        if blow.who != "jvm":
            self.deaths.append(moment)
        elif left.lock:
            self.ended_by_java.add(max(p.name for p in self.path.glob("*.cq4")))
        self._all_go_on()
        self.java_opens_and_continues()

    def _rob(self, victim: Worker | LiveWriter, left: Left) -> None:
        """As JVMs up to 5.23 do with a living holder; others go on, and then so does it.

        A JVM writes over a reserved header, where the robbed one is in the middle of its copy: what
        comes of that is Java's (docs/errata.md, J20), so there a writer of tape's is the next.
        """
        assert isinstance(victim, Worker)
        before = len(victim.acks())
        if left.reserved:
            self.java.pause()
        self.robs.append(time.monotonic_ns())
        set_table_word(self.path, "chronicle.write.lock", UNLOCKED)
        self._all_go_on()
        if left.reserved:
            self.java.resume()
        self.java_opens_and_continues()
        victim.signal(signal.SIGCONT)
        victim.wait_acks(before + 2, 30)
        victim.send("stop")
        victim.result(30)
        victim.kill()  # it has ended: this waits until all is heard
        for id, acks in self._heard(victim):
            self.acked[id] = acks

    # -- second deaths

    def _pause(self) -> None:
        for writer in (self.c, self.python):
            writer.pause()

    def _resume(self) -> None:
        for writer in (self.c, self.python):
            writer.resume()

    def strike_who_mends(self, point: str) -> bool:
        """One dies, and who mends what that one left dies at `point`."""
        at = OF_MENDING[point]
        first = Blow("c", point=at, hit=1 if at in OF_A_ROLL else 2)
        second = Blow("c", point=point)
        self._pause()
        try:
            with self.start(first) as one:
                if not one.wait_stopped(5, go=True):
                    return False
                left = look(self.path, one.pid)
                assert left.lock
                if point != "holder_judged":  # there it is judged while it lives
                    self._kill_quietly(first, one, left)
                self._prepare(point)
                with self.start(second) as other:
                    there = other.wait_stopped(5, go=True)
                    self.deaths.append(time.monotonic_ns())
                    if point == "holder_judged":
                        self._kill_quietly(first, one, left)
                    after = look(self.path, other.pid) if there else Left()
                    self._kill_quietly(second, other, after, there)
        finally:
            self._resume()
        self._all_go_on()
        self.java_opens_and_continues()
        return there

    def _kill_quietly(self, blow: Blow, victim: Worker, left: Left, there: bool = True) -> None:
        victim.kill()
        for id, acks in self._heard(victim):
            self.acked[id] = acks
            self.killed.add(id)
        if there:
            self.tally.note(blow, left)
        self.tally.escaped += not there

    def _prepare(self, point: str) -> None:
        """What other programs leave: bytes behind the end, or a file that is not ready."""
        q = Queue(self.path)
        if point in ("room_reserved", "room_cleaned", "reservation_resized"):
            newest = q.cycles()[-1]
            scan = q.scan(newest)
            behind = scan.end + 4 + (scan.end_word & 0x3FFFFFFF) + 3 & ~3
            poke(q.path_of(newest), behind, b"\xdd" * 600)
        if point == "word_cleared":
            newest = q.cycles()[-1]
            poke(q.path_of(newest), q.scan(newest).end, struct.pack("<I", NOT_COMPLETE))
        if point == "moved_aside":
            time.sleep(1.002 - time.time() % 1)
            q.path_of(int(time.time())).touch()

    # -- the judgement

    def judge(self) -> None:
        """Nothing that was acknowledged is lost, doubled or torn, and all readers agree."""
        self.java.stop()
        for worker in (self.c, self.python):
            worker.send("stop")
        self.java.result()
        done = [worker.result() for worker in (self.c, self.python)]
        self.tally.broken += sum(d["broken"] for d in done)
        self.acked[BY_JVM] = self.java.acks()
        for id, worker in ((IN_C, self.c), (IN_PYTHON, self.python)):
            self.acked[id] = [(n, index) for _, n, index in worker.acks()]
        counts = self._judge_messages(everything := read_all(self.path, self.roll))
        self.jvm_tailer.until(counts)
        for tailer in self.tailers:
            tailer.until(counts)
        assert self.jvm_tailer.result(180).bad == 0
        assert [tailer.result(180)["bad"] for tailer in self.tailers] == [0, 0]
        for out in self.outs:
            assert out.read_bytes() == everything, out.name
        assert_every_message_once(records_in(self.outs[0]), counts)
        self._judge_files()
        self._note_stalls()
        self.tally.messages += sum(counts.values())
        self.tally.cycles += len(list(self.path.glob("*.cq4")))
        assert self.jvm_tailer.warnings() == []
        shutil.rmtree(self.path)

    def _judge_messages(self, everything: bytes) -> dict[int, int]:
        found: dict[int, list[tuple[int, int]]] = collections.defaultdict(list)
        for index, id, n in RECORD.iter_unpack(everything):
            found[id].append((n, index))
        torn = [hex(index) for index, id, _ in RECORD.iter_unpack(everything) if id < 0]
        assert torn == []
        for id, acks in self.acked.items():
            wrong = [(mine, theirs) for mine, theirs in zip_longest(acks, found[id])
                     if mine and mine != theirs]
            assert not wrong, (f"writer {id}: {len(wrong)} of {len(acks)}, the first (n, index) "
                               f"acknowledged {wrong[0][0]}, found {wrong[0][1]}")
            assert len(found[id]) <= len(acks) + (id in self.killed), f"writer {id}"
            self.tally.in_flight += len(found[id]) - len(acks)
        for id in found.keys() - self.acked.keys():  # it died in its first message
            assert id >= VICTIMS and len(found[id]) == 1, f"writer {id}"
            self.tally.in_flight += 1
        return {id: len(messages) for id, messages in found.items()}

    def _judge_files(self) -> None:
        """The files are whole; but bodies that were never published may lie behind the end, a key
        behind the others, Java does not add index entries that the dead left out, and who ends a
        cycle adds none whose page does not exist (docs/recovery.md)."""
        tolerated = {"tail", "table-tail"}
        if self.pages:
            tolerated |= {"index-missing", "index-last"}
        errors = errors_in(self.path, tolerated=tuple(tolerated))
        assert [e for e in errors if not (": index-" in e and any(
            name in e for name in self.ended_by_java))] == []
        if not self.ended_by_java:
            assert [str(f) for f in tape.verify(self.path).findings
                    if f.level == "damage" and f.kind != "tail"] == []

    def _note_stalls(self) -> None:
        """How long an append of who lived took after a death: (all, without the time in which the
        machine ran others)."""
        moments = sorted([(t, True) for t in self.deaths] + [(t, False) for t in self.robs])
        for worker in (self.c, self.python):
            for begin, end, delay in worker.slow():
                moment = max((m for m in moments if m[0] < end), default=(end, True))[0]
                if begin > moment + NEXT_NS:  # it went on already: others who live had the lock
                    continue
                stall = end - max(begin, moment)
                self.tally.stalls.append((stall / 1e6, max(stall - delay, 0) / 1e6))
        for begin, end in self.java.slow():
            moment, died = max((m for m in moments if m[0] < end), default=(end, True))
            if died and begin <= moment + NEXT_NS:
                self.tally.jvm_stalls.append((end - max(begin, moment)) / 1e6)


def set_table_word(path: Path, key: str, value: int) -> None:
    """Stores into the table store, in one piece."""
    table = Queue(path).table()
    assert table is not None
    cell = table.cell(key)
    assert cell is not None
    with open(path / "metadata.cq4t", "r+b") as file, mmap.mmap(file.fileno(), 0) as shared:
        struct.pack_into("<q", shared, cell.offset, value)
