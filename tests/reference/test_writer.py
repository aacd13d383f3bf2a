"""The reference writer makes the files of Java again byte for byte, and odd ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.kit import golden_queues
from tests.reference import Queue, check_queue, roll_cycles
from tests.reference.file_bytes import FileBytes
from tests.reference.table_store import FULL_AT, read_table_store
from tests.reference.writer import FORM_5_17, FORM_5_26, FORM_5_27, CycleWriter, Form, QueueSpec, \
    write_queue

FORM_5_20 = replace(FORM_5_17, data_format=1)
SAME = {name: FORM_5_26 for name in golden_queues.names("java") if name.startswith("java-5.26")}
SAME |= {name: FORM_5_27 for name in golden_queues.names("tape")}
SAME |= {"java-5.17-daily": FORM_5_17, "src-libchronicle-cqv5": FORM_5_20}
PAGE = 4096


def same_bytes(a: Path, b: Path) -> bool:
    """Compares two sparse files where either has data."""
    with FileBytes(a) as one, FileBytes(b) as two:
        if one.size != two.size:
            return False
        at = 0
        while at < one.size:
            found = [f for f in (one.first_nonzero(at), two.first_nonzero(at)) if f is not None]
            if not found:
                return True
            at = min(found) // PAGE * PAGE
            if one.read(at, PAGE) != two.read(at, PAGE):
                return False
            at += PAGE
        return True


def again(original: Queue, form: Form, root: Path) -> Path:
    """Writes the messages of a queue anew."""
    table, settings = original.table(), original.settings
    assert table is not None and settings is not None
    spec = QueueSpec(original.roll_cycle, settings.epoch, settings.roll_time,
                     settings.roll_time_zone, settings.source_id, form,
                     cells={cell.key: cell.value for cell in table.cells})
    root.mkdir()
    write_queue(root, {}, spec)
    cycles = original.cycles()
    for cycle in cycles:
        writer = CycleWriter(root / original.path_of(cycle).name, spec)
        start = original.index_of(cycle, 0)
        for message in original.messages(start, metadata=True):
            if message.cycle != cycle:
                break
            if not message.is_metadata:
                writer.append(message.body)
            elif message.body[:4] == b"\xc4met":  # header and index pages come by themselves
                writer.append_metadata(message.body)
        writer.close(eof=cycle != cycles[-1])
    return root


@pytest.mark.parametrize("name", SAME)
def test_writes_what_java_wrote(name: str, tmp_path: Path) -> None:
    """Header, index, padding, EOF, write position and table store, byte for byte."""
    source = golden_queues.extract(name, tmp_path / "golden")
    made = again(Queue(source), SAME[name], tmp_path / "again")
    for file in sorted(source.iterdir()):
        if name == "java-5.26-named-tailers" and file.name == "20200103.cq4":
            continue  # its user metadata document lies between messages: see below
        assert same_bytes(file, made / file.name), file.name


def test_users_metadata_is_written_where_java_had_it(tmp_path: Path) -> None:
    name = "java-5.26-named-tailers"
    source = Queue(golden_queues.extract(name, tmp_path / "golden"))
    writer = CycleWriter(tmp_path / "20200103.cq4", QueueSpec(source.roll_cycle))
    for message in source.messages(source.index_of(18264, 0), metadata=True):
        if not message.is_metadata:
            writer.append(message.body)
        elif not message.body.startswith((b"\xb9\x06header", b"\xb9\x05index", b"\xb9\x0bindex")):
            writer.append_metadata(message.body)
    writer.close(eof=False)
    assert same_bytes(source.path_of(18264), tmp_path / "20200103.cq4")


@pytest.mark.parametrize("row", roll_cycles.ROLL_CYCLES, ids=lambda row: row.name)
@pytest.mark.parametrize("epoch", [0, 75_600_000, -3_600_000])
def test_every_roll_cycle_is_written_and_read_again(
        row: roll_cycles.RollCycle, epoch: int, tmp_path: Path) -> None:
    base = 1_577_836_800_000 // row.length_ms
    cycles = {base + n: [b"%d-%d" % (n, m) for m in range(5)] for n in (0, 1, 4)}
    queue = Queue(write_queue(tmp_path / "q", cycles, QueueSpec(row, epoch)))
    assert queue.roll_cycle == row and queue.cycles() == list(cycles)
    assert [m.payload for m in queue.messages()] == sum(cycles.values(), [])
    assert check_queue(queue.directory) == []


@pytest.mark.parametrize("form", [FORM_5_17, FORM_5_20, FORM_5_26, FORM_5_27,
                                  replace(FORM_5_26, pages_first=False),
                                  replace(FORM_5_26, eof_text=False, block_size=1 << 20),
                                  replace(FORM_5_17, block_size=131072)],
                         ids=["5.17", "5.20", "5.26", "5.27", "lazy index", "1 MiB", "5.17 small"])
def test_every_form_is_written_over_several_pages(form: Form, tmp_path: Path) -> None:
    row = roll_cycles.BY_NAME["TEST2_DAILY"]  # a page every 32 messages
    messages = [bytes([n % 256]) * (n % 97) for n in range(300)]
    queue = Queue(write_queue(tmp_path / "q", {18262: messages, 18263: [b""]},
                              QueueSpec(row, form=form)))
    assert [m.payload for m in queue.messages()] == [*messages, b""]
    for message in queue.messages():
        place = queue.place(message.index)
        assert place is not None and place.position == message.position
        assert place.walked <= 3  # the spacing of 2, index2index and a page in between
    assert check_queue(queue.directory) == []


def test_sizes_around_every_boundary_are_read_again(tmp_path: Path) -> None:
    sizes = [*range(12), *range(250, 262), *range(65530, 65542), 1 << 20, 15 << 20]
    messages = [b"\xa5" * size for size in sizes]
    queue = Queue(write_queue(tmp_path / "q", {18262: messages}))
    assert [m.payload for m in queue.messages()] == messages
    assert [len(m.body) - size for m, size in zip(queue.messages(), sizes)] == \
        [4 if size < 255 else 5 if size < 65535 else 7 for size in sizes]
    assert check_queue(queue.directory) == []


def test_a_full_table_store_is_read(tmp_path: Path) -> None:
    """Java stops where an entry would start beyond 64 KiB (format.md 5.2)."""
    cells = {f"index.tailer-{n:04d}": n for n in range(1600)}
    path = write_queue(tmp_path / "q", {}, QueueSpec(cells=cells))
    table = read_table_store(path / "metadata.cq4t")
    assert table.cells[-1].position < FULL_AT <= table.end + 1024 * 16
    assert Queue(path).named_tailers() == {f"tailer-{n:04d}": n for n in range(1600)}
    assert check_queue(path) == [f for f in check_queue(path) if f.code == "tailer-position"]
