"""info() of queue, appender and tailer; repr(), cycles() and counts."""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

import tape

from tests.kit.queues import CYCLE, Changing, Filled, index_of


def test_repr_takes_one_line_and_info_is_frozen(q: tape.Queue) -> None:
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


def test_counts_agree_with_a_list(filled: Filled) -> None:
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


def test_cycles_tell_count_and_state_of_each_file(filled: Filled) -> None:
    """Each file with its count and state."""
    found = filled.q.cycles()
    assert [(c.cycle - CYCLE, c.count, c.state) for c in found] == [
        (0, 300, "finished"), (1, 1, "finished"), (4, 150, "finished"), (5, 2, "finished"),
        (9, 40, "open")]
    assert all(c.bytes_on_disk < 4 << 20 < c.bytes for c in found)
    assert sum(c.count for c in found) == len(filled.q)


def test_info_agrees_with_cycles_and_clock(filled: Filled) -> None:
    """The facts of info() agree with cycles(), the clock and the table store."""
    info = filled.q.info()
    files = filled.q.cycles()
    assert (info.files, info.messages, info.bytes_on_disk) == (
        5, 493, sum(f.bytes_on_disk for f in files))
    assert info.cycle == CYCLE + 9 and info.durability == "os"
    assert (info.index_count, info.index_spacing) == (32, 4)
    assert info.last_index_replicated is None
    t = filled.q.tailer(start=filled.indexes[300])
    assert t.info().cycle == CYCLE + 1 and filled.a.info().cycle == CYCLE + 9


def test_states_of_a_tailer_have_javas_names(changing: Changing) -> None:
    """Java's words for where a tailer stands."""
    t = changing.q.tailer()
    assert t.info().state == "FOUND_IN_CYCLE"
    list(t)
    assert t.info().state == "FOUND_IN_CYCLE"  # where the next one will be
    os.unlink(changing.q.locate(index_of(5)).path)
    with changing.q.tailer(start="end") as at_end:
        assert at_end.info().state == "END_OF_CYCLE"
    t = changing.q.tailer(direction="backward", start="start")
    assert t.read() == b"0.0" and t.read() is None
    assert t.info().state == "BEYOND_START_OF_CYCLE"
    t.close()
    assert t.info().state is None and t.info().lag_messages is None


DATAFY_QUEUE = """source_id last_acknowledged_index_replicated last_index_replicated path
    index_count index_spacing roll_cycle delta_checkpoint_interval buffered cycle closed"""
TABLE_A_QUEUE = """first_index last_index messages bytes files lock_holder filesystem durability
    data_formats tailers"""
DATAFY_APPENDER = "cycle last_index source_id queue"
TABLE_A_APPENDER = "bytes messages durability"
DATAFY_TAILER = "cycle index source_id direction state queue"
TABLE_A_TAILER = "lag_messages lag_bytes lag_seconds id poll_interval"


def test_info_holds_what_clojure_shows_and_more(changing: Changing) -> None:
    """Every key of datafy, under the same name in Python's spelling (``:file`` is ``path``,
    ``:last-index-appended`` is ``last_index``), and what the features promise beside."""
    t, info = changing.q.tailer("n"), changing.q.info()
    for names, facts in ((DATAFY_QUEUE + " " + TABLE_A_QUEUE, info),
                         (DATAFY_APPENDER + " " + TABLE_A_APPENDER, changing.a.info()),
                         (DATAFY_TAILER + " " + TABLE_A_TAILER, t.info())):
        fields = {f.name for f in dataclasses.fields(facts)}
        assert set(names.split()) <= fields
        assert set(facts.asdict()) == fields
    assert (info.messages, info.files, info.data_formats, info.buffered) == (8, 4, (1,), False)
    assert info.delta_checkpoint_interval == 64
    kinds = [line.split()[-1] for line in open("/proc/filesystems")]
    assert info.filesystem in kinds
    assert all(c.data_format == 1 for c in changing.q.cycles())


def test_an_appender_counts_what_it_wrote(changing: Changing) -> None:
    """Its own messages, and their bytes without frames; not those that failed."""
    other = changing.q.appender()
    assert (other.info().messages, other.info().bytes, other.info().last_index) == (0, 0, None)
    assert (changing.a.info().messages, changing.a.info().bytes) == (8, 24)
    changing.clock.ms = (CYCLE + 7) * 1000
    index = other.write(b"makes a file")
    with pytest.raises(tape.MessageTooLarge):
        other.write(bytes(1 << 20))
    assert (other.info().messages, other.info().bytes, other.info().last_index) == (1, 12, index)
    other.close()
    assert other.info().closed and other.info().last_index is None


IN_A_CHROOT = """
import ctypes, os, sys, tape, tape._inspect
ctypes.CDLL(None)
before = tape.open(sys.argv[1] + "/q").info().filesystem
os.chroot(sys.argv[1])
os.chdir("/")
with tape.open("/q") as q:
    print(before == q.info().filesystem, q.info().filesystem)
"""


def test_the_file_system_is_named_where_no_mount_is_to_be_seen(tmp_path: Path) -> None:
    """In a chroot there is no /proc: the kernel's number for it is named as elsewhere."""
    if os.getuid() != 0:
        pytest.skip("chroot() needs root")
    ran = subprocess.run([sys.executable, "-c", IN_A_CHROOT, str(tmp_path)], capture_output=True,
                         text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    same, name = ran.stdout.split()
    assert same == "True" and not name.startswith("0x")
