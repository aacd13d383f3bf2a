"""Retention, and replay, where others are at it, things are odd, and bytes are wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.directories import on_a_small_disk
from tests.kit.queues import BLOCK, CYCLE, Changing, Filled, index_of
from tests.kit.retention_deaths import SIDE, everything

SECONDS = tuple(range(12))

# Two of these begin at the same moment, again and again.
COLLECTOR = textwrap.dedent("""
    import logging, sys, tape
    from tape.codecs import raw
    class Clock:
        def now_ms(self): return int(sys.argv[2])
    do = {"gc": lambda q, n: q.gc(tape.Keep(max_cycles=11 - n)),
          "zstd": lambda q, n: q.compress("zstd"), "gzip": lambda q, n: q.compress("gzip"),
          "thaw": lambda q, n: q.thaw()}[sys.argv[3]]
    with tape.open(sys.argv[1], codec=raw, roll_cycle="TEST4_SECONDLY", clock=Clock()) as q:
        for n in range(8):
            print("ready", flush=True)
            sys.stdin.readline()
            do(q, n)
    """)


@pytest.mark.parametrize("two", [("gc", "gc"), ("gc", "zstd"), ("zstd", "zstd"), ("gzip", "zstd"),
                                 ("thaw", "gzip"), ("thaw", "gc")], ids=" + ".join)
def test_two_processes_at_once_lose_nothing_and_leave_nothing_half(
        tmp_path: Path, two: tuple[str, str]) -> None:
    """Neither fails; each cycle that may not go is there once, whole; a reader and a writer go on
    beside them."""
    clock, path = SetClock(CYCLE * 1000), tmp_path / "q"
    with tape.open(path, codec=raw, roll_cycle="TEST4_SECONDLY", clock=clock,
                   block_size=BLOCK) as q:
        a = q.appender()
        for second in SECONDS:
            clock.ms = (CYCLE + second) * 1000
            for n in (0, 1):
                a.write(b"%d.%d" % (second, n))
        t = q.tailer(on_gap="skip")
        workers = [subprocess.Popen([sys.executable, "-c", COLLECTOR, path, str(clock.ms), what],
                                    text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE) for what in two]
        for n in range(8):
            for worker in workers:
                assert worker.stdout and worker.stdout.readline() == "ready\n", \
                    worker.communicate()[1]
            for worker in workers:
                assert worker.stdin
                worker.stdin.write("\n")
                worker.stdin.flush()
            t.read()
            a.write(b"more")
        ends = [worker.communicate(timeout=60)[1] for worker in workers]
        assert [worker.returncode for worker in workers] == [0, 0], ends
        messages = list(q.tailer())
        kept = len(messages) - 8
        assert messages == everything(SECONDS)[len(SECONDS) * 2 - kept:] + [b"more"] * 8
        assert kept % 2 == 0 and (kept >= 8 if "gc" in two else kept == 2 * len(SECONDS))
        assert len(q) == len(messages) and tape.verify(path).damage == 0
    names = [p.name for p in path.iterdir() if p.name not in SIDE]
    assert not [name for name in names if name.endswith(".tmp")]


def test_a_disk_that_is_full_while_it_compresses_keeps_every_original(tmp_path: Path) -> None:
    """A real one, of two megabytes: the error names it, no half file stays, and with room it
    goes on. Thawing and collecting alike: collecting needs no room."""
    program = """
        import json, os, random, sys, tape
        from tape.codecs import raw
        class Clock:
            ms = 1_700_000_000_000
            def now_ms(self): return self.ms
        clock, dice, path = Clock(), random.Random(1), sys.argv[1] + "/q"
        q = tape.open(path, codec=raw, roll_cycle="TEST4_SECONDLY", clock=clock, block_size=65536)
        messages = [dice.randbytes(9000) for _ in range(120)]
        a = q.appender()
        for n, message in enumerate(messages):
            a.write(message)
            if n % 30 == 29: clock.ms += 1000
        a.write(b"newest")
        filler = sys.argv[1] + "/filler"
        def fill():
            with open(filler, "wb", buffering=0) as file:
                try:
                    while True: file.write(bytes(4096))
                except OSError: pass
        found = {"errors": []}
        def attempt(do):
            fill()
            before = sorted(os.listdir(path))
            try: do()
            except (OSError, tape.Error) as error: found["errors"].append(type(error).__name__)
            assert sorted(os.listdir(path)) == before, (before, os.listdir(path))
            assert list(q.tailer()) == messages + [b"newest"]
            os.unlink(filler)
        attempt(lambda: q.compress("zstd"))
        found["compressed"] = len(q.compress("zstd"))
        attempt(lambda: q.thaw())
        fill()
        found["gone"] = sum(v.goes for v in q.gc(tape.Keep(max_cycles=2)))
        os.unlink(filler)
        found["left"] = len(list(q.tailer()))
        print(json.dumps(found))
        """
    found = json.loads(on_a_small_disk(tmp_path, "3m", program, timeout=60))
    assert len(found["errors"]) == 2 and found["compressed"] == 4, found
    assert found["gone"] == 3 and found["left"] == 31


def test_nothing_but_the_queues_own_files_is_compressed_or_thawed(
        changing: Changing, tmp_path: Path) -> None:
    """Foreign files, sub-queues, links, what was set aside, archives of others."""
    here, name = Path(changing.q.path), changing.file(0).name
    (here / "sub").mkdir()
    original = changing.file(1).read_bytes()
    theirs = {here / "sub" / name: original, here / f"{name}-1600000000000.discard": original,
              here / "notes.cq4": b"n", here / "backup.tar.gz": b"b", here / "notes.cq4.gz": b"g",
              here / "sub" / f"{name}.gz": b"s", here / f"{name}.zst.old": b"o"}
    for path, data in theirs.items():
        path.write_bytes(data)
    changing.file(1).rename(tmp_path / "elsewhere")
    changing.file(1).symlink_to(tmp_path / "elsewhere")
    (here / f"{changing.file(3).name}.gz").symlink_to(tmp_path / "elsewhere")
    changing.q.compress("gzip")
    assert changing.file(1).is_symlink() and not Path(f"{changing.file(1)}.gz").exists()
    changing.q.thaw()
    assert all(path.read_bytes() == data for path, data in theirs.items())
    assert (tmp_path / "elsewhere").read_bytes() == original


@pytest.mark.parametrize("ms", [-(1 << 62), -1, 0, CYCLE * 1000 - 1, (1 << 62), 253402300800000])
def test_a_clock_that_jumps_takes_no_current_cycle_and_ends_nothing(
        changing: Changing, ms: int) -> None:
    """Far back nothing is old; far ahead all that is finished is, and no more; and back again."""
    for _ in range(2):
        changing.clock.ms = ms
        went = [v.cycle - CYCLE for v in changing.q.gc(tape.Keep(max_age="1d")) if v.goes]
        assert went in ([], [0, 1, 2]) and (ms > CYCLE * 1000 or went == [])
        changing.clock.ms = (CYCLE + 5) * 1000
        assert [v for v in changing.q.gc(tape.Keep(max_age="1d")) if v.goes] == []
        assert list(changing.q.tailer())[-2:] == everything((5,))
    assert changing.a.write(b"on") == index_of(5, 2)


def test_replay_passes_poison_when_told_and_names_it_else(tmp_path: Path) -> None:
    """Its index tells where to begin anew."""
    filled = Filled(tmp_path / "q", BLOCK)
    with filled.q as q:
        class Picky:
            name, encode = "picky", staticmethod(raw.encode)

            @staticmethod
            def decode(view: memoryview) -> bytes:
                if bytes(view) == b"0.7":
                    raise ValueError("poison")
                return bytes(view)
        fast = float("inf")
        stream = tape.replay(q, fast, codec=Picky())
        assert [next(stream) for _ in range(7)] == filled.messages[:7]
        with pytest.raises(tape.DecodeError) as error:
            next(stream)
        assert error.value.index == filled.indexes[7]
        again = tape.replay(q, fast, codec=Picky(), start=error.value.index + 1)
        assert list(again) == filled.messages[8:]
        told: list[tape.DecodeError] = []
        without = filled.messages[:7] + filled.messages[8:]
        assert list(tape.replay(q, fast, codec=Picky(), on_error=told.append)) == without
        assert len(told) == 1
        assert list(tape.replay(q, fast, codec=Picky(), on_error="skip")) == without
