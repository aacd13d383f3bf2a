"""gc, park and demo: refusals first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tape

from tests.kit.commands import Terminal, filled, outcome
from tests.kit.directories import digest


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """Four cycles; ``billing`` has read the first."""
    filled(tmp_path / "q", 20, 4)
    with tape.open(tmp_path / "q") as q, q.tailer("billing") as t:
        t.read_many(7)
    return tmp_path / "q"


@pytest.mark.parametrize("arguments", [
    [], ["--max-age", "soon"], ["--max-cycles", "0"], ["--max-bytes", "many"],
    ["--max-cycles", "1", "--even-unread", "--unread-by", "x"]])
def test_gc_without_a_limit_that_makes_sense_removes_nothing(arguments: list[str],
                                                             queue: Path) -> None:
    """Exit code 2, and no byte is changed."""
    before = digest(queue)
    code, out, _ = outcome("gc", queue, *arguments)
    assert (code, out, digest(queue)) == (2, "", before)


def test_gc_does_what_its_dry_run_says_and_keeps_what_is_unread(queue: Path) -> None:
    """Until the tailer is parked."""
    before = digest(queue)
    arguments = ["gc", queue, "--max-cycles", "1"]
    code, out, _ = outcome(*arguments, "--dry-run")
    words = [line.split("\t")[0] for line in out.splitlines()]
    assert (code, words, digest(queue)) == (0, ["would go", "stays", "stays", "stays"], before)
    terminal = Terminal(*arguments, "--dry-run", columns=40)
    assert terminal.end()[0] == 0 and max(map(len, terminal.text().splitlines())) <= 40
    assert outcome(*arguments)[1] == out.replace("would go", "gone")
    assert len(list(queue.glob("*.cq4"))) == 3
    assert outcome("park", queue, "nobody")[0] == 2
    assert outcome("park", queue, "billing")[0] == 0
    lines = outcome(*arguments, "--json")[1].splitlines()
    assert [json.loads(line)["goes"] for line in lines] == [True, True, False]
    assert len(list(queue.glob("*.cq4"))) == 1


def test_park_and_gc_make_no_queue_where_there_is_none(tmp_path: Path) -> None:
    """A wrong path is exit code 2."""
    for arguments in (["park", tmp_path / "q", "x"], ["gc", tmp_path / "q", "--max-cycles", "1"],
                      ["compress", tmp_path / "q"], ["thaw", tmp_path / "q"]):
        assert outcome(*arguments)[0] == 2 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["zstd", "gzip"])
def test_compress_and_thaw_change_no_message(queue: Path, kind: str) -> None:
    """What is unread stays as it is unless told so; both say when there is nothing to do."""
    messages = outcome("cat", queue)
    assert outcome("compress", queue, "--kind", kind, "--keep", "9")[0] == 0
    code, out, _ = outcome("compress", queue, "--kind", kind)
    assert (code, len(out.splitlines())) == (0, 1)
    assert outcome("compress", queue, "--kind", kind, "--even-unread")[1].count("\n") == 2
    assert outcome("cat", queue) == messages and len(list(queue.glob("*.cq4"))) == 1
    assert "compressed" in Terminal("info", queue).end()[1]
    assert outcome("compress", queue)[1:] == ("", "tape compress: there is nothing to compress\n")
    code, out, _ = outcome("thaw", queue)
    assert (code, len(out.splitlines())) == (0, 3) and outcome("cat", queue) == messages
    assert outcome("thaw", queue) == (0, "", "tape thaw: there is nothing to thaw\n")


def test_thaw_leaves_a_file_that_differs_and_says_so(queue: Path) -> None:
    """Exit code 3; a file that was cut is a finding. Zeros at the end are no difference."""
    file = sorted(queue.glob("*.cq4"))[0]
    original = file.read_bytes()
    outcome("compress", queue)
    archive = Path(f"{file}.zst")
    file.write_bytes(original.rstrip(b"\0")[:-9])
    code, _, errors = outcome("thaw", queue)
    assert code == 3 and archive.name in errors
    file.unlink()
    archive.write_bytes(archive.read_bytes()[:-9])
    code, _, errors = outcome("thaw", queue)
    assert code == 1 and str(archive) in errors
    assert outcome("compress", queue, "--level", "99")[0] == 2


def test_demo_shows_a_message_and_leaves_nothing_or_a_new_queue(tmp_path: Path) -> None:
    """It never writes into what is there."""
    code, out, errors = outcome("demo")
    assert (code, errors) == (0, "") and '{"foo": ["bar", {"baz": 0}]}' in out
    assert not Path(out.split("'")[1]).parent.exists()
    assert outcome("demo", tmp_path / "q")[0] == 0
    assert outcome("demo", tmp_path / "q")[0] == 2
    assert outcome("cat", tmp_path / "q")[1] == '{"foo": ["bar", {"baz": 0}]}\n'
