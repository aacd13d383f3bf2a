"""The codec that a queue is given: what one is, and what it may do with a view."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tape
from tape.codecs import raw

from tests.kit.codecs import Bytes


class Nameless:
    """Half a codec."""

    def encode(self, obj: Any) -> bytes:
        return b""

    decode = encode


@pytest.mark.parametrize("codec", ["json", None, object(), Nameless(), 7], ids=repr)
def test_what_is_no_codec_is_refused_before_anything_is_made(tmp_path: Path, codec: Any) -> None:
    """Refused before anything is opened or made."""
    path = tmp_path / "q"
    with pytest.raises(tape.InvalidArgument, match="is no codec") as caught:
        tape.open(path, codec=codec)
    assert "tape.codecs.fressian" in caught.value.hint and not path.exists()


def test_an_appender_or_tailer_may_have_a_codec_of_its_own(q: tape.Queue) -> None:
    """The same check; ``None`` there means the queue's."""
    for make in (q.appender, q.tailer):
        with pytest.raises(tape.InvalidArgument, match="is no codec"):
            make(codec="json")  # type: ignore[arg-type]
        assert make(codec=None).codec is raw


class Keeper(Bytes):
    """A codec that keeps what it must not."""

    name = "keeper"
    kept: list[memoryview] = []

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


def test_a_codec_must_not_keep_the_view(tmp_path: Path) -> None:
    """decode() must not keep mapped memory: the next read could move it away."""
    class Keeper(Bytes):
        name = "keeper"
        kept: list[memoryview] = []

        def decode(self, view: memoryview) -> memoryview:
            self.kept.append(view[1:])
            return self.kept[-1]

    with tape.open(tmp_path, codec=Keeper()) as q:
        q.appender().write(b"abc")
        with pytest.raises(tape.StateError, match="kept a view"):
            q.tailer().read()


def test_a_codec_cannot_write_through_its_view(tmp_path: Path) -> None:
    """A codec cannot write into the queue through the view it is given."""
    class Vandal(Bytes):
        name = "vandal"

        def decode(self, view: memoryview) -> bool:
            return view.readonly

    with tape.open(tmp_path, codec=Vandal()) as q:
        q.appender().write(b"abc")
        assert q.tailer().read() is True
