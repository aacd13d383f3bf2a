"""The examples of docs/async.md, run in the order in which they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.kit.sources import ROOT

PRINTED = """\
one
None
two
['three', 0, 1, 2]
fills filled
orders sell
last
[{'event': 'signup'}]
"""


def test_the_examples_print_what_they_should(tmp_path: Path) -> None:
    """Each a program of its own, in one folder."""
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "async.md").read_text(),
                          re.DOTALL)
    assert len(examples) == 5
    printed = ""
    for example in examples:
        ran = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, text=True,
                             capture_output=True, timeout=60, check=False)
        assert (ran.returncode, ran.stderr) == (0, ""), example
        printed += ran.stdout
    lines = printed.splitlines()
    assert sorted(lines) == sorted(PRINTED.splitlines())
