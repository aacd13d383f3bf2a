"""The only importer of ``tape._native``: return codes become exceptions here."""

from __future__ import annotations

from _thread import get_ident

from . import errors

try:
    from ._native import ffi, lib
except ModuleNotFoundError as missing:
    raise ImportError(
        "tape's C extension is not beside its Python files: this is a source folder that hides the "
        "installed package. Run Python elsewhere, or install in place: pip install -e .",
        name="tape._native") from missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

__all__ = ["check", "code_classes", "error_of", "ffi", "lib", "made", "raise_code", "text",
           "told_of"]


def text(pointer: Any) -> str:
    """A C string as ``str``; file names that are not UTF-8 survive as surrogates."""
    return "" if pointer == ffi.NULL else ffi.string(pointer).decode("utf-8", "surrogateescape")


def code_classes() -> dict[int, type[errors.Error]]:
    """Each code of ``tape.h`` and the class whose ``code`` names it."""
    classes = {}
    for name in errors.__all__:
        cls = getattr(errors, name)
        if isinstance(cls, type) and issubclass(cls, errors.Error):
            value = getattr(lib, cls.code, None)
            if value is not None and "code" in cls.__dict__:
                classes[int(value)] = cls
    return classes


_CLASSES = code_classes()

# What Python raised when C called it, by thread: the error of the call of C that failed by it.
_FAILURES: dict[int, BaseException] = {}


def told_of(failure: BaseException) -> int:
    """For who is called by C: keeps what was raised, and gives the code for C to fail with."""
    for kind, code in ((FileNotFoundError, lib.TAPE_ENOTFOUND), (PermissionError, lib.TAPE_EACCES),
                       (ImportError, lib.TAPE_EUNSUPPORTED), (MemoryError, lib.TAPE_ENOMEM),
                       (errors.DiskFull, lib.TAPE_ENOSPC),
                       (errors.CorruptQueue, lib.TAPE_ECORRUPT)):
        if isinstance(failure, kind):
            return int(code)  # C has a text of its own
    _FAILURES[get_ident()] = failure
    return int(lib.TAPE_EIO)


def _raise_failure(code: int) -> None:
    """If the call of C failed because of what Python raised, that is what its caller gets."""
    failure = _FAILURES.pop(get_ident(), None)
    if failure is not None and code == lib.TAPE_EIO:
        raise failure


def error_of(code: int, index: int | None = None) -> errors.Error:
    """An error of the class of ``code`` with the story of this thread's last failure."""
    if _FAILURES:
        _raise_failure(code)
    facts = ffi.new("tape_error_facts_t *")
    lib.tape_error_last(facts)
    cls = _CLASSES.get(code, errors.Error)
    same = facts.code == code
    message = text(facts.message) if same else ""
    more: dict[str, Any] = {
        "hint": text(lib.tape_hint(code)),
        "file": (text(facts.file) or None) if same else None,
        "position": facts.position if same and facts.position >= 0 else None,
        "index": facts.index if same and facts.index >= 0 else index,
        "errno": (facts.system_errno or None) if same else None,
    }
    if cls is errors.LockTimeout and same:
        more.update(holder_pid=facts.holder_pid, holder_alive=bool(facts.holder_alive),
                    held_for=facts.held_for_ns / 1e9)
    if cls is errors.CorruptQueue and more["file"]:
        more["hint"] = _with_path(more["hint"], more["file"])
    return cls(message or text(lib.tape_strerror(code)), **more)


def _with_path(hint: str, file: str) -> str:
    """The commands in a hint as they are to be typed; quoting is imported when there is damage."""
    from os.path import dirname, isdir
    from shlex import quote
    path = quote(file if isdir(file) else dirname(file) or ".")
    for command in ("tape verify", "tape repair"):
        hint = hint.replace(f"`{command}`", f"`{command} {path}`")
    return hint


def raise_code(code: int, index: int | None = None) -> NoReturn:
    """Raises what :func:`error_of` makes."""
    raise error_of(code, index)


def made(kind: str, make: Callable[..., int], *arguments: Any) -> Any:
    """A handle that C makes (``"queue"``, ...), closed when nobody refers to it any more.

    C puts it into a place that closes what is in it. So an interrupt that falls between C's call
    and ours leaves no handle that nobody has: a named tailer's would keep its name for ever.
    """
    place = ffi.gc(ffi.new(f"tape_{kind}_t **"), getattr(lib, f"tape_end_{kind}"))
    check(make(*arguments, place))
    # What ends the handle only refers to the place; as it is written in C no signal is heard in it.
    return ffi.gc(place[0], (place,).count)


def check(code: int) -> int:
    """Gives a result that is not negative back; raises the error of a code."""
    if code < 0:
        raise_code(code)
    return code
