"""Queue, Appender and Tailer as Python sees them."""

from __future__ import annotations

import gc
import os
import re
import threading
import time
import warnings
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock

CYCLE = 1_700_000_000  # a second, in cycles of TEST_SECONDLY


@pytest.fixture
def clock() -> SetClock:
    return SetClock(CYCLE * 1000)


@pytest.fixture
def q(tmp_path: Path, clock: SetClock):
    with tape.open(tmp_path / "q", codec=raw, roll_cycle="TEST_SECONDLY", clock=clock) as queue:
        yield queue


# ---- closing ----

def test_closed_things_say_what_closed_them(tmp_path: Path) -> None:
    """Later use raises QueueClosed with what closed it and when; closing again is nothing."""
    q = tape.open(tmp_path)
    a, t = q.appender(), q.tailer()
    a.write(1)
    q.close()
    q.close()
    for use in (lambda: a.write(2), t.read, lambda: t.seek(1), t.seek_end, lambda: q.first_index,
                q.appender, q.tailer, lambda: list(t), lambda: a.last_index, lambda: t.index,
                lambda: q.locate(1), q.info):
        with pytest.raises(tape.QueueClosed, match=r"closed by Queue\.close\(\) at 20\d\d-"):
            use()
    assert q.closed and a.closed and t.closed
    assert "closed" in repr(q) and "closed" in repr(a) and "closed" in repr(t)


@pytest.mark.parametrize("order", ["qat", "qta", "aqt", "atq", "taq", "tqa"])
def test_close_in_any_order(tmp_path: Path, order: str) -> None:
    """Queue, appender and tailer may be closed, and collected, in any order."""
    things = {"q": tape.open(tmp_path)}
    things["a"], things["t"] = things["q"].appender(), things["q"].tailer()
    things["a"].write("x")
    assert things["t"].read() == "x"
    for name in order:
        things[name].close()
        del things[name]
        gc.collect()
    with tape.open(tmp_path) as again:
        assert list(again.tailer()) == ["x"]


def test_nothing_is_leaked(tmp_path: Path) -> None:
    """Descriptors and mappings go back, closed or only forgotten."""
    def held() -> tuple[int, int]:
        gc.collect()
        maps = Path("/proc/self/maps").read_text()
        return len(os.listdir("/proc/self/fd")), len(re.findall(re.escape(str(tmp_path)), maps))

    def use(close: bool) -> None:
        q = tape.open(tmp_path)
        q.appender().write(1)
        t = q.tailer()
        t.read()
        if close:
            q.close()

    use(True)
    before = held()
    for n in range(20):
        use(n % 2 == 0)
    assert held() == before


def test_close_while_others_work(tmp_path: Path) -> None:
    """Threads inside write() and read() get QueueClosed, never a crash."""
    q = tape.open(tmp_path, codec=raw)
    a, ends = q.appender(), []

    def work(step: object) -> None:
        try:
            while True:
                step()
        except tape.QueueClosed:
            ends.append("closed")

    threads = [threading.Thread(target=work, args=(lambda: a.write(b"x"),)) for _ in range(2)]
    threads += [threading.Thread(target=work, args=(q.tailer().read,)) for _ in range(2)]
    threads += [threading.Thread(target=work, args=(lambda: q.last_index,))]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    q.close()
    for thread in threads:
        thread.join(10)
    assert ends == ["closed"] * 5


# ---- writing and reading ----

def test_an_empty_queue(q: tape.Queue) -> None:
    """Nothing there: None, no index, still true; the first message is then read."""
    t = q.tailer()
    assert q and q.first_index is None and q.last_index is None
    assert t.read() is None and t.index == 0 and t.last_read is None and list(t) == []
    with pytest.raises(tape.Empty):
        t.get(timeout=0.01)
    i = q.appender().write(b"first")
    assert t.index == i == q.first_index == q.last_index == q.index_of(CYCLE, 0)
    assert t.read() == b"first" and t.last_read == i


def test_rolling(q: tape.Queue, clock: SetClock) -> None:
    """A message goes to the clock's cycle; tailers cross cycles and gaps; older files are ended."""
    a, t = q.appender(), q.tailer()
    indexes = []
    for second in (0, 0, 1, 2, 7, 7):
        clock.ms = (CYCLE + second) * 1000
        indexes.append(a.write(b"%d" % second))
        assert t.read() == b"%d" % second
    assert [q.locate(i)[:2] for i in indexes] == [
        (CYCLE, 0), (CYCLE, 1), (CYCLE + 1, 0), (CYCLE + 2, 0), (CYCLE + 7, 0), (CYCLE + 7, 1)]
    assert len(list(Path(q.path).glob("*.cq4"))) == 4 and q.info().rolls == 4
    for i in indexes:
        assert t.seek(i) and t.last_read is not None and t.index == i
        assert t.read() == b"%d" % (q.locate(i).cycle - CYCLE)
    assert (q.first_index, q.last_index) == (indexes[0], indexes[-1])


def test_a_clock_that_goes_back(q: tape.Queue, clock: SetClock) -> None:
    """Messages never go into an older cycle than the newest."""
    a = q.appender()
    first = a.write(b"now")
    clock.ms -= 5000
    assert a.write(b"earlier, says the clock") == first + 1
    assert q.info().clock_went_back == 1 and q.info().highest_cycle == CYCLE


def test_seek(q: tape.Queue, clock: SetClock) -> None:
    """To what exists: True. One past the end: False, and it waits there. Elsewhere: it stays."""
    a, t = q.appender(), q.tailer()
    old = [a.write(b"a%d" % n) for n in range(3)]
    clock.ms += 2000
    new = [a.write(b"b%d" % n) for n in range(2)]
    assert t.seek(new[1]) and t.read() == b"b1"
    assert not t.seek(new[1] + 1) and t.read() is None     # waits for it
    a.write(b"b2")
    assert t.read() == b"b2"
    assert t.seek(old[1])
    for missing in (new[1] + 9, old[2] + 5, q.index_of(CYCLE + 1, 0), q.index_of(CYCLE - 1, 0), 0):
        assert not t.seek(missing) and t.index == old[1]   # stays
        with pytest.raises(tape.IndexNotFound) as caught:
            t.seek(missing, strict=True)
        assert caught.value.index == missing
    assert not t.seek(old[2] + 1) and t.read() == b"b0"    # behind a finished cycle
    for bad in (-1, 1 << 63):
        with pytest.raises(tape.InvalidArgument):
            t.seek(bad)
    assert t.seek_start().read() == b"a0" and t.seek_end().read() is None


def test_several_tailers_are_independent(q: tape.Queue) -> None:
    """Each tailer has a position of its own."""
    a = q.appender()
    first, second = q.tailer(), q.tailer()
    for n in range(3):
        a.write(b"%d" % n)
    assert [first.read(), first.read(), second.read()] == [b"0", b"1", b"0"]
    assert list(first) == [b"2"] and list(second) == [b"1", b"2"]


def test_iteration_stops_and_follow_goes_on(q: tape.Queue) -> None:
    """list() drains; follow() waits, and ends by its timeout or when the queue is closed."""
    a, t = q.appender(), q.tailer(poll_interval=0.005)
    a.write(b"1")
    assert list(t) == [b"1"] and list(t) == []
    a.write(b"2")
    assert list(t.follow(timeout=0.02)) == [b"2"]
    seen: list[bytes] = []
    thread = threading.Thread(target=lambda: seen.extend(t.follow()))
    thread.start()
    a.write(b"3")
    deadline = time.monotonic() + 10
    while not seen and time.monotonic() < deadline:
        time.sleep(0.001)
    q.close()
    thread.join(10)
    assert seen == [b"3"] and not thread.is_alive()


def test_entries_and_skip(q: tape.Queue) -> None:
    """Entries carry index and bytes; skip() counts what it passes."""
    a, t = q.appender(), q.tailer()
    indexes = [a.write(b"%d" % n) for n in range(5)]
    assert t.skip(2) == 2
    assert list(t.entries(2)) == [(indexes[n], b"%d" % n, b"%d" % n) for n in (2, 3)]
    assert t.skip(9) == 1 and t.read_entry() is None


def test_a_stored_none_is_a_message(tmp_path: Path) -> None:
    """read() cannot tell it from nothing; read_entry() and a default can."""
    with tape.open(tmp_path) as q:
        q.appender().write(None)
        nothing = object()
        t = q.tailer()
        assert t.read(nothing) is None and t.read(nothing) is nothing
        assert t.seek_start().read_entry().value is None


def test_waiting(q: tape.Queue) -> None:
    """timeout waits, at least that long; negative is a ValueError."""
    t = q.tailer(poll_interval=0.001)
    begun = time.monotonic()
    assert t.read(timeout=0.05) is None
    assert 0.05 <= time.monotonic() - begun < 5
    for call in (t.read, t.read_entry):
        with pytest.raises(ValueError):
            call(timeout=-1)
    timer = threading.Timer(0.05, q.appender().write, [b"late"])
    timer.start()
    assert t.get(timeout=10) == b"late"


def test_bytes_like_messages(tmp_path: Path) -> None:
    """bytes, bytearray and memoryview are written as what they hold."""
    with tape.open(tmp_path, codec=raw) as q:
        a = q.appender()
        for obj in (b"", b"a", bytearray(b"bc"), memoryview(b"_def_")[1:4]):
            a.write(obj)
        assert list(q.tailer()) == [b"", b"a", b"bc", b"def"]
        with pytest.raises(tape.EncodeError):
            a.write("text")


def test_a_tailer_belongs_to_one_thread_at_a_time(q: tape.Queue) -> None:
    """Two threads on one tailer: each message once and whole, or TailerBusy."""
    a, t = q.appender(), q.tailer()
    count = 20_000
    for n in range(count):
        a.write(b"%d" % n)
    got: list[bytes] = []

    def drain() -> None:
        idle = 0
        while idle < 100:
            try:
                message = t.read_entry()
            except tape.TailerBusy:
                continue
            idle = idle + 1 if message is None else 0
            if message is not None:
                got.append(message.value)

    threads = [threading.Thread(target=drain) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got, key=int) == [b"%d" % n for n in range(count)]
    assert t.read() is None


# ---- settings ----

def test_stored_settings_win(tmp_path: Path) -> None:
    """A wish that differs from what is stored: a warning, or an error when strict."""
    tape.open(tmp_path, roll_cycle="HOURLY", source_id=7).close()
    with pytest.warns(tape.RollCycleMismatch, match="HOURLY"):
        q = tape.open(tmp_path, roll_cycle="DAILY")
    assert q.roll_cycle is tape.RollCycle.HOURLY and q.source_id == 7
    q.close()
    with pytest.raises(tape.RollCycleMismatch):
        tape.open(tmp_path, source_id=1, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tape.open(tmp_path, roll_cycle="hourly", source_id=7, epoch=0).close()


@pytest.mark.parametrize("cycle", list(tape.RollCycle), ids=lambda c: c.name)
def test_all_roll_cycles(tmp_path: Path, cycle: tape.RollCycle) -> None:
    """Each roll cycle writes, rolls, and reads back, with names that give the cycle again."""
    clock = SetClock(CYCLE * 1000)
    with tape.open(tmp_path, codec=raw, roll_cycle=cycle, clock=clock) as q:
        a = q.appender()
        for n in range(3):
            i = a.write(b"%d" % n)
            assert q.locate(i).opens_at <= clock.ms < q.locate(i).opens_at + cycle.length_ms
            clock.ms += cycle.length_ms
        assert list(q.tailer()) == [b"0", b"1", b"2"]
        assert len(list(tmp_path.glob("*.cq4"))) == 3
        assert q.info().highest_cycle == q.locate(i).cycle


def test_cycle_full(tmp_path: Path, clock: SetClock) -> None:
    """TEST_DAILY numbers 64 messages; the next is CycleFull, and nothing is written."""
    with tape.open(tmp_path, codec=raw, roll_cycle="TEST_DAILY", clock=clock) as q:
        a = q.appender()
        for n in range(64):
            a.write(b"%d" % n)
        for _ in range(2):
            with pytest.raises(tape.CycleFull):
                a.write(b"one more")
        assert len(list(q.tailer())) == 64
        clock.ms += 86_400_000
        a.write(b"tomorrow")
        assert len(list(q.tailer())) == 65


def test_a_lost_table_store_is_made_again(tmp_path: Path, clock: SetClock) -> None:
    """Without metadata.cq4t the file names tell the roll cycle, for readers and for writers."""
    with tape.open(tmp_path, codec=raw, roll_cycle="TEST_SECONDLY", clock=clock) as q:
        q.appender().write(b"kept")
    (tmp_path / "metadata.cq4t").unlink()
    with tape.open(tmp_path, codec=raw, read_only=True) as q:
        assert list(q.tailer()) == [b"kept"] and q.roll_cycle.name == "TEST_SECONDLY"
        assert not (tmp_path / "metadata.cq4t").exists()
    with tape.open(tmp_path, codec=raw, clock=clock) as q:
        q.appender().write(b"more")
        assert list(q.tailer()) == [b"kept", b"more"]


def test_small_blocks_grow(tmp_path: Path) -> None:
    """With the smallest block the file is enlarged again and again while it is read."""
    with tape.open(tmp_path, codec=raw, block_size=1) as q:
        a, t = q.appender(), q.tailer()
        for n in range(300):
            a.write(b"%5d" % n * 1000)
        assert [m[:5] for m in t] == [b"%5d" % n for n in range(300)]
        with pytest.raises(tape.MessageTooLarge):
            a.write(bytes(65532))
        a.write(bytes(65531))


# ---- threads and processes ----

def test_threads_share_an_appender(tmp_path: Path) -> None:
    """Writes are serialised: all there, each thread's in order."""
    with tape.open(tmp_path, codec=raw) as q:
        shared = q.appender()

        def write(name: int) -> None:
            for n in range(2000):
                shared.write(b"%d %d" % (name, n))

        threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        got = [tuple(map(int, m.split())) for m in q.tailer()]
        assert len(got) == 8000
        for name in range(4):
            assert [n for who, n in got if who == name] == list(range(2000))


def test_after_fork(tmp_path: Path) -> None:
    """In a forked child old objects say so, and the queue can be opened again."""
    q = tape.open(tmp_path, codec=raw)
    a, t = q.appender(), q.tailer()
    a.write(b"parent")
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            refused = 0
            for use in (lambda: a.write(b"x"), t.read, lambda: q.last_index):
                try:
                    use()
                except tape.Forked as error:
                    refused += bool(error.hint)
            q.close()
            with tape.open(tmp_path, codec=raw) as mine:
                mine.appender().write(b"child")
                status = 0 if refused == 3 and len(list(mine.tailer())) == 2 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    a.write(b"parent again")
    assert list(t) == [b"parent", b"child", b"parent again"]
    q.close()


def test_repr_and_info(q: tape.Queue) -> None:
    """One line each, open or closed; info() is a frozen dataclass with asdict()."""
    a, t = q.appender(), q.tailer()
    i = a.write(b"x")
    t.read()
    assert repr(q).startswith("Queue('")
    assert "TEST_SECONDLY" in repr(q) and "durability=os" in repr(q)
    assert repr(q.path) in repr(a) and repr(q.path) in repr(t)
    assert "\n" not in repr(q) + repr(a) + repr(t)
    info = q.info()
    assert info.asdict()["last_index"] == i and info.lock_acquired == 1 and info.lock_holder is None
    assert a.info().last_index == i and t.info().last_read == i
    with pytest.raises(AttributeError):
        info.rolls = 3  # type: ignore[misc]
    q.close()
    assert "\n" not in repr(q) + repr(a) + repr(t)


def test_the_current_directory_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path leads from where it was opened: rolling, reading on and looking follow it."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    clock = SetClock(1_600_000_000_000)
    with tape.open("q", codec=raw, roll_cycle="TEST_SECONDLY", clock=clock) as q:
        a, t = q.appender(), q.tailer()
        a.write(b"before")
        monkeypatch.chdir("elsewhere")
        clock.ms += 1000
        index = a.write(b"after")
        assert list(t) == [b"before", b"after"] and len(q) == 2
        assert q.path == str(tmp_path / "q")
        assert Path(q.locate(index).path).is_file() and len(q.cycles()) == 2
    assert list((tmp_path / "elsewhere").iterdir()) == []
