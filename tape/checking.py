"""Checking and mending a queue's files: what ``tape verify`` and ``tape repair`` do, as calls."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any

from ._ffi import check, error_of, ffi, lib, text
from ._unpacking import pieces
from .errors import CorruptQueue, InvalidArgument, QueueBusy

__all__ = ["Finding", "Report", "repair", "verify"]

Progress = Callable[[str, int, int], object]

LEVELS = {lib.TAPE_NOTE: "note", lib.TAPE_UNFINISHED: "unfinished", lib.TAPE_DAMAGE: "damage"}
CHUNK = 1 << 20
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SPARE = 64 << 20  # bytes of the temporary directory that stay free


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was found, in plain words.

    Attributes:
        level: ``"damage"``: bytes that no writer makes, or that Java trips over; ``"unfinished"``:
            a writer died, and the next one puts it right; ``"note"``: told, and nothing need be
            done.
        kind: a word for programs, such as ``"index-entry"``; docs/repair.md lists them.
        file: path of the file.
        offset: of the byte in it, or ``None``.
        index: of the message that it is about, or ``None``.
        text: what was found, one sentence.
        remedy: what to do about it, one sentence.
    """

    level: str
    kind: str
    file: str
    offset: int | None
    index: int | None
    text: str
    remedy: str

    def __str__(self) -> str:
        where = os.path.basename(self.file) + ("" if self.offset is None else f":{self.offset:#x}")
        return f"{self.level} {self.kind} {where}: {self.text}"


@dataclasses.dataclass(frozen=True)
class Report:
    """What a check found, and what became of a repair.

    Attributes:
        path: of the queue, or of the mended one.
        findings: of one kind in one file the first hundred; all are counted.
        files: that were looked at.
        messages: that were met; after a repair, those in the result.
        damage, unfinished, notes: how many findings there are of each level.
        outcome: ``"checked"``; of a repair ``"clean"``: nothing was wrong; ``"lossless"``: all
            messages are there, with their indexes; ``"lossy"``; ``"nothing"``: nothing could be
            had.
        lost: messages that are known to be gone.
        lost_bytes: that belonged to nothing that could be had.
        recovered: messages whose header word or length was put right.
        placeholders: empty messages where lost ones were, so that indexes stay.
        mended_files, dropped_files: changed, and left out as nothing could be had of them.
        renumbered: whether messages may have got other indexes.
    """

    path: str
    findings: tuple[Finding, ...]
    files: int
    messages: int
    damage: int
    unfinished: int
    notes: int
    outcome: str = "checked"
    lost: int = 0
    lost_bytes: int = 0
    recovered: int = 0
    placeholders: int = 0
    mended_files: int = 0
    dropped_files: int = 0
    renumbered: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing but notes was found."""
        return self.damage == 0 and self.unfinished == 0

    def asdict(self) -> dict[str, Any]:
        """All as a plain dict."""
        return dataclasses.asdict(self)


class Heard:
    """What C tells while it works, and what a callback raised meanwhile."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress
        self.findings: list[Finding] = []
        self.raised: BaseException | None = None
        self.handle = ffi.new_handle(self)

    def options(self, flags: int = 0) -> Any:
        """Options that lead here."""
        options = ffi.new("tape_check_options_t *")
        options.struct_size = ffi.sizeof("tape_check_options_t")
        options.flags = flags
        options.finding = lib.tape_python_finding
        options.progress = lib.tape_python_progress
        options.finding_user = options.progress_user = self.handle
        return options

    def take(self, code: int) -> None:
        """Raises what a callback raised, or the error of a code."""
        if self.raised is not None:
            raise self.raised
        check(code)


def _keep(kind: Any, error: BaseException, trace: Any) -> None:
    if trace is not None and "user" in trace.tb_frame.f_locals:
        ffi.from_handle(trace.tb_frame.f_locals["user"]).raised = error


@ffi.def_extern(  # type: ignore[untyped-decorator]
    name="tape_python_finding", error=1, onerror=_keep)
def _finding(user: Any, found: Any) -> int:
    ffi.from_handle(user).findings.append(Finding(
        LEVELS[found.level], text(found.kind), text(found.file),
        None if found.offset < 0 else found.offset, None if found.index < 0 else found.index,
        text(found.text), text(found.remedy)))
    return 0


@ffi.def_extern(  # type: ignore[untyped-decorator]
    name="tape_python_progress", error=1, onerror=_keep)
def _progress(user: Any, file: Any, done: int, total: int) -> int:
    heard = ffi.from_handle(user)
    if heard.progress is not None:
        heard.progress(text(file), done, total)
    return 0


def encoded(path: str | bytes | os.PathLike[str]) -> bytes:
    """A path as C takes it."""
    name = os.fsencode(path)
    if b"\0" in name:
        raise InvalidArgument("a path with NUL", hint="no file has such a name")
    return name


def verify(path: str | os.PathLike[str], *, progress: Progress | None = None) -> Report:
    """Checks the files of a queue against each other; no byte of them is written.

    The table store, each cycle file from its header to its end, every entry of its index, ends of
    cycles, the listing and the positions of named tailers. Writers may be at work: what they are in
    the middle of is a note. Messages have no checksum, so what is inside them is not looked at.
    Files are read, not mapped, in bounded memory. A compressed cycle is unpacked into the temporary
    directory.

    Args:
        path: the queue's directory.
        progress: called now and then with a file's path, the bytes done, and those in all.

    Returns: a :class:`Report`.

    Raises: :class:`tape.QueueNotFound`, :class:`tape.StorageError`, :class:`tape.AccessDenied`, and
        what ``progress`` raises, which ends it.

    >>> import tape, tempfile
    >>> path = tempfile.mkdtemp()
    >>> with tape.open(path) as q:
    ...     i = q.appender().write("hello")
    >>> report = tape.verify(path)
    >>> report.ok, report.files, report.messages
    (True, 2, 1)
    """
    found = _verify(path, progress)
    packed = [f for f in found.findings if f.kind == "compressed"]
    for note in packed:
        found = _replace(found, note, _verify_compressed(note.file, progress))
    return found


def _verify(path: str | os.PathLike[str], progress: Progress | None) -> Report:
    heard = Heard(progress)
    report = ffi.new("tape_check_report_t *")
    heard.take(lib.tape_verify(encoded(path), heard.options(), report))
    return Report(os.fsdecode(path), tuple(heard.findings), report.files, report.messages,
                  report.damage, report.unfinished, report.notes)


# ---- mending ----

def repair(path: str | os.PathLike[str], into: str | os.PathLike[str] | None = None, *,
           in_place: bool = False, progress: Progress | None = None) -> Report:
    """Writes a mended copy of a queue: Java and tape read it, and write on in it.

    What is sound stays as it is. Header words, lengths, indexes, write positions, ends of cycles,
    the listing and the table store are put right; where messages are lost, empty ones stand in
    their place, so that all others keep their indexes and named tailers their positions.

    Args:
        path: the queue's directory.
        into: the directory of the copy, which must not exist; by default ``path`` + ``.repaired``.
        in_place: mend the queue itself. A file that is replaced stays beside the new one, with
            ``.damaged`` at the end of its name; each is replaced at once and whole, so a repair
            that died is just begun again. Nobody may have the queue open.
        progress: as for :func:`tape.verify`.

    Returns: a :class:`Report` whose ``findings`` are what was wrong and what was done, and whose
        ``outcome`` says what became of it.

    Raises: :class:`tape.QueueBusy` when it is to be mended in place and a process has it open,
        :class:`tape.InvalidArgument` when ``into`` exists, :class:`tape.UnsupportedQueue` for files
        of Chronicle Queue 4, :class:`tape.QueueNotFound`, :class:`tape.DiskFull`,
        :class:`tape.StorageError`, :class:`tape.AccessDenied`.

    >>> import tape, tempfile
    >>> path = tempfile.mkdtemp()
    >>> with tape.open(path) as q:
    ...     i = q.appender().write("hello")
    >>> report = tape.repair(path)
    >>> report.outcome, report.messages, report.path == path + ".repaired"
    ('clean', 1, True)
    """
    source = os.fspath(path)
    if in_place and into is not None:
        raise InvalidArgument("in_place and into", hint="choose one of them")
    target = None if in_place else encoded(_beside(source) if into is None else into)
    heard = Heard(progress)
    report = ffi.new("tape_check_report_t *")
    code = lib.tape_repair(encoded(source), ffi.NULL if target is None else target,
                           heard.options(lib.TAPE_IN_PLACE if in_place else 0), report)
    if code == lib.TAPE_EBUSY:
        busy = error_of(code)
        raise QueueBusy(busy.message, file=busy.file, hint="close it there first, or mend a copy")
    heard.take(code)
    return Report(os.fsdecode(source if target is None else target), tuple(heard.findings),
                  report.files, report.messages, report.damage, report.unfinished, report.notes,
                  _outcome(report), report.lost, report.lost_bytes, report.recovered,
                  report.placeholders, report.mended_files, report.dropped_files,
                  bool(report.renumbered))


def _beside(path: str | bytes) -> bytes:
    return os.fsencode(path).rstrip(b"/") + b".repaired"


def _outcome(report: Any) -> str:
    if report.nothing:
        return "nothing"
    if report.lost or report.renumbered or report.dropped_files:
        return "lossy"
    return "lossless" if report.damage or report.unfinished or report.mended_files else "clean"


# ---- compressed cycles ----

def _replace(report: Report, note: Finding, inside: Report) -> Report:
    """The report with what was found in a compressed cycle in the place of the note about it."""
    findings = tuple(f for f in report.findings if f is not note) + inside.findings
    return dataclasses.replace(
        report, findings=findings, files=report.files + inside.files,
        messages=report.messages + inside.messages, damage=report.damage + inside.damage,
        unfinished=report.unfinished + inside.unfinished, notes=report.notes - 1 + inside.notes)


def _one(path: str, level: str, words: str, remedy: str) -> Report:
    finding = Finding(level, "compressed", path, None, None, words, remedy)
    return Report(path, (finding,), 1, 0, int(level == "damage"), 0, int(level == "note"))


def _verify_compressed(path: str, progress: Progress | None) -> Report:
    """Unpacks a cycle as readers do into a queue of its own, and checks that."""
    with tempfile.TemporaryDirectory(prefix="tape-verify-") as folder:
        plain = os.path.join(folder, os.path.splitext(os.path.basename(path))[0])
        try:
            if not _unpack(path, plain, progress):
                return _too_large(path)
        except FileNotFoundError:
            return Report(path, (), 0, 0, 0, 0, 0)  # it was thawed or removed meanwhile
        except ImportError as error:
            return _one(path, "note", "compressed with zstd, and not looked into", str(error))
        except (CorruptQueue, OSError) as error:
            if isinstance(error, OSError) and error.errno in FULL:
                return _too_large(path)
            return _one(path, "damage", f"it cannot be decompressed: {error}",
                        "what it held is lost, unless its original is elsewhere")
        table = os.path.join(os.path.dirname(path), "metadata.cq4t")
        if os.path.exists(table):
            shutil.copy(table, folder)
        inside = _verify(folder, None)
    findings = tuple(dataclasses.replace(f, file=path) for f in inside.findings
                     if f.file == plain and f.kind != "end-of-data")
    levels = [f.level for f in findings]
    return Report(path, findings, 1, inside.messages, levels.count("damage"),
                  levels.count("unfinished"), levels.count("note"))


def _too_large(path: str) -> Report:
    return _one(path, "note", "compressed, and too large for the temporary directory: not looked "
                              "into", "set TMPDIR to a larger one")


def _unpack(path: str, plain: str, progress: Progress | None) -> bool:
    """Decompresses, zeros becoming holes. False: there is no room for it."""
    done = told = 0
    with open(path, "rb") as source, open(plain, "wb") as target:
        for chunk in pieces(path, source.fileno()):
            if chunk.strip(b"\0"):
                if shutil.disk_usage(os.path.dirname(plain)).free < SPARE + len(chunk):
                    return False
                target.write(chunk)
            else:
                target.seek(len(chunk), os.SEEK_CUR)
            done += len(chunk)
            if progress is not None and done - told >= 64 * CHUNK:
                progress(path, done, done)
                told = done
        target.truncate(done)
    return True
