"""Hurting the files of a queue, and what must not change when it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import tape

from tests.kit.directories import digest


def cycle_file(queue: Path) -> Path:
    return next(queue.glob("*.cq4"))


def refused(path: Path, kind: type[tape.Error], **options: object) -> tape.Error:
    """Opening must fail in this way, with file and hint, and change nothing."""
    before = digest(path) if path.is_dir() else None
    with pytest.raises(kind) as caught:
        tape.open(path, **options).close()
    assert caught.value.file and caught.value.hint
    if before is not None:
        assert digest(path) == before
    return caught.value


def read_all(queue: Path) -> list[bytes]:
    with tape.open(queue, read_only=True, codec=tape.codecs.raw) as q:
        return list(q.tailer())
