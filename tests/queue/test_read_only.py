"""Read-only means it: no byte changes, no file is made, no descriptor or mapping can write."""

from __future__ import annotations

import ast
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tape

from tests.kit import golden_queues
from tests.kit.directories import WITHOUT_RIGHTS, as_unprivileged, digest
from tests.reference.queue import Queue as Reference
from tests.reference.roll_cycles import BY_NAME
from tests.reference.writer import QueueSpec, write_queue

GOLDEN = ["java-5.17-daily", "java-5.26-fast-daily-roll", "java-5.26-named-tailers",
          "java-5.26-tape-daily", "src-libchronicle-cqv5", "tape-dev-ten-minutely-gap"]

# Everything that reading can do, with what it sees; and what the process holds open meanwhile.
READ_ALL = '''
import os, sys, tape

def held(directory):
    """Descriptors and mappings of files below a directory that could write, and how many cannot."""
    writable, readable = [], 0
    for fd in os.listdir("/proc/self/fd"):
        try:
            name = os.readlink(f"/proc/self/fd/{fd}")
            flags = open(f"/proc/self/fdinfo/{fd}").read().split("flags:")[1].split()[0]
        except OSError:
            continue
        if name.startswith(directory):
            if int(flags, 8) & os.O_ACCMODE != os.O_RDONLY:
                writable.append(name)
            readable += 1
    for line in open("/proc/self/maps").read().splitlines():
        if directory in line:
            if line.split()[1] != "r--s":
                writable.append(line)
            readable += 1
    return writable, readable

def raw_of(tailer):
    try:
        entry = tailer.read_entry()
    except tape.DecodeError as error:  # not framed as the codec expects
        tailer.skip()
        return error.index, error.raw.hex()
    return None if entry is None else (entry.index, entry.raw.hex())

def all_of(tailer):
    return list(iter(lambda: raw_of(tailer), None))

def read(directory):
    with tape.open(directory, read_only=True, codec=tape.codecs.raw) as q:
        forward = q.tailer()
        found = {"forward": all_of(forward), "length": len(q), "first": q.first_index,
                 "last": q.last_index, "cycles": [c[1:4] for c in q.cycles()],
                 "tailers": q.tailers(), "messages": q.info().messages}
        backward = q.tailer(start="end", direction="backward")
        found["backward"] = all_of(backward)
        for index, raw in found["forward"]:
            assert backward.seek(index) and raw_of(backward) == (index, raw)
        for name in q.tailers():
            with q.tailer(name, commit="manual") as named:
                raw_of(named)
                refused(named.commit)
        refused(q.appender)
        refused(lambda: q.tailer("a new name"))
        found["held"] = held(os.path.realpath(directory))
    return found

def refused(call):
    try:
        call()
    except tape.ReadOnlyQueue as error:
        assert error.hint
    else:
        raise AssertionError("was not refused")
'''
PRINT_ALL = READ_ALL + "\nprint(read(sys.argv[1]))\n"


def snapshot(directory: Path) -> tuple[dict[str, str], list[str], list[int]]:
    """All contents, all names, side file included, and all times of change."""
    names = sorted(str(p) for p in directory.rglob("*"))
    return digest(directory), names, [os.stat(p).st_mtime_ns for p in [directory, *names]]


def check(output: subprocess.CompletedProcess[str], queue: Path) -> None:
    """What the reading process saw is what the reference sees, and it could not write."""
    assert output.returncode == 0, output.stderr
    found, reference = ast.literal_eval(output.stdout), Reference(queue)
    wanted = [(m.index, (m.body if m.payload is None else m.payload).hex())
              for m in reference.messages()]
    assert found["forward"] == wanted and found["backward"] == wanted[::-1]
    assert found["length"] == found["messages"] == len(wanted)
    assert (found["first"], found["last"]) == (wanted[0][0], wanted[-1][0])
    assert [c[0] for c in found["cycles"]] == reference.cycles()
    assert found["tailers"] == reference.named_tailers()
    writable, readable = found["held"]
    assert writable == [] and readable > 0


def run_here(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True,
                          text=True, timeout=60, check=False,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})


@pytest.fixture(scope="module")
def public() -> Iterator[Path]:
    """A directory that everybody may enter; the test runner's own ones are private."""
    path = Path(tempfile.mkdtemp(prefix="tape-read-only-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module", params=GOLDEN)
def queue(request: pytest.FixtureRequest, public: Path) -> Path:
    """A golden queue that everybody may read and nobody but root write. As all tests here only
    read, one is enough for them."""
    path = golden_queues.extract(request.param, public)
    for file in path.iterdir():
        file.chmod(0o444)
    path.chmod(0o555)
    return path


@pytest.fixture
def no_table(queue: Path, public: Path) -> Path:
    """The same without its table store."""
    path = public / f"{queue.name}-without-table"
    path.mkdir()
    for file in queue.glob("*.cq4"):
        os.link(file, path / file.name)
    path.chmod(0o555)
    return path


needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")


# ---- a directory without write permission ----

@needs_root
def test_a_user_without_permission_to_write_reads_everything(queue: Path) -> None:
    """A user who may only read reads everything, and nothing changes, not even a time."""
    before = snapshot(queue)
    check(as_unprivileged(PRINT_ALL, str(queue)), queue)
    assert snapshot(queue) == before


def test_a_user_who_might_write_changes_nothing(queue: Path) -> None:
    """A user who might write changes nothing either."""
    queue.chmod(0o777)
    before = snapshot(queue)
    try:
        check(run_here(PRINT_ALL, str(queue)), queue)
        assert snapshot(queue) == before
    finally:
        queue.chmod(0o555)


# ---- a read-only mount ----

def mounted(kind: str, queue: Path, at: Path) -> subprocess.CompletedProcess[str]:
    """Reads ``queue`` at a read-only mount, in a mount namespace of its own that ends with it."""
    at.mkdir()
    commands = {
        "bind": 'mount --bind "$1" "$2" && mount -o remount,bind,ro "$2"',
        "tmpfs": 'mount -t tmpfs tape "$2" && cp -a --sparse=always "$1"/. "$2" '
                 '&& mount -o remount,ro "$2"',
    }
    script = (f"({commands[kind]}) >/dev/null 2>&1 || exit 77\n"
              '! touch "$2/probe" 2>/dev/null || exit 78\n'
              'exec "$3" -c "$4" "$2"')
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", str(queue), str(at), sys.executable,
         PRINT_ALL], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})


@needs_root
@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_a_read_only_mount_is_read_even_by_root(queue: Path, tmp_path: Path, kind: str) -> None:
    """A read-only mount is read, although its user is root."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare program")
    before = snapshot(queue)
    output = mounted(kind, queue, tmp_path / "mount")
    if output.returncode == 77 or "unshare" in output.stderr:
        pytest.skip("mounting is not permitted here")
    check(output, queue)
    assert snapshot(queue) == before


# ---- without metadata.cq4t ----

@needs_root
def test_without_table_store_the_names_tell_the_roll_cycle(no_table: Path) -> None:
    """The names of the files tell the roll cycle; everything is read, nothing is made."""
    before = snapshot(no_table)
    check(as_unprivileged(PRINT_ALL, str(no_table)), no_table)
    assert snapshot(no_table) == before


@pytest.mark.parametrize("row", [row for row in BY_NAME if row != "WEEKLY"])
def test_each_roll_cycle_is_told_by_its_file_names(tmp_path: Path, row: str) -> None:
    """Each roll cycle is told by its names: the first that the pattern fits, as in Java."""
    spec = QueueSpec(roll_cycle=BY_NAME[row])
    cycle = 1_700_000_000_000 // spec.roll_cycle.length_ms
    path = write_queue(tmp_path / "q", {cycle: [b"a", b"b"], cycle + 1: [b"c"]}, spec)
    (path / "metadata.cq4t").unlink()
    before = snapshot(path)
    with tape.open(path, read_only=True, codec=tape.codecs.raw) as q:
        assert q.roll_cycle.name == row
        assert list(q.tailer()) == [b"a", b"b", b"c"]
        assert q.first_index == q.index_of(cycle, 0)
    assert snapshot(path) == before


def test_named_tailers_need_a_table_store(tmp_path: Path) -> None:
    """Without table store there are no named tailers, and none can be made."""
    path = write_queue(tmp_path / "q", {20_000: [b"a"]})
    (path / "metadata.cq4t").unlink()
    with tape.open(path, read_only=True, codec=tape.codecs.raw) as q:
        assert q.tailers() == q.table() == {}
        with pytest.raises(tape.ReadOnlyQueue):
            q.tailer("name")


# ---- while others write ----

def test_a_writer_of_another_process_is_followed(public: Path) -> None:
    """A read-only tailer follows a writer over rolls; it holds nothing that could write."""
    path = public / "live"
    with tape.open(path, codec=tape.codecs.raw, roll_cycle="TEST_SECONDLY") as q:
        q.appender().write(b"0")
    for file in path.iterdir():
        file.chmod(0o644)
    path.chmod(0o755)
    script = READ_ALL + (
        "q = tape.open(sys.argv[1], read_only=True, codec=tape.codecs.raw)\n"
        "t = q.tailer(poll_interval=0.001)\n"
        "assert t.read() == b'0'\n"
        "print('ready', flush=True)\n"
        "for n, m in enumerate(t.follow(timeout=30), 1):\n"
        "    assert int(m) == n, (n, m)\n"
        "    if n % 100 == 0: assert held(os.path.realpath(sys.argv[1]))[0] == []\n"
        "    if n == 600: break\n"
        "assert len(q.cycles()) > 1\n"
        "writable, readable = held(os.path.realpath(sys.argv[1]))\n"
        "print('all', writable, readable > 0)\n")
    with subprocess.Popen([sys.executable, "-c", WITHOUT_RIGHTS + script, str(path)], text=True,
                          stdout=subprocess.PIPE, cwd="/",
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}) as reader:
        assert reader.stdout is not None and reader.stdout.readline() == "ready\n"
        with tape.open(path, codec=tape.codecs.raw) as q:
            a = q.appender()
            for n in range(1, 601):
                a.write(b"%d" % n)
                if n % 200 == 0:
                    time.sleep(1.05)  # into the next cycle
            a.write(b"601")
        assert reader.stdout.read() == "all [] True\n"
    names = {p.suffix for p in path.iterdir()}
    assert names <= {".cq4", ".cq4t", ".side", ".codec"}


@pytest.fixture
def held() -> Callable[[str], tuple[list[str], int]]:
    """What the scripts use, for this process."""
    namespace: dict[str, Any] = {}
    exec(READ_ALL, namespace)  # noqa: S102
    return namespace["held"]


def test_nothing_that_is_open_could_write(
        queue: Path, held: Callable[[str], tuple[list[str], int]]) -> None:
    """Nothing that is open could write, and nothing is left open."""
    before = snapshot(queue)
    with tape.open(queue, read_only=True, codec=tape.codecs.raw) as q, q.tailer() as t:
        t.skip()
        writable, readable = held(os.path.realpath(queue))
        assert writable == [] and readable >= 2
    assert held(os.path.realpath(queue)) == ([], 0)
    assert snapshot(queue) == before


def test_beside_a_writer_of_this_process_it_has_its_own_descriptors(
        tmp_path: Path, held: Callable[[str], tuple[list[str], int]]) -> None:
    """Beside an open writer of the same process the read-only queue has its own descriptors and
    mappings, which cannot write."""
    path = os.path.realpath(write_queue(tmp_path / "q", {20_000: [b"a"]}))
    with tape.open(path, codec=tape.codecs.raw) as writer:
        a = writer.appender()
        a.write(b"b")
        writable, readable = held(path)
        assert writable != []
        with tape.open(path, read_only=True, codec=tape.codecs.raw) as q, q.tailer() as t:
            assert list(t) == [b"a", b"b"]
            a.write(b"c")
            assert t.read() == b"c"
            now_writable, now_readable = held(path)
            assert now_writable == writable and now_readable >= readable + 2
        assert held(path) == (writable, readable)


@pytest.mark.parametrize("listing", ["none", "stale"])
def test_gaps_are_read_over_without_help_of_the_listing(tmp_path: Path, listing: str) -> None:
    """One pass reads over all gaps, although no listing word tells of the later cycles."""
    cells = {"listing.highestCycle": 19_000, "listing.lowestCycle": 19_000}
    cycles = {19_000 + 3 * n: [b"%d" % n] for n in range(20)}
    path = write_queue(tmp_path / "q", cycles, QueueSpec(cells=cells))
    if listing == "none":
        (path / "metadata.cq4t").unlink()
    with tape.open(path, read_only=True, codec=tape.codecs.raw) as q:
        assert list(q.tailer()) == [b"%d" % n for n in range(20)]


# ---- what a reader must not repair ----

@pytest.mark.parametrize("damage", ["held lock", "no listing", "reserved word", "empty file"])
def test_nothing_is_repaired_by_a_reader(tmp_path: Path, damage: str) -> None:
    """What a dead writer left is for the next writer: a reader leaves it and reads on."""
    cells = {"chronicle.write.lock": 999_999_999} if damage == "held lock" else {}
    if damage == "no listing":
        cells = {"listing.highestCycle": -2**31, "listing.lowestCycle": 2**31 - 1}
    path = write_queue(tmp_path / "q", {19_999: [b"a"], 20_000: [b"b"]}, QueueSpec(cells=cells))
    newest = Reference(path).path_of(20_000)
    if damage == "reserved word":
        with newest.open("r+b") as file:
            file.seek(Reference(path).scan(20_000).end)
            file.write(struct.pack("<I", 0x80000000))
    if damage == "empty file":
        Reference(path).path_of(20_001).write_bytes(b"")
    before = snapshot(path)
    with tape.open(path, read_only=True, codec=tape.codecs.raw) as q:
        assert list(q.tailer()) == [b"a", b"b"]
        assert list(q.tailer(start="end", direction="backward")) == [b"b", b"a"]
        assert len(q) == 2 and q.last_index == q.index_of(20_000, 0)
        assert q.info().repairs == 0
    assert snapshot(path) == before
