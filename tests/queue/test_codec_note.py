"""A queue knows the codec it was made with; a directory of others is not made into one."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

import tape
from tape.codecs import json, raw, text
from tape.codecs.fressian import Fressian

from tests.kit.codecs import Bytes


def opened(path: Path, codec: object, **options: bool) -> list[warnings.WarningMessage]:
    """Opens and closes; what was warned."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tape.open(path, codec=codec, **options).close()  # type: ignore[arg-type, call-overload]
    return caught


def test_another_codec_is_warned_of_by_name_and_place(tmp_path: Path) -> None:
    """JSON's 1 is a number for Fressian, too, but another one; the warning is of the caller."""
    path = tmp_path / "q"
    with tape.open(path, codec=json) as q:
        q.appender().write(1)
    with pytest.warns(tape.CodecMismatch, match="made with codec 'json'") as caught:
        q = tape.open(path)
    assert caught[0].filename == __file__ and "codec=json" in str(caught[0].message)
    assert q.tailer().read() == 49
    assert q.tailer(codec=json).read() == 1
    q.close()
    assert len(opened(path, text)) == len(opened(path, raw)) == 1  # another framing, another name
    assert opened(path, json) == []


def test_strict_raises_before_anything_is_opened(tmp_path: Path) -> None:
    """As for other settings."""
    path = tmp_path / "q"
    tape.open(path, codec=raw).close()
    before = sorted(os.listdir(path))
    with pytest.raises(tape.CodecMismatch) as caught:
        tape.open(path, strict=True)
    assert caught.value.hint.startswith("pass codec=raw") and sorted(os.listdir(path)) == before
    tape.open(path, codec=raw, strict=True).close()


def test_options_of_a_codec_are_the_same_codec(tmp_path: Path) -> None:
    """The name counts, and the framing."""
    path = tmp_path / "q"
    tape.open(path).close()
    assert opened(path, Fressian(keywords="str")) == []
    assert len(opened(path, Bytes())) == 1


def test_who_knows_nothing_is_not_warned(tmp_path: Path) -> None:
    """Queues without a note, as Java and C make them, and notes that make no sense."""
    path = tmp_path / "q"
    tape.open(path, codec=json).close()
    for content in (b"", b"json", b"\xff\xfe", b"other\njson", b"bytes\n"):
        (path / "tape.codec").write_bytes(content)
        assert opened(path, raw) == []
    (path / "tape.codec").unlink()
    assert opened(path, raw) == [] and not (path / "tape.codec").exists()
    (path / "tape.codec").mkdir()
    assert opened(path, raw) == []
    os.rmdir(path / "tape.codec")
    os.mkfifo(path / "tape.codec")
    assert opened(path, raw) == []


def test_the_note_goes_with_the_queue_and_is_of_who_made_it(tmp_path: Path) -> None:
    """read_only makes none; delete() takes it away."""
    path = tmp_path / "q"
    tape.open(path, codec=json).close()
    assert (path / "tape.codec").read_bytes() == b"bytes\njson"
    opened(path, raw)
    assert (path / "tape.codec").read_bytes() == b"bytes\njson"
    tape.delete(path)
    assert not path.exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(tape.QueueNotFound):
        tape.open(tmp_path / "empty", read_only=True)
    assert os.listdir(tmp_path / "empty") == []


def test_a_codec_may_have_any_name(tmp_path: Path) -> None:
    """Also one with newlines, or longer than a note."""
    class Odd(Bytes):
        name = "ü\n" + "x" * 5000
    path = tmp_path / "q"
    tape.open(path, codec=Odd()).close()
    assert opened(path, Odd()) == [] and len(opened(path, raw)) == 1


def test_a_directory_of_others_is_not_made_into_a_queue(tmp_path: Path) -> None:
    """Nothing is made there unless that is said."""
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(tape.QueueNotFound, match=r"thesis\.txt") as caught:
        tape.open(tmp_path)
    assert "into_existing" in caught.value.hint and os.listdir(tmp_path) == ["thesis.txt"]
    tape.open(tmp_path, into_existing=True).close()
    tape.open(tmp_path).close()  # it is one now
    assert (tmp_path / "thesis.txt").exists()


def test_empty_and_new_directories_and_leftovers_are_taken(tmp_path: Path) -> None:
    """What a file system has by itself counts as nothing; what a queue left as a queue."""
    for name in ("lost+found", "tape.side", "20200101F.cq4.gz"):
        path = tmp_path / name.replace(".", "-")
        path.mkdir()
        (path / name).write_bytes(b"")
        tape.open(path).close()
    tape.open(tmp_path / "new" / "deeper").close()


def test_nothing_stands_for_no_message(tmp_path: Path) -> None:
    """tape.NOTHING is none of the messages, is one object, and says its name."""
    import copy
    import pickle
    with tape.open(tmp_path / "q") as q:
        q.appender().write(None)
        t = q.tailer()
        assert t.read(tape.NOTHING) is None
        assert t.read(tape.NOTHING) is tape.NOTHING
        assert repr(tape.NOTHING) == "tape.NOTHING" and not tape.NOTHING
        assert copy.copy(tape.NOTHING) is pickle.loads(pickle.dumps(tape.NOTHING)) is tape.NOTHING


def test_next_reads_one_and_stores_as_read_does(tmp_path: Path) -> None:
    """StopIteration when nothing is there; later messages are read all the same."""
    with tape.open(tmp_path / "q") as q:
        i = q.appender().write("a")
        t = q.tailer("name")
        assert next(t) == "a" and q.tailers() == {"name": i + 1}
        assert next(t, None) is None
        with pytest.raises(StopIteration):
            next(t)
        q.appender().write("b")
        assert next(t) == "b"


def test_a_tailer_shows_its_place(tmp_path: Path) -> None:
    """The next index, the direction, or that it is closed; never an error."""
    with tape.open(tmp_path / "q") as q:
        i = q.appender().write("a")
        t = q.tailer("name")
        t.read()
        assert repr(t).endswith(f"id='name', codec=fressian, index={i + 1:#x}, open)")
        t.direction = "backward"
        assert "backward, open)" in repr(t)
        t.close()
        assert repr(t).endswith("codec=fressian, closed)")


def test_classes_can_be_subscribed(tmp_path: Path) -> None:
    """For annotations; nothing of typing is needed for it."""
    assert repr(tape.Queue[bytes]) == "tape.queue.Queue[bytes]"
    assert repr(tape.Tailer[int]) == "tape.tailer.Tailer[int]"
    assert tape.Appender[str].__origin__ is tape.Appender  # type: ignore[attr-defined]
