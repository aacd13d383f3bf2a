"""Every annotated example of docs/format.md is decoded, and compared with Java's own files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.kit import golden_queues
from tests.reference import header, payload, roll_cycles, wire, writer
from tests.reference.check_cycle import overlap
from tests.reference.cycle_file import CycleFile, decode_sequence, encode_sequence
from tests.reference.examples import FORMAT_MD, Example, examples, parse_bytes, render, spans, \
    vectors
from tests.reference.file_bytes import FileBytes
from tests.reference.table_store import read_table_store

ALL = examples()


def of_kind(kind: str, start: str = "") -> list[Example]:
    return [e for e in ALL if e.kind == kind and e.attributes.startswith(start)]


def table(name: str) -> list[list[str]]:
    (example,) = of_kind("table", name)
    return [row.split() for row in example.rows()]


def decode(kind: str, left: str, right: str) -> tuple[object, object]:
    """What the reference reader makes of the left side, and what the right side says."""
    data = b"" if kind == "index" else parse_bytes(left)
    if kind == "document":
        return render(wire.items(wire.Cursor(data))), right
    if kind == "stop-bit":
        cursor = wire.Cursor(data)
        got = cursor.stop_bit()
        assert not cursor.more() and writer.stop_bit(got) == data
        return got, int(right)
    if kind == "integer":
        small = "byte" if len(data) == 1 else "A1"
        assert writer.integer(int(right), small) == data
        return wire.read_value(wire.Cursor(data)).data, int(right)
    if kind == "text":
        return wire.read_value(wire.Cursor(data)).data, ast.literal_eval(right)
    if kind == "padding":
        cursor = wire.Cursor(data)
        cursor.skip_padding()
        assert not cursor.more() and writer.padding(len(data)) == data
        return len(data), int(right)
    if kind == "bytes":
        want = ast.literal_eval(right).encode()
        assert payload.frame(want) == data and payload.read_bytes(data) == want
        return payload.unframe(data), want
    if kind == "history":
        return history(data), right
    if kind == "sequence-word":
        return sequence_word(data, right)
    assert kind == "index", kind
    name, cycle, sequence = left.split()
    row = roll_cycles.BY_NAME[name]
    assert roll_cycles.split_index(row, int(right, 16)) == (int(cycle), int(sequence))
    return roll_cycles.index_of(row, int(cycle), int(sequence)), int(right, 16)


def history(data: bytes) -> str:
    (item,) = wire.items(wire.Cursor(data))
    assert item.key == wire.Key("number", -1) and item.value.data.packed
    found = payload.read_history(item.value.data.data)
    sources = " ".join(f"{source}:0x{index:x}" for source, index in found.sources)
    return sources + " at " + " ".join(str(timing) for timing in found.timings)


def sequence_word(data: bytes, right: str) -> tuple[object, object]:
    position, word = (int.from_bytes(data[at:at + 8], "little", signed=True) for at in (0, 8))
    words = right.split()
    shift = int(words[1])
    want = None if words[2] == "none" else int(words[3])
    if want is not None:
        assert encode_sequence(position, want, shift) == word
    return decode_sequence(position, word, shift), want


@pytest.mark.parametrize("example", of_kind("wire"), ids=lambda e: f"{e.attributes}-{e.line}")
def test_a_wire_example_is_decoded_as_shown(example: Example) -> None:
    for left, right in vectors(example):
        got, want = decode(example.attributes, left, right)
        assert got == want, f"format.md line {example.line}: {left}"


@pytest.mark.parametrize("example", of_kind("bytes"), ids=lambda e: f"{e.line}")
def test_bytes_example_is_what_java_wrote(example: Example, tmp_path: Path) -> None:
    """Bytes shown equal the golden file's; a ``whole`` example shows all that are not zero."""
    place, extent = example.attributes.removeprefix("golden=").split()
    name, file_name = place.split("/")
    path = golden_queues.extract(name, tmp_path) / file_name
    end = 0
    with FileBytes(path) as file:
        for offset, data in spans(example):
            assert offset >= end, f"0x{offset:x} overlaps the row before"
            assert file.first_nonzero(end, offset) is None or extent == "part"
            assert file.read(offset, len(data)).hex(" ") == data.hex(" "), f"0x{offset:x}"
            end = offset + len(data)
        assert extent == "part" or file.first_nonzero(end) is None


@pytest.mark.parametrize("example", of_kind("bytes"), ids=lambda e: f"{e.line}")
def test_bytes_example_is_decodable_alone(example: Example, tmp_path: Path) -> None:
    """A stranger who types the example in gets a file that the reader takes."""
    path = tmp_path / "example"
    with open(path, "wb") as file:
        for offset, data in spans(example):
            file.seek(offset)
            file.write(data)
        file.truncate(max(file.tell(), 131072 + 65536))
    if "metadata.cq4t" in example.attributes:
        settings = read_table_store(path).settings if "whole" in example.attributes else None
        assert settings is None or settings.roll_time == "21:00"
    else:
        with CycleFile(path) as cycle:
            assert cycle.header.index_spacing in (256, 64)
            if "whole" in example.attributes:
                scan = cycle.scan()
                assert (list(scan.data), scan.end, scan.has_eof) == ([0x10110], 0x1011C, True)
                assert payload.unframe(cycle.body(0x10110)) == b"x"


def test_the_roll_cycles_are_those_of_the_document() -> None:
    rows = [[c.name, c.pattern, str(c.length_ms), str(c.index_count), str(c.index_spacing),
             str(c.shift), str(c.messages_max)] for c in roll_cycles.ROLL_CYCLES]
    assert table("roll-cycles") == rows


def test_the_names_of_files_are_those_of_the_document() -> None:
    row, now = roll_cycles.BY_NAME["FAST_DAILY"], 1577908800000
    for epoch, cycle, name in table("names")[1:]:
        assert roll_cycles.cycle_at(row, now, int(epoch)) == int(cycle)
        assert roll_cycles.file_stem(row, int(cycle), int(epoch)) + ".cq4" == name
        assert roll_cycles.cycle_of(row, name.removesuffix(".cq4"), int(epoch)) == int(cycle)


def test_the_header_words_are_those_of_the_document() -> None:
    (example,) = of_kind("table", "header-words")
    for row in example.rows():
        word, _, said = row.partition("  ")
        kind = header.kind(int(word, 16)).value
        assert said.startswith(kind + " "), row


def test_the_keys_are_those_of_the_document() -> None:
    assert [row[0] for row in table("keys")] == list(writer.STANDARD_KEYS)


def test_the_overlaps_are_those_of_the_document() -> None:
    for block, want in table("overlap")[1:]:
        assert overlap(int(block)) == int(want)
    for block, body, data in table("largest-body")[1:]:
        assert overlap(int(block)) == int(body) == len(payload.frame(bytes(int(data))))


def test_no_example_is_left_out() -> None:
    """A block of another kind, or one that the parser does not see, would go unchecked."""
    fences = [line for line in FORMAT_MD.read_text(encoding="utf-8").splitlines()
              if line.startswith("```") and line != "```"]
    assert len(fences) == len(ALL)
    checked = {"roll-cycles", "names", "header-words", "keys", "overlap", "largest-body"}
    assert {e.attributes for e in of_kind("table")} == checked


@pytest.mark.parametrize("bad", ["0", "GG", '"open', "00 0"])
def test_the_parser_of_examples_refuses_what_is_none(bad: str) -> None:
    with pytest.raises(ValueError):
        parse_bytes(bad)
