"""read_columns() for who speaks Arrow: pyarrow and nanoarrow are the judges, if there."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tape
from tape import _lanes
from tape.codecs import raw

numpy = pytest.importorskip("numpy")
pytestmark = pytest.mark.skipif(not _lanes.have_lanes, reason="needs tape._fast")

KIND = [("price", "<f8"), ("id", "<i8"), ("name", "S4"), ("ok", "?"), ("at", "<M8[ns]"),
        ("took", "<m8[us]"), ("big", ">u2"), ("half", "<f2"), ("raw", "V3")]


@pytest.fixture
def q(tmp_path: Path) -> Iterator[tape.Queue]:
    with tape.open(tmp_path / "q", codec=raw) as queue:
        yield queue


def records(count: int) -> Any:
    found = numpy.zeros(count, KIND)
    found["price"], found["id"] = numpy.arange(count) / 4, numpy.arange(count) - 2
    found["name"], found["ok"] = b"ab", numpy.arange(count) % 3 == 0
    found["at"], found["took"] = numpy.arange(count), 5
    if count > 10:
        found["at"][3] = found["at"][9] = numpy.datetime64("NaT")
    found["big"], found["half"], found["raw"] = 258, 1.5, b"\x00\x01\x02"
    return found


def read(q: tape.Queue, written: Any) -> Any:
    data, size = written.tobytes(), written.dtype.itemsize
    q.appender().write_many([data[at:at + size] for at in range(0, len(data), size)])
    return q.tailer().read_columns(written.dtype, len(written) + 1)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 2000])
def test_pyarrow_has_each_value(q: tape.Queue, count: int) -> None:
    """Of every type; NaT is null; the names are the fields'."""
    pa = pytest.importorskip("pyarrow")
    written = records(count)
    columns = read(q, written)
    table = pa.table(columns)
    table.validate(full=True)
    assert table.column_names == list(written.dtype.names) and table.num_rows == count
    assert [str(t) for t in table.schema.types] == [
        "double", "int64", "fixed_size_binary[4]", "bool", "timestamp[ns]", "duration[us]",
        "uint16", "halffloat", "fixed_size_binary[3]"]
    for name in ("price", "id", "ok", "big", "half"):
        assert table[name].to_pylist() == written[name].tolist(), name
    assert table["name"].to_pylist() == [b"ab\0\0"] * count
    assert table["raw"].to_pylist() == [b"\x00\x01\x02"] * count
    assert table["at"].null_count == (2 if count > 10 else 0)
    assert table["at"].cast(pa.int64()).to_pylist() == [
        None if numpy.isnat(at) else int(at.astype("i8")) for at in written["at"]]
    assert table["took"].cast(pa.int64()).to_pylist() == [5] * count


def test_nanoarrow_takes_it_as_it_is(q: tape.Queue) -> None:
    """Without pyarrow; some of the fields, too."""
    na = pytest.importorskip("nanoarrow")
    columns = read(q, records(100))
    rows = na.Array(columns[["id", "ok", "name"]]).to_pylist()
    assert rows[5] == {"id": 3, "ok": False, "name": b"ab\0\0"} and len(rows) == 100


def test_a_plain_dtype_is_one_column_of_the_same_memory(q: tape.Queue) -> None:
    """Which lives as long as somebody looks at it, whoever lets go first."""
    pa = pytest.importorskip("pyarrow")
    columns = read(q, numpy.arange(1000, dtype="<i8"))
    table = pa.table(columns)
    address = table["value"].chunks[0].buffers()[1].address
    assert address == columns.ctypes.data
    alive = weakref.ref(columns)
    del columns
    q.close()
    gc.collect()
    assert table["value"].to_pylist() == list(range(1000))
    column = table["value"].chunks[0]
    del table
    gc.collect()
    assert column[999].as_py() == 999
    del column
    gc.collect()
    assert alive() is None


def test_a_capsule_that_nobody_takes_goes_as_one_that_is_taken(q: tape.Queue) -> None:
    """And a taken one is empty: a second consumer is told."""
    pa = pytest.importorskip("pyarrow")
    columns = read(q, numpy.arange(10, dtype="<i8"))
    alive = weakref.ref(columns)
    capsule = columns.__arrow_c_stream__(requested_schema=None)
    reader = pa.RecordBatchReader._import_from_c_capsule(capsule)
    with pytest.raises(Exception, match="released"):
        pa.RecordBatchReader._import_from_c_capsule(capsule)
    columns.__arrow_c_stream__()  # dropped
    assert reader.read_all().num_rows == 10
    del columns, reader, capsule
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("dtype", ["U2", "c16", [("a", "i4", 3)], [("a", [("b", "i4")])], "M8[D]",
                                   "M8[2s]", "M8"])
def test_what_is_no_column_is_refused_by_name(q: tape.Queue, dtype: Any) -> None:
    """The array itself is there."""
    columns = read(q, numpy.zeros(3, dtype))
    with pytest.raises(tape.InvalidArgument, match="column"):
        columns.__arrow_c_stream__()
    assert len(columns) == 3


def test_more_than_one_dimension_is_no_table(q: tape.Queue) -> None:
    with pytest.raises(tape.InvalidArgument, match="dimensions"):
        read(q, numpy.zeros(4, "i8")).reshape(2, 2).__arrow_c_stream__()


@pytest.mark.parametrize("columns", [
    [], ((),), (("a", "l", 0, None),), (("a", "l", 0, None, 5),), ((b"a", "l", 0, None, b""),),
    (("\ud800", "l", 0, None, b""),), (("a", "l", 0, 5, b""),), (("a", "l", 0.5, None, b""),)])
def test_the_extension_takes_nothing_else(columns: Any) -> None:
    """Whatever it is given: an exception."""
    with pytest.raises((TypeError, UnicodeError)):
        _lanes.arrow_stream(0, columns)


def test_what_lives_on_at_the_end_of_the_process_does_no_harm(tmp_path: Path) -> None:
    """A table that is never released, and a capsule."""
    pytest.importorskip("pyarrow")
    program = f"""
import builtins, numpy, pyarrow, tape
with tape.open({str(tmp_path / "q")!r}, codec=tape.codecs.raw) as q:
    q.appender().write_many([bytes(8)] * 10)
    columns = q.tailer().read_columns("i8", 10)
builtins.kept = [pyarrow.table(columns), columns.__arrow_c_stream__()]
print("done")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
