"""What C calls to read a compressed cycle file; the work is in :mod:`tape._unpacking`."""

from __future__ import annotations

from ._ffi import ffi, lib, told_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._unpacking import Unpacked

__all__ = ["UnpackerInC"]


class UnpackerInC:
    """What a queue has decompressed, for C; nothing, and nothing imported, until it asks."""

    __slots__ = ("__weakref__", "_unpacked")

    def __init__(self) -> None:
        self._unpacked: Unpacked | None = None

    def descriptor(self, path: bytes, at: int, size: int) -> int:
        """A descriptor of what the file holds, with these bytes in it."""
        if self._unpacked is None:
            from ._unpacking import Unpacked
            self._unpacked = Unpacked()
        return self._unpacked.descriptor(path, at, size)

    def close(self) -> None:
        """Gives back the disk."""
        if self._unpacked is not None:
            self._unpacked.close()


@ffi.def_extern(name="tape_python_unpack", error=lib.TAPE_EIO)  # type: ignore[untyped-decorator]
def _python_unpack(user: Any, path: Any, at: int, size: int) -> int:
    try:
        return int(ffi.from_handle(user).descriptor(ffi.string(path), at, size))
    except BaseException as error:  # it would end in C, where nobody sees it
        return told_of(error)
