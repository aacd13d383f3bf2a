"""Ten thousand cycles cost no more than ten."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.queues import BLOCK, CYCLE, index_of
from tests.reference import roll_cycles, writer

MANY, FEW = 10_000, 10
PER_CYCLE = 3


def make(directory: Path, cycles: int, apart: int = 1) -> Path:
    """A queue of that many cycles, so many seconds apart, with three messages each: two files as
    the reference writer makes them, a finished one and an open one; the others are copies of the
    finished one, which does not hold its own name."""
    roll_cycle = roll_cycles.BY_NAME["TEST4_SECONDLY"]
    form = writer.Form(block_size=BLOCK)
    spec = writer.QueueSpec(roll_cycle=roll_cycle, form=form)
    messages = [b"%d" % n for n in range(PER_CYCLE)]
    last = CYCLE + (cycles - 1) * apart
    writer.write_queue(directory, {CYCLE: messages, last: messages}, spec)
    names = [f"{roll_cycles.file_stem(roll_cycle, CYCLE + n * apart, 0)}.cq4"
             for n in range(cycles)]
    content = (directory / names[0]).read_bytes()
    content, size = content[:8192].rstrip(b"\0") + bytes(8), len(content)
    for name in names[1:-1]:
        with open(directory / name, "wb") as file:
            file.write(content)
            file.truncate(size)
    return directory


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("few") / "q", FEW)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory):
    directory = make(tmp_path_factory.mktemp("many") / "q", MANY)
    yield directory
    shutil.rmtree(directory)


def medians(*actions: Callable[[], object], rounds: int = 60,
            clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Median seconds of each, taken in turns so that both meet the same disturbances."""
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for action, taken in zip(actions, times, strict=True):
            begun = clock()
            action()
            taken.append(clock() - begun)
    return [statistics.median(taken) for taken in times]


def clocked(action: Callable[[], object]) -> float:
    """Seconds that it takes once."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def open_both(few: Path, many: Path, **options: object) -> tuple[tape.Queue, tape.Queue]:
    time.sleep(0.2)  # a directory that was changed just now is looked at again
    return (tape.open(few, codec=raw, **options), tape.open(many, codec=raw, **options))


def say(what: str, a: float, b: float) -> None:
    print(f"{what}: {a * 1e6:.1f} us with {FEW} cycles, {b * 1e6:.1f} us with {MANY}, "
          f"ratio {b / a:.2f}")


@pytest.mark.parametrize("read_only", [False, True])
def test_opening_does_not_depend_on_the_number_of_cycles(
        few: Path, many: Path, read_only: bool) -> None:
    """Opening takes at most twice as long with 10,000 cycles."""
    def opening(path: Path) -> Callable[[], object]:
        def action() -> None:
            with tape.open(path, codec=raw, read_only=read_only) as q:
                assert q.tailer().last_read is None
        return action

    time.sleep(0.2)
    a, b = medians(opening(few), opening(many))
    say("open", a, b)
    assert b < 2 * a


@pytest.mark.parametrize("read_only", [False, True])
def test_the_directory_is_read_once_for_cycles_older_than_the_listing_knows(
        few: Path, many: Path, read_only: bool) -> None:
    """The listing words name plain files; a compressed one may be older. Who stands at the start
    reads the names once a queue, not once a tailer."""
    with tape.open(few, codec=raw, read_only=read_only) as p, \
            tape.open(many, codec=raw, read_only=read_only) as q:
        time.sleep(0.2)
        first = [clocked(lambda: p.tailer().read()), clocked(lambda: q.tailer().read())]
        say("the first read", *first)
        a, b = medians(lambda: p.tailer().read(), lambda: q.tailer().read())
    say("the first read of a later tailer", a, b)
    assert first[1] - first[0] < MANY * 10e-6
    assert b < 2 * a


@pytest.mark.parametrize("read_only", [False, True])
def test_ends_and_seeks_do_not_depend_on_the_number_of_cycles(
        few: Path, many: Path, read_only: bool) -> None:
    """first_index, last_index, and seeks to an index, a time, the start and the end likewise."""
    p, q = open_both(few, many, read_only=read_only)
    with p, q:
        s, t = p.tailer(), q.tailer()
        assert q.first_index == index_of(0) and q.last_index == index_of(MANY - 1, 2)
        places = {id(p): [index_of(n, 1) for n in range(FEW)],
                  id(q): [index_of(n, 1) for n in range(0, MANY, MANY // FEW)]}

        def seeking(queue: tape.Queue, tailer: tape.Tailer) -> Callable[[], object]:
            def action() -> None:
                for index in places[id(queue)]:
                    assert tailer.seek(index) and tailer.read() == b"1"
            return action

        def by_time(queue: tape.Queue, tailer: tape.Tailer) -> Callable[[], object]:
            when = datetime.fromtimestamp(CYCLE + 5, timezone.utc)
            return lambda: tailer.seek(when) or pytest.fail("not found")

        for what, first, second in (
                ("last_index", lambda: p.last_index, lambda: q.last_index),
                ("first_index", lambda: p.first_index, lambda: q.first_index),
                ("10 seeks", seeking(p, s), seeking(q, t)),
                ("seek by time", by_time(p, s), by_time(q, t)),
                ("seek_start", s.seek_start, t.seek_start),
                ("seek_end", s.seek_end, t.seek_end),
                ("count of 1 cycle", lambda: p.count(index_of(4), index_of(5)),
                 lambda: q.count(index_of(4), index_of(5)))):
            a, b = medians(first, second)
            say(what, a, b)
            assert b < 2 * a, what


def test_the_first_append_does_not_depend_on_the_number_of_cycles(
        few: Path, many: Path, tmp_path: Path) -> None:
    """An appender of the newest cycle looks at no older one once they are known to be ended."""
    clocks = SetClock((CYCLE + FEW - 1) * 1000), SetClock((CYCLE + MANY - 1) * 1000)

    def writing(path: Path, clock: SetClock) -> Callable[[], object]:
        def action() -> None:
            with tape.open(path, codec=raw, clock=clock, block_size=BLOCK) as q:
                q.appender().write(b"more")
        return action

    copies = []
    for source, name in ((few, "f"), (many, "m")):
        copy = tmp_path / name
        copy_sparse(source, copy)
        copies.append(copy)
    first, second = (writing(c, k) for c, k in zip(copies, clocks, strict=True))
    begun = time.perf_counter()
    second()
    print(f"the very first append, with {MANY} files to look at: "
          f"{time.perf_counter() - begun:.3f} s")
    first()
    time.sleep(0.2)
    a, b = medians(first, second, rounds=40)
    say("open and append", a, b)
    assert b < 2 * a


def copy_sparse(source: Path, copy: Path) -> None:
    """A copy that keeps holes."""
    subprocess.run(["cp", "-r", "--sparse=always", source, copy], check=True)


def test_len_grows_linearly(few: Path, many: Path) -> None:
    """Below 10 us of the processor a cycle. The tenth of them is counted in the same directory,
    whose other names cost a little, too."""
    p, q = open_both(few, many)
    with p, q:
        assert len(p) == PER_CYCLE * FEW and len(q) == PER_CYCLE * MANY
        tenth = index_of(0), index_of(MANY // 10)
        assert q.count(*tenth) == PER_CYCLE * MANY // 10
        wall = medians(lambda: len(q), lambda: q.count(*tenth), rounds=7)
        # Of this thread: other programs on the machine shall not decide.
        work = medians(lambda: len(q), lambda: q.count(*tenth), rounds=7, clock=time.thread_time)
    for what, (all_of, some) in (("elapsed", wall), ("processor", work)):
        print(f"len, {what}: {all_of / MANY * 1e6:.2f} us a cycle of {MANY}, "
              f"{some / MANY * 10 * 1e6:.2f} us a cycle of {MANY // 10}")
    assert work[0] / MANY < 10e-6
    assert work[0] < 20 * work[1]


def held(queue: Path) -> tuple[int, int]:
    """Descriptors and mappings of this process that belong to files of the queue."""
    files, mark = 0, f"{queue}{os.sep}"
    for fd in os.listdir("/proc/self/fd"):
        try:
            files += os.readlink(f"/proc/self/fd/{fd}").startswith(mark)
        except OSError:
            continue
    with open("/proc/self/maps") as maps:
        return files, sum(mark in line for line in maps)


def test_lag_reads_the_directory_once(tmp_path: Path) -> None:
    """Also where most cycles have no file: it had been read for each that has one."""
    files, apart = 600, 100
    path = make(tmp_path / "q", 2)
    first = path / f"{roll_cycles.file_stem(roll_cycles.BY_NAME['TEST4_SECONDLY'], CYCLE, 0)}.cq4"
    for n in range(2, files):
        stem = roll_cycles.file_stem(roll_cycles.BY_NAME["TEST4_SECONDLY"], CYCLE + n * apart, 0)
        shutil.copyfile(first, path / f"{stem}.cq4")
    with tape.open(path, codec=raw) as q:
        q.refresh()
        t = q.tailer()
        assert t.lag().messages == len(q) == files * PER_CYCLE
        lag, count = medians(t.lag, lambda: len(q), rounds=9)
        assert lag < 12 * count
        assert q.tailer(start=CYCLE + 5 * apart << 32).lag().messages == (files - 5) * PER_CYCLE


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_tailer_holds_only_the_cycle_it_is_in(many: Path, direction: str) -> None:
    """Reading 10,000 cycles: every message, with as many descriptors and mappings as for one."""
    with tape.open(many, codec=raw, read_only=True) as q:
        t = q.tailer(direction=direction)
        if direction == "backward":
            t.seek_end()
        t.read_many(PER_CYCLE)
        at_first, most, count = held(many), (0, 0), PER_CYCLE
        begun = time.perf_counter()
        while t.skip(PER_CYCLE) == PER_CYCLE:
            count += PER_CYCLE
            if count % (500 * PER_CYCLE) == 0:
                most = max(most, held(many))
        taken = time.perf_counter() - begun
        print(f"{direction}: {taken / MANY * 1e6:.1f} us a cycle; files, mappings: {most}")
        assert count == PER_CYCLE * MANY
        assert most[0] <= at_first[0] and most[1] <= at_first[1] + 1
        t.close()
        assert held(many)[0] == 1  # the table store


def test_one_file_that_is_missing_is_stepped_over_without_reading_the_directory(
        many: Path, tmp_path: Path) -> None:
    """A queue with every other cycle missing is read in about the time of one without gaps: far
    less than reading the directory at each of them takes."""
    copy = tmp_path / "gaps"
    copy.mkdir()
    names = sorted(p.name for p in many.glob("*.cq4"))
    for name in [names[-1], *names[:MANY // 5:2]]:
        copy_sparse(many / name, copy / name)
    shutil.copy(many / "metadata.cq4t", copy)
    time.sleep(0.2)
    count = PER_CYCLE * MANY // 10
    with tape.open(copy, codec=raw, read_only=True) as gaps, \
            tape.open(many, codec=raw, read_only=True) as whole:
        assert [e.value for e in gaps.tailer().entries()] == \
            [b"%d" % n for n in range(PER_CYCLE)] * (MANY // 10 + 1)
        # Of this thread: other programs on the machine shall not decide.
        a, b = medians(lambda: whole.tailer().skip(count) == count or pytest.fail("too few"),
                       lambda: gaps.tailer().skip(count) == count or pytest.fail("too few"),
                       rounds=5, clock=time.thread_time)
    print(f"{a / MANY * 1e7:.1f} us a cycle without gaps, {b / MANY * 1e7:.1f} us with")
    assert b < 3 * a


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_files_far_apart_are_found_in_linear_time(tmp_path: Path, direction: str) -> None:
    """Gaps so long that files are not looked for by name: reading twenty times as many takes about
    that much longer, and not the square of it; also while files are added and deleted."""
    def sparse(cycles: int) -> Path:
        path = tmp_path / str(cycles)
        make(path, cycles, apart=100)
        return path

    def all_of(path: Path, cycles: int) -> Callable[[], object]:
        def action() -> None:
            with tape.open(path, codec=raw, read_only=True) as q:
                start = "end" if direction == "backward" else None
                t = q.tailer(direction=direction, start=start)
                assert t.skip(1 << 30) == PER_CYCLE * cycles
        return action

    few, many = 200, 4000
    few_path, many_path = sparse(few), sparse(many)
    time.sleep(0.2)
    a, b = medians(all_of(few_path, few), all_of(many_path, many), rounds=3,
                   clock=time.thread_time)
    print(f"{direction}: {a / few * 1e6:.1f} us a cycle of {few}, {b / many * 1e6:.1f} of {many}")
    assert b / many < 4 * a / few


def test_what_was_kept_of_the_directory_is_forgotten_when_it_changes(tmp_path: Path) -> None:
    """A tailer in the middle of files far apart: one before it and one behind it come, one goes."""
    path = tmp_path / "q"
    make(path, 40, apart=100)
    time.sleep(0.2)
    name = sorted(p.name for p in path.glob("*.cq4"))
    with tape.open(path, codec=raw, read_only=True) as q:
        t = q.tailer()
        assert t.skip(3 * PER_CYCLE) == 3 * PER_CYCLE and t.read() == b"0"  # in the fourth
        shutil.copy(path / name[0], path / q.locate(CYCLE + 350 << 32).path)
        os.unlink(path / name[5])
        seen = [e.index >> 32 for e in t.entries()][PER_CYCLE - 1::PER_CYCLE]
        assert seen == [CYCLE + n for n in [350, 400, *range(600, 4000, 100)]]
        t.direction = "backward"
        seen = [e.index >> 32 for e in t.entries()][PER_CYCLE - 1::PER_CYCLE]
        assert seen == [CYCLE + n for n in [*range(3900, 500, -100), 400, 350, 300, 200, 100, 0]]
