"""tape latency: histories that say nothing first, then what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tape
from tape.codecs import wire
from tape.codecs.wire import History, Typed

from tests.kit.commands import Terminal, filled, outcome
from tests.kit.directories import digest
from tests.kit.golden_queues import extract


def queue_of(path: Path, *messages: object) -> Path:
    with tape.open(path, codec=wire) as q:
        for message in messages:
            q.appender().write(message)
    return path


def test_a_queue_without_histories_says_so_and_is_left_as_it_was(tmp_path: Path) -> None:
    """Of ours, of Java's method writers without a source id; nothing at all."""
    filled(tmp_path / "q", 5, 1)
    for path in (tmp_path / "q", extract("java-5.26-methodwriter", tmp_path)):
        before = digest(path)
        assert outcome("latency", path) == (
            0, "", "tape latency: no message here has a history: services write them that have a "
                   "source id\n")
        assert digest(path) == before
    assert outcome("latency", tmp_path / "none")[0] == 2


def test_histories_that_make_no_sense_are_counted_and_passed(tmp_path: Path) -> None:
    """Exit code 3; the others count. What only looks like one is none."""
    queue = queue_of(tmp_path / "q", {"history": History(((1, 5),), (7, 8, 9, 10)), "say": "x"},
                     {"history": "of Rome"}, {"history": {"sources": [1], "timings": "late"}},
                     {"history": History(((1, 6),), (100, 140)), "say": "hi"})
    code, out, errors = outcome("latency", queue)
    assert code == 3 and errors.count("\n") == 1 and "1 histories" in errors
    assert out.splitlines()[1:] == ["1\t1\t40 ns\t40 ns\t40 ns\t40 ns\t40 ns"]


def test_stages_are_services_ways_between_and_the_whole(tmp_path: Path) -> None:
    """Packed histories and those of older releases; by method; without the first ones."""
    old = Typed("MessageHistory", {"sources": [1, 5, 2, 6], "timings": [0, 10, 30, 90]})
    queue = queue_of(tmp_path / "q", *(
        {"history": History(((1, n), (2, n)), (1000, 1000 + n, 2000, 2000 + 2 * n)), "say": "hi"}
        for n in range(1, 101)), {"history": old, "shout": "ho"})
    rows = [json.loads(line) for line in outcome("latency", queue, "--json")[1].splitlines()]
    assert [row["stage"] for row in rows] == ["1", "1 to 2", "2", "end to end"]
    assert (rows[0]["count"], rows[0]["p50"], rows[0]["max"], rows[2]["p90"]) == (101, 50, 100, 180)
    lines = outcome("latency", queue, "--by-method", "--skip", "100")[1].splitlines()[1:]
    assert lines[0].startswith("1 shout\t1\t10 ns") and lines[-1].startswith("end to end shout\t1")
    terminal = Terminal("latency", queue, columns=40)
    assert terminal.end()[0] == 0 and max(map(len, terminal.text().splitlines())) <= 40


@pytest.mark.parametrize("arguments", [["--skip", "-1"], ["--since", "soon"]])
def test_wrong_use_is_told(tmp_path: Path, arguments: list[str]) -> None:
    """Exit code 2."""
    assert outcome("latency", queue_of(tmp_path / "q", {"a": 1}), *arguments)[:2] == (2, "")
