"""Named tailers, handed between Java and tape: one position, whoever moves it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.jvm_peer import JvmError, JvmQueue, Peer, payload

pytestmark = pytest.mark.jvm

START = 1_600_000_000  # a second, in cycles of TEST_SECONDLY
COUNT, ROLLS = 1000, 4
BLOCK = 1 << 20


class Both:
    """One directory, open in the JVM and here."""

    def __init__(self, peer: Peer, path: Path) -> None:
        self.clock = SetClock(START * 1000)
        self.java: JvmQueue = peer.open(path, roll_cycle="TEST_SECONDLY", clock=START * 1000,
                                        block_size=BLOCK)
        self.ours = tape.open(path, codec=raw, clock=self.clock, block_size=BLOCK)
        self.indexes: list[int] = []
        self.messages: list[bytes] = []

    def fill(self, count: int = COUNT, rolls: int = ROLLS) -> None:
        """Messages in turns by both, over so many rolls and one missing cycle."""
        theirs, mine = self.java.appender(), self.ours.appender()
        begun = self.clock.ms
        for n in range(count):
            part = n * (rolls + 1) // count
            self.clock.ms = begun + (part + (part > 2)) * 1000
            self.java.set_clock(self.clock.ms)
            message = payload(3, n, 16)
            self.indexes.append((theirs.append if n % 5 < 2 else mine.write)(message))
            self.messages.append(message)

    def stored(self, id: str) -> int:  # noqa: A002
        """The stored word, which both sides must see alike."""
        word = self.ours.tailers()[id]
        assert self.java.table()[f"index.{id}"] == word
        return word


@pytest.fixture
def both(own_peer: Peer, tmp_path: Path) -> Iterator[Both]:
    b = Both(own_peer, tmp_path / "q")
    yield b
    b.ours.close()
    b.java.close()


def read_java(b: Both, id: str, count: int) -> list[bytes]:  # noqa: A002
    """So many messages by a Java tailer of that name, which is then closed."""
    t = b.java.tailer(id)
    got = [m.data for m in t.read_many(count)]
    t.close()
    return got


def read_ours(b: Both, id: str, count: int, commit: str) -> list[bytes]:  # noqa: A002
    """So many messages by our tailer of that name, which is then closed."""
    with b.ours.tailer(id, commit=commit) as t:
        if commit == "auto":
            return t.read_many(count)
        got = t.read_many(count)
        t.commit()
        # One more is read and not stored: it comes again.
        assert t.read() is not None or t.last_read == b.indexes[-1]
        return got


@pytest.mark.parametrize("commit", ["auto", "manual"])
@pytest.mark.parametrize("turns", [(250,) * 4, (1, 199, 200, 1, 399, 7, 193), (37,) * 28])
def test_a_name_is_handed_from_one_to_the_other(
        both: Both, commit: str, turns: tuple[int, ...]) -> None:
    """JVM -> Python -> JVM -> Python: each of 1,000 messages over 4 rolls once, in order, and
    after each hand-over both sides see the same stored word."""
    both.fill()
    assert len({i >> 32 for i in both.indexes}) == ROLLS + 1
    got: list[bytes] = []
    for turn, count in enumerate(turns):
        got += (read_ours(both, "billing", count, commit) if turn % 2
                else read_java(both, "billing", count))
        done = len(got)
        assert got == both.messages[:done]
        assert both.stored("billing") == both.indexes[done - 1] + 1
    assert got == both.messages
    assert read_java(both, "billing", 9) == read_ours(both, "billing", 9, "auto") == []
    both.fill(10, 0)
    assert read_ours(both, "billing", 4, commit) == both.messages[COUNT:COUNT + 4]
    assert read_java(both, "billing", 9) == both.messages[COUNT + 4:]


def test_case_of_names_is_ignored(both: Both) -> None:
    """One position under Billing, BILLING and billing, as the first who made it spelt it."""
    both.fill(40, 1)
    assert read_java(both, "Billing", 3) == both.messages[:3]
    assert read_ours(both, "BILLING", 3, "auto") == both.messages[3:6]
    assert read_java(both, "billing", 3) == both.messages[6:9]
    assert both.ours.tailers() == {"Billing": both.indexes[9]}
    assert [k for k in both.java.table() if k.lower().startswith("index.")] == ["index.Billing"]


@pytest.mark.parametrize("id", ["x", "a b", "a.lock.b", "replicated", "1", "x" * 114,
                                "semi;colon=\"quoted\"", "\u00e9t\u00e9", "index.x", "A-B_c/d"])
def test_odd_names_mean_the_same_key(both: Both, id: str) -> None:  # noqa: A002
    """Odd names mean the same key to both sides, whoever makes it first."""
    both.fill(30, 1)
    for name, first, second in ((id, read_java, read_ours), (id + "2", read_ours, read_java)):
        extra = {read_java: (), read_ours: ("auto",)}
        assert first(both, name, 4, *extra[first]) == both.messages[:4]
        assert second(both, name, 4, *extra[second]) == both.messages[4:8]
        assert both.stored(name) == both.indexes[8]


def test_java_reads_and_moves_long_names_that_tape_made(own_peer: Peer, tmp_path: Path) -> None:
    """Java cannot make a key for more than 115 characters: its table store entries end at 128
    bytes (since 2026.4: 242, at 256), and the queue object that tried is of no use any more. A key
    for up to 256 that tape made is read, moved and listed by Java like any other."""
    longest = 242 if own_peer.release >= (2026, 4) else 115
    tried = Both(own_peer, tmp_path / "tried")
    tried.fill(5, 0)
    assert read_java(tried, "i" * longest, 1) == tried.messages[:1]
    assert read_ours(tried, "i" * longest, 1, "auto") == tried.messages[1:2]
    with pytest.raises(JvmError):
        read_java(tried, "j" * (longest + 1), 1)
    tried.ours.close()
    b = Both(own_peer, tmp_path / "q")
    b.fill(30, 1)
    for length in (115, 116, 256):
        name = "o" * length
        assert read_ours(b, name, 3, "auto") == b.messages[:3]
        assert read_java(b, name, 3) == b.messages[3:6]
        assert b.stored(name) == b.indexes[6]
    assert b.java.table() == b.ours.table()
    b.ours.close()
    b.java.close()


def test_keys_are_listed_alike(both: Both) -> None:
    """Every word of the table store, positions included, has one value on both sides."""
    both.fill(30, 1)
    for n, name in enumerate(("a", "b", "C")):
        (read_java if n % 2 else read_ours)(both, name, n + 2, *(() if n % 2 else ("auto",)))
    assert both.java.table() == both.ours.table()
    assert both.ours.tailers() == {"a": both.indexes[2], "b": both.indexes[3], "C": both.indexes[4]}


def test_metadata_documents_take_no_place(both: Both) -> None:
    """Metadata documents between messages change no index, count or stored position."""
    theirs, mine = both.java.appender(), both.ours.appender()
    for n in range(30):
        theirs.write_meta(b"\xc1m\xe1%d" % (n % 10))
        both.indexes.append((theirs.append if n % 3 else mine.write)(b"%d" % n))
        both.messages.append(b"%d" % n)
    assert both.indexes == list(range(both.indexes[0], both.indexes[0] + 30))
    assert len(both.ours) == both.java.entry_count() == 30
    got: list[bytes] = []
    for turn in range(6):
        got += (read_ours(both, "m", 5, "manual") if turn % 2 else read_java(both, "m", 5))
        assert both.stored("m") == both.indexes[0] + len(got)
    assert got == both.messages
    assert list(both.ours.tailer(start="end", direction="backward")) == got[::-1]


def test_both_at_once_is_not_prevented(both: Both) -> None:
    """Java knows nothing of who has a name: a Java tailer that is open moves the word under ours,
    which goes on from where it stands itself, and stores that."""
    both.fill(30, 1)
    with both.ours.tailer("shared") as t:
        assert t.read() == both.messages[0]
        assert read_java(both, "shared", 5) == both.messages[1:6]
        assert both.stored("shared") == both.indexes[6]
        assert t.read() == both.messages[1]
    assert both.stored("shared") == both.indexes[2]
