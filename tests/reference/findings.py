"""What the checker can find: one code per invariant, with the section that states it."""

from __future__ import annotations

import os
from dataclasses import dataclass

ERROR, NOTE = "error", "note"

# code: (level, section of docs/format.md, the invariant that does not hold)
INVARIANTS: dict[str, tuple[str, str, str]] = {
    "foreign-file": (ERROR, "1.1", "every name that ends in .cq4 is that of a cycle"),
    "leftover-file": (NOTE, "1.1", "no file was moved aside, pre-created or left half made"),
    "no-table-store": (ERROR, "5", "a queue of 5.x has a metadata.cq4t"),
    "4.x": (NOTE, "4.1", "the files are those of a 5.x release"),
    "table-store": (ERROR, "5", "the table store can be read"),
    "table-size": (NOTE, "5.2", "the table store is 65536 or 131072 bytes long"),
    "table-tail": (ERROR, "5.2", "zero bytes follow the last entry"),
    "table-duplicate": (ERROR, "5.2", "no key occurs twice"),
    "table-alignment": (ERROR, "5.2", "every cell is 8-byte aligned"),
    "table-key": (ERROR, "5.4", "the keys that every opener needs are there"),
    "settings": (ERROR, "1.2", "the stored length is that of the stored pattern"),
    "lock-held": (ERROR, "8.1", "no lock word is locked"),
    "listing": (ERROR, "9.4", "lowest and highest cycle are those of the files"),
    "listing-weekly": (NOTE, "1.8", "the listing words of a WEEKLY queue are cycle numbers"),
    "normalised": (ERROR, "5.4", "normalisedEOFsTo is not above the newest cycle"),
    "tailer-position": (NOTE, "12.5", "a named tailer stands at a message or one past the last"),
    "cycle-not-ready": (ERROR, "9.3", "every cycle file has its header"),
    "cycle-header": (ERROR, "4.1", "the first document is a proper SCQStore"),
    "alignment": (ERROR, "3.6", "words that change are aligned"),
    "index-settings": (NOTE, "1.3", "indexCount and indexSpacing are those of the roll cycle"),
    "chain": (ERROR, "2.2", "the chain of header words stays inside the file"),
    "incomplete-word": (ERROR, "2.1", "no header word is reserved"),
    "empty-document": (ERROR, "2.4", "no document is empty"),
    "padding": (ERROR, "2.2", "padding between documents is zero"),
    "eof-missing": (ERROR, "9.2", "every cycle but the newest ends in EOF"),
    "eof-newest": (NOTE, "9.1", "the newest cycle has no EOF"),
    "tail": (ERROR, "4.4", "zero bytes follow the last document (and EOF with its text)"),
    "cycle-full": (ERROR, "1.3", "a cycle holds no more messages than it may"),
    "write-position": (ERROR, "8.2", "the write position is that of the last data document"),
    "write-position-behind": (NOTE, "9.8", "the write position of a finished cycle is not behind"),
    "sequence-word": (ERROR, "4.3", "the word beside the write position encodes its sequence"),
    "sequence-word-behind": (NOTE, "10", "the sequence word of a finished cycle is not behind"),
    "index-root": (ERROR, "6.1", "index2Index points to an index2index of the right capacity"),
    "index-root-missing": (NOTE, "6.2", "the index is there before the first message"),
    "index-page": (ERROR, "6.1", "every index page is a metadata document of the right capacity"),
    "index-entry": (ERROR, "6.1", "every index entry is the position of its message"),
    "index-missing": (ERROR, "6.2", "there is an entry for every indexSpacing-th message"),
    "index-used": (ERROR, "6.1", "used is one more than the highest filled entry"),
    "index-last": (ERROR, "6.2", "lastIndex is the next sequence that needs an entry"),
    "index-orphan": (NOTE, "6.2", "every index page is reachable"),
    "file-size": (NOTE, "11.2", "the file is as long as one of Java's growth steps"),
    "file-cut": (NOTE, "11.3", "four zero bytes follow the last document inside the file"),
}


@dataclass(frozen=True)
class Finding:
    """One invariant that does not hold: ``level`` is ``error`` or ``note``."""

    level: str
    code: str
    file: str
    offset: int
    what: str
    section: str

    def __str__(self) -> str:
        return (f"{self.level}: {self.code}: {self.file}: 0x{self.offset:x}: {self.what} "
                f"(format.md {self.section})")


class Report:
    """Collects findings."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def add(self, code: str, path: str | os.PathLike[str], offset: int, what: str) -> None:
        """Adds a finding; level and section come from the table of invariants."""
        level, section, _ = INVARIANTS[code]
        name = os.path.basename(os.fspath(path)) or os.fspath(path)
        self.findings.append(Finding(level, code, name, offset, what, section))
