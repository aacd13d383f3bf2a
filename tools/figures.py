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


CLAIMS = [  # what, the scenario, what stands beside it as (name, scenario)
    ("append in C", "c.append", [("Java", "java.append")]),
    ("read in C", "c.read", [("Java", "java.read")]),
    ("`write` of bytes in Python", "py.write", [("lmdb", "lmdb.put"), ("SQLite", "sqlite.put")]),
    ("`for m in t`, bytes", "py.iterate", [("lmdb's cursor", "lmdb.cursor"),
                                           ("SQLite's", "sqlite.select")]),
    ("`write` of a dict of four keys", "py.event.write",
     [("lmdb with orjson, in batches", "lmdb.event.batch")]),
]
HOPS = [  # the same, for the time from a write in one process to the read in another
    ("from process to process, C", "c", [("Java", "java")]),
    ("from process to process, Python", "py", [("lmdb", "lmdb")]),
]


def readme_table(found: dict[str, Any]) -> str:
    """A row a claim: what was measured, and what the same costs elsewhere, in the same run."""
    medians = found["medians"]
    rows = ["| | | beside it |", "| --- | ---: | --- |"]
    for label, scenario, others in CLAIMS:
        if scenario in medians:
            beside = ", ".join(f"{name} {shown(medians[key])}" for name, key in others
                               if key in medians)
            rows.append(f"| {label} | {shown(medians[scenario])} | {beside} |")
    latency = found.get("latency") or {}
    for label, pair, others in HOPS:
        if pair in latency:
            beside = ", ".join(f"{name} {half(latency[key])}" for name, key in others
                               if key in latency)
            rows.append(f"| {label}, half within | {half(latency[pair])} | {beside} |")
    return "\n".join([*rows, "", conditions(found)])


def half(shares: dict[str, float]) -> str:
    """The median of a latency. What 99 of 100 keep is the scheduler's, of that machine and hour."""
    return shown(shares["p50"])


STORES = [  # the comparison's rows: name, a write, writes in batches, reads in order, by key
    ("tape, C", "c.append", "c.append_many", "c.read", "c.seek"),
    ("tape, Python", "py.write", "py.write_many", "py.iterate", "py.seek_read"),
    ("Chronicle Queue, Java", "java.append", None, "java.read", "java.seek"),
    ("lmdb, Python", "lmdb.put", "lmdb.batch", "lmdb.cursor", "lmdb.get"),
    ("SQLite (WAL), Python", "sqlite.put", "sqlite.batch", "sqlite.select", None),
    ("queuelib, Python", "queuelib.push", None, "queuelib.pop", None),
    ("persist-queue, Python", "persistqueue.put", None, "persistqueue.get", None),
    ("a plain file, Python", "file.write", None, "file.read", None),
]


def comparison_table(found: dict[str, Any]) -> str:
    """What each store takes for a message."""
    medians = found["medians"]
    rows = ["| | write one | write in batches | read in order | seek and read |",
            "| --- | ---: | ---: | ---: | ---: |"]
    for name, *keys in STORES:
        if keys[0] in medians:
            rows.append(f"| {name} | " + " | ".join(
                shown(medians[key]) if key in medians else "" for key in keys) + " |")
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
