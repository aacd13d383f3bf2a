"""A new user's first ten minutes, step by step, in a terminal: what is done and what must be seen.

On a queue of tape and on one that a JVM wrote. Steps are numbered as users' stories are: S1 to S21.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import tape

from tests.kit.commands import Terminal, filled, outcome
from tests.kit.directories import digest, on_a_small_disk
from tests.kit.golden_queues import extract

KINDS = ("tape", "java")


@pytest.fixture(params=KINDS)
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Twenty messages in several cycles, by tape (``{"n": i}``) or by Java (texts m0 to m19)."""
    if request.param == "java":
        return extract("java-5.26-fast-daily-roll", tmp_path)
    filled(tmp_path / "q", 20, 3)
    return tmp_path / "q"


def shown(*arguments: str | os.PathLike[str], columns: int = 80) -> str:
    """What a command shows in a terminal; it must end well."""
    terminal = Terminal(*arguments, columns=columns)
    code, _ = terminal.end(60)
    assert code == 0, terminal.text()
    return terminal.text()


def python(code: str, *arguments: str | os.PathLike[str]) -> str:
    """What a program shows in a terminal; it must end well."""
    terminal = Terminal("-c", textwrap.dedent(code), *arguments, program=[sys.executable])
    status, _ = terminal.end(60)
    assert status == 0, terminal.text()
    return without_delays(terminal.text())


def without_delays(text: str) -> str:
    """What a program itself shows: on a busy machine tape logs appends that were held up."""
    return re.sub(r"(?m)^.*: an append took \d+ ms: .*\n", "", text)


def test_s1_nothing_but_cffi_is_needed() -> None:
    """To install and to import."""
    needs = [r for r in importlib.metadata.requires("tape") or () if "extra ==" not in r]
    assert len(needs) == 1 and needs[0].startswith("cffi")
    assert python("import sys, tape; print(not {'click', 'rich', 'numpy'} & set(sys.modules))"
                  ) == "True\n"


def test_s2_demo_writes_reads_and_shows_what_is_on_disk() -> None:
    """One command; less than two megabytes."""
    text = shown("demo")
    assert '{"foo": ["bar", {"baz": 0}]}' in text and "metadata.cq4t" in text
    assert ".cq4 " in text and "MiB" not in text and "GiB" not in text


def test_s3_objects_tell_their_state_and_help_fits_a_screen(queue: Path) -> None:
    """One line each, with state."""
    text = python("""
        import sys, tape, pydoc
        q = tape.open(sys.argv[1])
        for thing in (q, q.appender(), q.tailer()): print(repr(thing))
        print(len(pydoc.render_doc(q.tailer().read).splitlines()) < 40)
        """, queue)
    lines = text.splitlines()
    assert lines[0].startswith("Queue(") and "durability=os" in lines[0]
    assert lines[1].startswith("Appender(") and lines[2].startswith("Tailer(")
    assert lines[3] == "True"


def test_s4_reading_what_is_empty_never_hangs(tmp_path: Path) -> None:
    """None at once, None after a second, Empty after a second."""
    text = python("""
        import sys, tape, time
        t = tape.open(sys.argv[1]).tailer()
        began = time.monotonic()
        print(t.read(), time.monotonic() - began < 0.5)
        print(t.read(timeout=1), 0.9 < time.monotonic() - began < 5)
        try: t.get(timeout=1)
        except tape.Empty as e: print(type(e).__name__)
        """, tmp_path / "q")
    assert text == "None True\nNone True\nEmpty\n"


def test_s5_values_come_back_equal_and_the_unknown_is_named(tmp_path: Path) -> None:
    """Which type, where in the value, and what to do."""
    text = python("""
        import sys, tape, uuid, datetime, decimal, dataclasses
        q = tape.open(sys.argv[1]); a = q.appender(); t = q.tailer()
        values = [{"a": 1}, [1, 2], {1, 2}, b"x", None, uuid.uuid4(), decimal.Decimal("1.5"),
                  datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)]
        for v in values:
            a.write(v)
            assert t.read_entry().value == v, v
        @dataclasses.dataclass
        class Order: id: int
        try: a.write({"order": [Order(1)]})
        except tape.EncodeError as e: print(e)
        """, tmp_path / "q")
    assert "Order" in text and "hint: " in text and "order" in text


def test_s6_moving_about(queue: Path) -> None:
    """Each does what it says; list() returns."""
    text = python("""
        import sys, tape
        q = tape.open(sys.argv[1]); t = q.tailer(codec=tape.codecs.document)
        all_ = list(t); i = q.last_index
        print(len(all_), t.seek(i), len(list(t)))
        t.seek_start(); print(len(list(t)), list(reversed(t)) == all_[::-1])
        print(t.seek_end().read())
        """, queue)
    assert text == "20 True 1\n20 True\nNone\n"


def test_s7_tail_f_shows_each_message_at_once_and_sleeps(queue: Path) -> None:
    """As JSON; no processor time while nothing comes; Ctrl-C ends it quietly."""
    terminal = Terminal("tail", "-f", queue)
    while terminal.seen.count("\n") < 10:
        assert terminal._more(20)
    before = _seconds(terminal.process.pid)
    time.sleep(1)
    assert _seconds(terminal.process.pid) - before < 0.15
    with tape.open(queue) as q:
        began = time.monotonic()
        q.appender().write({"new": [1]})
        terminal.expect('{"new": [1]}')
        assert time.monotonic() - began < 5
    terminal.press(b"\x03")
    assert terminal.end()[0] == 130


def _seconds(pid: int) -> float:
    """Processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_s8_a_killed_writer_stops_nobody(queue: Path) -> None:
    """Writes go on at once, nothing acknowledged is missing, verify finds no damage."""
    writer = subprocess.Popen([sys.executable, "-c", textwrap.dedent("""
        import sys, tape
        a = tape.open(sys.argv[1]).appender()
        while True: print(a.write("x" * 50), flush=True)
        """), queue], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    told = [writer.stdout.readline() for _ in range(200)]
    writer.kill()
    told += writer.stdout.read().splitlines(keepends=True)
    writer.wait()
    indexes = [int(line) for line in told if line.endswith("\n")]
    with tape.open(queue) as q:
        began = time.monotonic()
        q.appender().write("after")
        assert time.monotonic() - began < 3
        t = q.tailer(start=indexes[0], codec=tape.codecs.document)
        found = [e.index for e in t.entries()]
        assert found[:len(indexes)] == indexes
    code, out, _ = outcome("verify", queue)
    assert code == 0, out


def test_s9_a_named_tailer_goes_on_where_it_was(queue: Path) -> None:
    """In another program; lag lists it."""
    read = """
        import sys, tape
        t = tape.open(sys.argv[1]).tailer("billing", codec=tape.codecs.document)
        for _ in range(10): t.read()
        print(t.index)
        """
    first, second = int(python(read, queue)), None
    text = shown("lag", queue)
    assert "billing" in text and "10" in text
    second = int(python(read, queue))
    with tape.open(queue, read_only=True) as q:
        assert q.count(first, second) == 10


def test_s10_reading_needs_no_right_to_write(queue: Path) -> None:
    """Not a byte is written; writing says why not."""
    before = digest(queue)
    text = python("""
        import sys, tape
        with tape.open(sys.argv[1], read_only=True) as q:
            print(len(list(q.tailer(codec=tape.codecs.document))))
            try: q.appender()
            except tape.ReadOnlyQueue as e: print(type(e).__name__)
        """, queue)
    assert text == "20\nReadOnlyQueue\n" and digest(queue) == before


def test_s11_asyncio_loses_nothing_to_ctrl_c(queue: Path) -> None:
    """After a restart the first message that was not delivered is the next."""
    program = """
        import asyncio, sys, tape
        async def main():
            async with tape.open(sys.argv[1]) as q:
                async with q.tailer("worker", codec=tape.codecs.document).stream() as messages:
                    async for m in messages:
                        print(m.hex(), flush=True)
                        await asyncio.sleep(0.05)
        try: asyncio.run(main())
        except KeyboardInterrupt: print("end", flush=True)
        """
    terminal = Terminal("-c", textwrap.dedent(program), queue, program=[sys.executable])
    while terminal.seen.count("\n") < 4:
        assert terminal._more(20)
    terminal.press(b"\x03")
    terminal.expect("end")
    terminal.end()
    got = [line for line in terminal.text().replace("^C", "").splitlines() if line != "end"]
    with tape.open(queue) as q:
        rest = [m.hex() for m in q.tailer("worker", codec=tape.codecs.document)]
        every = [m.hex() for m in q.tailer(codec=tape.codecs.document)]
    # The one in the loop's body when it was interrupted comes again.
    assert got + rest in (every, every[:len(got)] + every[len(got) - 1:])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_s12_several_processes_agree_on_one_order(tmp_path: Path, method: str) -> None:
    """Two writers, three readers."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent("""
        import multiprocessing, sys, tape
        def write(path, who):
            with tape.open(path) as q:
                a = q.appender()
                for n in range(200): a.write([who, n])
        def read(path, out):
            with tape.open(path) as q:
                t = q.tailer()
                out.put([t.get(timeout=30) for _ in range(400)])
        if __name__ == "__main__":
            m = multiprocessing.get_context(sys.argv[2]); out = m.Queue()
            ps = [m.Process(target=read, args=(sys.argv[1], out)) for _ in range(3)]
            ps += [m.Process(target=write, args=(sys.argv[1], w)) for w in (0, 1)]
            for p in ps: p.start()
            seen = [out.get(timeout=60) for _ in range(3)]
            for p in ps: p.join()
            print(seen[0] == seen[1] == seen[2], sorted(map(tuple, seen[0])) ==
                  [(w, n) for w in (0, 1) for n in range(200)])
        """))
    terminal = Terminal(program, tmp_path / "q", method, program=[sys.executable])
    assert terminal.end(100)[0] == 0 and without_delays(terminal.text()) == "True True\n"


def test_s13_a_queue_of_java_reads_as_java_wrote_it(tmp_path: Path) -> None:
    """Texts and indexes."""
    path = extract("java-5.26-fast-daily-roll", tmp_path)
    assert shown("cat", path, "--raw").split() == [f"m{n}" for n in range(20)]
    indexes = shown("cat", path, "--template", "{hexindex}").split()
    assert len({int(index, 16) >> 32 for index in indexes}) == 4  # as many cycles


def test_s14_a_blocked_reader_passes_the_roll(tmp_path: Path) -> None:
    """Two files, one sequence."""
    text = python("""
        import sys, tape, threading, time
        q = tape.open(sys.argv[1], roll_cycle="TEST_SECONDLY"); seen = []
        def read():
            t = q.tailer()
            while len(seen) < 6: seen.append(t.get(timeout=20))
        reader = threading.Thread(target=read); reader.start()
        a = q.appender()
        for n in range(6): a.write(n); time.sleep(0.3)
        reader.join()
        print(seen, len(q.cycles()) >= 2)
        """, tmp_path / "q")
    assert text == "[0, 1, 2, 3, 4, 5] True\n"


def test_s15_facts_fit_a_screen_and_pipes_end_quietly(queue: Path) -> None:
    """info, dump, cat into head."""
    text = shown("info", queue)
    assert len(text.splitlines()) <= 24 and "20" in text and "write lock" in text
    file = sorted(queue.glob("*.cq4"))[0]
    for command in (f"dump {file}", f"cat {queue}", f"cat {queue} --match 1"):
        ran = subprocess.run(f"{sys.executable} -m tape {command} | head -1", shell=True,
                             capture_output=True, text=True, check=False)
        assert ran.returncode == 0 and ran.stderr == "" and ran.stdout.count("\n") == 1


def test_s16_deleting_by_hand_and_by_gc(queue: Path) -> None:
    """A clean continuation or a Gap; each file with its reason; the disk comes back."""
    with tape.open(queue, read_only=True) as q:
        t = q.tailer(on_gap="skip", codec=tape.codecs.document)
        t.read()
        sorted(queue.glob("*.cq4"))[0].unlink()
        assert 5 <= len(list(t)) <= 19
    text = shown("gc", queue, "--max-cycles", "1", "--dry-run", columns=100)
    assert "would go" in text and "max_cycles" in text and "stays" in text
    before = _on_disk(queue)
    assert "gone" in shown("gc", queue, "--max-cycles", "1", columns=100)
    assert _on_disk(queue) < before and len(list(queue.glob("*.cq4"))) == 1


def _on_disk(path: Path) -> int:
    return sum(file.stat().st_blocks for file in path.iterdir())


def test_s17_a_poison_message_has_an_address_and_can_be_skipped(queue: Path) -> None:
    """Index and bytes; the next one is fine."""
    text = python("""
        import sys, tape
        q = tape.open(sys.argv[1])
        i = q.appender(codec=tape.codecs.raw).write(b"\\xff\\xff\\xff")
        q.appender().write("fine")
        t = q.tailer(start=i)
        try: t.read()
        except tape.DecodeError as e: print(e.index == i, e.raw)
        print(t.skip(), t.read())
        """, queue)
    assert text == "True b'\\xff\\xff\\xff'\n1 fine\n"


def test_s18_a_full_disk_is_an_error_and_no_end(tmp_path: Path) -> None:
    """On a file system of two megabytes: DiskFull, reading works, writing goes on with room."""
    program = """
        import os, sys, tape
        filler = os.path.join(sys.argv[1], "filler")
        with open(filler, "wb") as file: file.write(bytes(600_000))
        q = tape.open(sys.argv[1] + "/q", codec=tape.codecs.raw, block_size=131072)
        a, n = q.appender(), 0
        try:
            while True: a.write(bytes(1000)); n += 1
        except tape.DiskFull as e: print(type(e).__name__, bool(e.hint))
        print(len(list(q.tailer())) == n)
        os.unlink(filler)
        a.write(b"room"); print(len(q) == n + 1)
        """
    assert on_a_small_disk(tmp_path, "2m", program, timeout=60) \
        == "DiskFull True\nTrue\nTrue\n"


def test_s19_wrong_paths_get_different_lines_with_the_next_step(tmp_path: Path) -> None:
    """An empty directory, no directory, a queue of version 4, a file, a truncated table store."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    four = tmp_path / "four"
    four.mkdir()
    (four / "directory-listing.cq4t").write_bytes(b"")
    (four / "20240101.cq4").write_bytes(b"")
    cut = tmp_path / "cut"
    filled(cut, 3, 1)
    table = cut / "metadata.cq4t"
    table.write_bytes(table.read_bytes()[:100])
    texts = set()
    for name in ("empty", "nowhere", "file", "four", "cut"):
        code, out, errors = outcome("info", tmp_path / name)
        assert code in (1, 2) and out == "" and errors.count("\n") == 1 and "hint: " in errors
        texts.add(errors.replace(name, ""))
    assert len(texts) == 5


def test_s20_bench_names_the_durability(tmp_path: Path) -> None:
    """And messages per second, p50 and p99."""
    text = shown("bench", tmp_path, "--messages", "2000")
    assert text.startswith("durability: os") and all(w in text for w in ("msg/s", "p50", "p99"))


def test_s21_closing_leaves_nothing_open(queue: Path) -> None:
    """No descriptor, no mapping; the directory can be removed."""
    text = python("""
        import os, shutil, sys, tape
        with tape.open(sys.argv[1]) as q:
            q.appender().write(1); t = q.tailer(codec=tape.codecs.document); list(t)
        path = os.path.realpath(sys.argv[1])
        maps = open("/proc/self/maps").read()
        links = []
        for fd in os.listdir("/proc/self/fd"):
            try: links.append(os.readlink(f"/proc/self/fd/{fd}"))
            except OSError: pass
        print(path in maps, any(path in link for link in links))
        shutil.rmtree(path); print(os.path.exists(path))
        """, queue)
    assert text == "False False\nFalse\n"
    assert signal.getsignal(signal.SIGINT) is not None
