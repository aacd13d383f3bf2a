"""Codecs at work in a queue."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tape
from tape.codecs import document, pickle, text, wire

from tests.kit.codecs import READERS, SAMPLES, decode


def test_dangerous_codecs_are_not_loaded_unasked() -> None:
    """import tape brings neither pickle's codec nor msgpack's."""
    code = ("import sys, tape\nassert not hasattr(tape.codecs, 'pickle')\n"
            "assert not {'tape.codecs.pickle', 'tape.codecs.msgpack'} & set(sys.modules)\n"
            "import tape.codecs.pickle as p\nassert 'DANGEROUS' in p.__doc__")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60,
                   env={"PYTHONPATH": ":".join(p for p in sys.path if p)})


FRAME = bytes.fromhex("c080048a616263")


def test_documents_are_delivered_whole(tmp_path: Path) -> None:
    """What looks like tape's frame is a document to codecs that take documents."""
    with tape.open(tmp_path / "q", codec=document) as q:
        a = q.appender()
        written = [FRAME, b"abc", b"", text.encode("hi")]
        for body in written:
            a.write(body)
        assert list(q.tailer()) == [FRAME, b"abc", b"\x8f", text.encode("hi")]
        entry = q.tailer().read_entry()
        assert entry is not None and entry.raw == FRAME
        assert q.tailer(codec=tape.codecs.raw).read() == b"abc"
        assert q.tailer(codec=wire).read() == {"": b"abc"}
        t = q.tailer(codec=text)
        with pytest.raises(tape.DecodeError) as caught:
            t.read()
        assert caught.value.raw == FRAME and caught.value.index == q.first_index
        t.skip(3)
        assert t.read() == "hi"


@pytest.mark.parametrize("codec", [*READERS, pickle, document], ids=lambda c: c.name)
def test_every_codec_has_what_a_queue_needs(tmp_path: Path, codec: Any) -> None:
    """Every codec has what a queue needs; nothing keeps its view."""
    assert isinstance(codec, tape.Codec)
    values = SAMPLES.get(codec, [b"bytes"])
    with tape.open(tmp_path / "q", codec=codec) as q:
        a = q.appender()
        for value in values:
            a.write(value)
        found = list(q.tailer())
    assert found == [decode(codec, codec.encode(value)) for value in values]
