"""Files that end behind their data, and what Java leaves beside them."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kit.clocks import SetClock
from tests.kit.directories import digest
from tests.kit.old_formats import CYCLE, NOON, cycle_file, errors, odd, opened, read_only
from tests.reference.cycle_file import CycleFile
from tests.reference.writer import FORM_5_17, FORM_5_26, Form, QueueSpec, write_queue


def shrink(path: Path, text: bool) -> None:
    """Cuts a finished file right behind its EOF word, as Java 5.17 to 5.24 do."""
    end = CycleFile(path).scan().end
    os.truncate(path, end + (8 if text else 4))


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("form", [FORM_5_17, FORM_5_26], ids=["packed", "aligned"])
@pytest.mark.parametrize("count", [0, 1, 700])
def test_a_file_cut_behind_its_end_is_read_to_the_last_message(
        tmp_path: Path, text: bool, form: Form, count: int) -> None:
    """Read to the last message both ways, counted, rolled past by a writer, size left alone."""
    form = replace(form, eof_text=text)
    path = write_queue(tmp_path / "q", {CYCLE - 1: odd(count), CYCLE: [b"last"]},
                       QueueSpec(form=form))
    cut = cycle_file(path, CYCLE - 1)
    shrink(cut, text)
    size = cut.stat().st_size
    with read_only(path) as q:
        assert list(q.tailer()) == [*odd(count), b"last"]
        assert list(q.tailer(start="end", direction="backward")) == [b"last", *odd(count)[::-1]]
        assert len(q) == count + 1
    with opened(path, clock=SetClock(NOON + 86_400_000)) as q:
        q.appender().write(b"next")
        assert list(q.tailer()) == [*odd(count), b"last", b"next"]
    assert cut.stat().st_size == size
    assert errors(path) == []


def test_a_tailer_reads_on_in_a_file_that_was_cut_under_it(tmp_path: Path) -> None:
    """A tailer that mapped the long file reads on in the short one, and into the next cycle."""
    messages = odd(700)
    path = write_queue(tmp_path / "q", {CYCLE - 1: messages, CYCLE: [b"last"]})
    with read_only(path) as q, q.tailer() as t, q.tailer() as behind:
        assert [t.read() for _ in range(10)] == messages[:10]
        assert [behind.read() for _ in range(700)] == messages
        shrink(cycle_file(path, CYCLE - 1), text=False)
        assert list(t) == [*messages[10:], b"last"]
        assert list(behind) == [b"last"]
        t.direction = "backward"
        assert list(t) == [b"last", *messages[::-1]]


@pytest.mark.parametrize("less", [0, 1, 4])
def test_a_newest_file_cut_at_its_end_is_enlarged_by_the_next_append(
        tmp_path: Path, less: int) -> None:
    """A copy without the zeros behind its data: read completely, enlarged by the next append."""
    path = write_queue(tmp_path / "q", {CYCLE: [b"a", b"b" * 6]})
    end = CycleFile(cycle_file(path)).scan().end
    os.truncate(cycle_file(path), end - less + 4)
    with read_only(path) as q:
        assert list(q.tailer()) == [b"a", b"b" * 6]
    with opened(path) as q:
        q.appender().write(b"c")
        assert list(q.tailer()) == [b"a", b"b" * 6, b"c"]
    assert cycle_file(path).stat().st_size == 83886080
    assert errors(path) == []


def test_files_set_aside_and_made_early_are_left_alone(tmp_path: Path) -> None:
    """.discard, .precreated and strange files are neither read nor parsed nor touched; a cycle that
    has a .precreated file is made beside it."""
    path = write_queue(tmp_path / "q", {CYCLE - 1: [b"a"]})
    old = cycle_file(path, CYCLE - 1)
    beside = [f"{old.name}-1700000000000.discard", f"{old.stem}.precreated",
              f"{cycle_file(path).stem}.precreated", "notes.txt", "lost+found.cq4~"]
    for name in beside:
        shutil.copy(old, path / name)
    before = digest(path)
    with read_only(path) as q:
        assert list(q.tailer()) == [b"a"] and len(q.cycles()) == len(q) == 1
    assert digest(path) == before
    with opened(path) as q:
        q.appender().write(b"b")
        assert list(q.tailer()) == [b"a", b"b"]
    after = digest(path)
    assert {name: after[name] for name in beside} == {name: before[name] for name in beside}
    assert errors(path) == []
