"""Every position: backward, turning, named tailers, counts, seeking by time and key."""

from __future__ import annotations

import datetime
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock

START = 1_700_000_000  # a second, in cycles of TEST4_SECONDLY


class Filled:
    """A queue with messages over cycles and gaps, and what a list says about it."""

    def __init__(self, path: Path) -> None:
        self.clock = SetClock(START * 1000)
        self.q = tape.open(path, codec=raw, roll_cycle="TEST4_SECONDLY", clock=self.clock)
        self.a = self.q.appender()
        self.indexes: list[int] = []
        self.messages: list[bytes] = []
        for second, count in ((0, 300), (1, 1), (4, 150), (5, 2), (9, 40)):
            self.clock.ms = (START + second) * 1000
            for n in range(count):
                self.messages.append(b"%d.%d" % (second, n))
                self.indexes.append(self.a.write(self.messages[-1]))


@pytest.fixture
def filled(tmp_path: Path):
    f = Filled(tmp_path / "q")
    assert [(e.index, e.value) for e in f.q.tailer().entries()] == [
        *zip(f.indexes, f.messages, strict=True)]
    yield f
    f.q.close()


# ---- backward ----

def test_backward_over_everything(filled: Filled) -> None:
    """From the end to the start, over cycles, gaps and index pages."""
    t = filled.q.tailer(direction="backward").seek_end()
    entries = list(t.entries())
    assert [e.value for e in entries] == filled.messages[::-1]
    assert [e.index for e in entries] == filled.indexes[::-1]
    assert t.read() is None and t.index == filled.indexes[0] - 1
    assert list(reversed(filled.q.tailer().seek_end())) == filled.messages[::-1]


def test_backward_from_any_place(filled: Filled) -> None:
    """seek() then backward gives that message and those before it."""
    t = filled.q.tailer(direction="backward")
    for place in random.Random(3).sample(range(len(filled.indexes)), 60):
        assert t.seek(filled.indexes[place])
        assert t.read_many(5) == filled.messages[max(0, place - 4):place + 1][::-1]


def test_turning_round(filled: Filled) -> None:
    """A turned tailer reads the message at `index`; a random walk agrees with a list."""
    chance = random.Random(4)
    t, place, step = filled.q.tailer(), 0, 1
    last = len(filled.messages)
    for _ in range(3000):
        if chance.random() < 0.1:
            step = -step
            t.direction = "forward" if step == 1 else "backward"
            place = min(max(place, 0), last if step == 1 else last - 1)
        expected = filled.messages[place] if 0 <= place < last else None
        if expected is not None:
            assert t.index == filled.indexes[place]
        assert t.read() == expected
        if expected is not None:
            place += step


def test_a_fresh_tailer_turned_backward(filled: Filled) -> None:
    """It stands before the first message, so it reads that one and no more."""
    assert list(filled.q.tailer(direction="backward")) == filled.messages[:1]


def test_backward_at_a_growing_end(filled: Filled) -> None:
    """What comes after the turn is found by turning again."""
    t = filled.q.tailer(direction="backward").seek_end()
    assert t.read() == filled.messages[-1]
    filled.a.write(b"new")
    assert t.seek_end().read() == b"new"
    t.direction = "forward"
    assert list(t) == [filled.messages[-1], b"new"]


def test_reversed_leaves_the_tailer_where_it_is(filled: Filled) -> None:
    """reversed(t) gives what t has read, newest first, by a position of its own."""
    t = filled.q.tailer()
    t.read_many(5)
    assert list(reversed(t)) == filled.messages[:5][::-1]
    assert t.read() == filled.messages[5]
    assert list(reversed(filled.q.tailer())) == []


def test_directions_have_names(filled: Filled) -> None:
    """Anything else is a ValueError, and leaves the direction as it was."""
    with pytest.raises(ValueError):
        filled.q.tailer(direction="sideways")
    t = filled.q.tailer()
    for name in ("forward", "backward"):
        t.direction = name
        with pytest.raises(ValueError):
            t.direction = "sideways"
        assert t.direction == t.info().direction == name


# ---- counts ----

def test_counts(filled: Filled) -> None:
    """len and count agree with the list, for existing indexes and others."""
    q, indexes = filled.q, filled.indexes
    assert len(q) == len(indexes)
    chance = random.Random(5)
    for _ in range(200):
        a, b = (chance.choice(indexes) + chance.choice((0, 0, 1, -1, 7)) for _ in range(2))
        assert q.count(a, b) == sum(a <= i < b for i in indexes)
    assert q.count(0, (1 << 63) - 1) == len(indexes)
    with pytest.raises(ValueError):
        q.count(-1, 5)


def test_cycles(filled: Filled) -> None:
    """Each file with its count and state."""
    found = filled.q.cycles()
    assert [(c.cycle - START, c.count, c.state) for c in found] == [
        (0, 300, "finished"), (1, 1, "finished"), (4, 150, "finished"), (5, 2, "finished"),
        (9, 40, "open")]
    assert all(c.bytes_on_disk < 4 << 20 < c.bytes for c in found)
    assert sum(c.count for c in found) == len(filled.q)


# ---- time and key ----

def test_seek_by_time(filled: Filled) -> None:
    """The first message of that time's cycle, or of the next that has one."""
    t = filled.q.tailer()
    for second, expected in ((0, b"0.0"), (1, b"1.0"), (2, b"4.0"), (4, b"4.0"), (9, b"9.0")):
        when = datetime.datetime.fromtimestamp(START + second, datetime.timezone.utc)
        assert t.seek(when) and t.read() == expected
    late = datetime.datetime.fromtimestamp(START + 99, datetime.timezone.utc)
    assert not t.seek(late) and t.read() is None
    with pytest.raises(ValueError):
        t.seek(datetime.datetime(2024, 1, 1))
    with pytest.raises(tape.IndexNotFound):
        t.seek(late, strict=True)


def test_seek_by_key(filled: Filled) -> None:
    """Binary search finds the first message that is not below the target."""
    def key(message: bytes) -> tuple[int, ...]:
        return tuple(map(int, message.split(b".")))

    t = filled.q.tailer()
    for target in ((0, 0), (0, 299), (0, 300), (2, 0), (4, 77), (9, 39)):
        expected = next(m for m in filled.messages if key(m) >= target)
        assert t.seek_by(key, target) and t.read() == expected
    assert not t.seek_by(key, (9, 40)) and t.read() is None


def test_start(filled: Filled) -> None:
    """Where a new tailer begins."""
    q = filled.q
    assert q.tailer(start="start").read() == filled.messages[0]
    assert q.tailer(start="end").read() is None
    assert q.tailer(start=filled.indexes[77]).read() == filled.messages[77]
    when = datetime.datetime.fromtimestamp(START + 4, datetime.timezone.utc)
    assert q.tailer(start=when).read() == b"4.0"
    with pytest.raises(ValueError):
        q.tailer(start="middle")


# ---- named tailers ----

def test_a_name_survives_restarts(filled: Filled, tmp_path: Path) -> None:
    """Each message once over ten restarts of the tailer, in the end of the queue, too."""
    got = []
    for restart in range(10):
        if restart == 5:
            filled.q.close()
            filled.q = tape.open(tmp_path / "q", codec=raw, clock=filled.clock)
        with filled.q.tailer("billing") as t:
            got += t.read_many(60)
    assert got == filled.messages
    filled.q.close()
    with tape.open(tmp_path / "q", codec=raw, clock=filled.clock) as q:
        assert q.tailers() == {"billing": filled.indexes[-1] + 1}
        t = q.tailer("BILLING", start="start")  # as in Java, case is ignored
        assert t.read() is None
        q.appender().write(b"more")
        assert t.read() == b"more"


def test_a_loop_repeats_what_its_body_did_not_finish(filled: Filled) -> None:
    """Iteration stores n when n+1 is asked for: a crash in the body repeats n."""
    with filled.q.tailer("loop") as t:
        for place, message in enumerate(t):
            assert message == filled.messages[place]
            if place == 5:
                break  # the body of 5 did not finish
        assert filled.q.tailers()["loop"] == filled.indexes[5]
    with filled.q.tailer("loop") as t:
        assert list(t) == filled.messages[5:]
        assert filled.q.tailers()["loop"] == filled.indexes[-1] + 1


def test_manual_commit(filled: Filled) -> None:
    """Only commit() stores; without a name it is an error."""
    t = filled.q.tailer("slow", commit="manual")
    t.read_many(10)
    list(t.entries(5))
    t.seek(filled.indexes[20])
    assert filled.q.tailers() == {"slow": 0}
    t.commit()
    assert filled.q.tailers() == {"slow": filled.indexes[20]} == {"slow": t.info().committed}
    with pytest.raises(tape.StateError):
        filled.q.tailer().commit()


def test_start_counts_only_while_nothing_is_stored(filled: Filled) -> None:
    """A stored position wins over start=."""
    with filled.q.tailer("s", start=filled.indexes[9]) as t:
        assert t.read() == filled.messages[9]
    assert filled.q.tailer("s", start="end").read() == filled.messages[10]


def test_two_holders_of_one_name(filled: Filled, tmp_path: Path) -> None:
    """On one host the second raises, in this process and in another; steal=True overrides."""
    t = filled.q.tailer("one")
    with pytest.raises(tape.TailerBusy):
        filled.q.tailer("ONE")
    code = ("import sys, tape\nq = tape.open(sys.argv[1], codec=tape.codecs.raw)\n"
            "try: q.tailer('one'); print('taken')\nexcept tape.TailerBusy: print('busy')\n"
            "print(q.tailer('one', steal=True).read())")
    run = [sys.executable, "-c", code, str(tmp_path / "q")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(run, capture_output=True, text=True, env=env, check=True).stdout == (
        "busy\nb'0.0'\n")
    t.close()
    assert subprocess.run(run, capture_output=True, text=True, env=env, check=True).stdout == (
        "taken\nb'0.1'\n")
    filled.q.tailer("one")


@pytest.mark.parametrize("name", ["", "a b", "x" * 256, "é\xff", "replicated", "a.b.lock"])
def test_odd_names(filled: Filled, name: str) -> None:
    """Empty, long, non-ASCII names keep their position."""
    with filled.q.tailer(name) as t:
        t.read()
    assert filled.q.tailer(name).read() == filled.messages[1]
    assert name in filled.q.tailers()


@pytest.mark.parametrize("name", ["x" * 257, "\u20ac", "a\0b"])
def test_names_that_cannot_be(filled: Filled, name: str) -> None:
    """Too long, beyond ISO-8859-1, or with NUL: a ValueError, and no key."""
    with pytest.raises(ValueError):
        filled.q.tailer(name)
    assert filled.q.tailers() == {}


def test_replicated_names_are_only_read(filled: Filled) -> None:
    """They belong to Java's replication."""
    with pytest.raises(tape.ReadOnlyQueue):
        filled.q.tailer("replicated:x")


def test_a_named_tailer_of_a_read_only_queue(filled: Filled, tmp_path: Path) -> None:
    """An existing name starts where it is stored and moves nothing; a new one is refused."""
    with filled.q.tailer("r") as t:
        t.read_many(3)
    with tape.open(tmp_path / "q", codec=raw, read_only=True) as q:
        t = q.tailer("r")
        assert t.read() == filled.messages[3]
        with pytest.raises(tape.ReadOnlyQueue):
            t.commit()
        with pytest.raises(tape.ReadOnlyQueue):
            q.tailer("new")
    assert filled.q.tailers() == {"r": filled.indexes[3]}


def test_a_deleted_cycle_is_a_gap(filled: Filled) -> None:
    """A stored position whose file is gone: told once, then on behind the gap; nothing twice."""
    for name in ("raise", "skip"):
        with filled.q.tailer(name) as t:
            t.read_many(10)
    os.unlink(filled.q.locate(filled.indexes[0]).path)
    t = filled.q.tailer("raise")
    with pytest.raises(tape.Gap) as caught:
        t.read()
    assert (caught.value.from_index, caught.value.to_index) == (
        filled.indexes[10], filled.indexes[300])
    assert list(t) == filled.messages[300:]
    assert list(filled.q.tailer("skip", on_gap="skip")) == filled.messages[300:]


def test_a_position_ahead_of_the_queue(filled: Filled) -> None:
    """A stored index that does not exist yet is waited for, as in Java."""
    t = filled.q.tailer("ahead", commit="manual")
    t.seek(filled.indexes[-1] + 1)
    t.commit()
    t.close()
    t = filled.q.tailer("ahead")
    assert t.read() is None
    filled.a.write(b"now")
    assert t.read() == b"now"


def test_decode_errors_do_not_move_a_name(filled: Filled) -> None:
    """A poison message stays next, also after a restart; skip() moves on."""
    for _ in range(2):
        with filled.q.tailer("poison", codec=tape.codecs.fressian) as t, \
                pytest.raises(tape.DecodeError):
            t.read()
    with filled.q.tailer("poison", codec=tape.codecs.fressian) as t:
        assert t.skip() == 1
    assert filled.q.tailer("poison").read() == filled.messages[1]


def test_on_error(filled: Filled) -> None:
    """"skip" passes what cannot be decoded; a callable is told, and may raise."""
    class Picky:
        name = "picky"

        def encode(self, obj: bytes) -> bytes:
            return obj

        def decode(self, view: memoryview) -> bytes:
            if view[0:1] != b"5":
                raise ValueError("not a five")
            return bytes(view)

    assert list(filled.q.tailer(codec=Picky(), on_error="skip")) == [b"5.0", b"5.1"]
    told: list[int] = []
    t = filled.q.tailer(codec=Picky(), on_error=lambda e: told.append(e.index))
    assert list(t) == [b"5.0", b"5.1"] and told == filled.indexes[:451] + filled.indexes[453:]

    def refuse(error: tape.DecodeError) -> None:
        raise KeyError(error.index)

    t = filled.q.tailer(codec=Picky(), on_error=refuse)
    for _ in range(2):
        with pytest.raises(KeyError):
            t.read()
    assert t.index == filled.indexes[0]
    with pytest.raises(ValueError):
        filled.q.tailer(on_error="ignore")


# ---- deleting ----

def test_delete(filled: Filled, tmp_path: Path) -> None:
    """Refused while open, by this process or another, and then nothing goes; foreign files stay."""
    path = tmp_path / "q"
    names = {p.name for p in path.iterdir()}
    with pytest.raises(tape.QueueBusy, match=str(os.getpid())):
        tape.delete(path)
    filled.q.close()
    code = "import sys, tape\nq = tape.open(sys.argv[1])\nprint('open', flush=True)\ninput()"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code, path], env=env, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(tape.QueueBusy, match=str(other.pid)):
            tape.delete(path)
        assert {p.name for p in path.iterdir()} == names
        other.communicate("\n")
    (path / "notes.txt").write_text("mine")
    tape.delete(path)
    assert [p.name for p in path.iterdir()] == ["notes.txt"]
    for bad in (path, path / "none"):
        with pytest.raises(tape.QueueNotFound):
            tape.delete(bad)


# ---- info ----

def test_info_counts_files(filled: Filled) -> None:
    """The facts of info() agree with cycles(), the clock and the table store."""
    info = filled.q.info()
    files = filled.q.cycles()
    assert (info.files, info.messages, info.bytes_on_disk) == (
        5, 493, sum(f.bytes_on_disk for f in files))
    assert info.cycle == START + 9 and info.durability == "os"
    assert (info.index_count, info.index_spacing) == (32, 4)
    assert info.last_index_replicated is None
    t = filled.q.tailer(start=filled.indexes[300])
    assert t.info().cycle == START + 1 and filled.a.info().cycle == START + 9


def test_max_mapped_bounds_the_window(tmp_path: Path) -> None:
    """A tailer with a small window reads all, and messages larger than it whole."""
    with tape.open(tmp_path / "q", codec=raw) as q:
        a = q.appender()
        for n in range(40):
            a.write(bytes([n]) * (100_000 if n % 7 else 900_000))
        t = q.tailer(max_mapped=1)
        for n in range(40):
            assert t.read() == bytes([n]) * (100_000 if n % 7 else 900_000)
            maps = Path("/proc/self/maps").read_text().splitlines()
            mine = [m.split()[0].split("-") for m in maps if str(tmp_path) in m and "r--s" in m]
            assert 0 < sum(int(end, 16) - int(begin, 16) for begin, end in mine) < 1_300_000
        with pytest.raises(ValueError):
            q.tailer(max_mapped=0)
