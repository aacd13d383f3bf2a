"""Metadata documents on request: headers, index pages, and what Java programs write, as in Java."""

from __future__ import annotations

from pathlib import Path

import pytest

import tape
from tape.codecs import document, fressian, raw, wire

from tests.kit.jvm_peer import Peer

pytestmark = pytest.mark.jvm

START = 1_600_000_000  # a second, in cycles of TEST4_SECONDLY
PAGE = 32 * 4          # messages per index page of that roll cycle


def fill(peer: Peer, path: Path) -> None:
    """Two cycles by Java, with several index pages and metadata between the messages, and metadata
    before the first and after the last message of a cycle."""
    with peer.open(path, roll_cycle="TEST4_SECONDLY", clock=START * 1000) as q:
        a = q.appender()
        for n in range(2 * PAGE + 10):
            a.append(b"%d" % n)
            if n % 50 == 7:
                a.write_meta(b"\xc8note %d!" % n)
        q.set_clock(START * 1000 + 1000)
        for n in range(5):
            a.append(b"%d" % n)
        a.write_meta(b"\xc8last")


def java_sees(peer: Peer, path: Path) -> list[tuple[int, bool, bytes]]:
    """Index, whether it is metadata, and bytes of every document, in Java's order."""
    with peer.open(path, roll_cycle="TEST4_SECONDLY") as q:
        t = q.tailer()
        found = []
        while (message := t.read_meta()) is not None:
            found.append((message.index, message.kind == "meta", message.data))
    return found


def test_both_see_the_same_documents(peer: Peer, tmp_path: Path) -> None:
    """Every document of the queue, in order, with its index, kind and bytes."""
    fill(peer, tmp_path)
    java = java_sees(peer, tmp_path)
    with tape.open(tmp_path, read_only=True) as q:
        ours = [(e.index, e.metadata, e.raw)
                for e in q.tailer(codec=document, metadata=True).entries()]
    kinds = [meta for _, meta, _ in java]
    assert sum(kinds) >= 2 * 2 + 3 + 7 and kinds.count(False) == 2 * PAGE + 15
    assert [(i, m) for i, m, _ in ours] == [(i, m) for i, m, _ in java]
    assert [body for _, meta, body in ours if meta] == [body for _, meta, body in java if meta]


def test_metadata_counts_for_nothing_else(peer: Peer, tmp_path: Path) -> None:
    """Indexes, seeks, counts, backward reading and named positions know messages alone."""
    fill(peer, tmp_path)
    with tape.open(tmp_path) as q:
        plain = [e.index for e in q.tailer(codec=raw).entries()]
        t = q.tailer("meta", codec=document, metadata=True)
        seen = list(t.entries())
        assert [e.index for e in seen if not e.metadata] == plain and len(q) == len(plain)
        assert t.last_read == plain[-1]
        assert q.tailers()["meta"] == plain[-1] + 1
        for n in (0, 8, 60, PAGE, len(plain) - 1):
            assert t.seek(plain[n])
            entry = t.read_entry()
            assert entry is not None and (entry.index, entry.metadata) == (plain[n], False)
        t.seek_end()
        t.direction = "backward"
        assert [e.index for e in t.entries()] == plain[::-1]


def test_only_a_codec_of_documents_reads_them(peer: Peer, tmp_path: Path) -> None:
    """codecs.wire tells what is in them; a codec of framed messages is refused, and says why."""
    fill(peer, tmp_path)
    with tape.open(tmp_path, read_only=True) as q:
        t = q.tailer(codec=wire, metadata=True)
        header = t.read_entry()
        assert isinstance(header, tape.MetadataEntry) and header.index == q.first_index
        store = header.value["header"]
        assert (store.type, store.value["indexing"].value["indexCount"]) == ("SCQStore", 32)
        pages = [e.value for e in t.entries() if e.metadata and b"index" in e.raw[:12]]
        assert any("index2index" in page for page in pages)
        with pytest.raises(tape.InvalidArgument, match="fressian") as caught:
            q.tailer(codec=fressian, metadata=True)
        assert "codecs.wire" in caught.value.hint
