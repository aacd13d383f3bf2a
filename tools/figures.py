"""The figures that the README and the comparison show, out of the last benchmark.

``python -m tools.figures`` writes them between their marks, and so does ``python -m bench
--write``. One place has the numbers, ``bench/results/bench.json``; where it is not there the pages
stay as they are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools.header import ROOT

RESULTS = ROOT / "bench" / "results" / "bench.json"
BEGIN = "<!-- figures: written by python -m bench --write, or python -m tools.figures -->"
END = "<!-- end of figures -->"


def shown(ns: float) -> str:
    """Nanoseconds in the unit that suits them."""
    if ns < 1000:
        return f"{ns:.0f} ns"
    return f"{ns / 1000:.1f} µs" if ns < 1e6 else f"{ns / 1e6:.1f} ms"


def conditions(found: dict[str, Any]) -> str:
    machine = found["machine"]
    return (f"Medians of one run, 64 bytes a message, `durability=\"os\"`, everything in the page "
            f"cache: {machine['processor']}, {machine['system']}, Python {machine['Python']}. All "
            f"of it, and how: [bench](bench/README.md).")


CLAIMS = ["append", "read", "from process to process"]
#: README's rows: for each claim the scenario, and what stands beside it as (name, scenario). A hop
#: is the time from a write in one process to the read in another.
LANGUAGES = [
    ("C", [("c.append", [("Java", "java.append")]), ("c.read", [("Java", "java.read")]),
           ("hop.c", [("Java", "hop.java")])]),
    ("Python", [("py.write", [("lmdb", "lmdb.put"), ("SQLite", "sqlite.put")]),
                ("py.iterate", [("lmdb", "lmdb.cursor"), ("SQLite", "sqlite.select")]),
                ("hop.py", [("lmdb", "hop.lmdb")])]),
]


def times(found: dict[str, Any]) -> dict[str, float]:
    """All medians. What 99 of 100 hops keep is the scheduler's, of that machine and hour."""
    hops = {f"hop.{pair}": shares["p50"] for pair, shares in (found.get("latency") or {}).items()}
    return found["medians"] | hops


def claim(known: dict[str, float], scenario: str, others: list[tuple[str, str]]) -> str:
    """One figure, and what the same costs elsewhere, in the same run."""
    if scenario not in known:
        return ""
    beside = ", ".join(f"{name} {shown(known[key])}" for name, key in others if key in known)
    return f"**{shown(known[scenario])}**" + (f" · {beside}" if beside else "")


def readme_table(found: dict[str, Any]) -> str:
    """A row a language, a column a claim."""
    known = times(found)
    rows = [f"| | {' | '.join(CLAIMS)} |", "| --- " * (len(CLAIMS) + 1) + "|"]
    rows += [f"| {name} | {' | '.join(claim(known, *cell) for cell in cells)} |"
             for name, cells in LANGUAGES]
    return "\n".join([*rows, "", conditions(found)])


ACTIONS = ["write one", "write in batches", "read in order", "seek and read",
           "write a dict of four keys", "from process to process"]
STORES = [  # the comparison's rows
    ("tape, C", "c.append", "c.append_many", "c.read", "c.seek", None, "hop.c"),
    ("tape, Python", "py.write", "py.write_many", "py.iterate", "py.seek_read", "py.event.write",
     "hop.py"),
    ("Chronicle Queue, Java", "java.append", None, "java.read", "java.seek", None, "hop.java"),
    ("lmdb, Python", "lmdb.put", "lmdb.batch", "lmdb.cursor", "lmdb.get", "lmdb.event.batch",
     "hop.lmdb"),
    ("SQLite (WAL), Python", "sqlite.put", "sqlite.batch", "sqlite.select"),
    ("queuelib, Python", "queuelib.push", None, "queuelib.pop"),
    ("persist-queue, Python", "persistqueue.put", None, "persistqueue.get"),
    ("a plain file, Python", "file.write", None, "file.read"),
]


def comparison_table(found: dict[str, Any]) -> str:
    """What each store takes for a message."""
    known = times(found)
    rows = [f"| | {' | '.join(ACTIONS)} |", "| --- |" + " ---: |" * len(ACTIONS)]
    for name, *keys in STORES:
        if keys[0] in known:
            keys += [None] * (len(ACTIONS) - len(keys))
            rows.append(f"| {name} | " + " | ".join(
                shown(known[key]) if key in known else "" for key in keys) + " |")
    return "\n".join([*rows, "", conditions(found).replace("](bench/", "](../bench/")])


PAGES = [(ROOT / "README.md", readme_table), (ROOT / "docs" / "comparison.md", comparison_table)]


def written(page: Path, found: dict[str, Any], table: Any) -> str:
    """The text of a page with the figures of a run between its marks."""
    head, rest = page.read_text().split(BEGIN)
    return f"{head}{BEGIN}\n\n{table(found)}\n\n{END}{rest.split(END)[1]}"


def main(results: Path = RESULTS) -> None:
    """Puts the figures of the last run into the pages."""
    if results.exists():
        found = json.loads(results.read_text())
        for page, table in PAGES:
            page.write_text(written(page, found, table))


if __name__ == "__main__":
    main()
