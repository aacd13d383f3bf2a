"""tape write: lines that are no messages first, then what is written."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import tape
from tape.codecs import raw, text

from tests.kit.commands import ENVIRONMENT, TAPE, Terminal, outcome


def messages(path: Path, codec: tape.Codec[object] = tape.codecs.fressian) -> list[object]:
    with tape.open(path, read_only=True, codec=codec) as q:
        return list(q.tailer())


def test_nothing_is_made_where_there_is_no_queue_unless_asked_for(tmp_path: Path) -> None:
    """A slip of the finger makes no queue."""
    code, _, errors = outcome("write", tmp_path / "q", stdin=b"a\n")
    assert code == 2 and "--create" in errors and not list(tmp_path.iterdir())
    assert outcome("write", tmp_path / "q", "--create", stdin=b"a\n")[0] == 0
    assert messages(tmp_path / "q") == ["a"]


@pytest.mark.parametrize(("shape", "good", "bad"), [
    ("--json", b'{"a": 1}', b"{"), ("--edn", b"{:a 1}", b"}"), ("--hex", b"00ff", b"0g"),
    ("--json", b"1", b"\xff"), ("--codec=json", b"a", b"\xff")])
def test_a_line_that_is_no_message_is_told_by_its_number(shape: str, good: bytes, bad: bytes,
                                                         tmp_path: Path) -> None:
    """Those before it are written; with --skip-bad those behind it, too."""
    lines = good + b"\n" + bad + b"\n" + good
    code, _, errors = outcome("write", tmp_path / "q", "--create", shape, stdin=lines)
    assert code == 2 and "line 2 of stdin" in errors and "1 message written" in errors
    code, _, errors = outcome("write", tmp_path / "q", shape, "--skip-bad", stdin=lines)
    assert code == 3 and "line 2 of stdin" in errors and "2 messages written" in errors
    assert outcome("cat", tmp_path / "q", "--hex")[1].count("\n") == 3


def test_lines_json_edn_and_bytes_become_what_they_say(tmp_path: Path) -> None:
    """Blank lines are messages of text, and nothing in JSON."""
    outcome("write", tmp_path / "a", "--create", stdin="x\n\nä".encode())
    assert messages(tmp_path / "a") == ["x", "", "ä"]
    outcome("write", tmp_path / "b", "--create", "--json", stdin=b'[1]\n\n{"k": null}\n')
    assert messages(tmp_path / "b") == [[1], {"k": None}]
    outcome("write", tmp_path / "c", "--create", "--edn", stdin=b":a/b\n")
    assert messages(tmp_path / "c") == [tape.codecs.fressian.kw("a/b")]
    outcome("write", tmp_path / "d", "--create", "--bytes", stdin=b"\xff\r\n\n")
    assert messages(tmp_path / "d", raw) == [b"\xff\r", b""]
    outcome("write", tmp_path / "e", "--create", "--codec", "text", stdin=b"hi\n")
    assert messages(tmp_path / "e", text) == ["hi"]


def test_files_are_written_in_their_order_and_indexes_printed(tmp_path: Path) -> None:
    """Through cat they come back."""
    for name in "ab":
        (tmp_path / name).write_text(f"1{name}\n2{name}\n")
    code, out, _ = outcome("write", tmp_path / "q", tmp_path / "a", tmp_path / "b", "-i",
                           "--create")
    assert code == 0
    assert messages(tmp_path / "q") == ["1a", "2a", "1b", "2b"]
    with tape.open(tmp_path / "q", read_only=True) as q:
        assert out.split() == [hex(e.index) for e in q.tailer().entries()]
    terminal = Terminal("write", tmp_path / "q", tmp_path / "a", columns=40)
    assert terminal.end()[0] == 0 and "2 messages written" in terminal.seen
    assert outcome("write", tmp_path / "q", tmp_path / "none")[0] == 2


def test_each_line_is_written_when_it_comes_and_control_c_says_how_far(tmp_path: Path) -> None:
    """Not when the pipe ends."""
    process = subprocess.Popen([*TAPE, "write", tmp_path / "q", "--create", "-i"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=ENVIRONMENT)
    assert process.stdin and process.stdout
    process.stdin.write(b"one\n")
    process.stdin.flush()
    process.stdout.readline()
    assert messages(tmp_path / "q") == ["one"]
    process.send_signal(2)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130 and b"1 message written" in errors


def test_what_one_queue_gives_as_edn_another_takes(tmp_path: Path) -> None:
    """Nothing is lost between cat --edn and write --edn."""
    values = [{"a": {1, 2}, "b": b"\xff", tape.codecs.fressian.kw("k"): None}, 1.5, [True, "\x1b"]]
    with tape.open(tmp_path / "a") as q:
        for value in values:
            q.appender().write(value)
    text_of_it = outcome("cat", tmp_path / "a", "--edn")[1]
    outcome("write", tmp_path / "b", "--create", "--edn", stdin=text_of_it.encode())
    assert messages(tmp_path / "b") == values


def test_a_warning_and_its_hint_are_one_line(tmp_path: Path) -> None:
    """Of a queue that was made with another codec."""
    assert outcome("write", tmp_path / "q", "--create", stdin=b"one\n")[0] == 0
    code, _, errors = outcome("write", tmp_path / "q", "--bytes", stdin=b"two")
    assert code == 3 and "was made with codec 'fressian'" in errors and "; hint: " in errors
    assert "\\n" not in errors and len(errors.splitlines()) == 2
