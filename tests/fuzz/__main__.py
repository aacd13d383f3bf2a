"""Runs a target of the fuzzer: ``python -m tests.fuzz TARGET SECONDS [flags of libFuzzer]``."""

from __future__ import annotations

import sys
from pathlib import Path

from .workshop import TARGETS, Workshop, run

if len(sys.argv) < 3 or sys.argv[1] not in TARGETS:
    sys.exit(f"usage: python -m tests.fuzz {'|'.join(TARGETS)} SECONDS [flags of libFuzzer]")
shop = Workshop(Path("build-fuzz"))
ran = run(shop.program(), sys.argv[1], shop.corpus(sys.argv[1]),
          f"-max_total_time={float(sys.argv[2]):.0f}", *sys.argv[3:])
sys.stderr.write(ran.stderr)
sys.exit(ran.returncode)
