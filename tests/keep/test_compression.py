"""Cycle files as .gz and .zst and back. They die in test_deaths.py."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

import tape
from tape import _side, _zstd, compression
from tape.codecs import raw
from tape.tasks import CycleEvent, Gzip, Zstd

from tests.kit.queues import CYCLE, Changing
from tests.kit.retention_deaths import unpacked

ALL = [b"%d.%d" % (s, n) for s in (0, 1, 2, 5) for n in (0, 1)]


KINDS = pytest.mark.parametrize("kind", ["gzip", "zstd"])


def task_of(kind: str) -> Gzip | Zstd:
    return Gzip(max_gzip=None) if kind == "gzip" else Zstd()


def run(q: tape.Queue, task: Gzip | Zstd) -> None:
    task(CycleEvent(q, CYCLE, "", "released"))


def packed(q: tape.Queue) -> list[str]:
    return sorted(p.name for p in Path(q.path).iterdir() if p.suffix in (".gz", ".zst"))


def names(changing: Changing, *seconds: int, kind: str = "gzip") -> list[str]:
    return [changing.file(s).name + compression.KINDS[kind].suffix for s in seconds]


@KINDS
def test_old_cycles_are_compressed_and_come_back_as_they_were(
        changing: Changing, kind: str) -> None:
    """Every byte; the listing says what is there; holes are holes again."""
    q = changing.q
    before = {s: changing.file(s).read_bytes() for s in (0, 1, 2)}
    blocks = changing.file(0).stat().st_blocks
    run(q, task_of(kind))
    assert packed(q) == names(changing, 0, 1, 2, kind=kind)
    assert q.table()["listing.lowestCycle"] == CYCLE + 5
    assert list(q.tailer()) == ALL and q.stats().compressed == 3
    path = Path(q.path, names(changing, 1, kind=kind)[0])
    assert unpacked(path.read_bytes(), kind) == before[1]
    assert sorted(q.thaw()) == [str(changing.file(s)) for s in (0, 1, 2)]
    assert {s: changing.file(s).read_bytes() for s in (0, 1, 2)} == before
    assert changing.file(0).stat().st_blocks <= blocks + 8
    assert q.table()["listing.lowestCycle"] == CYCLE
    assert list(q.tailer()) == ALL and packed(q) == [] and q.thaw() == []


@pytest.mark.parametrize(("task", "left"), [
    (Gzip(), (1, 2)), (Gzip(after_cycles=0), (1, 2)), (Gzip(after_cycles=2), (0, 1)),
    (Gzip(max_gzip=0), ()), (Gzip(after_cycles=9), ())])
def test_how_many_stay_as_they_are_and_how_many_compressed(
        changing: Changing, task: Gzip, left: tuple[int, ...]) -> None:
    """The current one is never compressed; foreign archives are nobody's business."""
    (Path(changing.q.path) / "backup.tar.gz").write_bytes(b"theirs")
    run(changing.q, task)
    assert packed(changing.q) == sorted([*names(changing, *left), "backup.tar.gz"])
    assert changing.file(5).exists()


def test_what_a_named_tailer_has_yet_to_read_stays_readable(changing: Changing) -> None:
    """From its cycle on."""
    with changing.q.tailer("slow") as t:
        assert [t.read() for _ in range(3)] == ALL[:3]
        run(changing.q, Gzip())
        assert packed(changing.q) == names(changing, 0)
        assert list(t) == ALL[3:]


def test_an_unfinished_file_is_left(changing: Changing) -> None:
    """It may still be written."""
    data = changing.file(1).read_bytes()
    mark = b"\x00\x00\x00\xc0"
    assert data.count(mark) >= 1
    changing.file(1).write_bytes(data.replace(mark, b"\0" * 4))
    run(changing.q, Gzip(max_gzip=None))
    assert packed(changing.q) == names(changing, 0, 2) and changing.file(1).exists()


@pytest.mark.parametrize("left", ["cut", "empty", "foreign", "whole"])
def test_a_gz_beside_its_original_is_made_anew_unless_it_is_whole(
        changing: Changing, left: str) -> None:
    """Clojure's tape passes over a cut one for ever."""
    path, original = changing.file(0), changing.file(0).read_bytes()
    whole = gzip.compress(original)
    Path(f"{path}.gz").write_bytes({"cut": whole[:-20], "empty": b"", "foreign": b"x" * 99,
                                    "whole": whole}[left])
    run(changing.q, Gzip(max_gzip=None))
    assert not path.exists()
    assert gzip.decompress(Path(f"{path}.gz").read_bytes()) == original


@KINDS
@pytest.mark.parametrize("length", [-4096, 100_000, 3 << 20])
def test_an_original_that_java_made_longer_or_shorter_is_the_same(
        changing: Changing, kind: str, length: int) -> None:
    """As when a run died with both there, and a JVM opened the file before the next one."""
    original = changing.file(0).read_bytes()
    run(changing.q, task_of(kind))
    changing.file(0).write_bytes((original + bytes(max(length, 0)))[:length if length < 0
                                                                   else None])
    assert str(changing.file(0)) in changing.q.thaw()
    assert not packed(changing.q) and list(changing.q.tailer()) == ALL
    changing.file(0).write_bytes(original)
    run(changing.q, task_of(kind))
    changing.file(0).write_bytes(original[:-1] + b"x" + bytes(max(length, 0)))
    assert str(changing.file(0)) not in changing.q.thaw() and changing.file(0).exists()
    assert len(packed(changing.q)) == 1


@KINDS
def test_a_full_disk_changes_nothing(changing: Changing, monkeypatch: pytest.MonkeyPatch,
                                     kind: str) -> None:
    """The original stays, no half file either; thawing alike."""
    def full(*what: object, **more: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(compression, "_copy", full)
        patch.setattr(_zstd, "compress", full)
        with pytest.raises(OSError, match="No space left"):
            run(changing.q, task_of(kind))
    assert packed(changing.q) == [] and not Path(changing.q.path, _side.TEMPORARY).exists()
    assert list(changing.q.tailer()) == ALL
    run(changing.q, task_of(kind))
    with monkeypatch.context() as patch:
        patch.setattr(compression, "_copy", full)
        with pytest.raises(OSError, match="No space left"):
            changing.q.thaw()
    assert packed(changing.q) == names(changing, 0, 1, 2, kind=kind)
    assert not Path(changing.q.path, _side.TEMPORARY).exists()
    changing.q.thaw()
    assert list(changing.q.tailer()) == ALL


@KINDS
def test_thawing_a_cut_file_says_so_and_leaves_it(changing: Changing, kind: str) -> None:
    """Nor does it take an original that differs."""
    run(changing.q, task_of(kind))
    cut = Path(changing.q.path, names(changing, 1, kind=kind)[0])
    cut.write_bytes(cut.read_bytes()[:-30])
    with pytest.raises(tape.CorruptQueue, match="cannot be decompressed") as error:
        changing.q.thaw()
    assert error.value.file == str(cut) and cut.exists() and not changing.file(1).exists()
    changing.file(1).write_bytes(b"another")
    assert changing.q.thaw() == [str(changing.file(0))]
    assert cut.exists() and changing.file(1).read_bytes() == b"another"
    with tape.open(changing.q.path, codec=raw, read_only=True) as q, \
            pytest.raises(tape.ReadOnlyQueue):
        q.thaw()


@pytest.mark.parametrize(("kind", "wrong"), [
    (Gzip, {"after_cycles": -1}), (Gzip, {"max_gzip": -1}), (Gzip, {"level": 10}),
    (Zstd, {"max_zstd": -1}), (Zstd, {"level": 0}), (Zstd, {"after_cycles": -1})])
def test_numbers_out_of_range_are_refused(kind: type, wrong: dict[str, int]) -> None:
    """When the task is made."""
    with pytest.raises(tape.InvalidArgument):
        kind(**wrong)


def test_compressing_is_asked_for_in_words_that_make_sense(changing: Changing) -> None:
    """Nothing is changed otherwise."""
    for wrong in ({"kind": "rar"}, {"keep": -1}, {"level": 20}, {"keep": "1"}, {"keep": 1.5},
                  {"level": "3"}, {"level": 1.5}):
        with pytest.raises(tape.InvalidArgument):
            changing.q.compress(**wrong)  # type: ignore[arg-type]
    with tape.open(changing.q.path, codec=raw, read_only=True) as q, \
            pytest.raises(tape.ReadOnlyQueue):
        q.compress()
    assert packed(changing.q) == []
    assert changing.q.compress(keep=3) == [str(changing.file(0)) + ".zst"]


def test_zstd_without_its_library_says_what_to_install(
        changing: Changing, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the task is made, and when a tailer meets a file; nothing is lost by it."""
    changing.q.compress()
    for name in ("backports.zstd", "compression.zstd", "compression"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delattr("backports.zstd", raising=False)
    with pytest.raises(ImportError, match=r"tape\[zstd\]"):
        Zstd()
    with tape.open(changing.q.path, codec=raw, read_only=True) as q:
        with pytest.raises(tape.UnsupportedQueue, match="library that decompresses") as error:
            q.tailer().read()
        assert error.value.file == str(changing.file(0)) + ".zst"
    monkeypatch.undo()
    assert list(changing.q.tailer()) == ALL


def test_a_compressed_file_of_the_other_kind_that_was_cut_goes(changing: Changing) -> None:
    """It would be read in the place of the whole one; a whole one is as good as any."""
    archive = Path(f"{changing.file(0)}.zst")
    archive.write_bytes(b"cut")
    changing.q.compress("gzip", keep=3)
    assert packed(changing.q) == names(changing, 0) and list(changing.q.tailer()) == ALL
    changing.q.thaw()
    changing.q.compress("zstd", keep=3)
    whole = archive.read_bytes()
    changing.q.thaw()
    archive.write_bytes(whole)
    assert changing.q.compress("gzip", keep=3) == [str(archive)]
