"""Facts that must stand in two places are equal there."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest

import tape
from tape.codecs.fressian import _convert, codes, handlers
from tape.deletion import OURS
from tape.dump.parts import File
from tape.dump.walker import Walker
from tape.opening import EPOCH_MAX

from tests.kit.clocks import SetClock
from tests.kit.sources import C_SOURCES, CSRC, ROOT


def test_the_library_the_package_and_the_build_have_one_version() -> None:
    """tape_version() in C, which Python gives on, pyproject.toml and CMakeLists.txt."""
    package = re.search(r'(?m)^version = "(.*)"$', (ROOT / "pyproject.toml").read_text())
    build = re.search(r"(?m)^project\(tape VERSION (\S+) ", (ROOT / "CMakeLists.txt").read_text())
    assert package and build
    assert package[1] == build[1] == tape.__version__


def test_delete_knows_every_file_that_c_makes() -> None:
    """tape.delete() leaves nothing of a queue behind, and takes nothing else."""
    text = (CSRC / "format" / "file_names.h").read_text()
    names = dict(re.findall(r'#define TAPE__(\w+) .*?"([^"]+)"', text))
    assert len(names) >= 7
    cycle = "20200101F" + names["CYCLE_SUFFIX"]
    made = {names["TABLE_NAME"], names["LISTING_4_NAME"], names["SIDE_NAME"], cycle,
            f"{cycle}-1600000000000{names['DISCARD_SUFFIX']}",
            f"{names['TEMPORARY_PREFIX']}table-1-2{names['TEMPORARY_SUFFIX']}",
            f"{names['TEMPORARY_PREFIX']}{names['TEMPORARY_CYCLE_PREFIX']}1-2"
            f"{names['TEMPORARY_SUFFIX']}"}
    assert [name for name in made if not OURS.fullmatch(name)] == []
    for foreign in ("notes.txt", "tape.side.bak", "backup.tar.gz", "table.tmp"):
        assert not OURS.fullmatch(foreign)


def test_no_other_file_of_c_spells_a_file_name() -> None:
    """Their one home is format/file_names.h."""
    for path in C_SOURCES:
        if path.name != "file_names.h":
            code = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
            assert not re.findall(r'"[^"\n]*(?:\.cq4t?|\.discard|\.tmp|tape\.side)"', code), path


def test_the_range_of_epochs_is_the_same_in_python() -> None:
    """opening.py names the argument; C decides."""
    found = re.search(r"TAPE__EPOCH_MAX INT64_C\((\d+)\)",
                      (CSRC / "file" / "table_store.h").read_text())
    assert found and int(found[1]) == EPOCH_MAX


def enum_of(text: str, name: str) -> list[tuple[str, int]]:
    """Names and values of an enum of C, in its order."""
    body = re.search(rf"enum {name} \{{(.*?)\}}", text, re.DOTALL)
    assert body
    found, value = [], -1
    for part in re.sub(r"/\*.*?\*/", "", body[1], flags=re.DOTALL).split(","):
        word, _, given = part.partition("=")
        value = int(given, 0) if given else value + 1
        found.append((word.strip(), value))
    return found


SPEED_H = (ROOT / "tape" / "codecs" / "fressian" / "c" / "speed.h").read_text()


def test_both_codecs_of_fressian_have_the_same_codes() -> None:
    """codes.py in the order of the bytes, and the enum of C."""
    python = [value for name, value in vars(codes).items()
              if name.isupper() and type(value) is int and 0x80 <= value <= 0xFF]
    assert sorted(python) == sorted(value for _, value in enum_of(SPEED_H, "code"))


def test_both_codecs_of_fressian_have_the_same_kinds_and_limits() -> None:
    """handlers.py, and the enum of C in its order; parts of strings and bytes, counts."""
    kinds = enum_of(SPEED_H, "kind")
    assert [value for _, value in kinds] == list(range(len(kinds)))
    for word, value in kinds:
        assert getattr(handlers, word.removeprefix("K_")) == value, word
    for name in ("STRING_PART_MAX", "BYTES_PART_MAX", "COUNT_MAX"):
        found = re.search(rf"#define {name} (?:INT64_C\()?(\w+)", SPEED_H)
        assert found and int(found[1], 0) == getattr(codes, name), name
    same = re.search(r"#define SAME_HASH_MAX (\d+)", SPEED_H)
    assert same and int(same[1]) == _convert.SAME_HASH_MAX


@pytest.mark.parametrize("roll_cycle", [r.name for r in tape.RollCycle])
def test_dump_decodes_the_write_position_as_c_writes_it(tmp_path: Path, roll_cycle: str) -> None:
    """The sequence shift of each roll cycle, and what the two words are, stand in pair.h and in
    dump/walker.py."""
    clock = SetClock(1_700_000_000_000)
    with tape.open(tmp_path, roll_cycle=roll_cycle, clock=clock) as q:
        indexes = [q.appender().write(n) for n in range(3)]
        path = q.cycles()[0].path
        sequence = q.locate(indexes[-1]).sequence
    with closing(File(path)) as file:
        walker = Walker(file, None)
        list(walker.walk())
    assert walker.header.last_sequence() == sequence == 2


def test_what_may_stand_beside_a_code_is_positive_and_no_two_are_equal() -> None:
    """An outcome that is taken for one of another kind is then none of its values."""
    values: list[int] = []
    text = "\n".join(path.read_text() for path in C_SOURCES)
    for name in ("tape__answer_t", "tape__sought_t", "tape__lock_outcome_t", "tape__range_t"):
        body = re.search(rf"enum {{([^}}]*)}} {name};", text)
        assert body, name
        values += [int(value) for value in re.findall(r"= (\d+)", body[1])]
    values += [int(value) for value in re.findall(
        r"enum { (?:TAPE__BEYOND_END|TAPE__NOT_READY|TAPE__NEVER_FILLED|TRY_AGAIN) = (\d+) };",
        text)]
    assert len(values) == len(set(values)) == 13 and min(values) > 0


def test_one_place_knows_what_it_means_that_blocks_cannot_be_reserved() -> None:
    """platform.[ch]: the errno values of it; the others do something else then: look at the space,
    bring the pages in, write by calls."""
    knowing = {path.name for path in C_SOURCES
               if re.search(r"-E(?:OPNOTSUPP|NOTSUP|NOSYS)\b.*\n?.*reserve|"
                            r"reserve.*\n.*-E(?:OPNOTSUPP|NOTSUP|NOSYS)\b", path.read_text())
               or "== -EOPNOTSUPP" in path.read_text()}
    assert knowing == {"platform.c", "platform.h", "roll_room.c", "mapping.c", "cycle_build.c"}
