"""The implementations that are here: all tests of the codec run over each."""

from __future__ import annotations

from tape.codecs.fressian import have_speed

ENGINES = ["python", "c"] if have_speed else ["python"]
