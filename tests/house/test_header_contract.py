"""tape.h is the single source: cdef, stub, error classes and documentation follow from it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import tape
from tape._ffi import code_classes, ffi, lib, text

ROOT = Path(__file__).resolve().parents[2]
HEADER = (ROOT / "csrc" / "tape.h").read_text()


@pytest.fixture(scope="module")
def build() -> ModuleType:
    """build_ffi.py as a module."""
    spec = importlib.util.spec_from_file_location("build_ffi", ROOT / "build_ffi.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def codes() -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"(TAPE_E\w+) = (-\d+)", HEADER)}


def test_the_stub_is_what_the_header_gives(build: ModuleType) -> None:
    """After a change of tape.h: python build_ffi.py --stub > tape/_native.pyi."""
    assert (ROOT / "tape" / "_native.pyi").read_text() == build.stub(build.cdef(HEADER))


def test_the_stub_names_all_functions(build: ModuleType) -> None:
    """Every TAPE_API function is in the stub and in the compiled extension."""
    names = set(re.findall(r"(?m)^TAPE_API [^(]*?(tape_\w+)\(", HEADER))
    stub = build.stub(build.cdef(HEADER))
    assert len(names) >= 28
    for name in names:
        assert f"def {name}(" in stub and hasattr(lib, name), name


def test_every_code_has_text_hint_and_class() -> None:
    """The texts live in C beside the codes; each code has an exception class of its own."""
    classes = code_classes()
    for name, value in codes().items():
        assert text(lib.tape_code_name(value)) == name
        assert text(lib.tape_strerror(value)) and text(lib.tape_hint(value)), name
        if name != "TAPE_EINTERNAL":
            assert classes[value].code == name
    assert len(set(classes.values())) == len(classes)


def test_unknown_codes_have_a_text() -> None:
    """tape_strerror() and tape_hint() take any number."""
    for value in (0, 1, -1, -20000, -99999, -(1 << 31)):
        assert ffi.string(lib.tape_strerror(value)) is not None
        assert ffi.string(lib.tape_hint(value)) is not None


def test_every_function_is_documented() -> None:
    """A comment stands before each function, or before the run of functions it belongs to."""
    for block in re.split(r"\n\n", HEADER):
        if "TAPE_API " in block and "#define" not in block:
            assert block.lstrip().startswith(("/*", "typedef")) or "/*" in block, block


def test_the_public_names_are_these() -> None:
    """The names of the package, listed: adding one is a decision."""
    assert sorted(tape.__all__) == sorted("""
        Appender AppenderInfo Clock Codec CycleFile Entry Lag Location MetadataEntry Queue
        QueueInfo RollCycle Tailer TailerInfo codecs delete merge open AccessDenied
        ALL NOTHING CodecMismatch Keep QueueStats TailerStats Verdict replay Finding Report repair
        verify Bounds
        AppendsDisabled ClockError ClockWentBack Conflict CorruptQueue CycleFull DecodeError
        DiskFull DurabilityReduced Empty EncodeError Error Forked Gap IndexNotFound
        InvalidArgument LockLost LockTimeout MessageTooLarge OutOfMemory QueueBusy QueueClosed
        QueueNotFound ReadFailed ReadOnlyQueue RollCycleMismatch StateError StorageError
        SyncFailed TailerBusy UnsupportedFilesystem UnsupportedQueue WouldBlock
        WriteFailed""".split())
