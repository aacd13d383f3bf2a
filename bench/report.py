"""From numbers to bench/README.md and pictures."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import pictures
from .targets import TARGETS

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- results: written by python -m bench -->", "<!-- end of results -->"


def machine(directory: Path) -> dict[str, str]:
    """What the numbers depend on."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    mounted = subprocess.run(["df", "--output=fstype", directory], capture_output=True, text=True)
    compiler = subprocess.run([*os.environ.get("CC", "cc").split(), "--version"],
                              capture_output=True, text=True)
    packages = []
    for name in ("tape", "cffi", "lmdb", "orjson", "queuelib", "persist-queue", "numpy"):
        try:
            packages.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            packages.append(f"{name} not there")
    return {"processor": f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores",
            "system": f"Linux {platform.release()}, {mounted.stdout.split()[-1]}",
            "Python": sys.version.split()[0], "compiler": compiler.stdout.splitlines()[0],
            "packages": ", ".join(packages)}


def add(found: dict[str, Any], other: dict[str, Any]) -> None:
    """Puts the parts that another run measured beside those of this one."""
    quiet = f"{found['machine']['quiet']}; {other['machine']['quiet']}"
    for name, value in other.items():
        if isinstance(value, dict):
            found[name] = {**value, **found.get(name, {})}
        else:
            found.setdefault(name, value)
    found["machine"]["quiet"] = quiet


def number(ns: float) -> str:
    """Nanoseconds, with as many digits as mean something."""
    return f"{ns:.1f}" if ns < 100 else f"{ns:,.0f}"


def target_table(medians: dict[str, float]) -> list[str]:
    """A row for each target, each ratio beside its limit."""
    rows = ["| | ns | against | ratio | at most | |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    for t in TARGETS:
        if t.what in medians and t.against in medians:
            ratio = medians[t.what] / medians[t.against]
            rows.append(f"| {t.label} | {number(medians[t.what])} | {number(medians[t.against])} "
                        f"| {ratio:.2f} | {t.limit} | {'' if ratio <= t.limit else 'missed'} |")
        else:
            rows.append(f"| {t.label} | | | | {t.limit} | not measured |")
    return rows


def _plain_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1),
            *("| " + " | ".join(row) + " |" for row in rows)]


def text(found: dict[str, Any]) -> str:
    """The results as Markdown."""
    out = [f"* {name}: {value}" for name, value in found["machine"].items()]
    out += ["", "## Targets", "", *target_table(found["medians"])]
    means = found.get("means", {})
    out += ["", "## All medians, ns a message of 64 bytes (events: a dict of four keys)", "",
            "The median is of rounds of 1000 messages, three in a row before the next subject; the "
            "mean has what is rare in it, too: for tape the system's work for the next 256 KiB, in "
            "a quarter of the rounds.", "",
            *_plain_table(("what", "median", "mean"),
                          [(k, number(v), number(means[k]) if k in means else "")
                           for k, v in found["medians"].items() if not k.startswith("latency.")])]
    if found.get("latency"):
        out += ["", "## From one process to another, 10,000 a second, ns", "",
                *_plain_table(("pair", "p50", "p99", "p99.9"),
                              [(name, *(number(v) for v in shares.values()))
                               for name, shares in found["latency"].items()])]
    if found.get("writers"):
        kinds = found["writers"]
        counts = list(next(iter(kinds.values())))
        out += ["", "## Writing processes on one queue, messages a second", "",
                *_plain_table(("", *(f"{n} writing" for n in counts)),
                              [(k, *(f"{v:,.0f}" for v in by.values()))
                               for k, by in kinds.items()])]
    if found.get("disk"):
        out += ["", "## Bytes on disk for a message of 64 bytes", "",
                *_plain_table(("", "bytes"), [(k, f"{v:.1f}") for k, v in found["disk"].items()])]
    if found.get("memory"):
        out += ["", f"## {found['large']:,} messages of 1 KiB written and tailed: memory in MiB",
                "",
                *_plain_table(("", "peak resident", "of its own", "seconds"),
                              [(k, f"{v['VmHWM'] / 1024:.0f}", f"{v['RssAnon'] / 1024:.0f}",
                                f"{v['seconds']:.1f}") for k, v in found["memory"].items()])]
    return "\n".join(out) + "\n"


def draw(found: dict[str, Any], directory: Path) -> list[str]:
    """Writes the pictures that there are numbers for; returns their names."""
    def short(ns: float) -> str:
        for size, unit in ((1e6, "ms"), (1e3, "µs")):
            if ns >= size:
                return f"{ns / size:g} {unit}"
        return f"{ns:g} ns"

    def size(b: float) -> str:
        return f"{b / 1024:g} KiB" if b >= 1024 else f"{b:g} B"

    def rate(n: float) -> str:
        return f"{n / 1e6:g} M/s" if n >= 1e6 else f"{n / 1e3:g} k/s"

    made = {}
    if found.get("sizes"):
        series = {k: {float(s): v for s, v in by.items()} for k, by in found["sizes"].items()}
        made["sizes.svg"] = pictures.lines("Cost of a message by its size", "one process, medians",
                                           series, size, short)
    if found.get("latency"):
        groups = {share: {k: v[share] for k, v in found["latency"].items()}
                  for share in ("p50", "p99", "p99.9")}
        made["latency.svg"] = pictures.bars("From one process to another",
                                            "10,000 messages a second, the reader polls",
                                            groups, short)
    if found.get("writers"):
        counts = list(next(iter(found["writers"].values())))
        groups = {f"{n} writing": {k: by[n] for k, by in found["writers"].items()} for n in counts}
        made["writers.svg"] = pictures.bars("Processes that write to one queue",
                                            "messages of 64 bytes a second, all together",
                                            groups, rate)
    for name, drawn in made.items():
        (directory / name).write_text(drawn)
    return list(made)


def write(found: dict[str, Any], directory: Path = HERE / "results",
          readme: Path = HERE / "README.md") -> None:
    """Keeps the numbers, draws the pictures, and puts the text between the marks of the README."""
    (directory / "bench.json").write_text(json.dumps(found, indent=1) + "\n")
    names = draw(found, directory)
    shown = "\n".join(f"![{n.removesuffix('.svg')}](results/{n})" for n in names)
    whole = readme.read_text()
    head, rest = whole.split(BEGIN)
    tail = rest.split(END)[1]
    readme.write_text(f"{head}{BEGIN}\n\n{text(found)}\n{shown}\n\n{END}{tail}")
    if directory == HERE / "results":  # the pages that show some of it
        from tools import figures
        figures.main()
