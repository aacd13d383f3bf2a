"""tape.open(): what it takes, what it refuses by name, and what it leaves alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import tape

from tests.kit.clocks import SetClock
from tests.kit.damage import refused
from tests.kit.directories import as_unprivileged, digest


def test_a_path_may_be_str_bytes_or_path(tmp_path: Path) -> None:
    """str, bytes, and path objects."""
    name = str(tmp_path / "q")
    for path in (name, name.encode(), Path(name)):
        with tape.open(path) as q:  # type: ignore[arg-type]
            assert q.path == name


def test_durability_may_be_said(tmp_path: Path) -> None:
    """The one that there is."""
    with tape.open(tmp_path, durability="os") as q:
        assert q.info().durability == "os"


def test_an_epoch_out_of_range_makes_no_queue(tmp_path: Path) -> None:
    """It had made one that was damaged from the beginning."""
    for epoch in (1 << 60, -1 << 60, 315_569_520_000_001):
        with pytest.raises(tape.InvalidArgument):
            tape.open(tmp_path / "q", epoch=epoch)
    assert not (tmp_path / "q").exists()
    with tape.open(tmp_path / "q", epoch=-315_569_520_000_000) as q:
        q.appender().write("x")
        assert q.tailer().lag().messages == 1


def test_a_file_is_not_a_queue(tmp_path: Path) -> None:
    """A path that is a regular file is refused by name."""
    path = tmp_path / "file"
    path.write_text("not a queue")
    assert "not a directory" in str(refused(path, tape.UnsupportedQueue))
    assert path.read_text() == "not a queue"


def test_without_create_nothing_is_found_nor_made(tmp_path: Path) -> None:
    """create=False neither finds nor makes a queue; it is a FileNotFoundError, too."""
    error = refused(tmp_path / "none", tape.QueueNotFound, create=False)
    assert isinstance(error, FileNotFoundError)
    assert not (tmp_path / "none").exists()
    refused(tmp_path, tape.QueueNotFound, create=False)
    assert list(tmp_path.iterdir()) == []


def test_read_only_makes_no_queue(tmp_path: Path) -> None:
    """Reading does not make a queue."""
    refused(tmp_path / "none", tape.QueueNotFound, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_path_too_long_is_refused_not_truncated(tmp_path: Path) -> None:
    """A path that fits no buffer is an error, not a truncated path."""
    with pytest.raises(tape.InvalidArgument):
        tape.open(tmp_path / "/".join(["directory"] * 200))


@pytest.mark.parametrize("option", [{"block_size": 0}, {"block_size": -1}, {"source_id": -1},
                                    {"roll_cycle": "fortnightly"}, {"lock_timeout": -1},
                                    {"stale_after": -0.5}])
def test_options_out_of_range_make_nothing(tmp_path: Path, option: dict[str, object]) -> None:
    """Bad options are ValueErrors and make nothing."""
    with pytest.raises(ValueError):
        tape.open(tmp_path / "q", **option)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_one_may_not_enter_is_access_denied(tmp_path: Path, closed: Path) -> None:
    """A directory that one may not enter is AccessDenied, a PermissionError."""
    if os.getuid() != 0:
        pytest.skip("needs root to become another user")
    tmp_path.chmod(0o700)
    ran = as_unprivileged("try: tape.open(sys.argv[1])\nexcept tape.AccessDenied as e:\n"
                          "  print(isinstance(e, PermissionError), e.file, bool(e.hint))",
                          str(closed))
    assert ran.stdout == f"True {closed} True\n", ran


def open_up(path: Path) -> None:
    """Lets everybody read: pytest's own folders are private."""
    while path.parent != path and path.stat().st_uid == os.getuid() and path != Path("/tmp"):
        path.chmod(path.stat().st_mode | 0o055)
        path = path.parent


def test_without_permission_to_write_read_only_works(closed: Path) -> None:
    """Without write permission opening says so, and read_only=True works."""
    if os.getuid() != 0:
        pytest.skip("needs root to become another user")
    open_up(closed)
    before = digest(closed)
    ran = as_unprivileged(
        "try: tape.open(sys.argv[1])\n"
        "except tape.ReadOnlyQueue as e: print(e.file, bool(e.hint))\n"
        "q = tape.open(sys.argv[1], read_only=True, codec=tape.codecs.raw)\n"
        "print(len(list(q.tailer())))\n"
        "try: q.appender()\nexcept tape.ReadOnlyQueue as e: print('refused')\n", str(closed))
    lines = ran.stdout.splitlines()
    assert lines[0].startswith(str(closed)) and lines[0].endswith(" True"), ran
    assert lines[1:] == ["20", "refused"], ran
    assert digest(closed) == before


def test_rights_on_the_files_are_enough_for_what_needs_no_new_file(tmp_path: Path) -> None:
    """A consumer of another user: it may write the files and not the directory. It reads, keeps its
    position and appends to the cycle there is; what needs a file says which."""
    if os.getuid() != 0:
        pytest.skip("needs root to become another user")
    path, clock = tmp_path / "q", SetClock(1_700_000_000_000)
    with tape.open(path, codec=tape.codecs.raw, clock=clock) as q:
        q.appender().write(b"1")
    open_up(path)
    for file in path.iterdir():
        file.chmod(0o666)
    ran = as_unprivileged(
        "class Clock:\n"
        "  ms = 1_700_000_000_000\n"
        "  def now_ms(self): return self.ms\n"
        "clock = Clock()\n"
        "with tape.open(sys.argv[1], codec=raw, clock=clock) as q:\n"
        "  t = q.tailer('billing')\n"
        "  print(t.read(), q.appender().write(b'2') & 0xff, t.read())\n"
        "  clock.ms += 86_400_000\n"
        "  try: q.appender().write(b'3')\n"
        "  except tape.AccessDenied as e: print(os.path.dirname(e.file) == q.path, bool(e.hint))\n"
        "  print(len(q), q.tailers()['billing'] & 0xff)\n", str(path))
    assert ran.stdout == "b'1' 1 b'2'\nTrue True\n2 2\n", ran
    clock.ms += 86_400_000
    with tape.open(path, codec=tape.codecs.raw, clock=clock) as q:
        q.appender().write(b"3")
        assert list(q.tailer()) == [b"1", b"2", b"3"]
        assert q.tailer("billing").read() == b"3"
