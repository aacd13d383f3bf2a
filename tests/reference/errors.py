"""The one error of the reference reader."""

from __future__ import annotations

import os


class FormatError(Exception):
    """Bytes that docs/format.md does not allow; says where and what.

    Attributes:
        file: path of the file, or ``"<bytes>"`` when the bytes came from memory.
        offset: byte offset in that file.
        what: one clause that names the rule that is broken.
    """

    def __init__(self, file: str | os.PathLike[str], offset: int, what: str) -> None:
        self.file = os.fspath(file)
        self.offset = offset
        self.what = what
        super().__init__(f"{self.file}: 0x{offset:x}: {what}")


class NotReady(FormatError):
    """A file whose first word is still 0 or 0x80000000, or that is too short: not there yet."""
