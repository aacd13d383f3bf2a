"""What is stored in the table store counts, not what is wished for."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock


def test_stored_settings_win(tmp_path: Path) -> None:
    """A wish that differs from what is stored: a warning, or an error when strict."""
    tape.open(tmp_path, roll_cycle="HOURLY", source_id=7).close()
    with pytest.warns(tape.RollCycleMismatch, match="HOURLY"):
        q = tape.open(tmp_path, roll_cycle="DAILY")
    assert q.roll_cycle is tape.RollCycle.HOURLY and q.source_id == 7
    q.close()
    with pytest.raises(tape.RollCycleMismatch):
        tape.open(tmp_path, source_id=1, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tape.open(tmp_path, roll_cycle="hourly", source_id=7, epoch=0).close()


def test_a_lost_table_store_is_made_again(tmp_path: Path, clock: SetClock) -> None:
    """Without metadata.cq4t the file names tell the roll cycle, for readers and for writers."""
    with tape.open(tmp_path, codec=raw, roll_cycle="TEST_SECONDLY", clock=clock) as q:
        q.appender().write(b"kept")
    (tmp_path / "metadata.cq4t").unlink()
    with tape.open(tmp_path, codec=raw, read_only=True) as q:
        assert list(q.tailer()) == [b"kept"] and q.roll_cycle.name == "TEST_SECONDLY"
        assert not (tmp_path / "metadata.cq4t").exists()
    with tape.open(tmp_path, codec=raw, clock=clock) as q:
        q.appender().write(b"more")
        assert list(q.tailer()) == [b"kept", b"more"]


def test_names_that_strayed_in_do_not_tell_the_settings_of_a_queue_without_table_store(
        tmp_path: Path, clock: SetClock) -> None:
    """Those of most files that hold anything do, whichever name comes first in the directory."""
    path = tmp_path / "q"
    with tape.open(path, roll_cycle="TEST4_SECONDLY", clock=clock) as q:
        q.appender().write(1)
    (path / "metadata.cq4t").unlink()
    for day in range(10, 30):
        (path / f"202001{day}T4.cq4").symlink_to("nowhere")
        (path / f"2020-02-{day}-00.cq4").touch()
    (path / "20200101F.cq4").mkdir()
    with tape.open(path, read_only=True) as q:
        assert q.roll_cycle.name == "TEST4_SECONDLY" and list(q.tailer()) == [1]
    with tape.open(path, clock=clock) as q:
        assert q.roll_cycle.name == "TEST4_SECONDLY"
        q.appender().write(2)
        assert list(q.tailer()) == [1, 2]


def test_the_current_directory_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path leads from where it was opened: rolling, reading on and looking follow it."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    clock = SetClock(1_600_000_000_000)
    with tape.open("q", codec=raw, roll_cycle="TEST_SECONDLY", clock=clock) as q:
        a, t = q.appender(), q.tailer()
        a.write(b"before")
        monkeypatch.chdir("elsewhere")
        clock.ms += 1000
        index = a.write(b"after")
        assert list(t) == [b"before", b"after"] and len(q) == 2
        assert q.path == str(tmp_path / "q")
        assert Path(q.locate(index).path).is_file() and len(q.cycles()) == 2
    assert list((tmp_path / "elsewhere").iterdir()) == []
