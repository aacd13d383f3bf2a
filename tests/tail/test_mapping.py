"""How much of a file a tailer maps."""

from __future__ import annotations

from pathlib import Path

import pytest

import tape
from tape.codecs import raw


def test_max_mapped_bounds_the_window(tmp_path: Path) -> None:
    """A tailer with a small window reads all, and messages larger than it whole."""
    with tape.open(tmp_path / "q", codec=raw) as q:
        a = q.appender()
        for n in range(40):
            a.write(bytes([n]) * (100_000 if n % 7 else 900_000))
        t = q.tailer(max_mapped=1)
        for n in range(40):
            assert t.read() == bytes([n]) * (100_000 if n % 7 else 900_000)
            maps = Path("/proc/self/maps").read_text().splitlines()
            mine = [m.split()[0].split("-") for m in maps if str(tmp_path) in m and "r--s" in m]
            assert 0 < sum(int(end, 16) - int(begin, 16) for begin, end in mine) < 1_300_000
        with pytest.raises(ValueError):
            q.tailer(max_mapped=0)
