"""What people try and should not: each gets an error that says what was wrong and what to do."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

import tape
from tape.codecs import fressian, json, raw


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
    (lambda q: tape.open(q.path, durability="disk"), tape.InvalidArgument, "each"),
    (lambda q: tape.open(q.path, clock=lambda: 5), tape.InvalidArgument, "now_ms"),
    (lambda q: tape.open(q.path, source_id=-1), tape.InvalidArgument, "source_id=-1"),
    (lambda q: tape.open(q.path, epoch=1 << 60), tape.InvalidArgument, "epoch=1152"),
    (lambda q: tape.open(q.path, epoch=-1 << 80), tape.InvalidArgument, "epoch=-1208"),
    (lambda q: tape.open(q.path, block_size=0), tape.InvalidArgument, "block_size=0"),
    (lambda q: tape.open(q.path, nonsense=1), TypeError, r"open\(\) got an unexpected"),
    (lambda q: tape.RollCycle("FORTNIGHTLY"), tape.InvalidArgument, "FAST_DAILY"),
    (lambda q: tape.codecs.msgpack2, AttributeError, "msgpack2"),
])
def test_a_wrong_argument_is_named_and_does_no_harm(
        q: tape.Queue, call: Callable[[tape.Queue], object], error: type[Exception],
        says: str) -> None:
    """The error names what was given or wanted; the queue can be used afterwards."""
    with pytest.raises(error, match=says):
        call(q)
    assert q.appender().write(b"after") == q.last_index


@pytest.mark.parametrize(("made", "by"), [
    (lambda: tape.Queue("orders"), r"tape\.open\(\)"), (lambda: tape.Queue(), r"tape\.open\(\)"),
    (lambda: tape.Appender("orders"), r"queue\.appender\(\)"),
    (lambda: tape.Tailer("orders"), r"queue\.tailer\(\)"),
])
def test_a_class_that_is_called_says_what_makes_its_objects(
        made: Callable[[], object], by: str) -> None:
    """A TypeError with the name of the call to make, whatever was given."""
    with pytest.raises(TypeError, match=by):
        made()


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


@pytest.mark.parametrize("path", ["orders\0evil", "\0", b"orders\0evil"])
def test_a_path_with_nul_is_refused_and_not_cut(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str | bytes) -> None:
    """C would see the name up to NUL: another queue would be opened, or deleted."""
    monkeypatch.chdir(tmp_path)
    with tape.open("orders", codec=raw) as q:
        q.appender().write(b"kept")
    for call in (tape.open, tape.delete, lambda p: tape.open(p, read_only=True)):
        with pytest.raises(ValueError, match="NUL|null"):
            call(path)
    with tape.open("orders", codec=raw) as q:
        assert list(q.tailer()) == [b"kept"]
    assert [each.name for each in tmp_path.iterdir()] == ["orders"]
