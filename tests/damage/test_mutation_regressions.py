"""Each damage that libtape once answered wrongly, by name; and hostile things in a directory."""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path

import pytest

import tape

from tests.kit.clocks import SetClock
from tests.kit.directories import digest

HEADER = 0x40000000
SECOND = 1_600_000_000_000


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """Twenty messages in a cycle that is over."""
    path = tmp_path / "q"
    write(path, SECOND, 20)
    return path


def write(path: Path, now: int, count: int) -> list[int]:
    """Appends at a given time."""
    with tape.open(path, codec=tape.codecs.raw, roll_cycle="TEST4_SECONDLY", block_size=65536,
                   clock=SetClock(now)) as q:
        a = q.appender()
        return [a.write(b"message %d" % n) for n in range(count)]


def read_all(path: Path) -> list[bytes]:
    with tape.open(path, read_only=True, codec=tape.codecs.raw) as q:
        return list(q.tailer())


def cycle_file(path: Path) -> Path:
    return sorted(path.glob("*.cq4"))[0]


def poke(path: Path, at: int, value: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(value)


def position(path: Path, message: bytes) -> int:
    """Of the header word of a message: before it come the word, a name, a length and a code."""
    return path.read_bytes().index(message) - 8


def word(path: Path, at: int) -> int:
    return int(struct.unpack_from("<Q", path.read_bytes(), at)[0])


def pair_of(path: Path) -> int:
    """Where the write position stands: behind its name, aligned, behind code and two counts."""
    at = path.read_bytes().index(b"writePosition") + 13
    return path.read_bytes().index(b"\x8d", at) + 17


def refused(path: Path, file: Path, **options: object) -> tape.Error:
    """Opening gives an error with file and hint, and changes nothing."""
    before = digest(path)
    with pytest.raises(tape.Error) as caught:
        tape.open(path, **options).close()
    assert caught.value.file == str(file) and caught.value.hint
    assert digest(path) == before
    return caught.value


def refuses_to_append(path: Path, file: Path, now: int = SECOND) -> None:
    """Neither an append in the cycle nor one in the next, which ends it, changes a byte of it."""
    before = file.read_bytes()
    for time_of_append in (now, now + 1000):
        with pytest.raises(tape.CorruptQueue) as caught:
            write(path, time_of_append, 1)
        assert caught.value.file == str(file) and caught.value.position is not None
        assert caught.value.hint and file.read_bytes() == before


# ---- writers and damaged files ----

def test_a_write_position_inside_a_message(queue: Path) -> None:
    """A pair that agrees with itself, but leads into a body where a header word seems to stand."""
    file = cycle_file(queue)
    poke(file, position(file, b"message 12") + 8, struct.pack("<I", 8))
    at = position(file, b"message 11") + 20 + 8
    poke(file, pair_of(file), struct.pack("<QQ", at, (at << 32) + 19))
    messages = read_all(queue)
    refuses_to_append(queue, file)
    assert read_all(queue) == messages


def test_a_hole_in_the_chain(queue: Path) -> None:
    """A header word that became 0: an append there would write over the messages behind it."""
    file = cycle_file(queue)
    poke(file, position(file, b"message 18"), bytes(4))
    refuses_to_append(queue, file)


def test_a_hole_and_no_write_position(queue: Path) -> None:
    """The index alone still tells that there are messages behind the hole."""
    file = cycle_file(queue)
    poke(file, position(file, b"message 14"), bytes(4))
    poke(file, pair_of(file), bytes(16))
    refuses_to_append(queue, file)


def test_a_damaged_index_entry_does_not_lead_the_writer(queue: Path) -> None:
    """The last entry leads into a message and the pair is gone: nothing is written there."""
    file = cycle_file(queue)
    entry = entry_of(file, b"message 16")
    inside = position(file, b"message 17")
    poke(file, inside + 8, struct.pack("<I", 4))
    poke(file, entry, struct.pack("<Q", inside + 8))
    poke(file, pair_of(file), bytes(16))
    refuses_the_number(queue, file)
    assert read_all(queue)[-2:] == [b"message 19", b"message 0"]


# ---- what was acknowledged is found by its index ----

def entry_of(file: Path, message: bytes) -> int:
    """Where the index entry of a message stands."""
    return file.read_bytes().index(struct.pack("<Q", position(file, message)))


def found(path: Path, index: int) -> bytes:
    """The message that a new tailer finds there."""
    with tape.open(path, read_only=True, codec=tape.codecs.raw) as q:
        t = q.tailer()
        assert t.seek(index)
        return bytes(t.read())


def refuses_the_number(path: Path, file: Path, at: int | None = None) -> None:
    """Nothing is appended; but as the end is certain, the file is ended when its time is over."""
    before = file.read_bytes()
    with pytest.raises(tape.CorruptQueue) as caught:
        write(path, SECOND, 1)
    assert caught.value.file == str(file) and caught.value.hint and file.read_bytes() == before
    assert caught.value.position is not None and at in (None, caught.value.position)
    index = write(path, SECOND + 1000, 1)[0]
    assert found(path, index) == b"message 0"


@pytest.mark.parametrize("sequence", [0, 3, 15, 18])
def test_a_pair_that_counts_fewer_messages(queue: Path, sequence: int) -> None:
    """Java's behind a write position of 0; counted on from there, new messages hid behind old."""
    file = cycle_file(queue)
    pair = pair_of(file)
    poke(file, pair + 8, struct.pack("<Q", (word(file, pair) << 32) + sequence))
    indexes = write(queue, SECOND, 6)
    assert [index & 0xFFFFFFFF for index in indexes] == list(range(20, 26))
    assert [found(queue, index) for index in indexes] == [b"message %d" % n for n in range(6)]


@pytest.mark.parametrize("sequence", [20, 21, 23, 40])
def test_a_pair_that_counts_more_messages(queue: Path, sequence: int) -> None:
    """Numbers that no reader counts to; or messages had them that cannot be seen any more."""
    file = cycle_file(queue)
    pair = pair_of(file)
    poke(file, pair + 8, struct.pack("<Q", (word(file, pair) << 32) + sequence))
    refuses_the_number(queue, file, pair)


def test_a_message_that_became_metadata(queue: Path) -> None:
    """It is not counted any more, and the next message was found under its predecessor's number."""
    file = cycle_file(queue)
    poke(file, position(file, b"message 17") + 3, b"\x40")
    refuses_the_number(queue, file, pair_of(file))


def test_the_last_entry_leads_to_another_message(queue: Path) -> None:
    """All messages behind it were found under wrong numbers."""
    file = cycle_file(queue)
    at = position(file, b"message 15")
    poke(file, entry_of(file, b"message 16"), struct.pack("<Q", at))
    refuses_the_number(queue, file, at)


def test_the_last_entry_leads_to_the_next_message(queue: Path) -> None:
    """To nothing yet; once something was written there, it led astray."""
    write(queue, SECOND, 1)
    file = cycle_file(queue)
    entry = entry_of(file, b"message 16") + 8
    poke(file, entry, struct.pack("<Q", word(file, entry) + 20))
    refuses_the_number(queue, file, entry)


@pytest.mark.parametrize("leads_to", [b"message 3", b"message 17"])
def test_an_entry_for_a_message_that_is_not_written(queue: Path, leads_to: bytes) -> None:
    """It was left as it was; the append that needs it is refused, those before it are not."""
    file = cycle_file(queue)
    write(queue, SECOND, 2)
    entry = entry_of(file, b"message 16") + 16
    poke(file, entry, struct.pack("<Q", position(file, leads_to)))
    with tape.open(queue, codec=tape.codecs.raw, clock=SetClock(SECOND)) as q:
        a = q.appender()
        index = [a.write(b"%d" % n) for n in range(2)][-1]
        with pytest.raises(tape.CorruptQueue) as caught:
            a.write(b"2")
        assert caught.value.position == entry and caught.value.file == str(file)
    assert found(queue, index) == b"1"


def test_a_page_for_messages_that_are_not_written(tmp_path: Path) -> None:
    """An entry of index2index leads to the page before: no entry is put into that."""
    path = tmp_path / "q"
    write(path, SECOND, 126)
    file = cycle_file(path)
    data = file.read_bytes()
    outer = data.index(b"\x8d", data.index(b"index2index")) + 17
    poke(file, outer + 8, data[outer:outer + 8])
    before = data[word(file, outer):][:300]
    with tape.open(path, codec=tape.codecs.raw, clock=SetClock(SECOND)) as q:
        a = q.appender()
        for n in range(2):
            a.write(b"%d" % n)
        with pytest.raises(tape.CorruptQueue) as caught:
            a.write(b"2")
        assert caught.value.file == str(file)
    assert file.read_bytes()[word(file, outer):][:300] == before


def test_an_entry_of_index2index_that_leads_nowhere(tmp_path: Path) -> None:
    """It may lead to a page that comes later."""
    path = tmp_path / "q"
    write(path, SECOND, 130)
    file = cycle_file(path)
    data = file.read_bytes()
    outer = data.index(b"\x8d", data.index(b"index2index")) + 17
    poke(file, outer + 8, struct.pack("<Q", 30000))
    refuses_the_number(path, file, outer + 8)


# ---- other damage ----

def test_a_wrong_last_index_is_harmless(queue: Path) -> None:
    """A negative lastIndex is raised once; before, each append walked over the whole file."""
    file = cycle_file(queue)
    at = file.read_bytes().index(b"lastIndex") + 9
    at = file.read_bytes().index(b"\xa7", at) + 1
    poke(file, at, struct.pack("<q", -4))
    write(queue, SECOND, 1)
    assert word(file, at) == 24


def test_normalised_further_than_there_are_cycles(queue: Path) -> None:
    """A `normalisedEOFsTo` beyond the newest cycle: older files are ended all the same."""
    write(queue, SECOND + 1000, 1)
    write(queue, SECOND + 2000, 1)
    table = queue / "metadata.cq4t"
    at = table.read_bytes().find(b"normalisedEOFsTo")
    if at < 0:
        pytest.skip("no such word in this table store")
    poke(table, (at + 16) // 8 * 8 + 8, struct.pack("<Q", 0x7FFFFFF0))
    write(queue, SECOND + 3000, 1)
    assert len(read_all(queue)) == 23


# ---- numbers ----

def test_a_sequence_that_does_not_fit_before_its_position(queue: Path) -> None:
    """A sequence word of four thousand million messages: the index counts instead."""
    file = cycle_file(queue)
    pair = pair_of(file)
    poke(file, pair + 8, struct.pack("<Q", word(file, pair) << 32 | 0xFFFFFFF0))
    with tape.open(queue, read_only=True, codec=tape.codecs.raw) as q:
        assert q.last_index is not None and q.last_index & 0xFFFFFFFF == 19


def test_a_finished_file_with_such_a_sequence(queue: Path) -> None:
    """The quick way to count a finished file agrees with the long one."""
    write(queue, SECOND + 3000, 1)
    file = cycle_file(queue)
    pair = pair_of(file)
    poke(file, pair + 8, struct.pack("<Q", word(file, pair) << 32 | 0xFFFFFFF0))
    with tape.open(queue, read_only=True, codec=tape.codecs.raw) as q:
        assert q.cycles()[0].state == "finished"
        assert len(q) == sum(c.count for c in q.cycles()) == 21
        assert q.tailer().lag().messages == 21


@pytest.mark.parametrize(("value", "says"), [
    (2, "inside the header"), (0x3FFE, "not a multiple of 4"), (1 << 31, "not that of a message"),
    ((1 << 63) - 4, "not that of a message"), ((1 << 64) - 4, "not that of a message"),
    (1 << 62, "not that of a message")])
def test_a_write_position_that_is_nonsense(queue: Path, value: int, says: str) -> None:
    """Unaligned, beyond the file, negative: reading goes on, appending is refused for that word."""
    file = cycle_file(queue)
    pair = pair_of(file)
    poke(file, pair, struct.pack("<QQ", value, ((value << 32) + 19) % (1 << 64)))
    assert len(read_all(queue)) == 20
    before = file.read_bytes()
    with pytest.raises(tape.CorruptQueue, match=says) as caught:
        write(queue, SECOND, 1)
    assert caught.value.position == pair and file.read_bytes() == before


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


@pytest.mark.parametrize(("count", "spacing"), [
    (1 << 20, 1 << 30), (1 << 20, 1 << 20), (1 << 30, 1), (-8, 4), (3, 4), (0, 1), (8, 0),
    (1 << 15, 1 << 27)])
def test_index_settings_that_overflow(queue: Path, count: int, spacing: int) -> None:
    """Counts whose product has no room in an index are refused before anything is computed."""
    file = cycle_file(queue)
    file.write_bytes(hostile_header(count, spacing).ljust(65536, b"\0"))
    before = digest(queue)
    with pytest.raises(tape.CorruptQueue) as caught:
        read_all(queue)
    assert caught.value.file == str(file) and digest(queue) == before


def array(at: int, event: bytes, count: int, entry: int) -> bytes:
    """An index array at offset ``at`` in which every entry is the same."""
    body = b"\xb9" + bytes([len(event)]) + event
    while (at + 4 + len(body) + 1) % 8:
        body += b"\x8f"
    body += b"\x8d" + struct.pack("<QQ", count, count) + struct.pack("<q", entry) * count
    return struct.pack("<I", HEADER | len(body)) + body


def test_an_index_of_pages_that_lead_nowhere(queue: Path) -> None:
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


# ---- the table store ----

def test_a_table_key_cut_in_two(queue: Path) -> None:
    """A key whose length leaves its entry was taken for a missing one and added a second time."""
    table = queue / "metadata.cq4t"
    at = table.read_bytes().index(b"chronicle.write.lock")
    poke(table, at - 1, bytes([200]))
    for options in ({"read_only": True}, {}):
        assert refused(queue, table, **options).position is not None


def test_a_hidden_table_key(queue: Path) -> None:
    """A header word that became 0 hides the entries behind it; they were written over."""
    table = queue / "metadata.cq4t"
    at = table.read_bytes().index(b"listing.modCount")
    poke(table, at - 6, bytes(4))
    for options in ({"read_only": True}, {}):
        refused(queue, table, **options)


def test_a_table_store_cut_between_two_keys(queue: Path) -> None:
    """It looks like one with fewer keys; but none is that short."""
    table = queue / "metadata.cq4t"
    os.truncate(table, table.read_bytes().index(b"listing.modCount") - 6)
    for options in ({"read_only": True}, {}):
        refused(queue, table, **options)


def test_what_a_process_left_that_died_adding_a_key(queue: Path) -> None:
    """A new entry clears the word behind it: a longer unpublished one may have stood there."""
    table = queue / "metadata.cq4t"
    used = len(table.read_bytes().rstrip(b"\0"))
    poke(table, (used + 7) // 8 * 8 + 4, b"\xff" * 300)
    write(queue, SECOND + 1000, 1)
    write(queue, SECOND + 2000, 1)
    with tape.open(queue, codec=tape.codecs.raw) as q:
        q.tailer("somebody").close()
    assert len(read_all(queue)) == 22


def test_an_epoch_of_all_bits(queue: Path) -> None:
    """Arithmetic with an epoch of 2^63 milliseconds overflows; it is refused."""
    table = queue / "metadata.cq4t"
    data = bytearray(table.read_bytes())
    roll = data.index(b"SCQSRoll\x82") + 9
    at = data.index(b"epoch\xa1\x00") + 5
    unneeded = b"\xd7deltaCheckpointInterval\xa1\x40"
    assert data[at + 2:].startswith(unneeded)
    # eight bytes instead of one in the block of the roll, and that much less behind it
    data[at:at + 2 + len(unneeded)] = (b"\xa7" + struct.pack("<q", -(1 << 63))
                                       + b"\x8f" * (len(unneeded) - 7))
    struct.pack_into("<I", data, roll, struct.unpack_from("<I", data, roll)[0] + 7)
    table.write_bytes(data)
    assert "epoch" in str(refused(queue, table))


# ---- strange things under the names of files ----

def test_a_directory_named_like_a_cycle_file(queue: Path) -> None:
    """It is an error with its name, for readers and writers, and said in words."""
    file = cycle_file(queue)
    file.unlink()
    file.mkdir()
    with pytest.raises(tape.Error, match="not a regular file") as reading:
        read_all(queue)
    with pytest.raises(tape.Error) as writing:
        write(queue, SECOND, 1)
    for caught in (reading, writing):
        assert caught.value.file == str(file) and caught.value.hint


@pytest.mark.parametrize("name", ["cycle", "table"])
def test_a_pipe_under_the_name_of_a_file(queue: Path, name: str) -> None:
    """Opening a pipe waited for its writer for ever."""
    file = cycle_file(queue) if name == "cycle" else queue / "metadata.cq4t"
    file.unlink()
    os.mkfifo(file)
    for call in (lambda: read_all(queue), lambda: write(queue, SECOND, 1)):
        began = time.monotonic()
        with pytest.raises(tape.Error) as caught:
            call()
        assert caught.value.file == str(file) and time.monotonic() - began < 1


def test_symbolic_links(queue: Path, tmp_path: Path) -> None:
    """A link to a file is that file; one to nothing or to itself is no message and no hang."""
    file = cycle_file(queue)
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert len(read_all(queue)) == 20
    file.unlink()
    file.symlink_to(tmp_path / "nothing")
    assert read_all(queue) == []
    with pytest.raises(tape.Error) as caught:
        write(queue, SECOND, 1)
    assert caught.value.file == str(file)
    file.unlink()
    file.symlink_to(file)
    with pytest.raises(tape.Error) as caught:
        read_all(queue)
    assert caught.value.file == str(file)


def test_a_cycle_file_of_another_roll_cycle(tmp_path: Path) -> None:
    """Under a name of this queue its own index settings count, as in Java."""
    write(tmp_path / "a", SECOND, 20)
    with tape.open(tmp_path / "b", codec=tape.codecs.raw, roll_cycle="FAST_DAILY") as q:
        for n in range(5):
            q.appender().write(b"daily %d" % n)
    other = cycle_file(tmp_path / "b")
    cycle_file(tmp_path / "a").write_bytes(other.read_bytes()[:131072])
    assert read_all(tmp_path / "a") == [b"daily %d" % n for n in range(5)]
    file = cycle_file(tmp_path / "a")
    write(tmp_path / "a", SECOND, 253)
    assert entry_of(file, b"message 251") == entry_of(file, b"daily 0") + 8  # message 256 of them


def test_a_table_store_as_cycle_file(queue: Path) -> None:
    """A sound header of another type is no cycle file."""
    file = cycle_file(queue)
    file.write_bytes((queue / "metadata.cq4t").read_bytes())
    with pytest.raises(tape.CorruptQueue, match="not that of a cycle file"):
        read_all(queue)
    refuses_to_append(queue, file)


def test_text_that_is_no_text(queue: Path) -> None:
    """Bytes of the file in a message: an error of ours, not one of decoding it."""
    table = queue / "metadata.cq4t"
    at = table.read_bytes().index(b"yyyyMMdd")
    poke(table, at, b"\xff\xfe\x80\n")
    assert isinstance(refused(queue, table), tape.UnsupportedQueue)
