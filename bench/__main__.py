"""``python -m bench``: measures everything in one run and prints the table of targets.

    python -m bench              all but --large: some minutes
    python -m bench --large      also 4 GiB written and tailed, and seeks in them (16 GB of disk)
    python -m bench --write      also puts the results into bench/README.md, with pictures
    python -m bench --quick      a few rounds of few messages: that it works, not what it costs

Peers that are not installed (``pip install -e '.[bench]'``), and Java where there is no JDK or
Maven, are left out and said to be.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from . import building, large, latency, report, subjects, writers
from .rounds import Scenario, Worker, interleave

SIZES = (16, 64, 256, 1024, 4096, 16384, 65536)
C_SCENARIOS = ("copy_cas", "lock_copy_cas", "append", "append_framed", "walk", "read",
               "spans", "seek", "seek_all", "touch_all", "append_many")
NEEDS = {"Lmdb": ("lmdb",), "LmdbEvents": ("lmdb", "orjson"), "Queuelib": ("queuelib",),
         "PersistQueue": ("persistqueue",)}
PEERS = {  # class: prefix of its scenarios, and its methods
    "Floor": ("floor", ("append", "iterate")),
    "Tape": ("py", ("write", "write_many", "iterate", "read", "read_many", "seek_read")),
    "TapeEvents": ("py.event", ("write", "iterate", "read_many")),
    "Lmdb": ("lmdb", ("put", "batch", "cursor", "get")),
    "LmdbEvents": ("lmdb.event", ("batch", "cursor")),
    "Sqlite": ("sqlite", ("put", "batch", "select")),
    "Queuelib": ("queuelib", ("push", "pop")),
    "PersistQueue": ("persistqueue", ("put", "get")),
    "PlainFile": ("file", ("write", "read")),
}
SLOW = {"sqlite.put": 200, "persistqueue.put": 20,
        **dict.fromkeys(("queuelib.push", "c.seek", "c.seek_all", "c.touch_all", "java.seek",
                         "py.seek_read"), 500)}


def say(text: str) -> None:
    print(f"[{time.monotonic() - BEGUN:6.1f} s] {text}", file=sys.stderr, flush=True)


BEGUN = time.monotonic()


class Run:
    """One run of all measurements, in a directory of its own that goes at its end."""

    def __init__(self, options: argparse.Namespace, directory: Path) -> None:
        self.options = options
        self.directory = directory
        self.quick = options.quick
        self.java = [v for v in building.JAVA_VERSIONS if options.java]
        self.found: dict[str, Any] = {"machine": report.machine(directory), "medians": {}}
        self.closing = ExitStack()

    # ---- workers ----

    def c_worker(self, name: str) -> Worker:
        worker = Worker([building.c_program("floor"), "-s", "-d", str(self.directory), "-q",
                         str(self.directory / name)])
        self.closing.callback(worker.close)
        return worker

    def java_worker(self, version: str, name: str) -> Worker:
        worker = Worker([*building.java_command(version), "serve", str(self.directory / name)])
        self.closing.callback(worker.close)
        if not self.quick:
            for word in ("append", "append_framed", "read", "seek") * 3:
                worker.ask(f"{word} 50000")  # compiled
        return worker

    def subject(self, name: str, part: str = "", size: int = 64) -> subjects.Subject | None:
        if any(importlib.util.find_spec(need) is None for need in NEEDS.get(name, ())):
            say(f"{name} is left out: not installed")
            return None
        made: subjects.Subject = getattr(subjects, name)(self.directory / f"{name}{part}", size)
        return made

    def scenarios(self) -> Iterator[Scenario]:
        worker = self.c_worker("c")
        for name in C_SCENARIOS:
            yield worker.scenario(f"c.{name}", name)
        self.subjects = {}
        for name, (prefix, methods) in PEERS.items():
            subject = self.subject(name)
            if subject is None:
                continue
            self.subjects[name] = subject
            for method in methods:
                yield Scenario(f"{prefix}.{method}", getattr(subject, method))
        for n, version in enumerate(self.java):
            worker = self.java_worker(version, f"java-{version}")
            for word in ("append", "append_framed", "read", "seek"):
                yield worker.scenario(f"java{'.' + version if n else ''}.{word}", word)

    # ---- measurements ----

    def messages(self) -> None:
        """Cost of a message, all subjects in turn."""
        scenarios = list(self.scenarios())
        for scenario in scenarios:
            scenario.count = SLOW.get(scenario.name, 1000)
            if self.quick:
                scenario.count = 100
        self.found["medians"] |= interleave(scenarios, self.options.rounds, times=3, tell=say)
        self.found["means"] = {s.name: statistics.fmean(s.ns) for s in scenarios}
        self.found["disk"] = {name: subject.bytes_on_disk()
                              for name, subject in self.subjects.items()
                              if name not in ("Floor", "TapeEvents", "LmdbEvents")}

    def sizes(self) -> None:
        """Cost of a message by its size."""
        worker = self.c_worker("c-sizes")
        java = self.java_worker(self.java[0], "java-sizes") if self.java else None
        found: dict[str, dict[int, float]] = {}
        for size in SIZES[:3] if self.quick else SIZES:
            count = max(20, min(1000, (1 << 21) // size))
            worker.ask(f"size {size}")
            scenarios = [worker.scenario(f"C {w}", w) for w in ("append", "read")]
            ours, theirs = (self.subject(name, str(size), size) for name in ("Tape", "Lmdb"))
            assert isinstance(ours, subjects.Tape)
            scenarios += [Scenario("Python write", ours.write),
                          Scenario("Python iterate", ours.iterate)]
            if isinstance(theirs, subjects.Lmdb):
                scenarios += [Scenario("lmdb batches of 1000", theirs.batch),
                              Scenario("lmdb cursor", theirs.cursor)]
            if java:
                java.ask(f"size {size}")
                scenarios += [java.scenario(f"Java {w}", w) for w in ("append", "read")]
            for scenario in scenarios:
                scenario.count = count
            for name, ns in interleave(scenarios, 3 if self.quick else 15).items():
                found.setdefault(name, {})[size] = ns
        self.found["sizes"] = found

    def latency(self) -> None:
        """From one process to another."""
        python = [sys.executable, "-m", "bench.latency"]
        c = [building.c_program("latency")]
        pairs = {"word": (c, ["word"], False), "c": (c, ["queue"], False),
                 "pyfloor": (python, ["floor"], False), "py": (python, ["tape"], False)}
        if importlib.util.find_spec("lmdb"):
            pairs["lmdb"] = (python, ["lmdb"], False)
        for n, version in enumerate(self.java):
            pairs["java" if n == 0 else f"java.{version}"] = (building.java_command(version), [],
                                                              True)
        found = latency.measure(pairs, self.directory, 1 if self.quick else 3,
                                500 if self.quick else 20_000)
        self.found["latency"] = found
        self.found["medians"] |= {f"latency.{name}": v["p50"] for name, v in found.items()}

    def writers(self) -> None:
        """Throughput of several writing processes."""
        python, few = [sys.executable, "-m", "bench.writers"], self.quick
        kinds = {"C": ([building.c_program("floor"), "-s", "-d", str(self.directory), "-q"],
                       "append_only", 1000 if few else 300_000),
                 "Python": ([*python, "tape"], "write", 1000 if few else 100_000)}
        if importlib.util.find_spec("lmdb"):
            kinds["lmdb"] = ([*python, "lmdb"], "write", 100 if few else 10_000)
        for version in self.java[:1]:
            kinds["Java"] = ([*building.java_command(version), "serve"], "append",
                             1000 if few else 100_000)
        self.found["writers"] = writers.measure(kinds, self.directory, 1 if few else 5)

    def large(self) -> None:
        """4 GiB in one cycle."""
        count = 4 << 20
        try:
            self.found["large"] = count
            self.found["memory"] = large.measure_memory(self.directory, count)
            scenarios = large.seek_scenarios(self.directory, count, self.options.rounds)
            self.found["medians"] |= interleave(scenarios, self.options.rounds)
        finally:
            large.clean(self.directory)

    def all(self) -> dict[str, Any]:
        with self.closing:
            for name in self.options.parts:
                say(name)
                getattr(self, name)()
        return self.found


@contextmanager
def quietness() -> Iterator[dict[str, str]]:
    """How busy the machine was otherwise: its load before, and its processors' idle time."""
    facts: dict[str, str] = {}

    def idle() -> tuple[int, int]:
        words = [int(w) for w in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
        return words[3] + words[4], sum(words)
    before = idle()
    time.sleep(1)
    after = idle()
    share = (after[0] - before[0]) / max(after[1] - before[1], 1)
    load = os.getloadavg()[0]
    yield facts
    facts["quiet"] = (f"idle {share:.0%} in the second before the run, load {load:.2f} before and "
                      f"{os.getloadavg()[0]:.2f} after (the run's own is 1 to 2)")


def main() -> int:
    parts = ("messages", "sizes", "latency", "writers", "large")
    parser = argparse.ArgumentParser("python -m bench", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few messages: that it works")
    parser.add_argument("--large", action="store_true", help="also 4 GiB (needs 16 GB of disk)")
    parser.add_argument("--only", choices=parts, action="append", help="a part; may be repeated")
    parser.add_argument("--no-java", dest="java", action="store_false")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="write bench/README.md and pictures")
    parser.add_argument("--json", type=Path, help="keep the numbers there")
    parser.add_argument("--beside", type=Path, action="append", default=[],
                        help="what --json kept of a run of other parts, to be shown with these")
    parser.add_argument("-d", "--directory", help="where the stores stand (the default: /tmp)")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 51)
    options.java = options.java and building.java_is_there()
    options.parts = options.only or [p for p in parts if p != "large" or options.large]
    directory = Path(tempfile.mkdtemp(prefix="tape-bench-", dir=options.directory or "/tmp"))
    try:
        with quietness() as facts:
            found = Run(options, directory).all()
        found["machine"] |= facts
        for path in options.beside:
            report.add(found, json.loads(path.read_text()))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(report.text(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if options.write:
        report.write(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
