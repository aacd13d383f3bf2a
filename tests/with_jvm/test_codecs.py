"""Texts, documents and method calls, between Java and tape."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

import tape
from tape.codecs import text, wire

from tests.kit.jvm_peer import Peer

TEXTS = ["", "hi", "x" * 31, "x" * 32, "ä" * 16, "y" * 127, "y" * 128, "z" * 20000,
         "€ \U0001F600 \0", None]


@pytest.mark.jvm
def test_texts_are_javas(peer: Peer, tmp_path: Path) -> None:
    """The text codec reads what Java writes, and writes the same bytes."""
    with peer.open(tmp_path / "q") as java:
        for value in TEXTS:
            java.appender().write_text(value)
        bodies = [m.data for m in java.tailer().read_all()]
        assert bodies == [text.encode(value) for value in TEXTS]
        with tape.open(tmp_path / "q", codec=text) as q:
            assert list(q.tailer()) == TEXTS


@pytest.mark.jvm
def test_javas_documents_and_calls_are_read(peer: Peer, tmp_path: Path) -> None:
    """writeDocument, and method calls with their histories."""
    fields = {"t": "é", "i": 5, "n": -70000, "l": 1 << 62, "d": 1.5, "p": 3.14159, "b": True,
              "raw": b"\0\1", "7": "number"}
    with peer.open(tmp_path / "q", source_id=3) as java:
        a = java.appender()
        a.write_document(**fields)
        first = a.say("hi")
        a.move(5, 1.5, "x y")
        a.ping()
        with tape.open(tmp_path / "q", codec=wire) as q:
            found, say, move, ping = list(q.tailer())
        assert {str(k): v for k, v in found.items()} == fields
        assert list(found) == [k if k != "7" else 7 for k in fields]
        assert say["say"] == "hi" and move["move"] == [5, 1.5, "x y"] and ping["ping"] == ""
        packed = peer.release >= (5, 25)  # before, it is a document like any other
        assert isinstance(say["history"], wire.History if packed else dict)
        assert list(say) == ["history", "say"]
        with peer.open(tmp_path / "r", source_id=4) as onward:
            assert onward.appender().forward_call(skip_one(java)) == onward.first_index()
            with tape.open(tmp_path / "r", codec=wire) as q:
                history = q.tailer().read()["history"]
            assert (history.sources == ((3, first),) if packed else
                    history["sources"] == [3, first])


def skip_one(java: Any) -> Any:
    tailer = java.tailer()
    tailer.read()
    return tailer


@pytest.mark.jvm
def test_java_reads_what_wire_writes(peer: Peer, tmp_path: Path) -> None:
    """Method readers take our calls, with histories; Java's own printer takes our documents."""
    with tape.open(tmp_path / "q", codec=wire) as q:
        a = q.appender()
        a.write({"say": "\U0001F600"})
        a.write({"move": [5, 1.5, "x y"]})
        a.write({"ping": ""})
        a.write({"history": wire.History(((3, 9),), (1, 2)), "say": "hi"})
        a.write({"order": {"id": -70000, "at": [1, 2.5, "z" * 40]},
                 "none": None, "yes": True, "on": datetime.date(2020, 1, 2),
                 "time": datetime.time(21), "raw": b"abc", "big": (1 << 63) - 1})
    with peer.open(tmp_path / "q") as java:
        tailer = java.tailer()
        for call in ("say " + "\U0001F600".encode().hex(), "move 5 1.5 782079", "ping",
                     "say 6869 history 3:9"):
            assert (tailer.read_call() or "").startswith(call)
        shown = java.dump()
        for line in ("id: -70000", "2.5", "z" * 40, "yes: true", "on: 2020-01-02",
                     "big: 9223372036854775807"):
            assert line in shown
