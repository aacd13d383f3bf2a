"""An interrupt at every step of every public call: nothing is wedged, lost or doubled.

Each case makes a call on a queue, is interrupted at a step of tape's Python, and then says what
must hold; afterwards the queue is written, read and closed, and this process holds nothing of it.
An ordinary run takes one of a few steps (tests/kit/interrupts.py), in both bindings.
"""

from __future__ import annotations

import asyncio
import datetime
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import tape
from tape._lanes import have_lanes

from tests.kit.interrupts import FEW, Interrupt, SoftLimit, at_every_step
from tests.kit.queues import CYCLE
from tests.kit.under_fire import NAME, SECONDS, Scene, held

PUBLIC = Path(__file__).parents[1] / "house" / "public_api.txt"
LATER = datetime.datetime.fromtimestamp(CYCLE + 1, datetime.timezone.utc)


class Case(NamedTuple):
    """A call, what must hold after it, and what is made ready before; a fresh scene each time
    when it changes more than it can be asked to do again."""

    call: Callable[[Scene], Any]
    after: Callable[[Scene, bool, Any], None] | None = None
    ready: Callable[[Scene], None] | None = None
    fresh: bool = False
    kind: type[BaseException] = Interrupt
    sound: bool = True


def same(call: Callable[[Scene], Any]) -> Case:
    """A call that only tells: made again it says the same."""
    def after(s: Scene, interrupted: bool, result: Any) -> None:
        again = call(s)
        assert interrupted or result == again
    return Case(call, after)


def anew(call: Callable[[Scene], Any]) -> Case:
    """A call that may be made again, whatever became of the first."""
    return Case(call, lambda s, interrupted, result: (call(s), None)[1])


# ---- the queue ----

def reopened(s: Scene, interrupted: bool, tailer: Any) -> None:
    """Nobody has the name any more; the stored position is what it was."""
    if tailer is not None:
        tailer.close()
    with s.q.tailer(NAME) as t:
        assert t.read() == s.messages[1]
        t.seek(s.indexes[1])


def collected(s: Scene, interrupted: bool, result: Any) -> None:
    """The newest messages are there without a hole; asked again it removes the rest."""
    left = s.read(on_gap="skip")
    assert left and left == s.messages[-len(left):]
    s.q.gc(KEEP)
    assert [c.cycle for c in s.q.cycles()] == [CYCLE + SECONDS - 1]
    s.messages = s.messages[-3:]


def packed(kind: str) -> Callable[[Scene, bool, Any], None]:
    def after(s: Scene, interrupted: bool, result: Any) -> None:
        assert s.read() == s.messages
        s.q.compress(kind, even_unread=True)
        states = [c.state for c in s.q.cycles()]
        assert states == ["compressed", "compressed", "open"] and s.read() == s.messages
        assert not list(s.path.glob("*.tmp"))
    return after


def thawed(s: Scene, interrupted: bool, result: Any) -> None:
    assert s.read() == s.messages
    s.q.thaw()
    assert {c.state for c in s.q.cycles()} == {"finished", "open"} and s.read() == s.messages
    assert not list(s.path.glob("*.tmp"))


def parked(s: Scene, interrupted: bool, result: Any) -> None:
    s.q.park(NAME)
    assert s.q.stats().tailers[NAME].parked


def closed(s: Scene, interrupted: bool, result: Any) -> None:
    """Closing again ends it: nothing can be done any more by anything that it made."""
    s.q.close()
    assert s.q.closed and s.a.closed and s.t.closed and s.named.closed
    for call in (lambda: s.a.write(b"x"), s.t.read, s.named.commit, s.q.appender):
        with pytest.raises(tape.QueueClosed):
            call()
    assert not held(s.path)
    s.q = tape.open(s.path, **s.options)


def deleted(s: Scene, interrupted: bool, result: Any) -> None:
    """Deleting again ends it."""
    if s.path.exists():
        try:
            tape.delete(s.path)
        except tape.QueueNotFound:  # the messages are gone, other files of it are not
            pass
    again = tape.open(s.path, **s.options)
    assert again.appender().write(b"new") is not None and list(again.tailer()) == [b"new"]
    s.q, s.messages = again, [b"new"]


def opened(s: Scene, interrupted: bool, q: Any) -> None:
    if q is not None:
        q.close()
    del q
    assert not held(s.state)
    with tape.open(s.state, codec=tape.codecs.raw) as q:
        q.appender().write(b"x")
        assert list(q.tailer()) == [b"x"]
    shutil.rmtree(s.state)


def mended(s: Scene, interrupted: bool, result: Any) -> None:
    shutil.rmtree(s.state, ignore_errors=True)
    assert tape.repair(s.path, s.state).outcome == "clean"
    with tape.open(s.state, codec=tape.codecs.raw, read_only=True) as q:
        assert list(q.tailer()) == s.messages
    shutil.rmtree(s.state)


def damage(s: Scene) -> None:
    """The end of the first cycle's file is cut out of the index."""
    s.q.close()
    file = next(s.path.glob("*.cq4"))
    data = bytearray(file.read_bytes())
    place = data.index(b"lastIndex")
    data[place + 9:place + 20] = bytes(11)
    file.write_bytes(data)


def mended_in_place(s: Scene, interrupted: bool, result: Any) -> None:
    tape.repair(s.path, in_place=True)
    assert tape.verify(s.path).ok
    s.q = tape.open(s.path, **s.options)


def elsewhere(s: Scene) -> None:
    s.state = s.path.parent / "elsewhere"


KEEP = tape.Keep(max_cycles=1, unread_by=None)

QUEUE = {
    "Queue.appender": Case(lambda s: s.q.appender()),
    "Queue.tailer": Case(lambda s: s.q.tailer(NAME), reopened, lambda s: s.named.close()),
    "Queue.tailer: start": anew(lambda s: s.q.tailer(start=s.indexes[2]).close()),
    "Queue.tailer: by time": anew(lambda s: s.q.tailer(start=LATER, direction="backward").close()),
    "Queue.bounds": same(lambda s: s.q.bounds(LATER)),
    "Queue.made_with": same(lambda s: s.q.made_with),
    "Queue.closed": same(lambda s: s.q.closed),
    "Queue.first_index": same(lambda s: s.q.first_index),
    "Queue.last_index": same(lambda s: s.q.last_index),
    "Queue.read_only": same(lambda s: s.q.read_only),
    "Queue.count": same(lambda s: s.q.count(s.indexes[0], s.indexes[-1])),
    "Queue.cycles": same(lambda s: s.q.cycles()),
    "Queue.refresh": anew(lambda s: s.q.refresh()),
    "Queue.table": same(lambda s: sorted(s.q.table())),
    "Queue.tailers": same(lambda s: s.q.tailers()),
    "Queue.index_of": same(lambda s: s.q.index_of(CYCLE, 1)),
    "Queue.locate": same(lambda s: s.q.locate(s.indexes[4])),
    "Queue.info": same(lambda s: s.q.info().messages),
    "Queue.stats": same(lambda s: s.q.stats().messages),
    "Queue.sync": anew(lambda s: s.q.sync()),
    "Queue.gc": Case(lambda s: s.q.gc(KEEP), collected, fresh=True),
    "Queue.gc: dry_run": same(lambda s: s.q.gc(KEEP, dry_run=True)),
    "Queue.park": Case(lambda s: s.q.park(NAME), parked),
    "Queue.compress": Case(lambda s: s.q.compress("gzip", even_unread=True), packed("gzip"),
                           fresh=True),
    "Queue.compress: zstd": Case(lambda s: s.q.compress("zstd", even_unread=True), packed("zstd"),
                                 fresh=True),
    "Queue.thaw": Case(lambda s: s.q.thaw(), thawed,
                       lambda s: (s.q.compress("gzip", even_unread=True), None)[1], fresh=True),
    "Queue.close": Case(lambda s: s.q.close(), closed, fresh=True),
    "Queue.close: interval": Case(lambda s: s.q.close(), closed, lambda s: interval(s), fresh=True),
    "tape.open": Case(lambda s: tape.open(s.state, codec=tape.codecs.raw), opened, elsewhere),
    "tape.delete": Case(lambda s: tape.delete(s.path), deleted, lambda s: s.q.close(), fresh=True),
    "tape.verify": same(lambda s: tape.verify(s.path).messages),
    "tape.repair": Case(lambda s: tape.repair(s.path, s.state), mended, elsewhere),
    "tape.repair: in_place": Case(lambda s: tape.repair(s.path, in_place=True), mended_in_place,
                                  damage, fresh=True),
}


class Alone:
    """The module ``os`` of a machine with one process: gc() asks all whether they use a file."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def listdir(self, path: str) -> list[str]:
        return [str(os.getpid())] if path == "/proc" else os.listdir(path)


def interval(s: Scene) -> None:
    s.q.appender(durability="interval:1s").write(b"soon")
    s.messages.append(b"soon")


# ---- appenders ----

def told_by_last_index(count: int) -> Callable[[Scene, bool, Any], None]:
    """Who writes again only when last_index did not move loses and doubles nothing."""
    def after(s: Scene, interrupted: bool, result: Any) -> None:
        moved = s.a.last_index != s.indexes[-1]
        assert moved or interrupted or result is None
        if not moved:
            s.a.write_many([b"w%d" % n for n in range(count)])
        s.messages += [b"w%d" % n for n in range(count)]
        s.indexes.append(s.q.last_index or 0)
        assert s.a.last_index == s.q.last_index and s.read() == s.messages
        s.write()
        s.a = s.q.appender()
        s.messages.append(b"mine")
        s.indexes.append(s.a.write(b"mine"))
    return after


def mine(s: Scene) -> None:
    """Its last_index is that of the queue."""
    s.messages.append(b"mine")
    s.indexes.append(s.a.write(b"mine"))


def make_in_place(s: Scene) -> int | None:
    with s.a.writing(10) as place:
        place.buffer[:2] = b"w0"  # type: ignore[index]
        place.truncate(2)
    return place.index


def put_some(s: Scene) -> None:
    """Three awaited puts, whose indexes are kept."""
    async def put_all() -> None:
        async with s.a.sink() as put:
            for n in range(3):
                s.state.append((b"put %d" % n, await put(b"put %d" % n)))
            put.put_nowait(b"put last")
    s.state = []
    asyncio.run(put_all())


def put(s: Scene, interrupted: bool, result: Any) -> None:
    """What was acknowledged is there; of the rest each once at most, and in order."""
    new = s.read()[len(s.messages):]
    assert new == [b"put 0", b"put 1", b"put 2", b"put last"][:len(new)]
    assert len(s.state) <= len(new) and (interrupted or len(new) == 4)
    for (message, index), got in zip(s.state, new, strict=False):
        with s.q.tailer(start=index) as t:
            assert t.read() == message == got
    s.messages += new


def shut(s: Scene, interrupted: bool, result: Any) -> None:
    """Closing again ends it."""
    s.state.close()
    assert s.state.closed
    with pytest.raises(tape.QueueClosed):
        s.state.write(b"x")


APPENDER = {
    "Appender.write": Case(lambda s: s.a.write(b"w0"), told_by_last_index(1), mine),
    "Appender.write: expect": Case(lambda s: s.a.write(b"w0", expect=s.indexes[-1] + 1),
                                   told_by_last_index(1), mine),
    "Appender.try_write": Case(lambda s: s.a.try_write(b"w0"), told_by_last_index(1), mine),
    "Appender.write_many": Case(lambda s: s.a.write_many([b"w0", b"w1", b"w2"]),
                                told_by_last_index(3), mine),
    "Appender.writing": Case(make_in_place, told_by_last_index(1), mine),
    "Appender.sink": Case(put_some, put, kind=KeyboardInterrupt),
    "Appender.sync": anew(lambda s: s.a.sync()),
    "Appender.info": same(lambda s: s.a.info().messages),
    "Appender.last_index": same(lambda s: s.a.last_index),
    "Appender.closed": same(lambda s: s.a.closed),
    "Appender.close": Case(lambda s: s.state.close(), shut,
                           lambda s: setattr(s, "state", s.q.appender()), fresh=True),
    "Appender.close: interval": Case(
        lambda s: s.state.close(), shut,
        lambda s: setattr(s, "state", s.q.appender(durability="interval:1s")), fresh=True),
}


# ---- tailers ----

def rewind(s: Scene) -> None:
    s.t.direction = "forward"
    s.t.seek_start()
    s.named.seek_start()


def reading(one: Callable[[tape.Tailer], Any], name: str = "t") -> Case:
    """A way of reading: interrupted, what it had not given is still to be had, once."""
    def call(s: Scene) -> None:
        s.state = []
        s.state.extend(one(getattr(s, name)))

    def after(s: Scene, interrupted: bool, result: Any) -> None:
        t = getattr(s, name)
        rest = list(t)
        assert s.state + rest == s.messages
        assert t.index == s.q.last_index + 1
        rewind(s)
    return Case(call, after, rewind)


def giving(one: Callable[[tape.Tailer, list[bytes]], Any], name: str = "t") -> Case:
    """The same of one that gives while it goes on."""
    def call(s: Scene) -> None:
        s.state = []
        one(getattr(s, name), s.state)
    return reading(one, name)._replace(call=call)  # type: ignore[arg-type]


def each(t: Any, got: list[bytes]) -> None:
    for message in t:
        got.append(message)


def by_next(t: tape.Tailer, got: list[bytes]) -> None:
    got.append(next(t))
    got.append(next(t))


def streamed(t: tape.Tailer, got: list[bytes]) -> None:
    async def some() -> None:
        async with t.stream() as messages:
            async for message in messages:
                got.append(message)
                if t.index > t.queue.last_index:
                    return
    asyncio.run(some())


def merged(t: tape.Tailer, got: list[bytes]) -> None:
    for _, message in tape.merge(t, timeout=0):
        got.append(message)


def waited(t: tape.Tailer, got: list[bytes]) -> None:
    """The last one was not there when it began to wait."""
    got.extend(t.read_many(100))
    assert t.read(timeout=0.002) is None
    assert t.read_many(5, timeout=0.002) == []


def moving(call: Callable[[tape.Tailer], Any], *places: int) -> Case:
    """A call that moves: it stands where it stood or where it was sent, and reads on from there."""
    def ready(s: Scene) -> None:
        s.t.direction = "forward"
        s.t.seek(s.indexes[1])

    def after(s: Scene, interrupted: bool, result: Any) -> None:
        s.t.direction = "forward"
        at = s.t.index
        ends = [s.indexes[n] for n in places] + [s.q.last_index + 1]
        assert at in ([s.indexes[1], *ends] if interrupted else ends)
        assert list(s.t) == s.messages[s.indexes.index(at) if at in s.indexes else 99999:]
        ready(s)
    return Case(lambda s: call(s.t), after, ready)


def committed(s: Scene, interrupted: bool, result: Any) -> None:
    """The old position, or the new one; another commit stores the new one."""
    stored = s.q.tailers()[NAME]
    assert stored in ({s.indexes[2], s.indexes[4]} if interrupted else {s.indexes[4]})
    s.state.commit()
    assert s.q.tailers()[NAME] == s.indexes[4]
    stand_at_four(s)


def stand_at_four(s: Scene) -> None:
    if s.state is None:
        s.named.close()
        s.state = s.q.tailer(NAME, commit="manual")
    s.state.seek(s.indexes[2])
    s.state.commit()
    s.state.seek(s.indexes[4])


def gone(s: Scene, interrupted: bool, result: Any) -> None:
    """Closing again ends it; the name is free."""
    s.named.close()
    assert s.named.closed
    s.named = s.q.tailer(NAME)


def backward(t: tape.Tailer) -> None:
    t.direction = "backward"


def poll(s: Scene, interrupted: bool, result: Any) -> None:
    s.t.poll_interval = 0.05
    assert s.t.poll_interval == 0.05


def set_poll(s: Scene) -> None:
    s.t.poll_interval = 0.01


TAILER = {
    "Tailer.read": reading(lambda t: [t.read()]),
    "Tailer.read: named": reading(lambda t: [t.read()], "named"),
    "Tailer.get": reading(lambda t: [t.get(timeout=1)]),
    "Tailer.get: named": reading(lambda t: [t.get(timeout=1)], "named"),
    "Tailer.read_entry": reading(lambda t: [t.read_entry().value]),  # type: ignore[union-attr]
    "Tailer.read_many": reading(lambda t: t.read_many(4)),
    "Tailer.read_many: named": reading(lambda t: t.read_many(4), "named"),
    "Tailer.read_raw": reading(lambda t: cut(*t.read_raw(4))),
    "Tailer.read_raw: named": reading(lambda t: cut(*t.read_raw(4)), "named"),
    "Tailer.read_columns": reading(lambda t: t.read_columns("S3", 2).tolist()),
    "Tailer.__next__": giving(by_next),
    "Tailer.__iter__": giving(each),
    "Tailer.__iter__: named": giving(each, "named"),
    "Tailer.entries": giving(lambda t, got: each((e.value for e in t.entries()), got)),
    "Tailer.follow": giving(lambda t, got: each(t.follow(timeout=0.001), got)),
    "Tailer.follow: named": giving(lambda t, got: each(t.follow(timeout=0.001), got), "named"),
    "Tailer.stream": giving(streamed)._replace(kind=KeyboardInterrupt),
    "Tailer.stream: named": giving(streamed, "named")._replace(kind=KeyboardInterrupt),
    "tape.merge": giving(merged),
    "tape.merge: named": giving(merged, "named"),
    "waiting": giving(waited),
    "waiting: named": giving(waited, "named"),
    "Tailer.__reversed__": same(lambda s: len(list(reversed(s.named)))),
    "tape.replay": same(lambda s: list(tape.replay(s.q, float("inf")))),
    "Tailer.skip": moving(lambda t: t.skip(3), 4),
    "Tailer.seek": moving(lambda t: t.seek(t.index + 1), 2),
    "Tailer.seek: by time": moving(lambda t: t.seek(LATER), 3),
    "Tailer.seek_by": moving(lambda t: t.seek_by(bytes, b"1.1"), 4),
    "Tailer.seek_start": moving(lambda t: t.seek_start(), 0),
    "Tailer.seek_end": moving(lambda t: t.seek_end()),
    "Tailer.direction": moving(backward, 1),
    "Tailer.index": same(lambda s: s.t.index),
    "Tailer.last_read": same(lambda s: s.t.last_read),
    "Tailer.closed": same(lambda s: s.t.closed),
    "Tailer.codec": same(lambda s: s.t.codec),
    "Tailer.poll_interval": Case(set_poll, poll),
    "Tailer.fileno": same(lambda s: s.t.fileno()),
    "Tailer.lag": same(lambda s: s.t.lag().messages),
    "Tailer.info": same(lambda s: s.t.info().lag_messages),
    "Tailer.commit": Case(lambda s: s.state.commit(), committed, stand_at_four),
    "Tailer.close": Case(lambda s: s.named.close(), gone),
}


def cut(buffer: bytes, offsets: Any) -> list[bytes]:
    return [buffer[a:b] for a, b in zip(offsets, offsets[1:], strict=False)]


CASES = {**QUEUE, **APPENDER, **TAILER}
#: What is no call of tape's Python: plain attributes, set when the object was made.
PLAIN = {"Queue": {"codec", "durability", "epoch", "path", "roll_cycle", "source_id"},
         "Appender": {"codec", "durability", "framing", "queue"}, "Tailer": {"id", "queue"},
         "tape": {"ALL", "NOTHING"}}


def test_every_public_call_is_interrupted_here() -> None:
    """By the list of public names, so that a new one cannot be forgotten."""
    have = {name.split(":")[0] for name in CASES}
    for line in PUBLIC.read_text().splitlines():
        name = line.split("(")[0].split(":")[0].removeprefix("tape.")
        owner, _, call = name.rpartition(".")
        if owner in ("Queue", "Appender", "Tailer"):
            assert call in PLAIN[owner] or name in have, name
        elif owner == "" and line.startswith("tape.") and "(" in line and name[0].islower():
            assert f"tape.{name}" in have, name


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # in __del__
@pytest.mark.parametrize("name", CASES)
def test_an_interrupt_wedges_loses_and_doubles_nothing(
        name: str, tmp_path: Path, report: Callable[[str], None],
        monkeypatch: pytest.MonkeyPatch) -> None:
    """At each step; then the same call succeeds, and what is there is right."""
    monkeypatch.setattr("tape.retention.os", Alone())
    case = CASES[name]
    kind = SoftLimit if "named" in name else case.kind
    scenes: list[Scene] = []
    numbers, count = itertools.count(), 0

    def renew() -> None:
        scenes.append(Scene(tmp_path / f"q{next(numbers)}"))
        if case.ready:
            case.ready(scenes[-1])

    def judge(interrupted: bool, result: Any, where: str) -> None:
        nonlocal count
        count += bool(where)
        s = scenes[-1]
        assert interrupted or not where, f"the interrupt at {where} was swallowed"
        try:
            if case.after:
                case.after(s, interrupted, result)
            if case.fresh:
                s.sound()
                scenes.pop().close()
                renew()
        except BaseException as error:
            error.args = (f"interrupted at {where or 'no step'}: {error}", *error.args[1:])
            raise

    renew()
    steps = at_every_step(lambda: case.call(scenes[-1]), judge, kind=kind,
                          few=FEW // 3 if case.fresh else FEW)
    last = scenes.pop()
    if not case.fresh:
        last.sound()
    last.close()
    assert steps > 0 or have_lanes or name.startswith(("Queue.read_only", "Tailer.c"))
    report(f"{count} interrupts at {steps} steps, {'lanes' if have_lanes else 'pure'}")
