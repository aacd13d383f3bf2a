"""One directory, two implementations: each reads what the other wrote, and continues it."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

import tape
from tape.codecs import raw
from tape.codecs.fressian import kw

from tests.kit.clocks import SetClock
from tests.kit.jvm_peer import JvmError, JvmQueue, Message, Peer, payload
from tests.kit.live_records import errors_in

pytestmark = pytest.mark.jvm

T0 = 1_600_000_000_000  # a whole second; with TEST_SECONDLY its cycle is 1_600_000_000
DAY = 86_400_000
BOUNDARIES = [0, 1, 2, 3, 4, 5, 6, 7, 8, *range(250, 262), *range(65525, 65545), 100_000]


class Both:
    """A queue that is open in tape and in the JVM; what was written is remembered."""

    def __init__(self, q: tape.Queue, jq: JvmQueue, clock: SetClock) -> None:
        self.q, self.jq, self.clock = q, jq, clock
        self.appender, self.java = q.appender(), jq.appender()
        self.written: dict[int, bytes] = {}
        self.java_counts = True

    def set_clock(self, ms: int) -> None:
        self.clock.ms = ms
        self.jq.set_clock(ms)

    def by_tape(self, *messages: bytes) -> list[int]:
        indexes = [self.appender.write(data) for data in messages]
        self.written.update(zip(indexes, messages, strict=True))
        return indexes

    def by_java(self, count: int, sizes: list[int], seed: int) -> list[int]:
        indexes = self.java.append_many(count, sizes, seed)
        self.written.update((index, payload(seed, n, sizes[n % len(sizes)]))
                            for n, index in enumerate(indexes))
        return indexes

    def assert_same(self) -> None:
        """Both read all that was written, in its order, and count the same."""
        crcs = [(i, "tape", len(m), zlib.crc32(m)) for i, m in self.written.items()]
        assert [(e.index, e.value) for e in self.q.tailer().entries()] == [*self.written.items()]
        seen = self.jq.tailer().digest()
        assert [(d.index, d.kind, d.length, d.crc32) for d in seen] == crcs
        self.jq.refresh()
        indexes = list(self.written)
        assert self.q.first_index == self.jq.first_index() == indexes[0]
        assert self.q.last_index == self.jq.last_index() == indexes[-1]
        if not self.java_counts:
            return
        assert self.jq.entry_count() == len(indexes)
        assert self.jq.count_excerpts(indexes[0], indexes[-1]) == len(indexes) - 1


@pytest.fixture
def both(tmp_path: Path, peer: Peer):
    """``both(roll_cycle, first="tape")`` opens a queue in both; ``first`` is who makes it."""
    opened: list[Both] = []

    def make(roll_cycle: str, first: str = "tape", *, java: dict[str, object] | None = None,
             **options: object) -> Both:
        path, clock = tmp_path / f"q{len(opened)}", SetClock(T0)

        def open_in_java() -> JvmQueue:
            return peer.open(path, clock=T0, roll_cycle=roll_cycle, **(java or {}))

        jq = open_in_java() if first == "java" else None
        if jq is not None:
            jq.appender().close()  # Java makes the directory's files when it is first needed
        q = tape.open(path, codec=raw, clock=clock, roll_cycle=roll_cycle, **options)
        opened.append(Both(q, jq or open_in_java(), clock))
        return opened[-1]

    yield make
    for b in opened:
        b.jq.close()
        b.q.close()
        assert errors_in(Path(b.q.path)) == []


Make = Callable[..., Both]


# ---- what is refused, not there, or not ours

def test_a_held_append_lock_stops_both(both: Make) -> None:
    """While a replication sink holds the append lock nobody appends; afterwards both do."""
    b = both("FAST_DAILY")
    b.by_tape(b"before")
    b.jq.append_lock()
    with pytest.raises(tape.AppendsDisabled):
        b.appender.write(b"refused")
    with pytest.raises(JvmError, match="unable to append"):
        b.java.append(b"refused")
    b.jq.append_unlock()
    b.by_tape(b"after")
    b.by_java(1, [10], 1)
    b.assert_same()


def test_a_write_lock_held_by_java_is_waited_for(both: Make) -> None:
    """A live holder is never robbed: LockTimeout names it; once it lets go, tape writes."""
    b = both("FAST_DAILY", lock_timeout=0.3, stale_after=0.05)
    b.jq.lock()
    with pytest.raises(tape.LockTimeout) as caught:
        b.appender.write(b"waits")
    assert caught.value.holder_pid == b.jq.peer.pid and caught.value.holder_alive
    b.jq.unlock()
    b.by_tape(b"goes on")
    b.assert_same()


def test_missing_indexes_are_missing_for_both(both: Make) -> None:
    """The one after the last, far ones and other cycles: false; tape then waits where Java does."""
    b = both("TEST_SECONDLY")
    first = b.by_tape(b"one", b"two")[0]
    b.set_clock(T0 + 3000)
    last = b.by_tape(b"three")[0]
    for index in (last + 1, last + 2, last + 1000, first + 2, first + 3, first - 1, 0,
                  last + (1 << 32), first + (1 << 32), (1 << 63) - 1):
        t, jt = b.q.tailer(), b.jq.tailer()
        assert not t.seek(index), hex(index)
        assert not jt.move_to_index(index), hex(index)
        with pytest.raises(tape.IndexNotFound):
            b.q.tailer().seek(index, strict=True)
        # "absent for ever" after a move beyond the end is Java's; tape stays where it was.
        if index not in (last + 2, last + 1000, first + 3):
            java = jt.read()
            entry = t.read_entry()
            if index == first + 2:  # the end of a finished cycle: both go on to the next one
                java = java or jt.read()
            assert (entry and entry.index) == (java and java.index), hex(index)


def test_bodies_of_other_kinds_are_met_sanely(both: Make) -> None:
    """What is no bytes() of Java's gives a DecodeError with index and raw; skip() passes."""
    b = both("FAST_DAILY", "java")
    b.java.write_meta(b"metadata has no index")
    first = b.java.append(b"ours")
    foreign = [b.java.write_bytes(b"\xff\x00 raw"), b.java.write_text("grüß dich"),
               b.java.write_text(None), b.java.write_document(k="v", n=5, x=1.5, b=b"\x01", t=True),
               b.java.write_bytes(b"")]
    b.java.write_meta(b"x" * 100)
    foreign += [b.java.say("hello"), b.java.ping()]
    last = b.java.append(b"")
    assert [first, *foreign, last] == list(range(first, first + 9))
    bodies = {m.index: m.data for m in b.jq.tailer().read_all()}
    t = b.q.tailer()
    assert t.read() == b"ours"
    for index in foreign:
        for _ in range(2):  # it stays where it is
            with pytest.raises(tape.DecodeError) as caught:
                t.read()
            assert (caught.value.index, caught.value.raw) == (index, bodies[index])
        assert t.skip() == 1
    assert t.read_entry() == (last, b"", b"")
    assert t.read() is None
    assert b.appender.write(b"goes on") == last + 1
    assert b.jq.tailer().read_all()[-1] == Message(last + 1, "tape", b"goes on")


# ---- bodies of every size

@pytest.mark.parametrize("first", ["tape", "java"])
def test_each_boundary_of_the_framing_is_read_by_both(both: Make, first: str) -> None:
    """Sizes at which a length prefix or the padding changes, written by each, read by both."""
    b = both("FAST_DAILY", first)
    for n, size in enumerate(BOUNDARIES):
        b.by_tape(payload(n, n, size))
        b.by_java(1, [size], n)
    b.assert_same()
    assert b.jq.tailer().read_many(3)[2].data == payload(1, 1, 1)


def test_large_messages_pass_both_ways(both: Make) -> None:
    """Up to 15 MiB in both directions, past the end of Java's mapped block; 17 MiB is refused."""
    b = both("FAST_DAILY")
    mib = 1 << 20
    with pytest.raises(tape.MessageTooLarge):
        b.appender.write(bytes(17 * mib))
    for n, size in enumerate([mib - 1, mib, 4 * mib + 3, 15 * mib, 7, 15 * mib]):
        b.by_tape(payload(n, n, size))
        b.by_java(1, [size], n)
    b.assert_same()


@pytest.mark.parametrize("first", ["tape", "java"])
def test_messages_made_in_place_and_cut_are_read_by_java(both: Make, first: str) -> None:
    """writing() and truncate(): the frame keeps the prefix that was reserved (4, 5 or 7 bytes) with
    any shorter length, and what was not used is passed over; Java writes on behind it."""
    b = both("FAST_DAILY", first)
    for reserved in (0, 1, 250, 254, 255, 300, 65533, 65534, 65535, 100_000):
        for used in {n for n in (0, 1, 3, 249, 254, 255, 1000, 65534, 65535, reserved)
                     if n <= reserved}:
            message = bytes(n * 7 & 0xFF for n in range(used))
            with b.appender.writing(reserved) as w:
                assert w.buffer is not None
                w.buffer[:] = b"\xEE" * reserved
                w.buffer[:used] = message
                w.truncate(used)
            assert w.index is not None
            b.written[w.index] = message
        b.by_java(2, [used], seed=reserved)
    b.by_tape(*(bytes(n) for n in (0, 1, 300)))
    many = [b"a" * n for n in (0, 1, 254, 255, 65535, 3)]
    b.written.update(zip(b.appender.write_many(many), many, strict=True))
    b.assert_same()


def test_each_enlarges_a_file_by_its_own_step(both: Make) -> None:
    """Java enlarges the file by 1 MiB, tape by its default, in turns."""
    b = both("FAST_DAILY", "java", java={"block_size": 1 << 20})
    for turn in range(30):
        b.by_java(20, [200, 40_000], turn)
        b.by_tape(*(payload(turn, n, 30_000) for n in range(20)))
    b.assert_same()
    b = both("FAST_DAILY", block_size=1 << 20)
    for turn in range(30):
        b.by_tape(*(payload(turn, n, 30_000) for n in range(20)))
        b.by_java(20, [200, 40_000], turn)
    b.assert_same()


# ---- many messages, index pages and cycles

@pytest.mark.parametrize("first", ["tape", "java"])
@pytest.mark.parametrize(("roll_cycle", "step", "per_cycle"), [
    ("TEST4_SECONDLY", 1000, 700),   # a page holds 128 messages
    ("TEST8_DAILY", DAY, 2500),      # 1,024
    ("FAST_DAILY", DAY, 1500),       # 1,048,576; an entry for every 256th
])
def test_writers_may_take_turns_over_pages_and_cycles(both: Make, report: Callable[[str], None],
                                           roll_cycle: str, step: int, per_cycle: int,
                                           first: str) -> None:
    """tape and Java write in turns over five cycles; 500 random indexes are found by both."""
    b, chance = both(roll_cycle, first), random.Random(roll_cycle)
    for cycle in range(5):
        b.set_clock(T0 + (cycle + cycle // 3) * step)  # one cycle is left out
        turn = 0
        while len(b.written) < (cycle + 1) * per_cycle:
            turn += 1
            count = chance.choice([1, 1, 2, 5, 20, 130])
            if (turn + cycle + (first == "tape")) % 2:  # who makes the cycle's file changes
                b.by_java(count, [0, 3, 60, 250], turn)
            else:
                b.by_tape(*(payload(turn, n, 5 + 7 * n) for n in range(count)))
    b.assert_same()
    indexes = list(b.written)
    shift = b.q.roll_cycle.shift
    assert len({index >> shift for index in indexes}) == 5 and len(indexes) >= 3000
    for cycle in {index >> shift for index in indexes}:
        assert b.jq.tailer().excerpts_in_cycle(cycle) == sum(i >> shift == cycle for i in indexes)
    chosen = chance.sample(indexes, 500)
    assert b.jq.tailer().move_many(chosen) == [(i, zlib.crc32(b.written[i])) for i in chosen]
    t = b.q.tailer()
    for index in chosen:
        assert t.seek(index) and t.index == index and t.read() == b.written[index]
        assert t.last_read == index
    for count in (1, 50):  # both go on after all the seeking
        b.by_tape(*[b"x"] * count)
        b.by_java(count, [9], 9)
    b.assert_same()
    report(f"{roll_cycle}, made by {first}: {len(b.written)} messages, 5 cycles, 500 seeks agree")


def test_each_continues_what_the_other_closed(tmp_path: Path, peer: Peer) -> None:
    """Each opens a queue that the other made and closed, appends, and closes it; in turns."""
    path, clock = tmp_path / "q", SetClock(T0)
    written: list[int] = []
    for turn in range(6):
        clock.ms = T0 + turn // 2 * 1000  # two turns in each cycle
        if turn % 2:
            with tape.open(path, codec=raw, clock=clock) as q:
                assert q.roll_cycle.name == "TEST_SECONDLY"
                written += [q.appender().write(b"%d" % n) for n in range(10)]
        else:
            with peer.open(path, clock=clock.ms, roll_cycle="TEST_SECONDLY") as jq:
                written += jq.appender().append_many(10, 20, turn)
        assert errors_in(path) == []
    with tape.open(path, codec=raw, clock=clock) as q:
        assert [e.index for e in q.tailer().entries()] == written
    assert [i & 0xFFFFFFFF for i in written] == [*range(20)] * 3


@pytest.mark.parametrize("first", ["tape", "java"])
@pytest.mark.parametrize("epoch", [75_600_000, 10_800_000, -3_600_000, 90_000_000])
def test_with_an_epoch_both_take_the_same_cycle(both: Make, epoch: int, first: str) -> None:
    """With an epoch both take the same cycle and the same file name."""
    b = both("FAST_DAILY", first, java={"epoch": epoch}, epoch=epoch)
    # Java's counting throws for such an epoch, in a queue of its own just the same.
    b.java_counts = 0 <= epoch < DAY
    for day in range(3):
        b.set_clock(T0 + day * DAY)
        indexes = b.by_tape(b"t") + b.by_java(1, [3], day)
        cycle = indexes[0] >> 32
        assert cycle == indexes[1] >> 32 == b.jq.current_cycle()
        assert Path(b.q.locate(indexes[0]).path).name == b.jq.cycle_file(cycle)
    b.assert_same()


# ---- values

def test_the_default_codec_reads_data_fressian_and_the_reverse(tmp_path: Path, peer: Peer) -> None:
    """The default codec reads what Clojure wrote with data.fressian, and the reverse."""
    values = {"{:foo [:bar {:baz 0}]}": {kw.foo: [kw.bar, {kw.baz: 0}]},
              "nil": None, "true": True, "-1": -1, "9223372036854775807": 2**63 - 1,
              "1.5": 1.5, '"grüß dich 😀"': "grüß dich 😀", '#bytes "00ff"': b"\x00\xff",
              "[]": [], "{}": {}, "[1 [2 [3]]]": [1, [2, [3]]]}
    with peer.open(tmp_path / "q", roll_cycle="FAST_DAILY") as jq, \
            tape.open(tmp_path / "q") as q:
        java, reader, t = jq.appender(), jq.tailer(), q.tailer()
        for edn, value in values.items():
            index = java.tape_write(edn)
            entry = t.read_entry()
            assert entry is not None and (entry.index, entry.value) == (index, value), edn
            # What tape read it writes back; keywords stay keywords.
            again = q.appender().write(entry.value)
            assert t.read() == value
            printed = peer.edn(peer.fressian(edn))
            assert [reader.tape_read(), reader.tape_read()] == [(index, printed),
                                                                (again, printed)]
