"""One queue with writers and tailers of tape (C and Python) and of a JVM at work, and victims:
stopped at a sync point or anywhere, looked at, and then killed, or robbed of the lock and let go
on."""

from __future__ import annotations

import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

from tests.kit import live_worker
from tests.kit.c_worker import CWorker
from tests.kit.jvm_peer import LiveTailer, LiveWriter, Peer
from tests.kit.kill_leftovers import first_cycle_without_end, leave_for, set_table_word
from tests.kit.kill_plan import JVMS, PAGES, SMALL, USUAL
from tests.kit.kill_points import (
    OF_A_ROLL,
    OF_A_SYNC,
    OF_A_TAILER,
    OF_MENDING,
    OF_ROOM,
    OF_THE_LATE,
)
from tests.kit.kill_tally import Blow, Tally
from tests.kit.left_behind import UNLOCKED, Left, has_a_file_locked, lock_word, look
from tests.kit.live_worker import Worker

#: Ids of who is not killed: a writer each in C, in Python, of a JVM; a JVM that opens the queue
#: anew each time; the victims' begin behind them.
IN_C, IN_PYTHON, BY_JVM, BY_PEER, VICTIMS = 1, 2, 3, 4, 10
SLOW_MS = 5
RATE = 150
#: Of each kind of round: the roll cycle, and what else they all open the queue with.
ROLLS = {PAGES: "TEST4_SECONDLY", JVMS: "TEST_SECONDLY", SMALL: "TEST_SECONDLY",
         USUAL: "TEST_SECONDLY"}
BLOCKS = {SMALL: 1 << 20}


class Round:
    """One queue from its making to the judgement. Enter it, strike, and let it be judged."""

    def __init__(self, folder: Path, program: Path, peer: Peer, tally: Tally, *, kind: str,
                 seed: int) -> None:
        self.folder, self.program, self.peer, self.tally = folder, program, peer, tally
        self.roll, self.random = ROLLS[kind], random.Random(seed)
        self.small_pages = kind == PAGES
        self.blocks = {"block_size": BLOCKS[kind]} if kind in BLOCKS else {}
        self.path = folder / "q"
        self.outs = [folder / name for name in ("jvm", "c", "python")]
        self.acked: dict[int, list[tuple[int, int]]] = {BY_PEER: []}
        self.killed: set[int] = set()
        self.deaths: list[tuple[int, int, str]] = []  # when, the pid, and what for
        self.robs: list[int] = []             # when one was robbed
        self.ended_by_java: set[str] = set()  # there index entries may be missing
        self.next_id = VICTIMS

    # -- who lives

    def __enter__(self) -> Round:
        self.folder.mkdir(exist_ok=True)
        with ExitStack() as stack:
            enter = stack.enter_context
            self.jvm_tailer = enter(LiveTailer(self.path, self.outs[0], roll_cycle=self.roll,
                                                **self.blocks))
            self.java = enter(LiveWriter(self.path, id=BY_JVM, seconds=3600, roll_cycle=self.roll,
                                         rate=RATE, ack=True, wait=True, slow_ms=SLOW_MS,
                                         **self.blocks))
            self.jvm_tailer.wait_ready()
            self.java.wait_ready()
            self.python = enter(live_worker.writer(self.path, ids=str(IN_PYTHON), roll=self.roll,
                                                   rate=RATE, ack=True, slow_ms=SLOW_MS,
                                                   **self.blocks))
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
        with self.peer.open(self.path, roll_cycle=self.roll, **self.blocks) as q:
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
            if blow.point in OF_THE_LATE:
                o = {"stop_at": OF_THE_LATE[blow.point], "then": blow.point}
            if blow.point in (*OF_A_ROLL, *OF_THE_LATE):
                o["at_roll"] = 1
            o |= {"each": 1} if blow.point in OF_A_SYNC else {}
            o |= {"threads": 2} if blow.point == "guard_waiter_counted" else {"rate": 2000}
            o |= {"size": "65536..131072"} if blow.point in OF_ROOM else {}
            if self.small_pages:  # a cycle holds 4096, also when one that was stopped makes haste
                o |= {"rate": 500, "count": 1500}
            return self._in_c("write", id, **o)
        # Small ones hold the lock too seldom to be robbed of it, and are soon done.
        sizes = ["20..200", "2048..32768", "16384..65536"][blow.rob:]
        size = self.random.choice(sizes)
        count = 4000 if blow.rob or size == "20..200" else 200
        if blow.who == "c":
            return self._in_c("write", id, size=size, count=count)
        if blow.who == "jvm":
            return LiveWriter(self.path, id=id, seconds=60, roll_cycle=self.roll,
                              size=(8192, 65536), ack=True, wait=True, **self.blocks)
        if blow.who == "c tailer":
            return self._in_c("tail", "/dev/null")
        if blow.who == "python tailer":
            return live_worker.tailer(self.path, Path("/dev/null"), roll=self.roll)
        return live_worker.writer(self.path, ids=str(id), roll=self.roll, size=size, ack=True,
                                  prepare=60, count=count, **self.blocks, environment=(
                                      {"TAPE_PURE": "1"} if blow.who == "pure" else None))

    def strike(self, blow: Blow, victim: Worker | LiveWriter | None = None) -> bool:
        """False: the victim got away (it was done, or did not come to the point)."""
        with ExitStack() as stack:
            if blow.point == "newer_looked_into":
                stack.enter_context(first_cycle_without_end(self.path))
            it = stack.enter_context(victim or self.start(blow))
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
        if blow.point in OF_THE_LATE and not self._make_late(victim):
            return False
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
            if not blow.rob or (lock_word(self.path) == victim.pid and
                                not has_a_file_locked(self.path)):
                return True
            victim.signal(signal.SIGCONT)
        return False

    def _make_late(self, victim: Worker) -> bool:
        """Stopped in a roll, it is robbed when its cycle is over, and goes on when others are in
        the next."""
        if not victim.wait_stopped(5, go=True) or lock_word(self.path) != victim.pid:
            return False
        time.sleep(1.01 - time.time() % 1)
        self.robs.append(time.monotonic_ns())
        set_table_word(self.path, "chronicle.write.lock", UNLOCKED)
        self._all_go_on()
        victim.signal(signal.SIGCONT)
        return True

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

    def _kill_and_hear(self, blow: Blow, victim: Worker | LiveWriter) -> None:
        if blow.who != "jvm":
            self.deaths.append((time.monotonic_ns(), victim.pid, str(blow.point or blow.who)))
        victim.kill()
        for id, acks in self._heard(victim):
            self.acked[id] = acks
            self.killed.add(id)

    def _kill(self, blow: Blow, victim: Worker | LiveWriter, left: Left) -> None:
        self._kill_and_hear(blow, victim)
        if blow.java_first:
            self.ended_by_java.add(max(p.name for p in self.path.glob("*.cq4")))
            self.java_opens_and_continues()
            return
        if blow.who == "jvm" and left.lock:
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
                    self._kill_quietly(first, one, Left(), there=False)
                    return False
                left = look(self.path, one.pid)
                assert left.lock
                if point != "holder_judged":  # there it is judged while it lives
                    self._kill_quietly(first, one, left)
                leave_for(point, self.path)
                with self.start(second) as other:
                    there = other.wait_stopped(5, go=True)
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
        self._kill_and_hear(blow, victim)
        if there:
            self.tally.note(blow, left)
        self.tally.escaped += not there
