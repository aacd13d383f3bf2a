"""tape verify and tape repair on the command line: exit codes, JSON, words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.kit.commands import Terminal, filled, outcome
from tests.kit.damage import cycle_file, pair_of, poke
from tests.kit.directories import digest
from tests.reference.cycle_file import CycleFile


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """Two cycles of ten messages."""
    filled(tmp_path / "q", 20, 2)
    return tmp_path / "q"


def test_a_wrong_path_and_two_wishes_are_wrong_use(queue: Path, tmp_path: Path) -> None:
    """Exit code 2, and nothing is made."""
    for arguments in (["verify", tmp_path / "x"], ["repair", tmp_path / "x"],
                      ["repair", queue, "--in-place", "--into", tmp_path / "y"],
                      ["repair", queue, "--into", queue]):
        code, out, errors = outcome(*arguments)
        assert (code, out) == (2, "") and errors
    assert [p.name for p in tmp_path.iterdir()] == ["q"]


def test_verify_says_that_all_is_sound_or_what_is_not_and_what_to_do(queue: Path) -> None:
    """Exit code 0 or 1; no byte is changed."""
    before = digest(queue)
    assert outcome("verify", queue) == (0, "20 messages in 3 files: sound\n", "")
    assert outcome("verify", queue, "-q") == (0, "", "")
    assert json.loads(outcome("verify", queue, "--json")[1])["ok"] is True
    assert digest(queue) == before
    poke(cycle_file(queue), pair_of(cycle_file(queue)), bytes(8))
    code, out, _ = outcome("verify", queue)
    first, second, *_ = out.splitlines()
    assert code == 1 and first.startswith("damage write-position 20200101F.cq4:0x")
    assert "tape repair" in second
    report = json.loads(outcome("verify", queue, "--json")[1])
    assert report["ok"] is False and report["findings"][0]["kind"] == "write-position"
    terminal = Terminal("verify", queue, columns=40)
    assert terminal.end()[0] == 1


def test_repair_says_what_became_of_it_by_its_exit_code(queue: Path, tmp_path: Path) -> None:
    """0 clean or lossless, 3 lossy, 1 nothing to be had."""
    assert outcome("repair", queue, "--into", tmp_path / "a")[0] == 0
    file = cycle_file(queue)
    poke(file, pair_of(file), bytes(8))
    code, out, _ = outcome("repair", queue)
    assert code == 0 and "nothing was lost" in out and "q.repaired" in out
    at = CycleFile(file).scan().data[5]
    poke(file, at, b"\xff" * 6)
    code, out, _ = outcome("repair", queue, "--into", tmp_path / "b", "--json")
    found = json.loads(out)
    assert (code, found["outcome"], found["lost"], found["messages"]) == (3, "lossy", 1, 20)
    assert outcome("repair", queue, "--in-place")[0] == 3
    assert outcome("verify", queue, "-q")[0] == 0
    for path in queue.glob("*.cq4"):
        path.write_bytes(b"\xff" * 5000)
    assert outcome("repair", queue, "--into", tmp_path / "c")[0] == 1
