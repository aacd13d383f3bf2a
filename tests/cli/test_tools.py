"""copy, bench, unlock and top: what they refuse comes first."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import tape
from tape.codecs import document

from tests.kit.commands import Terminal, filled, outcome
from tests.kit.directories import digest

HOLDER = """
import os, sys, time, tape
from tape.codecs import raw
q = tape.open(sys.argv[1])
q.appender().write("the roll is done")
with q.appender(codec=raw).writing(10):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """Twenty messages in four cycles."""
    filled(tmp_path / "q", 20, 4)
    return tmp_path / "q"


def held(queue: Path) -> subprocess.Popen[str]:
    """A process that has the write lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, queue], stdout=subprocess.PIPE,
                               text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


# ---- unlock ----


def test_unlock_shows_a_living_holder_and_refuses(queue: Path) -> None:
    """By pid and command; --gone or not; no byte is changed; exit code 1."""
    process = held(queue)
    try:
        before = digest(queue)
        for arguments in ([], ["--gone"]):
            code, _, errors = outcome("unlock", queue, *arguments)
            assert code == 1 and str(process.pid) in errors and "lives" in errors
            assert "-c" in errors and digest(queue) == before
    finally:
        process.kill()
        process.wait()


def test_unlock_frees_the_lock_of_the_dead_and_leaves_no_message(queue: Path) -> None:
    """A process that was killed, and a pid that nobody has."""
    process = held(queue)
    messages = outcome("cat", queue, "--hex")[1]
    process.send_signal(signal.SIGKILL)
    process.wait()
    code, out, _ = outcome("unlock", queue)
    assert (code, "freed" in out) == (0, True)
    assert outcome("unlock", queue) == (0, "the write lock is free\n", "")
    assert outcome("cat", queue, "--hex")[1] == messages and outcome("verify", queue)[0] == 0


def test_unlock_breaks_a_lock_whose_holder_is_not_to_be_seen_only_when_told(queue: Path) -> None:
    """As of a process in another container: its pid tells nothing here."""
    messages = outcome("cat", queue)[1]
    with tape.open(queue) as q:
        cell = queue / "metadata.cq4t"
        data = cell.read_bytes()
        free = bytes.fromhex("0000000000000080")
        at = data.index(free, data.index(b"chronicle.write.lock"))
        assert q.info().lock_holder is None
        with cell.open("r+b") as file:
            file.seek(at)
            file.write((0x3FFFFFF).to_bytes(8, "little"))
    code, _, errors = outcome("unlock", queue)
    assert code == 1 and "--gone" in errors
    code, out, _ = outcome("unlock", queue, "--gone")
    assert (code, "freed" in out) == (0, True)
    assert outcome("cat", queue)[1] == messages


def test_the_hint_of_a_held_lock_names_unlock(queue: Path) -> None:
    """Who waits in vain knows what to do."""
    process = held(queue)
    try:
        with tape.open(queue, lock_timeout=0.05) as q, \
                pytest.raises(tape.LockTimeout) as error:
            q.appender().write(b"x")
        assert "tape unlock" in error.value.hint
    finally:
        process.kill()
        process.wait()


# ---- copy ----


def same(a: Path, b: Path, indexes: bool) -> None:
    """Equal documents, and equal indexes if they were kept."""
    with tape.open(a, read_only=True) as p, tape.open(b, read_only=True) as q:
        left, right = (list(each.tailer(codec=document).entries()) for each in (p, q))
    assert [e.raw for e in left] == [e.raw for e in right]
    assert not indexes or [e.index for e in left] == [e.index for e in right]


@pytest.mark.parametrize("indexes", [True, False])
def test_copy_makes_the_same_messages_with_their_indexes_or_new_ones(
        queue: Path, tmp_path: Path, indexes: bool) -> None:
    """Of any framing; the source stays as it is; compressed cycles as well."""
    with tape.open(queue) as q:
        q.appender(codec=document).write(b"a document, and no frame")
    outcome("compress", queue)
    before, target = digest(queue), tmp_path / "copy"
    code, _, errors = outcome("copy", queue, target, *(["--keep-indexes"] if indexes else []))
    assert code == 0 and "21 messages copied" in errors and digest(queue) == before
    same(queue, target, indexes)
    assert outcome("verify", target)[0] == 0


def test_copy_takes_a_range_and_refuses_what_cannot_keep_its_index(
        queue: Path, tmp_path: Path) -> None:
    """A message in the middle of a cycle cannot be the first of its copy."""
    with tape.open(queue, read_only=True) as q:
        indexes = [e.index for e in q.tailer().entries()]
    target = tmp_path / "copy"
    assert outcome("copy", queue, target, "--from", hex(indexes[7]), "--to", hex(indexes[12]))[
        0] == 0
    assert outcome("cat", target)[1].count("\n") == 5
    assert outcome("copy", queue, target, "--from", hex(indexes[18]), "--limit", "1")[0] == 0
    assert outcome("cat", target)[1].count("\n") == 6
    code, _, errors = outcome("copy", queue, tmp_path / "other", "--keep-indexes", "--from",
                              hex(indexes[7]))
    assert code == 2 and "0 messages copied" in errors and "must end right before" in errors
    kept = tmp_path / "kept"
    for part in (["--to", hex(indexes[7])], ["--from", hex(indexes[7])]):
        assert outcome("copy", queue, kept, "--keep-indexes", *part)[0] == 0
    same(queue, kept, True)
    assert outcome("copy", queue, kept, "--keep-indexes")[0] == 2
    assert outcome("copy", queue, queue)[0] == 2
    assert outcome("copy", tmp_path / "nothing", tmp_path / "new")[0] == 2
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", ["json", "document", None])
def test_a_copy_notes_the_codec_of_its_source(tmp_path: Path, kind: str | None) -> None:
    """Not the default one; none where the source has none, as those of Java. A target that was made
    with another one is warned of (exit code 3), and refused with --keep-indexes."""
    path, codec = tmp_path / "q", getattr(tape.codecs, kind or "raw")
    with tape.open(path, codec=codec) as q:
        q.appender().write(b"1" if kind != "json" else [1])
    if kind is None:
        (path / "tape.codec").unlink()
    for options in ([], ["--keep-indexes"]):
        target = tmp_path / f"copy {len(options)}"
        assert outcome("copy", path, target, *options)[0] == 0
        assert (target / "tape.codec").exists() == (kind is not None)
        with tape.open(target, codec=codec, strict=True) as q:
            assert q.info().made_with == kind and len(q) == 1
        assert outcome("copy", path, target)[0] == 0  # and once more
    with tape.open(tmp_path / "other", codec=tape.codecs.raw) as q:
        pass
    code, _, errors = outcome("copy", path, tmp_path / "other")
    assert (code, "made with" in errors) == ((3, True) if kind else (0, False)), errors
    code, _, errors = outcome("copy", path, tmp_path / "other", "--keep-indexes")
    assert code == 2 and ("made with" in errors or kind is None)


# ---- top ----


def test_top_shows_every_queue_below_a_directory_and_changes_none(
        queue: Path, tmp_path: Path) -> None:
    """Lag, rates and time to full; one that cannot be opened is told (exit code 3)."""
    filled(tmp_path / "deep" / "er" / "b c\n", 3, 1)
    with tape.open(queue) as q, q.tailer("billing") as t:
        t.read_many(7)
    before = digest(tmp_path)
    code, out, errors = outcome("top", tmp_path, "--once", "--every", "0.1")
    rows = [line.split("\t") for line in out.splitlines()]
    assert (code, errors) == (0, "") and [row[1] for row in rows] == ["3", "20"]
    assert rows[1][5:7] == ["13", "billing"] and "\\n" in rows[0][0]
    lines = outcome("top", tmp_path, "--json", "--every", "0.1")[1].splitlines()
    assert [json.loads(line)["lag_messages"] for line in lines] == [0, 13]
    assert digest(tmp_path) == before
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "metadata.cq4t").write_bytes(b"no table store")
    code, out, errors = outcome("top", tmp_path, "--once", "--every", "0.1")
    assert (code, len(out.splitlines())) == (3, 2) and "bad" in errors
    assert outcome("top", tmp_path / "nowhere", "--once")[0] == 2


@pytest.mark.parametrize("columns", [40, 100])
def test_top_is_live_in_a_terminal_of_any_width_and_ends_with_ctrl_c(
        queue: Path, tmp_path: Path, columns: int) -> None:
    """Queues that come are seen, no line is wider than the screen; exit code 130."""
    terminal = Terminal("top", tmp_path, "--every", "0.1", columns=columns)
    terminal.expect("per s")
    assert "came" not in terminal.text()
    filled(tmp_path / "came", 3, 1)
    terminal.expect("came")
    terminal.press(b"\x03")
    assert terminal.end()[0] == 130
    lines = re.split(r"[\r\n]", terminal.text().replace("^C", ""))
    assert max(map(len, lines)) <= columns
    assert any(line.split()[:2] == ["q", "20"] for line in lines)


# ---- bench ----


def test_bench_names_the_durability_and_leaves_nothing(tmp_path: Path) -> None:
    """Percentiles of each call, a histogram, JSON for machines."""
    code, out, errors = outcome("bench", tmp_path, "--messages", "2000")
    assert (code, errors) == (0, "") and out.startswith("durability: os (")
    assert "p99.9" in out and out.count("write <") >= 2 and list(tmp_path.iterdir()) == []
    facts = json.loads(outcome("bench", tmp_path, "--messages", "500", "--json")[1])
    assert facts["durability"] == "os" and len(facts["results"]) == 4
    assert all(r["p50"] <= r["p99"] <= r["longest"] for r in facts["results"])
    assert outcome("bench", tmp_path / "nowhere")[0] == 2
    assert outcome("bench", tmp_path, "--durability", "hope")[0] == 2
    assert list(tmp_path.iterdir()) == []
    terminal = Terminal("bench", tmp_path, "--messages", "500", columns=60)
    assert terminal.end()[0] == 0 and "write_many" in terminal.text()
