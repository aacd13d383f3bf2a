"""What importing the codec costs: only what a first message needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tape
from tape.codecs import fressian

#: tape.errors is a stand-in here: what it imports itself is not this test's question.
ALONE = f"""
import sys, types
tape = types.ModuleType("tape"); tape.__path__ = {list(tape.__path__)!r}
errors = types.ModuleType("tape.errors")
for name in ("DecodeError", "EncodeError", "StateError"):
    setattr(errors, name, type(name, (Exception,), {{}}))
sys.modules.update({{"tape": tape, "tape.errors": errors}})
before = set(sys.modules)
from tape.codecs import fressian
"""
LATE = {"uuid", "decimal", "fractions", "datetime", "re", "dataclasses", "typing", "inspect",
        "pathlib", "collections", "contextlib", "enum", "struct", "zlib", "threading", "array",
        "importlib"}


def new_modules(program: str) -> set[str]:
    told = "print(*sorted(set(sys.modules) - before))"
    made = subprocess.run(
        [sys.executable, "-S", "-c", f"{ALONE}{program}\n{told}"],
        check=True, capture_output=True, text=True)
    return set(made.stdout.split())


@pytest.mark.skipif(not fressian.have_speed, reason="the codec in C is not built")
def test_import_and_a_first_dict_load_nothing_that_the_dict_does_not_need() -> None:
    loaded = new_modules("assert fressian.decode(fressian.encode({'a': [1, None, 2.5, b'x']}))")
    assert loaded & LATE == set()
    ours = {name for name in loaded if name.startswith("tape.")}
    assert ours == {"tape.codecs", "tape.codecs.fressian"} | {
        f"tape.codecs.fressian.{name}" for name in ("_codec", "_options", "_speed", "codes",
                                                    "handlers", "types")}


VALUES = {
    "uuid": "import uuid; v = uuid.UUID(int=5)",
    "decimal": "import decimal; v = decimal.Decimal('1.5')",
    "fractions": "import fractions; v = fractions.Fraction(1, 3)",
    "datetime": "import datetime as d; v = d.datetime(2020, 1, 1, tzinfo=d.timezone.utc)",
    "array": "import array; v = array.array('i', [1, 2])",
    "deque": "import collections; v = collections.deque([1, 2])",
    "subclass": "import decimal\nclass Sub(decimal.Decimal): pass\nv = Sub('2.5')",
}


@pytest.mark.parametrize("name", VALUES)
def test_a_class_imported_after_the_codec_is_written_as_ever(name: str) -> None:
    program = f"""
codec = fressian.Fressian(sort=True)
codec.encode({{"a": 1}})
{VALUES[name]}
for codec in (codec, fressian, fressian.Fressian(engine="python")):
    got = codec.decode(codec.encode([v, v]))
    assert [list(x) if name == "deque" else x for x in got] == [
        list(x) if name == "deque" else x for x in (v, v)], got
""".replace("name == ", f"{name!r} == ")
    new_modules(program)


@pytest.mark.parametrize("program", [
    "fressian.decode(bytes.fromhex('c3d910' + '00' * 15 + '05'))",
    "fressian.decode(bytes.fromhex('c87a000001e240'))",
    "fressian.decode(bytes.fromhex('c7d10f01'))",
    "fressian.decode(bytes.fromhex('c6d10f'))",
    "list(fressian.Reader(b'\\x01\\x02'))",
    "w = fressian.Writer(); w.write(1); w.footer(); list(fressian.Reader(w.getvalue()))",
    "fressian.Fressian(sort=True).encode({'b': 1, 'a': {3, 2, 1}})",
    "fressian.encode([fressian.Cached((1, 2)), fressian.Cached((1, 2))])",
    "fressian.encode(fressian.URI('http://a/'))",
    "fressian.encode(fressian.Record('a.B', {fressian.kw.x: 1}))",
    "fressian.dumps(1, footer=True)",
    "fressian.Float32(0.1), fressian.Regex('a+').compile()",
])
def test_what_is_taken_late_is_there_when_it_is_the_first_call(program: str) -> None:
    new_modules(program)


def test_the_packages_list_their_names_and_refuse_others() -> None:
    from tape import codecs
    assert {"Codec", "fressian", "json", "raw"} <= set(dir(codecs))
    assert {"Reader", "Writer", "loads"} <= set(dir(fressian))
    assert all(hasattr(codecs, name) for name in codecs.__all__)
    assert all(hasattr(fressian, name) for name in fressian.__all__)
    for module in (codecs, fressian):
        with pytest.raises(AttributeError, match="no_such_name"):
            getattr(module, "no_such_name")
    assert fressian.Writer.__module__ == "tape.codecs.fressian"
