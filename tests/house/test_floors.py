"""The floors of csrc/: its folders, each of which may know of lower ones alone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import tape
from tests.kit import floors, golden_queues
from tests.kit.sources import C_SOURCES, CSRC, includes

PURE = {"header_word", "pair", "roll_cycle", "wire", "file_names", "recovery"}
READERS = ("base", "format", "file", "read")
ALONE = Path(__file__).parent / "reader_alone.c"
GOLDEN = "tape-dev-framing-sizes"


def test_every_folder_is_a_floor() -> None:
    """No file lies beside the floors but the face of the library."""
    assert {path.name for path in CSRC.iterdir() if path.is_dir()} == set(floors.FLOORS)
    files = {path.name for path in CSRC.iterdir() if path.is_file()}
    assert files == {*floors.FACE, "tape.symbols"}


def test_files_include_their_own_floor_and_lower_ones_in_no_circle() -> None:
    """And of the other wing nothing."""
    graph = floors.include_graph()
    assert floors.upward_includes(graph) == []
    assert floors.circles(graph) == []


@pytest.mark.parametrize(("folder", "other"), [("read", "write"), ("write", "read"),
                                               ("file", "read"), ("base", "format"),
                                               ("read", "queue"), ("file", "elsewhere")])
def test_the_check_finds_a_planted_include(folder: str, other: str) -> None:
    """Upward, across, and to where no floor is."""
    assert floors.upward_includes({f"{folder}/a.c": ["tape.h", f"{other}/b.h"]})


def test_the_check_finds_planted_circles() -> None:
    """Short and long ones; whoever only looks at a circle is not in it."""
    graph = {"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a", "e"], "e": [], "f": ["f"]}
    assert floors.circles(graph) == [["a", "b", "c"], ["f"]]


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One object for each source."""
    if not floors.CC or not floors.NM:
        pytest.skip("no C compiler, or no nm")
    return floors.compile_all(tmp_path_factory.mktemp("objects"))


def test_calls_go_to_the_own_floor_and_lower_ones_in_no_circle(objects: list[Path]) -> None:
    """By the undefined symbols of each folder's objects."""
    graph = floors.call_graph(objects)
    assert floors.upward(graph) == []
    assert floors.circles(graph) == []


PLANTED = """
int tape__write_lock_acquire(void *lock);
int tape_queue_refresh(void *queue);
int tape__tailer_find_forward(void *tailer);
int tape__planted(void *p);
int tape__planted(void *p)
{
    return tape__write_lock_acquire(p) + tape_queue_refresh(p) + tape__tailer_find_forward(p);
}
"""


def test_the_check_finds_planted_calls(objects: list[Path], tmp_path: Path) -> None:
    """A reader that locks and asks the queue; its call within its own floor is none of them."""
    source = tmp_path / "read" / "planted.c"
    source.parent.mkdir()
    source.write_text(PLANTED)
    found = floors.upward(floors.call_graph(objects + floors.compile_all(tmp_path, [source])))
    assert [line.split(" (")[0] for line in sorted(found)] == [
        "read/planted calls queue/queue: queue/ is not below read/",
        "read/planted calls write/write_lock: write/ is not below read/"]


def link(program: Path, target: Path, objects: list[Path]) -> subprocess.CompletedProcess[str]:
    """Links a program with the objects that a reader needs."""
    assert floors.CC
    wanted = [str(path) for path in objects if path.parent.name in READERS]
    return subprocess.run([floors.CC, "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{CSRC}",
                           str(program), *wanted, "-lpthread", "-o", str(target)],
                          capture_output=True, text=True)


def test_a_reader_links_without_writers_and_reads_a_golden_queue(objects: list[Path],
                                                                tmp_path: Path) -> None:
    """All that is in it, as the whole library reads it; and the files stay as they are."""
    path = golden_queues.extract(GOLDEN, tmp_path)
    before = {p.name: p.read_bytes() for p in path.iterdir()}
    program = tmp_path / "reader_alone"
    built = link(ALONE, program, objects)
    assert built.returncode == 0, built.stderr
    out = subprocess.run([str(program), str(path)], capture_output=True, text=True, check=True)
    assert {p.name: p.read_bytes() for p in path.iterdir()} == before
    with tape.open(path, read_only=True, codec=tape.codecs.raw) as queue, queue.tailer() as tailer:
        lines = [f"{tailer.last_read:x} {len(message)}" for message in tailer]
    assert lines and out.stdout.splitlines() == lines


def test_a_reader_that_appends_does_not_link(objects: list[Path], tmp_path: Path) -> None:
    """There is nothing in it that can write a message."""
    program = tmp_path / "writer.c"
    program.write_text(ALONE.read_text().replace("tape_tailer_close(tailer);",
                                                 "tape_appender_write(NULL, NULL, 0);"))
    built = link(program, tmp_path / "writer", objects)
    assert built.returncode != 0
    assert "undefined reference to `tape_appender_write'" in built.stderr


@pytest.mark.parametrize("path", C_SOURCES, ids=lambda p: p.name)
def test_the_language_is_pure(path: Path) -> None:
    """Header words, roll cycles, wire and judgement: arithmetic, with no file and no atomics."""
    if path.stem in PURE:
        assert not {"atomics", "platform", "mapping", "process"} & set(includes(path))


def test_fressian_is_a_room_of_its_own() -> None:
    """It includes the base alone, and nothing of the library needs it."""
    for path in C_SOURCES:
        named = re.findall(r'(?m)^#include "(\w+)[/.]', path.read_text())
        if path.parent.name == "fressian":
            assert set(named) <= {"base", "fressian", "tape_fressian"}, path.name
        else:
            assert not {"fressian", "tape_fressian"} & set(named), path.name
