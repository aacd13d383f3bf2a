"""Compares codecs on the same messages in one run: ``python bench/codec.py [--json FILE]``.

Each round times every contender once, in turn, so that a slow moment of the machine hits all;
the medians over the rounds are compared, of processor time, which other processes disturb least.
Ratios are ours over theirs: below 1 is faster.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import pickle
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from codec_messages import messages, with_keywords

from tape.codecs import fressian

Contender = tuple[Callable[[Any], Any], Callable[[Any], Any]]


def contenders() -> dict[str, Contender]:
    """Name to (encode, decode); what is not installed is left out."""
    python = fressian.Fressian(engine="python")
    found: dict[str, Contender] = {}
    if fressian.have_speed:
        found["fressian C"] = (fressian.encode, fressian.decode)
    found["fressian python"] = (python.encode, python.decode)
    found["pickle"] = (lambda v: pickle.dumps(v, 5), pickle.loads)
    for name in ("msgpack", "cbor2", "orjson", "msgspec.msgpack"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        if name == "msgpack":
            found[name] = (module.packb, module.unpackb)
            fallback = importlib.import_module("msgpack.fallback")
            found["msgpack python"] = (lambda v: fallback.Packer().pack(v),
                                       lambda b: _unpack(fallback, b))
        elif name == "msgspec.msgpack":
            found["msgspec"] = (module.Encoder().encode, module.Decoder().decode)
        else:
            found[name] = (module.dumps, module.loads)
    return found


def _unpack(fallback: Any, data: bytes) -> Any:
    unpacker = fallback.Unpacker(None, max_buffer_size=len(data))
    unpacker.feed(data)
    return unpacker._unpack()


def rounds_of(function: Callable[[Any], Any], argument: Any) -> int:
    """Calls that take about half a millisecond: short beside a scheduler's time slice."""
    calls, spent = 1, 0.0
    while True:
        start = time.process_time()
        for _ in range(calls):
            function(argument)
        spent = time.process_time() - start
        if spent > 0.0005 or calls >= 1 << 16:
            return calls
        calls *= 2


def measure(functions: dict[str, tuple[Callable[[Any], Any], Any]], rounds: int) -> dict[
        str, float]:
    """Median seconds per call, all contenders in turn in each round."""
    calls = {name: rounds_of(*pair) for name, pair in functions.items()}
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, (function, argument) in functions.items():
            start = time.process_time()
            for _ in range(calls[name]):
                function(argument)
            times[name].append((time.process_time() - start) / calls[name])
    return {name: statistics.median(each) for name, each in times.items()}


def compare(rounds: int) -> dict[str, Any]:
    """Everything that is printed, as one object."""
    found = contenders()
    result: dict[str, Any] = {"encode": {}, "decode": {}, "size": {}, "keywords": {}}
    for name, message in messages().items():
        few = max(3, rounds // 6) if name == "10,000 events" else rounds
        encoded = {who: pair[0](message) for who, pair in found.items()}
        for who, pair in found.items():
            assert pair[1](encoded[who]) == message, (who, name)
        result["encode"][name] = measure({w: (p[0], message) for w, p in found.items()}, few)
        result["decode"][name] = measure({w: (p[1], encoded[w]) for w, p in found.items()}, few)
        result["size"][name] = {who: len(data) for who, data in encoded.items()}
        worded = with_keywords(message)
        data = fressian.encode(worded)
        result["keywords"][name] = {
            "encode": measure({"keyword": (fressian.encode, worded),
                               "string": (fressian.encode, message)}, few),
            "decode": measure({"keyword": (fressian.decode, data),
                               "string": (fressian.decode, encoded["fressian C"])}, few)}
    log = messages()["10,000 events"]
    whole = fressian.encode(with_keywords(log))
    each = [fressian.encode(with_keywords(event)) for event in log]
    pack = found["msgpack"][0]
    result["log size"] = {"stream": len(whole), "per message": sum(map(len, each)),
                          "msgpack": len(pack(log))}
    result["machine"] = {"python": sys.version.split()[0], "machine": platform.machine(),
                         "versions": {n: _version(n) for n in (
                             "msgpack", "cbor2", "orjson", "msgspec")}}
    return result


def _version(name: str) -> str:
    from importlib import metadata
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "-"


def mean(values: list[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def show(result: dict[str, Any]) -> None:
    for what in ("encode", "decode"):
        table = result[what]
        names = list(next(iter(table.values())))
        print(f"\n{what}: fressian C in microseconds, and its ratio to the others")
        print(f"{'':16}{'us':>10}" + "".join(f"{n:>17}" for n in names[1:]))
        for message, row in table.items():
            ours = row["fressian C"]
            print(f"{message:16}{ours * 1e6:10.2f}" +
                  "".join(f"{ours / row[n]:17.2f}" for n in names[1:]))
        print(f"{'geometric mean':26}" + "".join(
            f"{mean([row['fressian C'] / row[n] for row in table.values()]):17.2f}"
            for n in names[1:]))
        print("python / msgpack python: " + "  ".join(
            f"{m}: {row['fressian python'] / row['msgpack python']:.2f}"
            for m, row in table.items()))
    for what in ("encode", "decode"):
        print(f"keyword keys / string keys, {what}: " + "  ".join(
            f"{m}: {r[what]['keyword'] / r[what]['string']:.2f}"
            for m, r in result["keywords"].items()))
    log = result["log size"]
    print(f"event log, bytes: one stream with keywords {log['stream']}, per message "
          f"{log['per message']}, msgpack {log['msgpack']}: "
          f"{log['stream'] / log['msgpack']:.2f} and {log['per message'] / log['msgpack']:.2f}")
    print(result["machine"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=101)
    parser.add_argument("--json", help="also write the numbers to this file")
    options = parser.parse_args()
    made = compare(options.rounds)
    show(made)
    if options.json:
        with open(options.json, "w", encoding="ascii") as file:
            json.dump(made, file, indent=1)
