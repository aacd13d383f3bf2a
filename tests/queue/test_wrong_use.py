"""What people try and should not: each gets an error that says what was wrong and what to do."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tape
from tape.codecs import fressian, json, raw

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def q(tmp_path: Path) -> Iterator[tape.Queue]:
    with tape.open(tmp_path / "q", codec=raw) as queue:
        yield queue


class Nameless:
    """Half a codec."""

    def encode(self, obj: Any) -> bytes:
        return b""

    decode = encode


@pytest.mark.parametrize("codec", ["json", None, object(), Nameless(), 7], ids=repr)
def test_what_is_no_codec(tmp_path: Path, codec: Any) -> None:
    """Refused before anything is opened or made."""
    path = tmp_path / "q"
    with pytest.raises(tape.InvalidArgument, match="is no codec") as caught:
        tape.open(path, codec=codec)
    assert "tape.codecs.fressian" in caught.value.hint and not path.exists()


def test_a_codec_of_one_appender_or_tailer(q: tape.Queue) -> None:
    """The same check; ``None`` there means the queue's."""
    for make in (q.appender, q.tailer):
        with pytest.raises(tape.InvalidArgument, match="is no codec"):
            make(codec="json")  # type: ignore[arg-type]
        assert make(codec=None).codec is raw


@pytest.mark.parametrize("call, error, says", [
    (lambda q: q.tailer(5), TypeError, "str"),
    (lambda q: q.tailer(b"x"), TypeError, "str"),
    (lambda q: q.tailer(commit="manual"), tape.InvalidArgument, "name"),
    (lambda q: q.tailer().seek("start"), TypeError, "seek_start"),
    (lambda q: q.tailer().seek(None), TypeError, "index"),
    (lambda q: q.tailer().skip(-1), tape.InvalidArgument, "-1"),
    (lambda q: q.tailer().read_many(-1), tape.InvalidArgument, "-1"),
    (lambda q: list(q.tailer().entries(-1)), tape.InvalidArgument, "-1"),
    (lambda q: copy.copy(q), TypeError, "open the queue again"),
    (lambda q: copy.deepcopy(q.tailer()), TypeError, "open the queue again"),
    (lambda q: pickle.dumps(q), TypeError, "open the queue again"),
    (lambda q: pickle.dumps(q.appender()), TypeError, "open the queue again"),
    (lambda q: tape.open(q.path, durability="each"), tape.InvalidArgument, "os"),
    (lambda q: tape.open(q.path, clock=lambda: 5), tape.InvalidArgument, "now_ms"),
    (lambda q: tape.open(q.path, source_id=-1), tape.InvalidArgument, "source_id=-1"),
    (lambda q: tape.open(q.path, epoch=1 << 60), tape.InvalidArgument, "epoch=1152"),
    (lambda q: tape.open(q.path, epoch=-1 << 80), tape.InvalidArgument, "epoch=-1208"),
    (lambda q: tape.open(q.path, block_size=0), tape.InvalidArgument, "block_size=0"),
    (lambda q: tape.open(q.path, nonsense=1), TypeError, r"open\(\) got an unexpected"),
    (lambda q: tape.RollCycle("FORTNIGHTLY"), tape.InvalidArgument, "FAST_DAILY"),
    (lambda q: tape.codecs.msgpack2, AttributeError, "msgpack2"),
])
def test_wrong_arguments(q: tape.Queue, call: Callable[[tape.Queue], object],
                         error: type[Exception], says: str) -> None:
    """The error names what was given or wanted; the queue can be used afterwards."""
    with pytest.raises(error, match=says):
        call(q)
    assert q.appender().write(b"after") == q.last_index


def test_paths_of_every_kind(tmp_path: Path) -> None:
    """str, bytes, and path objects."""
    name = str(tmp_path / "q")
    for path in (name, name.encode(), Path(name)):
        with tape.open(path) as q:  # type: ignore[arg-type]
            assert q.path == name


def test_durability_may_be_said(tmp_path: Path) -> None:
    """The one that there is."""
    with tape.open(tmp_path, durability="os") as q:
        assert q.info().durability == "os"


def test_roll_cycles_like_an_enum() -> None:
    """By call, by ``in``, and completed by dir()."""
    assert tape.RollCycle("fast-daily") is tape.RollCycle.FAST_DAILY
    assert tape.RollCycle(tape.RollCycle.DAILY) is tape.RollCycle.DAILY
    assert "DAILY" in tape.RollCycle and tape.RollCycle.DAILY in tape.RollCycle
    assert "FORTNIGHTLY" not in tape.RollCycle and 5 not in tape.RollCycle
    assert {r.name for r in tape.RollCycle} <= set(dir(tape.RollCycle))


def test_a_hint_stands_once(q: tape.Queue) -> None:
    """Also when the codec's error has one of its own."""
    q.appender(codec=fressian).write({"k": 1})
    with pytest.raises(tape.DecodeError) as caught:
        q.tailer(codec=json).read()
    assert str(caught.value).count("hint:") <= 1 and caught.value.hint


def test_errors_name_the_file(tmp_path: Path) -> None:
    """In the text, not only in an attribute."""
    missing = tmp_path / "missing"
    with pytest.raises(tape.QueueNotFound, match=str(missing)) as caught:
        tape.open(missing, create=False)
    assert caught.value.file == str(missing)


class Broken:
    """A clock that raises."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error

    def now_ms(self) -> int:
        if self.error:
            raise self.error
        return 1_600_000_000_000


def test_a_clock_that_raises(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The write fails, its cause is what the clock raised, nothing is printed, and the next write
    works when the clock does."""
    clock = Broken(ZeroDivisionError("no time"))
    with tape.open(tmp_path, codec=raw, clock=clock) as q:
        a = q.appender()
        with pytest.raises(tape.ClockError) as caught:
            a.write(b"x")
        assert caught.value.__cause__ is clock.error and capfd.readouterr() == ("", "")
        clock.error = None
        assert list(q.tailer()) == [] and a.write(b"y") == q.first_index


@pytest.mark.parametrize("error", [ZeroDivisionError("no time"), KeyboardInterrupt()], ids=repr)
def test_a_clock_that_raises_in_lag(tmp_path: Path, error: BaseException) -> None:
    """It comes out there, and not as the cause of a later write's failure."""
    clock = Broken(None)
    with tape.open(tmp_path, codec=raw, clock=clock) as q:
        a, t = q.appender(), q.tailer()
        a.write(b"x")
        clock.error = error
        for call in (t.lag, t.info):
            with pytest.raises(type(error)):
                call()
        clock.now_ms = lambda: -1  # type: ignore[method-assign]
        assert t.lag().messages == 1
        with pytest.raises(tape.ClockError) as caught:
            a.write(b"y")
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("ms", [-1, -1 << 63, -1 << 70, 1 << 62 | 1, (1 << 63) - 1, 1 << 63, 1e300])
def test_a_clock_that_gives_no_time(tmp_path: Path, ms: int,
                                    capfd: pytest.CaptureFixture[str]) -> None:
    """Any number is taken, or fails the write and prints nothing."""
    clock = Broken(None)
    clock.now_ms = lambda: ms  # type: ignore[method-assign]
    with tape.open(tmp_path, codec=raw, clock=clock, epoch=-1) as q:
        with pytest.raises(tape.ClockError, match="no time"):
            q.appender().write(b"x")
    assert capfd.readouterr() == ("", "")


def test_an_epoch_out_of_range_makes_no_queue(tmp_path: Path) -> None:
    """It had made one that was damaged from the beginning."""
    for epoch in (1 << 60, -1 << 60, 315_569_520_000_001):
        with pytest.raises(tape.InvalidArgument):
            tape.open(tmp_path / "q", epoch=epoch)
    assert not (tmp_path / "q").exists()
    with tape.open(tmp_path / "q", epoch=-315_569_520_000_000) as q:
        q.appender().write("x")
        assert q.tailer().lag().messages == 1


def test_interrupted_in_the_clock(tmp_path: Path) -> None:
    """Ctrl-C comes out as what it is."""
    with tape.open(tmp_path, codec=raw, clock=Broken(KeyboardInterrupt())) as q:
        with pytest.raises(KeyboardInterrupt):
            q.appender().write(b"x")
        assert q.last_index is None


class Keeper:
    """A codec that keeps what it must not."""

    name = "keeper"
    kept: list[memoryview] = []

    def encode(self, obj: bytes) -> bytes:
        return obj

    def decode(self, view: memoryview) -> bytes:
        self.kept.append(view[:1])
        return bytes(view)


def test_a_codec_that_keeps_its_view_loses_no_message(q: tape.Queue) -> None:
    """The message stays next, and a named position before it."""
    first = q.appender().write(b"a")
    t = q.tailer("n", codec=Keeper())
    for _ in range(2):
        with pytest.raises(tape.StateError, match="keeper"):
            t.read()
    assert t.index == first and q.tailers()["n"] in (0, first)
    t.close()
    Keeper.kept.clear()
    assert q.tailer("n").read() == b"a"


def test_codecs_that_are_asked_for_by_name() -> None:
    """Without having been imported the attribute says how to get them."""
    code = ("import tape\ntry:\n    tape.codecs.pickle\nexcept AttributeError as error:\n"
            "    print(error)\nimport tape.codecs.pickle\nprint(tape.codecs.pickle.name)")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "import tape.codecs.pickle" in ran.stdout and ran.stdout.endswith("\npickle\n")


def test_a_source_folder_without_the_extension(tmp_path: Path) -> None:
    """`import tape` beside an unbuilt tape/ says why it fails and what helps."""
    for path in (ROOT / "tape").rglob("*.py"):
        target = tmp_path / "tape" / path.relative_to(ROOT / "tape")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text())
    # Without site-packages, where an installation in place would be found first.
    ran = subprocess.run([sys.executable, "-S", "-c", "import tape"], cwd=tmp_path, capture_output=True,
                         text=True, check=False)
    assert ran.returncode == 1 and "pip install -e ." in ran.stderr.splitlines()[-1]


def test_the_version_of_the_command_line() -> None:
    """As of the package."""
    ran = subprocess.run([sys.executable, "-m", "tape", "--version"], capture_output=True,
                         text=True, check=True)
    assert ran.stdout == f"tape {tape.__version__}\n"
