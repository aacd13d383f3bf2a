"""Retention on a small file system while JVMs write and read there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.directories import on_a_small_disk
from tests.kit.sources import ROOT

pytestmark = pytest.mark.jvm


def test_javas_reader_and_writer_go_on_while_the_disk_comes_back(
        jvm: None, tmp_path: Path, scaled: Callable[[float, float], float],
        report: Callable[[str], None]) -> None:
    """Two named readers, one of Java, see every message of both writers once and in one order; no
    process is killed; each removal is told with its reason; in the end the disk holds what the
    newest file takes."""
    seconds = scaled(3, 60)
    printed = on_a_small_disk(
        tmp_path, "64m", ["-m", "tests.kit.load_with_jvm"], str(seconds), timeout=seconds + 120,
        cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    found = json.loads(printed.splitlines()[-1])
    report(str(found))
    assert found["tape"] > 100 and found["java"] > 100
    assert found["same"] and found["in order"], found
    assert found["read"] == found["tape"] + found["java"]
    assert found["removed"] >= (1 if seconds < 10 else 20)
    assert found["after"] <= found["held"] + (1 << 20), found
