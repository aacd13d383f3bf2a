"""Settings of an index that overflow or lead nowhere: refused before anything is computed."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest

import tape

from tests.kit.damage import cycle_file, read_all
from tests.kit.directories import digest

HEADER = 0x40000000


def cell(value: int) -> bytes:
    return b"\xa6" + struct.pack("<i", value)


def hostile_header(count: int, spacing: int, page_words: bytes = b"") -> bytes:
    """A cycle file with these index settings and one message; positions are made to be aligned."""
    def bound(data: bytes, value: int) -> bytes:
        while (len(data) + 1) % 8:
            data += b"\x8f"
        return data + b"\xa7" + struct.pack("<q", value)

    data = bytearray(b"\0\0\0\0\xb9\x06header\xb6\x08SCQStore\x82\0\0\0\0")
    store = len(data)
    data += b"\xcdwritePosition"
    while (len(data) + 1) % 16:
        data += b"\x8f"
    data += b"\x8d" + struct.pack("<QQQQ", 2, 2, 0, 0)
    data += b"\xc8indexing\xb6\x0cSCQSIndexing\x82\0\0\0\0"
    indexing = len(data)
    data += b"\xcaindexCount" + cell(count) + b"\xccindexSpacing" + cell(spacing)
    data = bytearray(bound(bytes(data + b"\xcbindex2Index"), 0))
    root = len(data) - 8
    data = bytearray(bound(bytes(data + b"\xc9lastIndex"), 0))
    struct.pack_into("<I", data, indexing - 4, len(data) - indexing)
    data += b"\xcadataFormat\xa1\x01"
    struct.pack_into("<I", data, store - 4, len(data) - store)
    struct.pack_into("<I", data, 0, HEADER | len(data) - 4)
    data += bytes(-len(data) % 4)
    if page_words:
        struct.pack_into("<Q", data, root, len(data))
        data += page_words
    return bytes(data)


def array(at: int, event: bytes, count: int, entry: int) -> bytes:
    """An index array at offset ``at`` in which every entry is the same."""
    body = b"\xb9" + bytes([len(event)]) + event
    while (at + 4 + len(body) + 1) % 8:
        body += b"\x8f"
    body += b"\x8d" + struct.pack("<QQ", count, count) + struct.pack("<q", entry) * count
    return struct.pack("<I", HEADER | len(body)) + body


@pytest.mark.parametrize(("count", "spacing"), [
    (1 << 20, 1 << 30), (1 << 20, 1 << 20), (1 << 30, 1), (-8, 4), (3, 4), (0, 1), (8, 0),
    (1 << 15, 1 << 27)])
def test_index_settings_that_overflow_are_refused(queue: Path, count: int, spacing: int) -> None:
    """Counts whose product has no room in an index are refused before anything is computed."""
    file = cycle_file(queue)
    file.write_bytes(hostile_header(count, spacing).ljust(65536, b"\0"))
    before = digest(queue)
    with pytest.raises(tape.CorruptQueue) as caught:
        read_all(queue)
    assert caught.value.file == str(file) and digest(queue) == before


def test_an_index_of_pages_that_lead_nowhere_costs_no_time(queue: Path) -> None:
    """32768 entries to one page of 32768 entries into nothing: a thousand million of them, each far
    enough away to have that many messages before it."""
    count, far, file = 32768, 1 << 40, cycle_file(queue)
    start = len(hostile_header(count, 4))
    page_at = start + len(array(start, b"index2index", count, 0))
    pages = array(start, b"index2index", count, page_at) + array(page_at, b"index", count, far)
    message = b"\xc0\x80\x06\x8ahello"
    data = hostile_header(count, 4, pages) + struct.pack("<I", len(message)) + message
    file.write_bytes(data.ljust(len(data) + 65536, b"\0"))
    began = time.monotonic()
    with tape.open(queue, read_only=True, codec=tape.codecs.raw) as q:
        t = q.tailer()
        assert q.last_index == q.first_index and list(t) == [b"hello"]
        assert not t.seek((q.first_index or 0) + 1_000_000_000)
    assert time.monotonic() - began < 1
